//! Somebody who runs labs, and whatever they leave behind.

use anyhow::{Context, Result, ensure};
use netns::wait_for;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;
use tempfile::TempDir;

const BABELCTL: &str = env!("CARGO_BIN_EXE_babelctl");
const BABELD: &str = env!("CARGO_BIN_EXE_babeld");
pub(crate) const SOON: Duration = Duration::from_secs(20);
/// A user's place for labs. All processes started from here carry its path in their environment.
pub(crate) struct User {
    runtime: TempDir,
    prefix: Vec<String>,
    babelctl: PathBuf,
}

impl User {
    pub(crate) fn root() -> Result<Self> {
        ensure!(nix::unistd::geteuid().is_root(), "this test needs root");
        Ok(Self {
            runtime: tempfile::tempdir()?,
            prefix: Vec::new(),
            babelctl: BABELCTL.into(),
        })
    }

    /// Somebody without rights, with programs of their own: the build directory may be closed.
    pub(crate) fn nobody() -> Result<Self> {
        let mut user = Self::root()?;
        fs::set_permissions(user.runtime.path(), PermissionsExt::from_mode(0o755))?;
        for program in [BABELCTL, BABELD] {
            let name = Path::new(program).file_name().context("no name")?;
            fs::copy(program, user.runtime.path().join(name))?;
        }
        std::os::unix::fs::chown(user.runtime.path(), Some(65534), Some(65534))?;
        let words = [
            "setpriv",
            "--reuid=65534",
            "--regid=65534",
            "--clear-groups",
            "--",
        ];
        user.prefix = words.map(str::to_owned).to_vec();
        user.babelctl = user.runtime.path().join("babelctl");
        Ok(user)
    }

    pub(crate) fn lab(&self, arguments: &[&str]) -> Command {
        let mut words = self.prefix.clone();
        words.push(self.babelctl.display().to_string());
        words.push("lab".to_owned());
        words.extend(arguments.iter().map(|&word| word.to_owned()));
        let mut command = Command::new(words.remove(0));
        command
            .args(words)
            .env("XDG_RUNTIME_DIR", self.runtime.path())
            .env_remove("NO_COLOR");
        command
    }

    pub(crate) fn run(&self, arguments: &[&str], limit: Duration) -> Result<String> {
        let output = netns::output(&mut self.lab(arguments), limit)?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        ensure!(
            output.status.success(),
            "lab {arguments:?}: {}",
            told(&output)
        );
        Ok(text)
    }

    /// Processes of this user's labs.
    pub(crate) fn process_ids(&self) -> Vec<i32> {
        let mark = format!("XDG_RUNTIME_DIR={}", self.runtime.path().display());
        let has_mark = |pid: &i32| {
            let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            environment
                .split(|&octet| octet == 0)
                .any(|entry| entry == mark.as_bytes())
        };
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        pids.filter(has_mark).collect()
    }

    /// Their command lines.
    pub(crate) fn processes(&self) -> Vec<String> {
        let line = |pid| fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let text = |line: Vec<u8>| String::from_utf8_lossy(&line).replace('\0', " ");
        self.process_ids().into_iter().map(line).map(text).collect()
    }

    pub(crate) fn nothing_remains(&self) -> Result<()> {
        let gone = wait_for(SOON, || self.processes().is_empty().then_some(()));
        ensure!(gone.is_some(), "still running: {:?}", self.processes());
        Ok(())
    }

    pub(crate) fn labs(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.runtime.path().join("babel-lab"));
        entries
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path())
            .collect()
    }

    /// A story that has begun: its nodes run.
    pub(crate) fn begun_story(&self) -> Result<Child> {
        let child = self
            .lab(&["run", "diamond"])
            .stdout(Stdio::null())
            .spawn()?;
        let nodes = || {
            self.processes()
                .iter()
                .filter(|line| line.contains("/babeld "))
                .count()
        };
        wait_for(SOON, || (nodes() >= 3).then_some(())).context("the nodes did not start")?;
        Ok(child)
    }
}

impl Drop for User {
    /// A test that failed half-way leaves nothing either.
    fn drop(&mut self) {
        for pid in self.process_ids() {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }
}

pub(crate) fn told(output: &Output) -> String {
    let stdout = String::from_utf8_lossy(&output.stdout);
    format!(
        "{}\n{stdout}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    )
}
