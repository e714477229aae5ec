//! Time as the engine sees it: handed in by the caller, never read from a clock.
//!
//! An [`Instant`] counts microseconds from an origin the caller chooses (the daemon uses
//! `CLOCK_BOOTTIME`, the simulator starts at zero). All arithmetic saturates, so that a deadline
//! computed near the origin or far in the future is late or early but never a panic.

use core::fmt;
use core::ops::{Add, Sub};
use core::time::Duration;

/// A point in time, in microseconds since the caller's origin.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Instant(u64);

impl Instant {
    /// The origin.
    pub const ZERO: Self = Self(0);

    /// An instant `micros` microseconds after the origin.
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// Microseconds since the origin.
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// How long ago `earlier` was; zero if it lies in the future.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Instant {
    type Output = Self;
    fn add(self, rhs: Duration) -> Self {
        Self(
            self.0
                .saturating_add(u64::try_from(rhs.as_micros()).unwrap_or(u64::MAX)),
        )
    }
}

impl Sub<Duration> for Instant {
    type Output = Self;
    fn sub(self, rhs: Duration) -> Self {
        Self(
            self.0
                .saturating_sub(u64::try_from(rhs.as_micros()).unwrap_or(u64::MAX)),
        )
    }
}

impl fmt::Debug for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06}s", self.0 / 1_000_000, self.0 % 1_000_000)
    }
}

/// An interval as it stands on the wire: 16 bits of centiseconds (RFC 8966 §4.1.2).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Interval(u16);

impl Interval {
    /// "No further update unless requested", in an Update (RFC 8966 §4.6.9).
    pub const INFINITE: Self = Self(u16::MAX);

    /// An interval of `centis` centiseconds.
    pub const fn from_centis(centis: u16) -> Self {
        Self(centis)
    }

    /// The nearest interval not longer than the 655.35 s the wire can hold, and never zero:
    /// no TLV of ours may promise an interval of zero.
    pub fn from_duration(duration: Duration) -> Self {
        let centis = duration
            .as_millis()
            .div_ceil(10)
            .clamp(1, u128::from(u16::MAX));
        Self(u16::try_from(centis).unwrap_or(u16::MAX))
    }

    /// The number on the wire.
    pub const fn centis(self) -> u16 {
        self.0
    }

    /// Whether this is the zero that means "unscheduled" in a Hello and nothing elsewhere.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// As a duration.
    pub const fn duration(self) -> Duration {
        Duration::from_millis(self.0 as u64 * 10)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_seconds_are_four_hundred_centiseconds() {
        assert_eq!(
            Interval::from_duration(Duration::from_secs(4)).centis(),
            400
        );
        assert_eq!(
            Interval::from_centis(400).duration(),
            Duration::from_secs(4)
        );
    }

    #[test]
    fn an_interval_is_never_zero_and_never_wraps() {
        assert_eq!(Interval::from_duration(Duration::ZERO).centis(), 1);
        assert_eq!(
            Interval::from_duration(Duration::from_millis(5)).centis(),
            1
        );
        assert_eq!(
            Interval::from_duration(Duration::from_secs(100_000)).centis(),
            65535
        );
    }

    #[test]
    fn instants_saturate_at_both_ends() {
        assert_eq!(Instant::ZERO - Duration::from_secs(1), Instant::ZERO);
        let end = Instant::from_micros(u64::MAX);
        assert_eq!(end + Duration::from_secs(1), end);
        assert_eq!(Instant::ZERO.since(end), Duration::ZERO);
    }
}
