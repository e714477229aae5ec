//! What the writer promises: bounds, all or nothing, values that may not go out.

mod wire_support;

use babel_core::types::{Metric, SeqNo};
use babel_core::wire::{
    Full, Ihu, NextHopOut, PacketReader, PacketWriter, SubTlvWriter, TlvKind, UpdateOut,
};
use core::net::Ipv4Addr;
use wire_support::{SOURCE, cs, hex, id, key, says, show, update_out, written};

#[test]
fn an_empty_packet_is_a_header() {
    let writer = PacketWriter::new(vec![9; 100], 512);
    assert!(writer.is_empty());
    assert_eq!(writer.room(), 508);
    assert_eq!(writer.finish(), [42, 2, 0, 0]);
}

#[test]
fn a_packet_fills_to_its_bound_and_not_beyond_8966_4_8() {
    for max_len in 4..64 {
        let mut writer = PacketWriter::new(Vec::new(), max_len);
        let mut acks = 0;
        while writer.ack(7).is_ok() {
            acks += 1;
        }
        assert!(writer.room() < 4);
        assert_eq!(writer.is_empty(), acks == 0);
        let octets = writer.finish();
        assert_eq!(octets.len(), 4 + 4 * acks);
        assert!(octets.len() <= max_len && max_len - octets.len() < 4);
    }
}

#[test]
fn a_bound_below_the_header_takes_nothing() {
    for max_len in 0..4 {
        let mut writer = PacketWriter::new(Vec::new(), max_len);
        assert_eq!(writer.room(), 0);
        assert_eq!(writer.ack(7), Err(Full));
        assert!(writer.is_empty());
    }
}

#[test]
fn a_body_is_never_longer_than_its_length_field_can_say() {
    let mut writer = PacketWriter::new(Vec::new(), 1 << 20);
    while writer.ack(7).is_ok() {}
    let octets = writer.finish();
    assert!(octets.len() > 65_000 && octets.len() <= 65_539);
    let reader = PacketReader::new(&octets, SOURCE).expect("a sound header");
    assert_eq!(reader.count(), (octets.len() - 4) / 4);
}

/// Every way to write one TLV, as a list of closures.
type Write = Box<dyn Fn(&mut PacketWriter) -> Result<(), Full>>;

fn all_writes() -> Vec<Write> {
    let v4 = UpdateOut {
        next_hop: NextHopOut::V4(Ipv4Addr::new(192, 0, 2, 1)),
        ..update_out("10.0.0.0/8", 3)
    };
    let v6 = update_out("2001:db8:0:1::/64 from 2001:db8::/32", 4);
    let ihu = Ihu {
        address: Some(wire_support::ip("fe80::1")),
        rxcost: Metric(96),
        interval: cs(1200),
        timestamps: Some((1, 2)),
    };
    vec![
        Box::new(|w| w.ack_request(1, cs(10))),
        Box::new(|w| w.ack(1)),
        Box::new(|w| w.hello(false, SeqNo(1), cs(400), Some(1))),
        Box::new(move |w| w.ihu(&ihu)),
        Box::new(move |w| w.update(&v4)),
        Box::new(move |w| w.update(&v6)),
        Box::new(|w| w.wildcard_retraction()),
        Box::new(|w| w.route_request(None)),
        Box::new(|w| w.route_request(Some(&key("2001:db8::/64 from 2000::/3")))),
        Box::new(|w| w.seqno_request(&key("10.0.0.0/8"), SeqNo(1), 64, id(9))),
    ]
}

#[test]
fn a_tlv_goes_in_whole_or_not_at_all() {
    for (index, write) in all_writes().iter().enumerate() {
        let mut whole = PacketWriter::new(Vec::new(), 512);
        write(&mut whole).expect("room");
        let whole = whole.finish();
        for max_len in 0..whole.len() {
            let mut writer = PacketWriter::new(Vec::new(), max_len);
            assert_eq!(write(&mut writer), Err(Full), "{index} in {max_len}");
            assert!(writer.is_empty());
            assert_eq!(writer.counts().iter().sum::<u32>(), 0);
            assert_eq!(writer.finish(), [42, 2, 0, 0]);
        }
        let mut writer = PacketWriter::new(Vec::new(), whole.len());
        write(&mut writer).expect("just enough room");
        assert_eq!(writer.room(), 0);
        assert_eq!(writer.finish(), whole);
    }
}

