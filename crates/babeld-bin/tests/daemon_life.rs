//! How the daemon starts, what it leaves, and what its signals do.

mod daemon_support;

use anyhow::{Context, Result, ensure};
use daemon_support::{AT_ONCE, BABELD, Place, SOON, babel_routes, sysctl};
use netns::{Daemon, Namespace, wait_for};
use nix::sys::signal::Signal;
use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

const FORWARDING: &str = "ipv4/conf/all/forwarding";
const RP_FILTER: &str = "ipv4/conf/one/rp_filter";

/// A namespace with a lonely interface `one`, and files to run in.
struct Host {
    namespace: Namespace,
    // Keeps the other end of `one`.
    _other: Namespace,
    place: Place,
}

impl Host {
    fn new() -> Result<Self> {
        let place = Place::new()?;
        let (namespace, other) = (
            place.lab().namespace("host")?,
            place.lab().namespace("other")?,
        );
        netns::link(&namespace, "one", &other, "two")?;
        for (name, value) in [(FORWARDING, "0"), (RP_FILTER, "1")] {
            namespace.set(name, value)?;
        }
        Ok(Self {
            namespace,
            _other: other,
            place,
        })
    }

    fn daemon(&self, more: &[&str]) -> Result<Daemon> {
        let mut command = self.namespace.command(BABELD);
        command.arg("-I").arg(self.place.file("pid"));
        command.arg("-S").arg(self.place.file("state"));
        command.args(more).arg("one");
        self.namespace.spawn("babeld", command)
    }

    /// Runs to the end, which must come soon.
    fn run(&self, arguments: &[&str]) -> Result<Output> {
        let pid = self.place.file("pid");
        let state = self.place.file("state");
        let mut argv: Vec<&OsStr> = vec![BABELD.as_ref(), "-I".as_ref(), pid.as_ref()];
        argv.extend(["-S".as_ref(), state.as_os_str()]);
        argv.extend(arguments.iter().map(|argument| OsStr::new(*argument)));
        self.namespace.run(&argv, SOON)
    }

