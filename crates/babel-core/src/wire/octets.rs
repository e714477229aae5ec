//! Putting fields into a buffer. Stateless; nothing here knows how much room there is.

use super::addr::{self, Ae, octets_for};
use super::subtlv::SOURCE_PREFIX;
use crate::prefix::{Family, Prefix, RouteKey};
use crate::time::Interval;
use core::net::IpAddr;

/// Writes a TLV around what `body` writes, which must be at most 255 octets.
pub(super) fn tlv(out: &mut Vec<u8>, kind: u8, body: impl FnOnce(&mut Vec<u8>)) {
    out.extend_from_slice(&[kind, 0]);
    let start = out.len();
    body(out);
    let len = out.len() - start;
    debug_assert!(len <= usize::from(u8::MAX), "TLV {kind} of {len} octets");
    if let Some(field) = out.get_mut(start - 1) {
        *field = u8::try_from(len).unwrap_or(u8::MAX);
    }
}

pub(super) fn put_u16(out: &mut Vec<u8>, number: u16) {
    out.extend_from_slice(&number.to_be_bytes());
}

/// No interval but a Hello's may be zero: it goes out as one centisecond.
pub(super) fn put_interval(out: &mut Vec<u8>, interval: Interval) {
    put_u16(out, interval.centis().max(1));
}

/// How requests of this family are encoded (RFC 9229 §2.3 asks for AE 1, not 4).
pub(super) const fn ae_of(family: Family) -> Ae {
    match family {
        Family::V4 => Ae::V4,
        Family::V6 => Ae::V6,
    }
}

/// How the address of a node is encoded.
pub(super) fn ae_of_address(address: Option<IpAddr>) -> Ae {
    match address {
        None => Ae::Wildcard,
        Some(IpAddr::V4(_)) => Ae::V4,
        Some(IpAddr::V6(v6)) if addr::interface_id(v6).is_some() => Ae::LinkLocal,
        Some(IpAddr::V6(_)) => Ae::V6,
    }
}

/// The octets of an address, in the encoding of [`ae_of_address`].
pub(super) fn put_address(out: &mut Vec<u8>, address: Option<IpAddr>) {
    match address {
        None => {}
        Some(IpAddr::V4(v4)) => out.extend_from_slice(&v4.octets()),
        Some(IpAddr::V6(v6)) => match addr::interface_id(v6) {
            Some(id) => out.extend_from_slice(&id),
            None => out.extend_from_slice(&v6.octets()),
        },
    }
}

/// The octets of a prefix but for the first `omitted`.
pub(super) fn put_prefix(out: &mut Vec<u8>, prefix: &Prefix, omitted: usize) {
    let octets = prefix.octets().get(omitted..octets_for(prefix.plen()));
    out.extend_from_slice(octets.unwrap_or(&[]));
}

/// The Source Prefix sub-TLV, if the route has a source prefix (RFC 9079 §7.1).
pub(super) fn put_source(out: &mut Vec<u8>, key: &RouteKey) {
    let source = key.src();
    if source.is_default() {
        return;
    }
    // 17 at most.
    let len = 1 + octets_for(source.plen()) as u8;
    out.extend_from_slice(&[SOURCE_PREFIX, len, source.plen()]);
    put_prefix(out, source, 0);
}
