//! When to move to what the policy prefers, and how a preferred route that is unfeasible is got:
//! the liar's metric has become our feasibility distance, and the honest neighbour is asked.

use crate::ranked::*;
use crate::support::*;
use babel_core::time::{Instant, Interval};
use babel_core::wire::Destination;
use core::time::Duration;

const P: &str = "2001:db8:1::/48";
const HONEST: Destination = Destination::Unicast(fake(2));

/// Neighbour 1 lied itself into our feasibility distance; the honest neighbours 2 and 3 are far
/// beyond it. Nothing is measured yet.
fn deceived() -> Bench<(), Ranked> {
    let mut bench = ranked_bench();
    bench.join(ETH0, 1);
    bench.join(ETH1, 2);
    bench.join(ETH1, 3);
    bench.announce(ETH0, 1, route(10, 7));
    bench.run(seconds(1.0));
    bench.announce(ETH1, 2, route(900, 7));
    bench.run(seconds(40.0));
    assert_eq!(bench.via(P), Some(1));
    bench.forget_sent();
    bench
}

fn route(metric: u16, seqno: u16) -> Announce {
    Announce {
        interval: Interval::INFINITE,
        ..Announce::of(P).metric(metric).seqno(seqno)
    }
}

/// When requests left, in whole seconds.
fn times(requests: &[(Duration, Destination, u16)]) -> Vec<u64> {
    requests.iter().map(|(at, ..)| at.as_secs()).collect()
}

#[test]
fn a_liar_found_out_is_left_as_soon_as_the_honest_neighbour_has_answered() {
    let mut bench = deceived();
    let begun = bench.now;
    bench.place(1, FAILING, 0);
    bench.run(seconds(0.02));
    let asked = bench.seqno_requests(begun);
    assert_eq!(asked.len(), 1);
    assert_eq!((asked[0].1, asked[0].2), (HONEST, 8));
    assert_eq!(bench.via(P), Some(1), "never unfeasible");
    bench.announce(ETH1, 2, route(900, 8));
    assert_eq!(bench.via(P), Some(2), "at once");
    bench.run(seconds(600.0));
    assert_eq!(bench.seqno_requests(begun).len(), 1, "nothing more to ask");
}

#[test]
fn a_better_band_is_left_for_at_once_and_a_better_rank_after_the_hold() {
    let mut bench = deceived();
    bench.announce(ETH1, 2, route(50, 7));
    bench.place(2, PROVEN, 0);
    bench.place(1, PROVEN, 1);
    bench.run(HOLD - seconds(0.1));
    assert_eq!(bench.via(P), Some(1));
    bench.run(seconds(0.2));
    assert_eq!(bench.via(P), Some(2));
    bench.place(2, UNPROVEN, 0);
    assert_eq!(bench.via(P), Some(1));
}

#[test]
fn a_lost_request_is_repeated_after_four_seconds_and_then_ever_more_rarely() {
    let mut bench = deceived();
    let begun = bench.now;
    bench.place(1, FAILING, 0);
    bench.run(seconds(3600.0));
    let asked = bench.seqno_requests(begun);
    assert!(asked.iter().all(|(_, to, _)| *to == HONEST), "{asked:?}");
    let wanted: Vec<u64> = (0..20)
        .scan((0, 4), |(at, gap), _| {
            let this = *at;
            *at += *gap;
            *gap = (*gap * 2).min(256);
            Some(this)
        })
        .take_while(|at| *at < 3600)
        .collect();
    let late = |(at, wanted): (&u64, &u64)| (*wanted..*wanted + 3).contains(at);
    assert!(times(&asked).iter().zip(&wanted).all(late), "{asked:?}");
    assert_eq!(asked.len(), wanted.len());
    assert_eq!(bench.via(P), Some(1), "kept all the while");
}

#[test]
fn a_better_rank_is_asked_for_when_it_has_stood_and_its_answer_taken_at_once() {
    let mut bench = deceived();
    let begun = bench.now;
    bench.place(1, PROVEN, 1);
    bench.run(HOLD - seconds(0.1));
    assert_eq!(bench.seqno_requests(begun), []);
    bench.run(seconds(0.2));
    assert_eq!(times(&bench.seqno_requests(begun)), [30]);
    bench.announce(ETH1, 2, route(900, 8));
    assert_eq!(bench.via(P), Some(2));
}

#[test]
fn the_hold_runs_on_while_the_better_route_is_now_feasible_and_now_not() {
    let mut bench = deceived();
    let begun = bench.now;
    bench.place(1, PROVEN, 1);
    bench.announce(ETH1, 2, route(50, 7));
    bench.run(seconds(20.0));
    bench.announce(ETH1, 2, route(900, 7));
    bench.run(seconds(5.0));
    bench.announce(ETH1, 2, route(50, 7));
    bench.run(seconds(4.9));
    assert_eq!(bench.via(P), Some(1));
    bench.run(seconds(0.2));
    assert_eq!(bench.via(P), Some(2), "it stood for thirty seconds in all");
    assert_eq!(bench.seqno_requests(begun), []);
}

