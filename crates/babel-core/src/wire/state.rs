//! The parser state of RFC 8966 §4.5, and what each TLV body says under it.
//!
//! The state must come out the same in every implementation, so a TLV changes it before anything
//! else can cause the TLV to be ignored. Nothing survives from one packet to the next.

use super::addr::{self, Ae, BadPrefix};
use super::kind;
use super::stateless::{self, Fields, octets, route_key};
use super::subtlv::{self, SubTlvs};
use super::tlv::{Ignored, NextHopState, Tlv, TlvKind, Update, UpdateTarget};
use super::{UPDATE_PREFIX, UPDATE_ROUTER_ID};
use crate::prefix::Prefix;
use crate::time::Interval;
use crate::types::{Metric, RouterId, SeqNo};
use core::net::{IpAddr, Ipv6Addr};
use nom::Parser;
use nom::number::complete::{be_u8, be_u16};

/// Where one packet's reading stands.
#[derive(Clone, Debug)]
pub(super) struct ParserState {
    default_v4: Option<[u8; 16]>,
    default_v6: Option<[u8; 16]>,
    default_v4_via_v6: Option<[u8; 16]>,
    /// The last one seen, even if reserved: such a one is kept, so that no earlier one is
    /// mistaken for it, and not used.
    router_id: Option<RouterId>,
    next_hop: NextHopState,
}

impl ParserState {
    /// At the start of a packet from `source`.
    pub(super) fn new(source: Ipv6Addr) -> Self {
        Self {
            default_v4: None,
            default_v6: None,
            default_v4_via_v6: None,
            router_id: None,
            next_hop: NextHopState {
                v4: None,
                v6: Some(source),
            },
        }
    }

