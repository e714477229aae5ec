//! TLV types (RFC 8966 §4.6, RFC 8967 §6). A MAC TLV (16) is unknown in a packet's body.

pub(super) const PAD1: u8 = 0;
pub(super) const PADN: u8 = 1;
pub(super) const ACK_REQUEST: u8 = 2;
pub(super) const ACK: u8 = 3;
pub(super) const HELLO: u8 = 4;
pub(super) const IHU: u8 = 5;
pub(super) const ROUTER_ID: u8 = 6;
pub(super) const NEXT_HOP: u8 = 7;
pub(super) const UPDATE: u8 = 8;
pub(super) const ROUTE_REQUEST: u8 = 9;
pub(super) const SEQNO_REQUEST: u8 = 10;
pub(super) const MAC: u8 = 16;
pub(super) const PC: u8 = 17;
pub(super) const CHALLENGE_REQUEST: u8 = 18;
pub(super) const CHALLENGE_REPLY: u8 = 19;