#[test]
fn a_hold_broken_off_begins_anew() {
    let mut bench = deceived();
    bench.announce(ETH1, 2, route(50, 7));
    bench.place(1, PROVEN, 1);
    bench.run(seconds(20.0));
    bench.place(1, PROVEN, 0);
    bench.run(seconds(1.0));
    bench.place(1, PROVEN, 1);
    bench.run(seconds(29.0));
    assert_eq!(bench.via(P), Some(1));
    bench.run(seconds(2.0));
    assert_eq!(bench.via(P), Some(2));
}

#[test]
fn each_move_for_a_better_step_doubles_the_hold_and_quiet_time_takes_it_back() {
    let mut bench = deceived();
    bench.announce(ETH1, 2, route(50, 7));
    bench.place(1, UNPROVEN, 0);
    assert_eq!(bench.via(P), Some(2), "a band: at once, and it counts");
    bench.place(2, PROVEN, 1);
    bench.place(1, PROVEN, 0);
    bench.run(seconds(59.0));
    assert_eq!(bench.via(P), Some(2));
    bench.run(seconds(2.0));
    assert_eq!(bench.via(P), Some(1));
    bench.run(seconds(1201.0));
    bench.place(1, PROVEN, 2);
    bench.run(seconds(31.0));
    assert_eq!(bench.via(P), Some(2));
}

#[test]
fn the_incumbents_own_news_do_not_use_up_the_turn_of_the_preferred_neighbour() {
    let mut bench = deceived();
    let begun = bench.now;
    bench.place(1, FAILING, 0);
    for _ in 0..60 {
        // Unfeasible, hence ignored: a reason to ask the incumbent if there were nobody better.
        bench.announce(ETH0, 1, route(500, 7));
        bench.run(seconds(0.5));
    }
    let asked = bench.seqno_requests(begun);
    assert!(asked.iter().all(|(_, to, _)| *to == HONEST), "{asked:?}");
    assert_eq!(times(&asked), [0, 4, 12, 28]);
}

#[test]
fn asking_the_incumbent_before_does_not_make_the_preferred_neighbour_wait() {
    let mut bench = deceived();
    let begun = bench.now;
    for _ in 0..60 {
        bench.announce(ETH0, 1, route(500, 7));
        bench.run(seconds(0.5));
    }
    let own = bench.seqno_requests(begun);
    assert!(
        own.iter()
            .all(|(_, to, _)| *to == Destination::Unicast(fake(1)))
    );
    assert_eq!(own.len(), 4, "with a back-off of its own");
    let begun = bench.now;
    bench.place(1, FAILING, 0);
    bench.run(seconds(0.1));
    let asked = bench.seqno_requests(begun);
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].1, HONEST);
}

#[test]
fn when_the_preferred_neighbour_is_gone_the_next_best_is_asked_without_delay() {
    let mut bench = deceived();
    bench.announce(ETH1, 3, route(901, 7));
    bench.place(3, PROVEN, 1);
    bench.place(1, FAILING, 0);
    bench.run(seconds(100.0));
    let begun = bench.now;
    bench.retract(ETH1, 2, P);
    bench.run(seconds(0.1));
    let asked = bench.seqno_requests(begun);
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].1, Destination::Unicast(fake(3)));
}

#[test]
fn metrics_that_wander_among_the_preferred_ask_no_more_often() {
    let mut bench = deceived();
    bench.announce(ETH1, 3, route(901, 7));
    bench.place(1, FAILING, 0);
    let begun = bench.now;
    for step in 0..600 {
        let metric = if step % 2 == 0 { 890 } else { 910 };
        bench.announce(ETH1, 3, route(metric, 7));
        bench.run(seconds(1.0));
    }
    let asked = bench.seqno_requests(begun);
    let mut rounds = times(&asked);
    rounds.dedup();
    assert!(rounds.len() <= 8, "{rounds:?}");
}

#[test]
fn those_as_good_but_for_their_metrics_get_their_turn_beside_the_preferred() {
    let mut bench = deceived();
    bench.join(ETH1, 4);
    bench.announce(ETH1, 3, route(901, 7));
    bench.announce(ETH1, 4, route(902, 7));
    bench.join(ETH1, 5);
    bench.announce(ETH1, 5, route(880, 7));
    bench.place(5, PROVEN, 1);
    let begun = bench.now;
    bench.place(1, FAILING, 0);
    bench.run(seconds(40.0));
    let asked = bench.seqno_requests(begun);
    let whom = |(at, to, _): &(Duration, Destination, u16)| {
        let n = (2..=5).find(|n| *to == Destination::Unicast(fake(*n)));
        (at.as_secs(), n.expect("a candidate"))
    };
    let whom: Vec<(u64, u16)> = asked.iter().map(whom).collect();
    let turns = [(0, 2), (4, 2), (4, 3), (12, 2), (12, 4), (28, 2), (28, 3)];
    assert_eq!(whom, turns, "never 5, which is worse");
}