#[test]
fn an_update_that_does_not_fit_takes_its_compression_state_back() {
    let small = update_out("2001:db8::/64", 1);
    let next_hop = Ipv4Addr::new(192, 0, 2, 1);
    let big = UpdateOut {
        next_hop: NextHopOut::V4(next_hop),
        ..update_out("10.0.0.0/8", 2)
    };
    let far = update_out("fd00:1:2:3::/64", 2);
    // Room for the first and for one octet less than the second or third would take.
    let first = written(|w| w.update(&small).expect("room")).len();
    for too_much in [big, far] {
        let both = written(|w| {
            w.update(&small).expect("room");
            w.update(&too_much).expect("room");
        })
        .len();
        assert!(both > first);
        let mut writer = PacketWriter::new(Vec::new(), 4 + both - 1);
        writer.update(&small).expect("room");
        assert_eq!(writer.update(&too_much), Err(Full));
        // Still router-id 1, no IPv4 next hop, default prefix 2001:db8::/64.
        let next = update_out("2001:db8:0:1::/64", 1);
        writer.update(&next).expect("a small update still fits");
        let expected = written(|w| {
            w.update(&small).expect("room");
            w.update(&next).expect("room");
        });
        assert_eq!(show(&writer.finish()[4..]), show(&expected));
    }
}

