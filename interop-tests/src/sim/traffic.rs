//! How much was sent.

use babel_core::time::Instant;

/// What was sent since the start.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Traffic {
    /// Packets.
    pub packets: u64,
    /// Octets of UDP payload.
    pub octets: u64,
    /// Seqno requests begun or passed on.
    pub requests: u64,
    /// A digest of all packets, senders and times: equal runs have equal ones.
    pub digest: u64,
}

impl Traffic {
    /// What was sent after `earlier`.
    #[must_use]
    pub const fn since(&self, earlier: &Self) -> Self {
        Self {
            packets: self.packets - earlier.packets,
            octets: self.octets - earlier.octets,
            requests: self.requests - earlier.requests,
            digest: self.digest,
        }
    }

    pub(super) fn count(&mut self, now: Instant, from: usize, payload: &[u8]) {
        self.packets += 1;
        self.octets += u64::try_from(payload.len()).unwrap_or(u64::MAX);
        // FNV-1a: enough to tell two runs apart.
        let mut digest = |value: u64| {
            self.digest = (self.digest ^ value).wrapping_mul(0x0000_0100_0000_01B3);
        };
        digest(now.as_micros());
        digest(u64::try_from(from).unwrap_or(u64::MAX));
        payload.iter().for_each(|&octet| digest(octet.into()));
    }
}
