//! Packets, TLVs and their framing: conformance areas 1 and 13 (shapes), rows G-1 to G-4 and G-8.

mod wire_support;

use babel_core::wire::{PacketError, PacketReader};
use wire_support::{SOURCE, hex, packet, says, tlv};

const HELLO: &str = "0406 0000 0001 0190";

fn refused(octets: &[u8]) -> PacketError {
    PacketReader::new(octets, SOURCE)
        .map(|_| ())
        .expect_err("a refusal")
}

#[test]
fn magic_version_and_header_are_checked_8966_4_2_1_and_2() {
    let good = packet(&hex(HELLO));
    for magic in [0, 41, 43, 255] {
        let mut bad = good.clone();
        bad[0] = magic;
        assert_eq!(refused(&bad), PacketError::Magic(magic));
    }
    for version in [0, 1, 3, 255] {
        let mut bad = good.clone();
        bad[1] = version;
        assert_eq!(refused(&bad), PacketError::Version(version));
    }
    for len in 0..4 {
        assert_eq!(refused(&good[..len]), PacketError::TooShort);
    }
}

#[test]
fn a_body_longer_than_its_datagram_drops_the_packet_g_1() {
    let mut octets = packet(&hex(HELLO));
    octets[3] += 1;
    let error = refused(&octets);
    assert_eq!(
        error,
        PacketError::Truncated {
            claimed: 9,
            actual: 8
        }
    );
    assert_eq!(
        error.to_string(),
        "body of 9 octets in a datagram that holds 8"
    );
    octets[2] = 0xff;
    assert!(matches!(refused(&octets), PacketError::Truncated { .. }));
}

#[test]
fn what_follows_the_body_is_trailer_and_is_not_read_8966_4_2_3_and_4() {
    let mut octets = packet(&hex(HELLO));
    let trailer = hex("1002 abcd 0406 0000 0002 0190 080a 0000 0000 ffff 0000 ffff");
    octets.extend_from_slice(&trailer);
    let mut reader = PacketReader::new(&octets, SOURCE).expect("a sound header");
    assert_eq!(reader.by_ref().count(), 1);
    assert_eq!(reader.trailer(), trailer);
    assert!(!reader.overrun());
}

#[test]
fn an_empty_body_says_nothing() {
    assert_eq!(says(""), Vec::<String>::new());
}

#[test]
fn padding_is_never_shown_whatever_it_holds_8966_4_3_1_4_6_1_1_4_6_2_1() {
    assert_eq!(
        says(&format!("00 {HELLO} 0000 0103 ffffff 0100 {HELLO} 00")),
        ["hello", "hello"]
    );
}

#[test]
fn unknown_types_are_skipped_8966_4_3_2_mac_in_the_body_too_8967_6_1_1() {
    for kind in [11, 12, 13, 15, 16, 20, 99, 223, 224, 254, 255] {
        assert_eq!(
            says(&format!("{kind:02x}02 abcd {HELLO}")),
            [format!("UnknownType({kind})"), "hello".to_owned()]
        );
    }
}

#[test]
fn a_tlv_that_runs_past_the_body_ends_the_packet_and_what_came_before_stands_g_2() {
    for tail in ["04", "0406", "0406 0000 0001 01", "01ff", "0101"] {
        let octets = packet(&hex(&format!("{HELLO} {tail}")));
        let mut reader = PacketReader::new(&octets, SOURCE).expect("a sound header");
        assert_eq!(reader.by_ref().count(), 1, "{tail}");
        assert!(reader.overrun(), "{tail}");
        assert!(reader.next().is_none(), "{tail}");
    }
}

#[test]
fn a_tlv_shorter_than_its_fixed_part_costs_that_tlv_only_g_3() {
    for (kind, shortest, name) in [
        (2, 6, "AckRequest"),
        (3, 2, "Ack"),
        (4, 6, "Hello"),
        (5, 6, "Ihu"),
        (6, 10, "RouterId"),
        (7, 2, "NextHop"),
        (8, 10, "Update"),
        (9, 2, "RouteRequest"),
        (10, 14, "SeqnoRequest"),
        (17, 4, "Other"),
    ] {
        for len in 0..shortest {
            let body = "01".repeat(len);
            assert_eq!(
                says(&format!("{kind:02x}{len:02x}{body} {HELLO}")),
                [format!("Malformed({name})"), "hello".to_owned()],
                "type {kind} of {len} octets"
            );
        }
    }
}

#[test]
fn an_address_or_prefix_cut_short_costs_that_tlv_only_g_3() {
    for (body, name) in [
        ("0509 0100 0060 04b0 c00002", "Ihu"),
        ("0515 0200 0060 04b0 20010db80000000000000000000000", "Ihu"),
        ("050d 0300 0060 04b0 00000000000000", "Ihu"),
        ("0705 0100 c00002", "NextHop"),
        ("0711 0200 20010db800000000000000000000 00", "NextHop"),
        ("0709 0300 00000000000000", "NextHop"),
        ("0811 0200 40 00 0640 1234 0100 20010db8000000", "Update"),
        ("0904 0118 cb00", "RouteRequest"),
        ("0a10 0118 1234 7f 00 0102030405060708 cb00", "SeqnoRequest"),
    ] {
        assert_eq!(
            says(&format!("{body} {HELLO}")),
            [format!("Malformed({name})"), "hello".to_owned()],
            "{body}"
        );
    }
}

