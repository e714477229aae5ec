//! The source table, feasibility and selection: what may be used and what may not
//! (RFC 8966 §3.5 to §3.7.3).

use crate::support::*;
use babel_core::config::{Config, LinkConfig};
use babel_core::time::Instant;
use babel_core::types::{Metric, SeqNo};
use babel_core::wire::Ihu;
use core::net::IpAddr;

const P: &str = "2001:db8:1::/48";

fn installed(bench: &Bench) -> Option<u16> {
    bench.via(P)
}

fn costs(bench: &mut Bench, n: u16, rxcost: u16) {
    let mut packet = writer();
    let ihu = Ihu {
        address: Some(IpAddr::V6(OURS)),
        rxcost: Metric(rxcost),
        interval: babel_core::time::Interval::from_centis(1200),
        timestamps: None,
    };
    packet.ihu(&ihu).expect("fits");
    bench.packet(ETH0, fake(n), true, packet);
}

// 8966-3.2.6-1
#[test]
fn a_neighbour_has_one_route_to_a_prefix_whoever_originates_it() {
    let mut bench = Bench::new();
    bench.join(ETH0, 1);
    for (n, metric) in [(1, 10), (2, 20), (3, 30)] {
        bench.announce(ETH0, 1, Announce::of(P).id(rid(n)).metric(metric));
        assert_eq!(bench.node.routes(bench.now).count(), 1);
    }
    let route = bench.node.routes(bench.now).next().expect("a route");
    assert_eq!((route.router_id, route.refmetric), (rid(3), Metric(30)));
}

// 8966-3.5.1-1, 8966-3.5.1-3
#[test]
fn a_dearer_link_never_makes_a_route_unfeasible() {
    let mut bench = Bench::new();
    bench.join(ETH0, 1);
    bench.join(ETH1, 2);
    bench.announce(ETH0, 1, Announce::of(P).metric(100).lasting(600));
    bench.run(seconds(1.0));
    for rxcost in [96, 200, 1000, 30_000, 65_000] {
        costs(&mut bench, 1, rxcost);
        bench.announce(ETH0, 1, Announce::of(P).metric(100).lasting(600));
        assert_eq!(installed(&bench), Some(1), "{rxcost}");
    }
    assert_eq!(bench.node.counters().updates_unfeasible, 0);
}

// 8966-3.7.3-1, 8966-3.5.1-2
#[test]
fn what_one_asker_was_told_bounds_what_may_be_used_from_then_on() {
    let mut bench = Bench::new();
    bench.join(ETH0, 1);
    bench.join(ETH0, 2);
    bench.announce(ETH0, 1, Announce::of(P).metric(404).lasting(600));
    bench.run(seconds(1.0));
    // Cheaper by less than a triggered update is worth: nobody has been told of 460.
    bench.announce(ETH0, 1, Announce::of(P).metric(364).lasting(600));
    let told = |bench: &Bench, since| {
        let is_update =
            |said: &Said| matches!(said, Said::Update { metric, .. } if *metric == Metric(460));
        bench.said_since(since, is_update).len()
    };
    let asked = bench.now;
    let mut packet = writer();
    packet.route_request(Some(&key(P))).expect("fits");
    bench.packet(ETH1, fake(7), false, packet);
    bench.run(seconds(0.2));
    assert_eq!(told(&bench, asked), 1, "the asker only");
    bench.announce(ETH0, 2, Announce::of(P).metric(460).lasting(600));
    bench.retract(ETH0, 1, P);
    assert_eq!(installed(&bench), None, "460 equals what was told");
    bench.announce(ETH0, 2, Announce::of(P).metric(459).lasting(600));
    assert_eq!(installed(&bench), Some(2));
}

// 8966-3.7.3-4
#[test]
fn retractions_neither_lower_nor_prolong_a_distance() {
    let mut bench = Bench::new();
    bench.join(ETH0, 1);
    bench.join(ETH1, 2);
    bench.announce(ETH0, 1, Announce::of(P).metric(10).lasting(600));
    bench.run(seconds(1.0));
    bench.retract(ETH0, 1, P);
    // Retractions go out all the time: somebody keeps asking.
    for _ in 0..17 {
        bench.run(seconds(10.0));
        let mut packet = writer();
        packet.route_request(Some(&key(P))).expect("fits");
        bench.packet(ETH1, fake(2), false, packet);
    }
    bench.announce(ETH0, 1, Announce::of(P).metric(105).lasting(600));
    assert_eq!(installed(&bench), Some(1), "105 is below the 106 announced");
    bench.retract(ETH0, 1, P);
    bench.announce(ETH0, 1, Announce::of(P).metric(400).lasting(600));
    assert_eq!(installed(&bench), None, "after 171 s the distance stands");
}

// 8966-3.6-3
#[test]
fn seqnos_do_not_decide_between_routes() {
    let choice = |seqnos: [u16; 3]| {
        let mut bench = Bench::new();
        for (n, seqno) in (1..).zip(seqnos) {
            bench.join(ETH0, n);
            let update = Announce::of(P).metric(100).seqno(seqno).lasting(600);
            bench.announce(ETH0, n, update.id(rid(n as u8)));
        }
        bench.run(seconds(1.0));
        installed(&bench)
    };
    let first = choice([5, 5, 5]);
    assert!(first.is_some());
    for seqnos in [[5, 6, 7], [7, 6, 5], [6, 7, 5], [6, 40_000, 20_000]] {
        assert_eq!(choice(seqnos), first, "{seqnos:?}");
    }
}

