//! When something was measured, and how long it may be believed.
//!
//! After a restart a measurement can be older than the clock's origin, which an
//! [`Instant`] cannot say; so a moment is an instant and what lay before it. All is in whole
//! microseconds and saturates: no clock can make a measurement immortal or a sum panic.

use babel_core::time::Instant;
use core::time::Duration;

/// A point in time, possibly before the clock's origin.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Moment {
    at: Instant,
    /// Microseconds that had passed when it was `at`.
    earlier: u64,
}

impl Moment {
    pub(crate) const fn now(now: Instant) -> Self {
        Self {
            at: now,
            earlier: 0,
        }
    }

    /// What was `age` ago at `now`.
    pub(crate) fn ago(now: Instant, age: Duration) -> Self {
        Self {
            at: now,
            earlier: micros(age),
        }
    }

    pub(crate) const fn age(self, now: Instant) -> Duration {
        Duration::from_micros(self.age_us(now))
    }

    const fn age_us(self, now: Instant) -> u64 {
        now.as_micros()
            .saturating_sub(self.at.as_micros())
            .saturating_add(self.earlier)
    }

    /// When its age reaches this many microseconds.
    fn reaches(self, age_us: u64) -> Instant {
        self.at + Duration::from_micros(age_us.saturating_sub(self.earlier))
    }
}

/// How old something is beside its validity.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Freshness {
    /// May be believed; for the last quarter of its validity it sinks step by step, and this is
    /// how many steps.
    Fresh(u8),
    /// Its validity is over. It is kept for as long again, to be shown.
    Stale,
    /// Not worth a thought.
    Gone,
}

/// The span of time in which something may be believed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Lifetime {
    taken: Moment,
    /// Microseconds.
    valid: u64,
}

impl Lifetime {
    /// Longer than this nothing is believed.
    pub(crate) const LONGEST: Duration = Duration::from_secs(7 * 24 * 3600);
    /// Sixteenths of the validity at which it sinks.
    const SINKS: [u64; 4] = [12, 13, 14, 15];
    /// Sixteenths after which it is stale, and gone.
    const STALE: u64 = 16;
    const GONE: u64 = 32;

    pub(crate) fn new(taken: Moment, valid: Duration) -> Self {
        Self {
            taken,
            valid: micros(valid.min(Self::LONGEST)),
        }
    }

    pub(crate) const fn age(&self, now: Instant) -> Duration {
        self.taken.age(now)
    }

    pub(crate) const fn valid(&self) -> Duration {
        Duration::from_micros(self.valid)
    }

    pub(crate) fn remaining(&self, now: Instant) -> Duration {
        self.valid().saturating_sub(self.age(now))
    }

    pub(crate) fn freshness(&self, now: Instant) -> Freshness {
        if now >= self.reaches(Self::GONE) {
            Freshness::Gone
        } else if now >= self.reaches(Self::STALE) {
            Freshness::Stale
        } else {
            let passed = Self::SINKS.map(|edge| now >= self.sinks(edge));
            Freshness::Fresh(passed.into_iter().map(u8::from).sum())
        }
    }

    pub(crate) fn is_fresh(&self, now: Instant) -> bool {
        matches!(self.freshness(now), Freshness::Fresh(_))
    }

    /// When its freshness changes next.
    pub(crate) fn next_change(&self, now: Instant) -> Option<Instant> {
        let sinks = Self::SINKS.map(|edge| self.sinks(edge));
        let stale = self.reaches(Self::STALE);
        let first = sinks
            .into_iter()
            .filter(|sink| *sink > now && *sink < stale)
            .min();
        let end = if stale > now {
            stale
        } else {
            self.reaches(Self::GONE)
        };
        first.or_else(|| (end > now).then_some(end))
    }

    /// When it sinks at this age. All that has the same validity sinks at the same times, at the
    /// next sixteenth of it by the clock: of two neighbours measured a minute apart, one must not
    /// be the better now and the other a minute later.
    fn sinks(&self, sixteenths: u64) -> Instant {
        let reached = self.reaches(sixteenths);
        let beat = (self.valid / 16).max(1);
        let since = reached.as_micros() % beat;
        if since == 0 || self.was(sixteenths) {
            return reached;
        }
        reached + Duration::from_micros(beat - since)
    }

