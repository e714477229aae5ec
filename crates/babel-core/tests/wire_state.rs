//! The parser state: default prefixes, router-id, next hops. Conformance areas 1 (4.5, 4.6.9), 10
//! and 16, rows G-5, G-6 and G-12.

mod wire_support;

use wire_support::says;

/// Sets router-id 7 and an IPv4 next hop.
const SET: &str = "060a 0000 0000000000000007 0706 0100 c0000201";

/// What the TLVs after [`SET`] say.
fn after_set(body: &str) -> Vec<String> {
    says(&format!("{SET} {body}")).split_off(2)
}

#[test]
fn omitted_octets_come_from_the_last_prefix_flag_8966_4_6_9_1_and_4() {
    assert_eq!(
        after_set(
            "0812 0280 40 00 0640 1234 0100 20010db800010002
             080b 0200 40 07 0640 1234 0100 03
             0811 0280 40 01 0640 1234 0100 02030405060708
             0812 0200 80 08 0640 1234 0100 0000000000000001"
        ),
        [
            "2001:db8:1:2::/64 by 7 via fe80::99",
            "2001:db8:1:3::/64 by 7 via fe80::99",
            "2002:304:506:708::/64 by 7 via fe80::99",
            "2002:304:506:708::1/128 by 7 via fe80::99",
        ]
    );
}

#[test]
fn omitted_may_reach_past_the_default_prefix_into_zeroes_8966_4_6_9_1() {
    // The default prefix is a /16; fifteen octets are taken from it.
    assert_eq!(
        after_set(
            "080c 0280 10 00 0640 1234 0100 2001
             080b 0200 80 0f 0640 1234 0100 09"
        ),
        [
            "2001::/16 by 7 via fe80::99",
            "2001::9/128 by 7 via fe80::99"
        ]
    );
}

#[test]
fn bits_beyond_the_length_are_cleared_in_the_default_prefix_too_8966_4_6_9_2() {
    assert_eq!(
        after_set(
            "080d 0180 14 00 0640 1234 0100 0affff
             080b 0100 20 03 0640 1234 0100 01"
        ),
        [
            "10.255.240.0/20 by 7 via 192.0.2.1",
            "10.255.240.1/32 by 7 via 192.0.2.1",
        ]
    );
}

#[test]
fn a_whole_prefix_may_be_omitted() {
    assert_eq!(
        after_set(
            "080c 0180 10 00 0640 1234 0100 0a01
             080a 0100 10 02 0640 1234 0100
             080a 0100 09 02 0640 1234 0100"
        ),
        [
            "10.1.0.0/16 by 7 via 192.0.2.1",
            "10.1.0.0/16 by 7 via 192.0.2.1",
            "10.0.0.0/9 by 7 via 192.0.2.1",
        ]
    );
}

#[test]
fn omitted_octets_without_a_default_cost_that_update_only_8966_4_6_9_3_4_5_1() {
    assert_eq!(
        after_set(
            "080b 0200 40 07 0640 1234 0100 03
             080b 0100 08 00 0640 1234 0100 0a"
        ),
        ["NoDefaultPrefix", "10.0.0.0/8 by 7 via 192.0.2.1"]
    );
}

#[test]
fn each_address_encoding_has_a_default_prefix_of_its_own_8966_4_5_3_9229_4_1_2_g_12() {
    let set = [
        ("01", "080c 0180 10 00 0640 1234 0100 0a01"),
        ("04", "080c 0480 10 00 0640 1234 0100 0a01"),
        ("02", "080c 0280 10 00 0640 1234 0100 0a01"),
    ];
    for (has, setting) in set {
        for (uses, _) in set {
            let using = format!("080b {uses}00 18 02 0640 1234 0100 ff");
            let said = after_set(&format!("{setting} {using}"));
            assert_eq!(said[1] == "NoDefaultPrefix", has != uses, "{has} {uses}");
        }
    }
}

#[test]
fn link_local_prefixes_are_not_compressed_and_set_no_default_8966_4_6_9_5() {
    assert_eq!(
        after_set(
            "0812 0280 40 00 0640 1234 0100 20010db800010002
             0812 0380 80 02 0640 1234 0100 0000000000000001
             080b 0380 48 00 0640 1234 0100 01
             080b 0200 48 08 0640 1234 0100 01"
        ),
        [
            "2001:db8:1:2::/64 by 7 via fe80::99",
            "Malformed(Update)",
            "fe80::100:0:0:0/72 by 7 via fe80::99",
            "2001:db8:1:2:100::/72 by 7 via fe80::99",
        ]
    );
}

