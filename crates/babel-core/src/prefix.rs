//! Prefixes, canonical by construction, and the (destination, source) pair that keys every table.
//!
//! A [`Prefix`] never holds host bits, so equality and hashing mean what an operator means.
//! IPv4 is a family of its own and is never confused with an IPv4-mapped IPv6 prefix.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::str::FromStr;

/// The two address families a route can be of.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// Bits in an address of this family.
    pub const fn bits(self) -> u8 {
        match self {
            Self::V4 => 32,
            Self::V6 => 128,
        }
    }
}

/// An address prefix with its host bits cleared. Ordered by family, then octets, then length.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prefix {
    family: Family,
    /// The address, left-aligned: an IPv4 prefix uses the first four octets.
    octets: [u8; 16],
    plen: u8,
}

impl Prefix {
    /// 0.0.0.0/0
    pub const V4_DEFAULT: Self = Self {
        family: Family::V4,
        octets: [0; 16],
        plen: 0,
    };
    /// ::/0
    pub const V6_DEFAULT: Self = Self {
        family: Family::V6,
        octets: [0; 16],
        plen: 0,
    };

    /// The prefix of `plen` bits that holds `address`; `None` if the family has no such length.
    pub fn new(address: IpAddr, plen: u8) -> Option<Self> {
        let (family, octets) = match address {
            IpAddr::V4(v4) => {
                let mut octets = [0; 16];
                octets
                    .iter_mut()
                    .zip(v4.octets())
                    .for_each(|(to, from)| *to = from);
                (Family::V4, octets)
            }
            IpAddr::V6(v6) => (Family::V6, v6.octets()),
        };
        Self::from_octets(family, octets, plen)
    }

    /// As [`Prefix::new`], from left-aligned octets; octets past the family's width are ignored.
    pub fn from_octets(family: Family, octets: [u8; 16], plen: u8) -> Option<Self> {
        if plen > family.bits() {
            return None;
        }
        let mask = u128::MAX.checked_shl(128 - u32::from(plen)).unwrap_or(0);
        let octets = (u128::from_be_bytes(octets) & mask).to_be_bytes();
        Some(Self {
            family,
            octets,
            plen,
        })
    }

    /// The prefix that holds just this address.
    pub fn host(address: IpAddr) -> Self {
        let (family, plen) = match address {
            IpAddr::V4(_) => (Family::V4, 32),
            IpAddr::V6(_) => (Family::V6, 128),
        };
        Self::new(address, plen).unwrap_or(Self {
            family,
            octets: [0; 16],
            plen: 0,
        })
    }

    /// The default prefix (`/0`) of a family.
    pub const fn default_of(family: Family) -> Self {
        match family {
            Family::V4 => Self::V4_DEFAULT,
            Family::V6 => Self::V6_DEFAULT,
        }
    }

    /// The address family.
    pub const fn family(&self) -> Family {
        self.family
    }

    /// The prefix length in bits.
    pub const fn plen(&self) -> u8 {
        self.plen
    }

    /// The address octets, left-aligned and zero beyond the prefix.
    pub const fn octets(&self) -> &[u8; 16] {
        &self.octets
    }

    /// The first address of the prefix.
    pub fn address(&self) -> IpAddr {
        match self.family {
            Family::V4 => {
                let [a, b, c, d, ..] = self.octets;
                IpAddr::V4(Ipv4Addr::new(a, b, c, d))
            }
            Family::V6 => IpAddr::V6(Ipv6Addr::from(self.octets)),
        }
    }

    /// Whether the length is zero.
    pub const fn is_default(&self) -> bool {
        self.plen == 0
    }

    /// Whether every address of `other` lies in this prefix.
    pub fn covers(&self, other: &Self) -> bool {
        self.family == other.family
            && self.plen <= other.plen
            && Self::from_octets(self.family, other.octets, self.plen) == Some(*self)
    }

    /// Whether this prefix must never be learned or announced: link-local, multicast, loopback,
    /// unspecified (RFC 8966 appendix C, and the list stock babeld refuses).
    pub fn is_martian(&self) -> bool {
        let [a, b, ..] = self.octets;
        match self.family {
            Family::V4 => {
                (self.plen >= 8 && (a == 127 || a == 0))
                    || (self.plen >= 4 && a & 0xF0 == 0xE0)
                    || (self.plen == 32 && self.octets[..4] == [255; 4])
            }
            Family::V6 => {
                (self.plen >= 8 && a == 0xFF)
                    || (self.plen >= 10 && a == 0xFE && b & 0xC0 == 0x80)
                    || (self.plen == 128 && u128::from_be_bytes(self.octets) <= 1)
            }
        }
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address(), self.plen)
    }
}

