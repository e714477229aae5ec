//! The second plug-in point: which of several routes to a prefix is used.
//!
//! A policy sees all candidates of a prefix at once and answers with a key for each; the engine
//! selects the smallest key among those that RFC 8966 allows. Only the engine makes a
//! [`Candidate`], it never shows a seqno (§3.6 forbids selection by it), and it alone decides
//! between feasible and unfeasible. So whatever a policy computes, it cannot make a loop.

use crate::prefix::RouteKey;
use crate::types::{LinkId, Metric, NeighbourId, Party};
use core::fmt::Debug;
use core::net::Ipv6Addr;
use core::time::Duration;

/// One route to a prefix, of finite metric, as a policy may see it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Candidate<A> {
    pub(crate) neighbour: NeighbourId,
    pub(crate) party: Party,
    pub(crate) metric: Metric,
    pub(crate) smoothed: Metric,
    pub(crate) incumbent: bool,
    pub(crate) attr: A,
}

impl<A: Copy> Candidate<A> {
    /// Who announced it.
    pub const fn neighbour(&self) -> NeighbourId {
        self.neighbour
    }
    /// On which link.
    pub const fn link(&self) -> LinkId {
        self.party.link
    }
    /// The neighbour's link-local address: with the link, what outlives its id.
    pub const fn address(&self) -> Ipv6Addr {
        self.party.address
    }
    /// Total metric: what was advertised plus the link's cost.
    pub const fn metric(&self) -> Metric {
        self.metric
    }
    /// The metric smoothed over time (RFC 8966 appendix A.3).
    pub const fn smoothed(&self) -> Metric {
        self.smoothed
    }
    /// Whether it is the route in use.
    pub const fn incumbent(&self) -> bool {
        self.incumbent
    }
    /// What the extension made of it.
    pub const fn attr(&self) -> A {
        self.attr
    }

    /// For the tests of policies, which live in other crates; the engine never takes one in.
    #[doc(hidden)]
    pub const fn for_tests(
        neighbour: NeighbourId,
        party: Party,
        metric: Metric,
        smoothed: Metric,
        incumbent: bool,
        attr: A,
    ) -> Self {
        Self {
            neighbour,
            party,
            metric,
            smoothed,
            incumbent,
            attr,
        }
    }
}

/// What a policy says of one candidate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict<K> {
    /// May be used; smaller keys are better.
    Eligible(K),
    /// Must not be used; [`SelectionPolicy::refusal`] says why.
    Ineligible,
}

/// How soon to leave a legal incumbent for a better candidate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Move {
    /// At once: the better one is in another class altogether.
    AtOnce,
    /// When it has stood for the hold time; the hold doubles with each such move and decays.
    AfterHold,
    /// As stock: when both its metric and its smoothed metric are no worse and one is better.
    WhenSmoothed,
}

/// Why the selected route of a prefix changed. The labels are those of
/// `babel_route_changes_total`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum ChangeReason {
    /// A better metric, or the first route to the prefix.
    Metric,
    /// A better measured rank.
    Rank,
    /// A better price.
    Price,
    /// A change of band: goals met, missed, or not measured.
    Goal,
    /// The old route became ineligible (price limit, unit, not for sale).
    Ineligible,
    /// The old route became unfeasible.
    Unfeasible,
    /// The old route's neighbour was lost, or its link.
    NeighbourLost,
    /// The old route was retracted by its neighbour, or expired.
    Retraction,
    /// The old route was refused by a filter, or shadowed by a route of our own.
    Filter,
    /// A better candidate had stood for the hold time.
    Hold,
}

impl ChangeReason {
    /// All, in the order of [`ChangeReason::index`].
    pub const ALL: [Self; 10] = [
        Self::Metric,
        Self::Rank,
        Self::Price,
        Self::Goal,
        Self::Ineligible,
        Self::Unfeasible,
        Self::NeighbourLost,
        Self::Retraction,
        Self::Filter,
        Self::Hold,
    ];

    /// Position in [`ChangeReason::ALL`].
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The metrics label.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Metric => "metric",
            Self::Rank => "rank",
            Self::Price => "price",
            Self::Goal => "goal",
            Self::Ineligible => "ineligible",
            Self::Unfeasible => "unfeasible",
            Self::NeighbourLost => "neighbour_lost",
            Self::Retraction => "retraction",
            Self::Filter => "filter",
            Self::Hold => "hold",
        }
    }
}

