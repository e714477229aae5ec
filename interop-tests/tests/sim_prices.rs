//! Prices in a mesh: routes follow them within the limits, and however they flap there is no
//! loop and no storm of requests.

use babel_core::types::LinkId;
use babel_core::view::CandidateView;
use babel_price_tlv::{Price, PriceExtension, RoutePrice};
use core::time::Duration;
use interop_tests::sim::{Loss, Medium, Topology, World, for_each_seed};
use qos_ranker::QosPolicy;

type Priced = World<PriceExtension, QosPolicy>;

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// All nodes price-aware, with no fee yet.
fn priced(topology: Topology, seed: u64) -> Priced {
    World::new(topology, seed, |_| {
        let mut extension = PriceExtension::new();
        extension.set_enabled(true);
        (extension, QosPolicy::new())
    })
}

fn set_fee(world: &mut Priced, n: usize, fee: u32) {
    world.change(n, |engine, now| {
        engine.update_extension(now, |extension| extension.set_fee(Price::saturating(fee)));
    });
}

/// The price of the route that `n` uses for a prefix, and the wire it goes over.
fn in_use_for(world: &Priced, n: usize, prefix: &str) -> Option<(RoutePrice, LinkId)> {
    let prefix = prefix.parse().expect("a prefix");
    world
        .engine(n)?
        .routes(world.now())
        .find(|route| route.installed && *route.key.dst() == prefix)
        .map(|route| (route.attr, route.link))
}

/// As [`in_use_for`], for the network behind `origin`.
fn in_use(world: &Priced, n: usize, origin: usize) -> Option<(RoutePrice, LinkId)> {
    in_use_for(world, n, &format!("2001:db8:{:x}::/48", origin + 1))
}

/// As [`in_use_for`], for an address of `origin` itself.
fn in_use_for_address(world: &Priced, n: usize, origin: usize) -> Option<(RoutePrice, LinkId)> {
    in_use_for(world, n, &format!("2001:db8:{:x}::1/128", origin + 1))
}

fn amount(world: &Priced, n: usize, origin: usize) -> Option<u32> {
    in_use(world, n, origin)?.0.price()?.amount()
}

#[test]
fn fees_add_up_along_a_line() {
    for_each_seed(3, |seed| {
        let mut world = priced(Topology::line(4), seed);
        for (n, fee) in [(1, 10), (2, 200), (3, 3000)] {
            set_fee(&mut world, n, fee);
        }
        world.run(seconds(60));
        assert_eq!(amount(&world, 0, 3), Some(3210));
        assert_eq!(amount(&world, 1, 3), Some(3200));
        assert_eq!(amount(&world, 2, 3), Some(3000));
        assert_eq!(amount(&world, 2, 1), Some(10));
    });
}

#[test]
fn beyond_a_price_blind_node_a_route_bears_only_the_fees_since() {
    let mut world = World::new(Topology::line(4), 1, |n| {
        let mut extension = PriceExtension::new();
        extension.set_enabled(n != 2);
        extension.set_fee(Price::saturating(10));
        (extension, QosPolicy::new())
    });
    world.run(seconds(60));
    world.assert_all_reachable();
    let route = |n| in_use(&world, n, 3).expect("a route").0;
    assert_eq!(route(2), RoutePrice::Unpriced, "it does not look");
    assert_eq!(route(1), RoutePrice::Unpriced, "it is not told");
    assert_eq!(route(0).price(), Some(Price::saturating(10)));
}

#[test]
fn a_change_of_fee_reaches_the_far_end_at_once() {
    let mut world = priced(Topology::line(4), 1);
    world.run(seconds(60));
    assert_eq!(amount(&world, 0, 3), Some(0));
    set_fee(&mut world, 2, 100);
    world.run(seconds(5));
    assert_eq!(amount(&world, 0, 3), Some(100));
}

#[test]
fn traffic_leaves_a_neighbour_that_raises_its_price_after_the_hold() {
    for_each_seed(3, |seed| {
        let mut world = priced(Topology::diamond(), seed);
        set_fee(&mut world, 1, 100);
        set_fee(&mut world, 2, 100);
        world.run(seconds(120));
        let by_one = in_use(&world, 0, 3).expect("a route").1;
        set_fee(&mut world, 1, 300);
        world.run(seconds(10));
        assert_eq!(in_use(&world, 0, 3).expect("a route").1, by_one);
        world.run(seconds(120));
        assert_ne!(in_use(&world, 0, 3).expect("a route").1, by_one);
        assert_eq!(amount(&world, 0, 3), Some(100));
    });
}

