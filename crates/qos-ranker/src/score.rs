//! One number for a quality, and the steps in which numbers are compared.
//!
//! Arithmetic is integer and on a logarithmic scale, so that the same measurements give the same
//! order everywhere. The score rises strictly with download and upload and falls strictly with
//! latency and loss:
//!
//! > √(download × upload) ÷ (latency + 50 ms) ÷ (loss + 1 %)
//!
//! The additions keep small latencies and losses from counting for more than they are worth: at
//! 50 ms and at 1 % a score has halved once each. What was not measured counts as neither good
//! nor bad: a missing rate as a quarter of the other (1 Mbit/s if both are missing), latency as
//! 100 ms, loss as 1 %.
//!
//! A rank is counted in steps of a fifth from the best candidate, as prices are (see
//! [`crate::PriceStep`]): fixed steps would split pairs that lie 5 % apart at some edge.

use crate::measurement::{Component, Quality};
use core::fmt;

/// Fractional bits of a logarithm.
const FRACTION_BITS: u32 = 48;
/// A fifth more: 2 × log2(1.2) with [`FRACTION_BITS`]. All scores are doubled, for the square root.
const STEP: i64 = 148_075_206_512_336;
/// The missing rate if both are missing, in bits per second.
const NEUTRAL_RATE: u64 = 1_000_000;
/// A missing rate is this part of the other.
const NEUTRAL_SHARE: u64 = 4;
/// In microseconds.
const NEUTRAL_LATENCY: u64 = 100_000;
/// In parts per million.
const NEUTRAL_LOSS: u64 = 10_000;

/// How good a quality is, on a logarithmic scale: a fifth better is one step more. Nothing at all,
/// at once and without loss, is zero.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Score(i64);

impl Score {
    /// The score of a quality; missing components count as neutral.
    pub fn of(quality: &Quality) -> Self {
        let value = |component| quality.component(component);
        let (download, upload) = match (value(Component::Download), value(Component::Upload)) {
            (Some(download), Some(upload)) => (download, upload),
            (Some(download), None) => (download, download / NEUTRAL_SHARE),
            (None, Some(upload)) => (upload / NEUTRAL_SHARE, upload),
            (None, None) => (NEUTRAL_RATE, NEUTRAL_RATE),
        };
        let latency = value(Component::Latency).unwrap_or(NEUTRAL_LATENCY);
        let loss = value(Component::Loss).unwrap_or(NEUTRAL_LOSS);
        Self(
            height(Component::Download, download) + height(Component::Upload, upload)
                - 2 * height(Component::Latency, latency)
                - 2 * height(Component::Loss, loss),
        )
    }

    /// This many steps worse.
    pub const fn lowered(self, steps: u8) -> Self {
        Self(self.0.saturating_sub(STEP * steps as i64))
    }

    /// In hundredths of a step, for people.
    pub const fn hundredths(self) -> i64 {
        // A step has 48 bits, so a hundredth is not lost.
        self.0 / (STEP / 100)
    }
}

impl fmt::Display for Score {
    /// In steps, as in `54.3`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tenths = self.hundredths() / 10;
        let sign = if tenths < 0 { "-" } else { "" };
        write!(f, "{sign}{}.{}", tenths.abs() / 10, tenths.abs() % 10)
    }
}

/// How far below the best candidate: 0 for the best and those less than a fifth worse, and so on.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct RankStep(u8);

impl RankStep {
    /// With the best.
    pub const BEST: Self = Self(0);
    /// Below everything that was measured: a black hole.
    pub const LAST: Self = Self(u8::MAX);

    /// The step of a score beside the best. A better one than the best counts as the best; the
    /// lowest scores share the last step but one.
    pub fn below(best: Score, score: Score) -> Self {
        let steps = best.0.saturating_sub(score.0) / STEP;
        Self(u8::try_from(steps.max(0)).map_or(u8::MAX - 1, |steps| steps.min(u8::MAX - 1)))
    }

    /// The number of the step.
    pub const fn number(self) -> u8 {
        self.0
    }
}

impl fmt::Display for RankStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Whether two values of a component are less than half a step apart: noise.
pub(crate) fn are_near(component: Component, a: u64, b: u64) -> bool {
    // These logarithms are not doubled, so that half a step is a quarter of STEP.
    (height(component, a) - height(component, b)).abs() < STEP / 4
}

/// A component's logarithm above that of its zero.
fn height(component: Component, value: u64) -> i64 {
    let offset = match component {
        Component::Download | Component::Upload => 1000,
        Component::Latency => 50_000,
        Component::Loss => 10_000,
    };
    log2(value.saturating_add(offset)) - log2(offset)
}

