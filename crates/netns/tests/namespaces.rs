//! Namespaces as their users see them. Needs root; fails without.

use anyhow::{Context, Result, ensure};
use netns::{Lab, Switch, link, wait_for};
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

const HELPER: &str = env!("CARGO_BIN_EXE_netns-helper");
const SOON: Duration = Duration::from_secs(5);

/// A directory for logs that goes with the test.
struct Logs(PathBuf);

impl Logs {
    fn new(test: &str) -> Result<Self> {
        let path = std::env::temp_dir().join(format!("netns-{test}-{}", std::process::id()));
        fs::create_dir_all(&path)?;
        Ok(Self(path))
    }

    fn lab(&self) -> Lab {
        Lab::with_helper(HELPER, &self.0)
    }
}

impl Drop for Logs {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn alive(pid: &str) -> bool {
    // A zombie has no executable left to read.
    fs::read_link(Path::new("/proc").join(pid).join("exe")).is_ok()
}

/// Starts a creator through `wrap`, kills it with SIGKILL, and looks for what it left.
fn creator_killed_leaves_nothing(test: &str, wrap: &[&str]) -> Result<()> {
    let logs = Logs::new(test)?;
    fs::set_permissions(&logs.0, std::os::unix::fs::PermissionsExt::from_mode(0o777))?;
    let mut argv = wrap.to_vec();
    let directory = logs.0.to_str().context("temporary directory")?;
    argv.extend([HELPER, directory]);
    let (program, arguments) = argv.split_first().context("empty")?;
    let mut creator = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut said = String::new();
    let mut output = BufReader::new(creator.stdout.take().context("no output")?);
    output.read_line(&mut said)?;
    output.read_line(&mut said)?;
    let pids: Vec<&str> = said.split_whitespace().collect();
    ensure!(pids.len() == 4, "the creator said {said:?}");
    ensure!(
        pids.iter().all(|pid| alive(pid)),
        "not all of {pids:?} are alive"
    );

    creator.kill()?;
    creator.wait()?;
    let gone = wait_for(SOON, || (!pids.iter().any(|pid| alive(pid))).then_some(()));
    ensure!(
        gone.is_some(),
        "{pids:?} live on: {:?}",
        pids.iter().map(|p| alive(p))
    );
    Ok(())
}

#[test]
fn namespaces_and_programs_vanish_when_their_creator_is_killed() -> Result<()> {
    creator_killed_leaves_nothing("killed", &[])
}

#[test]
fn an_ordinary_user_gets_namespaces_in_a_user_namespace() -> Result<()> {
    // The build directory may be closed to others: the helper must be readable by the user.
    let place = Logs::new("user-helper")?;
    fs::set_permissions(
        &place.0,
        std::os::unix::fs::PermissionsExt::from_mode(0o755),
    )?;
    let copy = place.0.join("netns-helper");
    fs::copy(HELPER, &copy)?;
    let copy = copy.to_str().context("path")?.to_owned();
    let user = [
        "setpriv",
        "--reuid=65534",
        "--regid=65534",
        "--clear-groups",
        "--",
    ];
    let script = format!("exec {copy} \"$1\"");
    let mut wrap = user.to_vec();
    wrap.extend(["sh", "-c", script.as_str()]);
    creator_killed_leaves_nothing("user", &wrap)
}

#[test]
fn linked_namespaces_exchange_datagrams_and_the_host_sees_no_link() -> Result<()> {
    let logs = Logs::new("link")?;
    let lab = logs.lab();
    let (a, b) = (lab.namespace("a")?, lab.namespace("b")?);
    link(&a, "netns-a", &b, "netns-b")?;
    a.add_address("netns-a", "10.0.0.1/24")?;
    b.add_address("netns-b", "10.0.0.2/24")?;
    ensure!(
        !Path::new("/sys/class/net/netns-a").exists(),
        "the host sees the link"
    );

    let receiver = b.with(|| UdpSocket::bind((Ipv4Addr::new(10, 0, 0, 2), 7)))??;
    receiver.set_read_timeout(Some(SOON))?;
    a.with(|| UdpSocket::bind("0.0.0.0:0")?.send_to(b"hello", "10.0.0.2:7"))??;
    let mut buffer = [0; 16];
    let (length, from) = receiver.recv_from(&mut buffer)?;
    ensure!(buffer.get(..length) == Some(b"hello".as_slice()));
    ensure!(from.ip() == Ipv4Addr::new(10, 0, 0, 1));
    Ok(())
}

#[test]
fn a_link_local_address_is_usable_at_once() -> Result<()> {
    let logs = Logs::new("dad")?;
    let lab = logs.lab();
    let (a, b) = (lab.namespace("a")?, lab.namespace("b")?);
    link(&a, "eth0", &b, "eth0")?;
    let addresses = a.run(&["cat", "/proc/net/if_inet6"], SOON)?;
    let text = String::from_utf8(addresses.stdout)?;
    let ours = text
        .lines()
        .find(|line| line.contains("eth0"))
        .context("no address")?;
    let flags = ours.split_whitespace().nth(4).context("no flags")?;
    ensure!(flags == "80", "flags {flags}: not (only) permanent: {ours}");
    Ok(())
}

#[test]
fn three_namespaces_on_a_switch_reach_each_other() -> Result<()> {
    let logs = Logs::new("switch")?;
    let lab = logs.lab();
    let mut switch = Switch::new(&lab, "switch")?;
    let mut nodes = Vec::new();
    for number in 1..=3u8 {
        let node = lab.namespace(&format!("n{number}"))?;
        switch.attach(&node, "eth0")?;
        node.add_address("eth0", &format!("10.0.0.{number}/24"))?;
        nodes.push(node);
    }
    let mut inboxes = Vec::new();
    for node in &nodes {
        let inbox = node.with(|| UdpSocket::bind("0.0.0.0:7"))??;
        inbox.set_read_timeout(Some(SOON))?;
        inboxes.push(inbox);
    }
    let [first, ..] = inboxes.as_slice() else {
        anyhow::bail!("no inbox")
    };
    for (number, inbox) in (2u8..).zip(inboxes.iter().skip(1)) {
        first.send_to(&[number], (Ipv4Addr::new(10, 0, 0, number), 7))?;
        let mut buffer = [0];
        inbox.recv_from(&mut buffer)?;
        ensure!(buffer == [number]);
    }
    Ok(())
}

#[test]
fn programs_inside_see_their_own_sys_and_settings() -> Result<()> {
    let logs = Logs::new("sys")?;
    let node = logs.lab().namespace("n")?;
    let listing = node.run(&["ls", "/sys/class/net"], SOON)?;
    ensure!(String::from_utf8(listing.stdout)?.trim() == "lo");
    node.set("ipv4/ip_forward", "1")?;
    let value = node.run(&["cat", "/proc/sys/net/ipv4/ip_forward"], SOON)?;
    ensure!(String::from_utf8(value.stdout)?.trim() == "1");
    Ok(())
}

#[test]
fn a_program_that_does_not_end_is_killed_at_the_limit() -> Result<()> {
    let logs = Logs::new("limit")?;
    let node = logs.lab().namespace("n")?;
    let error = node.run(
        &["sh", "-c", "echo waiting >&2; sleep 60"],
        Duration::from_millis(200),
    );
    let text = format!("{:#}", error.err().context("it was not stopped")?);
    ensure!(
        text.contains("killed") && text.contains("waiting"),
        "{text}"
    );
    Ok(())
}

#[test]
fn a_missing_program_is_reported_by_name() -> Result<()> {
    let logs = Logs::new("missing")?;
    let node = logs.lab().namespace("n")?;
    let output = node.run(&["no-such-program"], SOON)?;
    ensure!(output.status.code() == Some(127));
    ensure!(String::from_utf8(output.stderr)?.contains("cannot run no-such-program"));
    Ok(())
}

#[test]
fn a_daemon_logs_stops_on_term_and_dies_with_its_handle() -> Result<()> {
    let logs = Logs::new("daemon")?;
    let node = logs.lab().namespace("n")?;
    let mut shell = node.command("sh");
    shell.args([
        "-c",
        "trap 'echo bye; exit 3' TERM; echo started; while :; do sleep 0.05; done",
    ]);
    let mut daemon = node.spawn("shell", shell)?;
    wait_for(SOON, || {
        daemon.log_tail(1).contains("started").then_some(())
    })
    .context("no start")?;
    let status = daemon.stop(SOON)?.context("it had to be killed")?;
    ensure!(status.code() == Some(3) && daemon.log_tail(1) == "bye");

    let mut sleep = node.command("sleep");
    sleep.arg("60");
    let daemon = node.spawn("sleep", sleep)?;
    let pid = daemon.pid().to_string();
    ensure!(alive(&pid));
    drop(daemon);
    ensure!(!alive(&pid));
    Ok(())
}

#[test]
fn a_program_that_is_no_helper_is_named_in_the_error() -> Result<()> {
    let logs = Logs::new("wrong")?;
    let error = Lab::with_helper("/bin/true", &logs.0)
        .namespace("n")
        .err()
        .context("it worked")?;
    ensure!(
        format!("{error:#}").contains("/bin/true does not act as a helper"),
        "{error:#}"
    );
    Ok(())
}
