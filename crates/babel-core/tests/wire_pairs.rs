//! Every TLV and sub-TLV as octets and as a value, checked in both directions.
//!
//! Conformance rows 8966-4.1.1-1, 8966-4.1.2-1, 8966-4.1.4-1, 8966-4.6-1 (sender's part),
//! 9616-6-1, 9079-7.2-1, 9229-4.1-1.

mod wire_support;

use babel_core::types::{Metric, SeqNo};
use babel_core::wire::{
    Ihu, NextHopOut, PacketReader, PacketWriter, SubTlvWriter, Tlv, Update, UpdateOut, UpdateTarget,
};
use core::net::{IpAddr, Ipv4Addr};
use wire_support::{SOURCE, cs, hex, id, ip, key, packet, show, update_out, written};

/// Writes the value, compares the octets; reads the octets, compares the values.
fn pair(octets: &str, write: impl FnOnce(&mut PacketWriter), values: &[Tlv<'_>]) {
    assert_eq!(show(&written(write)), show(&hex(octets)), "as written");
    read_only(octets, values);
}

/// For what is read and never written.
fn read_only(octets: &str, values: &[Tlv<'_>]) {
    let octets = packet(&hex(octets));
    let mut reader = PacketReader::new(&octets, SOURCE).expect("a sound header");
    let read: Vec<_> = reader.by_ref().map(without_sub_tlvs).collect();
    assert_eq!(read, values);
    assert!(!reader.overrun());
}

/// Sub-TLVs are compared by what they yield, elsewhere.
fn without_sub_tlvs(tlv: Tlv<'_>) -> Tlv<'_> {
    match tlv {
        Tlv::Update(update) => Tlv::Update(Update {
            sub_tlvs: Default::default(),
            ..update
        }),
        other => other,
    }
}

/// What [`update_out`] reads as.
fn update_in(route: &str, router_id: u64, next_hop: IpAddr) -> Update<'static> {
    Update {
        target: UpdateTarget::Route(key(route)),
        interval: cs(1600),
        seqno: SeqNo(0x1234),
        metric: Metric(0x0100),
        router_id: Some(id(router_id)),
        next_hop: Some(next_hop),
        sub_tlvs: Default::default(),
    }
}

#[test]
fn ack_request() {
    pair(
        "0206 0000 abcd 0064",
        |w| w.ack_request(0xabcd, cs(100)).expect("room"),
        &[Tlv::AckRequest {
            opaque: 0xabcd,
            interval: cs(100),
        }],
    );
}

#[test]
fn ack() {
    pair(
        "0302 abcd",
        |w| w.ack(0xabcd).expect("room"),
        &[Tlv::Ack { opaque: 0xabcd }],
    );
}

#[test]
fn hello() {
    let value = |unicast, interval, timestamp| Tlv::Hello {
        unicast,
        seqno: SeqNo(0xfffe),
        interval: cs(interval),
        timestamp,
    };
    pair(
        "0406 0000 fffe 0190",
        |w| w.hello(false, SeqNo(0xfffe), cs(400), None).expect("room"),
        &[value(false, 400, None)],
    );
    pair(
        "0406 8000 fffe 0000",
        |w| w.hello(true, SeqNo(0xfffe), cs(0), None).expect("room"),
        &[value(true, 0, None)],
    );
    pair(
        "040c 0000 fffe 0190 0304 01020304",
        |w| {
            w.hello(false, SeqNo(0xfffe), cs(400), Some(0x0102_0304))
                .expect("room");
        },
        &[value(false, 400, Some(0x0102_0304))],
    );
}

#[test]
fn ihu() {
    let value = |address: Option<&str>, timestamps| Ihu {
        address: address.map(ip),
        rxcost: Metric(96),
        interval: cs(1200),
        timestamps,
    };
    for (octets, ihu) in [
        ("0506 0000 0060 04b0", value(None, None)),
        (
            "050a 0100 0060 04b0 c0000201",
            value(Some("192.0.2.1"), None),
        ),
        (
            "0516 0200 0060 04b0 20010db8000000000000000000000001",
            value(Some("2001:db8::1"), None),
        ),
        (
            "050e 0300 0060 04b0 020102fffe030405",
            value(Some("fe80::201:2ff:fe03:405"), None),
        ),
        // Link-local, yet not in fe80::/64.
        (
            "0516 0200 0060 04b0 fe800000000000010000000000000001",
            value(Some("fe80:0:0:1::1"), None),
        ),
        (
            "0518 0300 0060 04b0 0000000000000001 0308 0102030405060708",
            value(Some("fe80::1"), Some((0x0102_0304, 0x0506_0708))),
        ),
    ] {
        pair(octets, |w| w.ihu(&ihu).expect("room"), &[Tlv::Ihu(ihu)]);
    }
}

#[test]
fn ipv6_updates_compress_prefixes_and_share_a_router_id() {
    let routes = [
        ("2001:db8::/64", 7),
        ("2001:db8:0:1::/64", 7),
        ("2001:dff::/32", 7),
        ("::/0", 7),
        ("2001:db8:0:2::/64", 7),
        ("2001:db8:0:2::3/128", 8),
        ("2001:db8:0:2::9/128", 9),
        ("2001:db8:0:3::/64", 9),
    ];
    let mut values = vec![Tlv::RouterId(id(7))];
    for (route, router_id) in routes {
        if router_id == 8 {
            values.push(Tlv::RouterId(id(8)));
        }
        values.push(Tlv::Update(update_in(route, router_id, IpAddr::V6(SOURCE))));
    }
    pair(
        "060a 0000 0000000000000007
         0812 0280 40 00 0640 1234 0100 20010db800000000
         080b 0280 40 07 0640 1234 0100 01
         080b 0200 20 03 0640 1234 0100 ff
         080a 0200 00 00 0640 1234 0100
         080b 0280 40 07 0640 1234 0100 02
         060a 0000 0000000000000008
         080b 0280 80 0f 0640 1234 0100 03
         080b 02c0 80 0f 0640 1234 0100 09
         080b 0280 40 07 0640 1234 0100 03",
        |w| {
            for (route, router_id) in routes {
                w.update(&update_out(route, router_id)).expect("room");
            }
        },
        &values,
    );
}

#[test]
fn a_first_prefix_shorter_than_48_bits_is_a_default_too() {
    let values = [
        Tlv::RouterId(id(7)),
        Tlv::Update(update_in("2001:d00::/24", 7, IpAddr::V6(SOURCE))),
        Tlv::Update(update_in("2001:db8::/32", 7, IpAddr::V6(SOURCE))),
    ];
    pair(
        "060a 0000 0000000000000007
         080d 0280 18 00 0640 1234 0100 20010d
         080b 0200 20 03 0640 1234 0100 b8",
        |w| {
            for route in ["2001:d00::/24", "2001:db8::/32"] {
                w.update(&update_out(route, 7)).expect("room");
            }
        },
        &values,
    );
}

#[test]
fn ipv4_updates_are_never_compressed_and_name_their_next_hop_once() {
    let next_hop = Ipv4Addr::new(192, 0, 2, 1);
    let out = |route| UpdateOut {
        next_hop: NextHopOut::V4(next_hop),
        ..update_out(route, 7)
    };
    let read = |route| Tlv::Update(update_in(route, 7, IpAddr::V4(next_hop)));
    pair(
        "060a 0000 0000000000000007
         0706 0100 c0000201
         080d 0100 18 00 0640 1234 0100 cb0071
         080e 0100 20 00 0640 1234 0100 cb007109
         080a 0100 00 00 0640 1234 0100",
        |w| {
            for route in ["203.0.113.0/24", "203.0.113.9/32", "0.0.0.0/0"] {
                w.update(&out(route)).expect("room");
            }
        },
        &[
            Tlv::RouterId(id(7)),
            Tlv::NextHop(IpAddr::V4(next_hop)),
            read("203.0.113.0/24"),
            read("203.0.113.9/32"),
            read("0.0.0.0/0"),
        ],
    );
}

#[test]
fn ipv4_over_ipv6_is_ae_4_without_a_next_hop() {
    pair(
        "060a 0000 0000000000000007
         080d 0400 18 00 0640 1234 0100 cb0071",
        |w| w.update(&update_out("203.0.113.0/24", 7)).expect("room"),
        &[
            Tlv::RouterId(id(7)),
            Tlv::Update(update_in("203.0.113.0/24", 7, IpAddr::V6(SOURCE))),
        ],
    );
}

#[test]
fn a_source_prefix_is_never_compressed_though_the_destination_is() {
    let routes = [
        "2001:db8::/64 from 2001:db8::/60",
        "2001:db8:0:1::/64 from 2001:db8::/60",
    ];
    let read = |route| Tlv::Update(update_in(route, 7, IpAddr::V6(SOURCE)));
    pair(
        "060a 0000 0000000000000007
         081d 0280 40 00 0640 1234 0100 20010db800000000 8009 3c 20010db800000000
         0816 0280 40 07 0640 1234 0100 01               8009 3c 20010db800000000",
        |w| {
            for route in routes {
                w.update(&update_out(route, 7)).expect("room");
            }
        },
        &[Tlv::RouterId(id(7)), read(routes[0]), read(routes[1])],
    );
    pair(
        "060a 0000 0000000000000007
         0810 0400 08 00 0640 1234 0100 0a 8003 10 c0a8",
        |w| {
            w.update(&update_out("10.0.0.0/8 from 192.168.0.0/16", 7))
                .expect("room");
        },
        &[Tlv::RouterId(id(7)), read("10.0.0.0/8 from 192.168.0.0/16")],
    );
}

#[test]
fn retractions() {
    pair(
        "060a 0000 0000000000000007
         0812 0280 40 00 0640 1234 ffff 20010db800000000",
        |w| {
            w.update(&UpdateOut {
                metric: Metric::INFINITY,
                ..update_out("2001:db8::/64", 7)
            })
            .expect("room");
        },
        &[
            Tlv::RouterId(id(7)),
            Tlv::Update(Update {
                metric: Metric::INFINITY,
                ..update_in("2001:db8::/64", 7, IpAddr::V6(SOURCE))
            }),
        ],
    );
    pair(
        "080a 0000 00 00 ffff 0000 ffff",
        |w| w.wildcard_retraction().expect("room"),
        &[Tlv::Update(Update {
            target: UpdateTarget::Wildcard,
            interval: cs(0xffff),
            seqno: SeqNo(0),
            metric: Metric::INFINITY,
            router_id: None,
            next_hop: None,
            sub_tlvs: Default::default(),
        })],
    );
}

#[test]
fn extension_sub_tlvs_follow_the_source_prefix() {
    let mut sub_tlvs = Vec::new();
    SubTlvWriter::new(&mut sub_tlvs).push(112, &[0x42, 0x50, 0, 0, 0, 0, 0, 7]);
    pair(
        "060a 0000 0000000000000007
         081a 0400 08 00 0640 1234 0100 0a 8003 10 c0a8 7008 4250000000000007",
        |w| {
            let out = UpdateOut {
                sub_tlvs: &sub_tlvs,
                ..update_out("10.0.0.0/8 from 192.168.0.0/16", 7)
            };
            w.update(&out).expect("room");
        },
        &[
            Tlv::RouterId(id(7)),
            Tlv::Update(update_in(
                "10.0.0.0/8 from 192.168.0.0/16",
                7,
                IpAddr::V6(SOURCE),
            )),
        ],
    );
}

#[test]
fn route_requests() {
    for (octets, route) in [
        ("0902 0000", None),
        ("0906 0120 cb007109", Some("203.0.113.9/32")),
        ("0905 0112 cb0040", Some("203.0.64.0/18")),
        ("0908 022f 20010db80002", Some("2001:db8:2::/47")),
        ("0902 0200", Some("::/0")),
        (
            "090b 0220 20010db8 8003 10 2001",
            Some("2001:db8::/32 from 2001::/16"),
        ),
    ] {
        let route = route.map(key);
        pair(
            octets,
            |w| w.route_request(route.as_ref()).expect("room"),
            &[Tlv::RouteRequest(route)],
        );
    }
}

#[test]
fn seqno_requests() {
    for (octets, route) in [
        (
            "0a11 0118 1234 7f 00 0102030405060708 cb0071",
            "203.0.113.0/24",
        ),
        (
            "0a16 0240 1234 7f 00 0102030405060708 20010db800000001",
            "2001:db8:0:1::/64",
        ),
        (
            "0a1a 0240 1234 7f 00 0102030405060708 20010db800000001 8002 03 20",
            "2001:db8:0:1::/64 from 2000::/3",
        ),
    ] {
        pair(
            octets,
            |w| {
                w.seqno_request(&key(route), SeqNo(0x1234), 127, id(0x0102_0304_0506_0708))
                    .expect("room");
            },
            &[Tlv::SeqnoRequest {
                key: key(route),
                seqno: SeqNo(0x1234),
                hop_count: 127,
                router_id: id(0x0102_0304_0506_0708),
            }],
        );
    }
}

#[test]
fn next_hops_and_link_local_prefixes_that_we_read_but_do_not_write() {
    for (octets, address) in [
        ("0712 0200 20010db8000000000000000000000001", "2001:db8::1"),
        ("070a 0300 0000000000000001", "fe80::1"),
    ] {
        read_only(octets, &[Tlv::NextHop(ip(address))]);
    }
    read_only("0902 0320", &[Tlv::RouteRequest(Some(key("fe80::/32")))]);
    read_only(
        "0906 0360 02030405",
        &[Tlv::RouteRequest(Some(key("fe80::203:405:0:0/96")))],
    );
    read_only(
        "0905 0412 cb0040",
        &[Tlv::RouteRequest(Some(key("203.0.64.0/18")))],
    );
}

#[test]
fn authentication_tlvs_have_their_shapes() {
    // Conformance rows 8967-6.2-1, 8967-6.3-1: empty index and nonce are valid.
    read_only(
        "1104 00000007 1106 00000008 abcd 1200 1302 0102",
        &[
            Tlv::Pc {
                counter: 7,
                index: &[],
            },
            Tlv::Pc {
                counter: 8,
                index: &[0xab, 0xcd],
            },
            Tlv::ChallengeRequest { nonce: &[] },
            Tlv::ChallengeReply { nonce: &[1, 2] },
        ],
    );
}
