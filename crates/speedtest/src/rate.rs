//! From a running total to a rate: bins of 100 ms, the ramp discarded, and whether it is steady.
//!
//! Pure: time comes in with each observation.

use crate::contract::Confidence;
use std::time::Duration;

/// One bin.
pub(crate) const BIN: Duration = Duration::from_millis(100);
/// This many last bins must agree before a test may end early.
const STEADY_BINS: usize = 8;
/// How far they may be apart: largest less smallest, in percent of their mean.
const STEADY_PERCENT: u64 = 5;
/// A bin belongs to the ramp until one reaches this share of the later half's median.
const RAMP_PERCENT: u64 = 85;
/// What lasted less than this says nothing; what lasted less than a bin, not much.
const GLIMPSE: Duration = Duration::from_millis(2);
const GLIMPSE_PERCENT: u8 = 5;
/// Bins kept; a test longer than this is not measured beyond it.
const MOST_BINS: usize = 1200;

/// More than any link carries in a test, and small enough to calculate with.
const MOST_OCTETS: u64 = 1 << 48;

/// Octets per bin since the beginning of a transfer.
#[derive(Clone, Default, Debug)]
pub(crate) struct Estimator {
    bins: Vec<u64>,
    /// The total at the end of the last full bin.
    settled: u64,
    /// The last observation.
    last: (Duration, u64),
}

/// What came out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Estimate {
    pub(crate) bps: u64,
    pub(crate) confidence: Confidence,
}

impl Estimator {
    /// `total` octets have flowed by `elapsed`. A total that falls back is ignored.
    ///
    /// Between two observations the octets are taken to have flowed evenly.
    pub(crate) fn observe(&mut self, elapsed: Duration, total: u64) {
        let (before, was) = self.last;
        let total = total.clamp(was, MOST_OCTETS);
        if elapsed <= before {
            self.last.1 = total;
            return;
        }
        while self.bins.len() < MOST_BINS && self.edge() <= elapsed {
            let part = self.edge().saturating_sub(before).as_micros();
            let span = (elapsed - before).as_micros().max(1);
            let share = u128::from(total - was) * part.min(span) / span;
            let at_edge = was + u64::try_from(share).unwrap_or(0);
            self.bins.push(at_edge.saturating_sub(self.settled));
            self.settled = self.settled.max(at_edge);
        }
        self.last = (elapsed, total);
    }

    /// The rate of the last full bins, for progress.
    pub(crate) fn recent_bps(&self) -> u64 {
        let tail = self.tail(3);
        per_second(tail.iter().sum(), tail.len())
    }

    /// The last bins agree.
    pub(crate) fn is_steady(&self) -> bool {
        let tail = self.tail(STEADY_BINS);
        let (Some(least), Some(most)) = (tail.iter().min(), tail.iter().max()) else {
            return false;
        };
        let sum: u64 = tail.iter().sum();
        tail.len() == STEADY_BINS
            && sum > 0
            && (most - least) * 100 * (STEADY_BINS as u64) <= STEADY_PERCENT * sum
    }

    /// The mean rate after the ramp. `None`: nothing flowed, or for less than [`GLIMPSE`].
    ///
    /// A link so fast that all of a test's octets pass within one bin has at least the mean rate
    /// of all of them; that is not worth much, and better than nothing.
    pub(crate) fn estimate(&self) -> Option<Estimate> {
        let settled = self.bins.get(self.ramp()..)?;
        let sum: u64 = settled.iter().sum();
        let (elapsed, total) = self.last;
        if settled.is_empty() && elapsed >= GLIMPSE && total > 0 {
            let bps = u128::from(total) * 8_000_000 / elapsed.as_micros();
            return Some(Estimate {
                bps: u64::try_from(bps).unwrap_or(u64::MAX),
                confidence: Confidence::from_percent(GLIMPSE_PERCENT),
            });
        }
        if sum == 0 {
            return None;
        }
        Some(Estimate {
            bps: per_second(sum, settled.len()),
            confidence: confidence(settled, sum),
        })
    }

    fn edge(&self) -> Duration {
        BIN * u32::try_from(self.bins.len() + 1).unwrap_or(u32::MAX)
    }

    fn tail(&self, count: usize) -> &[u64] {
        let from = self.bins.len().saturating_sub(count);
        self.bins.get(from..).unwrap_or_default()
    }

