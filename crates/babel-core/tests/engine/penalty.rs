//! What a policy adds to the metric when a route from an unproven neighbour is announced further.

use crate::ranked::*;
use crate::support::*;
use babel_core::event::FibTarget;
use babel_core::types::{Metric, SeqNo};

const P: &str = "2001:db8:1::/48";

/// Neighbour 1 on eth0 announces a route, neighbour 2 on eth1 hears what we make of it.
fn bench(band: u8) -> Bench<(), Ranked> {
    let mut bench = ranked_bench();
    bench.place(1, band, 0);
    bench.join(ETH0, 1);
    bench.join(ETH1, 2);
    bench.announce(ETH0, 1, Announce::of(P).metric(100).seqno(7).lasting(600));
    bench.run(seconds(1.0));
    bench
}

fn metrics(bench: &Bench<(), Ranked>, since: babel_core::time::Instant) -> Vec<u16> {
    let told = bench.told(ETH1, P, since);
    told.into_iter().map(|(_, _, metric)| metric).collect()
}

#[test]
fn a_route_of_an_unproven_neighbour_is_announced_with_the_penalty() {
    let begun = babel_core::time::Instant::ZERO;
    assert_eq!(metrics(&bench(PROVEN), begun), [196], "received plus cost");
    assert_eq!(metrics(&bench(UNPROVEN), begun), [196 + PENALTY]);
    assert_eq!(metrics(&bench(FAILING), begun), [196 + PENALTY]);
}

#[test]
fn the_penalty_is_in_no_metric_of_our_own() {
    let bench = bench(UNPROVEN);
    let route = bench.node.routes(bench.now).next().expect("a route");
    assert_eq!(route.metric, Metric(196));
    assert_eq!(route.smoothed, Metric(196));
    let target = bench.fib.get(&key(P)).expect("installed");
    assert!(
        matches!(target, FibTarget::Via { metric, .. } if *metric == Metric(196)),
        "{target:?}"
    );
    let why = bench.node.explain(bench.now, &key(P)).expect("known");
    assert_eq!(why.candidates[0].route.metric, Metric(196));
}

#[test]
fn the_feasibility_distance_is_what_was_sent() {
    let bench = bench(UNPROVEN);
    let why = bench.node.explain(bench.now, &key(P)).expect("known");
    let distance = why.candidates[0].distance.expect("it was announced");
    assert_eq!(distance, (SeqNo(7), Metric(196 + PENALTY)));
}

#[test]
fn a_measurement_that_proves_the_neighbour_takes_the_penalty_back_within_seconds() {
    let mut bench = bench(UNPROVEN);
    let begun = bench.now;
    bench.place(1, PROVEN, 0);
    bench.run(seconds(2.5));
    assert_eq!(metrics(&bench, begun), [196]);
    let begun = bench.now;
    bench.place(1, FAILING, 0);
    bench.run(seconds(2.5));
    assert_eq!(metrics(&bench, begun), [196 + PENALTY]);
}

#[test]
fn a_penalty_that_reaches_infinity_is_a_retraction() {
    let mut bench = bench(PROVEN);
    let begun = bench.now;
    bench
        .node
        .update_policy(bench.now, |policy| policy.penalty = Metric(65_400));
    bench.place(1, FAILING, 0);
    bench.run(seconds(2.5));
    assert_eq!(metrics(&bench, begun), []);
    let retracted = |said: &Said| *said == Said::Retraction(key(P));
    assert!(!bench.said_since(begun, retracted).is_empty());
    assert_eq!(bench.via(P), Some(1), "we use it ourselves");
}

#[test]
fn the_penalty_goes_with_the_route_it_was_for() {
    let mut bench = bench(UNPROVEN);
    bench.join(ETH0, 3);
    let begun = bench.now;
    bench.announce(ETH0, 3, Announce::of(P).metric(100).seqno(7).lasting(600));
    bench.run(seconds(2.5));
    assert_eq!(bench.via(P), Some(3), "a better band");
    assert_eq!(metrics(&bench, begun), [196]);
}
