//! What was measured on the way, told together at the end.

use super::show::Screen;

/// The figures of a story, in its order.
#[derive(Debug, Default)]
pub(super) struct Figures(Vec<(String, String)>);

impl Figures {
    pub(super) fn add(&mut self, what: &str, figure: &str) {
        self.0.push((what.to_owned(), figure.to_owned()));
    }

    pub(super) fn show(&self, screen: &Screen) {
        screen.heading("Measured");
        let widths = self.0.iter().map(|(what, _)| what.chars().count());
        let width = widths.max().unwrap_or(0).max(44);
        for (what, figure) in &self.0 {
            screen.line(&format!("  {what:<width$} {figure}"));
        }
    }
}