#[test]
fn a_route_above_the_limit_is_left_at_once_and_lost_if_it_is_the_only_one() {
    let mut world = priced(Topology::diamond(), 1);
    world.run(seconds(60));
    world.change(0, |engine, now| {
        engine.update_policy(now, |policy| {
            policy.set_max_price(None, Some(Price::saturating(500)));
        });
    });
    set_fee(&mut world, 1, 501);
    world.run(seconds(5));
    assert_eq!(amount(&world, 0, 3), Some(0));
    set_fee(&mut world, 2, 501);
    world.run(seconds(30));
    assert_eq!(in_use(&world, 0, 3), None);
    let address = in_use_for_address(&world, 0, 1).expect("a neighbour's own address is free");
    assert_eq!(address.0.price(), Some(Price::ZERO));
    set_fee(&mut world, 2, 500);
    world.run(seconds(60));
    assert_eq!(amount(&world, 0, 3), Some(500));
}

/// A fee of a random order of magnitude.
fn any_fee(rng: &mut fastrand::Rng) -> u32 {
    [0, 1, 50, 100, 105, 500, 10_000][rng.usize(..7)]
}

/// Nodes that use a dearer step than the best that any neighbour offers, feasible or not.
fn off_the_cheapest_step(world: &Priced) -> Vec<String> {
    let mut found = Vec::new();
    for (key, &origin) in world.origins() {
        for n in (0..world.topology().nodes).filter(|&n| n != origin) {
            let engine = world.engine(n).expect("it runs");
            let explanation = engine.explain(world.now(), key).expect("a route");
            let step = |candidate: &CandidateView<RoutePrice>| Some(candidate.steps.first()?.order);
            let best = explanation.candidates.iter().filter_map(step).min();
            let used = explanation.candidates.iter().find(|c| c.route.installed);
            if used.and_then(step) != best {
                found.push(format!("node {n} to {origin}: {explanation:#?}"));
            }
        }
    }
    found
}

#[test]
fn every_node_ends_on_the_cheapest_step_and_asks_for_nothing_more() {
    // The cheapest is often unfeasible at first, because the dearer one is nearer: it takes a
    // seqno request to the preferred neighbour, and its answer has to be taken at once.
    for_each_seed(3, |seed| {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut world = priced(Topology::mesh(16, &mut rng), seed);
        world.run(seconds(60));
        for n in 0..16 {
            let fee = any_fee(&mut rng);
            set_fee(&mut world, n, fee);
        }
        world.run(seconds(600));
        let off = off_the_cheapest_step(&world);
        assert!(off.is_empty(), "{} such: {}", off.len(), off[0]);
        let rest = world.traffic();
        world.run(seconds(300));
        assert_eq!(world.traffic().since(&rest).requests, 0);
    });
}

#[test]
fn flapping_prices_make_no_loop_and_few_requests() {
    for_each_seed(2, |seed| {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut world = priced(Topology::mesh(16, &mut rng), seed);
        world.run(seconds(60));
        let start = world.traffic();
        let minutes = 10;
        for _ in 0..minutes * 6 {
            for _ in 0..4 {
                let fee = any_fee(&mut rng);
                set_fee(&mut world, rng.usize(..16), fee);
            }
            world.run(seconds(10));
            world.assert_only_legal_routes();
        }
        // 16 nodes know 45 foreign prefixes each: fewer than one request in five minutes for each.
        let requests = world.traffic().since(&start).requests;
        assert!(requests < minutes / 5 * 16 * 45, "{requests} requests");
        world.run(seconds(300));
        world.assert_all_reachable();
    });
}

#[test]
fn prices_that_flap_while_packets_are_lost_make_no_loop() {
    for_each_seed(2, |seed| {
        let mut rng = fastrand::Rng::with_seed(seed);
        let lossy = Medium::lossy(Loss::Bernoulli(0.1));
        let mut world = priced(Topology::mesh(16, &mut rng).over(lossy), seed);
        world.run(seconds(60));
        for _ in 0..30 {
            for _ in 0..4 {
                let fee = any_fee(&mut rng);
                set_fee(&mut world, rng.usize(..16), fee);
            }
            world.run(seconds(10));
            world.assert_only_legal_routes();
        }
        world.set_medium(Medium::WIRE);
        world.run(seconds(600));
        world.assert_all_reachable();
        let off = off_the_cheapest_step(&world);
        assert!(off.is_empty(), "{} such: {}", off.len(), off[0]);
    });
}
