//! The TLVs of MAC authentication (RFC 8967 §6): found before normal parsing, and added to a
//! packet that is finished.

use super::octets::tlv;
use super::reader::PacketError;
use super::tlv::Tlv;
use super::{HEADER_LEN, PacketReader, kind, stateless};
use core::net::Ipv6Addr;

/// Octets of a PC TLV with an index of `index_len`.
pub(crate) const fn pc_tlv_len(index_len: usize) -> usize {
    2 + 4 + index_len
}

/// Octets of a MAC TLV.
pub(crate) const fn mac_tlv_len(mac_len: usize) -> usize {
    2 + mac_len
}

/// Cuts a datagram into what a MAC covers and its trailer.
pub(crate) fn split_trailer(datagram: &[u8]) -> Result<(&[u8], &[u8]), PacketError> {
    let trailer = PacketReader::new(datagram, Ipv6Addr::UNSPECIFIED)?.trailer();
    let signed = datagram.len().saturating_sub(trailer.len());
    Ok(datagram.split_at_checked(signed).unwrap_or((datagram, &[])))
}

/// The PC and challenge TLVs of a packet, header included; all others are passed over
/// (RFC 8967 §4.3). Malformed ones, and those that are longer than one need read, too.
pub(crate) fn auth_tlvs(packet: &[u8]) -> impl Iterator<Item = Tlv<'_>> {
    let body = packet.get(HEADER_LEN..).unwrap_or_default();
    Frames(body).filter_map(|(kind, body)| match kind {
        kind::PC => stateless::pc(body).ok(),
        kind::CHALLENGE_REQUEST => {
            let nonce = stateless::nonce(body).ok()?;
            Some(Tlv::ChallengeRequest { nonce })
        }
        kind::CHALLENGE_REPLY => {
            let nonce = stateless::nonce(body).ok()?;
            Some(Tlv::ChallengeReply { nonce })
        }
        _ => None,
    })
}

/// The MACs in a trailer. One in the body does not count (RFC 8967 §6.1).
pub(crate) fn trailer_macs(trailer: &[u8]) -> impl Iterator<Item = &[u8]> + Clone {
    Frames(trailer).filter_map(|(kind, body)| (kind == kind::MAC).then_some(body))
}

/// Appends a PC TLV to the body of a finished packet and corrects its length.
pub(crate) fn append_pc_tlv(packet: &mut Vec<u8>, pc: u32, index: &[u8]) {
    tlv(packet, kind::PC, |out| {
        out.extend_from_slice(&pc.to_be_bytes());
        out.extend_from_slice(index);
    });
    let len = u16::try_from(packet.len().saturating_sub(HEADER_LEN)).unwrap_or(u16::MAX);
    if let Some([_, _, field @ ..]) = packet.first_chunk_mut::<HEADER_LEN>() {
        *field = len.to_be_bytes();
    }
}

/// Appends a MAC TLV to the trailer: `mac` is given the packet so far and a place to write to.
pub(crate) fn append_mac_tlv(
    packet: &mut Vec<u8>,
    mac_len: usize,
    mac: impl FnOnce(&[u8], &mut Vec<u8>),
) {
    let mut octets = Vec::with_capacity(mac_len);
    mac(packet, &mut octets);
    tlv(packet, kind::MAC, |out| out.extend_from_slice(&octets));
}

/// Walks TLVs without reading them; stops where the framing breaks.
#[derive(Clone, Debug)]
struct Frames<'a>(&'a [u8]);

impl<'a> Iterator for Frames<'a> {
    type Item = (u8, &'a [u8]);
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (&kind, after) = self.0.split_first()?;
            if kind == kind::PAD1 {
                self.0 = after;
                continue;
            }
            let framed = after
                .split_first()
                .and_then(|(&len, after)| after.split_at_checked(usize::from(len)));
            let Some((body, rest)) = framed else {
                self.0 = &[];
                return None;
            };
            self.0 = rest;
            return Some((kind, body));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // 8967-4.3-5, 8967-6.2-1, 8967-6.3-1
    #[test]
    fn preparsing_sees_pc_and_challenges_only_up_to_the_lengths_that_must_be_read() {
        let mut packet = vec![42, 2, 0, 0, 0, 4, 6, 0, 0, 0, 1, 0, 10, 16, 1, 7];
        for (kind, len) in [(17, 3), (17, 4), (17, 36), (17, 37), (18, 0), (18, 192)] {
            packet.extend([kind, len]);
            packet.extend((0..len).map(|_| 9));
        }
        for (kind, len) in [(18, 193), (19, 0), (19, 193), (19, 2)] {
            packet.extend([kind, len]);
            packet.extend((0..len).map(|_| 9));
        }
        packet.extend([17, 12, 1]);
        let lengths: Vec<(u8, usize)> = auth_tlvs(&packet)
            .map(|tlv| match tlv {
                Tlv::Pc { index, .. } => (17, index.len()),
                Tlv::ChallengeRequest { nonce } => (18, nonce.len()),
                Tlv::ChallengeReply { nonce } => (19, nonce.len()),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(
            lengths,
            [(17, 0), (17, 32), (18, 0), (18, 192), (19, 0), (19, 2)]
        );
    }

    #[test]
    fn a_packet_is_cut_at_the_length_its_header_tells() {
        let packet = [42, 2, 0, 2, 1, 0, 16, 1, 9];
        let (signed, trailer) = split_trailer(&packet).expect("a packet");
        assert_eq!(signed, &packet[..6]);
        assert_eq!(trailer_macs(trailer).collect::<Vec<_>>(), [&[9]]);
        assert!(split_trailer(&packet[..5]).is_err());
    }

    #[test]
    fn a_pc_tlv_lengthens_the_body() {
        let mut packet = vec![42, 2, 0, 2, 1, 0];
        append_pc_tlv(&mut packet, 0x0102_0304, b"ab");
        let expected = [42, 2, 0, 10, 1, 0, 17, 6, 1, 2, 3, 4, b'a', b'b'];
        assert_eq!(packet, expected);
        assert_eq!(packet.len() - 6, pc_tlv_len(2));
    }
}
