//! Neighbour acquisition: Hellos and IHUs, what they promise and what their absence means
//! (RFC 8966 §3.4, appendices A.1 and A.2).

use crate::support::*;
use babel_core::config::LinkConfig;
use babel_core::time::{Instant, Interval};
use babel_core::types::{Metric, SeqNo};
use babel_core::view::NeighbourView;
use babel_core::wire::{Destination, Ihu};
use core::net::IpAddr;
use std::collections::BTreeMap;

const P: &str = "2001:db8::/32";

fn neighbour(bench: &Bench) -> NeighbourView {
    let mut all = bench.node.neighbours(bench.now);
    all.next().expect("a neighbour")
}

fn hello(bench: &mut Bench, unicast: bool, seqno: u16, centis: u16) {
    let mut packet = writer();
    packet
        .hello(unicast, SeqNo(seqno), Interval::from_centis(centis), None)
        .expect("fits");
    bench.packet(ETH0, fake(1), !unicast, packet);
}

fn ihu(bench: &mut Bench, rxcost: u16) {
    let mut packet = writer();
    let ihu = Ihu {
        address: Some(IpAddr::V6(OURS)),
        rxcost: Metric(rxcost),
        interval: Interval::from_centis(1200),
        timestamps: None,
    };
    packet.ihu(&ihu).expect("fits");
    bench.packet(ETH0, fake(1), true, packet);
}

// 8966-3.4-1
#[test]
fn whoever_announces_a_route_is_in_the_neighbour_table() {
    let mut bench = Bench::new();
    bench.announce(ETH0, 1, Announce::of(P));
    let route = bench.node.routes(bench.now).next().expect("a route");
    assert_eq!(route.neighbour, neighbour(&bench).id);
}

// 8966-3.2.4-1
#[test]
fn neighbours_are_told_apart_by_link_and_address_and_not_by_router_id() {
    let mut bench = Bench::new();
    bench.announce(ETH0, 1, Announce::of(P));
    bench.announce(ETH1, 1, Announce::of(P));
    bench.announce(ETH0, 2, Announce::of(P));
    assert_eq!(bench.node.neighbours(bench.now).count(), 3);
    bench.announce(ETH0, 2, Announce::of(P).id(rid(4)));
    assert_eq!(bench.node.neighbours(bench.now).count(), 3);
}

// 8966-3.2.4-2
#[test]
fn multicast_and_unicast_hellos_are_counted_apart() {
    let mut bench = Bench::new();
    for n in 0..3 {
        hello(&mut bench, false, 10 + n, 400);
        hello(&mut bench, true, 50_000 + n, 6000);
    }
    let seen = neighbour(&bench);
    assert_eq!((seen.reach, seen.ureach), (0xE000, 0xE000), "none is lost");
    bench.run(seconds(11.0));
    let seen = neighbour(&bench);
    assert_eq!(
        (seen.reach, seen.ureach),
        (0x3800, 0xE000),
        "each kind has a timer of its own"
    );
}

// 8966-3.2.3-1, 8966-3.4.1-1, 8966-4.6.5-2, 8966-B-1
#[test]
fn hellos_go_to_the_group_with_a_counter_for_each_link_that_route_seqnos_do_not_move() {
    let mut bench = Bench::new();
    bench.join(ETH0, 1);
    bench.join(ETH1, 2);
    bench.xroute(P);
    bench.run(seconds(30.0));
    let mut packet = writer();
    packet
        .seqno_request(&key(P), SeqNo(101), 64, OUR_ID)
        .expect("fits");
    bench.packet(ETH0, fake(1), false, packet);
    bench.run(seconds(30.0));
    assert_eq!(bench.node.seqno(), SeqNo(101));
    let mut last: BTreeMap<_, SeqNo> = BTreeMap::new();
    for sent in &bench.sent {
        let Said::Hello { unicast, seqno, .. } = sent.said else {
            continue;
        };
        assert!(!unicast && sent.to == Destination::Multicast);
        if let Some(last) = last.insert(sent.link, seqno) {
            assert_eq!(seqno, last.plus(1));
        }
    }
    assert_eq!(last.len(), 2);
    assert_ne!(last.get(&ETH0), last.get(&ETH1), "each began at random");
}

