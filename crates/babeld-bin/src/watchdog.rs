//! What a service manager is told: ready, alive, stopping (systemd's `sd_notify` protocol).
//!
//! One datagram each to the socket that `NOTIFY_SOCKET` names; without it, nothing. The sign of
//! life is given by the main loop itself after a whole round, so that a loop that hangs is
//! noticed. A message that cannot be delivered is logged once and never stops the daemon.

use std::env;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;
use tokio::time::Instant;

/// The way to the service manager, and when to give the next sign of life.
#[derive(Debug)]
pub struct Watchdog {
    socket: Option<UnixDatagram>,
    /// Half of what the manager allows; `None` if it does not watch.
    interval: Option<Duration>,
    due: Instant,
    complained: bool,
}

/// Whether a service manager waits to be told that we are ready. It follows the process that it
/// started, so that one must not end and leave the work to a child.
pub fn supervised() -> bool {
    env::var_os("NOTIFY_SOCKET").is_some_and(|name| !name.is_empty())
}

impl Watchdog {
    /// As the environment says; trouble is logged and means silence.
    pub fn from_environment() -> Self {
        let name = env::var_os("NOTIFY_SOCKET").filter(|name| !name.is_empty());
        let socket = name.and_then(|name| {
            connect(name.as_bytes())
                .inspect_err(|error| tracing::warn!("NOTIFY_SOCKET {name:?}: {error}"))
                .ok()
        });
        let text = |name| env::var(name).ok();
        let ours = text("WATCHDOG_PID").is_none_or(|pid| pid == std::process::id().to_string());
        let allowed = text("WATCHDOG_USEC").filter(|_| ours && socket.is_some());
        Self {
            interval: allowed.as_deref().and_then(half),
            socket,
            due: Instant::now(),
            complained: false,
        }
    }

    /// The start is complete.
    pub fn ready(&mut self) {
        self.tell("READY=1");
    }

    /// The end begins.
    pub fn stopping(&mut self) {
        self.tell("STOPPING=1");
    }

    /// A round of the main loop is done: a sign of life if it is time for one.
    pub fn alive(&mut self) {
        let now = Instant::now();
        if let Some(interval) = self.interval
            && now >= self.due
        {
            self.due = now + interval;
            self.tell("WATCHDOG=1");
        }
    }

    /// Waits until [`Self::alive`] has something to say; for ever if nobody watches.
    pub async fn due(&self) {
        match self.interval {
            Some(_) => tokio::time::sleep_until(self.due).await,
            None => std::future::pending().await,
        }
    }

    fn tell(&mut self, message: &str) {
        let Some(socket) = &self.socket else {
            return;
        };
        if let Err(error) = socket.send(message.as_bytes())
            && !std::mem::replace(&mut self.complained, true)
        {
            tracing::warn!("cannot tell the service manager {message}: {error}");
        }
    }
}

/// A path, or `@NAME` for a name in the abstract space.
fn connect(name: &[u8]) -> io::Result<UnixDatagram> {
    let address = match name {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
        [b'/', ..] => SocketAddr::from_pathname(std::ffi::OsStr::from_bytes(name))?,
        _ => return Err(io::Error::other("neither a path nor @NAME")),
    };
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    socket.connect_addr(&address)?;
    Ok(socket)
}

/// Half of a time in microseconds, as the manager wants it; zero and rubbish are none.
fn half(microseconds: &str) -> Option<Duration> {
    let allowed = microseconds.parse().ok().filter(|allowed| *allowed > 1)?;
    Some(Duration::from_micros(allowed) / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watched(interval: Duration, name: &[u8]) -> Watchdog {
        Watchdog {
            socket: Some(connect(name).expect("connected")),
            interval: Some(interval),
            due: Instant::now(),
            complained: false,
        }
    }

    fn heard(manager: &UnixDatagram) -> Option<String> {
        let mut octets = [0; 64];
        let length = manager.recv(&mut octets).ok()?;
        Some(String::from_utf8_lossy(octets.get(..length)?).into_owned())
    }

    #[tokio::test(start_paused = true)]
    async fn signs_of_life_come_at_half_the_interval_and_no_oftener() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("notify");
        let manager = UnixDatagram::bind(&path).expect("bound");
        manager.set_nonblocking(true).expect("not blocking");
        let interval = half("4000000").expect("an interval");
        let mut watchdog = watched(interval, path.as_os_str().as_bytes());
        watchdog.ready();
        for _ in 0..3 {
            watchdog.alive();
        }
        assert_eq!(heard(&manager).as_deref(), Some("READY=1"));
        assert_eq!(heard(&manager).as_deref(), Some("WATCHDOG=1"));
        assert_eq!(heard(&manager), None);
        let before = Instant::now();
        watchdog.due().await;
        assert_eq!(before.elapsed().as_secs(), 2);
        watchdog.alive();
        assert_eq!(heard(&manager).as_deref(), Some("WATCHDOG=1"));
    }

    #[tokio::test]
    async fn names_in_the_abstract_space_work_and_a_vanished_manager_is_no_trouble() {
        let name = format!("babeld-watchdog-test-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).expect("a name");
        let manager = UnixDatagram::bind_addr(&address).expect("bound");
        let mut watchdog = watched(Duration::from_secs(1), format!("@{name}").as_bytes());
        watchdog.stopping();
        assert_eq!(heard(&manager).as_deref(), Some("STOPPING=1"));
        drop(manager);
        watchdog.ready();
        assert!(watchdog.complained);
        assert!(connect(b"vsock:2:1").is_err());
    }

    #[test]
    fn only_a_sensible_interval_counts() {
        assert_eq!(half("30000000"), Some(Duration::from_secs(15)));
        for none in ["", "0", "1", "-5", "soon", "99999999999999999999999"] {
            assert_eq!(half(none), None, "{none:?}");
        }
    }
}
