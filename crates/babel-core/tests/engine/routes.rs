//! The route table, feasibility, selection and expiry, as a neighbour sees and causes them.

use crate::support::*;
use babel_core::config::LinkConfig;
use babel_core::event::Event;
use babel_core::time::Interval;
use babel_core::types::{Metric, SeqNo};

const P: &str = "2001:db8:1::/48";

fn is_update(said: &Said) -> bool {
    matches!(said, Said::Update { key: k, .. } if *k == key(P))
}

fn is_retraction(said: &Said) -> bool {
    *said == Said::Retraction(key(P))
}

#[test]
fn a_route_from_a_reachable_neighbour_is_installed_and_passed_on_with_its_cost() {
    let mut bench = Bench::new();
    bench.join(ETH0, 1);
    bench.join(ETH1, 2);
    bench.announce(ETH0, 1, Announce::of(P).metric(100));
    bench.run(seconds(0.2));
    assert_eq!(bench.via(P), Some(1));
    let told = bench.said_since(babel_core::time::Instant::ZERO, is_update);
    let on_eth1 = told
        .iter()
        .find(|sent| sent.link == ETH1)
        .expect("told on the other link");
    let Said::Update {
        metric,
        router_id,
        seqno,
        ..
    } = &on_eth1.said
    else {
        unreachable!()
    };
    assert_eq!(
        (*metric, *router_id, *seqno),
        (Metric(196), rid(9), SeqNo(1))
    );
}

#[test]
fn a_route_heard_before_its_neighbour_is_usable_waits_for_it() {
    let mut bench = Bench::new();
    bench.announce(ETH0, 1, Announce::of(P));
    assert_eq!(bench.via(P), None, "no Hello, no IHU: cost is infinite");
    bench.join(ETH0, 1);
    assert_eq!(bench.via(P), Some(1));
}

// 8966-3.5.3-2
#[test]
fn a_retraction_of_an_unknown_route_is_ignored() {
    let mut bench = Bench::new();
    bench.join(ETH0, 1);
    bench.forget_sent();
    bench.retract(ETH0, 1, P);
    bench.run(seconds(1.0));
    assert!(
        bench
            .said_since(babel_core::time::Instant::ZERO, is_retraction)
            .is_empty()
    );
    assert!(bench.fib.is_empty());
}

// 8966-3.5.4-1, 8966-3.7.2-5, 8966-3.7.2-3
#[test]
fn a_retraction_is_passed_on_urgently_a_few_times_and_leaves_the_prefix_unreachable() {
    let mut bench = Bench::new();
    bench.join(ETH0, 1);
    bench.join(ETH1, 2);
    bench.announce(ETH0, 1, Announce::of(P));
    bench.run(seconds(1.0));
    let lost = bench.now;
    bench.retract(ETH0, 1, P);
    assert!(bench.is_unreachable(P));
    bench.run(seconds(10.0));
    let copies: Vec<_> = bench
        .said_since(lost, is_retraction)
        .into_iter()
        .filter(|sent| sent.link == ETH1)
        .map(|sent| sent.at)
        .collect();
    assert!(
        copies
            .first()
            .is_some_and(|first| first.since(lost) < seconds(0.2))
    );
    assert!((2..=5).contains(&copies.len()), "{} copies", copies.len());
    bench.run(seconds(60.0));
    assert!(
        bench.fib.is_empty(),
        "the hold ends when no neighbour can believe us any more"
    );
}

#[test]
fn a_lost_default_route_needs_no_hold() {
    let mut bench = Bench::new();
    bench.join(ETH0, 1);
    bench.announce(ETH0, 1, Announce::of("::/0"));
    bench.run(seconds(1.0));
    assert_eq!(bench.via("::/0"), Some(1));
    bench.retract(ETH0, 1, "::/0");
    assert!(bench.fib.is_empty());
}

// 8966-3.5.4-2
#[test]
fn a_hold_ends_as_soon_as_a_route_is_selected() {
    let mut bench = Bench::new();
    bench.join(ETH0, 1);
    bench.announce(ETH0, 1, Announce::of(P));
    bench.run(seconds(1.0));
    bench.retract(ETH0, 1, P);
    assert!(bench.is_unreachable(P));
    bench.announce(ETH0, 1, Announce::of(P).seqno(2));
    assert_eq!(bench.via(P), Some(1));
}

