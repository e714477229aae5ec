//! Route and seqno requests (RFC 8966 §3.8).

use crate::support::*;
use babel_core::time::Instant;
use babel_core::types::{RouterId, SeqNo};
use babel_core::wire::Destination;

const P: &str = "2001:db8:1::/48";

fn ask(bench: &mut Bench, n: u16, seqno: u16, hop_count: u8, router_id: RouterId) {
    let mut packet = writer();
    packet
        .seqno_request(&key(P), SeqNo(seqno), hop_count, router_id)
        .expect("fits");
    let link = if n < 10 { ETH0 } else { ETH1 };
    bench.packet(link, fake(n), false, packet);
}

fn forwarded(bench: &Bench, since: Instant) -> Vec<&Sent> {
    bench.said_since(since, |said| matches!(said, Said::SeqnoRequest { .. }))
}

fn updates(bench: &Bench, since: Instant) -> Vec<&Sent> {
    bench.said_since(
        since,
        |said| matches!(said, Said::Update { key: k, .. } if *k == key(P)),
    )
}

/// Neighbours 1 and 2 on ETH0, 11 on ETH1; 1 announces P with seqno 7.
fn relay() -> Bench {
    let mut bench = Bench::new();
    bench.join(ETH0, 1);
    bench.join(ETH0, 2);
    bench.join(ETH1, 11);
    bench.announce(ETH0, 1, Announce::of(P).seqno(7).lasting(600));
    bench.run(seconds(2.0));
    bench.forget_sent();
    bench
}

// 8966-3.8.1.1-2
#[test]
fn a_request_for_an_unknown_or_merely_covered_prefix_is_answered_by_a_retraction() {
    let mut bench = relay();
    for prefix in ["2001:db8:ffff::/48", "2001:db8:1:1::/64"] {
        let asked = bench.now;
        let mut packet = writer();
        packet.route_request(Some(&key(prefix))).expect("fits");
        bench.packet(ETH1, fake(11), true, packet);
        bench.run(seconds(0.2));
        let answers = bench.said_since(asked, |said| *said == Said::Retraction(key(prefix)));
        assert_eq!(answers.len(), 1, "{prefix}");
        assert_eq!(answers[0].link, ETH1);
    }
}

// 8966-3.8.1.1-3, 8966-3.8.1.1-4
#[test]
fn a_hundred_wildcard_requests_in_a_second_give_two_full_updates() {
    let mut bench = relay();
    bench.run(seconds(2.0));
    bench.forget_sent();
    for _ in 0..100 {
        let mut packet = writer();
        packet.route_request(None).expect("fits");
        bench.packet(ETH1, fake(11), true, packet);
        bench.run(seconds(0.01));
    }
    bench.run(seconds(0.5));
    let dumps = updates(&bench, Instant::ZERO).len();
    assert!((1..=2).contains(&dumps), "{dumps}");
}

// 8966-3.8.1.2-1
#[test]
fn a_seqno_request_we_can_satisfy_is_answered_at_once() {
    for (seqno, router_id) in [(7, rid(9)), (6, rid(9)), (100, rid(4))] {
        let mut bench = relay();
        let asked = bench.now;
        ask(&mut bench, 11, seqno, 64, router_id);
        bench.run(seconds(0.2));
        let answers = updates(&bench, asked);
        assert!(
            answers.iter().any(|sent| sent.link == ETH1),
            "{seqno} {router_id}"
        );
        assert!(forwarded(&bench, asked).is_empty());
    }
}

// 8966-3.8.1.2-2, 8966-3.8.1.2-3
#[test]
fn our_own_seqno_rises_by_one_for_a_request_however_far_ahead() {
    for (ahead, expected) in [(1, 101), (50, 101), (101, 101), (32767, 101), (0, 100)] {
        let mut bench = Bench::new();
        bench.join(ETH1, 11);
        bench.xroute(P);
        bench.run(seconds(1.0));
        let asked = bench.now;
        ask(&mut bench, 11, 100_u16.wrapping_add(ahead), 64, OUR_ID);
        bench.run(seconds(0.2));
        assert_eq!(bench.node.seqno(), SeqNo(expected), "{ahead}");
        assert!(!updates(&bench, asked).is_empty());
    }
}

