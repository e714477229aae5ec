//! `check-config`: reads files, touches nothing, says what they come to.

use super::error::{ConfigError, Warning};
use super::settings::Settings;
use std::fmt;
use std::path::Path;

/// What some configuration files come to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Report {
    /// Everything that was read.
    pub settings: Settings,
}

/// Reads files in order, as the daemon does with `-c`.
pub fn check<P: AsRef<Path>>(files: impl IntoIterator<Item = P>) -> Result<Report, ConfigError> {
    let mut settings = Settings::default();
    for file in files {
        settings.read_file(file.as_ref())?;
    }
    Ok(Report { settings })
}

impl Report {
    /// What the operator should know.
    pub fn warnings(&self) -> &[Warning] {
        &self.settings.warnings
    }

    /// Interfaces in order of configuration.
    pub fn interfaces(&self) -> impl Iterator<Item = &str> {
        self.settings.interfaces.iter().map(|i| i.name.as_str())
    }
}

impl fmt::Display for Report {
    /// Warnings first, then a summary of a few lines.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let settings = &self.settings;
        for warning in self.warnings() {
            writeln!(f, "{warning}")?;
        }
        let doubts = settings.doubts();
        for doubt in &doubts {
            writeln!(f, "Warning: {doubt}")?;
        }
        let names: Vec<&str> = self.interfaces().collect();
        match names.len() {
            0 => writeln!(f, "interfaces: none; name them on the command line")?,
            count => writeln!(f, "interfaces: {count} ({})", names.join(", "))?,
        }
        let filters = &settings.filters;
        writeln!(
            f,
            "filter rules: {} in, {} out, {} redistribute, {} install",
            filters.input.len(),
            filters.output.len(),
            filters.redistribute.len(),
            filters.install.len()
        )?;
        let prices = if settings.prices_on() { "on" } else { "off" };
        writeln!(f, "prices: {prices}")?;
        let quality = &settings.quality;
        let (goals, targets) = (quality.goals.len(), quality.targets.len());
        match settings.ranking_on() {
            false => writeln!(f, "ranking: off")?,
            true => writeln!(
                f,
                "ranking: on (goals: {goals}, speedtest targets: {targets})"
            )?,
        }
        match self.warnings().len() + doubts.len() {
            1 => write!(f, "configuration is good (1 warning)"),
            count => write!(f, "configuration is good ({count} warnings)"),
        }
    }
}
