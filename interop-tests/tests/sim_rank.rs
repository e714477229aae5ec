//! Nodes that measure and rank their neighbours, each by its own lights: however their tables fight
//! each other there is no loop at any instant, few moves and few requests, and everybody settles.
//!
//! Every measurement goes through the node's own ranker, as in the daemon.

use babel_core::policy::ChangeReason;
use babel_core::prefix::Prefix;
use babel_price_tlv::PriceExtension;
use core::time::Duration;
use interop_tests::sim::{
    Loss, Medium, Ranked, Rankers, Settings, Topology, World, for_each_seed, rate,
};
use qos_ranker::{Goals, QosPolicy};

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// All nodes rank by a goal of 10 Mbit/s, and smooth their metrics as the daemon does.
fn ranked(topology: Topology, seed: u64) -> (Ranked, Rankers) {
    let rankers = Rankers::new(topology.nodes);
    let settings = Settings {
        smoothing_half_life: seconds(4),
        ..Settings::default()
    };
    let world = World::with_settings(topology, seed, settings, |_| {
        let mut goals = Goals::default();
        goals.set(None, rate(10_000_000));
        let mut policy = QosPolicy::new();
        policy.set_goals(goals);
        policy.set_ranking(true);
        (PriceExtension::new(), policy)
    });
    (world, rankers)
}

/// Who can measure through which wire, what the truth is, and for which destinations.
struct Truth {
    all: Vec<(usize, usize, Option<Prefix>, u64)>,
}

impl Truth {
    /// Every node thinks otherwise of each neighbour, and of one prefix in particular.
    fn random(world: &Ranked, rng: &mut fastrand::Rng) -> Self {
        let keys: Vec<Prefix> = world.origins().keys().map(|key| *key.dst()).collect();
        let mut all = Vec::new();
        for (wire, link) in world.topology().links.iter().enumerate() {
            for &n in &link.ends {
                all.push((n, wire, None, any_rate(rng)));
                let scope = keys[rng.usize(..keys.len())];
                all.push((n, wire, Some(scope), any_rate(rng)));
            }
        }
        Self { all }
    }
}

/// From 1 Mbit/s to 1 Gbit/s, evenly on a logarithmic scale.
fn any_rate(rng: &mut fastrand::Rng) -> u64 {
    let decades = rng.f64() * 3.0;
    (1e6 * 10f64.powf(decades)) as u64
}

/// What a test finds: within a tenth of the truth, and now and then something wild.
fn sample(truth: u64, rng: &mut fastrand::Rng) -> u64 {
    let factor = if rng.u8(..20) == 0 {
        10f64.powf(rng.f64() * 2.0 - 1.0)
    } else {
        0.9 + rng.f64() * 0.2
    };
    (truth as f64 * factor) as u64
}

/// Measurements at random times, `each` between two of one kind on average, while the cost of
/// some wire changes every ten seconds by up to a fifth, for as long as asked.
struct Storm {
    truth: Truth,
    each: Duration,
    /// Between two changes of the truth itself.
    turns: Option<Duration>,
}

impl Storm {
    fn rage(
        &mut self,
        (world, rankers): &mut (Ranked, Rankers),
        rng: &mut fastrand::Rng,
        duration: Duration,
    ) {
        let end = world.now() + duration;
        let sources = u32::try_from(self.truth.all.len()).expect("few");
        let (mut jitter, mut turn) = (world.now(), world.now());
        while world.now() < end {
            // Exponential spacing, as the schedule has it.
            let pause = self.each.mul_f64(-rng.f64().max(1e-9).ln()) / sources;
            rankers.run(world, pause);
            let (n, wire, scope, truth) = self.truth.all[rng.usize(..self.truth.all.len())];
            let found = rate(sample(truth, rng));
            rankers.measure(world, n, wire, scope, found);
            if world.now().since(jitter) >= seconds(10) {
                jitter = world.now();
                let wire = rng.usize(..world.topology().links.len());
                let cost = world.topology().links[wire].cost;
                let cost = f64::from(cost) * (0.8 + rng.f64() * 0.4);
                world.set_cost(wire, (cost as u16).clamp(32, 512));
            }
            if self
                .turns
                .is_some_and(|turns| world.now().since(turn) >= turns)
            {
                turn = world.now();
                let one = rng.usize(..self.truth.all.len());
                self.truth.all[one].3 = any_rate(rng);
            }
        }
    }
}

