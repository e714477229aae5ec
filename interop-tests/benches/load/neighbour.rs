//! A fake neighbour: a socket in a namespace, and a thread that keeps the link alive and counts
//! what it hears.
//!
//! It never overruns the node under test: before each few packets it looks at the queue of that
//! node's socket, which works with any daemon and costs it nothing.

use anyhow::{Context, Result, bail};
use babel_core::prefix::{Prefix, RouteKey};
use babel_core::time::Interval;
use babel_core::types::{Metric, RouterId, SeqNo};
use babel_core::wire::{Ihu, NextHopOut, PacketReader, PacketWriter, Tlv, UpdateOut, UpdateTarget};
use netns::{Namespace, wait_for};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use std::collections::HashSet;
use std::fs;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

pub(crate) const PORT: u16 = 6696;
const GROUP: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 1, 6);
/// Hellos go out this often, and promise less.
const HELLO_EVERY: Duration = Duration::from_secs(1);
const HELLO_INTERVAL: Interval = Interval::from_centis(400);
/// Long enough that nothing expires in a run.
const UPDATE_INTERVAL: Interval = Interval::from_centis(30_000);
/// Octets of a packet; every daemon's default on Ethernet takes them.
const PACKET: usize = 1400;
/// Packets between two looks at the receiver's queue.
const LOOK_EVERY: usize = 8;
/// Octets that may wait in the receiver's socket; the default buffer holds twice that.
const MAX_QUEUED: u64 = 100_000;
const RECEIVE_BUFFER: usize = 64 << 20;

/// What the listening thread has seen.
#[derive(Debug, Default)]
struct Heard {
    /// The node under test, once it has spoken.
    peer: Mutex<Option<Ipv6Addr>>,
    /// It has told us that it hears us.
    usable: AtomicBool,
    /// Prefixes it announces to us at present.
    held: AtomicU64,
    updates: AtomicU64,
    stop: AtomicBool,
}

/// A fake neighbour. Falls silent when dropped.
#[derive(Debug)]
pub(crate) struct Neighbour {
    socket: Arc<UdpSocket>,
    scope: u32,
    heard: Arc<Heard>,
    listener: Option<JoinHandle<()>>,
}

impl Neighbour {
    /// Joins the link `interface` of a namespace and begins to speak.
    pub(crate) fn join(namespace: &Namespace, interface: &str) -> Result<Self> {
        let scope = namespace.routes(|socket| Ok(socket.link_by_name(interface)?.index))?;
        let socket = Arc::new(namespace.with(|| open(scope))??);
        let heard = Arc::new(Heard::default());
        let mut listener = Listener {
            socket: Arc::clone(&socket),
            heard: Arc::clone(&heard),
            ours: own_address(namespace, interface)?,
            scope,
            seqno: SeqNo(1),
            held: HashSet::new(),
        };
        let listener = Some(thread::spawn(move || listener.run()));
        Ok(Self {
            socket,
            scope,
            heard,
            listener,
        })
    }

    /// Waits until the link works in both directions.
    pub(crate) fn wait_usable(&self, limit: Duration) -> Result<()> {
        let usable = || self.heard.usable.load(Ordering::Relaxed).then_some(());
        wait_for(limit, usable).context("the daemon does not hear its neighbour")
    }

    /// Prefixes that the node under test announces here at present.
    pub(crate) fn held(&self) -> u64 {
        self.heard.held.load(Ordering::Relaxed)
    }

    /// Updates heard so far, retractions included.
    pub(crate) fn updates(&self) -> u64 {
        self.heard.updates.load(Ordering::Relaxed)
    }

    /// Sends packets as fast as the node under test takes them in.
    pub(crate) fn send(&self, packets: &[Vec<u8>], receiver: &Namespace) -> Result<()> {
        receiver.with(|| self.send_paced(packets))?
    }

    fn send_paced(&self, packets: &[Vec<u8>]) -> Result<()> {
        let deadline = Instant::now() + Duration::from_secs(120);
        for few in packets.chunks(LOOK_EVERY) {
            while queue()?.0 > MAX_QUEUED {
                if Instant::now() > deadline {
                    bail!("the daemon does not read its socket");
                }
                thread::sleep(Duration::from_micros(200));
            }
            for packet in few {
                self.socket
                    .send_to(packet, group(self.scope))
                    .context("sending")?;
            }
        }
        Ok(())
    }
}

impl Drop for Neighbour {
    fn drop(&mut self) {
        self.heard.stop.store(true, Ordering::Relaxed);
        if let Some(listener) = self.listener.take() {
            let _ = listener.join();
        }
    }
}

/// The thread that listens, and says Hello from time to time.
struct Listener {
    socket: Arc<UdpSocket>,
    heard: Arc<Heard>,
    ours: Ipv6Addr,
    scope: u32,
    seqno: SeqNo,
    held: HashSet<RouteKey>,
}

impl Listener {
    fn run(&mut self) {
        let mut buffer = vec![0; 65536];
        // Two Hellos at once make the link usable by the two-out-of-three rule.
        self.speak();
        let mut next = Instant::now() + Duration::from_millis(50);
        while !self.heard.stop.load(Ordering::Relaxed) {
            if Instant::now() >= next {
                next = Instant::now() + HELLO_EVERY;
                self.speak();
            }
            if let Ok((length, SocketAddr::V6(from))) = self.socket.recv_from(&mut buffer) {
                self.listen(
                    *from.ip(),
                    buffer.get(..length).expect("invariant: it was read into"),
                );
            }
        }
    }

