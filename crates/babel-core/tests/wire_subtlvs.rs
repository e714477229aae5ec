//! Sub-TLVs: conformance areas 2, 15 and the formats of 14, row G-7.

mod wire_support;

use babel_core::wire::{Ignored, SubTlvWriter, Tlv, TlvKind};
use wire_support::{hex, says, tlv, with_read};

/// Every TLV that takes sub-TLVs, without any, and its kind.
const HOSTS: [(u8, &str, TlvKind); 9] = [
    (2, "0000 abcd 0064", TlvKind::AckRequest),
    (3, "abcd", TlvKind::Ack),
    (4, "0000 0001 0190", TlvKind::Hello),
    (5, "0300 0060 04b0 0000000000000001", TlvKind::Ihu),
    (6, "0000 0000000000000007", TlvKind::RouterId),
    (7, "0100 c0000201", TlvKind::NextHop),
    (8, "0200 20 00 0640 1234 ffff 20010db8", TlvKind::Update),
    (9, "0220 20010db8", TlvKind::RouteRequest),
    (
        10,
        "0220 1234 7f 00 0102030405060708 20010db8",
        TlvKind::SeqnoRequest,
    ),
];

/// Whether the base protocol understands a Source Prefix there.
const fn takes_source(kind: TlvKind) -> bool {
    matches!(
        kind,
        TlvKind::Update | TlvKind::RouteRequest | TlvKind::SeqnoRequest
    )
}

/// What a TLV says with these sub-TLVs, and the same TLV after it without: one bad TLV costs
/// that TLV only.
fn with_sub_tlvs(kind: u8, body: &str, sub_tlvs: &str) -> String {
    let both = [tlv(kind, &format!("{body}{sub_tlvs}")), tlv(kind, body)].concat();
    let mut said = says(&wire_support::show(&both));
    assert_eq!(said.len(), 2);
    assert_eq!(said[1], says(&wire_support::show(&tlv(kind, body)))[0]);
    said.swap_remove(0)
}

#[test]
fn unknown_and_padding_sub_tlvs_change_nothing_8966_4_4_1_and_2_4_7_1_1_4_7_2_1() {
    for (kind, body, _) in HOSTS {
        let plain = with_sub_tlvs(kind, body, "");
        for sub_tlvs in [
            "7800",
            "7802 abcd",
            "00",
            "0000 00",
            "0100",
            "0103 ffffff",
            "00 0201 05 7e00 7f00 00",
        ] {
            assert_eq!(
                with_sub_tlvs(kind, body, sub_tlvs),
                plain,
                "{kind} {sub_tlvs}"
            );
        }
    }
}

#[test]
fn an_unknown_mandatory_sub_tlv_voids_its_tlv_wherever_it_stands_8966_4_4_3_e_1() {
    for (kind, body, _) in HOSTS {
        for unknown in [129u8, 239, 240, 250, 254, 255] {
            for sub_tlvs in [
                format!("{unknown:02x}00"),
                format!("{unknown:02x}02abcd"),
                format!("00 7801 ff {unknown:02x}00"),
            ] {
                assert_eq!(
                    with_sub_tlvs(kind, body, &sub_tlvs),
                    format!("MandatorySubTlv({unknown})"),
                    "{kind} {sub_tlvs}"
                );
            }
        }
    }
}

#[test]
fn a_source_prefix_in_another_tlv_is_an_unknown_mandatory_one_8966_4_4_4() {
    for (kind, body, host) in HOSTS {
        let said = with_sub_tlvs(kind, body, "8003 10 2001");
        assert_eq!(
            said == "MandatorySubTlv(128)",
            !takes_source(host),
            "{kind}"
        );
    }
}

#[test]
fn a_truncated_sub_tlv_voids_its_tlv_g_7() {
    for (kind, body, host) in HOSTS {
        for sub_tlvs in [
            "78",
            "7801",
            "7803 abcd",
            "0101",
            "01ff 00",
            "7800 fa",
            "fa01",
        ] {
            assert_eq!(
                with_sub_tlvs(kind, body, sub_tlvs),
                format!("Malformed({host:?})"),
                "{kind} {sub_tlvs}"
            );
        }
    }
}

