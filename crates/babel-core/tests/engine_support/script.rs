//! Arbitrary octets as a story that happens to an engine: packets of a few neighbours, links, routes
//! of its own, time. After each step the engine must be in order.
//!
//! Shared by the fuzz target `engine_events`, by the replay of its seeds, and by the comparison of
//! policies that must do as stock does.

use babel_core::Engine;
use babel_core::auth::Entropy;
use babel_core::config::{Config, Limits, LinkConfig, LinkState};
use babel_core::event::{Event, FibChange, FibTarget, Transmit, XRoute};
use babel_core::ext::{Extension, Origin};
use babel_core::filter::Filters;
use babel_core::policy::{BabelMetric, SelectionPolicy};
use babel_core::prefix::{Prefix, RouteKey};
use babel_core::time::{Instant, Interval};
use babel_core::types::{LinkId, Metric, Party, RouterId, SeqNo};
use babel_core::wire::{
    Destination, Ihu, NextHopOut, PacketReader, PacketWriter, Tlv, UpdateOut, UpdateTarget,
};
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

const OURS: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);
const LINKS: u8 = 3;
/// Octets of an MTU that all links have; the least that IPv6 allows.
const MTU: u32 = 1280;
/// What IPv6 and UDP take of it.
const HEADERS: usize = 48;
/// Small, so that a short story meets them.
const LIMITS: Limits = Limits {
    neighbours_per_link: 3,
    routes_per_neighbour: 24,
    prefixes: 40,
    routes: 60,
    sources_per_prefix: 3,
    pending_requests: 8,
};
/// Deadlines looked at in one passage of time.
const MAX_TURNS: usize = 400;

/// Plays a story; panics if the engine is not in order. Returns how many steps it had.
pub(crate) fn play(octets: &[u8]) -> usize {
    play_with(octets, (), BabelMetric, &mut |_, _, _| {})
}

/// As [`play`], with any extension and policy; `hear` is told each packet that the engine sends.
pub(crate) fn play_with<X: Extension, P: SelectionPolicy<X::Attr>>(
    octets: &[u8],
    extension: X,
    policy: P,
    hear: &mut dyn FnMut(Instant, Transmit, &[u8]),
) -> usize {
    let mut octets = Octets(octets);
    let mut story = Story::new(&mut octets, extension, policy, hear);
    let mut steps = 0;
    while let Some(kind) = octets.next() {
        story.step(kind, &mut octets);
        story.settle();
        story.check();
        steps += 1;
    }
    story.engine.handle_event(story.now, Event::Shutdown);
    story.settle();
    steps
}

/// Octets not yet read; zeros follow the end.
struct Octets<'a>(&'a [u8]);

impl<'a> Octets<'a> {
    fn next(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn u8(&mut self) -> u8 {
        self.next().unwrap_or(0)
    }

    fn u16(&mut self) -> u16 {
        u16::from_be_bytes([self.u8(), self.u8()])
    }

    fn take(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        taken
    }
}

struct Story<'a, X: Extension, P: SelectionPolicy<X::Attr>> {
    engine: Engine<X, P>,
    now: Instant,
    kernel: BTreeMap<RouteKey, FibTarget>,
    /// Routes of our own that one neighbour alone may hear of.
    private: BTreeMap<RouteKey, Party>,
    hear: &'a mut dyn FnMut(Instant, Transmit, &[u8]),
}

impl<'a, X: Extension, P: SelectionPolicy<X::Attr>> Story<'a, X, P> {
    fn new(
        octets: &mut Octets<'_>,
        extension: X,
        policy: P,
        hear: &'a mut dyn FnMut(Instant, Transmit, &[u8]),
    ) -> Self {
        let config = Config {
            router_id: router_id(0),
            seqno: SeqNo(u16::from(octets.u8()) << 8),
            smoothing_half_life: Duration::from_secs(u64::from(octets.u8() % 8)),
            filters: Filters::default(),
            limits: LIMITS,
            seed: u64::from(octets.u8()),
            entropy: Entropy::new([7; 32]),
        };
        let mut story = Self {
            engine: Engine::new(config, extension, policy),
            now: Instant::from_micros(1_000_000_000),
            kernel: BTreeMap::new(),
            private: BTreeMap::new(),
            hear,
        };
        (0..LINKS).for_each(|n| story.link_up(n, n));
        story.settle();
        story
    }

