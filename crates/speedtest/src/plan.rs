//! How long and how large the parts of a test are: within the limits, never foreseeable.
//!
//! A neighbour that could tell when a test ends could treat it better than other traffic; the
//! seed, which the daemon draws for each test, decides.

use crate::contract::Request;
use std::time::{Duration, Instant};

/// A leg is not longer than this: what is not steady by then is not steady.
const MOST_LEG: Duration = Duration::from_secs(10);
/// Fewer octets measure nothing.
const LEAST_LEG_OCTETS: u64 = 16 * 1024;

/// Draws the parts one after the other.
#[derive(Debug)]
pub(crate) struct Plan {
    random: fastrand::Rng,
    begun: Instant,
    until: Instant,
    limit: Duration,
}

/// One direction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Leg {
    /// Not shorter than this, however steady.
    pub(crate) at_least: Duration,
    /// Not longer.
    pub(crate) at_most: Duration,
    /// How much later its end must be confirmed.
    pub(crate) grace: Duration,
    /// Octets of payload.
    pub(crate) octets: u64,
}

impl Plan {
    pub(crate) fn new(request: &Request) -> Self {
        let begun = Instant::now();
        // A limit of years must not overflow the clock.
        let limit = request.time_limit.min(Duration::from_secs(3600));
        Self {
            random: fastrand::Rng::with_seed(request.seed),
            begun,
            until: begun + limit,
            limit,
        }
    }

    pub(crate) const fn begun(&self) -> Instant {
        self.begun
    }

    /// When everything ends.
    pub(crate) const fn until(&self) -> Instant {
        self.until
    }

    /// By when the connection must stand.
    pub(crate) fn connected_by(&self) -> Instant {
        self.begun + (self.limit / 4).min(Duration::from_secs(5))
    }

    /// How long round trips are taken before the load.
    pub(crate) fn idle(&self) -> Duration {
        (self.limit / 16).min(Duration::from_secs(1))
    }

    /// How many datagrams the train has; none in a test too short for it.
    pub(crate) fn train(&mut self) -> u32 {
        if self.limit < Duration::from_secs(4) {
            return 0;
        }
        let most = (self.limit / 10).min(Duration::from_secs(2));
        let full = u32::try_from(most.as_millis() / crate::ours::train::EVERY.as_millis());
        full.unwrap_or(0) * self.random.u32(70..=100) / 100
    }

    /// The next leg, with `after` more to follow and `left` octets to spend.
    ///
    /// `None`: too little is left.
    pub(crate) fn leg(&mut self, after: u32, left: u64) -> Option<Leg> {
        let time = self.until.saturating_duration_since(Instant::now());
        let grace = (self.limit / 8).min(Duration::from_secs(3));
        let share = time / (after + 1);
        let at_most = share.checked_sub(grace)?.min(MOST_LEG) * self.random.u32(70..=100) / 100;
        let at_least = Duration::from_millis(self.random.u64(1000..2000)).min(at_most.mul_f32(0.6));
        // One part in sixteen for framing, reports, pings and TLS.
        let octets = left / u64::from(after + 1) / 16 * 15 / 100 * self.random.u64(70..=100);
        (octets >= LEAST_LEG_OCTETS && !at_most.is_zero()).then_some(Leg {
            at_least,
            at_most,
            grace,
            octets,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(seed: u64, seconds: u64) -> Plan {
        Plan::new(&Request {
            url: "babel://h".parse().expect("a URL"),
            peer: None,
            mark: None,
            source: None,
            bytes_limit: 1 << 30,
            time_limit: Duration::from_secs(seconds),
            seed,
        })
    }

    #[test]
    fn legs_fit_into_what_is_left_and_differ_with_the_seed() {
        let mut lengths = Vec::new();
        for seed in 0..50 {
            let mut plan = plan(seed, 20);
            let leg = plan.leg(1, 1 << 30).expect("a leg");
            assert!(leg.at_least < leg.at_most);
            assert!(leg.at_most + leg.grace <= Duration::from_secs(10));
            assert!(leg.octets <= 1 << 29);
            assert!(leg.octets >= (1 << 29) / 2);
            assert!((100..=200).contains(&plan.train()));
            lengths.push((leg.at_most, leg.octets));
        }
        lengths.sort_unstable();
        lengths.dedup();
        assert!(lengths.len() > 20, "{}", lengths.len());
    }

    #[test]
    fn too_little_is_no_leg() {
        assert_eq!(plan(1, 20).leg(1, 1000), None);
        assert_eq!(plan(1, 0).leg(1, 1 << 30), None);
        assert!(plan(1, u64::MAX).leg(0, u64::MAX).is_some());
        assert_eq!(plan(1, 2).train(), 0);
    }
}
