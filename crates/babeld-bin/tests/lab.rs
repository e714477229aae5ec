//! `babelctl lab` as its users see it. Makes network namespaces: needs root.

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
const SOON: Duration = Duration::from_secs(20);
/// `up` waits for full tables.
const UP_LIMIT: Duration = Duration::from_secs(90);
/// The diamond's story takes about 50 s; every step has a limit of its own.
const STORY_LIMIT: Duration = Duration::from_secs(240);

/// A user's place for labs. All processes started from here carry its path in their environment.
struct User {
    runtime: TempDir,
    prefix: Vec<String>,
    babelctl: PathBuf,
}

impl User {
    fn root() -> Result<Self> {
        ensure!(nix::unistd::geteuid().is_root(), "this test needs root");
        Ok(Self {
            runtime: tempfile::tempdir()?,
            prefix: Vec::new(),
            babelctl: BABELCTL.into(),
        })
    }

    /// Somebody without rights, with programs of their own: the build directory may be closed.
    fn nobody() -> Result<Self> {
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

    fn lab(&self, arguments: &[&str]) -> Command {
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

    fn run(&self, arguments: &[&str], limit: Duration) -> Result<String> {
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
    fn process_ids(&self) -> Vec<i32> {
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
    fn processes(&self) -> Vec<String> {
        let line = |pid| fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let text = |line: Vec<u8>| String::from_utf8_lossy(&line).replace('\0', " ");
        self.process_ids().into_iter().map(line).map(text).collect()
    }

    fn nothing_remains(&self) -> Result<()> {
        let gone = wait_for(SOON, || self.processes().is_empty().then_some(()));
        ensure!(gone.is_some(), "still running: {:?}", self.processes());
        Ok(())
    }

    fn labs(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.runtime.path().join("babel-lab"));
        entries
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path())
            .collect()
    }

    /// A story that has begun: its nodes run.
    fn begun_story(&self) -> Result<Child> {
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

fn told(output: &Output) -> String {
    let stdout = String::from_utf8_lossy(&output.stdout);
    format!(
        "{}\n{stdout}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    )
}

fn story_happens(user: &User) -> Result<()> {
    let story = user.run(&["run", "diamond"], STORY_LIMIT)?;
    for expected in [
        "traffic really goes via bob",
        "alice knows the new price",
        "traffic moved to carol",
        "pings come back via bob",
        "namespaces and files are gone",
    ] {
        ensure!(
            story.contains(expected),
            "{expected:?} is missing from:\n{story}"
        );
    }
    ensure!(!story.contains('\x1b'), "control sequences in a file");
    ensure!(user.labs().is_empty(), "{:?} stayed", user.labs());
    user.nothing_remains()
}

#[test]
fn the_diamond_tells_its_story_as_root() -> Result<()> {
    story_happens(&User::root()?)
}

#[test]
fn the_diamond_tells_its_story_as_an_ordinary_user() -> Result<()> {
    story_happens(&User::nobody()?)
}

fn lab_stays_until_put_away(user: &User) -> Result<()> {
    user.run(&["up", "diamond"], UP_LIMIT)?;
    let again = netns::output(&mut user.lab(&["up", "diamond"]), SOON)?;
    ensure!(
        !again.status.success() && told(&again).contains("up already"),
        "{}",
        told(&again)
    );
    ensure!(user.run(&["list"], SOON)?.contains("up"));

    let links = user.run(
        &["exec", "diamond", "alice", "--", "cat", "/proc/net/dev"],
        SOON,
    )?;
    ensure!(
        links.contains("to-bob") && links.contains("to-carol"),
        "{links}"
    );
    let routes = [
        "exec", "diamond", "alice", "--", "babelctl", "show", "routes",
    ];
    let routes = user.run(&routes, SOON)?;
    ensure!(
        routes.contains("10.99.0.4/32") && routes.contains("to-bob"),
        "{routes}"
    );
    let mut failing = user.lab(&["exec", "diamond", "dave", "--", "sh", "-c", "exit 7"]);
    ensure!(netns::output(&mut failing, SOON)?.status.code() == Some(7));

    ensure!(
        user.run(&["down", "diamond"], SOON)?
            .contains("nothing remains")
    );
    user.nothing_remains()?;
    ensure!(user.labs().is_empty(), "{:?} stayed", user.labs());
    ensure!(user.run(&["down", "diamond"], SOON)?.contains("was not up"));
    Ok(())
}

#[test]
fn a_lab_stays_up_until_put_away() -> Result<()> {
    lab_stays_until_put_away(&User::root()?)
}

#[test]
fn an_ordinary_user_keeps_a_lab_too() -> Result<()> {
    lab_stays_until_put_away(&User::nobody()?)
}

#[test]
fn ctrl_c_puts_everything_away() -> Result<()> {
    let user = User::root()?;
    let mut story = user.begun_story()?;
    kill(Pid::from_raw(i32::try_from(story.id())?), Signal::SIGINT)?;
    let status = netns::wait_for_exit(&mut story, SOON).context("it did not stop")?;
    ensure!(status.code() == Some(130), "{status}");
    ensure!(user.labs().is_empty(), "{:?} stayed", user.labs());
    user.nothing_remains()
}

#[test]
fn kill_nine_leaves_no_process_and_the_next_run_sweeps_the_files() -> Result<()> {
    let user = User::root()?;
    let mut story = user.begun_story()?;
    story.kill()?;
    story.wait()?;
    user.nothing_remains()?;
    let [left] = user
        .labs()
        .try_into()
        .map_err(|labs| anyhow::anyhow!("{labs:?}"))?;
    let mut next = user.begun_story()?;
    ensure!(!left.exists(), "{} was not swept", left.display());
    next.kill()?;
    next.wait()?;
    user.nothing_remains()
}

#[test]
fn a_daemon_that_does_not_start_is_named_with_its_log() -> Result<()> {
    let user = User::root()?;
    let output = netns::output(
        &mut user.lab(&["run", "diamond", "--daemon", "/bin/false"]),
        SOON,
    )?;
    let text = told(&output);
    ensure!(output.status.code() == Some(1), "{text}");
    ensure!(
        text.contains("starting alice") && text.contains("alice-babeld.log"),
        "{text}"
    );
    user.nothing_remains()
}