impl fmt::Debug for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text was not an address, or its length does not fit the family.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a prefix is ADDRESS/LENGTH with a length of at most 32 (IPv4) or 128 (IPv6)")]
pub struct InvalidPrefix;

impl FromStr for Prefix {
    type Err = InvalidPrefix;
    /// `ADDRESS/LENGTH`, or a bare address for a host. Host bits are cleared.
    fn from_str(text: &str) -> Result<Self, InvalidPrefix> {
        let (address, plen) = match text.split_once('/') {
            Some((address, plen)) => (
                address,
                Some(plen.parse::<u8>().map_err(|_| InvalidPrefix)?),
            ),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| InvalidPrefix)?;
        match plen {
            Some(plen) => Self::new(address, plen).ok_or(InvalidPrefix),
            None => Ok(Self::host(address)),
        }
    }
}

/// What a route is for: a destination, and a source prefix whose length is zero for an ordinary
/// route (RFC 9079 §3). Both are of one family.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RouteKey {
    dst: Prefix,
    src: Prefix,
}

impl RouteKey {
    /// An ordinary route to `dst`.
    pub const fn new(dst: Prefix) -> Self {
        Self {
            dst,
            src: Prefix::default_of(dst.family()),
        }
    }

    /// A source-specific route; `None` if the families differ.
    pub fn source_specific(dst: Prefix, src: Prefix) -> Option<Self> {
        (dst.family() == src.family()).then_some(Self { dst, src })
    }

    /// The destination.
    pub const fn dst(&self) -> &Prefix {
        &self.dst
    }

    /// The source prefix; length zero means any.
    pub const fn src(&self) -> &Prefix {
        &self.src
    }

    /// The family of both.
    pub const fn family(&self) -> Family {
        self.dst.family()
    }

    /// Whether packets are matched by source too.
    pub const fn is_source_specific(&self) -> bool {
        self.src.plen() != 0
    }
}

impl fmt::Display for RouteKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_source_specific() {
            write!(f, "{} from {}", self.dst, self.src)
        } else {
            fmt::Display::fmt(&self.dst, f)
        }
    }
}

impl fmt::Debug for RouteKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<Prefix> for RouteKey {
    fn from(dst: Prefix) -> Self {
        Self::new(dst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn p(text: &str) -> Prefix {
        text.parse().expect("a prefix")
    }

    #[test]
    fn host_bits_are_cleared_so_equal_means_equal() {
        assert_eq!(p("10.0.0.1/8"), p("10.0.0.0/8"));
        assert_eq!(p("2001:db8::1/32").to_string(), "2001:db8::/32");
        assert_eq!(p("192.0.2.7"), p("192.0.2.7/32"));
        assert!("10.0.0.0/33".parse::<Prefix>().is_err());
        assert!("10.0.0.0/".parse::<Prefix>().is_err());
    }

    #[test]
    fn mapped_ipv6_is_not_ipv4() {
        assert_ne!(p("::ffff:10.0.0.0/104"), p("10.0.0.0/8"));
    }

    #[test]
    fn a_prefix_covers_what_lies_inside_it_and_only_in_its_family() {
        assert!(p("0.0.0.0/0").covers(&p("10.0.0.0/8")));
        assert!(p("10.0.0.0/8").covers(&p("10.0.0.0/8")));
        assert!(!p("10.0.0.0/8").covers(&p("11.0.0.0/8")));
        assert!(!p("10.1.0.0/16").covers(&p("10.0.0.0/8")));
        assert!(!p("::/0").covers(&p("10.0.0.0/8")));
    }

    #[test]
    fn martians_are_known_and_defaults_are_not_among_them() {
        for martian in [
            "ff02::/16",
            "fe80::/64",
            "fe80::1",
            "::",
            "::1",
            "127.0.0.1",
            "0.0.0.0/8",
            "224.0.0.0/4",
            "255.255.255.255",
        ] {
            assert!(p(martian).is_martian(), "{martian}");
        }
        for fine in [
            "0.0.0.0/0",
            "::/0",
            "10.0.0.0/8",
            "2001:db8::/32",
            "fc00::/7",
            "::/96",
        ] {
            assert!(!p(fine).is_martian(), "{fine}");
        }
    }
}