/// One component of a key, in words: ("price", "7, the cheapest step").
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Step {
    /// The step's name: band, rank, price, metric, incumbent, neighbour.
    pub name: &'static str,
    /// Its value, for people.
    pub value: String,
    /// Its value, for comparison: smaller wins.
    pub order: u64,
}

/// Decides which of the routes that RFC 8966 allows is used.
pub trait SelectionPolicy<A> {
    /// Smaller is better. The last component is the neighbour, so that no two are equal.
    type Key: Ord + Copy + Debug;

    /// Judges all candidates of a prefix at once: pushes one verdict for each, in their order.
    /// Feasible and unfeasible ones are among them; a policy cannot tell which.
    fn judge(
        &self,
        key: &RouteKey,
        candidates: &[Candidate<A>],
        verdicts: &mut Vec<Verdict<Self::Key>>,
    );

    /// How soon to move from a legal, eligible `incumbent` to a `better` candidate.
    fn when(&self, incumbent: &Self::Key, better: &Self::Key) -> Move;

    /// The step that decides between two keys, as a label.
    fn reason(&self, incumbent: &Self::Key, better: &Self::Key) -> ChangeReason;

    /// The steps of a key in order, for `explain`.
    fn steps(&self, key: &Self::Key) -> Vec<Step>;

    /// Why a candidate is ineligible, for `explain` ("price 900 is above max-price 500");
    /// `None` if it is eligible.
    fn refusal(&self, key: &RouteKey, candidate: &Candidate<A>) -> Option<String> {
        let _ = (key, candidate);
        None
    }

    /// What is added to the metric when a route selected with this key is announced further, so
    /// that a claim not yet proven does not look as good from us as it did to us. Our own metric,
    /// and with it selection, is not touched.
    fn penalty(&self, key: &Self::Key) -> Metric {
        let _ = key;
        Metric::ZERO
    }

    /// How long a better candidate must stand before [`Move::AfterHold`] is carried out, given
    /// the update interval of the better candidate's link.
    fn hold(&self, update_interval: Duration) -> Duration {
        (update_interval * 2).max(Duration::from_secs(30))
    }
}

/// Stock Babel: the smallest smoothed metric, then the incumbent, then the lowest neighbour.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct BabelMetric;

/// Key of [`BabelMetric`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct MetricKey {
    /// The smoothed metric.
    pub smoothed: Metric,
    /// False for the incumbent, so that it wins a tie.
    pub challenger: bool,
    /// The neighbour, so that the order is total.
    pub neighbour: NeighbourId,
}

impl MetricKey {
    /// The key of a candidate.
    pub const fn of<A: Copy>(candidate: &Candidate<A>) -> Self {
        Self {
            smoothed: candidate.smoothed,
            challenger: !candidate.incumbent,
            neighbour: candidate.neighbour,
        }
    }

    /// The last three steps of every policy: metric, incumbent, neighbour.
    pub fn steps(&self) -> Vec<Step> {
        vec![
            Step {
                name: "metric",
                value: format!("{} (smoothed)", self.smoothed),
                order: u64::from(self.smoothed.0),
            },
            Step {
                name: "incumbent",
                value: if self.challenger { "no" } else { "yes" }.into(),
                order: u64::from(self.challenger),
            },
            Step {
                name: "neighbour",
                value: format!("{}", self.neighbour.0),
                order: u64::from(self.neighbour.0),
            },
        ]
    }
}

impl<A: Copy> SelectionPolicy<A> for BabelMetric {
    type Key = MetricKey;

    fn judge(
        &self,
        _: &RouteKey,
        candidates: &[Candidate<A>],
        verdicts: &mut Vec<Verdict<MetricKey>>,
    ) {
        verdicts.extend(
            candidates
                .iter()
                .map(|c| Verdict::Eligible(MetricKey::of(c))),
        );
    }

    fn when(&self, _: &MetricKey, _: &MetricKey) -> Move {
        Move::WhenSmoothed
    }

    fn reason(&self, _: &MetricKey, _: &MetricKey) -> ChangeReason {
        ChangeReason::Metric
    }

    fn steps(&self, key: &MetricKey) -> Vec<Step> {
        key.steps()
    }
}
