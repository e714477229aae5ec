//! Real traffic: one TCP stream from a node to an address of the internet, as its user would have it.
//!
//! It follows the node's routes and nothing else; the host that answers tells which way it went. The
//! sockets are opened inside the namespaces and used from here, so no program is needed at the ends.
//! Not a speed test of the daemon's: it is what the daemon's choices are judged by.

use super::network::Network;
use super::show::{bar, spoken_rate};
use super::story::Stage;
use anyhow::{Context, Result, bail};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const PORT: u16 = 5_001;
/// From the first packet to a connection.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// Slow start, and what filled socket buffers and queues at once, does not count.
const RAMP: Duration = Duration::from_millis(800);
/// What counts.
const SPAN: Duration = Duration::from_secs(3);
/// Nothing arrives for this long: the way is dead.
const SILENCE: Duration = Duration::from_secs(5);
/// Between looks at the clock while nothing comes or goes.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// The hosts of the internet that have one address, each listening.
#[derive(Debug)]
pub(super) struct Traffic {
    destination: SocketAddr,
    listeners: Vec<(&'static str, TcpListener)>,
}

/// Which way the octets go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Direction {
    /// From the internet.
    Download,
    /// To the internet.
    Upload,
}

/// What a stream got.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Throughput {
    /// Bits of payload per second.
    pub(super) bps: f64,
    /// The router behind which the host is that answered.
    pub(super) through: &'static str,
}

impl Traffic {
    /// Listens on every host that has the address.
    pub(super) fn listen(network: &Network, address: Ipv4Addr) -> Result<Self> {
        let destination = SocketAddr::from((address, PORT));
        let mut listeners = Vec::new();
        let hosts = network.scenario().hosts();
        for (node, host) in hosts.filter(|(_, host)| host.address == address) {
            let inside = &network.member(node.name)?.namespace;
            let listener = inside
                .with(|| TcpListener::bind(destination))?
                .and_then(|listener| listener.set_nonblocking(true).map(|()| listener))
                .with_context(|| format!("listening on {destination} at {}", node.name))?;
            listeners.push((host.behind, listener));
        }
        Ok(Self {
            destination,
            listeners,
        })
    }

    /// Sends a stream from or to a node for some seconds, shows how it flows, and tells what it got.
    pub(super) fn measure(
        &self,
        stage: &Stage,
        node: &str,
        direction: Direction,
    ) -> Result<Throughput> {
        let attempt = || -> Result<Throughput> {
            let (through, near, far) = self.connect(stage, node)?;
            let (mut sender, receiver) = match direction {
                Direction::Download => (far, near),
                Direction::Upload => (near, far),
            };
            let stop = AtomicBool::new(false);
            let bps = thread::scope(|scope| {
                scope.spawn(|| send(&mut sender, &stop));
                let counted = count(stage, &receiver, direction);
                stop.store(true, Ordering::Relaxed);
                counted
            })?;
            Ok(Throughput { bps, through })
        };
        attempt().with_context(|| format!("{} at {node}", direction.told()))
    }

    /// Both ends of a new connection, the node's first, and the router it goes through.
    fn connect(&self, stage: &Stage, node: &str) -> Result<(&'static str, TcpStream, TcpStream)> {
        let destination = self.destination;
        let inside = &stage.network.member(node)?.namespace;
        let near = inside
            .with(|| TcpStream::connect_timeout(&destination, CONNECT_LIMIT))?
            .with_context(|| format!("connecting to {destination}"))?;
        let accept = || {
            let mut listeners = self.listeners.iter();
            listeners.find_map(|(through, listener)| {
                let (stream, _) = listener.accept().ok()?;
                Some((*through, stream))
            })
        };
        let (through, far) = netns::wait_for(CONNECT_LIMIT, accept)
            .with_context(|| format!("no host of the lab answers for {destination}"))?;
        for stream in [&near, &far] {
            stream.set_nonblocking(false)?;
            stream.set_read_timeout(Some(LOOK_EVERY))?;
            stream.set_write_timeout(Some(LOOK_EVERY))?;
        }
        Ok((through, near, far))
    }
}

impl Direction {
    fn told(self) -> &'static str {
        match self {
            Self::Download => "a download from the internet",
            Self::Upload => "an upload to the internet",
        }
    }
}

/// Writes until told to stop or nobody reads any more.
fn send(stream: &mut TcpStream, stop: &AtomicBool) {
    let block = [0x5a; 16 * 1024];
    while !stop.load(Ordering::Relaxed) {
        match stream.write(&block) {
            Ok(_) => (),
            Err(error) if is_pause(&error) => (),
            Err(_) => break,
        }
    }
}

/// Bits per second that arrive once the ramp is over.
fn count(stage: &Stage, mut stream: &TcpStream, direction: Direction) -> Result<f64> {
    let mut progress = stage.screen.brief_progress(direction.told());
    let mut buffer = vec![0; 64 * 1024];
    let started = Instant::now();
    let (mut counting_since, mut octets) = (None, 0_usize);
    let mut heard = started;
    loop {
        stage.interrupt.check()?;
        let read = match stream.read(&mut buffer) {
            Ok(0) => bail!("the stream ended early"),
            Ok(read) => read,
            Err(error) if is_pause(&error) => 0,
            Err(error) => return Err(error.into()),
        };
        let now = Instant::now();
        if read > 0 {
            heard = now;
        } else if now - heard > SILENCE {
            bail!("nothing arrived for {} s", SILENCE.as_secs());
        }
        let Some(since) = counting_since else {
            if now - started >= RAMP {
                counting_since = Some(now);
            }
            progress.say(&bar(0.0));
            continue;
        };
        octets += read;
        let elapsed: Duration = now - since;
        let bps = octets as f64 * 8.0 / elapsed.as_secs_f64().max(1e-3);
        if elapsed >= SPAN {
            return Ok(bps);
        }
        let done = elapsed.as_secs_f64() / SPAN.as_secs_f64();
        progress.say(&format!("{} {}", bar(done), spoken_rate(bps)));
    }
}

/// Nothing to read or no room to write for the moment.
fn is_pause(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
    )
}
