//! Netlink framing: messages and their attributes, read and written.
//!
//! Reading borrows and never panics: a length that lies ends the walk with [`Malformed`]. Writing
//! appends to a caller's buffer, so that many messages can leave in one send. This file knows
//! nothing of what the messages mean.

use crate::abi;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Octets that are not what the kernel's interface promises.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("malformed netlink message: {0}")]
pub struct Malformed(pub(crate) &'static str);

/// Octets of `struct nlmsghdr`.
pub(crate) const HEADER_OCTETS: usize = 16;

/// Octets of `struct nlattr`.
const ATTRIBUTE_HEADER_OCTETS: usize = 4;

/// Where the flags lie in a message's header.
const FLAGS_OFFSET: usize = 6;

/// Where the sequence number lies in a message's header.
const SEQUENCE_OFFSET: usize = 8;

/// Where the port lies in a message's header.
pub(crate) const PORT_ID_OFFSET: usize = 12;

const fn aligned(octets: usize) -> usize {
    octets.saturating_add(3) & !3
}

/// One received message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Message<'a> {
    pub(crate) kind: u16,
    pub(crate) flags: u16,
    pub(crate) sequence: u32,
    /// Who caused it: the port of the request, 0 for the kernel itself.
    pub(crate) port_id: u32,
    pub(crate) payload: &'a [u8],
}

/// Walks over the messages of one datagram.
#[derive(Clone, Debug)]
pub(crate) struct Messages<'a> {
    rest: &'a [u8],
}

impl<'a> Messages<'a> {
    pub(crate) fn new(datagram: &'a [u8]) -> Self {
        Self { rest: datagram }
    }

    fn step(&mut self) -> Result<Message<'a>, Malformed> {
        let octets = self.rest;
        let length = read_u32(octets, 0).ok_or(Malformed("header cut short"))? as usize;
        let payload = octets
            .get(HEADER_OCTETS..length)
            .ok_or(Malformed("message length is wrong"))?;
        let message = Message {
            kind: read_u16(octets, 4).ok_or(Malformed("header cut short"))?,
            flags: read_u16(octets, FLAGS_OFFSET).ok_or(Malformed("header cut short"))?,
            sequence: read_u32(octets, SEQUENCE_OFFSET).ok_or(Malformed("header cut short"))?,
            port_id: read_u32(octets, PORT_ID_OFFSET).ok_or(Malformed("header cut short"))?,
            payload,
        };
        self.rest = octets.get(aligned(length)..).unwrap_or_default();
        Ok(message)
    }
}

impl<'a> Iterator for Messages<'a> {
    type Item = Result<Message<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let item = self.step();
        if item.is_err() {
            self.rest = &[];
        }
        Some(item)
    }
}

/// One attribute: its type without flag bits, and its value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attribute<'a> {
    pub(crate) kind: u16,
    pub(crate) value: &'a [u8],
}

impl<'a> Attribute<'a> {
    pub(crate) fn u32(&self) -> Result<u32, Malformed> {
        read_u32(self.value, 0).ok_or(Malformed("attribute too short for 32 bits"))
    }

    /// An address of the family its length tells.
    pub(crate) fn address(&self) -> Result<IpAddr, Malformed> {
        address(self.value).ok_or(Malformed("address of neither 4 nor 16 octets"))
    }

    /// A string that may or may not end in NUL.
    pub(crate) fn string(&self) -> String {
        let end = self
            .value
            .iter()
            .position(|&octet| octet == 0)
            .unwrap_or(self.value.len());
        String::from_utf8_lossy(self.value.get(..end).unwrap_or_default()).into_owned()
    }

    pub(crate) fn nested(&self) -> Attributes<'a> {
        Attributes { rest: self.value }
    }
}

/// Walks over attributes.
#[derive(Clone, Debug)]
pub(crate) struct Attributes<'a> {
    rest: &'a [u8],
}

impl<'a> Attributes<'a> {
    /// The attributes behind a fixed header of `header_octets`.
    pub(crate) fn after(payload: &'a [u8], header_octets: usize) -> Self {
        Self {
            rest: payload.get(aligned(header_octets)..).unwrap_or_default(),
        }
    }

    fn step(&mut self) -> Result<Attribute<'a>, Malformed> {
        let octets = self.rest;
        let length = usize::from(read_u16(octets, 0).ok_or(Malformed("attribute cut short"))?);
        let kind = read_u16(octets, 2).ok_or(Malformed("attribute cut short"))?;
        let value = octets
            .get(ATTRIBUTE_HEADER_OCTETS..length)
            .ok_or(Malformed("attribute length is wrong"))?;
        self.rest = octets.get(aligned(length)..).unwrap_or_default();
        Ok(Attribute {
            kind: kind & abi::NLA_TYPE_MASK,
            value,
        })
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = Result<Attribute<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let item = self.step();
        if item.is_err() {
            self.rest = &[];
        }
        Some(item)
    }
}