#[test]
fn an_update_whose_prefix_cannot_be_told_leaves_its_encoding_without_default_g_6() {
    for (bad, why) in [
        ("080b 0180 21 02 0640 1234 0100 05", "length 33"),
        ("080a 0180 20 05 0640 1234 0100", "5 octets omitted of 4"),
        ("080b 0180 08 02 0640 1234 0100 05", "2 octets omitted of 1"),
        ("080b 0180 20 02 0640 1234 0100 05", "one octet missing"),
        ("0804 0180 20 02", "fixed part cut"),
        ("0801 01", "nothing but the encoding"),
        ("0800", "not even the encoding"),
    ] {
        let said = after_set(&format!(
            "080c 0180 10 00 0640 1234 0100 0a01
             {bad}
             080b 0100 18 02 0640 1234 0100 ff"
        ));
        assert_eq!(said[1..], ["Malformed(Update)", "NoDefaultPrefix"], "{why}");
    }
}

#[test]
fn a_bad_update_of_one_encoding_leaves_the_others_alone_g_6() {
    assert_eq!(
        after_set(
            "0812 0280 40 00 0640 1234 0100 20010db800010002
             080b 0180 21 00 0640 1234 0100 05
             080b 0200 40 07 0640 1234 0100 03"
        )[1..],
        ["Malformed(Update)", "2001:db8:1:3::/64 by 7 via fe80::99"]
    );
}

#[test]
fn lengths_beyond_the_family_are_refused_in_requests_too() {
    assert_eq!(
        says(
            "0907 0121 0a00000000
             0913 0281 2001000000000000000000000000000000
             0a13 0121 1234 7f 00 0102030405060708 0a00000000"
        ),
        [
            "Malformed(RouteRequest)",
            "Malformed(RouteRequest)",
            "Malformed(SeqnoRequest)"
        ]
    );
}

#[test]
fn a_bad_prefix_does_not_set_the_router_id_g_6() {
    assert_eq!(
        after_set(
            "080b 01c0 21 00 0640 1234 0100 05
             080b 0100 08 00 0640 1234 0100 0a"
        ),
        ["Malformed(Update)", "10.0.0.0/8 by 7 via 192.0.2.1"]
    );
}

#[test]
fn the_router_id_flag_serves_its_own_update_and_later_ones_8966_4_6_9_15() {
    assert_eq!(
        says(
            "081a 0240 80 00 0640 1234 0100 20010db8000000000000000000000005
             080c 0200 10 00 0640 1234 0100 2001"
        ),
        [
            "2001:db8::5/128 by 5 via fe80::99",
            "2001::/16 by 5 via fe80::99"
        ]
    );
}

#[test]
fn the_router_id_flag_pads_ipv4_on_the_left_8966_4_6_9_16() {
    for (ae, next_hop) in [("01", "192.0.2.1"), ("04", "fe80::99")] {
        assert_eq!(
            after_set(&format!("080e {ae}40 20 00 0640 1234 0100 0a000001")),
            [format!("10.0.0.1/32 by 167772161 via {next_hop}")]
        );
    }
}

#[test]
fn the_router_id_flag_sees_the_decompressed_and_cleared_prefix_8966_4_6_9_15() {
    assert_eq!(
        after_set(
            "081a 0280 80 00 0640 1234 0100 20010db8000000000000000000000005
             080a 0240 79 10 0640 1234 0100"
        )[1..],
        // The last seven bits of ...05 are beyond the length: nothing but zeroes is left.
        ["NoRouterId"]
    );
}

#[test]
fn a_finite_update_needs_a_router_id_and_a_retraction_does_not_8966_4_6_9_17_and_13() {
    assert_eq!(
        says(
            "080c 0200 10 00 0640 1234 0100 2001
             080c 0200 10 00 0640 1234 ffff 2001
             060a 0000 0000000000000007
             080c 0200 10 00 0640 1234 0100 2001"
        ),
        [
            "NoRouterId",
            "retract 2001::/16",
            "router-id 7",
            "2001::/16 by 7 via fe80::99"
        ]
    );
}

#[test]
fn a_reserved_router_id_becomes_current_and_is_unusable_g_5() {
    for id in ["0000000000000000", "ffffffffffffffff"] {
        assert_eq!(
            after_set(&format!(
                "060a 0000 {id}
                 080c 0200 10 00 0640 1234 0100 2001
                 080c 0200 10 00 0640 1234 ffff 2001"
            )),
            ["Malformed(RouterId)", "NoRouterId", "retract 2001::/16"]
        );
    }
}

#[test]
fn ipv4_needs_a_next_hop_tlv_unless_retracted_8966_4_6_9_18_and_13() {
    assert_eq!(
        says(
            "060a 0000 0000000000000007
             080b 0100 08 00 0640 1234 0100 0a
             080b 0100 08 00 0640 1234 ffff 0a
             0706 0100 c0000201
             080b 0100 08 00 0640 1234 0100 0a"
        )[1..],
        [
            "NoNextHop",
            "retract 10.0.0.0/8",
            "next hop 192.0.2.1",
            "10.0.0.0/8 by 7 via 192.0.2.1",
        ]
    );
}

