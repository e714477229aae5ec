//! A policy whose keys the test sets: a band and a rank for each neighbour, then the metric.

use crate::support::*;
use babel_core::policy::{
    BabelMetric, Candidate, ChangeReason, MetricKey, Move, SelectionPolicy, Step, Verdict,
};
use babel_core::prefix::RouteKey;
use babel_core::types::Metric;
use core::net::Ipv6Addr;
use core::time::Duration;
use std::collections::BTreeMap;

/// Bands as in the design: smaller is better.
pub(crate) const PROVEN: u8 = 0;
pub(crate) const UNPROVEN: u8 = 1;
pub(crate) const FAILING: u8 = 2;

/// What stands for "not to be used at all".
pub(crate) const BARRED: u8 = 9;

/// How long a better rank must stand at first.
pub(crate) const HOLD: Duration = Duration::from_secs(30);

/// What a policy adds where the test does not say otherwise.
pub(crate) const PENALTY: u16 = 256;

#[derive(Clone, Debug)]
pub(crate) struct Ranked {
    places: BTreeMap<Ipv6Addr, (u8, u8)>,
    pub(crate) penalty: Metric,
}

impl Default for Ranked {
    fn default() -> Self {
        Self {
            places: BTreeMap::new(),
            penalty: Metric(PENALTY),
        }
    }
}

impl Ranked {
    /// Fake neighbour `n` is in this band, at this rank; who is not placed is proven, rank 0.
    pub(crate) fn place(&mut self, n: u16, band: u8, rank: u8) {
        self.places.insert(fake(n), (band, rank));
    }
}

/// Band, rank, metric.
pub(crate) type RankedKey = (u8, u8, MetricKey);

impl SelectionPolicy<()> for Ranked {
    type Key = RankedKey;

    fn judge(
        &self,
        _: &RouteKey,
        candidates: &[Candidate<()>],
        verdicts: &mut Vec<Verdict<RankedKey>>,
    ) {
        verdicts.extend(candidates.iter().map(|candidate| {
            let place = self.places.get(&candidate.address()).copied();
            let (band, rank) = place.unwrap_or((PROVEN, 0));
            if band == BARRED {
                return Verdict::Ineligible;
            }
            Verdict::Eligible((band, rank, MetricKey::of(candidate)))
        }));
    }

    fn when(&self, incumbent: &RankedKey, better: &RankedKey) -> Move {
        if incumbent.0 != better.0 {
            Move::AtOnce
        } else if incumbent.1 != better.1 {
            Move::AfterHold
        } else {
            SelectionPolicy::<()>::when(&BabelMetric, &incumbent.2, &better.2)
        }
    }

    fn reason(&self, incumbent: &RankedKey, better: &RankedKey) -> ChangeReason {
        if incumbent.0 != better.0 {
            ChangeReason::Goal
        } else if incumbent.1 != better.1 {
            ChangeReason::Rank
        } else {
            ChangeReason::Metric
        }
    }

    fn steps(&self, key: &RankedKey) -> Vec<Step> {
        let step = |name, value: u8| Step {
            name,
            value: value.to_string(),
            order: value.into(),
        };
        let mut steps = vec![step("band", key.0), step("rank", key.1)];
        steps.extend(key.2.steps());
        steps
    }

    fn penalty(&self, key: &RankedKey) -> Metric {
        if key.0 == PROVEN {
            Metric::ZERO
        } else {
            self.penalty
        }
    }

    fn hold(&self, _: Duration) -> Duration {
        HOLD
    }
}

/// Two links, no neighbours yet, everybody proven.
pub(crate) fn ranked_bench() -> Bench<(), Ranked> {
    Bench::custom(config(), (), Ranked::default())
}

impl Bench<(), Ranked> {
    /// A measurement arrives: neighbour `n` belongs there now.
    pub(crate) fn place(&mut self, n: u16, band: u8, rank: u8) {
        self.node
            .update_policy(self.now, |policy| policy.place(n, band, rank));
        self.drain();
    }

    /// Requests for a new seqno since `since`: when, to whom, for which.
    pub(crate) fn seqno_requests(
        &self,
        since: babel_core::time::Instant,
    ) -> Vec<(Duration, babel_core::wire::Destination, u16)> {
        let asked = self.sent.iter().filter(|sent| sent.at >= since);
        asked
            .filter_map(|sent| match sent.said {
                Said::SeqnoRequest { seqno, .. } => Some((sent.at.since(since), sent.to, seqno.0)),
                _ => None,
            })
            .collect()
    }

    /// What was told of a prefix on a link since `since`: seqno and metric.
    pub(crate) fn told(
        &self,
        link: babel_core::types::LinkId,
        prefix: &str,
        since: babel_core::time::Instant,
    ) -> Vec<(Duration, u16, u16)> {
        let sent = self.sent.iter().filter(|s| s.at >= since && s.link == link);
        sent.filter_map(|sent| match &sent.said {
            Said::Update {
                key: k,
                seqno,
                metric,
                ..
            } if *k == key(prefix) => Some((sent.at.since(since), seqno.0, metric.0)),
            _ => None,
        })
        .collect()
    }
}
