//! Small networks under the stock policy: shortest paths at rest, through every kind of trouble.

use babel_core::policy::BabelMetric;
use core::time::Duration;
use interop_tests::sim::{Topology, World, for_each_seed};

type Stock = World<(), BabelMetric>;

fn stock(topology: Topology, seed: u64) -> Stock {
    World::new(topology, seed, |_| ((), BabelMetric))
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn shapes() -> [Topology; 6] {
    [
        Topology::pair(),
        Topology::line(5),
        Topology::ring(6),
        Topology::diamond(),
        Topology::segments(),
        Topology::new(4)
            .wire(0, 1, 96)
            .wire(1, 2, 96)
            .wire(2, 0, 300)
            .wire(2, 3, 96)
            .wire(0, 3, 1000),
    ]
}

#[test]
fn every_shape_settles_on_shortest_paths() {
    for_each_seed(4, |seed| {
        for shape in shapes() {
            let mut world = stock(shape, seed);
            world.run(seconds(60));
            world.assert_shortest_paths();
        }
    });
}

#[test]
fn the_same_seed_gives_the_same_packets() {
    let run = |seed| {
        let mut world = stock(Topology::ring(6), seed);
        world.run(seconds(30));
        world.wire_down(0);
        world.run(seconds(30));
        world.traffic()
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1).digest, run(2).digest);
}

#[test]
fn a_wire_that_goes_down_and_up_moves_routes_off_it_and_back() {
    for_each_seed(4, |seed| {
        for shape in shapes() {
            let wires = shape.links.len();
            let mut world = stock(shape, seed);
            world.run(seconds(60));
            for wire in 0..wires {
                world.wire_down(wire);
                world.run(seconds(20));
                world.assert_shortest_paths();
                world.wire_up(wire);
                world.run(seconds(60));
                world.assert_shortest_paths();
            }
        }
    });
}

#[test]
fn a_wire_that_is_cut_unnoticed_is_found_out_by_missing_hellos() {
    for_each_seed(4, |seed| {
        let mut world = stock(Topology::ring(6), seed);
        world.run(seconds(60));
        // Two Hellos of three have to be missing, the next interval and a half is waited for.
        world.set_whole(2, false);
        world.run(seconds(14));
        world.assert_all_reachable();
        world.run(seconds(60));
        world.assert_shortest_paths();
        world.set_whole(2, true);
        world.run(seconds(60));
        world.assert_shortest_paths();
    });
}

#[test]
fn a_change_of_cost_is_followed_both_ways() {
    for_each_seed(4, |seed| {
        let mut world = stock(Topology::diamond(), seed);
        world.run(seconds(60));
        for cost in [1000, 96, 500, 200, 96] {
            world.set_cost(0, cost);
            world.run(seconds(90));
            world.assert_shortest_paths();
        }
    });
}

#[test]
fn a_node_that_crashes_is_routed_round_and_comes_back_with_another_seqno() {
    for_each_seed(2, |seed| {
        for shape in shapes() {
            let nodes = shape.nodes;
            let mut world = stock(shape, seed);
            world.run(seconds(60));
            for n in 0..nodes {
                world.crash(n);
                world.run(seconds(90));
                world.assert_shortest_paths();
                world.start(n);
                world.run(seconds(400));
                world.assert_shortest_paths();
            }
        }
    });
}

#[test]
fn one_change_costs_few_packets() {
    for_each_seed(4, |seed| {
        let mut world = stock(Topology::ring(8), seed);
        world.run(seconds(100));
        let start = world.traffic();
        world.run(seconds(60));
        let rest = world.traffic().since(&start).packets;
        let start = world.traffic();
        world.wire_down(3);
        world.run(seconds(60));
        let busy = world.traffic().since(&start);
        // Seven wires with two ends remain, and eight nodes know 24 prefixes each.
        let extra = busy.packets.saturating_sub(rest);
        assert!(extra < 5 * 14, "{extra} packets beyond the usual {rest}");
        assert!(busy.requests < 8 * 24, "{} requests", busy.requests);
    });
}

#[test]
fn at_rest_nothing_is_asked_for() {
    for_each_seed(2, |seed| {
        for shape in shapes() {
            let mut world = stock(shape, seed);
            world.run(seconds(400));
            let start = world.traffic();
            world.run(seconds(400));
            assert_eq!(world.traffic().since(&start).requests, 0);
        }
    });
}

#[test]
fn a_wire_that_both_ends_see_go_down_is_routed_round_within_a_second() {
    for_each_seed(4, |seed| {
        let mut world = stock(Topology::ring(8), seed);
        world.run(seconds(100));
        world.wire_down(3);
        world.run(seconds(1));
        world.assert_all_reachable();
    });
}

#[test]
fn a_node_that_leaves_in_good_order_is_routed_round_within_a_second() {
    for_each_seed(4, |seed| {
        let mut world = stock(Topology::ring(8), seed);
        world.run(seconds(100));
        world.shut_down(3);
        world.run(seconds(1));
        world.assert_all_reachable();
        world.run(seconds(60));
        world.assert_shortest_paths();
    });
}

#[test]
fn a_prefix_that_is_withdrawn_is_gone_everywhere_within_a_second_and_comes_back() {
    for_each_seed(4, |seed| {
        let mut world = stock(Topology::line(6), seed);
        world.run(seconds(60));
        let key = *world.origins().keys().next().expect("a prefix");
        let holders = |world: &Stock| {
            let holds = |&n: &usize| {
                let engine = world.engine(n).expect("it runs");
                engine
                    .routes(world.now())
                    .any(|route| route.key == key && route.installed)
            };
            (0..6).filter(holds).count()
        };
        assert_eq!(holders(&world), 5);
        world.set_announced(key, false);
        world.run(seconds(1));
        assert_eq!(holders(&world), 0);
        world.set_announced(key, true);
        world.run(seconds(1));
        assert_eq!(holders(&world), 5);
    });
}