#[test]
fn source_prefixes_key_the_route_9079_5_1_1_and_7_2_1() {
    for (kind, body, host) in HOSTS {
        if !takes_source(host) {
            continue;
        }
        let plain = with_sub_tlvs(kind, body, "");
        for (sub_tlvs, source) in [
            ("8003 10 2001", " from 2001::/16"),
            ("8002 01 80", " from 8000::/1"),
            // Longer than needed: the rest is ignored (9079-7.1-2).
            ("8006 10 2001 ffffff", " from 2001::/16"),
            ("8003 0c 20ff", " from 20f0::/12"),
            ("7800 00 8003 10 2001 7801 ff", " from 2001::/16"),
        ] {
            assert_eq!(
                with_sub_tlvs(kind, body, sub_tlvs),
                format!("{plain}{source}")
            );
        }
    }
}

#[test]
fn bad_source_prefixes_void_their_tlv_9079_5_1_7_2_7_1_1_and_4() {
    for (kind, body, host) in HOSTS {
        if !takes_source(host) {
            continue;
        }
        for (sub_tlvs, why) in [
            ("8001 00", "length zero"),
            ("8003 00 2001", "length zero with octets"),
            ("8000", "no length"),
            ("8001 10", "no octets"),
            ("8002 10 20", "an octet short"),
            ("8012 81 2001000000000000000000000000000000", "length 129"),
            ("8003 10 2001 8003 10 2001", "the same twice"),
            ("8003 10 2001 8003 10 2002", "two"),
        ] {
            assert_eq!(
                with_sub_tlvs(kind, body, sub_tlvs),
                format!("Malformed({host:?})"),
                "{kind} {why}"
            );
        }
    }
    assert_eq!(
        says("0909 0108 0a 8006 21 0a00000000"),
        ["Malformed(RouteRequest)"]
    );
}

#[test]
fn a_wildcard_takes_no_source_prefix_9079_5_2_3_and_6_7_1_3() {
    assert_eq!(
        says(
            "080f 0000 00 00 0640 1234 ffff 8003 10 2001
             0907 0000 8003 10 2001
             0904 0000 8000
             080c 0000 00 00 0640 1234 ffff fa00
             0904 0000 fa00
             080c 0000 00 00 0640 1234 ffff 7800
             0904 0000 7800"
        ),
        [
            "BadWildcard",
            "BadWildcard",
            "BadWildcard",
            "MandatorySubTlv(250)",
            "MandatorySubTlv(250)",
            "retract all",
            "request all",
        ]
    );
}

#[test]
fn a_source_prefix_of_an_ipv4_route_is_ipv4() {
    assert_eq!(
        says(
            "0907 0108 0a 8002 08 0b
             0907 0408 0a 8002 08 0b"
        ),
        [
            "request 10.0.0.0/8 from 11.0.0.0/8",
            "request 10.0.0.0/8 from 11.0.0.0/8"
        ]
    );
}

fn hello_timestamp(sub_tlvs: &str) -> Option<u32> {
    let octets = wire_support::show(&tlv(4, &format!("0000 0001 0190 {sub_tlvs}")));
    with_read(&octets, |tlvs| match tlvs[0] {
        Tlv::Hello { timestamp, .. } => timestamp,
        ref other => panic!("not a Hello: {other:?}"),
    })
}

#[test]
fn a_hello_timestamp_has_four_octets_or_more_9616_6_1_1_and_2() {
    assert_eq!(hello_timestamp("0304 00000007"), Some(7));
    assert_eq!(hello_timestamp("0308 00000007 ffffffff"), Some(7));
    assert_eq!(hello_timestamp("0303 000000"), None);
    assert_eq!(hello_timestamp("0300"), None);
    assert_eq!(hello_timestamp(""), None);
    // Doubled: the first good one.
    assert_eq!(hello_timestamp("0300 0304 00000007 0304 00000008"), Some(7));
    // PadN of four octets is padding, not a placeholder for a timestamp.
    assert_eq!(hello_timestamp("0104 00000007"), None);
}

