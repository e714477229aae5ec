//! Links that are slower than the machine.
//!
//! What leaves an interface passes a token bucket with a queue of a tenth of a second behind it,
//! as at a modem. Shape both ends of a link to slow down both directions.

use crate::namespace::Namespace;
use anyhow::{Context, Result};
use babel_netlink::{Errno, Shaping};
use std::fmt;

/// How fast an interface sends: bits per second, link-layer headers included.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct BitRate(u64);

/// The largest frame of an Ethernet link with the usual MTU, in octets.
const FRAME_OCTETS: u64 = 1_514;
/// How long what waits in a full queue has to wait, in milliseconds.
const QUEUE_MS: u64 = 100;
/// How long a burst may take at the shaped rate, in milliseconds: the clock is not finer.
const BURST_MS: u64 = 2;

impl BitRate {
    /// So many bits per second.
    pub const fn from_bps(bits_per_second: u64) -> Self {
        Self(bits_per_second)
    }

    /// Bits per second.
    pub const fn bps(self) -> u64 {
        self.0
    }

    /// A burst of a few frames even where the rate is low, or TCP acknowledgments starve.
    fn shaping(self) -> Shaping {
        let octets_in = |ms: u64| (self.0 / 8).saturating_mul(ms) / 1000;
        let bounded = |octets: u64| u32::try_from(octets).unwrap_or(u32::MAX);
        Shaping {
            octets_per_second: (self.0 / 8).max(1),
            burst_octets: bounded(octets_in(BURST_MS).max(3 * FRAME_OCTETS)),
            queue_octets: bounded(octets_in(QUEUE_MS).max(10 * FRAME_OCTETS)),
        }
    }
}

impl fmt::Display for BitRate {
    /// As people say it: `1 Mbit/s`, `1.5 Mbit/s`, `800 kbit/s`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, name) = match self.0 {
            1_000_000_000.. => (1_000_000_000, "Gbit/s"),
            1_000_000.. => (1_000_000, "Mbit/s"),
            1_000.. => (1_000, "kbit/s"),
            bits => return write!(f, "{bits} bit/s"),
        };
        if self.0.is_multiple_of(unit) {
            return write!(f, "{} {name}", self.0 / unit);
        }
        write!(f, "{:.1} {name}", self.0 as f64 / unit as f64)
    }
}

impl Namespace {
    /// Limits what leaves an interface; again, with another rate, changes it.
    pub fn shape(&self, interface: &str, rate: BitRate) -> Result<()> {
        self.routes(|socket| {
            let index = socket.link_by_name(interface)?.index;
            socket.shape(index, rate.shaping()).with_context(|| {
                format!(
                    "limiting {interface} to {rate} (this takes the kernel's CONFIG_NET_SCH_TBF)"
                )
            })
        })
    }

    /// Lets an interface send as fast as it can again; nothing happens if it was not shaped.
    pub fn unshape(&self, interface: &str) -> Result<()> {
        self.routes(|socket| {
            let index = socket.link_by_name(interface)?.index;
            match socket.unshape(index) {
                Err(error) if error.errno() == Some(Errno::ENOENT) => Ok(()),
                outcome => Ok(outcome?),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_said_in_the_unit_that_fits() {
        let told = |bps| BitRate::from_bps(bps).to_string();
        assert_eq!(told(1_000_000), "1 Mbit/s");
        assert_eq!(told(1_540_000), "1.5 Mbit/s");
        assert_eq!(told(800_000), "800 kbit/s");
        assert_eq!(told(2_000_000_000), "2 Gbit/s");
        assert_eq!(told(12), "12 bit/s");
    }

    #[test]
    fn the_bucket_always_holds_a_frame() {
        for bps in [0, 1, 64_000, 1_000_000, 10_000_000_000, u64::MAX] {
            let shaping = BitRate::from_bps(bps).shaping();
            assert!(u64::from(shaping.burst_octets) > FRAME_OCTETS, "{bps}");
            assert!(shaping.queue_octets >= shaping.burst_octets, "{bps}");
            assert!(shaping.octets_per_second > 0, "{bps}");
        }
    }
}
