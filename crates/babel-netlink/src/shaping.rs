//! Shaping: a token bucket (`tbf`) as an interface's root queueing discipline.
//!
//! It limits what leaves the interface; both ends of a link are shaped to limit both directions.
//! Written for the labs and tests, whose links are otherwise as fast as the machine. Nothing here
//! reads or keeps another discipline: an interface has one root, and it is replaced or deleted.

use crate::abi;
use crate::error::Error;
use crate::socket::RouteSocket;
use crate::wire::Encoder;

/// How an interface's egress is limited.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Shaping {
    /// Octets per second, link-layer headers included; at least 1.
    pub octets_per_second: u64,
    /// Octets that may leave at once after silence; more than the largest packet.
    pub burst_octets: u32,
    /// Octets that may wait; what comes on top is dropped.
    pub queue_octets: u32,
}

impl RouteSocket {
    /// Gives a link a token bucket, in place of whatever discipline it has at its root.
    pub fn shape(&mut self, index: u32, shaping: Shaping) -> Result<(), Error> {
        let rate = shaping.octets_per_second.max(1);
        let action = || format!("shaping interface {index} to {rate} octets/s");
        let flags = abi::NLM_F_CREATE | abi::NLM_F_REPLACE;
        self.change(abi::RTM_NEWQDISC, flags, action, |encoder| {
            header(encoder, index);
            encoder.string(abi::TCA_KIND, "tbf");
            encoder.nested(abi::TCA_OPTIONS, |options| {
                options
                    .attribute(abi::TCA_TBF_PARMS, &parameters(rate, shaping))
                    .attribute(abi::TCA_TBF_RATE64, &rate.to_ne_bytes())
                    .u32(abi::TCA_TBF_BURST, shaping.burst_octets);
            });
        })
    }

    /// Takes the root discipline away, so that the link gets the kernel's own; `ENOENT` if it
    /// has that already.
    pub fn unshape(&mut self, index: u32) -> Result<(), Error> {
        let action = || format!("no longer shaping interface {index}");
        self.change(abi::RTM_DELQDISC, 0, action, |encoder| {
            header(encoder, index)
        })
    }
}

/// `struct tcmsg` for the root of a link.
fn header(encoder: &mut Encoder<'_>, index: u32) {
    encoder
        .raw(&[abi::AF_UNSPEC, 0, 0, 0])
        .raw(&index.to_ne_bytes())
        .raw(&0_u32.to_ne_bytes())
        .raw(&abi::TC_H_ROOT.to_ne_bytes())
        .raw(&0_u32.to_ne_bytes());
}

/// `struct tc_tbf_qopt`: two `struct tc_ratespec`, then limit, buffer and mtu. Where the rate needs
/// more than 32 bits, `TCA_TBF_RATE64` says it; the burst is told in octets by `TCA_TBF_BURST`, so
/// that the buffer, which is a time in the kernel's ticks, stays 0.
fn parameters(rate: u64, shaping: Shaping) -> Vec<u8> {
    let rate = u32::try_from(rate).unwrap_or(u32::MAX);
    let mut octets = vec![0, abi::TC_LINKLAYER_ETHERNET, 0, 0, 0, 0, 0, 0];
    octets.extend(rate.to_ne_bytes());
    octets.extend([0; RATESPEC_OCTETS]);
    octets.extend(shaping.queue_octets.to_ne_bytes());
    octets.extend([0; 8]);
    octets
}

/// Octets of `struct tc_ratespec`; the second one is the peak rate, which is not used.
const RATESPEC_OCTETS: usize = 12;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_laid_out_as_the_kernel_reads_them() {
        let shaping = Shaping {
            octets_per_second: 125_000,
            burst_octets: 5_000,
            queue_octets: 15_000,
        };
        let octets = parameters(shaping.octets_per_second, shaping);
        assert_eq!(octets.len(), 36, "struct tc_tbf_qopt");
        assert_eq!(octets[8..12], 125_000_u32.to_ne_bytes(), "rate.rate");
        assert_eq!(octets[24..28], 15_000_u32.to_ne_bytes(), "limit");
    }

    #[test]
    fn a_rate_beyond_32_bits_saturates_where_rate64_tells_the_rest() {
        let shaping = Shaping {
            octets_per_second: 1 << 40,
            burst_octets: 1,
            queue_octets: 1,
        };
        let octets = parameters(shaping.octets_per_second, shaping);
        assert_eq!(octets[8..12], u32::MAX.to_ne_bytes());
    }
}
