//! The network: nodes, wires, and what happens next.
//!
//! Time jumps from one thing to the next. Packets that arrive at one instant are handed in before
//! timers fire, as the daemon does.

use super::forwarding::{Forwarding, Hop};
use super::lie::Lie;
use super::medium::Channel;
use super::node::{self, Node, Settings};
use super::oracle::{self, Fate};
use super::queue::{Delivery, Happening, Queue};
use super::topology::Topology;
use super::traffic::Traffic;
use babel_core::Engine;
use babel_core::event::{Event, FibTarget, Transmit};
use babel_core::ext::Extension;
use babel_core::policy::SelectionPolicy;
use babel_core::prefix::RouteKey;
use babel_core::time::Instant;
use babel_core::wire::Destination;
use core::net::Ipv6Addr;
use core::time::Duration;
use std::collections::BTreeMap;

/// A timer that fires this often without time passing spins.
const WAKES_AT_ONE_INSTANT: u32 = 100;

/// A wire and its state.
pub(super) struct Wire {
    pub(super) up: bool,
    /// Whether packets get through; a wire may be cut without its ends noticing.
    pub(super) whole: bool,
    /// By sender and receiver.
    pub(super) channels: BTreeMap<(usize, usize), Channel>,
}

/// Makes the extension and the policy of a node.
type Plugins<X, P> = Box<dyn Fn(usize) -> (X, P)>;

/// A network in virtual time.
pub struct World<X: Extension, P: SelectionPolicy<X::Attr>> {
    pub(super) now: Instant,
    pub(super) topology: Topology,
    pub(super) nodes: Vec<Node<X, P>>,
    pub(super) wires: Vec<Wire>,
    /// Who announces what.
    pub(super) origins: BTreeMap<RouteKey, usize>,
    pub(super) queue: Queue,
    pub(super) rng: fastrand::Rng,
    pub(super) plugins: Plugins<X, P>,
    pub(super) settings: Settings,
    pub(super) traffic: Traffic,
    /// Nodes that lie, and how.
    pub(super) liars: BTreeMap<usize, Lie>,
}

impl<X: Extension, P: SelectionPolicy<X::Attr>> World<X, P> {
    /// Starts all nodes, within their first second.
    pub fn new(topology: Topology, seed: u64, plugins: impl Fn(usize) -> (X, P) + 'static) -> Self {
        Self::with_settings(topology, seed, Settings::default(), plugins)
    }

    /// As [`World::new`], with other settings for all nodes.
    pub fn with_settings(
        topology: Topology,
        seed: u64,
        settings: Settings,
        plugins: impl Fn(usize) -> (X, P) + 'static,
    ) -> Self {
        let wire = |_| Wire {
            up: true,
            whole: true,
            channels: BTreeMap::new(),
        };
        let origin = |n| node::announces(n).map(|(key, _)| (key, n));
        let mut world = Self {
            now: Instant::from_micros(1_000_000),
            nodes: (0..topology.nodes).map(|_| Node::down()).collect(),
            wires: topology.links.iter().map(wire).collect(),
            origins: (0..topology.nodes).flat_map(origin).collect(),
            topology,
            queue: Queue::default(),
            rng: fastrand::Rng::with_seed(seed),
            plugins: Box::new(plugins),
            settings,
            traffic: Traffic::default(),
            liars: BTreeMap::new(),
        };
        for n in 0..world.nodes.len() {
            let pause = Duration::from_micros(world.rng.u64(..1_000_000));
            world.run(pause / 8);
            world.start(n);
        }
        world
    }

    /// Lets time pass.
    pub fn run(&mut self, duration: Duration) {
        let end = self.now + duration;
        while let Some((at, happening)) = self.queue.pop_until(end) {
            if at > self.now {
                self.now = at;
                self.nodes.iter_mut().for_each(|node| node.wakes_now = 0);
            }
            match happening {
                Happening::Arrives(delivery) => self.deliver(&delivery),
                Happening::Wake(n) => self.wake(n),
            }
        }
        self.now = end;
        self.nodes.iter_mut().for_each(|node| node.wakes_now = 0);
    }

    /// The present.
    pub const fn now(&self) -> Instant {
        self.now
    }

    /// The shape of the network.
    pub const fn topology(&self) -> &Topology {
        &self.topology
    }

    /// A running node.
    pub fn engine(&self, n: usize) -> Option<&Engine<X, P>> {
        self.nodes[n].engine.as_ref()
    }

    /// The link-local address of a node's end of a wire.
    pub fn address(&self, n: usize, wire: usize) -> Ipv6Addr {
        node::link_state(n, wire).address
    }

    /// What was sent since the start.
    pub fn traffic(&self) -> Traffic {
        let engines = self.nodes.iter().filter_map(|node| node.engine.as_ref());
        let of = |engine: &Engine<X, P>| {
            let counters = engine.counters();
            counters.seqno_requests_originated + counters.seqno_requests_forwarded
        };
        Traffic {
            requests: self.traffic.requests + engines.map(of).sum::<u64>(),
            ..self.traffic
        }
    }

    /// All prefixes, and who announces them.
    pub const fn origins(&self) -> &BTreeMap<RouteKey, usize> {
        &self.origins
    }

    /// Whether packets get over a wire, between ends that run.
    pub fn wire_works(&self, wire: usize) -> bool {
        self.wires[wire].up && self.wires[wire].whole
    }

    pub(super) fn wires_of(&self, n: usize) -> Vec<usize> {
        let links = self.topology.links.iter().enumerate();
        links
            .filter(|(_, link)| link.ends.contains(&n))
            .map(|(wire, _)| wire)
            .collect()
    }

