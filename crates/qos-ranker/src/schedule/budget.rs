//! A target's budget of octets for any 24 hours.

use babel_core::time::Instant;
use core::time::Duration;
use std::collections::VecDeque;

const HOUR_US: u64 = 3_600_000_000;
/// The current hour and those that reach into the last 24.
const HOURS: u64 = 25;
/// Added to the clock's hours, so that what was spent before its origin has a number too.
const ORIGIN: u64 = HOURS;

/// What was spent, by the hour, and what running tests may spend yet. An hour counts until all
/// of it is a day ago, so that no span of 24 hours can hold more than the budget.
#[derive(Clone, Debug, Default)]
pub(super) struct Budget {
    /// Hours, counted from [`ORIGIN`] before the clock's, and octets; the latest last.
    hours: VecDeque<(u64, u64)>,
    reserved: u64,
}

impl Budget {
    /// Sets up to `wanted` octets aside for a test; `None` if not even `least` are left.
    pub(super) fn reserve(
        &mut self,
        now: Instant,
        budget: u64,
        wanted: u64,
        least: u64,
    ) -> Option<u64> {
        let left = budget.saturating_sub(self.spent(now));
        let granted = wanted.min(left);
        if granted < least.max(1) {
            return None;
        }
        self.reserved += granted;
        Some(granted)
    }

    /// A test spent `bytes` of what was `reserved` for it.
    pub(super) fn spend(&mut self, now: Instant, bytes: u64, reserved: u64) {
        self.reserved = self.reserved.saturating_sub(reserved);
        let hour = hour(now);
        match self.hours.back_mut() {
            Some((last, spent)) if *last >= hour => *spent = spent.saturating_add(bytes),
            _ => self.hours.push_back((hour, bytes)),
        }
        while self
            .hours
            .front()
            .is_some_and(|(old, _)| old + HOURS <= hour)
        {
            self.hours.pop_front();
        }
    }

    /// Takes over what was spent so long ago, in another life.
    pub(super) fn restore(&mut self, now: Instant, age: Duration, bytes: u64) {
        let hours = age.as_secs() / 3600;
        if hours >= HOURS {
            return;
        }
        let hour = hour(now).saturating_sub(hours);
        match self.hours.binary_search_by_key(&hour, |(hour, _)| *hour) {
            Ok(at) => {
                if let Some((_, spent)) = self.hours.get_mut(at) {
                    *spent = spent.saturating_add(bytes);
                }
            }
            Err(at) => self.hours.insert(at, (hour, bytes)),
        }
    }

    /// What counts yet: how long ago at least, and octets. What is set aside is as good as spent.
    pub(super) fn recent(&self, now: Instant) -> impl Iterator<Item = (Duration, u64)> {
        let hour = hour(now);
        let ago = |hours: u64| Duration::from_secs(hours * 3600);
        let hours = self
            .hours
            .iter()
            .filter(move |(spent, _)| spent + HOURS > hour);
        let hours = hours.map(move |(spent, bytes)| (ago(hour.saturating_sub(*spent)), *bytes));
        let reserved = (self.reserved > 0).then_some((Duration::ZERO, self.reserved));
        hours.chain(reserved)
    }

    /// In the last 24 hours, with what is set aside.
    pub(super) fn spent(&self, now: Instant) -> u64 {
        let hour = hour(now);
        let recent = self.hours.iter().filter(|(spent, _)| spent + HOURS > hour);
        recent.fold(self.reserved, |sum, (_, bytes)| sum.saturating_add(*bytes))
    }
}

/// The number of the hour.
const fn hour(now: Instant) -> u64 {
    now.as_micros() / HOUR_US + ORIGIN
}

/// A day, by which budgets are counted.
pub(super) const DAY: Duration = Duration::from_secs(24 * 3600);

#[cfg(test)]
mod tests {
    use super::*;

    fn hours(hours: u64) -> Instant {
        Instant::from_micros(hours * HOUR_US + 1)
    }

    #[test]
    fn what_was_set_aside_counts_until_the_test_ends() {
        let mut budget = Budget::default();
        assert_eq!(budget.reserve(hours(0), 100, 70, 10), Some(70));
        assert_eq!(budget.reserve(hours(0), 100, 70, 10), Some(30));
        assert_eq!(budget.reserve(hours(0), 100, 70, 10), None);
        budget.spend(hours(0), 20, 70);
        assert_eq!(budget.spent(hours(0)), 50);
        assert_eq!(budget.reserve(hours(0), 100, 70, 10), Some(50));
    }

    #[test]
    fn an_hour_counts_until_all_of_it_is_a_day_ago() {
        let mut budget = Budget::default();
        budget.spend(hours(3), 60, 0);
        budget.spend(hours(10), 30, 0);
        assert_eq!(budget.spent(hours(27)), 90);
        assert_eq!(budget.spent(hours(28)), 30);
        assert_eq!(budget.spent(hours(35)), 0);
        budget.spend(hours(40), 1, 0);
        assert_eq!(budget.hours.len(), 1);
    }

    #[test]
    fn what_another_life_spent_counts_for_the_rest_of_its_day() {
        let mut old = Budget::default();
        old.spend(hours(100), 5, 0);
        old.spend(hours(110), 60, 0);
        assert_eq!(old.reserve(hours(112), 100, 30, 1), Some(30));
        // Half an hour away, and a clock that began only now.
        let mut new = Budget::default();
        for (age, bytes) in old.recent(hours(112)) {
            new.restore(hours(0), age + Duration::from_secs(1800), bytes);
        }
        assert_eq!(new.spent(hours(0)), 95);
        assert_eq!(new.spent(hours(13)), 90);
        assert_eq!(new.spent(hours(25)), 0);
        new.restore(hours(30), Duration::MAX, 1);
        assert_eq!(new.spent(hours(30)), 0);
    }
}
