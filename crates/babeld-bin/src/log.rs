//! Where messages go, and which.
//!
//! Messages are written to standard error without time or level, as stock babeld does; a log
//! file takes the place of both standard output and standard error, so that reopening it is one
//! call. Debug levels: 0 warnings, 1 state changes, 2 the protocol, 3 everything.

use nix::unistd::{dup2_stderr, dup2_stdin, dup2_stdout};
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use tracing::Level;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// The most detailed level shown at `-d debug`.
pub const fn level(debug: u32) -> LevelFilter {
    match debug {
        0 => LevelFilter::WARN,
        1 => LevelFilter::INFO,
        2 => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    }
}

/// Starts logging to standard error. The first call counts.
pub fn start(debug: u32) {
    let ours = level(debug);
    // Libraries below us speak up only when something is wrong, or at the very last level.
    let others = if debug > 3 {
        LevelFilter::TRACE
    } else {
        LevelFilter::WARN
    };
    let filter = Targets::new()
        .with_default(others)
        .with_target("babeld", ours)
        .with_target("babel_core", ours)
        .with_target("babel_netlink", ours);
    let lines = tracing_subscriber::fmt::layer()
        .without_time()
        .with_level(false)
        .with_target(false)
        .with_ansi(false)
        // It would complain on standard error, and panic if that is what cannot be written.
        .log_internal_errors(false)
        .with_writer(io::stderr);
    let started = tracing_subscriber::registry()
        .with(filter)
        .with(lines)
        .try_init();
    if started.is_err() {
        tracing::debug!("logging was started before");
    }
}

/// Writes a line to standard error, log or no log. That nobody reads it is no reason to stop.
pub fn complain(line: impl fmt::Display) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// Writes a line to standard output. That nobody reads it to its end is fine.
pub fn say(line: impl fmt::Display) {
    let _ = writeln!(io::stdout().lock(), "{line}");
}

/// Whether messages of the protocol's details are shown at all.
pub fn is_traced() -> bool {
    tracing::enabled!(Level::DEBUG)
}

/// Sends standard output and error to the end of `path`.
pub fn redirect(path: &Path) -> io::Result<()> {
    let file = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o644)
        .open(path)?;
    dup2_stdout(&file)?;
    dup2_stderr(&file)?;
    Ok(())
}

/// Lets go of the terminal's keyboard.
pub fn detach_input() -> io::Result<()> {
    dup2_stdin(File::open("/dev/null")?)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_debug_shows_more() {
        let levels: Vec<_> = (0..5).map(level).collect();
        assert!(levels.is_sorted());
        assert_eq!(levels.first(), Some(&LevelFilter::WARN));
    }
}
