//! A node under test and fake neighbours that speak octets to it, in virtual time.
//!
//! Nothing sleeps: [`Bench::run`] jumps from deadline to deadline. All that the node sends is
//! decoded with the node's own reader and kept, with the time it left.

use babel_core::Engine;
use babel_core::auth::Entropy;
use babel_core::config::{Config, Limits, LinkConfig, LinkState};
use babel_core::event::{Event, FibChange, FibTarget, XRoute};
use babel_core::ext::{Extension, Origin};
use babel_core::filter::Filters;
use babel_core::policy::{BabelMetric, SelectionPolicy};
use babel_core::prefix::{Prefix, RouteKey};
use babel_core::time::{Instant, Interval};
use babel_core::types::{LinkId, Metric, RouterId, SeqNo};
use babel_core::wire::{
    Destination, Ihu, NextHopOut, PacketReader, PacketWriter, Tlv, UpdateOut, UpdateTarget,
};
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::time::Duration;
use std::collections::BTreeMap;

pub(crate) const OUR_ID: RouterId = RouterId([2, 0, 0, 0, 0, 0, 0, 1]);
pub(crate) const ETH0: LinkId = LinkId(1);
pub(crate) const ETH1: LinkId = LinkId(2);
pub(crate) const OURS: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);
pub(crate) const OUR_V4: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);

/// What the node said, without the parts that borrow the packet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Said {
    Ack(u16),
    Hello {
        unicast: bool,
        seqno: SeqNo,
        interval: Interval,
        timestamp: Option<u32>,
    },
    Ihu(Ihu),
    Retraction(RouteKey),
    WildcardRetraction,
    Update {
        key: RouteKey,
        router_id: RouterId,
        seqno: SeqNo,
        metric: Metric,
        next_hop: IpAddr,
        /// Bodies of the sub-TLVs that only an extension knows.
        extra: Vec<Vec<u8>>,
    },
    RouteRequest(Option<RouteKey>),
    SeqnoRequest {
        key: RouteKey,
        seqno: SeqNo,
        hop_count: u8,
        router_id: RouterId,
    },
}

/// One TLV the node sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Sent {
    pub(crate) at: Instant,
    pub(crate) link: LinkId,
    pub(crate) to: Destination,
    /// Which packet it was in, counted from the beginning.
    pub(crate) packet: u64,
    pub(crate) said: Said,
}

pub(crate) struct Bench<X: Extension = (), P: SelectionPolicy<X::Attr> = BabelMetric> {
    pub(crate) node: Engine<X, P>,
    pub(crate) now: Instant,
    pub(crate) sent: Vec<Sent>,
    /// Length of each packet and when it left.
    pub(crate) packets: Vec<(Instant, usize)>,
    pub(crate) fib: BTreeMap<RouteKey, FibTarget>,
    pub(crate) fib_writes: usize,
    fakes: Vec<Fake>,
}

/// A fake neighbour that keeps its link alive by itself.
#[derive(Clone, Debug)]
struct Fake {
    link: LinkId,
    address: Ipv6Addr,
    hello: SeqNo,
    next: Instant,
    rxcost: Metric,
    alive: bool,
}

pub(crate) fn key(text: &str) -> RouteKey {
    RouteKey::new(text.parse::<Prefix>().expect("a prefix"))
}

pub(crate) fn rid(n: u8) -> RouterId {
    RouterId([2, 0, 0, 0, 0, 0, 1, n])
}

pub(crate) const fn fake(n: u16) -> Ipv6Addr {
    Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 1, n)
}

pub(crate) fn seconds(s: f64) -> Duration {
    Duration::from_secs_f64(s)
}

pub(crate) fn config() -> Config {
    Config {
        router_id: OUR_ID,
        seqno: SeqNo(100),
        smoothing_half_life: Duration::ZERO,
        filters: Filters::default(),
        limits: Limits::default(),
        seed: 7,
        entropy: Entropy::new([7; 32]),
    }
}

impl Bench {
    /// A node with two links, no smoothing, and nobody else there.
    pub(crate) fn new() -> Self {
        Self::with(config())
    }

    pub(crate) fn with(config: Config) -> Self {
        Self::extended(config, ())
    }
}

impl<X: Extension> Bench<X> {
    /// A node with an extension.
    pub(crate) fn extended(config: Config, extension: X) -> Self {
        Self::custom(config, extension, BabelMetric)
    }
}

impl<X: Extension, P: SelectionPolicy<X::Attr>> Bench<X, P> {
    /// A node with an extension and a policy.
    pub(crate) fn custom(config: Config, extension: X, policy: P) -> Self {
        let mut bench = Self {
            node: Engine::new(config, extension, policy),
            now: Instant::from_micros(1_000_000_000),
            sent: Vec::new(),
            packets: Vec::new(),
            fib: BTreeMap::new(),
            fib_writes: 0,
            fakes: Vec::new(),
        };
        for (link, name) in [(ETH0, "eth0"), (ETH1, "eth1")] {
            bench.link_up(link, LinkConfig::new(name));
        }
        bench
    }

