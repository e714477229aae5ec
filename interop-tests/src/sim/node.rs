//! One node of the network: an engine and what its kernel holds.

use babel_core::Engine;
use babel_core::auth::Entropy;
use babel_core::config::{Config, Limits, LinkConfig, LinkState};
use babel_core::event::{FibChange, FibTarget, XRoute};
use babel_core::ext::{Extension, Origin};
use babel_core::filter::Filters;
use babel_core::policy::SelectionPolicy;
use babel_core::prefix::{Prefix, RouteKey};
use babel_core::time::Instant;
use babel_core::types::{LinkId, Metric, RouterId, SeqNo};
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::time::Duration;
use std::collections::BTreeMap;

/// A node that runs or is down.
pub(super) struct Node<X: Extension, P: SelectionPolicy<X::Attr>> {
    /// `None` while it is down.
    pub(super) engine: Option<Engine<X, P>>,
    /// What its kernel was told.
    pub(super) fib: BTreeMap<RouteKey, FibTarget>,
    /// The wake-up that was scheduled last; others are stale.
    pub(super) wake: Option<Instant>,
    /// How often it was woken at one instant.
    pub(super) wakes_now: u32,
}

impl<X: Extension, P: SelectionPolicy<X::Attr>> Node<X, P> {
    pub(super) const fn down() -> Self {
        Self {
            engine: None,
            fib: BTreeMap::new(),
            wake: None,
            wakes_now: 0,
        }
    }

    pub(super) fn apply(&mut self, change: &FibChange) {
        match change.target {
            Some(target) => self.fib.insert(change.key, target),
            None => self.fib.remove(&change.key),
        };
    }
}

fn octet(n: usize) -> u8 {
    u8::try_from(n).expect("fewer than 256 nodes and wires")
}

/// How all nodes are set up.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Settings {
    /// Of the smoothed metric; zero, the default here, for none.
    pub smoothing_half_life: Duration,
    /// Whether wires have split horizon.
    pub split_horizon: bool,
    /// Whether wires are judged by ETX.
    pub link_quality: bool,
}

impl Settings {
    pub(super) fn node(&self, node: usize, seed: u64, seqno: SeqNo) -> Config {
        Config {
            router_id: RouterId([2, 0, 0, 0, 0, 0, 0, octet(node + 1)]),
            seqno,
            smoothing_half_life: self.smoothing_half_life,
            filters: Filters::default(),
            limits: Limits::default(),
            seed,
            entropy: entropy(node, seed, seqno),
        }
    }

    pub(super) fn link(&self, wire: usize, cost: u16) -> LinkConfig {
        LinkConfig {
            rxcost: Metric(cost),
            split_horizon: self.split_horizon,
            link_quality: self.link_quality,
            ..LinkConfig::new(format!("wire{wire}"))
        }
    }
}

/// Another one for each life: each begins with a random seqno.
fn entropy(node: usize, seed: u64, seqno: SeqNo) -> Entropy {
    let mut octets = [octet(node); 32];
    let parts = seed.to_be_bytes().into_iter().chain(seqno.0.to_be_bytes());
    for (octet, part) in octets.iter_mut().zip(parts) {
        *octet = part;
    }
    Entropy::new(octets)
}

/// The handle of a wire at both its ends.
pub(super) fn link_id(wire: usize) -> LinkId {
    LinkId(u32::from(octet(wire)) + 1)
}

/// The wire of a handle.
pub(super) fn wire_of(link: LinkId) -> usize {
    usize::try_from(link.0).expect("small") - 1
}

/// The addresses of a node's end of a wire. Every third wire has no IPv4, so that IPv4 routes
/// over it go by IPv6 next hops (RFC 9229).
pub(super) fn link_state(node: usize, wire: usize) -> LinkState {
    LinkState {
        address: link_local(node, wire),
        ipv4: (wire % 3 != 2).then(|| Ipv4Addr::new(172, 16, octet(wire), octet(node + 1))),
        mtu: 1500,
    }
}

fn link_local(node: usize, wire: usize) -> Ipv6Addr {
    let (wire, node) = (octet(wire).into(), u16::from(octet(node)) + 1);
    Ipv6Addr::new(0xFE80, 0, 0, 0, 0, 0, wire, node)
}

/// Whether `address` is that of `node` on `wire`.
pub(super) fn has_address(node: usize, wire: usize, address: IpAddr) -> bool {
    let state = link_state(node, wire);
    match address {
        IpAddr::V6(v6) => v6 == state.address,
        IpAddr::V4(v4) => state.ipv4 == Some(v4),
    }
}

/// What a node announces: a local address of its own, and a network behind it in each family.
pub(super) fn announces(node: usize) -> [(RouteKey, XRoute); 3] {
    let n = octet(node + 1);
    let own = IpAddr::V6(Ipv6Addr::new(0x2001, 0xDB8, n.into(), 0, 0, 0, 0, 1));
    let wide = IpAddr::V6(Ipv6Addr::new(0x2001, 0xDB8, n.into(), 0, 0, 0, 0, 0));
    let v4 = IpAddr::V4(Ipv4Addr::new(10, n, 0, 0));
    let key = |address, plen| RouteKey::new(Prefix::new(address, plen).expect("valid lengths"));
    let xroute = |origin| XRoute {
        metric: Metric::ZERO,
        origin,
        price: None,
        only: None,
    };
    [
        (key(own, 128), xroute(Origin::Local)),
        (key(wide, 48), xroute(Origin::Redistributed)),
        (key(v4, 16), xroute(Origin::Redistributed)),
    ]
}
