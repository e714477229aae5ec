//! Padding behind a packet's body, for probing what a link can carry.
//!
//! Receivers pass over a trailer (RFC 8966 §4.2), so that nothing changes but the length.

use super::kind::{PAD1, PADN};

/// Octets a PadN TLV holds at most, without its own two.
const LARGEST: usize = 255;

/// Lengthens a finished packet to `len` octets by Pad1 and PadN TLVs.
pub(crate) fn pad_trailer(packet: &mut Vec<u8>, len: usize) {
    loop {
        match len.saturating_sub(packet.len()) {
            0 => return,
            1 => packet.push(PAD1),
            missing => {
                let filling = (missing - 2).min(LARGEST);
                // At most 255.
                packet.extend_from_slice(&[PADN, filling as u8]);
                packet.resize(packet.len() + filling, 0);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Interval;
    use crate::types::SeqNo;
    use crate::wire::{PacketReader, PacketWriter, Tlv};
    use core::net::Ipv6Addr;

    #[test]
    fn a_padded_packet_has_the_length_wanted_and_says_the_same() {
        let mut writer = PacketWriter::new(Vec::new(), 512);
        let hello = writer.hello(false, SeqNo(7), Interval::from_centis(400), None);
        hello.expect("it fits");
        let plain = writer.finish();
        for missing in [0, 1, 2, 3, 256, 257, 258, 259, 1400] {
            let mut packet = plain.clone();
            pad_trailer(&mut packet, plain.len() + missing);
            assert_eq!(packet.len(), plain.len() + missing);
            let mut reader = PacketReader::new(&packet, Ipv6Addr::LOCALHOST).expect("a packet");
            let tlvs: Vec<Tlv<'_>> = reader.by_ref().collect();
            assert!(matches!(tlvs[..], [Tlv::Hello { .. }]), "{tlvs:?}");
            assert!(!reader.overrun());
            // The trailer is made of whole TLVs.
            let mut trailer = &packet[plain.len()..];
            while let [kind, rest @ ..] = trailer {
                trailer = match (*kind, rest) {
                    (PAD1, rest) => rest,
                    (PADN, [len, rest @ ..]) => &rest[usize::from(*len)..],
                    other => panic!("{other:?}"),
                };
            }
        }
        let mut packet = plain.clone();
        pad_trailer(&mut packet, 3);
        assert_eq!(packet, plain);
    }
}
