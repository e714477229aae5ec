//! Writing a packet.
//!
//! A TLV goes in whole or not at all, and the compression state goes with it. The packet never
//! grows past the length it was begun with.

use super::addr::{self, Ae};
use super::kind;
use super::octets::{
    ae_of, ae_of_address, put_address, put_interval, put_prefix, put_source, put_u16, tlv,
};
use super::stateless::MAX_NONCE;
use super::subtlv::{SubTlvWriter, TIMESTAMP};
use super::tlv::{Ihu, TlvKind};
use super::{HEADER_LEN, HELLO_UNICAST, MAGIC, UPDATE_PREFIX, UPDATE_ROUTER_ID, VERSION};
use crate::prefix::{Family, RouteKey};
use crate::time::Interval;
use crate::types::{Metric, RouterId, SeqNo};
use core::net::Ipv4Addr;

/// The TLV does not fit any more; the packet is unchanged. Send it and begin another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Full;

/// The next hop to name for an Update of ours.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NextHopOut {
    /// The packet's own source: IPv6 routes, and IPv4 routes by AE 4 (RFC 9229).
    Source,
    /// An IPv4 address: IPv4 routes by AE 1, after a Next Hop TLV.
    V4(Ipv4Addr),
}

/// An Update to be written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UpdateOut<'a> {
    /// The route.
    pub key: RouteKey,
    /// Originator, named by a Router-Id TLV (or flag) when it differs from the last one.
    pub router_id: RouterId,
    /// Originator's seqno.
    pub seqno: SeqNo,
    /// Our metric; infinite for a retraction.
    pub metric: Metric,
    /// Our promise; never zero.
    pub interval: Interval,
    /// An IPv4 route with [`NextHopOut::Source`] goes out with AE 4.
    pub next_hop: NextHopOut,
    /// Extension sub-TLVs, as [`super::SubTlvWriter`] made them.
    pub sub_tlvs: &'a [u8],
}

/// Fills one packet.
#[derive(Debug)]
pub struct PacketWriter {
    out: Vec<u8>,
    max_len: usize,
    state: WriterState,
    counts: [u32; TlvKind::ALL.len()],
}

/// What the reader of this packet knows by now (RFC 8966 §4.5).
#[derive(Clone, Copy, Debug, Default)]
struct WriterState {
    router_id: Option<RouterId>,
    next_hop_v4: Option<Ipv4Addr>,
    default_v6: Option<[u8; 16]>,
}

/// The body of a packet is at most what its 16-bit length can say.
const MAX_PACKET_LEN: usize = HEADER_LEN + u16::MAX as usize;
/// What the fixed part, an uncompressed prefix and a source prefix leave of a TLV's 255 octets.
const MAX_EXTENSION_LEN: usize = 255 - 10 - 16 - 19;
/// From this length on, stock babeld makes each IPv6 prefix the default for the next.
const DEFAULT_PREFIX_PLEN: u8 = 48;

impl PacketWriter {
    /// An empty packet of at most `max_len` octets, header included. `buffer` is reused.
    pub fn new(mut buffer: Vec<u8>, max_len: usize) -> Self {
        buffer.clear();
        let max_len = max_len.min(MAX_PACKET_LEN);
        buffer.reserve(max_len);
        buffer.extend_from_slice(&[MAGIC, VERSION, 0, 0]);
        Self {
            out: buffer,
            max_len,
            state: WriterState::default(),
            counts: [0; TlvKind::ALL.len()],
        }
    }

    /// RFC 8966 §4.6.3. An interval of zero is written as 1.
    pub fn ack_request(&mut self, opaque: u16, interval: Interval) -> Result<(), Full> {
        self.whole(TlvKind::AckRequest, |out| {
            tlv(out, kind::ACK_REQUEST, |out| {
                put_u16(out, 0);
                put_u16(out, opaque);
                put_interval(out, interval);
            });
        })
    }

    /// RFC 8966 §4.6.4.
    pub fn ack(&mut self, opaque: u16) -> Result<(), Full> {
        self.whole(TlvKind::Ack, |out| {
            tlv(out, kind::ACK, |out| put_u16(out, opaque));
        })
    }

    /// RFC 8966 §4.6.5.
    pub fn hello(
        &mut self,
        unicast: bool,
        seqno: SeqNo,
        interval: Interval,
        timestamp: Option<u32>,
    ) -> Result<(), Full> {
        self.whole(TlvKind::Hello, |out| {
            tlv(out, kind::HELLO, |out| {
                put_u16(out, if unicast { HELLO_UNICAST } else { 0 });
                put_u16(out, seqno.0);
                put_u16(out, interval.centis());
                if let Some(sent) = timestamp {
                    SubTlvWriter::new(out).push(TIMESTAMP, &sent.to_be_bytes());
                }
            });
        })
    }

