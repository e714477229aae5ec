//! Two nodes with keys: they meet, restart, and change keys while they talk.

use crate::auth_support::{BLAKE, SHA, Secret, auth, link_key, state};
use crate::support::{ETH0, config, fake, key};
use babel_core::Engine;
use babel_core::auth::{Auth, Entropy, LinkKey};
use babel_core::config::{Config, LinkConfig};
use babel_core::event::{Event, XRoute};
use babel_core::ext::Origin;
use babel_core::policy::BabelMetric;
use babel_core::time::Instant;
use babel_core::types::{Metric, RouterId, SeqNo};
use babel_core::wire::Destination;
use core::time::Duration;

const OLD: Secret = (SHA, b"the old key");
const NEW: Secret = (BLAKE, b"the new key");
const DELAY: Duration = Duration::from_millis(1);

/// Two nodes on a wire, in virtual time.
struct Pair {
    nodes: [Engine<(), BabelMetric>; 2],
    now: Instant,
    /// Arrival, receiver, to the group or not, octets.
    wire: Vec<(Instant, usize, bool, Vec<u8>)>,
}

fn node(n: u8, life: u8) -> Engine<(), BabelMetric> {
    let config = Config {
        router_id: RouterId([n + 1; 8]),
        seqno: SeqNo(u16::from(life) * 1000),
        seed: u64::from(n) << 8 | u64::from(life),
        entropy: Entropy::new([n << 4 | life; 32]),
        ..config()
    };
    Engine::new(config, (), BabelMetric)
}

impl Pair {
    fn new(left: Auth, right: Auth) -> Self {
        let mut pair = Self {
            nodes: [node(0, 1), node(1, 1)],
            now: Instant::from_micros(1_000_000_000),
            wire: Vec::new(),
        };
        pair.begin(0, left);
        pair.begin(1, right);
        pair
    }

    fn begin(&mut self, n: usize, auth: Auth) {
        let key = key(&format!("2001:db8:{n}::/48"));
        let xroute = XRoute {
            metric: Metric::ZERO,
            origin: Origin::Redistributed,
            price: None,
            only: None,
        };
        self.nodes[n].handle_event(self.now, Event::XRouteUp { key, xroute });
        self.link_up(n, auth);
    }

    /// Brings the link up, or changes its keys.
    fn link_up(&mut self, n: usize, auth: Auth) {
        let config = LinkConfig {
            auth: Some(auth),
            ..LinkConfig::new("eth0")
        };
        let state = state(fake(u16::try_from(n).expect("small")), 1500);
        let link = ETH0;
        let up = Event::LinkUp {
            link,
            config,
            state,
        };
        self.nodes[n].handle_event(self.now, up);
        self.drain();
    }

    fn drain(&mut self) {
        for n in 0..2 {
            let mut octets = Vec::new();
            while let Some(transmit) = self.nodes[n].poll_transmit(self.now, &mut octets) {
                let multicast = transmit.destination == Destination::Multicast;
                let arrival = self.now + DELAY;
                self.wire.push((arrival, 1 - n, multicast, octets.clone()));
            }
            self.nodes[n].poll_fib(usize::MAX, &mut Vec::new());
        }
    }

    fn run(&mut self, duration: Duration) {
        let end = self.now + duration;
        loop {
            let timers = self.nodes.iter().filter_map(|node| node.poll_timeout());
            let next = timers.chain(self.wire.iter().map(|packet| packet.0)).min();
            let Some(next) = next.filter(|next| *next <= end) else {
                break;
            };
            self.now = next.max(self.now);
            let now = self.now;
            let (arrived, rest) = self.wire.drain(..).partition(|p| p.0 <= now);
            self.wire = rest;
            let arrived: Vec<(Instant, usize, bool, Vec<u8>)> = arrived;
            for (_, n, multicast, payload) in arrived {
                let source = fake(u16::try_from(1 - n).expect("small"));
                let packet = Event::Packet {
                    link: ETH0,
                    source,
                    multicast,
                    payload: &payload,
                };
                self.nodes[n].handle_event(now, packet);
            }
            self.nodes
                .iter_mut()
                .for_each(|node| node.handle_timeout(now));
            self.drain();
        }
        self.now = end;
    }

    fn rekey(&mut self, n: usize, auth: Auth) {
        self.link_up(n, auth);
    }

    /// Whether both use a route of the other.
    fn routes_both_ways(&self) -> bool {
        self.nodes.iter().all(|node| {
            let mut routes = node.routes(self.now);
            routes.any(|route| route.installed)
        })
    }