    fn step(&mut self, kind: u8, octets: &mut Octets<'_>) {
        match kind % 12 {
            0 => {
                let (link, from) = (octets.u8(), octets.u8());
                let body = octets.take(usize::from(octets.0.first().copied().unwrap_or(0)));
                let len = u16::try_from(body.len()).expect("invariant: at most 255");
                let mut packet = vec![42, 2];
                packet.extend_from_slice(&len.to_be_bytes());
                packet.extend_from_slice(body);
                self.packet(link, from, &packet);
            }
            1..=5 => self.spoken(kind % 12, octets),
            6 => self.link_up(octets.u8(), octets.u8()),
            7 => {
                let link = link_id(octets.u8());
                let event = match octets.u8() % 4 {
                    0 => Event::LinkRemoved { link },
                    _ => Event::LinkDown { link },
                };
                self.engine.handle_event(self.now, event);
            }
            8 => {
                let n = octets.u8();
                let (key, only) = (key(n), (n & 0xc0 == 0xc0).then(|| party(n % 3, n % 5)));
                let xroute = XRoute {
                    metric: Metric(octets.u16().min(65534)),
                    origin: Origin::Redistributed,
                    price: None,
                    only,
                };
                self.engine
                    .handle_event(self.now, Event::XRouteUp { key, xroute });
                // There may be too many prefixes for it.
                let held = self.engine.xroutes().any(|xroute| xroute.key == key);
                match only.filter(|_| held) {
                    Some(only) => self.private.insert(key, only),
                    None => self.private.remove(&key),
                };
            }
            9 => {
                let key = key(octets.u8());
                self.private.remove(&key);
                self.engine
                    .handle_event(self.now, Event::XRouteDown { key });
            }
            10 => self.pass(Duration::from_millis(u64::from(octets.u8()) * 4)),
            _ => self.pass(Duration::from_millis(u64::from(octets.u16()) * 8)),
        }
    }

    /// A packet with one well-formed thing in it, or some.
    fn spoken(&mut self, kind: u8, octets: &mut Octets<'_>) {
        let (link, from) = (octets.u8(), octets.u8());
        let mut packet = PacketWriter::new(Vec::new(), 1200);
        match kind {
            1 => {
                let (seqno, more) = (SeqNo(octets.u16()), octets.u8() % 4);
                for n in 0..=more {
                    let seqno = seqno.plus(u16::from(n));
                    let _ = packet.hello(from & 0x40 != 0, seqno, interval(octets), None);
                }
                let _ = packet.ihu(&ihu(octets));
            }
            2 => {
                let _ = packet.ihu(&ihu(octets));
            }
            3 => {
                let (first, count) = (octets.u8(), octets.u8() % 16);
                let (id, seqno) = (octets.u8(), SeqNo(u16::from(octets.u8())));
                let (metric, interval) = (Metric(octets.u16()), interval(octets));
                for n in 0..=count {
                    let key = key(first.wrapping_add(n));
                    let _ = packet.update(&UpdateOut {
                        key,
                        router_id: router_id(id % 5),
                        seqno,
                        metric,
                        interval,
                        next_hop: NextHopOut::Source,
                        sub_tlvs: &[],
                    });
                }
            }
            4 => {
                let (key, id) = (key(octets.u8()), router_id(octets.u8() % 5));
                let (seqno, hops) = (SeqNo(octets.u16()), octets.u8().max(1));
                let _ = packet.seqno_request(&key, seqno, hops, id);
            }
            _ => match octets.u8() % 4 {
                0 => drop(packet.route_request(None)),
                1 => drop(packet.wildcard_retraction()),
                2 => drop(packet.ack_request(octets.u16(), interval(octets))),
                _ => drop(packet.route_request(Some(&key(octets.u8())))),
            },
        }
        self.packet(link, from, &packet.finish());
    }

    fn packet(&mut self, link: u8, from: u8, payload: &[u8]) {
        let source = party(link, from).address;
        let event = Event::Packet {
            link: link_id(link),
            source,
            multicast: from & 0x80 == 0,
            payload,
        };
        self.engine.handle_event(self.now, event);
    }

    fn link_up(&mut self, link: u8, kind: u8) {
        let mut config = LinkConfig::new(format!("eth{}", link % LINKS));
        config.split_horizon = kind & 1 == 0;
        config.link_quality = kind & 2 != 0;
        config.v4_via_v6 = kind & 4 == 0;
        config.timestamps = kind & 16 != 0;
        let state = LinkState {
            address: OURS,
            ipv4: (kind & 8 == 0).then_some(Ipv4Addr::new(192, 0, 2, 1)),
            mtu: MTU,
        };
        let link = link_id(link);
        self.engine.handle_event(
            self.now,
            Event::LinkUp {
                link,
                config,
                state,
            },
        );
    }

    fn pass(&mut self, duration: Duration) {
        let end = self.now + duration;
        for _ in 0..MAX_TURNS {
            let Some(next) = self.engine.poll_timeout().filter(|next| *next <= end) else {
                break;
            };
            self.now = self.now.max(next);
            self.engine.handle_timeout(self.now);
            self.settle();
        }
        self.now = self.now.max(end);
    }

