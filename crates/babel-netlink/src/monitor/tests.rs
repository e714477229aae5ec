//! What a monitor makes of octets. Its behaviour beside the kernel is in `tests/monitor.rs`.

use super::deliver;
use crate::abi;
use crate::notification::Notification;
use crate::route::{MAIN_TABLE, Route};
use crate::route_codec::encode;
use crate::wire::{Encoder, PORT_ID_OFFSET};
use proptest::prelude::*;

fn route_added(port_id: u32) -> Vec<u8> {
    let mut datagram = Vec::new();
    let mut encoder = Encoder::begin(&mut datagram, abi::RTM_NEWROUTE, 0);
    encode(
        &mut encoder,
        &Route::new(("10.0.0.0".parse().unwrap(), 8), MAIN_TABLE, 42),
    );
    encoder.finish();
    datagram[PORT_ID_OFFSET..PORT_ID_OFFSET + 4].copy_from_slice(&port_id.to_ne_bytes());
    datagram
}

#[test]
fn own_changes_are_passed_over_and_no_others() {
    let seen = |port_id, ignored| {
        let mut seen = 0;
        assert_eq!(
            deliver(&route_added(port_id), ignored, &mut |_| seen += 1),
            0
        );
        seen
    };
    assert_eq!(seen(7, Some(7)), 0);
    assert_eq!(seen(8, Some(7)), 1);
    assert_eq!(seen(7, None), 1);
    assert_eq!(
        seen(0, Some(0)),
        1,
        "the kernel's own doings are never ignored"
    );
}

#[test]
fn a_malformed_message_is_counted_and_the_next_datagram_read() {
    let mut datagram = route_added(0);
    datagram[17] = 200;
    let mut seen = 0;
    assert_eq!(
        deliver(&datagram, None, &mut |_| seen += 1),
        1,
        "a prefix of 200 bits"
    );
    datagram[0] = 3;
    assert_eq!(
        deliver(&datagram, None, &mut |_| seen += 1),
        1,
        "a message of 3 octets"
    );
    assert_eq!(seen, 0);
}

proptest! {
    #[test]
    fn random_datagrams_never_panic(datagram in prop::collection::vec(any::<u8>(), 0..300)) {
        deliver(&datagram, None, &mut |_| ());
    }

    #[test]
    fn random_payloads_of_known_messages_never_panic(
        kind in 16..30_u16,
        payload in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let mut datagram = Vec::new();
        let mut encoder = Encoder::begin(&mut datagram, kind, 0);
        encoder.raw(&payload).finish();
        deliver(&datagram, None, &mut |_: Notification| ());
    }

    /// Well-formed attributes of random content reach deeper than random octets do.
    #[test]
    fn random_attributes_never_panic(
        kind in 16..30_u16,
        header in prop::collection::vec(prop_oneof![Just(0_u8), Just(2), Just(10), any::<u8>()], 16),
        attributes in prop::collection::vec(
            (0..40_u16, prop::collection::vec(any::<u8>(), 0..24)),
            0..8,
        ),
    ) {
        let mut datagram = Vec::new();
        let mut encoder = Encoder::begin(&mut datagram, kind, 0);
        let header_octets = match kind { 16..20 => 16, 20..24 => 8, _ => 12 };
        encoder.raw(&header[..header_octets]);
        for (kind, value) in &attributes {
            encoder.attribute(*kind, value);
        }
        encoder.finish();
        deliver(&datagram, None, &mut |_: Notification| ());
    }
}