pub(crate) fn read_u16(octets: &[u8], offset: usize) -> Option<u16> {
    let value = octets.get(offset..)?.first_chunk::<2>()?;
    Some(u16::from_ne_bytes(*value))
}

pub(crate) fn read_u32(octets: &[u8], offset: usize) -> Option<u32> {
    let value = octets.get(offset..)?.first_chunk::<4>()?;
    Some(u32::from_ne_bytes(*value))
}

pub(crate) fn address(octets: &[u8]) -> Option<IpAddr> {
    if let Ok(v4) = <[u8; 4]>::try_from(octets) {
        return Some(Ipv4Addr::from(v4).into());
    }
    <[u8; 16]>::try_from(octets)
        .ok()
        .map(|v6| Ipv6Addr::from(v6).into())
}

/// `AF_INET` or `AF_INET6`.
pub(crate) fn family(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => abi::AF_INET,
        IpAddr::V6(_) => abi::AF_INET6,
    }
}

/// Appends one message to a buffer. Its length is right only after [`Encoder::finish`].
#[derive(Debug)]
pub(crate) struct Encoder<'b> {
    buffer: &'b mut Vec<u8>,
    start: usize,
}

impl<'b> Encoder<'b> {
    /// Starts a request; the sequence number is set by [`stamp`] when it is sent.
    pub(crate) fn begin(buffer: &'b mut Vec<u8>, kind: u16, flags: u16) -> Self {
        let start = buffer.len();
        buffer.extend_from_slice(&[0; 4]);
        buffer.extend_from_slice(&kind.to_ne_bytes());
        buffer.extend_from_slice(&(flags | abi::NLM_F_REQUEST).to_ne_bytes());
        buffer.extend_from_slice(&[0; 8]);
        Self { buffer, start }
    }

    /// A part of a fixed header.
    pub(crate) fn raw(&mut self, octets: &[u8]) -> &mut Self {
        self.buffer.extend_from_slice(octets);
        self
    }

    pub(crate) fn attribute(&mut self, kind: u16, value: &[u8]) -> &mut Self {
        let length = u16::try_from(ATTRIBUTE_HEADER_OCTETS + value.len())
            .expect("invariant: values are integers, addresses and names of at most 15 octets");
        self.buffer.extend_from_slice(&length.to_ne_bytes());
        self.buffer.extend_from_slice(&kind.to_ne_bytes());
        self.buffer.extend_from_slice(value);
        self.pad()
    }

    pub(crate) fn u32(&mut self, kind: u16, value: u32) -> &mut Self {
        self.attribute(kind, &value.to_ne_bytes())
    }

    pub(crate) fn address(&mut self, kind: u16, address: IpAddr) -> &mut Self {
        match address {
            IpAddr::V4(v4) => self.attribute(kind, &v4.octets()),
            IpAddr::V6(v6) => self.attribute(kind, &v6.octets()),
        }
    }

    /// A NUL-terminated string; the caller has bounded its length.
    pub(crate) fn string(&mut self, kind: u16, text: &str) -> &mut Self {
        let mut value = text.as_bytes().to_vec();
        value.push(0);
        self.attribute(kind, &value)
    }

    /// An attribute whose value `fill` writes.
    pub(crate) fn nested(&mut self, kind: u16, fill: impl FnOnce(&mut Self)) -> &mut Self {
        let at = self.buffer.len();
        self.attribute(kind, &[]);
        fill(self);
        let length = u16::try_from(self.buffer.len() - at)
            .expect("invariant: nests hold a few integers, addresses and names");
        if let Some(slot) = self.buffer.get_mut(at..at + 2) {
            slot.copy_from_slice(&length.to_ne_bytes());
        }
        self
    }

    /// Writes the length. The message is whole.
    pub(crate) fn finish(&mut self) {
        let length = u32::try_from(self.buffer.len() - self.start)
            .expect("invariant: one request is under a kilobyte");
        if let Some(slot) = self.buffer.get_mut(self.start..self.start + 4) {
            slot.copy_from_slice(&length.to_ne_bytes());
        }
    }

    fn pad(&mut self) -> &mut Self {
        let length = self.start + aligned(self.buffer.len() - self.start);
        self.buffer.resize(length, 0);
        self
    }
}

/// Sets the sequence number of the message that starts at `offset`, and the flags given as well.
pub(crate) fn stamp(buffer: &mut [u8], offset: usize, sequence: u32, flags: u16) {
    let at = offset + SEQUENCE_OFFSET;
    if let Some(slot) = buffer.get_mut(at..at + 4) {
        slot.copy_from_slice(&sequence.to_ne_bytes());
    }
    let at = offset + FLAGS_OFFSET;
    let flags = read_u16(buffer, at).unwrap_or_default() | flags;
    if let Some(slot) = buffer.get_mut(at..at + 2) {
        slot.copy_from_slice(&flags.to_ne_bytes());
    }
}
