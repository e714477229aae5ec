//! Writing a packet.

use super::tlv::Ihu;
use crate::prefix::RouteKey;
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
    _todo: (),
}

impl PacketWriter {
    /// An empty packet of at most `max_len` octets, header included. `buffer` is reused.
    pub fn new(buffer: Vec<u8>, max_len: usize) -> Self {
        let _ = (buffer, max_len);
        todo!("wire")
    }

    /// Whether no TLV was written yet.
    pub fn is_empty(&self) -> bool {
        todo!("wire")
    }

    /// Octets still free.
    pub fn room(&self) -> usize {
        todo!("wire")
    }

    /// RFC 8966 §4.6.3.
    pub fn ack_request(&mut self, opaque: u16, interval: Interval) -> Result<(), Full> {
        let _ = (opaque, interval);
        todo!("wire")
    }

    /// RFC 8966 §4.6.4.
    pub fn ack(&mut self, opaque: u16) -> Result<(), Full> {
        let _ = opaque;
        todo!("wire")
    }

    /// RFC 8966 §4.6.5.
    pub fn hello(
        &mut self,
        unicast: bool,
        seqno: SeqNo,
        interval: Interval,
        timestamp: Option<u32>,
    ) -> Result<(), Full> {
        let _ = (unicast, seqno, interval, timestamp);
        todo!("wire")
    }

    /// RFC 8966 §4.6.6. An interval of zero is written as 1.
    pub fn ihu(&mut self, ihu: &Ihu) -> Result<(), Full> {
        let _ = ihu;
        todo!("wire")
    }

    /// RFC 8966 §4.6.9 with the Router-Id and Next Hop TLVs it needs; all or nothing.
    pub fn update(&mut self, update: &UpdateOut<'_>) -> Result<(), Full> {
        let _ = update;
        todo!("wire")
    }

    /// A retraction of everything (AE 0).
    pub fn wildcard_retraction(&mut self) -> Result<(), Full> {
        todo!("wire")
    }

    /// RFC 8966 §4.6.10; `None` asks for everything.
    pub fn route_request(&mut self, key: Option<&RouteKey>) -> Result<(), Full> {
        let _ = key;
        todo!("wire")
    }

    /// RFC 8966 §4.6.11. A hop count of zero or a reserved router-id writes nothing.
    pub fn seqno_request(
        &mut self,
        key: &RouteKey,
        seqno: SeqNo,
        hop_count: u8,
        router_id: RouterId,
    ) -> Result<(), Full> {
        let _ = (key, seqno, hop_count, router_id);
        todo!("wire")
    }

    /// The finished packet: header and body. The buffer can be given back to [`Self::new`].
    pub fn finish(self) -> Vec<u8> {
        todo!("wire")
    }
}
