//! What the engine shows of itself: for dumps, monitors, metrics and `explain`.

use crate::ext::Origin;
use crate::policy::{ChangeReason, Step};
use crate::prefix::RouteKey;
use crate::time::Instant;
use crate::types::{LinkId, Metric, NeighbourId, Party, RouterId, SeqNo};
use core::net::{IpAddr, Ipv6Addr};
use core::time::Duration;

/// A neighbour.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NeighbourView {
    /// Its id, stable and unique for as long as it lives.
    pub id: NeighbourId,
    /// On this link.
    pub link: LinkId,
    /// Its link-local address.
    pub address: Ipv6Addr,
    /// Multicast Hello history, newest at the top bit.
    pub reach: u16,
    /// Unicast Hello history.
    pub ureach: u16,
    /// What we tell it.
    pub rxcost: Metric,
    /// What it tells us.
    pub txcost: Metric,
    /// Round-trip time, if it was measured of late.
    pub rtt: Option<Duration>,
    /// What the round-trip time adds to the cost.
    pub rttcost: Metric,
    /// The link's cost; never zero.
    pub cost: Metric,
    /// Routes it announced that we hold.
    pub routes: usize,
    /// Since its last Hello; `None` if there was none.
    pub hello_age: Option<Duration>,
    /// Since its last IHU for us; `None` if there was none.
    pub ihu_age: Option<Duration>,
}

/// A route, as one neighbour announced it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RouteView<A> {
    /// Stable and unique for as long as the route lives.
    pub id: u64,
    /// What it is for.
    pub key: RouteKey,
    /// Whether it is the one in use.
    pub installed: bool,
    /// Whether RFC 8966 §3.5.1 allows it.
    pub feasible: bool,
    /// Whether the policy allows it.
    pub eligible: bool,
    /// Originator.
    pub router_id: RouterId,
    /// Originator's seqno.
    pub seqno: SeqNo,
    /// Total metric.
    pub metric: Metric,
    /// Total metric, smoothed.
    pub smoothed: Metric,
    /// Metric as advertised.
    pub refmetric: Metric,
    /// Who announced it.
    pub neighbour: NeighbourId,
    /// That neighbour's address.
    pub via: Ipv6Addr,
    /// On this link.
    pub link: LinkId,
    /// Where packets go.
    pub next_hop: IpAddr,
    /// Since the last Update for it.
    pub age: Duration,
    /// The extension's attribute: what the route costs us.
    pub attr: A,
}

/// A route of our own.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct XRouteView {
    /// What it is for.
    pub key: RouteKey,
    /// Metric we announce it with.
    pub metric: Metric,
    /// Local address or kernel route.
    pub origin: Origin,
}

/// Why one candidate for a prefix is or is not in use.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CandidateView<A> {
    /// The route.
    pub route: RouteView<A>,
    /// The link cost that was added.
    pub cost: Metric,
    /// The feasibility distance it was held against, if there is one for its originator.
    pub distance: Option<(SeqNo, Metric)>,
    /// The policy's key, step by step; empty if it was not judged.
    pub steps: Vec<Step>,
    /// What became of it.
    pub outcome: Outcome,
}

/// What became of a candidate.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// In use.
    Selected,
    /// Worse than the selected one at this step of the key.
    Worse(&'static str),
    /// Better, but not yet: the switch waits this long still, for this reason.
    Waiting(Duration, &'static str),
    /// Retracted, expired, or its neighbour cannot be reached.
    Unreachable,
    /// RFC 8966 §3.5.1 forbids it; a new seqno was or will be asked for.
    Unfeasible,
    /// The policy refuses it, and why.
    Ineligible(String),
    /// An `install` rule refuses it.
    Filtered,
    /// A route of our own takes precedence.
    OwnRoute,
}

/// Everything known about one prefix.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Explanation<A> {
    /// The prefix.
    pub key: RouteKey,
    /// A route of our own, which takes precedence.
    pub xroute: Option<XRouteView>,
    /// All routes, the selected first.
    pub candidates: Vec<CandidateView<A>>,
    /// Whether the kernel is told to refuse packets for now, and for how much longer.
    pub unreachable_for: Option<Duration>,
}

/// One change of a selected route.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Decision {
    /// When.
    pub at: Instant,
    /// Of which prefix.
    pub key: RouteKey,
    /// Whose route was in use; `None` if there was none.
    pub from: Option<Party>,
    /// Whose is; `None` if there is none.
    pub to: Option<Party>,
    /// Why.
    pub reason: ChangeReason,
}

/// Numbers since start, plain and cheap. Labels come from the enums that index the arrays.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Counters {
    /// Packets taken in, and dropped whole.
    pub packets_received: u64,
    /// Packets dropped whole: bad header, not link-local, unknown link.
    pub packets_dropped: u64,
    /// Packets made.
    pub packets_sent: u64,
    /// TLVs received, by [`crate::wire::TlvKind`].
    pub tlvs_received: [u64; 10],
    /// TLVs sent, by [`crate::wire::TlvKind`].
    pub tlvs_sent: [u64; 10],
    /// TLVs ignored, by [`crate::wire::Ignored`].
    pub tlvs_ignored: [u64; 9],
    /// Seqno requests we began.
    pub seqno_requests_originated: u64,
    /// Seqno requests passed on.
    pub seqno_requests_forwarded: u64,
    /// Seqno requests answered from our tables.
    pub seqno_requests_answered: u64,
    /// Seqno requests not passed on because one just like it was.
    pub seqno_requests_suppressed: u64,
    /// Updates refused as unfeasible.
    pub updates_unfeasible: u64,
    /// Changes of selected route, by [`crate::policy::ChangeReason`].
    pub route_changes: [u64; 10],
    /// What a limit refused, all limits together.
    pub limited: u64,
    /// Packets dropped for want of authenticity, by [`crate::auth::AuthFailure`].
    pub auth_dropped: [u64; 6],
    /// Packets accepted though not authentic, by `accept-bad-signatures`.
    pub auth_tolerated: u64,
    /// Challenges sent (RFC 8967 §4.3.1.1).
    pub challenges_sent: u64,
    /// Replies to challenges sent (RFC 8967 §4.3.1.2).
    pub challenge_replies_sent: u64,
    /// Timers fired.
    pub timers_fired: u64,
    /// Sum of how late they were, in microseconds.
    pub timer_lateness_us_sum: u64,
    /// The latest one, in microseconds.
    pub timer_lateness_us_max: u64,
}

/// How many routes are in which state.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct RouteCounts {
    /// In use.
    pub selected: usize,
    /// Finite and feasible, not in use.
    pub feasible: usize,
    /// Finite but unfeasible.
    pub unfeasible: usize,
    /// Retracted or expired, held until the neighbours have forgotten.
    pub retracted: usize,
    /// Prefixes whose selected neighbour is not the eligible one of the best total metric.
    pub overridden: usize,
}