    /// RFC 8966 §4.6.6. An interval of zero is written as 1.
    pub fn ihu(&mut self, ihu: &Ihu) -> Result<(), Full> {
        self.whole(TlvKind::Ihu, |out| {
            tlv(out, kind::IHU, |out| {
                out.extend_from_slice(&[ae_of_address(ihu.address).to_wire(), 0]);
                put_u16(out, ihu.rxcost.0);
                put_interval(out, ihu.interval);
                put_address(out, ihu.address);
                if let Some((origin, receive)) = ihu.timestamps {
                    let stamps = (u64::from(origin) << 32) | u64::from(receive);
                    SubTlvWriter::new(out).push(TIMESTAMP, &stamps.to_be_bytes());
                }
            });
        })
    }

    /// RFC 8966 §4.6.9 with the Router-Id and Next Hop TLVs it needs; all or nothing.
    ///
    /// A retraction names both too: the RFC asks for neither, but FRR and babeld before 1.10
    /// drop it otherwise. A finite Update with a reserved router-id writes nothing. Extension
    /// sub-TLVs of more than 210 octets are left out.
    pub fn update(&mut self, update: &UpdateOut<'_>) -> Result<(), Full> {
        if !update.router_id.is_valid() && !update.metric.is_infinite() {
            return Ok(());
        }
        let (len, state) = (self.out.len(), self.state);
        let named = self.name_router_id(update);
        let next_hop = self.name_next_hop(update);
        self.put_update(update, named == Named::ByFlag);
        if self.out.len() > self.max_len {
            self.out.truncate(len);
            self.state = state;
            return Err(Full);
        }
        self.count(TlvKind::Update);
        if named == Named::ByTlv {
            self.count(TlvKind::RouterId);
        }
        if next_hop {
            self.count(TlvKind::NextHop);
        }
        Ok(())
    }

    /// A retraction of everything (AE 0).
    pub fn wildcard_retraction(&mut self) -> Result<(), Full> {
        self.whole(TlvKind::Update, |out| {
            tlv(out, kind::UPDATE, |out| {
                out.extend_from_slice(&[Ae::Wildcard.to_wire(), 0, 0, 0]);
                put_interval(out, Interval::INFINITE);
                put_u16(out, 0);
                put_u16(out, Metric::INFINITY.0);
            });
        })
    }

    /// RFC 8966 §4.6.10; `None` asks for everything.
    pub fn route_request(&mut self, key: Option<&RouteKey>) -> Result<(), Full> {
        self.whole(TlvKind::RouteRequest, |out| {
            tlv(out, kind::ROUTE_REQUEST, |out| match key {
                None => out.extend_from_slice(&[Ae::Wildcard.to_wire(), 0]),
                Some(key) => {
                    out.extend_from_slice(&[ae_of(key.family()).to_wire(), key.dst().plen()]);
                    put_prefix(out, key.dst(), 0);
                    put_source(out, key);
                }
            });
        })
    }

    /// RFC 8966 §4.6.11. A hop count of zero or a reserved router-id writes nothing.
    pub fn seqno_request(
        &mut self,
        key: &RouteKey,
        seqno: SeqNo,
        hop_count: u8,
        router_id: RouterId,
    ) -> Result<(), Full> {
        if hop_count == 0 || !router_id.is_valid() {
            return Ok(());
        }
        self.whole(TlvKind::SeqnoRequest, |out| {
            tlv(out, kind::SEQNO_REQUEST, |out| {
                out.extend_from_slice(&[ae_of(key.family()).to_wire(), key.dst().plen()]);
                put_u16(out, seqno.0);
                out.extend_from_slice(&[hop_count, 0]);
                out.extend_from_slice(&router_id.0);
                put_prefix(out, key.dst(), 0);
                put_source(out, key);
            });
        })
    }

    /// RFC 8967 §6.3. A nonce of more than 192 octets writes nothing.
    pub fn challenge_request(&mut self, nonce: &[u8]) -> Result<(), Full> {
        self.nonce(kind::CHALLENGE_REQUEST, nonce)
    }

    /// RFC 8967 §6.4. A nonce of more than 192 octets writes nothing.
    pub fn challenge_reply(&mut self, nonce: &[u8]) -> Result<(), Full> {
        self.nonce(kind::CHALLENGE_REPLY, nonce)
    }

    /// Whether no TLV was written yet.
    pub fn is_empty(&self) -> bool {
        self.out.len() <= HEADER_LEN
    }

    /// Octets still free.
    pub fn room(&self) -> usize {
        self.max_len.saturating_sub(self.out.len())
    }

