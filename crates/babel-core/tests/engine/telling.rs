//! Triggered updates and retractions: what is told ahead of time, how soon and how often
//! (RFC 8966 §3.7), and what a retraction needs (§4.6.9, RFC 9079 §5.2, RFC 9229 §2).

use crate::support::*;
use babel_core::prefix::RouteKey;
use babel_core::time::Instant;
use babel_core::types::SeqNo;
use babel_core::wire::{NextHopOut, TlvKind, UpdateOut};

const P: &str = "2001:db8:1::/48";
const V4: &str = "10.0.0.0/8";

fn specific(dst: &str, src: &str) -> RouteKey {
    let [dst, src] = [dst, src].map(|text| text.parse().expect("a prefix"));
    RouteKey::source_specific(dst, src).expect("one family")
}

fn on_eth1(bench: &Bench, since: Instant, pick: impl Fn(&Said) -> bool) -> Vec<Instant> {
    let sent = bench.said_since(since, pick);
    let there = sent.iter().filter(|sent| sent.link == ETH1);
    there.map(|sent| sent.at).collect()
}

fn tells(said: &Said) -> bool {
    matches!(said, Said::Update { key: k, .. } if *k == key(P))
}

/// Neighbour 1 on ETH0 announces P; neighbour 2 listens on ETH1.
fn relay() -> Bench {
    let mut bench = Bench::new();
    bench.join(ETH0, 1);
    bench.join(ETH1, 2);
    bench.announce(ETH0, 1, Announce::of(P).seqno(7).lasting(600));
    bench.run(seconds(20.0));
    bench
}

// 8966-3.7.2-3, 8966-3.7.2-4, 8966-3.7.2-5, 8966-3.7.2-6
#[test]
fn copies_of_a_retraction_are_few_and_apart_so_that_a_lost_one_does_no_harm() {
    let mut bench = relay();
    let at = bench.now;
    bench.retract(ETH0, 1, P);
    bench.run(seconds(60.0));
    let copies = on_eth1(&bench, at, |said| *said == Said::Retraction(key(P)));
    assert!((2..=5).contains(&copies.len()), "{}", copies.len());
    for pair in copies.windows(2) {
        assert!(pair[1].since(pair[0]) >= seconds(0.1));
    }
}

// 8966-3.7.2-7, 8966-3.1-4
#[test]
fn a_metric_that_moved_a_good_deal_is_told_within_half_a_hello_interval() {
    let mut bench = relay();
    let at = bench.now;
    bench.announce(ETH0, 1, Announce::of(P).seqno(8).metric(250).lasting(600));
    bench.run(seconds(2.0));
    assert_eq!(on_eth1(&bench, at, tells).len(), 1);
}

// 8966-3.7.2-8
#[test]
fn another_next_hop_or_seqno_alone_triggers_nothing() {
    let mut bench = relay();
    bench.join(ETH0, 3);
    bench.run(seconds(40.0));
    // Just after a periodic update nothing else is due.
    let before = on_eth1(&bench, Instant::ZERO, tells);
    while on_eth1(&bench, Instant::ZERO, tells).len() == before.len() {
        bench.run(seconds(0.1));
    }
    let at = bench.now;
    bench.announce(ETH0, 3, Announce::of(P).seqno(7).metric(99).lasting(600));
    bench.run(seconds(2.0));
    assert_eq!(bench.via(P), Some(3), "another next hop");
    bench.announce(ETH0, 3, Announce::of(P).seqno(8).metric(99).lasting(600));
    bench.run(seconds(2.0));
    assert_eq!(on_eth1(&bench, at, tells), []);
}

// 8966-4.6.9-13
#[test]
fn a_bare_retraction_is_enough() {
    let mut bench = relay();
    // No Router-Id, no Next Hop, seqno and interval zero.
    let octets = [
        42, 2, 0, 18, 8, 16, 2, 0, 48, 0, 0, 0, 0, 0, 0xff, 0xff, 0x20, 0x01, 0x0d, 0xb8, 0, 1,
    ];
    bench.octets(ETH0, fake(1), &octets);
    assert_eq!(bench.via(P), None);
}

// 8966-4.6.9-14, 9079-5.2-1
#[test]
fn a_wildcard_retraction_takes_every_kind_of_route_of_its_sender() {
    let mut bench = Bench::new();
    bench.join(ETH0, 1);
    let keys = [
        key(P),
        key(V4),
        specific(P, "2001:db8:a::/48"),
        specific("::/0", "2001:db8:a::/48"),
    ];
    for key in keys {
        let update = Announce {
            key,
            ..Announce::of(P)
        };
        bench.announce(ETH0, 1, update);
    }
    assert_eq!(bench.fib.len(), 4);
    let mut packet = writer();
    packet.wildcard_retraction().expect("fits");
    bench.packet(ETH0, fake(1), true, packet);
    let mut routes = bench.node.routes(bench.now);
    assert!(routes.all(|route| route.refmetric.is_infinite() && !route.installed));
}