/// The logarithm of a positive integer to base 2, with [`FRACTION_BITS`]; of zero, zero.
pub(crate) fn log2(value: u64) -> i64 {
    let Some(whole) = value.checked_ilog2() else {
        return 0;
    };
    // A mantissa in [1, 2) with 63 fractional bits. Each squaring doubles its logarithm, whose
    // whole part is the next bit of the result.
    let mut mantissa = value << (63 - whole);
    let mut log = i64::from(whole);
    for _ in 0..FRACTION_BITS {
        let square = u128::from(mantissa) * u128::from(mantissa);
        let overflows = square >> 127 == 1;
        let shift = if overflows { 64 } else { 63 };
        mantissa = u64::try_from(square >> shift).unwrap_or(u64::MAX);
        log = log << 1 | i64::from(overflows);
    }
    log
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measurement::{Loss, Rate};
    use core::time::Duration;
    use proptest::prelude::*;

    fn quality(download: u64, upload: u64, latency_us: u64, loss_ppm: u32) -> Quality {
        Quality {
            download: Some(Rate::from_bps(download)),
            upload: Some(Rate::from_bps(upload)),
            latency: Some(Duration::from_micros(latency_us)),
            loss: Some(Loss::from_ppm(loss_ppm)),
        }
    }

    fn score(download: u64, upload: u64, latency_us: u64, loss_ppm: u32) -> Score {
        Score::of(&quality(download, upload, latency_us, loss_ppm))
    }

    #[test]
    fn logarithms_are_those_of_floating_point() {
        for value in [1u64, 2, 3, 10, 1000, 999_999_937, u64::MAX / 3, u64::MAX] {
            let want = (value as f64).log2();
            let got = log2(value) as f64 / (1u64 << FRACTION_BITS) as f64;
            assert!((want - got).abs() < 1e-12, "{value}: {want} {got}");
        }
        assert_eq!(log2(0), 0);
        assert_eq!(STEP, (2.0 * 1.2f64.log2() * (1u64 << 48) as f64) as i64);
    }

    #[test]
    fn a_fifth_more_of_both_rates_is_one_step() {
        let best = score(120_000_000, 24_000_000, 10_000, 0);
        let step = |other| RankStep::below(best, other).number();
        assert_eq!(step(score(100_500_000, 20_100_000, 10_000, 0)), 0);
        assert_eq!(step(score(99_000_000, 19_900_000, 10_000, 0)), 1);
        assert_eq!(step(score(1_000_000, 1_000_000, 10_000, 0)), 21);
    }

    #[test]
    fn a_fifth_more_of_the_only_rate_known_is_one_step() {
        let only = |bps| {
            Score::of(&Quality {
                download: Some(Rate::from_bps(bps)),
                ..Quality::NONE
            })
        };
        let step = |bps| RankStep::below(only(24_000_000), only(bps)).number();
        assert_eq!(
            [step(20_100_000), step(19_900_000), step(24_000_000)],
            [0, 1, 0]
        );
    }

    #[test]
    fn fifty_milliseconds_and_one_percent_halve_a_score_each() {
        let halved = score(50_000_000, 50_000_000, 0, 0).hundredths();
        assert_eq!(
            score(100_001_000, 100_001_000, 50_000, 0).hundredths(),
            halved
        );
        assert_eq!(
            score(100_001_000, 100_001_000, 0, 10_000).hundredths(),
            halved
        );
    }

    #[test]
    fn extremes_are_on_the_last_step_but_one_and_never_panic() {
        let best = score(u64::MAX, u64::MAX, 0, 0);
        let worst = score(0, 0, u64::MAX, 1_000_000);
        assert_eq!(RankStep::below(best, worst).number(), 254);
        assert_eq!(RankStep::below(worst, best), RankStep::BEST);
        assert!(RankStep::below(best, worst) < RankStep::LAST);
        assert_eq!(score(0, 0, 0, 0).to_string(), "0.0");
        assert!(worst.to_string().starts_with('-'));
    }

    proptest! {
        #[test]
        fn a_score_rises_and_falls_strictly_with_each_component(
            down in 0..200_000_000_000u64, up in 0..200_000_000_000u64,
            latency in 0..60_000_000u64, loss in 0..1_000_000u32, more in 1..1000u64,
        ) {
            let base = score(down, up, latency, loss);
            prop_assert!(score(down + more, up, latency, loss) > base);
            prop_assert!(score(down, up + more, latency, loss) > base);
            prop_assert!(score(down, up, latency + more, loss) < base);
            prop_assert!(score(down, up, latency, loss + 1) < base);
        }

        #[test]
        fn what_is_less_than_a_step_worse_than_the_best_ties_with_it(
            down in 1_000_000..10_000_000_000u64, latency in 0..1_000_000u64, under in 0.0..0.16f64,
        ) {
            let less = down - (down as f64 * under) as u64;
            let (best, near) = (score(down, down, latency, 0), score(less, less, latency, 0));
            prop_assert_eq!(RankStep::below(best, near), RankStep::BEST);
        }
    }
}