// 8966-4.6.5-3
#[test]
fn no_packet_holds_two_hellos() {
    let mut bench = Bench::new();
    for n in 1..60 {
        bench.join(ETH0, n);
    }
    bench.run(seconds(60.0));
    let mut seen = BTreeMap::new();
    let is_hello = |said: &Said| matches!(said, Said::Hello { .. });
    for sent in bench.said_since(Instant::ZERO, is_hello) {
        *seen.entry(sent.packet).or_insert(0) += 1;
    }
    assert!(seen.len() > 30);
    assert!(seen.values().all(|hellos| *hellos == 1));
}

// 8966-A.1-4
#[test]
fn a_hello_is_missed_after_one_interval_and_a_half_and_then_in_each_interval() {
    let mut bench = Bench::new();
    hello(&mut bench, false, 10, 400);
    bench.run(seconds(5.9));
    assert_eq!(neighbour(&bench).reach, 0x8000);
    bench.run(seconds(0.2));
    assert_eq!(neighbour(&bench).reach, 0x4000, "after 6 s");
    bench.run(seconds(3.8));
    assert_eq!(neighbour(&bench).reach, 0x4000);
    bench.run(seconds(0.2));
    assert_eq!(neighbour(&bench).reach, 0x2000, "after 10 s");
    bench.run(seconds(4.0 * 14.0));
    assert_eq!(bench.node.neighbours(bench.now).count(), 0);
}

// 8966-3.4.3-3, 8966-3.4-2
#[test]
fn hellos_that_promise_nothing_do_not_make_a_neighbour_reachable_for_ever() {
    for unicast in [false, true] {
        let mut bench = Bench::new();
        for seqno in 1..=3 {
            hello(&mut bench, unicast, seqno, 0);
        }
        ihu(&mut bench, 96);
        assert_eq!(neighbour(&bench).cost, Metric(96), "it is heard");
        for _ in 0..12 {
            bench.run(seconds(10.0));
            ihu(&mut bench, 96);
        }
        assert_eq!(
            neighbour(&bench).cost,
            Metric::INFINITY,
            "silent for two minutes"
        );
        bench.run(seconds(600.0));
        assert_eq!(bench.node.neighbours(bench.now).count(), 0);
    }
}

// 8966-3.4.3-3
#[test]
fn ihus_without_hellos_do_not_keep_a_link_alive() {
    let mut bench = Bench::new();
    bench.join(ETH0, 1);
    assert_eq!(neighbour(&bench).cost, Metric(96));
    bench.silence(1);
    for _ in 0..5 {
        bench.run(seconds(4.0));
        ihu(&mut bench, 96);
    }
    assert_eq!(neighbour(&bench).cost, Metric::INFINITY);
    assert_eq!(neighbour(&bench).txcost, Metric(96));
}

// 8966-4.6.6-5
#[test]
fn an_ihu_of_infinite_cost_unselects_the_routes_of_its_sender() {
    let mut bench = Bench::new();
    bench.join(ETH0, 1);
    bench.announce(ETH0, 1, Announce::of(P).lasting(600));
    assert_eq!(bench.via(P), Some(1));
    ihu(&mut bench, 65535);
    assert_eq!(neighbour(&bench).cost, Metric::INFINITY);
    assert_eq!(bench.via(P), None);
    ihu(&mut bench, 96);
    assert_eq!(bench.via(P), Some(1));
}

// 8966-3.4.1-7
#[test]
fn each_hello_missed_or_heard_moves_the_cost_and_with_it_the_choice() {
    let mut bench = Bench::new();
    bench.link_up(
        ETH0,
        LinkConfig {
            rxcost: Metric(256),
            link_quality: true,
            ..LinkConfig::new("eth0")
        },
    );
    for seqno in 1..=16 {
        hello(&mut bench, false, seqno, 400);
    }
    ihu(&mut bench, 256);
    let clean = neighbour(&bench).cost;
    bench.run(seconds(6.1));
    let lossy = neighbour(&bench).cost;
    assert!(lossy > clean, "{lossy} after a miss, {clean} before");
    for seqno in 18..=21 {
        hello(&mut bench, false, seqno, 400);
    }
    assert!(neighbour(&bench).cost < lossy, "the miss is further back");
}

