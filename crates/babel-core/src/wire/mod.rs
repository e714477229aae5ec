//! Packets as octets: reading them without trust, writing them without waste (RFC 8966 §4).
//!
//! [`PacketReader`] walks a packet and yields one resolved [`Tlv`] at a time: it owns the parser
//! state of RFC 8966 §4.5 (default prefix per address encoding, router-id, next hop per family)
//! and applies it even for TLVs that it then reports as ignored. [`PacketWriter`] is its
//! counterpart: it fills one packet, compressing prefixes, router-ids and next hops.
//!
//! Nothing here allocates per TLV, panics on input, or knows about neighbours and routes.

mod addr;
mod auth;
mod kind;
mod octets;
mod reader;
mod state;
mod stateless;
mod subtlv;
mod tlv;
mod trailer;
mod writer;

pub(crate) use auth::{
    append_mac_tlv, append_pc_tlv, auth_tlvs, mac_tlv_len, pc_tlv_len, split_trailer, trailer_macs,
};
pub use reader::{PacketError, PacketReader};
pub use subtlv::{SubTlv, SubTlvWriter, SubTlvs};
pub use tlv::{Destination, Ignored, Ihu, NextHopState, Tlv, TlvKind, Update, UpdateTarget};
pub(crate) use trailer::pad_trailer;
pub use writer::{Full, NextHopOut, PacketWriter, UpdateOut};

/// Babel's UDP port.
pub const PORT: u16 = 6696;
/// First octet of every packet.
pub const MAGIC: u8 = 42;
/// Second octet of every packet.
pub const VERSION: u8 = 2;
/// Octets of the packet header: magic, version, body length.
pub const HEADER_LEN: usize = 4;
/// Octets of IPv6 and UDP headers, to be taken off a link's MTU.
pub const IPV6_UDP_LEN: u32 = 48;
/// The least packet size every node takes, whatever its MTU (RFC 8966 §4).
pub const MIN_PACKET_LEN: usize = 512;

/// Hello flag: the seqno is of the sender's Unicast Hellos (RFC 8966 §4.6.5).
const HELLO_UNICAST: u16 = 0x8000;
/// Update flag: the prefix becomes the default prefix (RFC 8966 §4.6.9).
const UPDATE_PREFIX: u8 = 0x80;
/// Update flag: the prefix holds the router-id (RFC 8966 §4.6.9).
const UPDATE_ROUTER_ID: u8 = 0x40;
