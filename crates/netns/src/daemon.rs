//! A process that is stopped when its handle goes.

use crate::run;
use anyhow::{Context, Result};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs::{self, OpenOptions};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

/// A running program with its output in a file. Dropping it kills the program at once.
#[derive(Debug)]
pub struct Daemon {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Daemon {
    pub(crate) fn start(name: &str, mut command: Command, log: PathBuf) -> Result<Self> {
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&log)
            .with_context(|| format!("opening the log {}", log.display()))?;
        let errors = file.try_clone().context("sharing the log")?;
        // Its own process group: Ctrl-C on the terminal is for its starter to act on.
        command
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(file)
            .stderr(errors);
        let child = command
            .spawn()
            .with_context(|| format!("starting {name}"))?;
        Ok(Self {
            name: name.to_owned(),
            child,
            log,
        })
    }

    /// Sends a signal; nothing happens if the program has ended.
    pub fn signal(&mut self, signal: Signal) -> Result<()> {
        if self.exited().is_some() {
            return Ok(());
        }
        let pid = i32::try_from(self.child.id()).context("process id")?;
        kill(Pid::from_raw(pid), signal)
            .with_context(|| format!("sending {signal} to {} ({pid})", self.name))
    }

    /// Kills the program as `kill -9` does, and waits for its end.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Asks the program to end (TERM) and returns how it did; killed and `None` after `limit`.
    pub fn stop(&mut self, limit: Duration) -> Result<Option<ExitStatus>> {
        self.signal(Signal::SIGTERM)?;
        let status = run::wait_for_exit(&mut self.child, limit);
        if status.is_none() {
            self.kill();
        }
        Ok(status)
    }

    /// How the program ended, if it has.
    pub fn exited(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// The name it was started under.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Where its output goes.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// The last lines of its output, for error messages.
    pub fn log_tail(&self, lines: usize) -> String {
        let bytes = fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        let all: Vec<&str> = text.lines().collect();
        let (_, tail) = all.split_at(all.len().saturating_sub(lines));
        tail.join("\n")
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.kill();
    }
}