// 8966-3.5.3-7, 8966-B-5
#[test]
fn a_route_not_refreshed_is_retracted_after_three_and_a_half_intervals_then_flushed() {
    let mut bench = Bench::new();
    bench.join(ETH0, 1);
    bench.announce(ETH0, 1, Announce::of(P).lasting(10));
    bench.run(seconds(34.5));
    assert_eq!(bench.via(P), Some(1));
    bench.run(seconds(1.0));
    assert_eq!(bench.via(P), None);
    assert!(bench.is_unreachable(P));
    assert_eq!(bench.node.routes(bench.now).count(), 1, "held as retracted");
    bench.run(seconds(36.0));
    assert_eq!(bench.node.routes(bench.now).count(), 0);
}

// 8966-3.5.3-4
#[test]
fn repeated_retractions_do_not_extend_a_routes_life() {
    let mut bench = Bench::new();
    bench.join(ETH0, 1);
    bench.announce(ETH0, 1, Announce::of(P).lasting(10));
    for _ in 0..8 {
        bench.run(seconds(5.0));
        bench.retract(ETH0, 1, P);
    }
    assert_eq!(bench.node.routes(bench.now).count(), 0);
}

// 8966-4.6.9-12, G-14
#[test]
fn a_route_that_promises_no_further_update_never_expires_by_time() {
    let mut bench = Bench::new();
    bench.join(ETH0, 1);
    bench.announce(
        ETH0,
        1,
        Announce {
            interval: Interval::INFINITE,
            ..Announce::of(P)
        },
    );
    bench.run(seconds(3000.0));
    assert_eq!(bench.via(P), Some(1));
}

// 8966-3.8.2.3-1
#[test]
fn a_selected_route_about_to_expire_is_asked_for_by_unicast() {
    let mut bench = Bench::new();
    bench.join(ETH0, 1);
    bench.announce(ETH0, 1, Announce::of(P).lasting(10));
    bench.run(seconds(34.0));
    let asked = bench.said_since(babel_core::time::Instant::ZERO, |said| {
        *said == Said::RouteRequest(Some(key(P)))
    });
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].to, babel_core::wire::Destination::Unicast(fake(1)));
}

#[test]
fn the_better_of_two_routes_is_taken_and_the_other_when_it_is_lost() {
    let mut bench = Bench::new();
    bench.join(ETH0, 1);
    bench.join(ETH0, 2);
    bench.announce(ETH0, 1, Announce::of(P).metric(200));
    bench.announce(ETH0, 2, Announce::of(P).metric(100));
    bench.run(seconds(1.0));
    assert_eq!(bench.via(P), Some(2));
    let writes = bench.fib_writes;
    bench.announce(ETH0, 1, Announce::of(P).metric(90));
    bench.run(seconds(1.0));
    assert_eq!(bench.via(P), Some(1));
    bench.retract(ETH0, 1, P);
    assert_eq!(
        bench.via(P),
        Some(2),
        "100 is below our feasibility distance of 186"
    );
    assert_eq!(
        bench.fib_writes,
        writes + 2,
        "one write for each change, nothing between"
    );
}

// 8966-3.5.1-2, 8966-3.6-2, 8966-3.8.2.1-1, 8966-3.8.2.1-3
#[test]
fn an_unfeasible_alternative_is_not_used_and_a_new_seqno_is_asked_for() {
    let mut bench = Bench::new();
    bench.join(ETH0, 1);
    bench.join(ETH0, 2);
    bench.join(ETH1, 3);
    bench.announce(ETH0, 1, Announce::of(P).metric(10).seqno(7));
    bench.run(seconds(1.0));
    bench.announce(ETH0, 2, Announce::of(P).metric(500).seqno(7));
    bench.run(seconds(5.0));
    let lost = bench.now;
    bench.retract(ETH0, 1, P);
    bench.run(seconds(0.2));
    assert!(
        bench.is_unreachable(P),
        "500 is above our feasibility distance of 106"
    );
    let asked = bench.said_since(lost, |said| matches!(said, Said::SeqnoRequest { .. }));
    assert_eq!(asked.len(), 1);
    let expected = Said::SeqnoRequest {
        key: key(P),
        seqno: SeqNo(8),
        hop_count: 64,
        router_id: rid(9),
    };
    assert_eq!(asked[0].said, expected);
    assert_eq!(asked[0].to, babel_core::wire::Destination::Unicast(fake(2)));
    bench.announce(ETH0, 2, Announce::of(P).metric(500).seqno(8));
    assert_eq!(bench.via(P), Some(2));
}