    fn started(&self, daemon: &Daemon) -> Result<String> {
        let up = || {
            let text = fs::read_to_string(self.place.file("pid")).ok()?;
            let ready = sysctl(&self.namespace, RP_FILTER).ok()? == "0";
            (ready && !text.is_empty()).then_some(text)
        };
        wait_for(SOON, up).with_context(|| format!("not started:\n{}", daemon.log_tail(20)))
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn every_exit_signal_leaves_nothing_but_the_state_file() -> Result<()> {
    let host = Host::new()?;
    let state = host.place.file("state");
    let mut expected_seqno = None;
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
        let mut daemon = host.daemon(&[])?;
        let pid = host.started(&daemon)?;
        ensure!(pid.trim_end() == pid, "the pidfile ends in a newline");
        ensure!(pid == daemon.pid().to_string(), "pidfile says {pid}");
        ensure!(sysctl(&host.namespace, FORWARDING)? == "1");
        ensure!(!state.exists(), "the state file is there while running");
        daemon.signal(signal)?;
        let status = wait_for(SOON, || daemon.exited()).context("it does not end")?;
        ensure!(
            status.success(),
            "{signal}: {status}\n{}",
            daemon.log_tail(20)
        );
        ensure!(
            !host.place.file("pid").exists(),
            "{signal}: the pidfile is left"
        );
        ensure!(
            sysctl(&host.namespace, FORWARDING)? == "0",
            "{signal}: forwarding is left on"
        );
        ensure!(
            sysctl(&host.namespace, RP_FILTER)? == "1",
            "{signal}: rp_filter is left off"
        );
        ensure!(babel_routes(&host.namespace)?.is_empty());
        let saved = fs::read_to_string(&state)?;
        let seqno: u16 = saved.strip_suffix('\n').context("no newline")?.parse()?;
        // Each life begins with the number after the last one's.
        ensure!(
            expected_seqno.is_none_or(|expected| expected == seqno),
            "{seqno}"
        );
        expected_seqno = Some(seqno.wrapping_add(1));
    }
    Ok(())
}

#[test]
fn an_existing_pidfile_is_fatal_and_left_alone() -> Result<()> {
    let host = Host::new()?;
    let pid = host.place.file("pid");
    fs::write(&pid, "")?;
    let output = host.run(&["one"])?;
    ensure!(output.status.code() == Some(1), "{}", output.status);
    let expected = format!("creat({}): File exists", pid.display());
    ensure!(
        text(&output.stderr).contains(&expected),
        "{}",
        text(&output.stderr)
    );
    ensure!(pid.exists());
    ensure!(sysctl(&host.namespace, FORWARDING)? == "0");
    Ok(())
}

#[test]
fn without_interfaces_it_says_so_and_undoes_what_it_did() -> Result<()> {
    let host = Host::new()?;
    let output = host.run(&[])?;
    ensure!(output.status.code() == Some(1), "{}", output.status);
    let said = text(&output.stderr);
    ensure!(
        said.lines()
            .any(|l| l == "Eek... asked to run on no interfaces!"),
        "{said}"
    );
    ensure!(!host.place.file("pid").exists());
    ensure!(sysctl(&host.namespace, FORWARDING)? == "0");
    Ok(())
}

#[test]
fn a_stale_control_socket_stops_the_start_and_names_the_file() -> Result<()> {
    let host = Host::new()?;
    let socket = host.place.file("control");
    fs::write(&socket, "")?;
    let path = socket.to_str().context("a path")?;
    let output = host.run(&["-G", path, "one"])?;
    let said = text(&output.stderr);
    ensure!(output.status.code() == Some(1), "{}", output.status);
    ensure!(
        said.contains("local_server_socket: Address already in use"),
        "{said}"
    );
    ensure!(said.contains(path), "{said}");
    ensure!(!host.place.file("pid").exists());
    ensure!(sysctl(&host.namespace, FORWARDING)? == "0");
    Ok(())
}

#[test]
fn the_kernel_is_left_alone_with_skip_kernel_setup() -> Result<()> {
    let host = Host::new()?;
    let mut daemon = host.daemon(&["-C", "skip-kernel-setup true", "-d1"])?;
    wait_until_logged(daemon.log(), "Upped interface one")?;
    ensure!(sysctl(&host.namespace, FORWARDING)? == "0");
    ensure!(sysctl(&host.namespace, RP_FILTER)? == "1");
    let status = daemon.stop(SOON)?.context("it does not end")?;
    ensure!(status.success());
    Ok(())
}

#[test]
fn usr1_shows_the_tables_and_usr2_opens_the_log_anew() -> Result<()> {
    let host = Host::new()?;
    host.namespace.add_address("lo", "10.1.1.1/32")?;
    let log = host.place.file("log");
    let path = log.to_str().context("a path")?.to_owned();
    let mut daemon = host.daemon(&["-L", &path, "-d1"])?;
    wait_until_logged(&log, "Upped interface one")?;
    daemon.signal(Signal::SIGUSR1)?;
    wait_until_logged(&log, "10.1.1.1/32 from 0.0.0.0/0 metric 0 (exported)")?;
    ensure!(
        fs::read_to_string(&log)?
            .lines()
            .any(|line| line.starts_with("My id "))
    );
    fs::rename(&log, host.place.file("log.1"))?;
    daemon.signal(Signal::SIGUSR2)?;
    wait_for(AT_ONCE, || log.exists().then_some(())).context("no new log")?;
    daemon.signal(Signal::SIGUSR1)?;
    wait_until_logged(&log, "My id ")?;
    ensure!(daemon.stop(SOON)?.context("it does not end")?.success());
    Ok(())
}

#[test]
fn in_the_background_the_pidfile_names_the_child() -> Result<()> {
    let host = Host::new()?;
    let log = host.place.file("log");
    let path = log.to_str().context("a path")?;
    let output = host.run(&["-D", "-L", path, "one"])?;
    ensure!(output.status.success(), "{}", text(&output.stderr));
    let pid = wait_for(SOON, || {
        let pid = fs::read_to_string(host.place.file("pid")).ok()?;
        pid.parse::<i32>().ok()
    });
    let pid = nix::unistd::Pid::from_raw(pid.context("no pidfile")?);
    let upped = || (sysctl(&host.namespace, RP_FILTER).ok()? == "0").then_some(());
    wait_for(SOON, upped).context("not started")?;
    nix::sys::signal::kill(pid, Signal::SIGTERM)?;
    let gone = || (!host.place.file("pid").exists()).then_some(());
    wait_for(SOON, gone).context("the pidfile is left")?;
    Ok(())
}

fn wait_until_logged(log: &Path, words: &str) -> Result<()> {
    let logged = || {
        fs::read_to_string(log)
            .ok()
            .filter(|text| text.contains(words))
    };
    let found = wait_for(SOON, logged);
    found.with_context(|| {
        let text = fs::read_to_string(log).unwrap_or_default();
        format!("{words:?} is not in the log:\n{text}")
    })?;
    Ok(())
}

/// As in `babeld 2>&1 | head`, and when whoever reads the log dies.
#[test]
fn that_nobody_reads_its_output_is_no_reason_to_stop() -> Result<()> {
    let host = Host::new()?;
    let deaf = || -> Result<Stdio> {
        let (reader, writer) = std::io::pipe()?;
        drop(reader);
        Ok(writer.into())
    };
    let mut check = Command::new(BABELD);
    check.args(["--check-config", "-C", "diversity true", "-c", "/dev/null"]);
    let status = check.stdout(deaf()?).stderr(deaf()?).status()?;
    ensure!(status.success(), "--check-config: {status}");

    let mut command = host.namespace.command(BABELD);
    command.arg("-I").arg(host.place.file("pid"));
    command.args(["-S", "", "-d", "3", "-C", "diversity true", "one"]);
    let mut child = command.stdout(deaf()?).stderr(deaf()?).spawn()?;
    let up = || (sysctl(&host.namespace, RP_FILTER).ok()? == "0").then_some(());
    let started = wait_for(SOON, up);
    let pid = nix::unistd::Pid::from_raw(child.id().try_into()?);
    for signal in [Signal::SIGUSR1, Signal::SIGUSR2, Signal::SIGTERM] {
        nix::sys::signal::kill(pid, signal)?;
    }
    let status = wait_for(AT_ONCE, || child.try_wait().ok().flatten());
    let _ = child.kill();
    started.context("not started")?;
    ensure!(status.is_some_and(|status| status.success()), "{status:?}");
    Ok(())
}