    /// Takes what the engine has to say, and looks at it.
    fn settle(&mut self) {
        let mut buffer = Vec::new();
        while let Some(transmit) = self.engine.poll_transmit(self.now, &mut buffer) {
            (self.hear)(self.now, transmit, &buffer);
            let room = MTU as usize - HEADERS;
            assert!(buffer.len() <= room, "{} octets", buffer.len());
            let mut reader = PacketReader::new(&buffer, OURS).expect("our own header");
            for tlv in reader.by_ref() {
                assert!(!matches!(tlv, Tlv::Ignored(_)), "we sent {tlv:?}");
                self.check_privacy(transmit, &tlv);
            }
            assert!(!reader.overrun(), "a TLV of ours ends outside");
        }
        let mut changes: Vec<FibChange> = Vec::new();
        self.engine.poll_fib(usize::MAX, &mut changes);
        for change in changes {
            match change.target {
                Some(target) => self.kernel.insert(change.key, target),
                None => self.kernel.remove(&change.key),
            };
        }
        while self.engine.poll_diagnostic().is_some() {}
    }

    /// What one neighbour alone may hear of is told to nobody else.
    fn check_privacy(&self, transmit: Transmit, tlv: &Tlv<'_>) {
        let Tlv::Update(update) = tlv else { return };
        let UpdateTarget::Route(key) = update.target else {
            return;
        };
        if let Some(only) = self.private.get(&key) {
            let to = Destination::Unicast(only.address);
            let alone = transmit.link == only.link && transmit.destination == to;
            let told = !update.metric.is_infinite();
            let aloud = transmit.destination == Destination::Multicast;
            assert!(alone || !(told || aloud), "{key}, to {transmit:?}");
        }
    }

    fn check(&self) {
        let mut installed = BTreeSet::new();
        let mut held = BTreeMap::new();
        for route in self.engine.routes(self.now) {
            *held.entry(route.neighbour).or_insert(0) += 1;
            if route.installed {
                assert!(route.feasible, "{} is used, unfeasible", route.key);
                assert!(!route.metric.is_infinite(), "{} is infinite", route.key);
                assert!(installed.insert(route.key), "{} twice", route.key);
            }
        }
        for (neighbour, count) in held {
            assert!(
                count <= LIMITS.routes_per_neighbour,
                "{neighbour:?}: {count}"
            );
        }
        assert!(self.engine.routes(self.now).count() <= LIMITS.routes);
        let neighbours = self.engine.neighbours(self.now).count();
        assert!(neighbours <= LIMITS.neighbours_per_link * usize::from(LINKS));
        let own: BTreeSet<_> = self.engine.xroutes().map(|xroute| xroute.key).collect();
        assert!(own.len() + installed.difference(&own).count() <= LIMITS.prefixes);
        let via = self
            .kernel
            .iter()
            .filter(|(_, target)| matches!(target, FibTarget::Via { .. }))
            .map(|(key, _)| *key);
        assert!(via.eq(installed.iter().copied()), "the kernel differs");
    }
}

fn link_id(n: u8) -> LinkId {
    LinkId(u32::from(n % LINKS) + 1)
}

/// Who a few octets name.
fn party(link: u8, from: u8) -> Party {
    Party {
        link: link_id(link),
        address: Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 1, u16::from(from % 5)),
    }
}

/// Ours is 0.
fn router_id(n: u8) -> RouterId {
    RouterId([2, 0, 0, 0, 0, 0, 1, n])
}

/// More prefixes than the limit, of all kinds.
fn key(n: u8) -> RouteKey {
    let n = n % 64;
    let v6 = |high: u16, plen| {
        let address = Ipv6Addr::new(0xfd00, high, u16::from(n), 0, 0, 0, 0, 0);
        Prefix::new(IpAddr::V6(address), plen).expect("a length of its family")
    };
    match n % 4 {
        0 => {
            let address = IpAddr::V4(Ipv4Addr::new(10, n, 0, 0));
            RouteKey::new(Prefix::new(address, 16).expect("a length of its family"))
        }
        1 => RouteKey::source_specific(v6(1, 48), v6(2, 64)).expect("one family"),
        _ => RouteKey::new(v6(0, 64)),
    }
}

fn interval(octets: &mut Octets<'_>) -> Interval {
    Interval::from_centis(u16::from(octets.u8()) * 32 + 1)
}

fn ihu(octets: &mut Octets<'_>) -> Ihu {
    Ihu {
        address: Some(IpAddr::V6(OURS)),
        rxcost: Metric(octets.u16()),
        interval: interval(octets),
        timestamps: None,
    }
}
