//! How long to wait and how much to spend: the arithmetic of the schedule.

use super::Plan;
use super::budget::DAY;
use crate::score::log2;
use core::time::Duration;

/// A test of less measures little.
const LEAST_TEST: u64 = 2_000_000;
/// A test of more measures no better.
const GREATEST_TEST: u64 = 256_000_000;
/// No test is rarer.
const RAREST: Duration = DAY;
/// Nor more frequent on average, whatever the configuration says.
const DENSEST: Duration = Duration::from_secs(5);

/// A newcomer's first test: soon, but not together with that of all other newcomers.
pub(super) fn newcomer(random: &mut fastrand::Rng) -> Duration {
    Duration::from_millis(random.u64(5000..=30_000))
}

/// Random, exponentially spread around `spacing`, but neither below a quarter of it nor above
/// twice: a result is believed for three intervals, and must not run out by mere chance.
pub(super) fn around(random: &mut fastrand::Rng, spacing: Duration) -> Duration {
    // -ln(u) for u in (0, 1], from a logarithm with 48 fractional bits, to ten bits.
    let nats = ((64i64 << 48) - log2(random.u64(1..))) / 1_000_000 * 693_147;
    let factor = u32::try_from(nats >> 38).unwrap_or(u32::MAX);
    spacing.saturating_mul(factor.clamp(256, 2048)) / 1024
}

/// What to wait for on average after a test, given the failures in a row through this neighbour.
/// The first two are tried again sooner, for they may be evidence; then ever later.
pub(super) fn after(plan: &Plan, peers: u64, failures: u32) -> Duration {
    let interval = affordable(plan, peers);
    let spacing = match failures {
        0 => interval,
        1 | 2 => interval / 4,
        more => interval.saturating_mul(1 << (more - 3).min(4)),
    };
    spacing.clamp(DENSEST, RAREST)
}

/// What to wait for on average after a test was put off: a busy link calms down sooner than a
/// spent budget comes back.
pub(super) fn put_off(interval: Duration, busy: bool) -> Duration {
    let part = if busy { interval / 8 } else { interval / 2 };
    part.clamp(DENSEST, RAREST)
}

/// For how long a target is left alone that failed so often in a row, through whomever: the cost
/// of one that is down must not grow with the number of neighbours.
pub(super) fn closed(failures: u32, interval: Duration) -> Duration {
    match failures {
        0..=2 => Duration::ZERO,
        more => (interval / 16)
            .clamp(DENSEST, RAREST)
            .saturating_mul(1 << (more - 3).min(6))
            .min(RAREST),
    }
}

/// The most that one test may spend, so that the budget lasts for all neighbours all day.
pub(super) fn share(plan: &Plan, peers: u64) -> u64 {
    let tests = DAY.as_millis() / affordable(plan, peers).as_millis().max(1);
    let tests = u64::try_from(tests).unwrap_or(u64::MAX).max(1);
    let share = plan.daily_budget / tests.saturating_mul(peers.max(1));
    share.clamp(least(plan), GREATEST_TEST)
}

/// The interval, or a longer one if tests of a useful size would spend more than the budget.
fn affordable(plan: &Plan, peers: u64) -> Duration {
    let spent = u128::from(least(plan)) * u128::from(peers) * DAY.as_millis();
    let millis = spent / u128::from(plan.daily_budget.max(1));
    let affordable = Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX));
    plan.interval.max(affordable).clamp(DENSEST, RAREST)
}

fn least(plan: &Plan) -> u64 {
    LEAST_TEST.min(plan.daily_budget).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(interval: u64, daily_budget: u64) -> Plan {
        Plan {
            name: "fra".into(),
            scope: None,
            interval: Duration::from_secs(interval),
            daily_budget,
            link_test: false,
        }
    }

    #[test]
    fn spacing_is_random_within_bounds_and_right_on_average() {
        let mut random = fastrand::Rng::with_seed(1);
        let spacing = Duration::from_secs(1000);
        let all: Vec<u64> = (0..20_000)
            .map(|_| around(&mut random, spacing).as_secs())
            .collect();
        assert!(all.iter().all(|one| (250..=2000).contains(one)));
        // The mean of an exponential law cut off there is 0.8934.
        let mean = all.iter().sum::<u64>() / 20_000;
        assert!((875..=912).contains(&mean), "{mean}");
        let short = all.iter().filter(|one| **one < 500).count();
        assert!(
            (7_500..=8_250).contains(&short),
            "{short} of 20000, 7869 are expected"
        );
    }

    #[test]
    fn shares_of_the_budget_shrink_with_the_number_of_neighbours() {
        let plan = plan(3600, 2_000_000_000);
        assert_eq!(share(&plan, 1), 83_333_333);
        assert_eq!(share(&plan, 10), 8_333_333);
        assert_eq!(share(&plan, 1000), 2_000_000);
        assert_eq!(affordable(&plan, 1000).as_secs(), 86_400);
    }

    #[test]
    fn a_tiny_budget_makes_tests_rare_and_small_and_none_makes_nothing_divide_by_zero() {
        let tiny = plan(3600, 1_000_000);
        assert_eq!((share(&tiny, 1), affordable(&tiny, 1)), (1_000_000, DAY));
        assert_eq!(
            (share(&plan(0, 0), 0), affordable(&plan(0, 0), 5)),
            (1, DAY)
        );
        assert_eq!(share(&plan(u64::MAX, u64::MAX), u64::MAX), 2_000_000);
    }

    #[test]
    fn failures_are_followed_up_soon_and_then_ever_later() {
        let plan = plan(3600, 2_000_000_000);
        let hours: Vec<u64> = (0..9).map(|n| after(&plan, 1, n).as_secs() / 900).collect();
        assert_eq!(hours, [4, 1, 1, 4, 8, 16, 32, 64, 64]);
        let closed: Vec<u64> = (2..12)
            .map(|n| closed(n, plan.interval).as_secs())
            .collect();
        assert_eq!(
            closed,
            [0, 225, 450, 900, 1800, 3600, 7200, 14_400, 14_400, 14_400]
        );
    }
}