fn ihu_timestamps(sub_tlvs: &str) -> Option<(u32, u32)> {
    let octets = wire_support::show(&tlv(5, &format!("0000 0060 04b0 {sub_tlvs}")));
    with_read(&octets, |tlvs| match tlvs[0] {
        Tlv::Ihu(ihu) => ihu.timestamps,
        ref other => panic!("not an IHU: {other:?}"),
    })
}

#[test]
fn ihu_timestamps_have_eight_octets_or_more_9616_6_1_1_and_2() {
    assert_eq!(ihu_timestamps("0308 00000007 00000008"), Some((7, 8)));
    assert_eq!(ihu_timestamps("030a 00000007 00000008 ffff"), Some((7, 8)));
    assert_eq!(ihu_timestamps("0307 00000007 000000"), None);
    assert_eq!(ihu_timestamps("0304 00000007"), None);
    assert_eq!(ihu_timestamps(""), None);
}

/// The sub-TLVs an extension sees on an Update.
fn shown(sub_tlvs: &str) -> Vec<(u8, Vec<u8>)> {
    let body = format!("0200 20 00 0640 1234 ffff 20010db8 {sub_tlvs}");
    let octets = wire_support::show(&tlv(8, &body));
    with_read(&octets, |tlvs| match tlvs[0] {
        Tlv::Update(update) => update
            .sub_tlvs
            .map(|sub_tlv| (sub_tlv.kind, sub_tlv.body.to_vec()))
            .collect(),
        ref other => panic!("not an Update: {other:?}"),
    })
}

#[test]
fn an_extension_sees_neither_padding_nor_the_source_prefix() {
    assert_eq!(
        shown("00 7002 abcd 8003 10 2001 0102 0000 7000 7001 ff 0304 00000007"),
        [
            (0x70, hex("abcd")),
            (0x70, vec![]),
            (0x70, hex("ff")),
            // Known in a Hello; here it is like any other.
            (3, hex("00000007")),
        ]
    );
    assert_eq!(shown(""), []);
    assert_eq!(shown("00 0100 8003 10 2001"), []);
}

#[test]
fn what_an_extension_writes_it_reads_back() {
    let mut octets = Vec::new();
    let mut writer = SubTlvWriter::new(&mut octets);
    writer.push(112, &[1, 2, 3]);
    writer.push(113, &[]);
    assert_eq!(
        shown(&wire_support::show(&octets)),
        [(112, vec![1, 2, 3]), (113, vec![])]
    );
}

#[test]
fn a_sub_tlv_body_over_255_octets_is_not_written() {
    let mut octets = Vec::new();
    let mut writer = SubTlvWriter::new(&mut octets);
    writer.push(112, &[0; 256]);
    assert!(octets.is_empty());
    SubTlvWriter::new(&mut octets).push(112, &[0; 255]);
    assert_eq!(octets.len(), 257);
}

#[test]
fn every_reason_has_a_label_of_its_own() {
    let reasons = [
        Ignored::UnknownType(99),
        Ignored::MandatorySubTlv(250),
        Ignored::AddressEncoding(5),
        Ignored::Malformed(TlvKind::Update),
        Ignored::NoDefaultPrefix,
        Ignored::NoRouterId,
        Ignored::NoNextHop,
        Ignored::ZeroInterval(TlvKind::Ihu),
        Ignored::BadWildcard,
    ];
    for (index, reason) in reasons.iter().enumerate() {
        assert_eq!(reason.index(), index);
        assert_eq!(reason.label(), Ignored::LABELS[index]);
    }
    for (index, kind) in TlvKind::ALL.iter().enumerate() {
        assert_eq!(kind.index(), index);
    }
}
