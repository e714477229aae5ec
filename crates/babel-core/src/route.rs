//! One route: what one neighbour announced for one prefix.

use crate::time::{Instant, Interval};
use crate::timer::Tick;
use crate::types::{Metric, NeighbourId, RouterId, SeqNo};
use core::time::Duration;

/// Where a new route's smoothed metric starts, as in stock babeld: a newcomer must prove itself.
const NEWCOMER: u16 = 32767;

/// A route as announced. The total metric is not stored: it is `refmetric` plus the neighbour's
/// present cost plus `filter_metric`, so that a cost change touches nothing here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Route<A> {
    pub(crate) neighbour: NeighbourId,
    pub(crate) router_id: RouterId,
    pub(crate) seqno: SeqNo,
    pub(crate) refmetric: Metric,
    /// What the `in` filters add.
    pub(crate) filter_metric: Metric,
    /// Index into the neighbour's next hops.
    pub(crate) next_hop: u16,
    pub(crate) interval: Interval,
    /// The last finite update, or the moment of expiry.
    pub(crate) updated: Tick,
    pub(crate) smoothed: Smoothed,
    /// When its chore is queued; a chore of another time is stale.
    pub(crate) chore_at: Tick,
    /// Position in the neighbour's list of routes.
    pub(crate) slot: u32,
    /// An `install` rule refuses it.
    pub(crate) refused: bool,
    /// The neighbour was asked to refresh it, shortly before expiry.
    pub(crate) refresh_asked: bool,
    pub(crate) attr: A,
}

impl<A> Route<A> {
    /// How long the route is believed after an update: 3.5 times the interval promised
    /// (RFC 8966 appendix B); for ever if no further update was promised.
    pub(crate) fn hold_time(&self) -> Option<Duration> {
        (self.interval != Interval::INFINITE).then(|| self.interval.duration() * 7 / 2)
    }

    /// When it expires.
    pub(crate) fn expires(&self) -> Option<Instant> {
        self.hold_time()
            .map(|hold| self.updated.after(hold).start())
    }

    /// When to ask the neighbour for it, if it is in use and no update came (§3.8.2.3).
    pub(crate) fn refresh_at(&self) -> Option<Instant> {
        self.hold_time()
            .map(|hold| self.updated.after(hold * 7 / 8).start())
    }

    /// Whether it was retracted or has expired.
    pub(crate) const fn is_retracted(&self) -> bool {
        self.refmetric.is_infinite()
    }
}

/// A metric that follows its target exponentially (RFC 8966 appendix A.3).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Smoothed {
    value: u16,
    at: Tick,
}

impl Smoothed {
    /// As of a new route of this metric.
    pub(crate) fn newcomer(metric: Metric, half_life: Duration, now: Instant) -> Self {
        let value = if half_life.is_zero() {
            metric.0
        } else {
            metric.0.max(NEWCOMER)
        };
        Self {
            value,
            at: Tick::of(now),
        }
    }

    /// As of a route that had to be taken whatever its age: nothing to prove.
    pub(crate) fn settled(metric: Metric, now: Instant) -> Self {
        Self {
            value: metric.0,
            at: Tick::of(now),
        }
    }

    /// The value at `now`, while the metric is and has been `target`.
    pub(crate) fn value(&self, target: Metric, half_life: Duration, now: Instant) -> Metric {
        if half_life.is_zero() || target.is_infinite() {
            return target;
        }
        let elapsed = now.since(self.at.start()).as_micros();
        let (halvings, rest) = (
            elapsed / half_life.as_micros(),
            elapsed % half_life.as_micros(),
        );
        let gap = i64::from(self.value) - i64::from(target.0);
        let halved = gap >> halvings.min(32);
        // Within one half-life the curve is drawn straight: continuous, monotone, exact at both
        // ends, at most 6 % off between them.
        let part = i64::try_from(rest * 1024 / (2 * half_life.as_micros())).unwrap_or(0);
        let value = i64::from(target.0) + halved - halved * part / 1024;
        Metric(u16::try_from(value).unwrap_or(u16::MAX))
    }

    /// Fixes the present value before the target changes.
    pub(crate) fn fix(&mut self, old_target: Metric, half_life: Duration, now: Instant) {
        // An infinite target has no value worth following: begin again as a newcomer.
        let value = self.value(old_target, half_life, now);
        self.value = if value.is_infinite() {
            NEWCOMER
        } else {
            value.0
        };
        self.at = Tick::of(now);
    }

    /// The first half-life boundary (or quarter, if near) by which the value will have come down
    /// below `threshold`; `None` if it never will.
    pub(crate) fn below_at(
        &self,
        threshold: Metric,
        target: Metric,
        half_life: Duration,
        now: Instant,
    ) -> Option<Instant> {
        if target >= threshold || target.is_infinite() || half_life.is_zero() {
            return None;
        }
        let step = (half_life / 4).max(Duration::from_millis(50));
        let mut at = now;
        // The gap of 16 bits is gone after 16 half-lives, so this ends.
        for _ in 0..72 {
            at = at + step;
            if self.value(target, half_life, at) < threshold {
                return Some(at);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HALF_LIFE: Duration = Duration::from_secs(4);

    fn at(seconds: u64) -> Instant {
        Instant::from_micros(seconds << 20)
    }

    #[test]
    fn a_newcomer_starts_at_half_of_infinity_and_halves_its_gap_each_half_life() {
        let smoothed = Smoothed::newcomer(Metric(96), HALF_LIFE, at(0));
        let value =
            |t: u64| smoothed.value(Metric(96), HALF_LIFE, Instant::from_micros(t * 1_000_000));
        assert_eq!(value(0), Metric(32767));
        assert_eq!(value(4), Metric(96 + (32767 - 96) / 2));
        assert_eq!(value(8), Metric(96 + (32767 - 96) / 4));
        assert_eq!(value(400), Metric(96));
        assert!(
            (0..60).all(|t| value(t + 1) <= value(t)),
            "it only ever comes down"
        );
    }

    #[test]
    fn without_a_half_life_the_smoothed_metric_is_the_metric() {
        let smoothed = Smoothed::newcomer(Metric(96), Duration::ZERO, at(0));
        assert_eq!(
            smoothed.value(Metric(500), Duration::ZERO, at(0)),
            Metric(500)
        );
    }

    #[test]
    fn the_time_when_a_newcomer_wins_is_known_in_advance() {
        let smoothed = Smoothed::newcomer(Metric(96), HALF_LIFE, at(0));
        let when = smoothed
            .below_at(Metric(192), Metric(96), HALF_LIFE, at(0))
            .expect("it wins");
        assert!(smoothed.value(Metric(96), HALF_LIFE, when) < Metric(192));
        let seconds = when.as_micros() / 1_000_000;
        assert!(
            (30..40).contains(&seconds),
            "stock takes about 35 s; this takes {seconds}"
        );
        assert_eq!(
            smoothed.below_at(Metric(96), Metric(96), HALF_LIFE, at(0)),
            None
        );
    }
}