    pub(super) fn link_up(&mut self, n: usize, wire: usize) {
        let event = Event::LinkUp {
            link: node::link_id(wire),
            config: self.settings.link(wire, self.topology.links[wire].cost),
            state: node::link_state(n, wire),
        };
        self.tell(n, event);
    }

    pub(super) fn tell(&mut self, n: usize, event: Event<'_>) {
        let now = self.now;
        if let Some(engine) = &mut self.nodes[n].engine {
            engine.handle_event(now, event);
            self.drain(n);
        }
    }

    fn deliver(&mut self, delivery: &Delivery) {
        if self.wire_works(delivery.wire) {
            let event = Event::Packet {
                link: node::link_id(delivery.wire),
                source: node::link_state(delivery.from, delivery.wire).address,
                multicast: delivery.multicast,
                payload: &delivery.payload,
            };
            self.tell(delivery.to, event);
        }
    }

    fn wake(&mut self, n: usize) {
        let node = &mut self.nodes[n];
        if node.wake != Some(self.now) {
            return;
        }
        node.wake = None;
        node.wakes_now += 1;
        assert!(
            node.wakes_now < WAKES_AT_ONE_INSTANT,
            "node {n} spins at {:?}",
            self.now
        );
        if let Some(engine) = &mut node.engine {
            engine.handle_timeout(self.now);
            self.drain(n);
        }
    }

    /// Takes out of a node what came of an event: first what its kernel should hold, which is
    /// judged at once, then packets, then the rest.
    pub(super) fn drain(&mut self, n: usize) {
        let now = self.now;
        let node = &mut self.nodes[n];
        let Some(engine) = &mut node.engine else {
            return;
        };
        let mut changes = Vec::new();
        while {
            let before = changes.len();
            engine.poll_fib(64, &mut changes);
            changes.len() > before
        } {}
        let mut packets = Vec::new();
        let mut buffer = Vec::new();
        while let Some(transmit) = engine.poll_transmit(now, &mut buffer) {
            packets.push((transmit, buffer.clone()));
        }
        while engine.poll_notification().is_some() {}
        while engine.poll_diagnostic().is_some() {}
        let wake = engine.poll_timeout().map(|at| at.max(now));
        if wake != node.wake {
            node.wake = wake;
            if let Some(at) = wake {
                self.queue.push(at, Happening::Wake(n));
            }
        }
        for change in &changes {
            self.nodes[n].apply(change);
            self.judge(n, &change.key);
        }
        for (transmit, payload) in packets {
            self.send(n, transmit, &payload);
        }
    }

    /// A loop that a node's change closes goes through that node, so that one walk finds it.
    fn judge(&self, n: usize, key: &RouteKey) {
        if let Fate::Loop(path) = oracle::walk(self, n, key) {
            self.looped(key, &path)
        }
    }

    /// Judges everything: for when a wire that was forwarded to all along carries packets again.
    pub(super) fn judge_all(&self) {
        for key in self.origins.keys() {
            if let Some(path) = oracle::find_loop(self, key) {
                self.looped(key, &path)
            }
        }
    }

    fn looped(&self, key: &RouteKey, path: &[usize]) -> ! {
        panic!("forwarding loop {path:?} for {key} at {:?}", self.now)
    }

    fn send(&mut self, from: usize, transmit: Transmit, payload: &[u8]) {
        let mut payload = payload.to_vec();
        let wire = node::wire_of(transmit.link);
        if let Some(lie) = self.liars.get(&from).filter(|lie| lie.wire == wire) {
            lie.tell(&mut payload);
        }
        let payload = payload.as_slice();
        assert!(payload.len() <= 1452, "a packet of {}", payload.len());
        self.traffic.count(self.now, from, payload);
        let link = &self.topology.links[wire];
        if !self.wires[wire].up {
            return;
        }
        for to in link.others(from) {
            let multicast = match transmit.destination {
                Destination::Multicast => true,
                Destination::Unicast(address) if node::has_address(to, wire, address.into()) => {
                    false
                }
                Destination::Unicast(_) => continue,
            };
            let channel = self.wires[wire].channels.entry((from, to)).or_default();
            if let Some(delay) = channel.transit(&link.medium, &mut self.rng) {
                let delivery = Delivery {
                    wire,
                    from,
                    to,
                    multicast,
                    payload: payload.to_vec(),
                };
                let arrives = Happening::Arrives(delivery);
                self.queue.push(self.now + delay, arrives);
            }
        }
    }
}

impl<X: Extension, P: SelectionPolicy<X::Attr>> Forwarding for World<X, P> {
    fn nodes(&self) -> usize {
        self.nodes.len()
    }

    fn hop(&self, n: usize, key: &RouteKey) -> Hop {
        let node = &self.nodes[n];
        if node.engine.is_none() {
            return Hop::Dropped;
        }
        if self.origins.get(key) == Some(&n) {
            return Hop::Here;
        }
        let Some(FibTarget::Via { link, next_hop, .. }) = node.fib.get(key) else {
            return Hop::Dropped;
        };
        let wire = node::wire_of(*link);
        let mut others = self.topology.links[wire].others(n);
        let to = others
            .find(|&other| node::has_address(other, wire, *next_hop))
            .unwrap_or_else(|| {
                panic!("node {n} sends packets for {key} to {next_hop}, nobody on {link:?}")
            });
        if self.wire_works(wire) {
            Hop::To(to)
        } else {
            Hop::Dropped
        }
    }
}

impl<X: Extension, P: SelectionPolicy<X::Attr>> core::fmt::Debug for World<X, P> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("World")
            .field("now", &self.now)
            .field("topology", &self.topology)
            .finish_non_exhaustive()
    }
}
