//! Labs that stay: a keeper process owns the network until it is told to end.
//!
//! `up` starts the keeper and waits for its word, `exec` goes in through the holders' process ids
//! that the keeper wrote down, `down` ends it and makes sure that nothing remains.

use super::interrupt::stop_signals;
use super::network::{self, Network, Options};
use super::place::{self, Place};
use super::scenario::Scenario;
use anyhow::{Context, Result, bail, ensure};
use netns::Entry;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, setsid};
use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// The hidden command that makes babelctl a keeper.
pub(super) const COMMAND: &str = "keep";
const READY: &str = "ready";
/// One line for each process of the lab: kind or node, holder or program, process id.
const PROCESSES: &str = "processes";
const KEEPER: &str = "keeper";
const KEEPER_LOG: &str = "keeper.log";
/// From the start of nodes to full tables.
const CONVERGE_LIMIT: Duration = Duration::from_secs(30);
/// How long a keeper may take to put its lab away: each daemon has 5 s.
const END_LIMIT: Duration = Duration::from_secs(40);

/// Starts a keeper and waits until its lab is up.
pub(super) fn up(scenario: &Scenario, options: &Options) -> Result<()> {
    let directory = place::base()?.join(scenario.name);
    ensure!(
        !place::is_live(&directory),
        "the lab {} is up already",
        scenario.name
    );
    let own = std::env::current_exe().context("finding babelctl")?;
    let mut command = Command::new(own);
    command
        .args(["lab", COMMAND, scenario.name])
        .arg(&directory);
    command.arg("--daemon").arg(&options.daemon);
    if !options.prices {
        command.arg("--no-prices");
    }
    // Its errors come over its output; there is nobody to read others later.
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut keeper = command.spawn().context("starting the keeper")?;
    let output = keeper.stdout.take().context("the keeper has no output")?;
    let mut reason = String::new();
    for line in BufReader::new(output).lines() {
        let line = line.context("listening to the keeper")?;
        if line == READY {
            return Ok(());
        }
        reason += &line;
    }
    bail!("the lab {} did not start: {reason}", scenario.name)
}

/// The keeper itself: builds the lab, says so, and waits to be told to end.
pub(super) fn keep(scenario: &'static Scenario, directory: &Path, options: Options) -> Result<()> {
    // Nobody's terminal, so that nobody's Ctrl-C ends it.
    let _ = setsid();
    let signals = stop_signals();
    signals.thread_block().context("blocking signals")?;
    let outcome = (|| {
        netns::become_root()?;
        let place = Place::claim(directory.to_owned())?;
        let mut network = Network::build(scenario, place.directory(), options)?;
        network.start_hosts()?;
        for late in [false, true] {
            start(&mut network, late)?;
        }
        fs::write(place.directory().join(PROCESSES), processes(&network))
            .context("writing down the processes")?;
        Ok((place, network))
    })();
    let mut output = std::io::stdout();
    let (place, mut network) = match outcome {
        Ok(lab) => lab,
        Err(error) => {
            let _ = writeln!(output, "{error:#}");
            return Err(error);
        }
    };
    writeln!(output, "{READY}")
        .and_then(|()| output.flush())
        .context("telling that it is up")?;
    signals.wait().context("waiting for the end")?;
    let stopped = network.stop();
    drop(network);
    if let Err(error) = stopped {
        // The directory stays for whoever wants to know why.
        let _ = fs::write(place.directory().join(KEEPER_LOG), format!("{error:#}\n"));
        return Err(error);
    }
    place.remove()
}

/// Starts the early or the late nodes, and waits until all that run know each other.
fn start(network: &mut Network, late: bool) -> Result<()> {
    for node in network
        .scenario()
        .routers()
        .filter(|node| node.joins_late == late)
    {
        network
            .start(node.name)
            .with_context(|| format!("starting {}", node.name))?;
    }
    let converged = netns::wait_for(CONVERGE_LIMIT, || match network.convergence() {
        Ok((installed, wanted)) => (installed == wanted).then_some(Ok(())),
        Err(error) => Some(Err(error)),
    });
    converged.unwrap_or_else(|| bail!("not all routes within {} s", CONVERGE_LIMIT.as_secs()))
}

