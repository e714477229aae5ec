//! What the reader sees: headings, tables and progress, on a terminal or in a file.
//!
//! Output that nobody reads any more is not an error.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

/// Between redraws of a progress line.
const REDRAW_EVERY: Duration = Duration::from_millis(100);
/// Between progress lines where lines stay.
const REPORT_EVERY: Duration = Duration::from_secs(5);
const BAR_CELLS: usize = 20;
const SPINNER: [char; 4] = ['|', '/', '-', '\\'];

/// Where things are shown.
#[derive(Clone, Copy, Debug)]
pub(super) struct Screen {
    /// Lines can be redrawn, and colours shown.
    terminal: bool,
    colours: bool,
}

/// How text stands out, on terminals.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Style {
    Bold,
    Dim,
    Good,
    Bad,
}

impl Screen {
    /// Standard output.
    pub(super) fn new() -> Self {
        let terminal = io::stdout().is_terminal();
        let colours = terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self { terminal, colours }
    }

    /// Begins a part of the story.
    pub(super) fn heading(&self, text: &str) {
        self.line("");
        self.line(&self.paint(Style::Bold, text));
    }

    /// Text as it is, each line indented.
    pub(super) fn block(&self, text: &str) {
        for line in text.trim_matches('\n').lines() {
            self.line(&format!("  {line}"));
        }
    }

    pub(super) fn line(&self, text: &str) {
        let mut output = io::stdout().lock();
        let _ = writeln!(output, "{text}").and_then(|()| output.flush());
    }

    /// Rows in columns as wide as needed, the first row as titles.
    pub(super) fn table(&self, rows: &[Vec<String>]) {
        for (number, line) in aligned(rows).into_iter().enumerate() {
            let line = if number == 0 {
                self.paint(Style::Dim, &line)
            } else {
                line
            };
            self.line(&format!("  {line}"));
        }
    }

    /// Something that happened as it should.
    pub(super) fn good(&self, text: &str) {
        self.line(&format!("  {} {text}", self.paint(Style::Good, "ok")));
    }

    pub(super) fn paint(&self, style: Style, text: &str) -> String {
        let code = match style {
            Style::Bold => "1",
            Style::Dim => "2",
            Style::Good => "32",
            Style::Bad => "31",
        };
        if self.colours {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }

    /// Shows that something is under way.
    pub(super) fn progress(&self, what: &str) -> Progress {
        let started = Instant::now();
        Progress {
            screen: *self,
            what: what.to_owned(),
            started,
            shown: None,
            turns: 0,
            brief: false,
            below: 0,
        }
    }

    /// The same for something that is over so soon that a file needs no line of it.
    pub(super) fn brief_progress(&self, what: &str) -> Progress {
        let mut progress = self.progress(what);
        progress.brief = true;
        progress
    }
}

/// A line that changes while the reader waits; on a terminal it is wiped when dropped.
#[derive(Debug)]
pub(super) struct Progress {
    screen: Screen,
    what: String,
    started: Instant,
    shown: Option<Instant>,
    turns: usize,
    brief: bool,
    /// Further lines below the first one.
    below: usize,
}

impl Progress {
    /// Shows how far things are, at most as often as is pleasant; in several lines if need be.
    pub(super) fn say(&mut self, detail: &str) {
        let every = if self.screen.terminal {
            REDRAW_EVERY
        } else {
            REPORT_EVERY
        };
        let hidden = self.brief && !self.screen.terminal;
        if hidden || self.shown.is_some_and(|shown| shown.elapsed() < every) {
            return;
        }
        self.shown = Some(Instant::now());
        let elapsed = self.started.elapsed().as_secs_f64();
        let what = &self.what;
        if !self.screen.terminal {
            let detail = detail.replace('\n', "\n       ");
            let separator = if detail.starts_with('\n') { "" } else { " " };
            let line = format!("  .. {what} ({elapsed:.0} s){separator}{detail}");
            return self.screen.line(&line);
        }
        self.turns += 1;
        let turn = SPINNER.get(self.turns % SPINNER.len()).unwrap_or(&' ');
        let wipe = self.wipe();
        self.below = detail.matches('\n').count();
        let detail = detail.replace('\n', "\n       ");
        let mut output = io::stdout().lock();
        let _ = write!(output, "{wipe}  {turn}  {what} ({elapsed:4.1} s) {detail}")
            .and_then(|()| output.flush());
    }

    /// Back to the first line's beginning, with nothing behind.
    fn wipe(&self) -> String {
        match self.below {
            0 => "\r\x1b[J".to_owned(),
            lines => format!("\r\x1b[{lines}A\x1b[J"),
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.screen.terminal && self.shown.is_some() {
            let mut output = io::stdout().lock();
            let wipe = self.wipe();
            let _ = write!(output, "{wipe}").and_then(|()| output.flush());
        }
    }
}

fn aligned(rows: &[Vec<String>]) -> Vec<String> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let join = |row: &Vec<String>| {
        let cells = row
            .iter()
            .zip(&widths)
            .map(|(cell, &width)| format!("{cell:<width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(join).collect()
}

/// A time as people say it: `312 ms`, `4.1 s`.
pub(super) fn spoken(time: Duration) -> String {
    if time < Duration::from_millis(1) {
        format!("{:.3} ms", time.as_secs_f64() * 1e3)
    } else if time < Duration::from_secs(1) {
        format!("{} ms", time.as_millis())
    } else {
        format!("{:.1} s", time.as_secs_f64())
    }
}

/// A rate as people say it, always in the unit that the labs' links have: `0.95 Mbit/s`.
pub(super) fn spoken_rate(bits_per_second: f64) -> String {
    let mbps = bits_per_second / 1e6;
    let decimals = if mbps < 10.0 { 2 } else { 1 };
    format!("{mbps:.decimals$} Mbit/s")
}

/// How much of something is done, 0 to 1: `[######--------------]`.
pub(super) fn bar(done: f64) -> String {
    let full = (done.clamp(0.0, 1.0) * BAR_CELLS as f64).round() as usize;
    let rest = BAR_CELLS.saturating_sub(full);
    format!("[{}{}]", "#".repeat(full), "-".repeat(rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let row = |cells: [&str; 2]| cells.map(str::to_owned).to_vec();
        let lines = aligned(&[row(["to", "via"]), row(["10.0.0.4/32", "bob"])]);
        assert_eq!(lines, ["to           via", "10.0.0.4/32  bob"]);
    }

    #[test]
    fn a_bar_is_as_full_as_its_part_and_never_overflows() {
        assert_eq!(bar(0.25), "[#####---------------]");
        for done in [-1.0, 0.0, 1.0, 7.0, f64::NAN] {
            assert_eq!(bar(done).len(), BAR_CELLS + 2, "{done}");
        }
    }

    #[test]
    fn rates_are_said_in_one_unit() {
        assert_eq!(spoken_rate(953_000.0), "0.95 Mbit/s");
        assert_eq!(spoken_rate(19_060_000.0), "19.1 Mbit/s");
    }

    #[test]
    fn times_are_said_in_the_unit_that_fits() {
        assert_eq!(spoken(Duration::from_micros(64)), "0.064 ms");
        assert_eq!(spoken(Duration::from_millis(312)), "312 ms");
        assert_eq!(spoken(Duration::from_millis(4_120)), "4.1 s");
    }
}
