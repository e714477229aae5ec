//! What the caller decides for the engine and for each link.

use crate::auth::{Auth, Entropy};
use crate::filter::Filters;
use crate::prefix::{Family, RouteKey};
use crate::types::{Metric, RouterId, SeqNo};
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::time::Duration;

/// Settings of the whole node.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Config {
    /// Our router-id; must be valid.
    pub router_id: RouterId,
    /// The seqno to start with.
    pub seqno: SeqNo,
    /// `smoothing-half-life`; zero turns smoothing off.
    pub smoothing_half_life: Duration,
    /// `in`, `out` and `install` rules.
    pub filters: Filters,
    /// Bounds on memory.
    pub limits: Limits,
    /// Seeds the jitter; the same seed and inputs give the same octets.
    pub seed: u64,
    /// For what nobody may guess (RFC 8967). With no keys on any link it changes nothing.
    pub entropy: Entropy,
}

/// Bounds on what the network can make us store. What exceeds them is refused and counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Neighbours on one link.
    pub neighbours_per_link: usize,
    /// Routes learned from one neighbour.
    pub routes_per_neighbour: usize,
    /// Prefixes in all.
    pub prefixes: usize,
    /// Routes in all: addresses are free, so the limit for one neighbour bounds nothing.
    pub routes: usize,
    /// Originators remembered for one prefix.
    pub sources_per_prefix: usize,
    /// Seqno requests waiting for an answer.
    pub pending_requests: usize,
}

impl Default for Limits {
    /// With all prefixes taken the daemon was measured at 157 MiB (docs/limits.md).
    fn default() -> Self {
        Self {
            neighbours_per_link: 4096,
            routes_per_neighbour: 131_072,
            prefixes: 524_288,
            routes: 1_048_576,
            sources_per_prefix: 16,
            pending_requests: 65_536,
        }
    }
}

/// What the forwarding plane beneath us can hold. Routes that it cannot are kept, and neither used
/// nor announced (RFC 9079 §4, RFC 9229 §2.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Forwarding {
    /// IPv4 routes with a source prefix.
    pub v4_source_specific: bool,
    /// IPv6 routes with a source prefix.
    pub v6_source_specific: bool,
    /// IPv4 routes with an IPv6 next hop.
    pub v4_via_v6: bool,
}

impl Default for Forwarding {
    /// Everything.
    fn default() -> Self {
        Self {
            v4_source_specific: true,
            v6_source_specific: true,
            v4_via_v6: true,
        }
    }
}

impl Forwarding {
    /// Whether a route to `key` by `next_hop` can be installed.
    pub fn can_hold(&self, key: &RouteKey, next_hop: IpAddr) -> bool {
        let (source_specific, over_other) = match key.family() {
            Family::V4 => (self.v4_source_specific, self.v4_via_v6),
            Family::V6 => (self.v6_source_specific, true),
        };
        (source_specific || !key.is_source_specific()) && (over_other || next_hop.is_ipv4())
    }
}

/// Settings of one link, with every default already worked out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LinkConfig {
    /// The interface's name, for filters and for people.
    pub name: String,
    /// Between Multicast Hellos.
    pub hello_interval: Duration,
    /// Between full updates.
    pub update_interval: Duration,
    /// Nominal cost (`rxcost`): 96 on wired links, 256 on wireless.
    pub rxcost: Metric,
    /// ETX instead of two-out-of-three (RFC 8966 appendix A.2).
    pub link_quality: bool,
    /// Routes learned on this link are not announced there (RFC 8966 §3.7.4).
    pub split_horizon: bool,
    /// Hellos and IHUs carry timestamps, from which the round-trip time is known (RFC 9616).
    pub timestamps: bool,
    /// What the round-trip time costs.
    pub rtt: RttConfig,
    /// IPv4 routes may be announced by AE 4 when the link has no IPv4 address (RFC 9229).
    pub v4_via_v6: bool,
    /// All but Multicast Hellos goes to each neighbour by itself (`unicast`).
    pub unicast: bool,
    /// Nodes that are sent Unicast Hellos, for links without multicast (`neighbour`).
    pub static_neighbours: Vec<Ipv6Addr>,
    /// Some neighbours may know RFC 6126 only: they get no Unicast Hellos and nothing
    /// source-specific (RFC 8966 appendix F, RFC 9079 §6).
    pub rfc6126_compatible: bool,
    /// Packets with a Hello are padded to the MTU, so that a link that cannot carry it is not used
    /// (`probe-mtu`).
    pub probe_mtu: bool,
    /// MAC authentication (RFC 8967); `None` neither signs nor asks for signatures.
    pub auth: Option<Auth>,
}

impl LinkConfig {
    /// A link of stock babeld's default type: 4 s Hellos, cost 96, two-out-of-three.
    ///
    /// DEVIATION(RFC 8966 §6): not authenticated, since there are no keys until somebody chooses
    /// some, as in stock babeld.
    pub fn new(name: impl Into<String>) -> Self {
        let hello_interval = Duration::from_secs(4);
        Self {
            name: name.into(),
            hello_interval,
            update_interval: hello_interval * 4,
            rxcost: Metric(96),
            link_quality: false,
            split_horizon: false,
            timestamps: false,
            rtt: RttConfig::default(),
            v4_via_v6: true,
            unicast: false,
            static_neighbours: Vec::new(),
            rfc6126_compatible: false,
            probe_mtu: false,
            auth: None,
        }
    }
}

/// How the round-trip time adds to a link's cost (RFC 9616 §4).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RttConfig {
    /// Weight of a new sample, in 1/256 (`rtt-decay`).
    pub decay: u16,
    /// Up to this it costs nothing (`rtt-min`).
    pub min: Duration,
    /// From this on it costs `max_penalty` (`rtt-max`).
    pub max: Duration,
    /// The most it costs (`max-rtt-penalty`); zero means it costs nothing.
    pub max_penalty: Metric,
}

impl Default for RttConfig {
    /// Stock babeld's: 42/256, 10 to 120 ms, no penalty.
    ///
    /// DEVIATION(RFC 9616 §4.2): it suggests a penalty of 150; stock babeld has none but on
    /// tunnels, and metrics must not change under a configuration that is swapped in.
    fn default() -> Self {
        Self {
            decay: 42,
            min: Duration::from_millis(10),
            max: Duration::from_millis(120),
            max_penalty: Metric::ZERO,
        }
    }
}

/// What the operating system says of a link that is up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LinkState {
    /// Our link-local address there: the source of our packets.
    pub address: Ipv6Addr,
    /// Our IPv4 address there, if any: next hop for IPv4 routes.
    pub ipv4: Option<Ipv4Addr>,
    /// The MTU in octets.
    pub mtu: u32,
}