    pub(crate) fn link_up(&mut self, link: LinkId, config: LinkConfig) {
        let state = LinkState {
            address: OURS,
            ipv4: Some(OUR_V4),
            mtu: 1500,
        };
        self.event(Event::LinkUp {
            link,
            config,
            state,
        });
    }

    pub(crate) fn event(&mut self, event: Event<'_>) {
        self.node.handle_event(self.now, event);
        self.drain();
    }

    pub(crate) fn drain(&mut self) {
        let mut buffer = Vec::new();
        while let Some(transmit) = self.node.poll_transmit(self.now, &mut buffer) {
            self.packets.push((self.now, buffer.len()));
            for tlv in PacketReader::new(&buffer, OURS).expect("our own packets are readable") {
                if let Some(said) = said(&tlv) {
                    let (link, to) = (transmit.link, transmit.destination);
                    let packet = self.node.counters().packets_sent;
                    self.sent.push(Sent {
                        at: self.now,
                        link,
                        to,
                        packet,
                        said,
                    });
                }
            }
        }
        let mut changes: Vec<FibChange> = Vec::new();
        self.node.poll_fib(usize::MAX, &mut changes);
        for change in changes {
            self.fib_writes += 1;
            match change.target {
                Some(target) => self.fib.insert(change.key, target),
                None => self.fib.remove(&change.key),
            };
        }
    }

    /// Lets time pass, with everything that is due in it.
    pub(crate) fn run(&mut self, duration: Duration) {
        let end = self.now + duration;
        loop {
            let fake = self.fakes.iter().filter(|f| f.alive).map(|f| f.next).min();
            let node = self.node.poll_timeout();
            let next = [fake, node]
                .into_iter()
                .flatten()
                .min()
                .filter(|next| *next <= end);
            let Some(next) = next else { break };
            self.now = next.max(self.now);
            if node.is_some_and(|at| at <= self.now) {
                self.node.handle_timeout(self.now);
                self.drain();
            }
            self.fakes_speak();
        }
        self.now = end;
    }

    /// A neighbour that sends Hellos and IHUs each four seconds; usable at once.
    pub(crate) fn join(&mut self, link: LinkId, n: u16) {
        self.join_costing(link, n, 96);
    }

    pub(crate) fn join_costing(&mut self, link: LinkId, n: u16, rxcost: u16) {
        let next = self.now;
        self.fakes.push(Fake {
            link,
            address: fake(n),
            hello: SeqNo(n.wrapping_mul(1000)),
            next,
            rxcost: Metric(rxcost),
            alive: true,
        });
        // Two Hellos and an IHU make the link usable.
        self.fakes_speak();
        for fake in &mut self.fakes {
            fake.next = fake.next.min(self.now);
        }
        self.fakes_speak();
        self.run(seconds(0.5));
    }

    /// The neighbour falls silent without a word.
    pub(crate) fn silence(&mut self, n: u16) {
        for f in &mut self.fakes {
            f.alive &= f.address != fake(n);
        }
    }

    fn fakes_speak(&mut self) {
        for index in 0..self.fakes.len() {
            let f = self.fakes.get(index).expect("in range").clone();
            if !f.alive || f.next > self.now {
                continue;
            }
            let mut packet = writer();
            let interval = Interval::from_centis(400);
            packet.hello(false, f.hello, interval, None).expect("fits");
            let ihu = Ihu {
                address: Some(IpAddr::V6(OURS)),
                rxcost: f.rxcost,
                interval: Interval::from_centis(1200),
                timestamps: None,
            };
            packet.ihu(&ihu).expect("fits");
            let f = self.fakes.get_mut(index).expect("in range");
            f.hello = f.hello.plus(1);
            f.next = self.now + Duration::from_secs(4);
            let (link, address) = (f.link, f.address);
            self.packet(link, address, true, packet);
        }
    }

    /// A packet from any address.
    pub(crate) fn packet(
        &mut self,
        link: LinkId,
        source: Ipv6Addr,
        multicast: bool,
        p: PacketWriter,
    ) {
        let payload = p.finish();
        self.event(Event::Packet {
            link,
            source,
            multicast,
            payload: &payload,
        });
    }

    pub(crate) fn octets(&mut self, link: LinkId, source: Ipv6Addr, payload: &[u8]) {
        self.event(Event::Packet {
            link,
            source,
            multicast: true,
            payload,
        });
    }

    /// Neighbour `n` announces a route.
    pub(crate) fn announce(&mut self, link: LinkId, n: u16, update: Announce) {
        self.announce_with(link, n, update, &[]);
    }