    /// How many TLVs of each kind were written so far, by [`TlvKind::index`].
    pub const fn counts(&self) -> &[u32; TlvKind::ALL.len()] {
        &self.counts
    }

    /// The finished packet: header and body. The buffer can be given back to [`Self::new`].
    pub fn finish(mut self) -> Vec<u8> {
        let len = u16::try_from(self.out.len().saturating_sub(HEADER_LEN)).unwrap_or(u16::MAX);
        if let Some([_, _, field @ ..]) = self.out.first_chunk_mut::<HEADER_LEN>() {
            *field = len.to_be_bytes();
        }
        self.out
    }
}

/// How an Update's router-id gets to the reader.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Named {
    /// It is in effect already, or there is none to name.
    Already,
    /// By a Router-Id TLV.
    ByTlv,
    /// By the R flag.
    ByFlag,
}

impl PacketWriter {
    /// Writes one TLV that leaves the compression state alone.
    fn whole(&mut self, kind: TlvKind, write: impl FnOnce(&mut Vec<u8>)) -> Result<(), Full> {
        let len = self.out.len();
        write(&mut self.out);
        if self.out.len() > self.max_len {
            self.out.truncate(len);
            return Err(Full);
        }
        self.count(kind);
        Ok(())
    }

    fn nonce(&mut self, kind: u8, nonce: &[u8]) -> Result<(), Full> {
        if nonce.len() > MAX_NONCE {
            return Ok(());
        }
        self.whole(TlvKind::Other, |out| {
            tlv(out, kind, |out| out.extend_from_slice(nonce));
        })
    }

    fn count(&mut self, kind: TlvKind) {
        if let Some(count) = self.counts.get_mut(kind.index()) {
            *count = count.saturating_add(1);
        }
    }

    fn name_router_id(&mut self, update: &UpdateOut<'_>) -> Named {
        let id = update.router_id;
        if !id.is_valid() || self.state.router_id == Some(id) {
            return Named::Already;
        }
        self.state.router_id = Some(id);
        let dst = update.key.dst();
        // Not on IPv4, where BIRD does not read the flag.
        if dst.family() == Family::V6 && dst.plen() == 128 && addr::router_id_of(dst) == id {
            return Named::ByFlag;
        }
        tlv(&mut self.out, kind::ROUTER_ID, |out| {
            put_u16(out, 0);
            out.extend_from_slice(&id.0);
        });
        Named::ByTlv
    }

    /// Whether a Next Hop TLV was written. IPv6 next hops are always the packet's source.
    fn name_next_hop(&mut self, update: &UpdateOut<'_>) -> bool {
        let NextHopOut::V4(next_hop) = update.next_hop else {
            return false;
        };
        if update.key.family() == Family::V6 || self.state.next_hop_v4 == Some(next_hop) {
            return false;
        }
        self.state.next_hop_v4 = Some(next_hop);
        tlv(&mut self.out, kind::NEXT_HOP, |out| {
            out.extend_from_slice(&[Ae::V4.to_wire(), 0]);
            out.extend_from_slice(&next_hop.octets());
        });
        true
    }

    /// Only IPv6 prefixes are compressed, as stock babeld does: peers had bugs with the others.
    fn put_update(&mut self, update: &UpdateOut<'_>, router_id_flag: bool) {
        let dst = update.key.dst();
        let ae = match (dst.family(), update.next_hop) {
            (Family::V6, _) => Ae::V6,
            (Family::V4, NextHopOut::V4(_)) => Ae::V4,
            (Family::V4, NextHopOut::Source) => Ae::V4ViaV6,
        };
        let mut flags = if router_id_flag { UPDATE_ROUTER_ID } else { 0 };
        let mut omitted = 0;
        if ae == Ae::V6 {
            let default = self.state.default_v6;
            omitted = default.map_or(0, |default| addr::common_octets(dst, &default));
            if default.is_none() || dst.plen() >= DEFAULT_PREFIX_PLEN {
                flags |= UPDATE_PREFIX;
                self.state.default_v6 = Some(*dst.octets());
            }
        }
        let interval = update.interval.centis().max(1).to_be_bytes();
        let seqno = update.seqno.0.to_be_bytes();
        let metric = update.metric.0.to_be_bytes();
        tlv(&mut self.out, kind::UPDATE, |out| {
            out.extend_from_slice(&[
                ae.to_wire(),
                flags,
                dst.plen(),
                // At most 16.
                omitted as u8,
                interval[0],
                interval[1],
                seqno[0],
                seqno[1],
                metric[0],
                metric[1],
            ]);
            put_prefix(out, dst, omitted);
            put_source(out, &update.key);
            if update.sub_tlvs.len() <= MAX_EXTENSION_LEN {
                out.extend_from_slice(update.sub_tlvs);
            }
        });
    }
}
