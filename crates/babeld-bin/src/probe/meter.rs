//! What the kernel's counters say of a test: a claim that the link did not carry is refuted.
//!
//! A server can lie about what it received or sent; the counters of our own interfaces cannot.
//! Octets are compared over the whole test, rates only where a phase lasted long enough to be
//! seen in several readings: in between, counters and claims are about different moments.

use babel_core::time::Instant;
use speedtest::{Outcome, Phase};
use std::time::Duration;

/// Rates are compared over no less than this.
const WINDOW: Duration = Duration::from_millis(500);
/// A window that is longer mixes what was busy with what was not.
const LONGEST_WINDOW: Duration = Duration::from_millis(1500);
/// Windows within one phase that show its rate.
const ENOUGH_WINDOWS: u32 = 3;
/// A claim may exceed what was counted by a quarter: windows and phases do not coincide.
const TOLERANCE_PERCENT: u64 = 125;
/// Octets that may still wait in a socket when a test ends.
const QUEUED_OCTETS: u64 = 8 << 20;

/// Octets carried so far.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Reading {
    /// Sent on the link of the test.
    pub sent: u64,
    /// Received on every link by which an answer may come.
    pub received: u64,
}

/// The greatest rate of one direction.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Peak {
    bps: u64,
    windows: u32,
}

/// Follows the counters while a test runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Meter {
    first: Reading,
    last: Reading,
    at: Instant,
    /// Of the last reading.
    phase: Phase,
    sent: Peak,
    received: Peak,
}

impl Meter {
    /// Begins with a test.
    pub const fn new(now: Instant, reading: Reading) -> Self {
        let none = Peak { bps: 0, windows: 0 };
        Self {
            first: reading,
            last: reading,
            at: now,
            phase: Phase::Connect,
            sent: none,
            received: none,
        }
    }

    /// Whether it is time for another reading.
    pub fn is_due(&self, now: Instant) -> bool {
        now.since(self.at) >= WINDOW
    }

    /// Takes a reading in, of a test that is in `phase`.
    pub fn read(&mut self, now: Instant, reading: Reading, phase: Phase) {
        let window = now.since(self.at);
        if window < WINDOW {
            return;
        }
        let rate = |before: u64, after: u64| {
            let bits = u128::from(after.saturating_sub(before)) * 8_000_000;
            u64::try_from(bits / window.as_micros().max(1)).unwrap_or(u64::MAX)
        };
        if phase == self.phase && window <= LONGEST_WINDOW {
            match phase {
                Phase::Upload => self.sent.see(rate(self.last.sent, reading.sent)),
                Phase::Download => self
                    .received
                    .see(rate(self.last.received, reading.received)),
                Phase::Connect | Phase::Idle | Phase::Loss => {}
            }
        }
        self.last = reading;
        self.at = now;
        self.phase = phase;
    }

    /// Why `outcome` cannot be, given the last reading; `None` if it can.
    pub fn refutes(&self, outcome: &Outcome, reading: Reading) -> Option<String> {
        let carried = (reading.sent.saturating_sub(self.first.sent))
            .saturating_add(reading.received.saturating_sub(self.first.received));
        if outcome.bytes > allowance(carried).saturating_add(QUEUED_OCTETS) {
            return Some(format!(
                "it claims {} octets and the interface carried {carried}",
                outcome.bytes
            ));
        }
        let claims = [
            ("upload", outcome.upload_bps, self.sent),
            ("download", outcome.download_bps, self.received),
        ];
        claims.into_iter().find_map(|(name, claim, peak)| {
            let claim = claim.filter(|_| peak.windows >= ENOUGH_WINDOWS)?;
            (claim > allowance(peak.bps)).then(|| {
                let bps = peak.bps;
                format!("it claims {claim} bit/s of {name} and the interface carried {bps}")
            })
        })
    }
}

impl Peak {
    fn see(&mut self, bps: u64) {
        self.bps = self.bps.max(bps);
        self.windows = self.windows.saturating_add(1);
    }
}

const fn allowance(counted: u64) -> u64 {
    counted.saturating_mul(TOLERANCE_PERCENT) / 100
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Instant {
        Instant::ZERO + Duration::from_millis(ms)
    }

    /// Two seconds of 10 Mbit/s up, then of 40 Mbit/s down.
    fn meter() -> (Meter, Reading) {
        let mut meter = Meter::new(at(0), Reading::default());
        assert!(!meter.is_due(at(499)) && meter.is_due(at(500)));
        let mut reading = Reading::default();
        meter.read(at(500), reading, Phase::Upload);
        for half in 2..=5 {
            reading.sent += 625_000;
            meter.read(at(half * 500), reading, Phase::Upload);
        }
        meter.read(at(3000), reading, Phase::Download);
        for half in 7..=10 {
            reading.received += 2_500_000;
            meter.read(at(half * 500), reading, Phase::Download);
        }
        (meter, reading)
    }

    fn claim(upload: u64, download: u64, bytes: u64) -> Outcome {
        Outcome {
            upload_bps: Some(upload),
            download_bps: Some(download),
            bytes,
            ..Outcome::default()
        }
    }

    #[test]
    fn what_was_carried_is_believed() {
        let (meter, last) = meter();
        let outcome = claim(9_500_000, 39_000_000, 12_000_000);
        assert_eq!(meter.refutes(&outcome, last), None);
    }

    #[test]
    fn what_was_not_carried_is_refuted() {
        let (meter, last) = meter();
        let up = meter.refutes(&claim(20_000_000, 1, 1), last);
        assert!(up.is_some_and(|why| why.contains("upload")));
        let down = meter.refutes(&claim(1, 60_000_000, 1), last);
        assert!(down.is_some_and(|why| why.contains("download")));
        let octets = meter.refutes(&claim(1, 1, 30_000_000), last);
        assert!(octets.is_some_and(|why| why.contains("octets")));
    }

    #[test]
    fn a_phase_too_short_to_be_seen_is_judged_by_its_octets_alone() {
        let mut meter = Meter::new(at(0), Reading::default());
        let carried = Reading {
            sent: 100_000,
            received: 0,
        };
        meter.read(at(500), carried, Phase::Upload);
        meter.read(at(1000), carried, Phase::Upload);
        // A daemon that was kept from reading knows nothing of the time between.
        meter.read(at(9000), carried, Phase::Upload);
        assert_eq!(meter.refutes(&claim(1 << 40, 0, 90_000), carried), None);
        assert!(meter.refutes(&claim(0, 0, 90_000_000), carried).is_some());
    }
}