// 8966-3.4.2-4, G-13
#[test]
fn longer_ihu_intervals_are_promised_by_ihus_sent_at_once() {
    for hellos in 0..3 {
        let mut bench = Bench::new();
        bench.join(ETH0, 1);
        bench.run(seconds(60.0 + 4.0 * f64::from(hellos)));
        let at = bench.now;
        let mut slower = LinkConfig::new("eth0");
        slower.hello_interval = seconds(20.0);
        bench.link_up(ETH0, slower);
        let is_ihu = |said: &Said| matches!(said, Said::Ihu(ihu) if ihu.interval.centis() == 6000);
        assert_eq!(bench.said_since(at, is_ihu).len(), 1, "after {hellos} more");
    }
}

// 8966-3.4.1-5
#[test]
fn a_shorter_hello_interval_is_promised_by_the_next_hello() {
    let mut bench = Bench::new();
    bench.run(seconds(10.0));
    let at = bench.now;
    let mut faster = LinkConfig::new("eth0");
    faster.hello_interval = seconds(1.0);
    bench.link_up(ETH0, faster);
    bench.run(seconds(20.0));
    let is_hello = |said: &Said| matches!(said, Said::Hello { .. });
    let hellos = bench.said_since(at, is_hello);
    let on_eth0: Vec<_> = hellos.iter().filter(|sent| sent.link == ETH0).collect();
    assert!(
        on_eth0[0].at.since(at) <= seconds(4.0),
        "as promised before"
    );
    assert!(on_eth0.len() >= 16);
    for pair in on_eth0.windows(2) {
        assert!(pair[1].at.since(pair[0].at) <= seconds(1.0));
    }
}

// 8966-B-1, 8966-B-2, 8966-B-3, 8966-B-4
#[test]
fn the_defaults_are_those_of_appendix_b() {
    let link = LinkConfig::new("eth0");
    assert_eq!(link.hello_interval, seconds(4.0));
    assert_eq!(link.update_interval, link.hello_interval * 4);
    assert_eq!((link.rxcost, link.link_quality), (Metric(96), false));
}

// 8966-3.1-3
#[test]
fn ihus_keep_the_interval_they_promise() {
    let mut bench = Bench::new();
    bench.join(ETH0, 1);
    bench.run(seconds(300.0));
    let sent = bench.said_since(Instant::ZERO, |said| matches!(said, Said::Ihu(_)));
    assert!(sent.len() > 20);
    for pair in sent.windows(2) {
        let Said::Ihu(ihu) = &pair[0].said else {
            unreachable!()
        };
        assert!(pair[1].at.since(pair[0].at) <= ihu.interval.duration());
    }
}

// 8966-3.1-6
#[test]
fn the_same_tlvs_mean_the_same_by_unicast_and_by_multicast() {
    let after = |multicast| {
        let mut bench = Bench::new();
        bench.join(ETH0, 1);
        bench.xroute("2001:db8:9::/48");
        let mut packet = writer();
        let interval = Interval::from_centis(400);
        packet.hello(true, SeqNo(7), interval, None).expect("fits");
        packet.ack_request(77, interval).expect("fits");
        packet.update(&Announce::of(P).out()).expect("fits");
        packet
            .seqno_request(&key("2001:db8:9::/48"), SeqNo(101), 64, OUR_ID)
            .expect("fits");
        packet.route_request(None).expect("fits");
        bench.packet(ETH0, fake(1), multicast, packet);
        bench.run(seconds(20.0));
        let neighbours: Vec<_> = bench.node.neighbours(bench.now).collect();
        (neighbours, bench.via(P), bench.node.seqno(), bench.sent)
    };
    assert_eq!(after(true), after(false));
}

// 9616-4.1-3, 9616-4.2-2
#[test]
fn the_rtt_defaults_are_those_of_rfc_9616() {
    let rtt = babel_core::config::RttConfig::default();
    let alpha = 1.0 - f64::from(rtt.decay) / 256.0;
    assert!((alpha - 0.836).abs() < 0.001, "{alpha}");
    assert_eq!((rtt.min, rtt.max), (seconds(0.010), seconds(0.120)));
}
