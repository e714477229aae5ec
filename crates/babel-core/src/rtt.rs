//! Round-trip times and what they cost (RFC 9616).
//!
//! A sample needs one packet with a timestamped Hello and an IHU that echoes a Hello of ours. It
//! passes a median of three, so that one outlier changes nothing, then an exponential average,
//! then a bounded penalty that moves in steps, so that jitter does not become route changes.

use crate::config::RttConfig;
use crate::time::Instant;
use crate::types::Metric;
use core::time::Duration;

/// Timestamps older than this, or apart by more, are nonsense (RFC 9616 §3.3), and so is an
/// estimate without a fresh sample.
const VALID: Duration = Duration::from_secs(180);
const VALID_US: u32 = 180_000_000;
/// The penalty moves when it would by more than this part of its maximum.
const PENALTY_STEPS: u16 = 32;

/// Microseconds of our clock as they go on the wire, modulo 2^32.
pub(crate) fn timestamp(now: Instant) -> u32 {
    u32::try_from(now.as_micros() & u64::from(u32::MAX)).unwrap_or(0)
}

/// RTT of an exchange: our Hello left at `origin` and arrived at `receive` (their clock); their
/// Hello left at `transmit` (their clock) and arrived at `arrival`. `None` if nonsensical.
pub(crate) fn sample(origin: u32, receive: u32, transmit: u32, arrival: u32) -> Option<u32> {
    let (away, held) = (arrival.wrapping_sub(origin), transmit.wrapping_sub(receive));
    if away > VALID_US || held > VALID_US {
        return None;
    }
    away.checked_sub(held)
}

/// What is known of the round trip to one neighbour.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Rtt {
    /// Its last timestamped Hello: its timestamp, and when it came.
    heard: Option<(u32, Instant)>,
    /// The last three samples, in microseconds, newest first.
    samples: [Option<u32>; 3],
    smoothed_us: Option<u32>,
    sampled: Instant,
    penalty: Metric,
}

impl Rtt {
    /// A timestamped Hello came.
    pub(crate) fn hello(&mut self, transmit: u32, now: Instant) {
        self.heard = Some((transmit, now));
    }

    /// The timestamps to echo in an IHU: its own, and when it reached us.
    pub(crate) fn echo(&self, now: Instant) -> Option<(u32, u32)> {
        let (transmit, at) = self.heard.filter(|(_, at)| now.since(*at) < VALID)?;
        Some((transmit, timestamp(at)))
    }

    /// Takes a sample in.
    pub(crate) fn sampled(&mut self, sample_us: u32, config: &RttConfig, now: Instant) {
        if now.since(self.sampled) >= VALID {
            self.samples = [None; 3];
            self.smoothed_us = None;
        }
        let [newest, older, _] = self.samples;
        self.samples = [Some(sample_us), newest, older];
        self.sampled = now;
        let median = median(self.samples).unwrap_or(sample_us);
        let smoothed = match self.smoothed_us {
            None => median,
            Some(old) => {
                let decay = u64::from(config.decay.min(256));
                let sum = u64::from(median) * decay + u64::from(old) * (256 - decay);
                u32::try_from(sum / 256).unwrap_or(u32::MAX)
            }
        };
        self.smoothed_us = Some(smoothed);
        let penalty = penalty(Duration::from_micros(u64::from(smoothed)), config);
        let moved = penalty.0.abs_diff(self.penalty.0);
        let at_end = penalty == Metric::ZERO || penalty == config.max_penalty;
        if at_end || moved > config.max_penalty.0 / PENALTY_STEPS {
            self.penalty = penalty;
        }
    }

    /// The smoothed round-trip time, if it is fresh.
    pub(crate) fn smoothed(&self, now: Instant) -> Option<Duration> {
        let fresh = now.since(self.sampled) < VALID;
        let smoothed = self.smoothed_us.filter(|_| fresh)?;
        Some(Duration::from_micros(u64::from(smoothed)))
    }

    /// What it adds to the link's cost.
    pub(crate) fn penalty(&self, now: Instant) -> Metric {
        self.smoothed(now).map_or(Metric::ZERO, |_| self.penalty)
    }
}