// 8966-3.2.2-1
#[test]
fn our_seqno_never_rises_unasked() {
    let mut bench = Bench::new();
    bench.join(ETH0, 1);
    bench.xroute(P);
    bench.run(seconds(600.0));
    assert_eq!(bench.node.seqno(), SeqNo(100));
}

// 8966-3.8.1.2-5, -7, -8, -11
#[test]
fn a_request_we_cannot_satisfy_goes_to_the_next_hop_alone_with_one_hop_less() {
    let mut bench = relay();
    let asked = bench.now;
    ask(&mut bench, 11, 8, 64, rid(9));
    bench.run(seconds(1.5));
    let sent = forwarded(&bench, asked);
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].to, Destination::Unicast(fake(1)));
    assert!(sent[0].at.since(asked) < seconds(0.2));
    let expected = Said::SeqnoRequest {
        key: key(P),
        seqno: SeqNo(8),
        hop_count: 63,
        router_id: rid(9),
    };
    assert_eq!(sent[0].said, expected);
}

// 8966-4.6.11-2, 8966-4.6.11-3
#[test]
fn a_request_at_the_end_of_its_hops_is_not_forwarded() {
    let mut bench = relay();
    ask(&mut bench, 11, 8, 1, rid(9));
    bench.run(seconds(1.0));
    assert!(forwarded(&bench, Instant::ZERO).is_empty());
    ask(&mut bench, 11, 9, 2, rid(9));
    bench.run(seconds(1.0));
    assert_eq!(forwarded(&bench, Instant::ZERO).len(), 1);
}

// 8966-3.8.1.2-6: never back to the requester, an unfeasible route if there is no other.
#[test]
fn a_request_from_the_next_hop_goes_elsewhere_or_nowhere() {
    let mut bench = relay();
    ask(&mut bench, 1, 8, 64, rid(9));
    bench.run(seconds(1.0));
    assert!(
        forwarded(&bench, Instant::ZERO).is_empty(),
        "there is nobody else"
    );
    bench.announce(ETH0, 2, Announce::of(P).seqno(7).metric(900).lasting(600));
    bench.run(seconds(2.0));
    bench.forget_sent();
    let asked = bench.now;
    ask(&mut bench, 1, 9, 64, rid(9));
    bench.run(seconds(1.0));
    let sent = forwarded(&bench, asked);
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].to, Destination::Unicast(fake(2)));
}

// 8966-3.8.1.2-9
#[test]
fn the_answer_to_a_forwarded_request_is_relayed_at_once() {
    let mut bench = relay();
    ask(&mut bench, 11, 8, 64, rid(9));
    bench.run(seconds(0.5));
    let answered = bench.now;
    bench.announce(ETH0, 1, Announce::of(P).seqno(8).lasting(600));
    bench.run(seconds(0.2));
    let relayed = updates(&bench, answered);
    assert!(relayed.iter().any(|sent| {
        sent.link == ETH1
            && matches!(
                sent.said,
                Said::Update {
                    seqno: SeqNo(8),
                    ..
                }
            )
    }));
}

// 8966-3.8.1.2-10, 8966-3.2.7-1
#[test]
fn redundant_requests_are_suppressed_for_a_second_but_not_a_later_resend() {
    let mut bench = relay();
    for _ in 0..20 {
        ask(&mut bench, 11, 8, 64, rid(9));
    }
    bench.run(seconds(0.5));
    assert_eq!(forwarded(&bench, Instant::ZERO).len(), 1);
    assert_eq!(bench.node.counters().seqno_requests_suppressed, 19);
    bench.run(seconds(1.5));
    ask(&mut bench, 11, 8, 64, rid(9));
    bench.run(seconds(0.5));
    assert_eq!(forwarded(&bench, Instant::ZERO).len(), 2);
}

#[test]
fn requests_for_prefixes_we_do_not_announce_are_ignored() {
    let mut bench = relay();
    bench.retract(ETH0, 1, P);
    bench.run(seconds(3.0));
    bench.forget_sent();
    ask(&mut bench, 11, 8, 64, rid(9));
    bench.run(seconds(1.0));
    assert!(forwarded(&bench, Instant::ZERO).is_empty());
}
