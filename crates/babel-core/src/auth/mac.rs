//! The MAC of a packet: what it covers, and whether a received one is right (RFC 8967 §4.1, §4.3).

use super::{Auth, AuthFailure};
use crate::wire;
use core::net::Ipv6Addr;

/// Octets of the pseudo-header.
const PSEUDO_HEADER_LEN: usize = 36;

/// Where a packet comes from and goes to. The port is the same at both ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Endpoints {
    pub(crate) source: Ipv6Addr,
    pub(crate) destination: Ipv6Addr,
    pub(crate) port: u16,
}

impl Endpoints {
    /// What is authenticated beside the packet, though never sent (RFC 8967 §4.1).
    fn pseudo_header(&self) -> [u8; PSEUDO_HEADER_LEN] {
        let mut header = [0; PSEUDO_HEADER_LEN];
        let port = self.port.to_be_bytes();
        let fields = self.source.octets().into_iter().chain(port);
        let fields = fields.chain(self.destination.octets()).chain(port);
        for (octet, field) in header.iter_mut().zip(fields) {
            *octet = field;
        }
        header
    }
}

/// Appends the MACs of a finished packet, one for each key that signs.
pub(super) fn sign(auth: &Auth, endpoints: &Endpoints, packet: &mut Vec<u8>) {
    let header = endpoints.pseudo_header();
    let signed = packet.len();
    for key in auth.signing() {
        wire::append_mac_tlv(packet, key.mac_len(), |packet, mac| {
            let signed = packet.get(..signed).unwrap_or_default();
            key.append_mac([&header, signed], mac);
        });
    }
}

/// Whether any MAC in the trailer was made with any of our keys. One computation for each key at
/// most, however many MACs there are.
pub(super) fn verify(
    auth: &Auth,
    endpoints: &Endpoints,
    signed: &[u8],
    trailer: &[u8],
) -> Result<(), AuthFailure> {
    let macs = wire::trailer_macs(trailer);
    if macs.clone().next().is_none() {
        return Err(AuthFailure::MissingMac);
    }
    let header = endpoints.pseudo_header();
    let mut keys = auth.keys().iter();
    if keys.any(|key| key.key.made_any([&header, signed], macs.clone())) {
        Ok(())
    } else {
        Err(AuthFailure::WrongMac)
    }
}

#[cfg(test)]
mod tests {
    use super::super::key::COMPUTED;
    use super::super::{Algorithm, Key, LinkKey};
    use super::*;

    const ENDPOINTS: Endpoints = Endpoints {
        source: Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0x0102),
        destination: Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 1, 6),
        port: 6696,
    };

    fn key(algorithm: Algorithm, octet: u8) -> LinkKey {
        LinkKey::new(Key::new(algorithm, &[octet; 16]).expect("a key"))
    }

    // 8967-4.1-1
    #[test]
    fn the_pseudo_header_is_source_port_destination_port() {
        let mut expected = vec![0xfe, 0x80];
        expected.resize(14, 0);
        expected.extend([1, 2, 0x1a, 0x28, 0xff, 2]);
        expected.resize(31, 0);
        expected.extend([1, 0, 6, 0x1a, 0x28]);
        assert_eq!(ENDPOINTS.pseudo_header().as_slice(), &expected);
    }

    // 8967-4.1-1, 8967-4.2-6: computed by Python's hmac and hashlib over the concatenation.
    #[test]
    fn each_key_adds_one_mac_tlv_after_the_body() {
        let both = Auth::new([
            key(Algorithm::HmacSha256, 1),
            key(Algorithm::Blake2s128, 2),
            LinkKey::accept_only(Key::new(Algorithm::HmacSha256, &[3]).expect("a key")),
        ]);
        let body = [42, 2, 0, 6, 3, 4, 0, 0, 1, 2];
        let mut packet = body.to_vec();
        sign(&both, &ENDPOINTS, &mut packet);
        let (signed, trailer) = packet.split_at(body.len());
        assert_eq!(signed, body);
        let hex: String = trailer.iter().map(|octet| format!("{octet:02x}")).collect();
        assert_eq!(
            hex,
            "102022b01d3182cc89a9d8ba3434e62d15391c9c2cda53dba1f143af7dc06eedb1a7101012fba7e76871c755410e9d9e92745db8"
        );
        assert_eq!(verify(&both, &ENDPOINTS, signed, trailer), Ok(()));
    }

    // 8967-4.3-1, 8967-4.3-2
    #[test]
    fn a_packet_without_or_with_a_wrong_mac_or_from_elsewhere_fails() {
        let ours = Auth::new([key(Algorithm::HmacSha256, 1)]);
        let mut packet = vec![42, 2, 0, 0];
        sign(&ours, &ENDPOINTS, &mut packet);
        let (signed, trailer) = packet.split_at(4);
        let wrong = Err(AuthFailure::WrongMac);
        assert_eq!(verify(&ours, &ENDPOINTS, signed, trailer), Ok(()));
        let missing = Err(AuthFailure::MissingMac);
        assert_eq!(verify(&ours, &ENDPOINTS, signed, &[]), missing);
        assert_eq!(verify(&ours, &ENDPOINTS, signed, &[1, 2, 0, 0, 0]), missing);
        for other in [key(Algorithm::HmacSha256, 2), key(Algorithm::Blake2s128, 1)] {
            let theirs = Auth::new([other]);
            assert_eq!(verify(&theirs, &ENDPOINTS, signed, trailer), wrong);
        }
        let nobody = Auth::new([]);
        assert_eq!(verify(&nobody, &ENDPOINTS, signed, trailer), wrong);
        for bit in 0..signed.len() * 8 {
            let mut flipped = signed.to_vec();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(verify(&ours, &ENDPOINTS, &flipped, trailer), wrong);
        }
        let elsewhere = |change: fn(&mut Endpoints)| {
            let mut endpoints = ENDPOINTS;
            change(&mut endpoints);
            verify(&ours, &endpoints, signed, trailer)
        };
        assert_eq!(elsewhere(|e| e.source = Ipv6Addr::LOCALHOST), wrong);
        assert_eq!(elsewhere(|e| e.destination = Ipv6Addr::LOCALHOST), wrong);
        assert_eq!(elsewhere(|e| e.port = 6697), wrong);
    }

    // 8967-4.3-4
    #[test]
    fn sixty_macs_cost_one_computation_for_each_key() {
        let ours = Auth::new([key(Algorithm::HmacSha256, 1), key(Algorithm::HmacSha256, 2)]);
        let mut trailer = Vec::new();
        for n in 0..60_u8 {
            trailer.extend([16, 32]);
            trailer.extend([n; 32]);
        }
        COMPUTED.set(0);
        let verified = verify(&ours, &ENDPOINTS, &[42, 2, 0, 0], &trailer);
        assert_eq!(verified, Err(AuthFailure::WrongMac));
        assert_eq!(COMPUTED.get(), 2);
    }

    #[test]
    fn the_right_mac_may_be_anywhere_in_the_trailer() {
        let ours = Auth::new([key(Algorithm::Blake2s128, 9)]);
        let mut packet = vec![42, 2, 0, 0];
        sign(&ours, &ENDPOINTS, &mut packet);
        let (signed, mac) = packet.split_at(4);
        // Pad1, PadN, an unknown TLV, a MAC of another length, ours, and a cut one.
        let mut trailer = vec![0, 1, 1, 0, 200, 2, 1, 1, 16, 3, 1, 2, 3];
        trailer.extend_from_slice(mac);
        trailer.extend([16, 32, 1]);
        assert_eq!(verify(&ours, &ENDPOINTS, signed, &trailer), Ok(()));
    }
}
