//! TLV bodies that neither need nor change the parser state, and the fields that bodies are made of.

use super::HELLO_UNICAST;
use super::addr::{self, Ae};
use super::subtlv;
use super::tlv::{Ignored, Ihu, Tlv, TlvKind};
use crate::prefix::{Prefix, RouteKey};
use crate::time::Interval;
use crate::types::{Metric, RouterId, SeqNo};
use nom::Parser;
use nom::number::complete::{be_u8, be_u16, be_u32};

/// Longest index of a PC TLV that we read (RFC 8967 §6.2).
const MAX_INDEX: usize = 32;
/// Longest nonce that we read or write (RFC 8967 §6.3).
pub(super) const MAX_NONCE: usize = 192;

/// A field list, read by nom; any failure is the same failure.
pub(super) type Fields<'a, T> = Result<(&'a [u8], T), nom::Err<()>>;

pub(super) fn ack_request(body: &[u8]) -> Result<Tlv<'_>, Ignored> {
    let fields: Fields<'_, _> = (be_u16, be_u16, be_u16).parse(body);
    let (rest, (_reserved, opaque, interval)) =
        fields.map_err(|_| Ignored::Malformed(TlvKind::AckRequest))?;
    subtlv::none(rest, TlvKind::AckRequest)?;
    let interval = Interval::from_centis(interval);
    if interval.is_zero() {
        return Err(Ignored::ZeroInterval(TlvKind::AckRequest));
    }
    Ok(Tlv::AckRequest { opaque, interval })
}

pub(super) fn ack(body: &[u8]) -> Result<Tlv<'_>, Ignored> {
    let fields: Fields<'_, _> = be_u16.parse(body);
    let (rest, opaque) = fields.map_err(|_| Ignored::Malformed(TlvKind::Ack))?;
    subtlv::none(rest, TlvKind::Ack)?;
    Ok(Tlv::Ack { opaque })
}

pub(super) fn hello(body: &[u8]) -> Result<Tlv<'_>, Ignored> {
    let fields: Fields<'_, _> = (be_u16, be_u16, be_u16).parse(body);
    let (rest, (flags, seqno, interval)) =
        fields.map_err(|_| Ignored::Malformed(TlvKind::Hello))?;
    let timestamp = subtlv::timestamp::<4>(rest, TlvKind::Hello)?;
    Ok(Tlv::Hello {
        unicast: flags & HELLO_UNICAST != 0,
        seqno: SeqNo(seqno),
        interval: Interval::from_centis(interval),
        timestamp: timestamp.map(u32::from_be_bytes),
    })
}

pub(super) fn ihu(body: &[u8]) -> Result<Ihu, Ignored> {
    let malformed = Ignored::Malformed(TlvKind::Ihu);
    let fields: Fields<'_, _> = (be_u8, be_u8, be_u16, be_u16).parse(body);
    let (rest, (ae, _reserved, rxcost, interval)) = fields.map_err(|_| malformed)?;
    let ae = match Ae::from_wire(ae) {
        Some(known) if known != Ae::V4ViaV6 => known,
        _ => return Err(Ignored::AddressEncoding(ae)),
    };
    let (rest, address) = addr::read_address(rest, ae).ok_or(malformed)?;
    let stamps = subtlv::timestamp::<8>(rest, TlvKind::Ihu)?;
    let interval = Interval::from_centis(interval);
    if interval.is_zero() {
        return Err(Ignored::ZeroInterval(TlvKind::Ihu));
    }
    Ok(Ihu {
        address,
        rxcost: Metric(rxcost),
        interval,
        timestamps: stamps.map(|[a, b, c, d, e, f, g, h]| {
            (
                u32::from_be_bytes([a, b, c, d]),
                u32::from_be_bytes([e, f, g, h]),
            )
        }),
    })
}

pub(super) fn route_request(body: &[u8]) -> Result<Tlv<'_>, Ignored> {
    const KIND: TlvKind = TlvKind::RouteRequest;
    let fields: Fields<'_, _> = (be_u8, be_u8).parse(body);
    let (rest, (ae, plen)) = fields.map_err(|_| Ignored::Malformed(KIND))?;
    let ae = Ae::from_wire(ae).ok_or(Ignored::AddressEncoding(ae))?;
    if ae == Ae::Wildcard {
        if plen != 0 {
            return Err(Ignored::BadWildcard);
        }
        subtlv::source_prefix(rest, ae, KIND)?;
        return Ok(Tlv::RouteRequest(None));
    }
    let (rest, dst) =
        addr::read_prefix(rest, ae, plen, 0, None).map_err(|_| Ignored::Malformed(KIND))?;
    let key = route_key(dst, rest, ae, KIND)?;
    Ok(Tlv::RouteRequest(Some(key)))
}

pub(super) fn seqno_request(body: &[u8]) -> Result<Tlv<'_>, Ignored> {
    const KIND: TlvKind = TlvKind::SeqnoRequest;
    let malformed = Ignored::Malformed(KIND);
    let fields: Fields<'_, _> = (be_u8, be_u8, be_u16, be_u8, be_u8, octets::<8>).parse(body);
    let (rest, (ae, plen, seqno, hop_count, _reserved, id)) = fields.map_err(|_| malformed)?;
    let ae = match Ae::from_wire(ae) {
        Some(known) if known != Ae::Wildcard => known,
        _ => return Err(Ignored::AddressEncoding(ae)),
    };
    let (rest, dst) = addr::read_prefix(rest, ae, plen, 0, None).map_err(|_| malformed)?;
    let key = route_key(dst, rest, ae, KIND)?;
    let router_id = RouterId(id);
    if !router_id.is_valid() {
        return Err(malformed);
    }
    Ok(Tlv::SeqnoRequest {
        key,
        seqno: SeqNo(seqno),
        hop_count,
        router_id,
    })
}

pub(super) fn pc(body: &[u8]) -> Result<Tlv<'_>, Ignored> {
    let malformed = Ignored::Malformed(TlvKind::Other);
    let fields: Fields<'_, _> = be_u32.parse(body);
    let (index, counter) = fields.map_err(|_| malformed)?;
    if index.len() > MAX_INDEX {
        return Err(malformed);
    }
    Ok(Tlv::Pc { counter, index })
}

pub(super) fn nonce(body: &[u8]) -> Result<&[u8], Ignored> {
    if body.len() > MAX_NONCE {
        return Err(Ignored::Malformed(TlvKind::Other));
    }
    Ok(body)
}

/// The key of an Update or request for `dst`, whose sub-TLVs are `rest`.
pub(super) fn route_key(
    dst: Prefix,
    rest: &[u8],
    ae: Ae,
    kind: TlvKind,
) -> Result<RouteKey, Ignored> {
    match subtlv::source_prefix(rest, ae, kind)? {
        None => Ok(RouteKey::new(dst)),
        Some(source) => RouteKey::source_specific(dst, source).ok_or(Ignored::Malformed(kind)),
    }
}

/// `N` octets, as a nom parser.
pub(super) fn octets<const N: usize>(input: &[u8]) -> nom::IResult<&[u8], [u8; N], ()> {
    match input.split_first_chunk::<N>() {
        Some((octets, rest)) => Ok((rest, *octets)),
        None => Err(nom::Err::Error(())),
    }
}