// 9229-2.1-4, 9229-2.2-2, 9229-2.2-4
#[test]
fn an_ipv4_route_is_one_route_whichever_encoding_announces_or_retracts_it() {
    for (first, second) in [(false, true), (true, false)] {
        let mut bench = Bench::new();
        bench.join(ETH0, 1);
        let update = |over_v6: bool, metric| {
            let next_hop = if over_v6 {
                NextHopOut::Source
            } else {
                NextHopOut::V4("192.0.2.77".parse().expect("an address"))
            };
            UpdateOut {
                next_hop,
                ..Announce::of(V4).metric(metric).out()
            }
        };
        let mut packet = writer();
        packet.update(&update(first, 100)).expect("fits");
        bench.packet(ETH0, fake(1), true, packet);
        assert_eq!(bench.via(V4), Some(if first { 1 } else { 0 }));
        let mut packet = writer();
        packet.update(&update(second, 65535)).expect("fits");
        bench.packet(ETH0, fake(1), true, packet);
        assert_eq!(bench.via(V4), None);
        assert_eq!(bench.node.routes(bench.now).count(), 1);
    }
}

// 9079-5.2-4, 9229-2.3-4, 8966-3.8.1.1-3
#[test]
fn a_full_update_holds_routes_of_every_kind() {
    let mut bench = Bench::new();
    bench.join(ETH0, 1);
    bench.join(ETH1, 2);
    let keys = [
        key(P),
        key(V4),
        specific(P, "2001:db8:a::/48"),
        specific("::/0", "2001:db8:a::/48"),
    ];
    for key in keys {
        let update = Announce {
            key,
            ..Announce::of(P).lasting(600)
        };
        bench.announce(ETH0, 1, update);
    }
    bench.run(seconds(5.0));
    let at = bench.now;
    let mut packet = writer();
    packet.route_request(None).expect("fits");
    bench.packet(ETH1, fake(2), false, packet);
    bench.run(seconds(1.5));
    for wanted in keys {
        let is_it = |said: &Said| matches!(said, Said::Update { key, .. } if *key == wanted);
        assert_eq!(on_eth1(&bench, at, is_it).len(), 1, "{wanted}");
    }
}

// 8966-3.7.1-1
#[test]
fn learned_routes_too_are_told_in_every_update_interval() {
    let mut bench = relay();
    let at = bench.now;
    bench.run(seconds(80.0));
    let told = on_eth1(&bench, at, tells);
    assert!(told.len() >= 5, "{}", told.len());
    for pair in told.windows(2) {
        assert!(pair[1].since(pair[0]) <= seconds(16.0));
    }
}

// 8966-3.7-5
#[test]
fn a_relayed_route_keeps_originator_and_seqno() {
    let bench = relay();
    let sent = bench.said_since(Instant::ZERO, tells);
    assert!(sent.iter().all(|sent| matches!(
        sent.said,
        Said::Update { router_id, seqno: SeqNo(7), .. } if router_id == rid(9)
    )));
}

// 9079-4-3, 9079-4-4, 9229-2.2-5
#[test]
fn what_the_kernel_cannot_hold_is_neither_used_nor_passed_on() {
    use babel_core::config::Forwarding;
    let v6_specific = specific(P, "2001:db8:a::/48");
    let v4_specific = specific(V4, "10.1.0.0/16");
    let nothing = Forwarding {
        v4_source_specific: false,
        v6_source_specific: false,
        v4_via_v6: false,
    };
    for (forwarding, refused) in [
        (Forwarding::default(), vec![]),
        (
            Forwarding {
                v4_source_specific: false,
                ..Forwarding::default()
            },
            vec![v4_specific],
        ),
        (nothing, vec![v4_specific, v6_specific, key(V4)]),
    ] {
        let mut bench = Bench::new();
        bench.node.set_forwarding(bench.now, forwarding);
        bench.join(ETH0, 1);
        bench.join(ETH1, 2);
        let keys = [key(P), key(V4), v6_specific, v4_specific];
        for key in keys {
            let update = Announce {
                key,
                ..Announce::of(P)
            };
            bench.announce(ETH0, 1, update);
        }
        bench.run(seconds(20.0));
        assert_eq!(bench.node.routes(bench.now).count(), 4, "all are kept");
        for wanted in keys {
            let held = !refused.contains(&wanted);
            assert_eq!(bench.fib.contains_key(&wanted), held, "{wanted}");
            let is_it = |said: &Said| matches!(said, Said::Update { key, .. } if *key == wanted);
            assert_eq!(
                !on_eth1(&bench, Instant::ZERO, is_it).is_empty(),
                held,
                "{wanted}"
            );
        }
    }
}

// 8966-3.3-4
#[test]
fn no_acknowledgment_is_ever_asked_for() {
    let mut bench = relay();
    bench.retract(ETH0, 1, P);
    bench.run(seconds(100.0));
    let sent = bench.node.counters().tlvs_sent;
    assert_eq!(sent[TlvKind::AckRequest.index()], 0);
    assert!(sent[TlvKind::Update.index()] > 3);
}

// 8966-3.5.4-1, 8966-3.5.4-3
#[test]
fn a_lost_prefix_stays_unreachable_for_as_long_as_neighbours_may_believe_us() {
    let mut bench = relay();
    bench.retract(ETH0, 1, P);
    // Our last update promised another within 16 s and is believed for 56 s.
    bench.run(seconds(55.9));
    assert!(bench.is_unreachable(P));
    bench.run(seconds(1.0));
    assert!(bench.fib.is_empty());
}
