//! Making a namespace, and doing things in it.
//!
//! Invariant: the namespace, and every process inside, is gone when its [`Namespace`] has been
//! dropped or its creator has died.

use crate::daemon::Daemon;
use crate::helper::{Entry, READY, hold_command};
use crate::run;
use anyhow::{Context, Result, anyhow, bail};
use nix::sched::{CloneFlags, setns};
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// How long a holder may take to make its namespace.
const START_LIMIT: Duration = Duration::from_secs(10);
/// How long a holder may take to go, with all that runs inside; longer than its own limit.
const END_LIMIT: Duration = Duration::from_secs(4);

/// What namespaces have in common: the helper that holds them and the directory for logs.
#[derive(Clone, Debug)]
pub struct Lab {
    helper: PathBuf,
    logs: PathBuf,
}

impl Lab {
    /// A lab whose helper is the running program, which must call [`crate::init`] first in `main`.
    pub fn new(logs: impl Into<PathBuf>) -> Result<Self> {
        let helper = std::env::current_exe().context("finding the running program")?;
        Ok(Self::with_helper(helper, logs))
    }

    /// A lab held by another program that calls [`crate::init`]: for tests, which have no `main`.
    pub fn with_helper(helper: impl Into<PathBuf>, logs: impl Into<PathBuf>) -> Self {
        Self {
            helper: helper.into(),
            logs: logs.into(),
        }
    }

    /// Makes a namespace with its own interfaces, routes and `/sys`; `lo` is up, IPv6 works and
    /// addresses need no duplicate detection.
    pub fn namespace(&self, name: &str) -> Result<Namespace> {
        Namespace::start(self.clone(), name).with_context(|| format!("namespace {name}"))
    }

    /// The directory for logs.
    pub fn logs(&self) -> &Path {
        &self.logs
    }
}

/// A network namespace, alive as long as this value.
#[derive(Debug)]
pub struct Namespace {
    name: String,
    lab: Lab,
    holder: Child,
    /// Its end is the holder's signal to go.
    lifeline: Option<ChildStdin>,
    net: File,
}

impl Namespace {
    fn start(lab: Lab, name: &str) -> Result<Self> {
        let mut command = hold_command(&lab.helper, name);
        // Its own process group: Ctrl-C on the terminal is for the creator to act on.
        command
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let helper = lab.helper.display().to_string();
        let mut holder = command
            .spawn()
            .with_context(|| format!("starting {helper}"))?;
        let lifeline = holder.stdin.take();
        if let Err(error) = await_ready(&mut holder, &helper) {
            let _ = holder.kill();
            let _ = holder.wait();
            return Err(error);
        }
        let path = format!("/proc/{}/ns/net", holder.id());
        let net = File::open(&path).with_context(|| format!("opening {path}"))?;
        Ok(Self {
            name: name.to_owned(),
            lab,
            holder,
            lifeline,
            net,
        })
    }

    /// Starts a program that runs until it ends or the returned value is dropped. Its output goes
    /// to `NAMESPACE-NAME.log` in the lab's directory.
    pub fn spawn(&self, name: &str, command: Command) -> Result<Daemon> {
        let log = self.lab.logs.join(format!("{}-{name}.log", self.name));
        Daemon::start(name, command, log).with_context(|| format!("namespace {}", self.name))
    }

    /// Runs a program to its end and returns what it printed; killed and an error after `limit`.
    pub fn run<S: AsRef<OsStr>>(&self, argv: &[S], limit: Duration) -> Result<Output> {
        let [program, arguments @ ..] = argv else {
            bail!("no program given")
        };
        run::output(self.command(program).args(arguments), limit)
            .with_context(|| format!("namespace {}: {}", self.name, program.as_ref().display()))
    }

    /// Runs `action` on a thread inside the namespace. Sockets opened there stay there.
    pub fn with<T: Send>(&self, action: impl FnOnce() -> T + Send) -> Result<T> {
        let inside = || -> Result<T> {
            setns(&self.net, CloneFlags::CLONE_NEWNET)
                .with_context(|| format!("entering namespace {}", self.name))?;
            Ok(action())
        };
        thread::scope(|scope| scope.spawn(inside).join())
            .map_err(|_| anyhow!("namespace {}: the action panicked", self.name))?
    }

    /// A command that runs `program` inside. Add its arguments, files and environment as usual.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        self.entry().command(&self.lab.helper, program)
    }

    /// How others get in.
    pub fn entry(&self) -> Entry {
        Entry {
            holder: self.holder.id(),
        }
    }

    /// The process that holds the namespace, as netlink wants it for moving a link.
    pub fn pid(&self) -> u32 {
        self.holder.id()
    }

    /// The name it was made with: for people and logs, the kernel knows nothing of it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Writes a setting under `/proc/sys/net/`, such as `ipv4/ip_forward`.
    pub fn set(&self, setting: &str, value: &str) -> Result<()> {
        let path = format!("/proc/sys/net/{setting}");
        self.with(|| fs::write(&path, value))?
            .with_context(|| format!("namespace {}: writing {value} to {path}", self.name))
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        drop(self.lifeline.take());
        if run::wait_for_exit(&mut self.holder, END_LIMIT).is_none() {
            let _ = self.holder.kill();
            let _ = self.holder.wait();
        }
    }
}

/// Waits until the holder says that its namespace is there.
fn await_ready(holder: &mut Child, helper: &str) -> Result<()> {
    let output = holder.stdout.take().context("the holder has no output")?;
    let (sender, receiver) = mpsc::sync_channel(1);
    // The thread ends with the holder at the latest, and the holder when we give up on it.
    thread::spawn(move || {
        let mut line = String::new();
        let _ = BufReader::new(output).read_line(&mut line);
        let _ = sender.send(line);
    });
    let line = receiver
        .recv_timeout(START_LIMIT)
        .map_err(|_| anyhow!("{helper} was not ready within {} s", START_LIMIT.as_secs()))?;
    match line.trim_end() {
        READY => Ok(()),
        "" => bail!("{helper} does not act as a helper: its main must begin with netns::init()"),
        reason => bail!("{reason}"),
    }
}
