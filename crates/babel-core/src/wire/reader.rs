//! Reading a packet: header, framing, trailer.

use super::kind;
use super::state::ParserState;
use super::tlv::Tlv;
use super::{HEADER_LEN, MAGIC, VERSION};
use core::iter::FusedIterator;
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
    /// What is left of the body.
    rest: &'a [u8],
    trailer: &'a [u8],
    overrun: bool,
    state: ParserState,
}

impl<'a> PacketReader<'a> {
    /// Checks the header. `source` is the first next hop for IPv6 and v4-via-v6 routes.
    pub fn new(datagram: &'a [u8], source: Ipv6Addr) -> Result<Self, PacketError> {
        let Some((&[magic, version, high, low], content)) =
            datagram.split_first_chunk::<HEADER_LEN>()
        else {
            return Err(PacketError::TooShort);
        };
        if magic != MAGIC {
            return Err(PacketError::Magic(magic));
        }
        if version != VERSION {
            return Err(PacketError::Version(version));
        }
        let claimed = usize::from(u16::from_be_bytes([high, low]));
        let Some((rest, trailer)) = content.split_at_checked(claimed) else {
            return Err(PacketError::Truncated {
                claimed,
                actual: content.len(),
            });
        };
        Ok(Self {
            rest,
            trailer,
            overrun: false,
            state: ParserState::new(source),
        })
    }

    /// The octets after the body: MAC TLVs live there (RFC 8967 §6.1).
    pub fn trailer(&self) -> &'a [u8] {
        self.trailer
    }

    /// Whether framing broke: a TLV ran past the body, and what followed could not be read.
    /// Known only once the iterator is exhausted.
    pub fn overrun(&self) -> bool {
        self.overrun
    }
}

impl<'a> Iterator for PacketReader<'a> {
    type Item = Tlv<'a>;
    fn next(&mut self) -> Option<Tlv<'a>> {
        loop {
            let (&kind, after) = self.rest.split_first()?;
            if kind == kind::PAD1 {
                self.rest = after;
                continue;
            }
            let framed = after
                .split_first()
                .and_then(|(&len, after)| after.split_at_checked(usize::from(len)));
            let Some((body, rest)) = framed else {
                self.rest = &[];
                self.overrun = true;
                return None;
            };
            self.rest = rest;
            if kind != kind::PADN {
                return Some(self.state.read(kind, body).unwrap_or_else(Tlv::Ignored));
            }
        }
    }
}

impl FusedIterator for PacketReader<'_> {}