/// The middle one of three, the smaller of two.
fn median(samples: [Option<u32>; 3]) -> Option<u32> {
    let mut known: [u32; 3] = samples.map(|sample| sample.unwrap_or(u32::MAX));
    known.sort_unstable();
    let [least, middle, _] = known;
    if samples.iter().flatten().count() == 3 {
        Some(middle)
    } else {
        Some(least)
    }
}

/// Nothing up to `min`, the maximum from `max` on, a straight line between (RFC 9616 §4.2).
fn penalty(rtt: Duration, config: &RttConfig) -> Metric {
    if rtt <= config.min || config.max <= config.min {
        return if rtt > config.min {
            config.max_penalty
        } else {
            Metric::ZERO
        };
    }
    if rtt >= config.max {
        return config.max_penalty;
    }
    let part = (rtt - config.min).as_micros() * u128::from(config.max_penalty.0)
        / (config.max - config.min).as_micros();
    Metric(u16::try_from(part).unwrap_or(u16::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> RttConfig {
        RttConfig {
            max_penalty: Metric(150),
            ..RttConfig::default()
        }
    }

    fn at(seconds: u64) -> Instant {
        Instant::from_micros(seconds * 1_000_000)
    }

    // 9616-3.2-6
    #[test]
    fn the_rtt_is_what_the_neighbour_did_not_keep_also_across_a_wrap() {
        assert_eq!(sample(1000, 50, 70, 1120), Some(100));
        assert_eq!(sample(u32::MAX - 9, 50, 70, 110), Some(100));
        assert_eq!(sample(1000, u32::MAX - 9, 10, 1120), Some(100));
    }

    // 9616-3.3-1, 9616-3.3-2
    #[test]
    fn nonsensical_timestamps_give_no_sample() {
        assert_eq!(
            sample(2000, 50, 70, 1000),
            None,
            "our own Hello from the future"
        );
        assert_eq!(
            sample(1000, 70, 50, 1120),
            None,
            "a clock that went backwards"
        );
        assert_eq!(sample(0, 0, 0, VALID_US + 1), None, "an echo of long ago");
        assert_eq!(
            sample(1000, 0, 500, 1100),
            None,
            "it kept it longer than it took"
        );
    }

    // 9616-4.2-1
    #[test]
    fn the_penalty_is_nothing_then_a_line_then_its_maximum() {
        let of = |ms| penalty(Duration::from_millis(ms), &config());
        assert_eq!((of(0), of(10)), (Metric(0), Metric(0)));
        assert_eq!(of(65), Metric(75), "half way from 10 to 120 ms");
        assert_eq!((of(120), of(9000)), (Metric(150), Metric(150)));
    }

    // 9616-4.1-1
    #[test]
    fn one_outlier_changes_nothing_and_a_lasting_change_is_followed() {
        let mut rtt = Rtt::default();
        for second in 0..10 {
            rtt.sampled(20_000, &config(), at(second));
        }
        let before = rtt.smoothed(at(9));
        rtt.sampled(5_000_000, &config(), at(10));
        assert_eq!(rtt.smoothed(at(10)), before);
        for second in 11..60 {
            rtt.sampled(100_000, &config(), at(second));
        }
        let after = rtt.smoothed(at(59)).expect("fresh");
        assert!(after > Duration::from_millis(95), "{after:?}");
    }

    #[test]
    fn jitter_does_not_move_the_penalty() {
        let mut rtt = Rtt::default();
        rtt.sampled(65_000, &config(), at(0));
        let penalty = rtt.penalty(at(0));
        for second in 1..100 {
            rtt.sampled(
                64_000 + 20 * u32::try_from(second % 90).expect("small"),
                &config(),
                at(second),
            );
            assert_eq!(rtt.penalty(at(second)), penalty);
        }
    }

    #[test]
    fn an_estimate_without_fresh_samples_costs_nothing() {
        let mut rtt = Rtt::default();
        rtt.sampled(500_000, &config(), at(0));
        assert_eq!(rtt.penalty(at(179)), Metric(150));
        assert_eq!(rtt.penalty(at(180)), Metric::ZERO);
        assert_eq!(rtt.smoothed(at(180)), None);
        rtt.hello(7, at(0));
        assert_eq!(rtt.echo(at(1)), Some((7, 0)));
        assert_eq!(rtt.echo(at(180)), None);
    }
}
