//! The last readings of one component by one source, and what to make of them.
//!
//! An outlier must not move anything, and a change must be believed soon: the median of the last
//! five at most, of two middle ones the worse. The first alone counts at once.

use crate::measurement::Component;
use crate::moment::{Freshness, Lifetime};
use babel_core::time::Instant;

/// One value of a component.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Reading {
    /// In the component's small unit.
    pub(crate) value: u64,
    pub(crate) life: Lifetime,
}

/// What a ring says now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Middle {
    pub(crate) value: u64,
    /// That of the newest reading.
    pub(crate) freshness: Freshness,
    /// How many readings it is made of.
    pub(crate) count: usize,
    /// Between the least and the greatest of them, in per cent of the greatest.
    pub(crate) spread: u8,
}

/// Readings, the newest last.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Ring {
    readings: Vec<Reading>,
}

impl Ring {
    /// Readings kept of a source that measures again and again.
    pub(crate) const LENGTH: usize = 5;

    /// Adds the newest reading; at most `length` stay.
    pub(crate) fn push(&mut self, reading: Reading, length: usize) {
        self.readings.push(reading);
        let surplus = self.readings.len().saturating_sub(length.max(1));
        self.readings.drain(..surplus);
    }

    /// Drops what is not worth keeping.
    pub(crate) fn sweep(&mut self, now: Instant) {
        self.readings
            .retain(|reading| reading.life.freshness(now) != Freshness::Gone);
    }

    pub(crate) fn clear(&mut self) {
        self.readings.clear();
    }

    pub(crate) fn newest(&self) -> Option<&Reading> {
        self.readings.last()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Reading> {
        self.readings.iter()
    }

    /// The median of what is fresh; with nothing fresh, the last that was known.
    pub(crate) fn middle(&self, component: Component, now: Instant) -> Option<Middle> {
        let fresh = |reading: &&Reading| reading.life.is_fresh(now);
        let Some(newest) = self.readings.iter().rfind(fresh) else {
            let last = self.newest()?;
            let freshness = last.life.freshness(now);
            return (freshness == Freshness::Stale).then_some(Middle {
                value: last.value,
                freshness,
                count: 0,
                spread: 0,
            });
        };
        let fresh = self.readings.iter().filter(fresh);
        let mut values: Vec<u64> = fresh.map(|reading| reading.value).collect();
        sort_worst_first(&mut values, component);
        Some(Middle {
            value: *values.get((values.len() - 1) / 2)?,
            freshness: newest.life.freshness(now),
            count: values.len(),
            spread: spread(&values),
        })
    }
}

/// Sorts values of a component so that the worst is first.
pub(crate) fn sort_worst_first(values: &mut [u64], component: Component) {
    values.sort_unstable();
    if !component.more_is_better() {
        values.reverse();
    }
}

/// Between the first and the last of sorted values, in per cent of the greater.
fn spread(sorted: &[u64]) -> u8 {
    let (first, last) = (sorted.first(), sorted.last());
    let (Some(&a), Some(&b)) = (first, last) else {
        return 0;
    };
    let share = u128::from(a.abs_diff(b)) * 100 / u128::from(a.max(b).max(1));
    u8::try_from(share).unwrap_or(100)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::moment::Moment;
    use core::time::Duration;

    fn ring(values: &[u64]) -> Ring {
        let mut ring = Ring::default();
        for (second, &value) in (0..).zip(values) {
            let taken = Moment::now(Instant::from_micros(second * 1_000_000));
            let life = Lifetime::new(taken, Duration::from_secs(100));
            ring.push(Reading { value, life }, Ring::LENGTH);
        }
        ring
    }

    fn value(values: &[u64], component: Component) -> Option<u64> {
        let middle = ring(values).middle(component, Instant::from_micros(10_000_000));
        middle.map(|middle| middle.value)
    }

    #[test]
    fn the_median_counts_and_of_two_middle_ones_the_worse() {
        use Component::{Download, Latency};
        assert_eq!(value(&[], Download), None);
        assert_eq!(value(&[7], Download), Some(7));
        assert_eq!(value(&[7, 9], Download), Some(7));
        assert_eq!(value(&[7, 9], Latency), Some(9));
        assert_eq!(value(&[7, 900, 8], Download), Some(8));
        assert_eq!(value(&[7, 900, 8, 9], Latency), Some(9));
        assert_eq!(value(&[1, 1, 1, 9, 9, 9], Download), Some(9));
    }

    #[test]
    fn what_ran_out_does_not_count_while_something_is_fresh() {
        let ring = ring(&[1, 1, 5]);
        let at = |second: u64| {
            ring.middle(
                Component::Download,
                Instant::from_micros(second * 1_000_000),
            )
        };
        assert_eq!(at(10).map(|m| (m.value, m.count)), Some((1, 3)));
        assert_eq!(at(101).map(|m| (m.value, m.count)), Some((5, 1)));
        assert_eq!(
            at(102).map(|m| (m.value, m.freshness)),
            Some((5, Freshness::Stale))
        );
        assert_eq!(at(202), None);
    }

    #[test]
    fn the_spread_is_told_in_per_cent() {
        let middle = ring(&[80, 100, 90]).middle(Component::Download, Instant::ZERO);
        assert_eq!(middle.map(|middle| middle.spread), Some(20));
        let middle = ring(&[0, 0]).middle(Component::Download, Instant::ZERO);
        assert_eq!(middle.map(|middle| middle.spread), Some(0));
    }
}
