//! What a service manager hears of the daemon: ready when it is, alive while it is, stopping.

mod daemon_support;

use anyhow::{Context, Result, bail, ensure};
use daemon_support::{AT_ONCE, BABELD, Place, SOON, sysctl};
use netns::Namespace;
use nix::sys::signal::Signal;
use std::io::ErrorKind;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::Path;
use std::time::{Duration, Instant};

/// What a manager allows between two signs of life.
const ALLOWED: Duration = Duration::from_millis(800);

/// The next message within `limit`; `None` if there is none.
fn hear(manager: &UnixDatagram, limit: Duration) -> Result<Option<String>> {
    manager.set_read_timeout(Some(limit))?;
    let mut octets = [0; 256];
    match manager.recv(&mut octets) {
        Ok(length) => Ok(octets
            .get(..length)
            .map(|text| String::from_utf8_lossy(text).into_owned())),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error).context("hearing the daemon"),
    }
}

fn command(place: &Place, host: &Namespace, notify: &Path) -> std::process::Command {
    let mut command = host.command(BABELD);
    command.env("NOTIFY_SOCKET", notify);
    command.arg("-I").arg(place.file("pid"));
    command.arg("-S").arg(place.file("state"));
    command.arg("-L").arg(place.file("log"));
    command
}

#[test]
fn a_manager_hears_ready_then_life_then_stopping_from_the_process_it_started() -> Result<()> {
    let place = Place::new()?;
    let lab = place.lab();
    let (host, other) = (lab.namespace("host")?, lab.namespace("other")?);
    netns::link(&host, "one", &other, "two")?;
    host.set("ipv4/conf/one/rp_filter", "1")?;
    let notify = place.file("notify");
    let manager = UnixDatagram::bind(&notify)?;
    let mut command = command(&place, &host, &notify);
    command.env("WATCHDOG_USEC", ALLOWED.as_micros().to_string());
    // With -D: whoever waits to be told follows this very process.
    let mut daemon = host.spawn("babeld", {
        command.args(["-D", "one"]);
        command
    })?;

    let first = hear(&manager, SOON)?;
    ensure!(
        first.as_deref() == Some("READY=1"),
        "first came {first:?}; log:\n{}",
        daemon.log_tail(20)
    );
    ensure!(
        sysctl(&host, "ipv4/conf/one/rp_filter")? == "0",
        "not ready"
    );
    let pid: u32 = std::fs::read_to_string(place.file("pid"))?.parse()?;
    ensure!(
        daemon.exited().is_none() && pid == daemon.pid(),
        "it forked"
    );

    let mut last = Instant::now();
    for _ in 0..5 {
        let sign = hear(&manager, ALLOWED)?;
        ensure!(sign.as_deref() == Some("WATCHDOG=1"), "heard {sign:?}");
        ensure!(last.elapsed() < ALLOWED, "late: {:?}", last.elapsed());
        last = Instant::now();
    }

    // A daemon that hangs is silent.
    daemon.signal(Signal::SIGSTOP)?;
    while hear(&manager, Duration::from_millis(1))?.is_some() {}
    ensure!(
        hear(&manager, ALLOWED)?.is_none(),
        "a stopped process speaks"
    );
    daemon.signal(Signal::SIGCONT)?;

    daemon.signal(Signal::SIGTERM)?;
    let begun = Instant::now();
    loop {
        match hear(&manager, AT_ONCE)?.as_deref() {
            Some("STOPPING=1") => break,
            Some("WATCHDOG=1") if begun.elapsed() < AT_ONCE => {}
            other => bail!("heard {other:?} instead of STOPPING=1"),
        }
    }
    let status = daemon.stop(AT_ONCE)?;
    ensure!(status.is_some_and(|status| status.success()), "{status:?}");
    Ok(())
}

#[test]
fn a_manager_that_is_not_there_is_told_of_in_the_log_and_nothing_more() -> Result<()> {
    let place = Place::new()?;
    let lab = place.lab();
    let (host, other) = (lab.namespace("host")?, lab.namespace("other")?);
    netns::link(&host, "one", &other, "two")?;
    let mut command = command(&place, &host, &place.file("nobody"));
    command.arg("one");
    let mut daemon = host.spawn("babeld", command)?;
    let up = || (sysctl(&host, "ipv4/conf/all/forwarding").ok()? == "1").then_some(());
    netns::wait_for(SOON, up).context("not started")?;
    let logged = || {
        let log = std::fs::read_to_string(place.file("log")).ok()?;
        log.contains("NOTIFY_SOCKET").then_some(())
    };
    netns::wait_for(SOON, logged).context("nothing in the log")?;
    let status = daemon.stop(AT_ONCE)?;
    ensure!(status.is_some_and(|status| status.success()), "{status:?}");
    Ok(())
}

#[test]
fn under_a_manager_a_crash_does_not_keep_the_next_life_from_starting() -> Result<()> {
    let place = Place::new()?;
    let lab = place.lab();
    let (host, other) = (lab.namespace("host")?, lab.namespace("other")?);
    netns::link(&host, "one", &other, "two")?;
    let notify = place.file("notify");
    let manager = UnixDatagram::bind(&notify)?;
    let start = || {
        let mut command = command(&place, &host, &notify);
        command.arg("-G").arg(place.file("socket")).arg("one");
        host.spawn("babeld", command)
    };
    let mut first = start()?;
    ensure!(hear(&manager, SOON)?.as_deref() == Some("READY=1"));

    // While it lives, what it holds is left to it, and a second one does not start.
    let mut second = start()?;
    let ended = netns::wait_for(SOON, || second.exited()).context("the second one runs")?;
    ensure!(!ended.success(), "{ended}");
    let pid: u32 = std::fs::read_to_string(place.file("pid"))?.parse()?;
    ensure!(pid == first.pid(), "the pidfile is another's");
    UnixStream::connect(place.file("socket")).context("the control socket of the first")?;

    first.kill();
    ensure!(place.file("pid").exists() && place.file("socket").exists());
    let mut third = start()?;
    let ready = hear(&manager, SOON)?;
    ensure!(
        ready.as_deref() == Some("READY=1"),
        "{ready:?}; log:\n{}",
        std::fs::read_to_string(place.file("log"))?
    );
    UnixStream::connect(place.file("socket")).context("the control socket of the third")?;
    let status = third.stop(AT_ONCE)?;
    ensure!(status.is_some_and(|status| status.success()), "{status:?}");
    ensure!(!place.file("pid").exists() && !place.file("socket").exists());
    Ok(())
}