/// What happened so far at one node: moves for rank, all moves, requests begun.
#[derive(Clone, Copy, Debug)]
struct Count {
    rank: u64,
    all: u64,
    requests: u64,
}

fn count(world: &Ranked, n: usize) -> Count {
    let engine = world.engine(n).expect("it runs");
    let counters = engine.counters();
    Count {
        rank: counters.route_changes[ChangeReason::Rank.index()],
        all: counters.route_changes.iter().sum(),
        requests: counters.seqno_requests_originated,
    }
}

/// What happens at each node for each prefix in an hour at most; the mean of all nodes is printed.
fn assert_calm(world: &Ranked, before: &[Count], hours: f64, most: (f64, f64, f64)) {
    let prefixes = world.origins().len() as f64;
    let mut mean = [0.0; 3];
    for (n, before) in before.iter().enumerate() {
        let after = count(world, n);
        let rate = |after: u64, before: u64| (after - before) as f64 / prefixes / hours;
        let rank = rate(after.rank, before.rank);
        let all = rate(after.all, before.all);
        let requests = rate(after.requests, before.requests);
        assert!(
            rank <= most.0,
            "node {n}: {rank} moves for rank a prefix and hour"
        );
        assert!(all <= most.1, "node {n}: {all} moves a prefix and hour");
        assert!(
            requests <= most.2,
            "node {n}: {requests} requests a prefix and hour"
        );
        for (mean, rate) in mean.iter_mut().zip([rank, all, requests]) {
            *mean += rate / world.topology().nodes as f64;
        }
    }
    let [rank, all, requests] = mean;
    println!(
        "a prefix and hour: {rank:.2} moves for rank, {all:.2} in all, {requests:.1} requests"
    );
}

fn counts(world: &Ranked) -> Vec<Count> {
    let nodes = 0..world.topology().nodes;
    nodes.map(|n| count(world, n)).collect()
}

/// Leaves one prefix to each of the first `few` nodes, and none to the others.
fn announce_few(world: &mut Ranked, few: usize) {
    let mut kept = std::collections::BTreeSet::new();
    let origins: Vec<_> = world.origins().iter().map(|(k, n)| (*k, *n)).collect();
    for (key, n) in origins {
        if n >= few || !kept.insert(n) {
            world.withdraw(key);
        }
    }
}

/// The hold is 32 s at first, twice our update interval; it doubles with each move up to 1024 s and
/// takes 600 s to come back one step. So five moves take 992 s, and each further one 600 s.
const MOVES_FOR_RANK: f64 = 9.0;
/// In any later hour.
const LATER_MOVES_FOR_RANK: f64 = 6.0;

/// A mesh of which every node has measured nothing yet.
fn mesh(nodes: usize, seed: u64, medium: Medium, rng: &mut fastrand::Rng) -> (Ranked, Rankers) {
    let mut net = ranked(Topology::mesh(nodes, rng).over(medium), seed);
    announce_few(&mut net.0, 8);
    net.0.run(seconds(60));
    net
}

#[test]
fn noisy_measurements_that_fight_each_other_make_no_loop_and_few_moves() {
    for_each_seed(2, |seed| {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut net = mesh(16, seed, Medium::WIRE, &mut rng);
        let truth = Truth::random(&net.0, &mut rng);
        let each = seconds(300);
        let mut storm = Storm {
            truth,
            each,
            turns: None,
        };
        let begun = counts(&net.0);
        storm.rage(&mut net, &mut rng, seconds(1800));
        assert_calm(&net.0, &begun, 0.5, (2.0 * MOVES_FOR_RANK, 40.0, 60.0));
        let settled = counts(&net.0);
        storm.rage(&mut net, &mut rng, seconds(1800));
        assert_calm(&net.0, &settled, 0.5, (LATER_MOVES_FOR_RANK, 12.0, 40.0));
        net.0.assert_only_legal_routes();
        net.0.assert_all_reachable();
    });
}

