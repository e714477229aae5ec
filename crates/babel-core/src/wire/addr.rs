//! Address encodings (RFC 8966 §4.1.4, RFC 9229 §4) and the octets of a prefix.
//!
//! Stateless: which default prefix is in effect is the parser state's business. Buffers are
//! always of full width and zero-filled, so that Omitted may point past what an earlier prefix
//! held.

use crate::prefix::{Family, Prefix};
use crate::types::RouterId;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// How an address or prefix is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Ae {
    /// 0: no address; "everything", where it may stand.
    Wildcard,
    /// 1: IPv4.
    V4,
    /// 2: IPv6.
    V6,
    /// 3: IPv6 in fe80::/64, of which only the interface identifier is written.
    LinkLocal,
    /// 4: an IPv4 prefix with an IPv6 next hop. Prefixes only.
    V4ViaV6,
}

impl Ae {
    pub(super) const fn from_wire(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::Wildcard),
            1 => Some(Self::V4),
            2 => Some(Self::V6),
            3 => Some(Self::LinkLocal),
            4 => Some(Self::V4ViaV6),
            _ => None,
        }
    }

    pub(super) const fn to_wire(self) -> u8 {
        self as u8
    }

    /// The family of prefixes so written; none for the wildcard.
    pub(super) const fn family(self) -> Option<Family> {
        match self {
            Self::Wildcard => None,
            Self::V4 | Self::V4ViaV6 => Some(Family::V4),
            Self::V6 | Self::LinkLocal => Some(Family::V6),
        }
    }
}

/// Interface identifiers follow this (RFC 8966 §4.1.4).
const LINK_LOCAL_OCTETS: [u8; 8] = [0xFE, 0x80, 0, 0, 0, 0, 0, 0];

/// Octets that a prefix of `plen` bits occupies.
pub(super) const fn octets_for(plen: u8) -> usize {
    (plen as usize).div_ceil(8)
}

/// Why the octets of a prefix could not be put together.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum BadPrefix {
    /// A length beyond the family's, more omitted than there is, or too few octets.
    Malformed,
    /// Omitted octets, and nothing to take them from.
    NoDefault,
}

/// Reads a prefix from the start of `input`: `omitted` octets of `default`, then octets of
/// `input`, then zeroes, cut to `plen` bits (RFC 8966 §4.6.9). Returns what follows it.
pub(super) fn read_prefix<'a>(
    input: &'a [u8],
    ae: Ae,
    plen: u8,
    omitted: u8,
    default: Option<&[u8; 16]>,
) -> Result<(&'a [u8], Prefix), BadPrefix> {
    let family = ae.family().ok_or(BadPrefix::Malformed)?;
    let omitted = usize::from(omitted);
    let (known, skip) = match ae {
        // Compression is not allowed, and the first 64 bits are implied.
        Ae::LinkLocal if omitted != 0 => return Err(BadPrefix::Malformed),
        Ae::LinkLocal => (&high(LINK_LOCAL_OCTETS), 8),
        _ if omitted == 0 => (&[0; 16], 0),
        _ => (default.ok_or(BadPrefix::NoDefault)?, omitted),
    };
    if plen > family.bits() || omitted > octets_for(plen) {
        return Err(BadPrefix::Malformed);
    }
    let (written, rest) = input
        .split_at_checked(octets_for(plen).saturating_sub(skip))
        .ok_or(BadPrefix::Malformed)?;
    let mut octets = [0; 16];
    let (head, tail) = octets.split_at_mut(skip.min(16));
    head.iter_mut()
        .zip(known)
        .for_each(|(to, from)| *to = *from);
    tail.iter_mut()
        .zip(written)
        .for_each(|(to, from)| *to = *from);
    Prefix::from_octets(family, octets, plen)
        .map(|prefix| (rest, prefix))
        .ok_or(BadPrefix::Malformed)
}

/// Reads the address of a node; `None` inside for the wildcard. No address is written with AE 4.
pub(super) fn read_address(input: &[u8], ae: Ae) -> Option<(&[u8], Option<IpAddr>)> {
    match ae {
        Ae::Wildcard => Some((input, None)),
        Ae::V4 => {
            let (octets, rest) = input.split_first_chunk::<4>()?;
            Some((rest, Some(IpAddr::V4(Ipv4Addr::from(*octets)))))
        }
        Ae::V6 => {
            let (octets, rest) = input.split_first_chunk::<16>()?;
            Some((rest, Some(IpAddr::V6(Ipv6Addr::from(*octets)))))
        }
        Ae::LinkLocal => {
            let (octets, rest) = input.split_first_chunk::<8>()?;
            let bits = u128::from_be_bytes(high(LINK_LOCAL_OCTETS))
                | u128::from(u64::from_be_bytes(*octets));
            Some((rest, Some(IpAddr::V6(Ipv6Addr::from_bits(bits)))))
        }
        Ae::V4ViaV6 => None,
    }
}

/// The interface identifier, if `address` can be written with AE 3.
pub(super) fn interface_id(address: Ipv6Addr) -> Option<[u8; 8]> {
    let octets = address.octets();
    let (network, id) = octets.split_first_chunk::<8>()?;
    (*network == LINK_LOCAL_OCTETS).then_some(*id.first_chunk::<8>()?)
}

/// The router-id that the R flag takes from a prefix: the last eight octets of its first address,
/// zero-padded on the left if it has fewer (RFC 8966 §4.6.9).
pub(super) fn router_id_of(prefix: &Prefix) -> RouterId {
    let bits = u128::from_be_bytes(*prefix.octets());
    let low = match prefix.family() {
        Family::V4 => bits >> 96,
        Family::V6 => bits & u128::from(u64::MAX),
    };
    let [_, _, _, _, _, _, _, _, id @ ..] = low.to_be_bytes();
    RouterId(id)
}

/// How many octets of `prefix` need not be written, given the default prefix.
pub(super) fn common_octets(prefix: &Prefix, default: &[u8; 16]) -> usize {
    let differ = u128::from_be_bytes(*prefix.octets()) ^ u128::from_be_bytes(*default);
    // At most 16, so it fits.
    let common = (differ.leading_zeros() / 8) as usize;
    common.min(octets_for(prefix.plen()))
}

/// Eight octets on the left, zeroes on the right.
const fn high(octets: [u8; 8]) -> [u8; 16] {
    ((u64::from_be_bytes(octets) as u128) << 64).to_be_bytes()
}
