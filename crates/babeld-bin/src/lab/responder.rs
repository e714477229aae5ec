//! The speed-test responder on a host: `babelctl speedtest serve`, as its operator would run it.

use super::network::{Member, tell};
use super::scenario::Host;
use anyhow::{Context, Result, bail};
use netns::Daemon;
use speedtest::BABEL_PORT;
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// How long it may take from its start to its first answer.
const START_LIMIT: Duration = Duration::from_secs(10);
const CONNECT_LIMIT: Duration = Duration::from_secs(1);

/// Starts it and waits until it answers.
pub(super) fn start(member: &Member, host: Host) -> Result<Daemon> {
    let own = std::env::current_exe().context("finding babelctl")?;
    let mut command = member.namespace.command(own);
    let address = host.address.to_string();
    command.args(["speedtest", "serve", "--listen", &address]);
    let mut daemon = member.namespace.spawn("responder", command)?;
    let place = SocketAddr::from((host.address, BABEL_PORT));
    let connect = || TcpStream::connect_timeout(&place, CONNECT_LIMIT).is_ok();
    let answers = netns::wait_for(START_LIMIT, || {
        if daemon.exited().is_some() {
            return Some(Ok(false));
        }
        match member.namespace.with(connect) {
            Ok(connected) => connected.then_some(Ok(true)),
            Err(error) => Some(Err(error)),
        }
    });
    match answers.transpose()? {
        Some(true) => Ok(daemon),
        Some(false) => bail!("{} ended at once: {}", tell(&daemon), daemon.log_tail(5)),
        None => bail!("{} does not answer at {place}", tell(&daemon)),
    }
}