#[test]
fn who_may_just_tell_us_what_we_told_it_is_asked_last() {
    let mut bench = ranked_bench();
    bench.join(ETH0, 1);
    bench.join_costing(ETH1, 2, 500);
    bench.join(ETH1, 3);
    bench.announce(ETH0, 1, route(10, 7));
    bench.run(seconds(1.0));
    // We told 106, and our links cost 96 from the other side.
    bench.announce(ETH1, 2, route(201, 7));
    bench.announce(ETH1, 3, route(202, 7));
    let begun = bench.now;
    bench.place(1, FAILING, 0);
    bench.run(seconds(1.0));
    let asked = bench.seqno_requests(begun);
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].1, HONEST, "though its metric is 701, not 298");
}

#[test]
fn a_metric_that_wanders_among_the_used_asks_no_more_often() {
    let mut bench = ranked_bench();
    for (link, n) in [(ETH0, 1), (ETH0, 3), (ETH1, 2)] {
        bench.join(link, n);
    }
    bench.place(1, UNPROVEN, 0);
    bench.place(3, UNPROVEN, 0);
    bench.announce(ETH0, 1, route(200, 7));
    bench.announce(ETH0, 3, route(201, 7));
    bench.run(seconds(1.0));
    bench.announce(ETH1, 2, route(900, 7));
    let begun = bench.now;
    for step in 0..600 {
        let metric = if step % 2 == 0 { 190 } else { 210 };
        bench.announce(ETH0, 3, route(metric, 7));
        bench.run(seconds(1.0));
    }
    let metric = babel_core::policy::ChangeReason::Metric.index();
    assert!(
        bench.node.counters().route_changes[metric] > 500,
        "it wanders"
    );
    let asked = bench.seqno_requests(begun);
    assert!((1..=8).contains(&asked.len()), "{:?}", times(&asked));
}

#[test]
fn nobody_is_asked_for_a_route_worse_than_the_one_just_taken() {
    let mut bench = deceived();
    bench.announce(ETH1, 3, route(50, 7));
    bench.place(2, PROVEN, 3);
    let begun = bench.now;
    bench.place(1, FAILING, 0);
    assert_eq!(bench.via(P), Some(3));
    bench.run(seconds(300.0));
    assert_eq!(bench.seqno_requests(begun), []);
}

#[test]
fn one_that_must_not_be_used_is_not_asked() {
    let mut bench = deceived();
    let begun = bench.now;
    bench.place(2, BARRED, 0);
    bench.place(1, FAILING, 0);
    bench.run(seconds(300.0));
    assert_eq!(bench.seqno_requests(begun), []);
    assert_eq!(bench.via(P), Some(1), "better than nothing");
}

/// The time between a newer seqno through the incumbent and our telling of it.
fn told_after(bench: &mut Bench<(), Ranked>, seqno: u16) -> Duration {
    let begun: Instant = bench.now;
    bench.announce(ETH0, 1, route(10, seqno));
    let mut packet = writer();
    packet.route_request(Some(&key(P))).expect("fits");
    bench.packet(ETH1, fake(3), true, packet);
    bench.run(seconds(1.6));
    let told = bench.told(ETH1, P, begun);
    let first = told.iter().find(|(_, told, _)| *told == seqno);
    first.expect("told in the end").0
}

#[test]
fn a_new_seqno_through_the_incumbent_waits_a_second_once_for_each_request() {
    let mut bench = deceived();
    bench.place(1, FAILING, 0);
    bench.run(seconds(0.02));
    let first = told_after(&mut bench, 8);
    assert!((seconds(0.9)..seconds(1.1)).contains(&first), "{first:?}");
    let second = told_after(&mut bench, 9);
    assert!(
        second < seconds(0.1),
        "no request was sent since: {second:?}"
    );
    // At 4 s the second request is sent.
    bench.run(seconds(0.9));
    let third = told_after(&mut bench, 10);
    assert!((seconds(0.8)..seconds(1.1)).contains(&third), "{third:?}");
}

#[test]
fn an_answer_of_the_incumbent_itself_is_not_held_back() {
    let mut bench = deceived();
    bench.announce(ETH0, 1, route(500, 7));
    bench.run(seconds(0.02));
    let told = told_after(&mut bench, 8);
    assert!(told < seconds(0.1), "{told:?}");
}