// 8966-3.8.2.1-7
#[test]
fn an_unanswered_seqno_request_is_repeated_ever_more_rarely() {
    let mut bench = Bench::new();
    bench.join(ETH0, 1);
    bench.join(ETH1, 3);
    bench.announce(ETH0, 1, Announce::of(P).metric(10).seqno(7).lasting(600));
    bench.run(seconds(1.0));
    bench.announce(
        ETH0,
        1,
        Announce::of(P).metric(500).seqno(6).lasting(600).id(rid(9)),
    );
    bench.run(seconds(1.0));
    assert_eq!(
        bench.via(P),
        Some(1),
        "an unfeasible update of the selected route is ignored"
    );
    bench.retract(ETH0, 1, P);
    bench.announce(ETH0, 1, Announce::of(P).metric(500).seqno(7).lasting(600));
    bench.forget_sent();
    bench.run(seconds(120.0));
    let asked: Vec<u64> = bench
        .said_since(babel_core::time::Instant::ZERO, |s| {
            matches!(s, Said::SeqnoRequest { .. })
        })
        .iter()
        .map(|sent| sent.at.as_micros() / 1_000_000)
        .collect();
    assert!((4..=8).contains(&asked.len()), "{asked:?}");
}

// 8966-3.8.2.2-1
#[test]
fn an_unfeasible_update_of_the_selected_route_is_ignored_and_answered_by_a_request() {
    let mut bench = Bench::new();
    bench.join(ETH0, 1);
    bench.join(ETH1, 2);
    bench.announce(ETH0, 1, Announce::of(P).metric(10).seqno(7));
    bench.run(seconds(1.0));
    let at = bench.now;
    bench.announce(ETH0, 1, Announce::of(P).metric(400).seqno(7));
    bench.run(seconds(0.3));
    assert_eq!(bench.via(P), Some(1));
    let asked = bench.said_since(at, |said| matches!(said, Said::SeqnoRequest { .. }));
    assert_eq!(asked.len(), 1);
}

// 8966-3.5.3-5, 8966-3.5.3-6
#[test]
fn an_unfeasible_update_with_another_router_id_unselects_at_once() {
    let mut bench = Bench::new();
    bench.join(ETH0, 1);
    bench.join(ETH1, 2);
    bench.announce(ETH0, 1, Announce::of(P).metric(10).id(rid(8)));
    bench.run(seconds(1.0));
    bench.announce(ETH0, 1, Announce::of(P).metric(10).id(rid(7)));
    bench.run(seconds(1.0));
    let at = bench.now;
    bench.announce(ETH0, 1, Announce::of(P).metric(400).id(rid(8)));
    assert_eq!(bench.via(P), None);
    bench.run(seconds(0.2));
    assert!(
        !bench.said_since(at, is_retraction).is_empty(),
        "and the neighbours are told"
    );
}

// 8966-3.7.3-3
#[test]
fn a_source_is_forgotten_three_minutes_after_the_last_update() {
    let mut bench = Bench::new();
    bench.join(ETH0, 1);
    bench.join(ETH1, 2);
    bench.announce(ETH0, 1, Announce::of(P).metric(10));
    bench.run(seconds(1.0));
    bench.retract(ETH0, 1, P);
    bench.run(seconds(170.0));
    bench.announce(ETH0, 1, Announce::of(P).metric(400));
    assert_eq!(bench.via(P), None, "still remembered");
    bench.retract(ETH0, 1, P);
    bench.run(seconds(15.0));
    bench.announce(ETH0, 1, Announce::of(P).metric(400));
    assert_eq!(bench.via(P), Some(1));
}

// 8966-4.6.9-14
#[test]
fn a_wildcard_retraction_takes_all_routes_of_that_neighbour_and_no_others() {
    let mut bench = Bench::new();
    bench.join(ETH0, 1);
    bench.join(ETH0, 2);
    bench.announce(ETH0, 1, Announce::of(P));
    bench.announce(ETH0, 1, Announce::of("10.0.0.0/8"));
    bench.announce(ETH0, 2, Announce::of("2001:db8:2::/48"));
    let mut packet = writer();
    packet.wildcard_retraction().expect("fits");
    bench.packet(ETH0, fake(1), true, packet);
    assert_eq!(bench.via(P), None);
    assert_eq!(bench.via("10.0.0.0/8"), None);
    assert_eq!(bench.via("2001:db8:2::/48"), Some(2));
}

