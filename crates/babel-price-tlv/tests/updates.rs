//! Prices in whole packets: beside every address encoding, and among other sub-TLVs.

use babel_core::ext::Extension;
use babel_core::prefix::{Prefix, RouteKey};
use babel_core::time::Interval;
use babel_core::types::{Metric, RouterId, SeqNo};
use babel_core::wire::{
    Ignored, NextHopOut, PacketReader, PacketWriter, SubTlvWriter, Tlv, UpdateOut, UpdateTarget,
};
use babel_price_tlv::{Price, PriceExtension, RoutePrice, SubTlvType, Unit};
use proptest::prelude::*;
use std::net::{Ipv4Addr, Ipv6Addr};

const SENDER: Ipv6Addr = Ipv6Addr::new(0xFE80, 0, 0, 0, 0, 0, 0, 1);
const GATEWAY: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);

fn node() -> PriceExtension {
    let mut node = PriceExtension::new();
    node.set_enabled(true);
    node
}

fn ours(amount: u32) -> RoutePrice {
    RoutePrice::new(Unit::NAMELESS, Price::saturating(amount))
}

fn key(text: &str) -> RouteKey {
    RouteKey::new(text.parse().expect("a prefix"))
}

fn encoded(node: &PriceExtension, price: RoutePrice) -> Vec<u8> {
    let mut out = Vec::new();
    node.encode(price, &mut SubTlvWriter::new(&mut out));
    out
}

/// A packet with one Update for each route, all with the sub-TLVs given beside them.
fn packet(updates: &[(RouteKey, NextHopOut, Vec<u8>)]) -> Vec<u8> {
    let mut writer = PacketWriter::new(Vec::new(), 1400);
    for (key, next_hop, sub_tlvs) in updates {
        let update = UpdateOut {
            key: *key,
            router_id: RouterId([2, 0, 0, 0, 0, 0, 0, 1]),
            seqno: SeqNo(1),
            metric: Metric(96),
            interval: Interval::from_centis(1600),
            next_hop: *next_hop,
            sub_tlvs,
        };
        writer.update(&update).expect("it fits");
    }
    writer.finish()
}

/// The routes in a packet, with their prices.
fn read(node: &PriceExtension, packet: &[u8]) -> Vec<(RouteKey, RoutePrice)> {
    let reader = PacketReader::new(packet, SENDER).expect("a packet");
    let route = |tlv| match tlv {
        Tlv::Update(update) => match update.target {
            UpdateTarget::Route(key) => Some((key, node.decode(update.sub_tlvs))),
            UpdateTarget::Wildcard => None,
        },
        _ => None,
    };
    reader.filter_map(route).collect()
}

#[test]
fn a_price_means_the_same_beside_every_address_encoding() {
    let node = node();
    let v4: Prefix = "10.0.0.0/8".parse().expect("a prefix");
    let from: Prefix = "192.0.2.0/24".parse().expect("a prefix");
    let specific = RouteKey::source_specific(v4, from).expect("one family");
    let routes = [
        (key("192.0.2.0/24"), NextHopOut::V4(GATEWAY), 10),
        (key("198.51.100.0/24"), NextHopOut::Source, 20),
        (key("2001:db8::/32"), NextHopOut::Source, 30),
        (key("2001:db8:1::/48"), NextHopOut::Source, 40),
        (key("::/0"), NextHopOut::Source, 50),
        (specific, NextHopOut::V4(GATEWAY), 60),
        (specific, NextHopOut::Source, 70),
    ];
    let updates = routes.map(|(key, hop, amount)| (key, hop, encoded(&node, ours(amount))));
    let want: Vec<_> = routes.iter().map(|&(key, _, n)| (key, ours(n))).collect();
    assert_eq!(read(&node, &packet(&updates)), want);
}

#[test]
fn a_price_sets_no_default_for_the_update_that_follows() {
    let node = node();
    let updates = [
        (
            key("2001:db8:1::/48"),
            NextHopOut::Source,
            encoded(&node, ours(10)),
        ),
        (key("2001:db8:2::/48"), NextHopOut::Source, Vec::new()),
    ];
    let want = vec![
        (key("2001:db8:1::/48"), ours(10)),
        (key("2001:db8:2::/48"), RoutePrice::Unpriced),
    ];
    assert_eq!(read(&node, &packet(&updates)), want);
}

#[test]
fn off_nothing_is_written_and_a_price_received_is_not_seen() {
    let off = PriceExtension::new();
    assert!(encoded(&off, ours(10)).is_empty());
    let priced = [(key("::/0"), NextHopOut::Source, encoded(&node(), ours(10)))];
    let want = vec![(key("::/0"), RoutePrice::Unpriced)];
    assert_eq!(read(&off, &packet(&priced)), want);
}

#[test]
fn the_price_is_found_among_padding_and_strangers() {
    let node = node();
    let mut sub_tlvs = vec![0, 1, 3, 0, 0, 0, 113, 2, 7, 7, 45, 4, 0, 0, 0, 9];
    sub_tlvs.extend(encoded(&node, ours(10)));
    sub_tlvs.extend([0, 126, 0]);
    let update = [(key("::/0"), NextHopOut::Source, sub_tlvs)];
    assert_eq!(read(&node, &packet(&update)), [(key("::/0"), ours(10))]);
}

#[test]
fn an_unknown_mandatory_sub_tlv_voids_the_update_and_its_price() {
    let node = node();
    let mut sub_tlvs = encoded(&node, ours(10));
    sub_tlvs.extend([200, 0]);
    let packet = packet(&[(key("::/0"), NextHopOut::Source, sub_tlvs)]);
    assert_eq!(read(&node, &packet), []);
    let reader = PacketReader::new(&packet, SENDER).expect("a packet");
    let ignored = |tlv| matches!(tlv, Tlv::Ignored(Ignored::MandatorySubTlv(200)));
    assert!(reader.into_iter().any(ignored));
}

#[test]
fn two_prices_leave_the_update_standing_without_one() {
    let node = node();
    let mut sub_tlvs = encoded(&node, ours(10));
    sub_tlvs.extend(encoded(&node, ours(10)));
    let update = [(key("::/0"), NextHopOut::Source, sub_tlvs)];
    let want = [(key("::/0"), RoutePrice::Unpriced)];
    assert_eq!(read(&node, &packet(&update)), want);
}

#[test]
fn another_type_can_be_agreed_on() {
    let mut other = node();
    other.set_sub_tlv(SubTlvType::new(120).expect("free"));
    let packet = packet(&[(key("::/0"), NextHopOut::Source, encoded(&other, ours(10)))]);
    assert_eq!(read(&other, &packet), [(key("::/0"), ours(10))]);
    let want = [(key("::/0"), RoutePrice::Unpriced)];
    assert_eq!(read(&node(), &packet), want);
}

proptest! {
    #[test]
    fn whatever_stands_in_the_sub_tlvs_an_update_is_read_or_refused_whole(
        junk in proptest::collection::vec(prop_oneof![Just(112u8), Just(0x42), Just(0x50), 0..14u8, any::<u8>()], 0..60),
    ) {
        let node = node();
        let mut sub_tlvs = encoded(&node, ours(10));
        sub_tlvs.extend(&junk);
        let packet = packet(&[(key("::/0"), NextHopOut::Source, sub_tlvs)]);
        for (route, price) in read(&node, &packet) {
            prop_assert_eq!(route, key("::/0"));
            prop_assert!(price == ours(10) || price == RoutePrice::Unpriced);
        }
    }
}