/// Becomes a program inside a node; returns only if that fails.
pub(super) fn exec(scenario: &Scenario, node: &str, argv: &[String]) -> Result<()> {
    let directory = place::base()?.join(scenario.name);
    ensure!(
        place::is_live(&directory),
        "the lab {0} is not up; start it with babelctl lab up {0}",
        scenario.name
    );
    let names: Vec<_> = scenario.nodes.iter().map(|node| node.name).collect();
    ensure!(
        names.contains(&node),
        "no node {node}; there are {}",
        names.join(", ")
    );
    let holder = listed(&directory)?
        .into_iter()
        .find(|process| process.owner == node && process.role == "holder")
        .with_context(|| format!("the keeper wrote nothing down of {node}"))?;
    let shell = || std::env::var("SHELL").unwrap_or_else(|_| "/bin/sh".into());
    let (program, arguments) = match argv {
        [program, arguments @ ..] => (program.clone(), arguments),
        [] => (shell(), [].as_slice()),
    };
    let own = std::env::current_exe().context("finding babelctl")?;
    let error = Entry { holder: holder.pid }
        .command(&own, &program)
        .args(arguments)
        .env("BABEL_LAB_NODE", node)
        // So that babelctl, run inside, is found and asks this node's daemon.
        .env("PATH", path_with(own.parent()))
        .env("BABEL_SOCKET", network::socket_path(&directory, node))
        .exec();
    Err(error).context("entering the node")
}

/// The search path for programs, with one more directory at its end.
fn path_with(directory: Option<&Path>) -> OsString {
    let path = std::env::var_os("PATH").unwrap_or_else(|| "/usr/bin:/bin".into());
    let all = std::env::split_paths(&path).chain(directory.map(Path::to_owned));
    std::env::join_paths(all).unwrap_or(path)
}

/// Ends a lab and looks for what it left; returns whether there was one.
pub(super) fn down(scenario: &Scenario) -> Result<bool> {
    let directory = place::base()?.join(scenario.name);
    if !directory.exists() {
        return Ok(false);
    }
    let processes = listed(&directory).unwrap_or_default();
    let was_live = place::is_live(&directory);
    if was_live {
        end_keeper(&directory, &processes)?;
    }
    let left: Vec<_> = processes
        .iter()
        .filter(|process| process.is_alive())
        .collect();
    ensure!(left.is_empty(), "these processes are still there: {left:?}");
    let log = fs::read_to_string(directory.join(KEEPER_LOG)).unwrap_or_default();
    if directory.exists() {
        fs::remove_dir_all(&directory)
            .with_context(|| format!("removing {}", directory.display()))?;
    }
    ensure!(
        log.is_empty(),
        "it is down, but did not go well: {}",
        log.trim()
    );
    Ok(was_live)
}

/// Asks the keeper to end, makes it if it does not, and waits for its lock to go.
fn end_keeper(directory: &Path, processes: &[Listed]) -> Result<()> {
    let keeper = processes.iter().find(|process| process.owner == KEEPER);
    let keeper = keeper.context("the lab is just starting, or its keeper wrote nothing down")?;
    // The lock is held, so the process is the keeper and no later one with its number.
    for signal in [Signal::SIGTERM, Signal::SIGKILL] {
        let pid = i32::try_from(keeper.pid).context("the keeper's process id")?;
        let _ = kill(Pid::from_raw(pid), signal);
        let gone = || {
            let left = processes.iter().any(Listed::is_alive);
            (!place::is_live(directory) && !left).then_some(())
        };
        if netns::wait_for(END_LIMIT, gone).is_some() {
            return Ok(());
        }
    }
    bail!("the keeper (process {}) does not end", keeper.pid)
}

/// A process as the keeper wrote it down.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Listed {
    owner: String,
    role: String,
    pid: u32,
}

impl Listed {
    fn parse(line: &str) -> Option<Self> {
        let mut words = line.split(' ');
        let (owner, role) = (words.next()?.to_owned(), words.next()?.to_owned());
        Some(Self {
            owner,
            role,
            pid: words.next()?.parse().ok()?,
        })
    }

    fn is_alive(&self) -> bool {
        // One that nobody has waited for has no executable any more.
        fs::symlink_metadata(format!("/proc/{}/cwd", self.pid)).is_ok()
            && fs::read(format!("/proc/{}/cmdline", self.pid)).is_ok_and(|line| !line.is_empty())
    }
}

fn listed(directory: &Path) -> Result<Vec<Listed>> {
    let path = directory.join(PROCESSES);
    let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    Ok(text.lines().filter_map(Listed::parse).collect())
}

fn processes(network: &Network) -> String {
    let mut text = format!("{KEEPER} {KEEPER} {}\n", std::process::id());
    for member in network.members() {
        let name = member.node.name;
        text += &format!("{name} holder {}\n", member.namespace.pid());
        for program in [&member.daemon, &member.responder].into_iter().flatten() {
            text += &format!("{name} {} {}\n", program.name(), program.pid());
        }
    }
    text
}