    /// When its age reaches so much of its validity.
    fn reaches(&self, sixteenths: u64) -> Instant {
        match self.was(sixteenths) {
            true => Instant::ZERO,
            false => self.taken.reaches(self.edge(sixteenths)),
        }
    }

    /// Whether it was that old already when it was first heard of.
    const fn was(&self, sixteenths: u64) -> bool {
        self.taken.earlier >= self.edge(sixteenths)
    }

    /// In microseconds. The longest validity times 32 fits.
    const fn edge(&self, sixteenths: u64) -> u64 {
        self.valid * sixteenths / 16
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn minutes(minutes: u64) -> Instant {
        Instant::from_micros(minutes * 60_000_000)
    }

    #[test]
    fn freshness_sinks_in_steps_over_the_last_quarter() {
        let life = Lifetime::new(Moment::now(Instant::ZERO), HOUR);
        let at = |m| life.freshness(minutes(m));
        assert_eq!(at(44), Freshness::Fresh(0));
        assert_eq!(at(45), Freshness::Fresh(1));
        assert_eq!(at(50), Freshness::Fresh(2));
        assert_eq!(at(53), Freshness::Fresh(3));
        assert_eq!(at(59), Freshness::Fresh(4));
        assert_eq!(at(60), Freshness::Stale);
        assert_eq!(at(119), Freshness::Stale);
        assert_eq!(at(120), Freshness::Gone);
    }

    #[test]
    fn each_change_is_foretold_and_has_happened_when_its_time_comes() {
        let taken = Moment::ago(Instant::from_micros(5), Duration::from_micros(333));
        let life = Lifetime::new(taken, Duration::from_micros(1007));
        let mut now = Instant::from_micros(5);
        let mut seen = vec![life.freshness(now)];
        while let Some(next) = life.next_change(now) {
            assert!(next > now);
            let before = life.freshness(next - Duration::from_micros(1));
            assert_eq!(Some(&before), seen.last());
            now = next;
            assert!(life.freshness(now) > before);
            seen.push(life.freshness(now));
        }
        assert!(seen.len() >= 6, "{seen:?}");
        assert_eq!(seen.last(), Some(&Freshness::Gone));
    }

    #[test]
    fn what_was_measured_a_little_later_does_not_sink_a_little_later() {
        let beat = HOUR.as_micros() as u64 / 16;
        for offset in 0..20 {
            let lives = [0, 60].map(|second| {
                let taken = Instant::from_micros(offset * 33_000_000 + second * 1_000_000);
                Lifetime::new(Moment::now(taken), HOUR)
            });
            let mut last = None;
            for second in 0..3600 {
                let now = Instant::from_micros(second * 1_000_000);
                let [Freshness::Fresh(one), Freshness::Fresh(two)] =
                    lives.map(|life| life.freshness(now))
                else {
                    break;
                };
                let apart = one - two;
                assert!(apart <= 1);
                if !now.as_micros().is_multiple_of(beat) && last.is_some() {
                    assert_eq!(last, Some(apart), "nothing happens between two beats");
                }
                last = Some(apart);
            }
        }
    }

    #[test]
    fn what_is_older_than_the_clock_has_an_age() {
        let life = Lifetime::new(Moment::ago(Instant::ZERO, HOUR / 2), HOUR);
        assert_eq!(life.age(minutes(10)), Duration::from_secs(40 * 60));
        assert_eq!(life.remaining(minutes(10)), Duration::from_secs(20 * 60));
        assert_eq!(life.freshness(minutes(30)), Freshness::Stale);
    }

    #[test]
    fn nothing_lives_for_ever_whatever_it_was_told() {
        let life = Lifetime::new(Moment::now(Instant::ZERO), Duration::MAX);
        assert_eq!(life.freshness(minutes(7 * 24 * 60)), Freshness::Stale);
        let ancient = Lifetime::new(Moment::ago(Instant::ZERO, Duration::MAX), Duration::MAX);
        assert_eq!(ancient.freshness(minutes(1)), Freshness::Gone);
        assert_eq!(ancient.next_change(minutes(1)), None);
        let never = Lifetime::new(Moment::now(Instant::ZERO), Duration::ZERO);
        assert!(!never.is_fresh(Instant::ZERO));
    }
}