    fn speak(&mut self) {
        let mut packet = PacketWriter::new(Vec::new(), PACKET);
        packet
            .hello(false, self.seqno, HELLO_INTERVAL, None)
            .expect("fits");
        self.seqno = self.seqno.plus(1);
        let peer = *self
            .heard
            .peer
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(peer) = peer {
            let ihu = Ihu {
                address: Some(IpAddr::V6(peer)),
                rxcost: Metric(96),
                interval: Interval::from_centis(1200),
                timestamps: None,
            };
            packet.ihu(&ihu).expect("fits");
        }
        let _ = self.socket.send_to(&packet.finish(), group(self.scope));
    }

    fn listen(&mut self, from: Ipv6Addr, packet: &[u8]) {
        let Ok(reader) = PacketReader::new(packet, from) else {
            return;
        };
        let mut updates = 0;
        let mut met = false;
        for tlv in reader {
            match tlv {
                Tlv::Hello { .. } => met = true,
                Tlv::Ihu(ihu) if ihu.address.is_none_or(|to| to == IpAddr::V6(self.ours)) => {
                    let usable = !ihu.rxcost.is_infinite();
                    self.heard.usable.store(usable, Ordering::Relaxed);
                }
                Tlv::Update(update) => {
                    updates += 1;
                    match update.target {
                        UpdateTarget::Wildcard => self.held.clear(),
                        UpdateTarget::Route(key) if update.metric.is_infinite() => {
                            self.held.remove(&key);
                        }
                        UpdateTarget::Route(key) => {
                            self.held.insert(key);
                        }
                    }
                }
                _ => {}
            }
        }
        self.heard.updates.fetch_add(updates, Ordering::Relaxed);
        self.heard
            .held
            .store(self.held.len() as u64, Ordering::Relaxed);
        let new = {
            let mut peer = self
                .heard
                .peer
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            met && peer.replace(from) != Some(from)
        };
        if new {
            self.speak();
        }
    }
}

fn open(scope: u32) -> Result<UdpSocket> {
    let socket = Socket::new(Domain::IPV6, Type::DGRAM, Some(Protocol::UDP)).context("socket")?;
    socket.set_only_v6(true)?;
    socket.set_reuse_address(true)?;
    // The host's limit does not apply to root, by another option.
    if nix::sys::socket::setsockopt(
        &socket,
        nix::sys::socket::sockopt::RcvBufForce,
        &RECEIVE_BUFFER,
    )
    .is_err()
    {
        socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
    }
    socket.set_multicast_if_v6(scope)?;
    socket.set_multicast_hops_v6(1)?;
    socket.set_multicast_loop_v6(false)?;
    socket.join_multicast_v6(&GROUP, scope)?;
    let any = SocketAddrV6::new(Ipv6Addr::UNSPECIFIED, PORT, 0, 0);
    socket.bind(&SockAddr::from(any)).context("bind")?;
    socket.set_read_timeout(Some(Duration::from_millis(20)))?;
    Ok(socket.into())
}

fn own_address(namespace: &Namespace, interface: &str) -> Result<Ipv6Addr> {
    namespace.routes(|socket| {
        let index = socket.link_by_name(interface)?.index;
        let addresses = socket.addresses()?;
        let ours = addresses
            .iter()
            .filter(|info| info.index == index)
            .find_map(|info| match info.address {
                IpAddr::V6(address) if address.is_unicast_link_local() => Some(address),
                _ => None,
            });
        ours.context("no link-local address")
    })
}

fn group(scope: u32) -> SocketAddrV6 {
    SocketAddrV6::new(GROUP, PORT, 0, scope)
}

/// Octets waiting in the Babel socket of this thread's namespace, and packets it lost.
fn queue() -> Result<(u64, u64)> {
    let table = fs::read_to_string("/proc/thread-self/net/udp6").context("reading udp6")?;
    let ours = format!(":{PORT:04X}");
    let mut sum = (0, 0);
    for line in table.lines().skip(1) {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (Some(local), Some(queues), Some(drops)) =
            (fields.get(1), fields.get(4), fields.last())
        else {
            continue;
        };
        if local.ends_with(&ours) {
            let waiting = queues.split(':').nth(1).unwrap_or("0");
            sum.0 += u64::from_str_radix(waiting, 16).unwrap_or(0);
            sum.1 += drops.parse::<u64>().unwrap_or(0);
        }
    }
    Ok(sum)
}

/// Packets that the Babel socket of a namespace has lost.
pub(crate) fn drops(namespace: &Namespace) -> Result<u64> {
    Ok(namespace.with(queue)??.1)
}

/// A /64 somewhere in fd00::/8.
pub(crate) fn prefix(n: u64) -> RouteKey {
    // An odd multiplier scatters n over the upper bits and never repeats.
    let high = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 8 | 0xfd << 56;
    let address = IpAddr::V6(Ipv6Addr::from_bits(u128::from(high) << 64));
    RouteKey::new(Prefix::new(address, 64).expect("a length of its family"))
}

/// Full packets of Updates for the prefixes, `originators` of them taking turns in runs of eight.
pub(crate) fn updates(
    prefixes: core::ops::Range<u64>,
    originators: u64,
    metric: Metric,
) -> Vec<Vec<u8>> {
    let mut packets = Vec::new();
    let mut packet = PacketWriter::new(Vec::new(), PACKET);
    for n in prefixes {
        let update = UpdateOut {
            key: prefix(n),
            router_id: RouterId((0x0200_0000_0001_0000 + n / 8 % originators).to_be_bytes()),
            seqno: SeqNo(1),
            metric,
            interval: UPDATE_INTERVAL,
            next_hop: NextHopOut::Source,
            sub_tlvs: &[],
        };
        if packet.update(&update).is_err() {
            let next = PacketWriter::new(Vec::new(), PACKET);
            packets.push(core::mem::replace(&mut packet, next).finish());
            packet.update(&update).expect("fits into an empty packet");
        }
    }
    packets.push(packet.finish());
    packets
}
