//! `reload`: the command line and its files are read again, and the difference is applied.
//!
//! Afterwards the node is as if started with them, but for three things: what needs a restart
//! stays and is reported, interfaces that were added at run time stay, and routes that the
//! difference does not touch are never interrupted. Nothing is applied of a file with an error.

use super::Running;
use crate::cli::{self, CliError};
use crate::config::{Difference, Settings};
use crate::node::Refused;
use std::collections::BTreeSet;
use std::ffi::OsString;

/// Where the configuration comes from.
#[derive(Clone, Debug, Default)]
pub struct Source {
    /// The command line, without the program's name.
    arguments: Vec<OsString>,
    /// The interfaces that it and its files named when they were read last.
    interfaces: BTreeSet<String>,
}

impl Source {
    /// The command line that `settings` came of.
    pub fn new(arguments: Vec<OsString>, settings: &Settings) -> Self {
        Self {
            arguments,
            interfaces: names(settings),
        }
    }
}

impl Running {
    /// Reads the configuration again and applies it, unless `dry_run`. Returns a line for each
    /// thing that changed, or would.
    pub(super) fn read_again(&mut self, dry_run: bool) -> Result<Vec<String>, Refused> {
        let new = cli::parse(self.source.arguments.clone()).map_err(|error| {
            Refused::No(match error {
                CliError::Config(error) => error.headline(),
                CliError::Usage(reason) => reason,
            })
        })?;
        let new = new.settings;
        let difference = Difference::between(&self.settings, &new, &self.source.interfaces);
        if dry_run {
            return Ok(difference.lines);
        }
        for warning in &new.warnings {
            tracing::warn!("{warning}");
        }
        for line in &difference.lines {
            tracing::info!("reload: {line}");
        }
        self.source.interfaces = names(&new);
        self.become_other(difference)
    }

    fn become_other(&mut self, difference: Difference) -> Result<Vec<String>, Refused> {
        let Difference {
            removed,
            added,
            target,
            mut lines,
        } = difference;
        for name in removed {
            // It was there a moment ago; if not, all the better.
            let _ = self.flush_interface(&name);
        }
        let before = std::mem::replace(&mut self.settings, target);
        if self.settings.log_file != before.log_file
            && let Err(Refused::No(why) | Refused::Bad(why)) = self.reopen_log()
        {
            self.settings.log_file = before.log_file.clone();
            lines.push(format!("log-file: unchanged, {why}"));
        }
        self.follow_globals(&before);
        self.refilter();
        self.reconfigure_interfaces(&before);
        for name in added {
            self.start_interface(&name);
        }
        Ok(lines)
    }
}

fn names(settings: &Settings) -> BTreeSet<String> {
    let names = settings.interfaces.iter().map(|one| one.name.clone());
    names.collect()
}