#[test]
fn next_hops_are_per_family_and_the_source_serves_ipv6_8966_4_5_5_9229_2_2_3() {
    assert_eq!(
        after_set(
            "080c 0200 10 00 0640 1234 0100 2001
             080b 0400 08 00 0640 1234 0100 0a
             070a 0300 0000000000000001
             080c 0200 10 00 0640 1234 0100 2001
             080b 0400 08 00 0640 1234 0100 0a
             080b 0100 08 00 0640 1234 0100 0a
             0712 0200 20010db8000000000000000000000001
             080b 0400 08 00 0640 1234 0100 0a"
        ),
        [
            "2001::/16 by 7 via fe80::99",
            "10.0.0.0/8 by 7 via fe80::99",
            "next hop fe80::1",
            "2001::/16 by 7 via fe80::1",
            "10.0.0.0/8 by 7 via fe80::1",
            "10.0.0.0/8 by 7 via 192.0.2.1",
            "next hop 2001:db8::1",
            "10.0.0.0/8 by 7 via 2001:db8::1",
        ]
    );
}

#[test]
fn ignored_next_hops_leave_the_earlier_one_8966_4_6_8_1_9229_4_2_1() {
    assert_eq!(
        after_set(
            "0706 0500 c0000202
             0706 0400 c0000202
             0702 0000
             0705 0100 c00002
             080b 0100 08 00 0640 1234 0100 0a"
        )[4],
        "10.0.0.0/8 by 7 via 192.0.2.1"
    );
}

#[test]
fn tlvs_ignored_for_a_mandatory_sub_tlv_still_set_the_state_8966_4_5_2_4_6_7_1_4_6_8_4() {
    // Each of the three carries sub-TLV 250.
    assert_eq!(
        says(
            "060c 0000 0000000000000007 fa00
             0708 0100 c0000201 fa00
             080e 0180 10 00 0640 1234 0100 0a01 fa00
             080b 0100 18 02 0640 1234 0100 ff
             0810 0140 20 00 0640 1234 0100 0a000001 fa00
             080b 0100 08 00 0640 1234 0100 0a"
        ),
        [
            "MandatorySubTlv(250)",
            "MandatorySubTlv(250)",
            "MandatorySubTlv(250)",
            "10.1.255.0/24 by 7 via 192.0.2.1",
            "MandatorySubTlv(250)",
            "10.0.0.0/8 by 167772161 via 192.0.2.1",
        ]
    );
}

#[test]
fn tlvs_ignored_for_other_reasons_still_set_the_state_8966_4_5_2() {
    // A truncated sub-TLV (G-7), a missing router-id, a zero interval, a bad source prefix.
    for (ignored, why) in [
        (
            "080e 01c0 20 00 0640 1234 0100 0a010001 0309",
            "Malformed(Update)",
        ),
        (
            "080e 01c0 20 00 0000 1234 0100 0a010001",
            "ZeroInterval(Update)",
        ),
        (
            "0811 01c0 20 00 0640 1234 0100 0a010001 8001 00",
            "Malformed(Update)",
        ),
    ] {
        let len = wire_support::hex(ignored).len() - 2;
        let ignored = format!("08{len:02x}{}", &ignored[4..]);
        assert_eq!(
            after_set(&format!("{ignored} 080b 0100 18 02 0640 1234 0100 ff")),
            [why, "10.1.255.0/24 by 167837697 via 192.0.2.1"],
            "{ignored}"
        );
    }
    assert_eq!(
        says(
            "0706 0100 c0000201
             080c 0180 10 00 0640 1234 0100 0a01
             060a 0000 0000000000000007
             080b 0100 18 02 0640 1234 0100 ff"
        )[1..],
        [
            "NoRouterId",
            "router-id 7",
            "10.1.255.0/24 by 7 via 192.0.2.1"
        ]
    );
}

#[test]
fn flags_on_a_wildcard_change_nothing() {
    assert_eq!(
        after_set(
            "080a 00c0 00 00 0640 1234 ffff
             080b 0100 18 02 0640 1234 0100 ff
             080b 0100 08 00 0640 1234 0100 0a"
        ),
        [
            "retract all",
            "NoDefaultPrefix",
            "10.0.0.0/8 by 7 via 192.0.2.1"
        ]
    );
}

#[test]
fn ae_4_gives_the_same_route_key_as_ae_1_9229_2_2_2() {
    assert_eq!(
        after_set(
            "080d 0100 14 00 0640 1234 ffff 0a01f0
             080d 0400 14 00 0640 1234 ffff 0a01f0"
        ),
        ["retract 10.1.240.0/20", "retract 10.1.240.0/20"]
    );
}

#[test]
fn no_state_survives_a_packet_8966_4_5_1() {
    assert_eq!(
        after_set("0812 0280 40 00 0640 1234 0100 20010db800010002").len(),
        1
    );
    assert_eq!(
        says(
            "080b 0200 40 07 0640 1234 0100 03
             080c 0200 10 00 0640 1234 0100 2001
             060a 0000 0000000000000007
             080b 0100 08 00 0640 1234 0100 0a"
        ),
        ["NoDefaultPrefix", "NoRouterId", "router-id 7", "NoNextHop"]
    );
}
