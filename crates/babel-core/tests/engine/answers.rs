//! Requests that we answer, pass on or make: the finer points (RFC 8966 §3.8).

use crate::support::*;
use babel_core::config::{LinkConfig, LinkState};
use babel_core::event::Event;
use babel_core::time::Instant;
use babel_core::types::{RouterId, SeqNo};
use babel_core::wire::Destination;

const P: &str = "2001:db8:1::/48";

fn seqno_requests(bench: &Bench, since: Instant) -> Vec<&Sent> {
    bench.said_since(since, |said| matches!(said, Said::SeqnoRequest { .. }))
}

fn asked_of(bench: &Bench, since: Instant) -> Vec<Destination> {
    seqno_requests(bench, since)
        .iter()
        .map(|sent| sent.to)
        .collect()
}

fn ask(bench: &mut Bench, n: u16, seqno: u16, router_id: RouterId) {
    let mut packet = writer();
    packet
        .seqno_request(&key(P), SeqNo(seqno), 64, router_id)
        .expect("fits");
    bench.packet(ETH1, fake(n), false, packet);
}

/// Neighbours 1 and 2 on ETH0, 11 on ETH1; 1 announces P with seqno 7.
fn relay() -> Bench {
    let mut bench = Bench::new();
    bench.join(ETH0, 1);
    bench.join(ETH0, 2);
    bench.join(ETH1, 11);
    bench.announce(ETH0, 1, Announce::of(P).metric(10).seqno(7).lasting(600));
    bench.run(seconds(2.0));
    bench.forget_sent();
    bench
}

// 8966-3.8-1, 8966-3.8.1-1
#[test]
fn a_route_request_is_answered_where_it_came_from_and_goes_no_further() {
    let mut bench = relay();
    for prefix in [P, "2001:db8:ffff::/48"] {
        let mut packet = writer();
        packet.route_request(Some(&key(prefix))).expect("fits");
        bench.packet(ETH1, fake(11), true, packet);
        bench.run(seconds(1.0));
    }
    let is_request = |said: &Said| matches!(said, Said::RouteRequest(_));
    assert!(bench.said_since(Instant::ZERO, is_request).is_empty());
    let is_answer = |said: &Said| matches!(said, Said::Update { .. } | Said::Retraction(_));
    let answers = bench.said_since(Instant::ZERO, is_answer);
    assert_eq!(answers.len(), 2);
    assert!(answers.iter().all(|sent| sent.link == ETH1));
}

// 8966-3.8.1.1-1, 8966-3.8.1.1-2
#[test]
fn a_request_for_what_the_link_cannot_carry_is_answered_by_a_retraction() {
    let mut bench = Bench::new();
    let state = LinkState {
        address: OURS,
        ipv4: None,
        mtu: 1500,
    };
    let config = LinkConfig {
        v4_via_v6: false,
        ..LinkConfig::new("eth0")
    };
    bench.event(Event::LinkUp {
        link: ETH0,
        config,
        state,
    });
    bench.join(ETH0, 1);
    bench.xroute("10.0.0.0/8");
    bench.run(seconds(1.0));
    let mut packet = writer();
    packet
        .route_request(Some(&key("10.0.0.0/8")))
        .expect("fits");
    bench.packet(ETH0, fake(1), false, packet);
    bench.run(seconds(0.2));
    let is_retraction = |said: &Said| *said == Said::Retraction(key("10.0.0.0/8"));
    assert_eq!(bench.said_since(Instant::ZERO, is_retraction).len(), 1);
}

// 8966-3.2.7-1, 8966-3.8.1.2-10
#[test]
fn requests_for_one_prefix_and_two_originators_are_independent() {
    let mut bench = relay();
    ask(&mut bench, 11, 8, rid(9));
    bench.run(seconds(0.3));
    bench.announce(
        ETH0,
        1,
        Announce::of(P).metric(10).id(rid(5)).seqno(1).lasting(600),
    );
    ask(&mut bench, 11, 2, rid(5));
    bench.run(seconds(0.3));
    let ids: Vec<RouterId> = seqno_requests(&bench, Instant::ZERO)
        .iter()
        .map(|sent| match sent.said {
            Said::SeqnoRequest { router_id, .. } => router_id,
            _ => unreachable!(),
        })
        .collect();
    assert_eq!(ids, [rid(9), rid(5)]);
}

// 8966-3.8.1.2-10
#[test]
fn a_request_for_a_newer_seqno_than_the_last_is_not_redundant() {
    let mut bench = relay();
    ask(&mut bench, 11, 8, rid(9));
    ask(&mut bench, 11, 9, rid(9));
    ask(&mut bench, 11, 8, rid(9));
    bench.run(seconds(0.5));
    assert_eq!(seqno_requests(&bench, Instant::ZERO).len(), 2);
}

// 8966-4.6.11-3
#[test]
fn a_hop_count_of_zero_is_not_passed_on_as_255() {
    let mut bench = relay();
    let mut packet = writer();
    packet
        .seqno_request(&key(P), SeqNo(8), 1, rid(9))
        .expect("fits");
    let mut octets = packet.finish();
    assert_eq!(octets[10], 1, "the hop count");
    octets[10] = 0;
    bench.octets(ETH1, fake(11), &octets);
    bench.run(seconds(1.0));
    assert!(seqno_requests(&bench, Instant::ZERO).is_empty());
}

