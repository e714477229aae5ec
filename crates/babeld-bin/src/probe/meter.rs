//! What the kernel's counters say of a test: a claim that the link did not carry is refuted.
//!
//! A server can lie about what it received or sent; the counters of our own interfaces cannot.

use babel_core::time::Instant;
use speedtest::Outcome;
use std::time::Duration;

/// Rates are compared over no less than this.
const WINDOW: Duration = Duration::from_millis(500);
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

/// Follows the counters while a test runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Meter {
    first: Reading,
    last: Reading,
    at: Instant,
    /// Greatest rate in a window, bits per second; `None` before there was a whole one.
    peak_sent: Option<u64>,
    peak_received: Option<u64>,
}

impl Meter {
    /// Begins with a test.
    pub const fn new(now: Instant, reading: Reading) -> Self {
        Self {
            first: reading,
            last: reading,
            at: now,
            peak_sent: None,
            peak_received: None,
        }
    }

    /// Whether it is time for another reading.
    pub fn is_due(&self, now: Instant) -> bool {
        now.since(self.at) >= WINDOW
    }

    /// Takes a reading in; it counts once there is a whole window.
    pub fn read(&mut self, now: Instant, reading: Reading) {
        let window = now.since(self.at);
        if window < WINDOW {
            return;
        }
        let rate = |before: u64, after: u64| {
            let bits = u128::from(after.saturating_sub(before)) * 8_000_000;
            u64::try_from(bits / window.as_micros().max(1)).unwrap_or(u64::MAX)
        };
        let sent = rate(self.last.sent, reading.sent);
        let received = rate(self.last.received, reading.received);
        self.peak_sent = self.peak_sent.max(Some(sent));
        self.peak_received = self.peak_received.max(Some(received));
        self.last = reading;
        self.at = now;
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
            ("upload", outcome.upload_bps, self.peak_sent),
            ("download", outcome.download_bps, self.peak_received),
        ];
        claims.into_iter().find_map(|(name, claim, peak)| {
            let (claim, peak) = (claim?, peak?);
            (claim > allowance(peak)).then(|| {
                format!("it claims an {name} of {claim} bit/s and the interface carried {peak}")
            })
        })
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

    /// A second of 10 Mbit/s up, then one of 40 Mbit/s down.
    fn meter() -> (Meter, Reading) {
        let mut meter = Meter::new(at(0), Reading::default());
        assert!(!meter.is_due(at(499)) && meter.is_due(at(500)));
        let up = Reading {
            sent: 1_250_000,
            received: 10_000,
        };
        meter.read(at(1000), up);
        let both = Reading {
            sent: 1_260_000,
            received: 5_010_000,
        };
        meter.read(at(2000), both);
        (meter, both)
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
        let outcome = claim(9_500_000, 39_000_000, 6_000_000);
        assert_eq!(meter.refutes(&outcome, last), None);
    }

    #[test]
    fn what_was_not_carried_is_refuted() {
        let (meter, last) = meter();
        let up = meter.refutes(&claim(20_000_000, 1, 1), last);
        assert!(up.is_some_and(|why| why.contains("upload")));
        let down = meter.refutes(&claim(1, 60_000_000, 1), last);
        assert!(down.is_some_and(|why| why.contains("download")));
        let octets = meter.refutes(&claim(1, 1, 20_000_000), last);
        assert!(octets.is_some_and(|why| why.contains("octets")));
    }

    #[test]
    fn a_test_too_short_to_be_counted_is_judged_by_its_octets_alone() {
        let meter = Meter::new(at(0), Reading::default());
        let carried = Reading {
            sent: 100_000,
            received: 0,
        };
        assert_eq!(meter.refutes(&claim(1 << 40, 0, 90_000), carried), None);
        assert!(meter.refutes(&claim(0, 0, 90_000_000), carried).is_some());
    }
}
