//! Sub-TLVs: what an extension reads and writes, and which ones a TLV may carry (RFC 8966 §4.4).
//!
//! What a sub-TLV means depends on its type and on the TLV around it; a known one in the wrong
//! TLV counts as unknown. Framing is checked over the whole list before anything is believed.

use super::addr::{self, Ae};
use super::tlv::{Ignored, TlvKind};
use crate::prefix::Prefix;

/// Padding of one octet, without a length.
pub(super) const PAD1: u8 = 0;
/// Padding.
pub(super) const PADN: u8 = 1;
/// RFC 9616 §6.
pub(super) const TIMESTAMP: u8 = 3;
/// RFC 9079 §7.1.
pub(super) const SOURCE_PREFIX: u8 = 128;
/// Types from here on void their TLV unless understood (RFC 8966 §4.4).
const MANDATORY: u8 = 0x80;

/// One sub-TLV.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SubTlv<'a> {
    /// Its type; 128 and above are mandatory and are never shown to an extension.
    pub kind: u8,
    /// Its body.
    pub body: &'a [u8],
}

/// The sub-TLVs of one Update that the base protocol does not know, well framed by construction.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SubTlvs<'a> {
    /// All sub-TLVs of the TLV, verified to be well framed.
    pub(super) octets: &'a [u8],
}

impl<'a> Iterator for SubTlvs<'a> {
    type Item = SubTlv<'a>;
    fn next(&mut self) -> Option<SubTlv<'a>> {
        let mut walk = Walk(self.octets);
        loop {
            let found = walk.next()?.ok()?;
            self.octets = walk.0;
            if found.kind < MANDATORY {
                return Some(found);
            }
        }
    }
}

/// Appends sub-TLVs to the Update being written.
#[derive(Debug)]
pub struct SubTlvWriter<'a> {
    pub(super) out: &'a mut Vec<u8>,
}

impl<'a> SubTlvWriter<'a> {
    /// A writer onto any buffer.
    pub fn new(out: &'a mut Vec<u8>) -> Self {
        Self { out }
    }

    /// Appends a sub-TLV; a body over 255 octets is refused (nothing is written).
    pub fn push(&mut self, kind: u8, body: &[u8]) {
        if let Ok(len) = u8::try_from(body.len()) {
            self.out.extend_from_slice(&[kind, len]);
            self.out.extend_from_slice(body);
        }
    }
}

/// A sub-TLV ran past its TLV.
struct Truncated;

/// All sub-TLVs of a TLV but padding.
struct Walk<'a>(&'a [u8]);

impl<'a> Iterator for Walk<'a> {
    type Item = Result<SubTlv<'a>, Truncated>;
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (&kind, after) = self.0.split_first()?;
            if kind == PAD1 {
                self.0 = after;
                continue;
            }
            let Some((body, rest)) = after
                .split_first()
                .and_then(|(&len, after)| after.split_at_checked(usize::from(len)))
            else {
                self.0 = &[];
                return Some(Err(Truncated));
            };
            self.0 = rest;
            if kind != PADN {
                return Some(Ok(SubTlv { kind, body }));
            }
        }
    }
}

/// Checks the sub-TLVs of a TLV of `kind`. `known` takes those it understands there and says so;
/// its error voids the TLV, as do bad framing and an unknown mandatory sub-TLV.
fn check<'a>(
    octets: &'a [u8],
    kind: TlvKind,
    mut known: impl FnMut(SubTlv<'a>) -> Result<bool, Ignored>,
) -> Result<(), Ignored> {
    for found in Walk(octets) {
        let Ok(found) = found else {
            return Err(Ignored::Malformed(kind));
        };
        if !known(found)? && found.kind >= MANDATORY {
            return Err(Ignored::MandatorySubTlv(found.kind));
        }
    }
    Ok(())
}

/// For TLVs in which no sub-TLV means anything.
pub(super) fn none(octets: &[u8], kind: TlvKind) -> Result<(), Ignored> {
    check(octets, kind, |_| Ok(false))
}

/// The first Timestamp of at least `N` octets, cut to them. A shorter one is ignored, the TLV
/// is not (RFC 9616 §6).
pub(super) fn timestamp<const N: usize>(
    octets: &[u8],
    kind: TlvKind,
) -> Result<Option<[u8; N]>, Ignored> {
    let mut stamp = None;
    check(octets, kind, |found| {
        if found.kind == TIMESTAMP && stamp.is_none() {
            stamp = found.body.first_chunk::<N>().copied();
        }
        Ok(found.kind == TIMESTAMP)
    })?;
    Ok(stamp)
}

/// The source prefix of an Update or request. One that is doubled, of length zero or malformed
/// voids the TLV, and so does any in a wildcard (RFC 9079 §7.1).
pub(super) fn source_prefix(
    octets: &[u8],
    ae: Ae,
    kind: TlvKind,
) -> Result<Option<Prefix>, Ignored> {
    let mut source = None;
    if octets.is_empty() {
        return Ok(source);
    }
    check(octets, kind, |found| {
        if found.kind != SOURCE_PREFIX {
            return Ok(false);
        }
        if ae == Ae::Wildcard {
            return Err(Ignored::BadWildcard);
        }
        let read = match found.body.split_first() {
            Some((&plen, body)) if plen > 0 && source.is_none() => {
                addr::read_prefix(body, ae, plen, 0, None).ok()
            }
            _ => None,
        };
        let (_, prefix) = read.ok_or(Ignored::Malformed(kind))?;
        source = Some(prefix);
        Ok(true)
    })?;
    Ok(source)
}