#[test]
fn neighbours_that_change_all_the_time_are_followed_without_a_loop_or_a_storm() {
    for_each_seed(2, |seed| {
        let mut rng = fastrand::Rng::with_seed(seed);
        let lossy = Medium::lossy(Loss::Bernoulli(0.02));
        let mut net = mesh(16, seed, lossy, &mut rng);
        let truth = Truth::random(&net.0, &mut rng);
        // Of about 50 neighbours one becomes quite another each ten seconds.
        let (each, turns) = (seconds(60), Some(seconds(10)));
        let mut storm = Storm { truth, each, turns };
        let begun = counts(&net.0);
        storm.rage(&mut net, &mut rng, seconds(1200));
        assert_calm(
            &net.0,
            &begun,
            1200.0 / 3600.0,
            (3.0 * MOVES_FOR_RANK, 60.0, 120.0),
        );
        net.0.assert_only_legal_routes();
        net.0.set_medium(Medium::WIRE);
        net.0.run(seconds(300));
        net.0.assert_all_reachable();
    });
}

#[test]
fn fifty_nodes_that_rank_against_each_other_settle() {
    for_each_seed(1, |seed| {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut net = mesh(50, seed, Medium::WIRE, &mut rng);
        let truth = Truth::random(&net.0, &mut rng);
        let each = seconds(300);
        let mut storm = Storm {
            truth,
            each,
            turns: None,
        };
        storm.rage(&mut net, &mut rng, seconds(900));
        let settled = counts(&net.0);
        storm.rage(&mut net, &mut rng, seconds(600));
        // The hold is half its length by now at least, so that two moves fit in.
        assert_calm(&net.0, &settled, 600.0 / 3600.0, (12.0, 24.0, 60.0));
        net.0.assert_only_legal_routes();
        net.0.assert_all_reachable();
    });
}

/// `rim` nodes round node 0, each of which would rather go by the next one on the rim than by its
/// own wire, and rather by its own than by the one behind: the dispute wheel of Griffin, Shepherd
/// and Wilfong, which has no stable solution for an odd rim.
fn wheel(rim: usize, seed: u64, rng: &mut fastrand::Rng) -> (Ranked, Rankers) {
    let next = |n: usize| n % rim + 1;
    let spokes = (1..=rim).fold(Topology::new(rim + 1), |wheel, n| {
        wheel.wire(0, n, rng.u16(32..400))
    });
    let wheel = (1..=rim).fold(spokes, |wheel, n| wheel.wire(n, next(n), rng.u16(32..400)));
    let (mut world, mut rankers) = ranked(wheel, seed);
    announce_few(&mut world, 1);
    world.run(seconds(60));
    for n in 1..=rim {
        let (spoke, ahead, behind) = (n - 1, rim + n - 1, rim + (n + rim - 2) % rim);
        for (wire, bps) in [
            (spoke, 100_000_000),
            (ahead, 900_000_000),
            (behind, 20_000_000),
        ] {
            rankers.measure(&mut world, n, wire, None, rate(bps));
        }
        rankers.run(&mut world, Duration::from_millis(rng.u64(..20_000)));
    }
    (world, rankers)
}

#[test]
fn a_dispute_wheel_settles() {
    for_each_seed(4, |seed| {
        for rim in [3, 4, 5, 7] {
            let mut rng = fastrand::Rng::with_seed(seed);
            let (mut world, mut rankers) = wheel(rim, seed, &mut rng);
            rankers.run(&mut world, seconds(3600));
            let settled = counts(&world);
            rankers.run(&mut world, seconds(3600));
            let moves = |n| count(&world, n).all - settled[n].all;
            let moves: u64 = (1..=rim).map(moves).sum();
            assert_eq!(moves, 0, "a rim of {rim}");
            // Each still asks for what it cannot have, every 256 s.
            assert_calm(&world, &settled, 1.0, (0.0, 0.0, 30.0));
            world.assert_all_reachable();
        }
    });
}