    fn await_routes(&mut self, limit: Duration) -> Duration {
        let begun = self.now;
        while !self.routes_both_ways() {
            assert!(self.now.since(begun) < limit, "not within {limit:?}");
            self.run(Duration::from_millis(10));
        }
        self.now.since(begun)
    }

    fn dropped(&self) -> u64 {
        let dropped = |node: &Engine<(), BabelMetric>| node.counters().packets_dropped;
        self.nodes.iter().map(dropped).sum()
    }
}

fn both() -> Auth {
    auth(&[OLD, NEW])
}

// 8967-4.3.1.1-3
#[test]
fn two_nodes_authenticate_within_a_second_and_route_both_ways() {
    for secret in [OLD, NEW] {
        let mut pair = Pair::new(auth(&[secret]), auth(&[secret]));
        pair.run(Duration::from_secs(1));
        let met = pair
            .nodes
            .iter()
            .all(|n| n.neighbours(pair.now).count() == 1);
        assert!(met);
        pair.await_routes(Duration::from_secs(2));
    }
}

#[test]
fn a_restart_of_either_side_is_noticed_and_authenticated_within_seconds() {
    let mut pair = Pair::new(both(), both());
    pair.await_routes(Duration::from_secs(3));
    for (n, life) in [(0_u8, 2), (1, 2), (0, 3)] {
        let n = usize::from(n);
        pair.run(Duration::from_secs(20));
        pair.nodes[n] = node(u8::try_from(n).expect("small"), life);
        pair.begin(n, both());
        let took = pair.await_routes(Duration::from_secs(10));
        assert!(took < Duration::from_secs(6), "{took:?}");
    }
}

#[test]
fn different_keys_make_no_neighbours() {
    let mut pair = Pair::new(auth(&[OLD]), auth(&[NEW]));
    pair.run(Duration::from_secs(60));
    for node in &pair.nodes {
        assert_eq!(node.neighbours(pair.now).count(), 0);
        assert!(node.counters().auth_dropped.iter().sum::<u64>() > 10);
    }
}

/// Goes through `steps`, one node after the other, and sees that nothing is lost meanwhile.
fn roll(steps: &[(usize, Auth)], begin: [Auth; 2]) -> Pair {
    let [left, right] = begin;
    let mut pair = Pair::new(left, right);
    pair.await_routes(Duration::from_secs(3));
    let ids: Vec<_> = pair
        .nodes
        .iter()
        .flat_map(|node| node.neighbours(pair.now))
        .map(|neighbour| neighbour.id)
        .collect();
    let dropped = pair.dropped();
    for (n, auth) in steps {
        pair.rekey(*n, auth.clone());
        for _ in 0..1000 {
            pair.run(Duration::from_millis(20));
            assert!(pair.routes_both_ways(), "no route is lost for a moment");
        }
    }
    let now: Vec<_> = pair
        .nodes
        .iter()
        .flat_map(|node| node.neighbours(pair.now))
        .map(|neighbour| neighbour.id)
        .collect();
    assert_eq!(now, ids, "the same neighbours as before");
    assert_eq!(pair.dropped(), dropped, "not one packet was refused");
    pair
}

// 8967-5-1
#[test]
fn keys_are_rolled_under_way_without_losing_a_packet() {
    let steps = [
        (0, both()),
        (1, both()),
        (0, auth(&[NEW])),
        (1, auth(&[NEW])),
    ];
    roll(&steps, [auth(&[OLD]), auth(&[OLD])]);
}

// 8967-5-1
#[test]
fn with_accept_only_keys_each_packet_is_signed_once_all_the_way() {
    let accept = |secret| LinkKey::accept_only(link_key(secret).key);
    let ready = || Auth::new([link_key(OLD), accept(NEW)]);
    let moved = || Auth::new([link_key(NEW), accept(OLD)]);
    let steps = [
        (0, ready()),
        (1, ready()),
        (0, moved()),
        (1, moved()),
        (0, auth(&[NEW])),
        (1, auth(&[NEW])),
    ];
    roll(&steps, [auth(&[OLD]), auth(&[OLD])]);
}

// 8967-5-1, 8967-3.1-2: from no authentication at all.
#[test]
fn protection_is_introduced_by_way_of_accepting_bad_signatures() {
    let tolerant = || {
        let mut auth = auth(&[NEW]);
        auth.accept_bad_signatures = true;
        auth
    };
    let steps = [(0, auth(&[NEW])), (1, auth(&[NEW]))];
    let mut pair = roll(&steps, [tolerant(), tolerant()]);
    // And it holds.
    pair.rekey(0, auth(&[OLD]));
    pair.run(Duration::from_secs(120));
    assert!(!pair.routes_both_ways());
}