#[test]
fn no_interval_but_a_hellos_goes_out_as_zero_8966_4_6_3_2_4_6_6_2_4_6_9_11() {
    let zero = cs(0);
    let octets = written(|w| {
        w.ack_request(1, zero).expect("room");
        w.ihu(&Ihu {
            address: None,
            rxcost: Metric(96),
            interval: zero,
            timestamps: None,
        })
        .expect("room");
        for metric in [Metric(1), Metric::INFINITY] {
            w.update(&UpdateOut {
                interval: zero,
                metric,
                ..update_out("::/0", 7)
            })
            .expect("room");
        }
        w.hello(true, SeqNo(1), zero, None).expect("room");
    });
    let expected = hex("0206 0000 0001 0001
         0506 0000 0060 0001
         060a 0000 0000000000000007
         080a 0280 00 00 0001 1234 0001
         080a 0200 00 00 0001 1234 ffff
         0406 8000 0001 0000");
    assert_eq!(show(&octets), show(&expected));
}

#[test]
fn reserved_router_ids_and_hop_count_zero_write_nothing_8966_4_1_3_1_4_6_11_3_and_4() {
    let mut writer = PacketWriter::new(Vec::new(), 512);
    let route = key("10.0.0.0/8");
    for reserved in [0, u64::MAX] {
        writer
            .update(&update_out("10.0.0.0/8", reserved))
            .expect("nothing to do");
        writer
            .seqno_request(&route, SeqNo(1), 64, id(reserved))
            .expect("nothing to do");
    }
    writer
        .seqno_request(&route, SeqNo(1), 0, id(7))
        .expect("nothing to do");
    assert!(writer.is_empty());
}

#[test]
fn a_retraction_of_a_route_without_a_valid_router_id_goes_out_without_one() {
    let octets = written(|w| {
        w.update(&UpdateOut {
            metric: Metric::INFINITY,
            ..update_out("2001:db8::/32", 0)
        })
        .expect("room");
    });
    assert_eq!(says(&show(&octets)), ["retract 2001:db8::/32"]);
}

#[test]
fn a_retraction_names_router_id_and_next_hop_for_peers_that_ask_for_them() {
    let octets = written(|w| {
        w.update(&UpdateOut {
            metric: Metric::INFINITY,
            next_hop: NextHopOut::V4(Ipv4Addr::new(192, 0, 2, 1)),
            ..update_out("10.0.0.0/8", 7)
        })
        .expect("room");
    });
    assert_eq!(
        says(&show(&octets)),
        ["router-id 7", "next hop 192.0.2.1", "retract 10.0.0.0/8"]
    );
}

#[test]
fn from_48_bits_on_each_ipv6_prefix_becomes_the_default() {
    for (plen, becomes) in [
        (32, false),
        (47, false),
        (48, true),
        (64, true),
        (128, true),
    ] {
        let octets = written(|w| {
            w.update(&update_out("2000::/16", 7)).expect("room");
            w.update(&update_out(&format!("2001:db8:2::/{plen}"), 7))
                .expect("room");
        });
        // After a Router-Id TLV of 12 octets and an Update of 14.
        assert_eq!(octets[12 + 14 + 3] & 0x80 != 0, becomes, "/{plen}");
    }
}

#[test]
fn the_router_id_flag_is_for_ipv6_hosts_that_hold_it_only() {
    let flags = |route: &str, router_id: u64| {
        let octets = written(|w| w.update(&update_out(route, router_id)).expect("room"));
        let flagged = octets[0] == 8 && octets[3] & 0x40 != 0;
        assert_eq!(flagged, octets[0] == 8, "named by flag or by TLV");
        flagged
    };
    assert!(flags("2001:db8::7/128", 7));
    assert!(!flags("2001:db8::7/128", 8));
    assert!(!flags("2001:db8::/64", 7));
    assert!(!flags("2001:db8::6/127", 6));
    // 10.0.0.1 zero-padded would do by the RFC; not every peer reads it.
    assert!(!flags("10.0.0.1/32", 0x0a00_0001));
}

#[test]
fn a_changed_ipv4_next_hop_is_named_again() {
    let octets = written(|w| {
        for last in [1, 1, 2, 1] {
            w.update(&UpdateOut {
                next_hop: NextHopOut::V4(Ipv4Addr::new(192, 0, 2, last)),
                ..update_out("10.0.0.0/8", 7)
            })
            .expect("room");
        }
    });
    assert_eq!(
        says(&show(&octets)),
        [
            "router-id 7",
            "next hop 192.0.2.1",
            "10.0.0.0/8 by 7 via 192.0.2.1",
            "10.0.0.0/8 by 7 via 192.0.2.1",
            "next hop 192.0.2.2",
            "10.0.0.0/8 by 7 via 192.0.2.2",
            "next hop 192.0.2.1",
            "10.0.0.0/8 by 7 via 192.0.2.1",
        ]
    );
}

#[test]
fn an_ipv6_route_goes_by_the_packets_source_whatever_is_asked() {
    let octets = written(|w| {
        w.update(&UpdateOut {
            next_hop: NextHopOut::V4(Ipv4Addr::new(192, 0, 2, 1)),
            ..update_out("2001:db8::/32", 7)
        })
        .expect("room");
    });
    assert_eq!(
        says(&show(&octets)),
        ["router-id 7", "2001:db8::/32 by 7 via fe80::99"]
    );
}

#[test]
fn extension_octets_that_fit_no_update_are_left_out_and_the_update_is_not() {
    let longest = "2001:db8::1/128 from 2001:db8::2/128";
    for (body, kept) in [(208, true), (209, false), (255, false)] {
        let mut sub_tlvs = Vec::new();
        SubTlvWriter::new(&mut sub_tlvs).push(112, &vec![1; body]);
        let octets = written(|w| {
            w.update(&UpdateOut {
                sub_tlvs: &sub_tlvs,
                ..update_out(longest, 9)
            })
            .expect("room");
        });
        assert_eq!(
            says(&show(&octets))[1],
            format!("{longest} by 9 via fe80::99")
        );
        assert_eq!(octets.len(), 12 + 2 + 45 + if kept { 2 + body } else { 0 });
    }
}

#[test]
fn tlvs_are_counted_by_kind_as_they_go_in() {
    let mut writer = PacketWriter::new(Vec::new(), 512);
    for write in all_writes() {
        write(&mut writer).expect("room");
    }
    let count = |kind: TlvKind| writer.counts()[kind.index()];
    assert_eq!(count(TlvKind::Update), 3);
    assert_eq!(count(TlvKind::RouterId), 2);
    assert_eq!(count(TlvKind::NextHop), 1);
    assert_eq!(count(TlvKind::RouteRequest), 2);
    assert_eq!(count(TlvKind::Other), 0);
    assert_eq!(writer.counts().iter().sum::<u32>(), 13);
}

#[test]
fn the_buffer_is_used_again_without_growing() {
    let mut buffer = Vec::new();
    let mut capacity = 0;
    for round in 0..3 {
        let mut writer = PacketWriter::new(buffer, 1400);
        while writer.ack(7).is_ok() {}
        buffer = writer.finish();
        if round > 0 {
            assert_eq!(buffer.capacity(), capacity);
        }
        capacity = buffer.capacity();
    }
}