#[test]
fn a_silent_neighbours_routes_go_when_two_hellos_are_missed() {
    let mut bench = Bench::new();
    bench.join(ETH0, 1);
    bench.run(seconds(20.0));
    bench.announce(ETH0, 1, Announce::of(P).lasting(100));
    bench.silence(1);
    bench.run(seconds(5.0));
    assert_eq!(bench.via(P), Some(1), "one miss is forgiven");
    bench.run(seconds(9.0));
    assert_eq!(bench.via(P), None);
    bench.run(seconds(80.0));
    assert_eq!(
        bench.node.neighbours(bench.now).count(),
        0,
        "after sixteen misses it is gone"
    );
    assert_eq!(bench.node.routes(bench.now).count(), 0);
}

// 8966-A.1-1
#[test]
fn a_restarted_neighbours_routes_are_void() {
    let mut bench = Bench::new();
    bench.join(ETH0, 1);
    bench.announce(ETH0, 1, Announce::of(P));
    let mut packet = writer();
    let interval = Interval::from_centis(400);
    packet
        .hello(false, SeqNo(30_000), interval, None)
        .expect("fits");
    bench.packet(ETH0, fake(1), true, packet);
    assert_eq!(bench.node.routes(bench.now).count(), 0);
    assert_eq!(bench.node.neighbours(bench.now).count(), 1);
}

// 8966-3.1: a link that goes down takes its own routes only.
#[test]
fn a_link_that_goes_down_takes_its_routes_at_once() {
    let mut bench = Bench::new();
    bench.join(ETH0, 1);
    bench.join(ETH1, 2);
    bench.announce(ETH0, 1, Announce::of(P));
    bench.announce(ETH1, 2, Announce::of("2001:db8:2::/48"));
    bench.event(Event::LinkDown { link: ETH0 });
    assert_eq!(bench.via(P), None);
    assert_eq!(bench.via("2001:db8:2::/48"), Some(2));
    bench.link_up(ETH0, LinkConfig::new("eth0"));
    bench.event(Event::LinkRemoved { link: ETH0 });
    assert_eq!(bench.node.neighbours(bench.now).count(), 1);
}

#[test]
fn martians_and_our_own_router_id_are_refused() {
    let mut bench = Bench::new();
    bench.join(ETH0, 1);
    for martian in [
        "fe80::/64",
        "ff02::/16",
        "127.0.0.0/8",
        "::1",
        "224.0.0.0/4",
    ] {
        bench.announce(ETH0, 1, Announce::of(martian));
    }
    bench.announce(ETH0, 1, Announce::of(P).id(OUR_ID));
    assert_eq!(bench.node.routes(bench.now).count(), 0);
}

#[test]
fn a_route_of_our_own_takes_precedence_and_gives_way_again() {
    let mut bench = Bench::new();
    bench.join(ETH0, 1);
    bench.announce(ETH0, 1, Announce::of(P));
    assert_eq!(bench.via(P), Some(1));
    bench.xroute(P);
    assert!(bench.fib.is_empty(), "the kernel has its own route");
    bench.event(Event::XRouteDown { key: key(P) });
    assert_eq!(bench.via(P), Some(1));
}

#[test]
fn a_refresh_changes_nothing_but_the_deadline() {
    let mut bench = Bench::new();
    bench.join(ETH0, 1);
    bench.join(ETH1, 2);
    bench.announce(ETH0, 1, Announce::of(P).lasting(10));
    bench.run(seconds(1.0));
    let writes = bench.fib_writes;
    for _ in 0..20 {
        bench.run(seconds(10.0));
        bench.announce(ETH0, 1, Announce::of(P).lasting(10));
    }
    assert_eq!(bench.fib_writes, writes);
    assert_eq!(bench.via(P), Some(1));
}

// 8966-3.6-4
#[test]
fn a_newcomer_slightly_better_wins_only_after_smoothing_and_without_another_update() {
    let mut bench = Bench::with(babel_core::config::Config {
        smoothing_half_life: seconds(4.0),
        ..config()
    });
    bench.join(ETH0, 1);
    bench.join(ETH0, 2);
    bench.announce(ETH0, 1, Announce::of(P).metric(200).lasting(600));
    bench.run(seconds(10.0));
    bench.announce(ETH0, 2, Announce::of(P).metric(100).lasting(600));
    bench.run(seconds(20.0));
    assert_eq!(bench.via(P), Some(1));
    bench.run(seconds(20.0));
    assert_eq!(
        bench.via(P),
        Some(2),
        "no update came meanwhile: a timer did it"
    );
}