#[test]
fn reserved_fields_and_unknown_flags_are_ignored_8966_4_6_1_4_6_5_4_4_6_9_6() {
    assert_eq!(
        says(
            "0206 ffff abcd 0064
             0406 7fff 0001 0190
             0506 00ff 0060 04b0
             060a ffff 0000000000000007
             0706 01ff c0000201
             080b 013f 0800 0640 1234 0100 0a
             0a0f 0108 1234 7f ff 0102030405060708 0a"
        ),
        [
            "ack request",
            "hello",
            "ihu",
            "router-id 7",
            "next hop 192.0.2.1",
            "10.0.0.0/8 by 7 via 192.0.2.1",
            "seqno request 10.0.0.0/8",
        ]
    );
}

#[test]
fn unknown_hello_flags_do_not_make_it_unicast_8966_4_6_5_4() {
    use babel_core::wire::Tlv;
    wire_support::with_read("0406 7fff 0001 0190 0406 ffff 0001 0190", |tlvs| {
        assert!(matches!(tlvs[0], Tlv::Hello { unicast: false, .. }));
        assert!(matches!(tlvs[1], Tlv::Hello { unicast: true, .. }));
    });
}

#[test]
fn unknown_address_encodings_cost_that_tlv_only_8966_4_6_6_1_4_6_8_1_4_6_9_7_g_8() {
    for ae in [5, 6, 223, 224, 254, 255] {
        let reason = format!("AddressEncoding({ae})");
        assert_eq!(
            says(&format!(
                "050a {ae:02x}00 0060 04b0 c0000201
                 0706 {ae:02x}00 c0000201
                 080b {ae:02x}00 0800 0640 1234 0100 0a
                 0903 {ae:02x}08 0a
                 0a0f {ae:02x}08 1234 7f 00 0102030405060708 0a
                 {HELLO}"
            )),
            [&reason, &reason, &reason, &reason, &reason, "hello"]
        );
    }
}

#[test]
fn encodings_that_may_not_stand_there_are_refused_8966_4_6_8_2_4_6_11_1_9229_4_2_1() {
    // Next Hop: not 0, not 4. IHU: not 4. Seqno Request: not 0.
    assert_eq!(
        says(
            "0702 0000
             0706 0400 c0000201
             050a 0400 0060 04b0 c0000201
             0a0e 0000 1234 7f 00 0102030405060708"
        ),
        [
            "AddressEncoding(0)",
            "AddressEncoding(4)",
            "AddressEncoding(4)",
            "AddressEncoding(0)",
        ]
    );
}

#[test]
fn a_zero_interval_costs_the_tlv_but_not_a_hello_nor_a_retraction_g_4() {
    assert_eq!(
        says(
            "0206 0000 abcd 0000
             0406 0000 0001 0000
             0506 0000 0060 0000
             060a 0000 0000000000000007
             080a 0280 00 00 0000 1234 0100
             080a 0200 00 00 0000 1234 ffff
             080a 0000 00 00 0000 1234 ffff"
        ),
        [
            "ZeroInterval(AckRequest)",
            "hello",
            "ZeroInterval(Ihu)",
            "router-id 7",
            "ZeroInterval(Update)",
            "retract ::/0",
            "retract all",
        ]
    );
}

#[test]
fn wildcards_have_no_length_and_no_finite_metric_8966_4_6_9_9_and_10_4_6_10_1() {
    let lone = |body: &str| says(&format!("060a 0000 0000000000000007 {body}"))[1].clone();
    for (body, expected) in [
        ("080a 0000 00 00 0640 1234 ffff", "retract all"),
        ("080a 0000 00 00 0640 1234 0000", "BadWildcard"),
        ("080a 0000 00 00 0640 1234 fffe", "BadWildcard"),
        ("080a 0000 08 00 0640 1234 ffff", "BadWildcard"),
        ("080a 0000 00 01 0640 1234 ffff", "BadWildcard"),
        ("0902 0000", "request all"),
        ("0902 0008", "BadWildcard"),
    ] {
        assert_eq!(lone(body), expected, "{body}");
    }
}

#[test]
fn a_seqno_request_for_a_reserved_router_id_is_ignored_8966_4_6_11_4() {
    for id in ["0000000000000000", "ffffffffffffffff"] {
        assert_eq!(
            says(&format!("0a0f 0108 1234 7f 00 {id} 0a")),
            ["Malformed(SeqnoRequest)"]
        );
    }
}

#[test]
fn a_hop_count_of_zero_is_shown_as_received_8966_4_6_11_3() {
    use babel_core::wire::Tlv;
    wire_support::with_read("0a0f 0108 1234 00 00 0102030405060708 0a", |tlvs| {
        assert!(matches!(tlvs[0], Tlv::SeqnoRequest { hop_count: 0, .. }));
    });
}

#[test]
fn overlong_indices_and_nonces_are_ignored_8967_6_2_1_6_3_1() {
    let of = |kind: u8, len: usize| {
        let body = tlv(kind, &"01".repeat(len));
        let body: String = body.iter().map(|octet| format!("{octet:02x}")).collect();
        says(&body)[0].clone()
    };
    for (kind, longest) in [(17, 36), (18, 192), (19, 192)] {
        assert_eq!(of(kind, longest), "authentication");
        assert_eq!(of(kind, longest + 1), "Malformed(Other)");
    }
}
