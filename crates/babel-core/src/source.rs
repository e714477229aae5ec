//! The source table and the feasibility condition: the whole of Babel's loop freedom.
//!
//! For each (prefix, router-id) a node remembers the best distance it ever *advertised*, and uses
//! no route that is not strictly better (RFC 8966 §3.5.1, §3.7.3). Entries live beside their
//! prefix. Price, rank and policy do not exist here.

use crate::timer::Tick;
use crate::types::{Metric, RouterId, SeqNo};
use core::time::Duration;
use smallvec::SmallVec;

/// How long a source outlives the last finite update sent for it (RFC 8966 appendix B).
pub(crate) const SOURCE_GC_TIME: Duration = Duration::from_secs(180);

/// The feasibility distance of one originator of one prefix.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Source {
    pub(crate) router_id: RouterId,
    pub(crate) seqno: SeqNo,
    pub(crate) metric: Metric,
    pub(crate) expires: Tick,
}

/// All originators remembered for one prefix.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sources(SmallVec<[Source; 1]>);

impl Sources {
    /// The entry of an originator.
    pub(crate) fn get(&self, router_id: RouterId) -> Option<&Source> {
        self.0.iter().find(|source| source.router_id == router_id)
    }

    /// Whether a route with this advertised distance may be used (RFC 8966 §3.5.1). An infinite
    /// metric is always feasible.
    pub(crate) fn feasible(&self, router_id: RouterId, seqno: SeqNo, refmetric: Metric) -> bool {
        refmetric.is_infinite()
            || self.get(router_id).is_none_or(|source| {
                seqno.newer_than(source.seqno)
                    || (seqno == source.seqno && refmetric < source.metric)
            })
    }

    /// Whether another originator can be remembered within `limit`.
    pub(crate) fn has_room(&self, router_id: RouterId, limit: usize) -> bool {
        self.0.len() < limit || self.get(router_id).is_some()
    }

    /// Records a finite update about to be sent (RFC 8966 §3.7.3). True if the entry is new, so
    /// that its collection must be scheduled.
    pub(crate) fn advertise(
        &mut self,
        router_id: RouterId,
        seqno: SeqNo,
        metric: Metric,
        now: Tick,
    ) -> bool {
        let expires = now.after(SOURCE_GC_TIME);
        match self
            .0
            .iter_mut()
            .find(|source| source.router_id == router_id)
        {
            Some(source) => {
                if seqno.newer_than(source.seqno) {
                    source.seqno = seqno;
                    source.metric = metric;
                } else if seqno == source.seqno {
                    source.metric = source.metric.min(metric);
                }
                source.expires = expires;
                false
            }
            None => {
                self.0.push(Source {
                    router_id,
                    seqno,
                    metric,
                    expires,
                });
                true
            }
        }
    }

    /// Forgets what has expired; answers when to look again.
    pub(crate) fn collect(&mut self, now: Tick) -> Option<Tick> {
        self.0.retain(|source| source.expires > now);
        self.0.iter().map(|source| source.expires).min()
    }

    /// Whether nothing is remembered.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Instant;

    const A: RouterId = RouterId([1; 8]);
    const B: RouterId = RouterId([2; 8]);

    fn tick(seconds: u64) -> Tick {
        Tick::of(Instant::from_micros(seconds * 1_000_000))
    }

    #[test]
    fn feasibility_truth_table() {
        let mut sources = Sources::default();
        assert!(
            sources.feasible(A, SeqNo(5), Metric(60000)),
            "no entry: anything goes"
        );
        sources.advertise(A, SeqNo(5), Metric(100), tick(0));
        assert!(sources.feasible(A, SeqNo(5), Metric(99)));
        assert!(
            !sources.feasible(A, SeqNo(5), Metric(100)),
            "equal is not strictly better"
        );
        assert!(!sources.feasible(A, SeqNo(5), Metric(101)));
        assert!(
            sources.feasible(A, SeqNo(6), Metric(60000)),
            "a newer seqno suffices"
        );
        assert!(
            !sources.feasible(A, SeqNo(4), Metric(1)),
            "an older one never does"
        );
        assert!(
            sources.feasible(A, SeqNo(4), Metric::INFINITY),
            "retractions are feasible"
        );
        assert!(
            sources.feasible(B, SeqNo(0), Metric(60000)),
            "other originators do not matter"
        );
    }

    #[test]
    fn advertising_only_ever_lowers_the_distance_within_a_seqno() {
        let mut sources = Sources::default();
        let distance = |sources: &Sources| sources.get(A).map(|s| (s.seqno, s.metric));
        assert!(sources.advertise(A, SeqNo(5), Metric(100), tick(0)));
        assert!(!sources.advertise(A, SeqNo(5), Metric(200), tick(0)));
        assert_eq!(distance(&sources), Some((SeqNo(5), Metric(100))));
        sources.advertise(A, SeqNo(5), Metric(50), tick(0));
        assert_eq!(distance(&sources), Some((SeqNo(5), Metric(50))));
        sources.advertise(A, SeqNo(4), Metric(10), tick(0));
        assert_eq!(
            distance(&sources),
            Some((SeqNo(5), Metric(50))),
            "an older seqno is void"
        );
        sources.advertise(A, SeqNo(6), Metric(300), tick(0));
        assert_eq!(distance(&sources), Some((SeqNo(6), Metric(300))));
    }

    #[test]
    fn sources_are_collected_three_minutes_after_the_last_finite_update() {
        let mut sources = Sources::default();
        sources.advertise(A, SeqNo(5), Metric(100), tick(0));
        sources.advertise(A, SeqNo(5), Metric(100), tick(100));
        assert!(sources.collect(tick(279)).is_some());
        assert!(sources.collect(tick(281)).is_none());
        assert!(sources.is_empty());
    }

    #[test]
    fn the_cap_spares_originators_already_known() {
        let mut sources = Sources::default();
        sources.advertise(A, SeqNo(1), Metric(1), tick(0));
        assert!(sources.has_room(A, 1));
        assert!(!sources.has_room(B, 1));
    }
}
