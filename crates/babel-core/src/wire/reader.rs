//! Reading a packet.

use super::tlv::Tlv;
use core::net::Ipv6Addr;

/// Why a whole packet is dropped.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PacketError {
    /// Fewer octets than the header.
    #[error("packet shorter than its header")]
    TooShort,
    /// The first octet is not 42.
    #[error("bad magic {0}")]
    Magic(u8),
    /// The version is not 2.
    #[error("unknown version {0}")]
    Version(u8),
    /// The body length points beyond the datagram.
    #[error("body of {claimed} octets in a datagram that holds {actual}")]
    Truncated {
        /// What the header says.
        claimed: usize,
        /// What there is.
        actual: usize,
    },
}

/// Walks the body of one packet. Iterate it.
#[derive(Clone, Debug)]
pub struct PacketReader<'a> {
    _octets: &'a [u8],
}

impl<'a> PacketReader<'a> {
    /// Checks the header. `source` is the first next hop for IPv6 and v4-via-v6 routes.
    pub fn new(datagram: &'a [u8], source: Ipv6Addr) -> Result<Self, PacketError> {
        let _ = source;
        let _ = datagram;
        todo!("wire")
    }

    /// The octets after the body: MAC TLVs live there (RFC 8967 §6.1).
    pub fn trailer(&self) -> &'a [u8] {
        todo!("wire")
    }

    /// Whether framing broke: a TLV ran past the body, and what followed could not be read.
    /// Known only once the iterator is exhausted.
    pub fn overrun(&self) -> bool {
        todo!("wire")
    }
}

impl<'a> Iterator for PacketReader<'a> {
    type Item = Tlv<'a>;
    fn next(&mut self) -> Option<Tlv<'a>> {
        todo!("wire")
    }
}