    /// How many bins at the front are ramp: at most half of them.
    fn ramp(&self) -> usize {
        let half = self.bins.len() / 2;
        let mut later = self.bins.get(half..).unwrap_or_default().to_vec();
        later.sort_unstable();
        let Some(median) = later.get(later.len() / 2) else {
            return 0;
        };
        self.bins
            .iter()
            .take(half)
            .position(|bin| bin * 100 >= median * RAMP_PERCENT)
            .map_or(half, |first| (first + 1).min(half))
    }
}

fn per_second(octets: u64, bins: usize) -> u64 {
    let milliseconds = (bins as u128 * BIN.as_millis()).max(1);
    u64::try_from(u128::from(octets) * 8000 / milliseconds).unwrap_or(u64::MAX)
}

/// 100 less the mean deviation in percent; fewer than eight bins are worth less.
fn confidence(bins: &[u64], sum: u64) -> Confidence {
    let count = bins.len() as u64;
    let deviation: u64 = bins
        .iter()
        .map(|bin| (bin.saturating_mul(count)).abs_diff(sum) / count.max(1))
        .sum();
    let steady = 100_u64.saturating_sub(deviation.saturating_mul(100) / sum.max(1));
    let enough = count.min(STEADY_BINS as u64);
    Confidence::from_percent(u8::try_from(steady * enough / STEADY_BINS as u64).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fed(bins: &[u64]) -> Estimator {
        let mut estimator = Estimator::default();
        let mut total = 0;
        for (index, bin) in bins.iter().enumerate() {
            total += bin;
            estimator.observe(BIN * (index as u32 + 1), total);
        }
        estimator
    }

    #[test]
    fn the_ramp_does_not_count() {
        let mut bins = vec![1_000, 5_000, 20_000, 60_000];
        bins.extend([100_000; 12]);
        let estimate = fed(&bins).estimate().expect("an estimate");
        assert_eq!(estimate.bps, 8_000_000);
        assert_eq!(estimate.confidence, Confidence::FULL);
    }

    #[test]
    fn a_rate_that_grows_to_the_end_gives_its_later_half() {
        let bins: Vec<u64> = (1..=10).map(|n| n * 1000).collect();
        let estimate = fed(&bins).estimate().expect("an estimate");
        assert!((400_000..=720_000).contains(&estimate.bps), "{estimate:?}");
        assert!(estimate.confidence.percent() < 60, "{estimate:?}");
    }

    #[test]
    fn steady_means_that_eight_bins_agree() {
        assert!(!fed(&[100; 7]).is_steady());
        assert!(fed(&[100; 8]).is_steady());
        assert!(fed(&[0, 9, 100, 100, 104, 100, 100, 101, 100, 102]).is_steady());
        assert!(!fed(&[100, 100, 110, 100, 100, 100, 100, 100]).is_steady());
        assert!(!fed(&[0; 20]).is_steady());
    }

    #[test]
    fn coarse_observations_are_spread_over_the_bins() {
        let mut estimator = Estimator::default();
        for second in 1..=4 {
            estimator.observe(Duration::from_secs(second), second * 1_000_000);
        }
        assert!(estimator.is_steady());
        assert_eq!(estimator.estimate().map(|it| it.bps), Some(8_000_000));
        assert_eq!(estimator.recent_bps(), 8_000_000);
    }

    #[test]
    fn nothing_and_nonsense_are_no_estimate() {
        assert_eq!(Estimator::default().estimate(), None);
        assert_eq!(fed(&[0, 0, 0]).estimate(), None);
        let mut estimator = fed(&[100; 10]);
        estimator.observe(BIN, 5);
        estimator.observe(BIN * 11, 0);
        estimator.observe(Duration::MAX, u64::MAX);
        assert!(estimator.estimate().is_some());
        let mut estimator = Estimator::default();
        estimator.observe(Duration::from_secs(1), u64::MAX);
        let _ = (estimator.is_steady(), estimator.recent_bps());
    }

    #[test]
    fn a_test_that_a_fast_link_swallows_within_a_bin_still_gives_a_rate() {
        let mut estimator = Estimator::default();
        estimator.observe(Duration::from_millis(20), 25_000_000);
        let estimate = estimator.estimate().expect("an estimate");
        assert_eq!(estimate.bps, 10_000_000_000);
        assert!(estimate.confidence.percent() < 10);
        let mut estimator = Estimator::default();
        estimator.observe(Duration::from_millis(1), 25_000_000);
        assert_eq!(estimator.estimate(), None);
    }

    #[test]
    fn a_short_test_is_worth_less() {
        let confidence = |n: usize| {
            fed(&vec![100; n])
                .estimate()
                .expect("an estimate")
                .confidence
        };
        assert!(confidence(4) < confidence(8));
        assert!(confidence(8) < confidence(40));
    }
}
