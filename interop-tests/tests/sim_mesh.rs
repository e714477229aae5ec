//! A random mesh of sixteen nodes that loses packets, while wires flap, nodes crash and costs
//! change: no forwarding loop at any instant, and shortest paths once it is left alone.

use babel_core::policy::BabelMetric;
use core::time::Duration;
use interop_tests::sim::{Loss, Medium, Settings, Topology, World, for_each_seed};

const NODES: usize = 16;

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Trouble of a random kind, and time to feel it.
fn trouble(world: &mut World<(), BabelMetric>, rng: &mut fastrand::Rng) {
    let wire = rng.usize(..world.topology().links.len());
    match rng.u8(..7) {
        0 => {
            world.wire_down(wire);
            world.run(seconds(rng.u64(1..40)));
            world.wire_up(wire);
        }
        1 => {
            world.set_whole(wire, false);
            world.run(seconds(rng.u64(1..60)));
            world.set_whole(wire, true);
        }
        2 => {
            // Often back before its neighbours have noticed: all it knew is forgotten, while they
            // still send packets to it.
            let n = rng.usize(..NODES);
            world.crash(n);
            world.run(seconds(rng.u64(1..60)));
            world.start(n);
        }
        3 => {
            let n = rng.usize(..NODES);
            world.shut_down(n);
            world.run(seconds(rng.u64(1..60)));
            world.start(n);
        }
        4 => {
            let mut keys = world.origins().keys();
            let key = *keys.nth(rng.usize(..3 * NODES)).expect("three for each");
            world.set_announced(key, false);
            world.run(seconds(rng.u64(1..60)));
            world.set_announced(key, true);
        }
        _ => world.set_cost(wire, rng.u16(32..512)),
    }
    world.run(Duration::from_millis(rng.u64(..10_000)));
    world.assert_only_legal_routes();
}

fn troubled(medium: Medium, settings: Settings, seed: u64) {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mesh = Topology::mesh(NODES, &mut rng).over(medium);
    let mut world = World::with_settings(mesh, seed, settings, |_| ((), BabelMetric));
    world.run(seconds(60));
    for _ in 0..12 {
        trouble(&mut world, &mut rng);
    }
    world.set_medium(Medium::WIRE);
    world.run(seconds(400));
    world.assert_shortest_paths();
}

#[test]
fn a_mesh_without_loss_never_loops_and_settles_on_shortest_paths() {
    for_each_seed(3, |seed| troubled(Medium::WIRE, Settings::default(), seed));
}

#[test]
fn a_mesh_with_random_loss_never_loops_and_settles_on_shortest_paths() {
    for_each_seed(3, |seed| {
        troubled(
            Medium::lossy(Loss::Bernoulli(0.2)),
            Settings::default(),
            seed,
        )
    });
}

#[test]
fn a_mesh_with_bursts_of_loss_never_loops_and_settles_on_shortest_paths() {
    let bursts = Loss::GilbertElliott {
        to_bad: 0.05,
        to_good: 0.2,
        loss: 0.9,
    };
    let medium = Medium::lossy(bursts);
    for_each_seed(3, |seed| troubled(medium, Settings::default(), seed));
}

#[test]
fn a_mesh_that_smooths_its_metrics_as_stock_does_settles_all_the_same() {
    let settings = Settings {
        smoothing_half_life: seconds(4),
        ..Settings::default()
    };
    let medium = Medium::lossy(Loss::Bernoulli(0.2));
    for_each_seed(2, |seed| troubled(medium, settings, seed));
}

#[test]
fn a_mesh_with_split_horizon_settles_all_the_same() {
    let settings = Settings {
        split_horizon: true,
        ..Settings::default()
    };
    for_each_seed(2, |seed| troubled(Medium::WIRE, settings, seed));
}

#[test]
fn a_hundred_nodes_settle_on_shortest_paths() {
    for_each_seed(1, |seed| {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mesh = Topology::mesh(100, &mut rng);
        let mut world = World::new(mesh, seed, |_| ((), BabelMetric));
        world.run(seconds(60));
        world.assert_shortest_paths();
    });
}