    /// Neighbour `n` announces a route with sub-TLVs.
    pub(crate) fn announce_with(&mut self, link: LinkId, n: u16, update: Announce, sub: &[u8]) {
        let mut packet = writer();
        packet
            .update(&UpdateOut {
                sub_tlvs: sub,
                ..update.out()
            })
            .expect("fits");
        self.packet(link, fake(n), true, packet);
    }

    /// Neighbour `n` retracts a route.
    pub(crate) fn retract(&mut self, link: LinkId, n: u16, prefix: &str) {
        self.announce(
            link,
            n,
            Announce {
                metric: 65535,
                ..Announce::of(prefix)
            },
        );
    }

    pub(crate) fn xroute(&mut self, prefix: &str) {
        let xroute = XRoute {
            metric: Metric::ZERO,
            origin: Origin::Redistributed,
            price: None,
            only: None,
        };
        self.event(Event::XRouteUp {
            key: key(prefix),
            xroute,
        });
    }

    /// Where the kernel would send packets: the neighbour's number, if to a fake.
    pub(crate) fn via(&self, prefix: &str) -> Option<u16> {
        match self.fib.get(&key(prefix))? {
            FibTarget::Via {
                next_hop: IpAddr::V6(hop),
                ..
            } => Some(hop.segments()[7]),
            FibTarget::Via { .. } => Some(0),
            FibTarget::Unreachable => None,
        }
    }

    pub(crate) fn is_unreachable(&self, prefix: &str) -> bool {
        self.fib.get(&key(prefix)) == Some(&FibTarget::Unreachable)
    }

    /// All said since `since` that the filter picks.
    pub(crate) fn said_since(&self, since: Instant, pick: impl Fn(&Said) -> bool) -> Vec<&Sent> {
        self.sent
            .iter()
            .filter(|sent| sent.at >= since && pick(&sent.said))
            .collect()
    }

    pub(crate) fn forget_sent(&mut self) {
        self.sent.clear();
        self.packets.clear();
    }
}

/// An update by a fake neighbour.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Announce {
    pub(crate) key: RouteKey,
    pub(crate) router_id: RouterId,
    pub(crate) seqno: u16,
    pub(crate) metric: u16,
    pub(crate) interval: Interval,
}

impl Announce {
    pub(crate) fn of(prefix: &str) -> Self {
        Self {
            key: key(prefix),
            router_id: rid(9),
            seqno: 1,
            metric: 100,
            interval: Interval::from_centis(1600),
        }
    }

    pub(crate) fn metric(self, metric: u16) -> Self {
        Self { metric, ..self }
    }

    pub(crate) fn seqno(self, seqno: u16) -> Self {
        Self { seqno, ..self }
    }

    pub(crate) fn id(self, router_id: RouterId) -> Self {
        Self { router_id, ..self }
    }

    pub(crate) fn lasting(self, seconds: u16) -> Self {
        Self {
            interval: Interval::from_centis(seconds * 100),
            ..self
        }
    }

    pub(crate) fn out(&self) -> UpdateOut<'static> {
        UpdateOut {
            key: self.key,
            router_id: self.router_id,
            seqno: SeqNo(self.seqno),
            metric: Metric(self.metric),
            interval: self.interval,
            next_hop: NextHopOut::Source,
            sub_tlvs: &[],
        }
    }
}

pub(crate) fn writer() -> PacketWriter {
    PacketWriter::new(Vec::new(), 1452)
}

fn said(tlv: &Tlv<'_>) -> Option<Said> {
    Some(match tlv {
        Tlv::Ack { opaque } => Said::Ack(*opaque),
        Tlv::Hello {
            unicast,
            seqno,
            interval,
            timestamp,
        } => Said::Hello {
            unicast: *unicast,
            seqno: *seqno,
            interval: *interval,
            timestamp: *timestamp,
        },
        Tlv::Ihu(ihu) => Said::Ihu(*ihu),
        Tlv::Update(update) => match (update.target, update.router_id, update.next_hop) {
            (UpdateTarget::Wildcard, ..) => Said::WildcardRetraction,
            (UpdateTarget::Route(key), Some(router_id), Some(next_hop))
                if !update.metric.is_infinite() =>
            {
                let extra = update
                    .sub_tlvs
                    .map(|sub_tlv| sub_tlv.body.to_vec())
                    .collect();
                let (seqno, metric) = (update.seqno, update.metric);
                Said::Update {
                    key,
                    router_id,
                    seqno,
                    metric,
                    extra,
                    next_hop,
                }
            }
            (UpdateTarget::Route(key), ..) => Said::Retraction(key),
        },
        Tlv::RouteRequest(key) => Said::RouteRequest(*key),
        Tlv::SeqnoRequest {
            key,
            seqno,
            hop_count,
            router_id,
        } => Said::SeqnoRequest {
            key: *key,
            seqno: *seqno,
            hop_count: *hop_count,
            router_id: *router_id,
        },
        Tlv::Ignored(reason) => panic!("we sent what we ignore ourselves: {reason:?}"),
        _ => return None,
    })
}