// 8966-3.8.2.1-1, 8966-3.8.2.1-5, 8966-3.8.2.1-6
#[test]
fn all_who_announce_an_unfeasible_route_are_asked_when_the_last_feasible_one_is_lost() {
    let mut bench = relay();
    bench.join(ETH1, 12);
    bench.announce(ETH0, 2, Announce::of(P).metric(500).seqno(7).lasting(600));
    bench.announce(ETH1, 12, Announce::of(P).metric(600).seqno(7).lasting(600));
    bench.run(seconds(1.0));
    let lost = bench.now;
    bench.retract(ETH0, 1, P);
    bench.run(seconds(0.2));
    assert_eq!(bench.via(P), None);
    let asked = asked_of(&bench, lost);
    assert_eq!(asked.len(), 2);
    for n in [2, 12] {
        assert!(asked.contains(&Destination::Unicast(fake(n))));
    }
}

// 8966-3.8.2.1-7, 8966-B-6
#[test]
fn while_nothing_is_feasible_requests_follow_after_two_four_and_eight_seconds() {
    let mut bench = relay();
    bench.announce(ETH0, 2, Announce::of(P).metric(500).seqno(7).lasting(600));
    bench.run(seconds(1.0));
    let lost = bench.now;
    bench.retract(ETH0, 1, P);
    bench.run(seconds(20.0));
    let at: Vec<f64> = seqno_requests(&bench, lost)
        .iter()
        .map(|sent| sent.at.since(lost).as_secs_f64())
        .collect();
    assert_eq!(at.len(), 4, "{at:?}");
    for (at, expected) in at.iter().zip([0.0, 2.0, 6.0, 14.0]) {
        assert!((at - expected).abs() < 0.6, "{at} for {expected}");
    }
}

// 8966-3.8.2.2-2
#[test]
fn a_preferable_unfeasible_update_is_answered_by_a_request_to_its_sender() {
    let mut bench = relay();
    // The link to 1 gets dear, and 2 announces what equals our distance: better, not feasible.
    let mut packet = writer();
    let ihu = babel_core::wire::Ihu {
        address: Some(OURS.into()),
        rxcost: babel_core::types::Metric(900),
        interval: babel_core::time::Interval::from_centis(60_000),
        timestamps: None,
    };
    packet.ihu(&ihu).expect("fits");
    bench.silence(1);
    bench.packet(ETH0, fake(1), true, packet);
    let at = bench.now;
    bench.announce(ETH0, 2, Announce::of(P).metric(106).seqno(7).lasting(600));
    bench.run(seconds(0.5));
    assert_eq!(bench.via(P), Some(1));
    assert_eq!(asked_of(&bench, at), [Destination::Unicast(fake(2))]);
}

// 8966-3.8.2.2-2, erratum 7373
#[test]
fn whoever_comes_with_an_unfeasible_route_while_there_is_none_is_asked_at_once() {
    let mut bench = relay();
    bench.retract(ETH0, 1, P);
    bench.run(seconds(5.0));
    for (link, n) in [(ETH0, 2), (ETH1, 11)] {
        let at = bench.now;
        bench.announce(link, n, Announce::of(P).metric(500).seqno(7).lasting(600));
        bench.run(seconds(0.2));
        let asked = asked_of(&bench, at);
        assert!(
            asked.contains(&Destination::Unicast(fake(n))),
            "{n}: {asked:?}"
        );
        bench.run(seconds(100.0));
    }
}

// 9079-5.1-1
#[test]
fn requests_match_source_prefixes_exactly() {
    let mut bench = relay();
    let src = "2001:db8:a::/48".parse().expect("a prefix");
    let specific = babel_core::prefix::RouteKey::source_specific(*key(P).dst(), src);
    let specific = specific.expect("one family");
    let mut packet = writer();
    packet.route_request(Some(&specific)).expect("fits");
    packet
        .seqno_request(&specific, SeqNo(8), 64, rid(9))
        .expect("fits");
    bench.packet(ETH1, fake(11), false, packet);
    bench.run(seconds(1.0));
    let is_retraction = |said: &Said| *said == Said::Retraction(specific);
    assert_eq!(bench.said_since(Instant::ZERO, is_retraction).len(), 1);
    assert!(
        seqno_requests(&bench, Instant::ZERO).is_empty(),
        "the plain route is another"
    );
}

// 9229-2.3-2, 9229-2.3-3, 9229-4.2.2-1
#[test]
fn a_request_with_ae_4_is_answered_like_one_with_ae_1() {
    for (ae, over_v6) in [(1, false), (1, true), (4, false), (4, true)] {
        let mut bench = Bench::new();
        let ipv4 = (!over_v6).then_some(OUR_V4);
        let state = LinkState {
            address: OURS,
            ipv4,
            mtu: 1500,
        };
        let config = LinkConfig::new("eth0");
        bench.event(Event::LinkUp {
            link: ETH0,
            config,
            state,
        });
        bench.join(ETH0, 1);
        bench.xroute("10.0.0.0/8");
        bench.run(seconds(1.0));
        // A Route Request, then a Seqno Request for seqno 101 of ours.
        let ours = OUR_ID.0;
        let route = [9, 3, ae, 8, 10];
        let seqno = [&[10, 15, ae, 8, 0, 101, 64, 0][..], &ours, &[10]].concat();
        for body in [&route[..], &seqno] {
            let at = bench.now;
            let length = u8::try_from(body.len()).expect("short");
            bench.octets(ETH0, fake(1), &[&[42, 2, 0, length], body].concat());
            bench.run(seconds(0.2));
            let is_update = |said: &Said| {
                matches!(said, Said::Update { key: k, next_hop, .. }
                    if *k == key("10.0.0.0/8") && next_hop.is_ipv6() == over_v6)
            };
            assert_eq!(bench.said_since(at, is_update).len(), 1, "AE {ae}");
        }
        assert_eq!(bench.node.seqno(), SeqNo(101));
    }
}