// 8966-3.6-1, 8966-3.6-2, 8966-3.5.3-5, 8966-3.5.3-8
#[test]
fn whatever_is_announced_what_is_selected_is_finite_and_feasible() {
    let mut rng = fastrand::Rng::with_seed(8966);
    for _ in 0..20 {
        let mut bench = Bench::with(Config {
            smoothing_half_life: seconds(4.0) * rng.u32(0..2),
            ..config()
        });
        for n in 1..=4 {
            bench.join(if n < 3 { ETH0 } else { ETH1 }, n);
        }
        for _ in 0..200 {
            let n = rng.u16(1..=4);
            let link = if n < 3 { ETH0 } else { ETH1 };
            let metric = if rng.u8(0..5) == 0 {
                65_535
            } else {
                rng.u16(0..600)
            };
            let update = Announce::of(P).metric(metric).seqno(rng.u16(0..4));
            bench.announce(
                link,
                n,
                update.id(rid(rng.u8(1..3))).lasting(rng.u16(1..30)),
            );
            bench.run(seconds(1.0) * rng.u32(0..4));
            let routes: Vec<_> = bench.node.routes(bench.now).collect();
            let used: Vec<_> = routes.iter().filter(|route| route.installed).collect();
            assert!(used.len() <= 1);
            for route in &used {
                assert!(route.feasible && !route.metric.is_infinite(), "{route:?}");
            }
            assert_eq!(installed(&bench).is_some(), !used.is_empty());
            let usable =
                |r: &&babel_core::view::RouteView<()>| r.feasible && !r.metric.is_infinite();
            assert_eq!(used.is_empty(), !routes.iter().any(|r| usable(&r)));
        }
    }
}

// 8966-3.7-1
#[test]
fn routes_that_are_not_selected_are_not_announced() {
    let mut bench = Bench::new();
    bench.join(ETH0, 1);
    bench.join(ETH0, 2);
    bench.join(ETH1, 3);
    bench.announce(ETH0, 1, Announce::of(P).metric(100).id(rid(1)).lasting(600));
    bench.announce(ETH0, 2, Announce::of(P).metric(900).id(rid(2)).lasting(600));
    bench.run(seconds(60.0));
    let ids = |bench: &Bench| {
        let updates = bench.said_since(Instant::ZERO, |said| matches!(said, Said::Update { .. }));
        let id = |sent: &&Sent| match sent.said {
            Said::Update { router_id, .. } => router_id,
            _ => unreachable!(),
        };
        updates.iter().map(id).collect::<Vec<_>>()
    };
    assert!(ids(&bench).len() > 3);
    assert!(ids(&bench).iter().all(|id| *id == rid(1)));
}

// 8966-3.6-4, 8966-A.3-1
#[test]
fn routes_that_take_turns_at_being_better_do_not_flap() {
    let mut bench = Bench::with(Config {
        smoothing_half_life: seconds(4.0),
        ..config()
    });
    bench.join(ETH0, 1);
    bench.join(ETH0, 2);
    bench.announce(ETH0, 1, Announce::of(P).metric(100).lasting(600));
    bench.announce(ETH0, 2, Announce::of(P).metric(100).lasting(600));
    bench.run(seconds(100.0));
    let writes = bench.fib_writes;
    for turn in 0..200 {
        let (one, two) = if turn % 2 == 0 { (99, 101) } else { (101, 99) };
        bench.announce(ETH0, 1, Announce::of(P).metric(one).lasting(600));
        bench.announce(ETH0, 2, Announce::of(P).metric(two).lasting(600));
        bench.run(seconds(1.0));
    }
    assert!(
        bench.fib_writes <= writes + 2,
        "{}",
        bench.fib_writes - writes
    );
}

// 9079-3-1
#[test]
fn feasibility_is_kept_apart_for_each_source_prefix() {
    let mut bench = Bench::new();
    bench.join(ETH0, 1);
    bench.join(ETH1, 2);
    bench.announce(ETH0, 1, Announce::of(P).metric(10).lasting(600));
    bench.run(seconds(1.0));
    bench.retract(ETH0, 1, P);
    let src = "2001:db8:a::/48".parse().expect("a prefix");
    let specific = babel_core::prefix::RouteKey::source_specific(*key(P).dst(), src);
    let specific = specific.expect("one family");
    let update = Announce {
        key: specific,
        ..Announce::of(P)
    };
    bench.announce(ETH0, 1, update.metric(400));
    assert!(bench.fib.contains_key(&specific), "its own distance");
    bench.announce(ETH0, 1, Announce::of(P).metric(400));
    assert_eq!(installed(&bench), None, "the plain prefix has another");
}

// 8966-3.5.3-6, 8966-3.7.2-1
#[test]
fn another_originator_by_the_same_neighbour_is_told_at_once() {
    let mut bench = Bench::new();
    bench.join(ETH0, 1);
    bench.join(ETH1, 2);
    bench.announce(ETH0, 1, Announce::of(P).id(rid(1)).lasting(600));
    bench.run(seconds(5.0));
    let at = bench.now;
    bench.announce(ETH0, 1, Announce::of(P).id(rid(2)).seqno(9).lasting(600));
    bench.run(seconds(0.2));
    let is_new = |said: &Said| matches!(said, Said::Update { router_id, seqno: SeqNo(9), .. } if *router_id == rid(2));
    let told = bench.said_since(at, is_new);
    assert!(told.iter().any(|sent| sent.link == ETH1));
}

// 8966-3.7.4-2
#[test]
fn a_link_not_known_to_be_transitive_echoes_by_default() {
    assert!(!LinkConfig::new("wlan0").split_horizon);
}