    /// Reads one TLV. An error is the reason to ignore it; what it says to later TLVs is kept.
    pub(super) fn read<'a>(&mut self, kind: u8, body: &'a [u8]) -> Result<Tlv<'a>, Ignored> {
        match kind {
            kind::UPDATE => self.update(body).map(Tlv::Update),
            kind::ROUTER_ID => self.router_id(body),
            kind::NEXT_HOP => self.next_hop(body),
            kind::ACK_REQUEST => stateless::ack_request(body),
            kind::ACK => stateless::ack(body),
            kind::HELLO => stateless::hello(body),
            kind::IHU => stateless::ihu(body).map(Tlv::Ihu),
            kind::ROUTE_REQUEST => stateless::route_request(body),
            kind::SEQNO_REQUEST => stateless::seqno_request(body),
            kind::PC => stateless::pc(body),
            kind::CHALLENGE_REQUEST => {
                stateless::nonce(body).map(|nonce| Tlv::ChallengeRequest { nonce })
            }
            kind::CHALLENGE_REPLY => {
                stateless::nonce(body).map(|nonce| Tlv::ChallengeReply { nonce })
            }
            // A MAC TLV (16) belongs into the trailer (RFC 8967 §6.1).
            unknown => Err(Ignored::UnknownType(unknown)),
        }
    }

    fn router_id<'a>(&mut self, body: &'a [u8]) -> Result<Tlv<'a>, Ignored> {
        let malformed = Ignored::Malformed(TlvKind::RouterId);
        let fields: Fields<'_, _> = (be_u16, octets::<8>).parse(body);
        let (rest, (_reserved, id)) = fields.map_err(|_| malformed)?;
        let id = RouterId(id);
        self.router_id = Some(id);
        subtlv::none(rest, TlvKind::RouterId)?;
        if id.is_valid() {
            Ok(Tlv::RouterId(id))
        } else {
            Err(malformed)
        }
    }

    fn next_hop<'a>(&mut self, body: &'a [u8]) -> Result<Tlv<'a>, Ignored> {
        let malformed = Ignored::Malformed(TlvKind::NextHop);
        let fields: Fields<'_, _> = (be_u8, be_u8).parse(body);
        let (rest, (ae, _reserved)) = fields.map_err(|_| malformed)?;
        let encoding = Ignored::AddressEncoding(ae);
        let ae = match Ae::from_wire(ae) {
            Some(ae @ (Ae::V4 | Ae::V6 | Ae::LinkLocal)) => ae,
            // RFC 8966 §4.6.8: never 0. RFC 9229 §4: never 4.
            Some(Ae::Wildcard | Ae::V4ViaV6) | None => return Err(encoding),
        };
        let (rest, address) = addr::read_address(rest, ae).ok_or(malformed)?;
        let address = address.ok_or(encoding)?;
        match address {
            IpAddr::V4(address) => self.next_hop.v4 = Some(address),
            IpAddr::V6(address) => self.next_hop.v6 = Some(address),
        }
        subtlv::none(rest, TlvKind::NextHop)?;
        Ok(Tlv::NextHop(address))
    }

    fn update<'a>(&mut self, body: &'a [u8]) -> Result<Update<'a>, Ignored> {
        let Ok((rest, fixed)) = UpdateFields::read(body) else {
            self.forget_default(body.first().copied());
            return Err(Ignored::Malformed(TlvKind::Update));
        };
        let ae = Ae::from_wire(fixed.ae).ok_or(Ignored::AddressEncoding(fixed.ae))?;
        if ae == Ae::Wildcard {
            return wildcard(&fixed, rest);
        }
        let read = addr::read_prefix(rest, ae, fixed.plen, fixed.omitted, self.default_of(ae));
        let (rest, dst) = match read {
            Ok(read) => read,
            Err(reason) => {
                // What its flags would have established is not known, so nothing may lean on it.
                self.forget_default(Some(fixed.ae));
                return Err(match reason {
                    BadPrefix::Malformed => Ignored::Malformed(TlvKind::Update),
                    BadPrefix::NoDefault => Ignored::NoDefaultPrefix,
                });
            }
        };
        if fixed.flags & UPDATE_PREFIX != 0 {
            self.set_default(ae, &dst);
        }
        if fixed.flags & UPDATE_ROUTER_ID != 0 {
            self.router_id = Some(addr::router_id_of(&dst));
        }
        let key = route_key(dst, rest, ae, TlvKind::Update)?;
        let update = Update {
            target: UpdateTarget::Route(key),
            interval: fixed.interval,
            seqno: fixed.seqno,
            metric: fixed.metric,
            router_id: self.router_id.filter(|id| id.is_valid()),
            next_hop: self.next_hop_for(ae),
            sub_tlvs: SubTlvs { octets: rest },
        };
        // A retraction needs none of these (RFC 8966 §4.6.9).
        if !update.metric.is_infinite() {
            if update.interval.is_zero() {
                return Err(Ignored::ZeroInterval(TlvKind::Update));
            }
            if update.router_id.is_none() {
                return Err(Ignored::NoRouterId);
            }
            if update.next_hop.is_none() {
                return Err(Ignored::NoNextHop);
            }
        }
        Ok(update)
    }

    const fn default_of(&self, ae: Ae) -> Option<&[u8; 16]> {
        match ae {
            Ae::V4 => self.default_v4.as_ref(),
            Ae::V6 => self.default_v6.as_ref(),
            Ae::V4ViaV6 => self.default_v4_via_v6.as_ref(),
            Ae::Wildcard | Ae::LinkLocal => None,
        }
    }

    const fn set_default(&mut self, ae: Ae, prefix: &Prefix) {
        let octets = Some(*prefix.octets());
        match ae {
            Ae::V4 => self.default_v4 = octets,
            Ae::V6 => self.default_v6 = octets,
            Ae::V4ViaV6 => self.default_v4_via_v6 = octets,
            Ae::Wildcard | Ae::LinkLocal => {}
        }
    }

    /// After an Update whose prefix could not be worked out. If not even its AE can be read,
    /// all defaults are in doubt.
    fn forget_default(&mut self, ae: Option<u8>) {
        match ae.map(Ae::from_wire) {
            Some(Some(Ae::V4)) => self.default_v4 = None,
            Some(Some(Ae::V6)) => self.default_v6 = None,
            Some(Some(Ae::V4ViaV6)) => self.default_v4_via_v6 = None,
            Some(Some(Ae::Wildcard | Ae::LinkLocal) | None) => {}
            None => {
                self.default_v4 = None;
                self.default_v6 = None;
                self.default_v4_via_v6 = None;
            }
        }
    }

    /// RFC 9229 §2.2: AE 4 takes its next hop as IPv6 does.
    fn next_hop_for(&self, ae: Ae) -> Option<IpAddr> {
        match ae {
            Ae::V4 => self.next_hop.v4.map(IpAddr::V4),
            Ae::V6 | Ae::LinkLocal | Ae::V4ViaV6 => self.next_hop.v6.map(IpAddr::V6),
            Ae::Wildcard => None,
        }
    }
}

/// The fixed part of an Update.
struct UpdateFields {
    ae: u8,
    flags: u8,
    plen: u8,
    omitted: u8,
    interval: Interval,
    seqno: SeqNo,
    metric: Metric,
}

impl UpdateFields {
    fn read(body: &[u8]) -> Fields<'_, Self> {
        octets::<10>
            .map(|[ae, flags, plen, omitted, i, i2, s, s2, m, m2]| Self {
                ae,
                flags,
                plen,
                omitted,
                interval: Interval::from_centis(u16::from_be_bytes([i, i2])),
                seqno: SeqNo(u16::from_be_bytes([s, s2])),
                metric: Metric(u16::from_be_bytes([m, m2])),
            })
            .parse(body)
    }
}

/// An Update of AE 0. It has no address, so its flags say nothing.
fn wildcard<'a>(fixed: &UpdateFields, rest: &'a [u8]) -> Result<Update<'a>, Ignored> {
    if !fixed.metric.is_infinite() || fixed.plen != 0 || fixed.omitted != 0 {
        return Err(Ignored::BadWildcard);
    }
    subtlv::source_prefix(rest, Ae::Wildcard, TlvKind::Update)?;
    Ok(Update {
        target: UpdateTarget::Wildcard,
        interval: fixed.interval,
        seqno: fixed.seqno,
        metric: fixed.metric,
        router_id: None,
        next_hop: None,
        sub_tlvs: SubTlvs { octets: rest },
    })
}
