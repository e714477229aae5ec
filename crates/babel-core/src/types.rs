//! The protocol's small values, each a type of its own so that they cannot be mixed.

use core::fmt;
use core::net::Ipv6Addr;
use core::str::FromStr;

/// A router-id: eight octets that name a router in the whole domain (RFC 8966 §4.1.3).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct RouterId(pub [u8; 8]);

impl RouterId {
    /// Whether this id may be used: neither all zeroes nor all ones (RFC 8966 §4.1.3).
    pub const fn is_valid(self) -> bool {
        let bits = u64::from_be_bytes(self.0);
        bits != 0 && bits != u64::MAX
    }
}

impl fmt::Display for RouterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g, h, i] = self.0;
        write!(
            f,
            "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}:{h:02x}:{i:02x}"
        )
    }
}

impl fmt::Debug for RouterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text was not eight hexadecimal octets joined by `:` or `-`, or the id is reserved.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a router-id is eight hexadecimal octets, neither all zeroes nor all ones")]
pub struct InvalidRouterId;

impl FromStr for RouterId {
    type Err = InvalidRouterId;
    fn from_str(text: &str) -> Result<Self, InvalidRouterId> {
        let mut octets = [0; 8];
        let mut parts = text.split([':', '-']);
        for octet in &mut octets {
            let part = parts.next().ok_or(InvalidRouterId)?;
            let plain =
                (1..=2).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_hexdigit());
            if !plain {
                return Err(InvalidRouterId);
            }
            *octet = u8::from_str_radix(part, 16).map_err(|_| InvalidRouterId)?;
        }
        let id = Self(octets);
        if parts.next().is_some() || !id.is_valid() {
            Err(InvalidRouterId)
        } else {
            Ok(id)
        }
    }
}

/// A sequence number, compared modulo 2^16 (RFC 8966 §3.2.1).
///
/// Deliberately not `Ord`: the relation is not transitive, and at distance 32768 neither of two
/// numbers is the newer.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct SeqNo(pub u16);

impl SeqNo {
    /// `self` plus `n`, modulo 2^16.
    #[must_use]
    pub const fn plus(self, n: u16) -> Self {
        Self(self.0.wrapping_add(n))
    }

    /// Whether `self` is strictly newer than `other`.
    pub const fn newer_than(self, other: Self) -> bool {
        let ahead = self.0.wrapping_sub(other.0);
        ahead != 0 && ahead < 0x8000
    }

    /// Whether `self` is `other` or newer.
    pub const fn at_least(self, other: Self) -> bool {
        self.0 == other.0 || self.newer_than(other)
    }
}

/// A route metric or a link cost; 65535 is infinity (RFC 8966 §3.5.2). Addition saturates there.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Metric(pub u16);

impl Metric {
    /// Zero: the metric of what a router itself originates.
    pub const ZERO: Self = Self(0);
    /// Unreachable.
    pub const INFINITY: Self = Self(u16::MAX);

    /// Whether this means "unreachable".
    pub const fn is_infinite(self) -> bool {
        self.0 == u16::MAX
    }

    /// The sum; infinity if it would reach or pass 65535. Infinite stays infinite.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_infinite() {
            f.write_str("inf")
        } else {
            fmt::Display::fmt(&self.0, f)
        }
    }
}

/// One Babel interface. Chosen by the caller, small, and stable while the interface is known;
/// not the kernel's index, which changes when an interface is deleted and made again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct LinkId(pub u32);

/// One neighbour: an address on a link. Assigned by the engine, never reused in its lifetime.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct NeighbourId(pub u32);

/// Who a neighbour is, for longer than one [`NeighbourId`]: it is the same party when it comes
/// back after a silence or a restart.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Party {
    /// On this link.
    pub link: LinkId,
    /// Its link-local address there.
    pub address: Ipv6Addr,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seqno_comparison_wraps_and_has_no_order_at_half_the_circle() {
        assert!(SeqNo(0).newer_than(SeqNo(65535)));
        assert!(!SeqNo(65535).newer_than(SeqNo(0)));
        assert!(SeqNo(32767).newer_than(SeqNo(0)));
        assert!(!SeqNo(32768).newer_than(SeqNo(0)));
        assert!(!SeqNo(0).newer_than(SeqNo(32768)));
        assert!(!SeqNo(7).newer_than(SeqNo(7)));
        assert!(SeqNo(7).at_least(SeqNo(7)));
        assert_eq!(SeqNo(65535).plus(1), SeqNo(0));
    }

    #[test]
    fn metric_addition_saturates_at_infinity() {
        assert_eq!(Metric(65000).plus(Metric(535)), Metric::INFINITY);
        assert_eq!(Metric(65000).plus(Metric(600)), Metric::INFINITY);
        assert_eq!(Metric::INFINITY.plus(Metric(1)), Metric::INFINITY);
        assert_eq!(Metric(1).plus(Metric(2)), Metric(3));
    }

    #[test]
    fn router_id_text_round_trips_and_reserved_ids_are_refused() {
        let id: RouterId = "02:11:22:ff:fe:33:44:5".parse().expect("eight octets");
        assert_eq!(id.to_string(), "02:11:22:ff:fe:33:44:05");
        for bad in [
            "00:00:00:00:00:00:00:00",
            "ff:ff:ff:ff:ff:ff:ff:ff",
            "1:2:3",
            "",
            "+1:2:3:4:5:6:7:8",
        ] {
            assert!(bad.parse::<RouterId>().is_err(), "{bad}");
        }
    }
}
