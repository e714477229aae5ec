//! With the ranker and prices compiled in and nothing configured, every packet is stock's: whole
//! networks through all kinds of trouble, and arbitrary stories told to one node, octet for octet.

#[path = "../../crates/babel-core/tests/engine_support/script.rs"]
mod script;

use babel_core::event::Transmit;
use babel_core::ext::Extension;
use babel_core::policy::{BabelMetric, SelectionPolicy};
use babel_core::time::Instant;
use babel_price_tlv::PriceExtension;
use core::time::Duration;
use interop_tests::sim::{Loss, Medium, Settings, Topology, Traffic, World, for_each_seed};
use qos_ranker::QosPolicy;
use std::path::Path;

const NODES: usize = 12;

/// What a node said, when, and to whom.
type Conversation = Vec<(Instant, Transmit, Vec<u8>)>;

/// A network in trouble; what was sent in all.
fn troubled<X, P>(seed: u64, plugins: fn() -> (X, P)) -> Traffic
where
    X: Extension + 'static,
    P: SelectionPolicy<X::Attr> + 'static,
{
    let mut rng = fastrand::Rng::with_seed(seed);
    let lossy = Medium::lossy(Loss::Bernoulli(0.1));
    let mesh = Topology::mesh(NODES, &mut rng).over(lossy);
    let settings = Settings {
        smoothing_half_life: Duration::from_secs(4 * (seed % 2)),
        split_horizon: seed.is_multiple_of(3),
        link_quality: true,
    };
    let mut world = World::with_settings(mesh, seed, settings, move |_| plugins());
    world.run(Duration::from_secs(60));
    for _ in 0..8 {
        let wire = rng.usize(..world.topology().links.len());
        let n = rng.usize(..NODES);
        match rng.u8(..5) {
            0 => world.wire_down(wire),
            1 => world.wire_up(wire),
            2 => world.crash(n),
            3 => world.set_cost(wire, rng.u16(32..512)),
            _ => {
                world.crash(n);
                world.start(n);
            }
        }
        world.run(Duration::from_millis(rng.u64(1000..40_000)));
    }
    world.run(Duration::from_secs(30));
    world.traffic()
}

fn ours() -> (PriceExtension, QosPolicy) {
    (PriceExtension::new(), QosPolicy::new())
}

fn stock() -> ((), BabelMetric) {
    ((), BabelMetric)
}

#[test]
fn a_network_with_nothing_configured_sends_stocks_packets() {
    for_each_seed(5, |seed| {
        let sent = troubled(seed, stock);
        assert!(sent.packets > 1000, "{sent:?}");
        assert_eq!(troubled(seed, ours), sent);
    });
    assert_ne!(troubled(1, ours).digest, troubled(2, ours).digest);
}

/// Plays a story to both; answers how many packets each sent.
fn compare(octets: &[u8]) -> usize {
    let mut told: [Conversation; 2] = Default::default();
    let [first, second] = &mut told;
    let mut hear = |at, to, packet: &[u8]| first.push((at, to, packet.to_vec()));
    let steps = script::play_with(octets, (), BabelMetric, &mut hear);
    let (extension, policy) = ours();
    let mut hear = |at, to, packet: &[u8]| second.push((at, to, packet.to_vec()));
    script::play_with(octets, extension, policy, &mut hear);
    let [first, second] = told;
    assert_eq!(first, second);
    assert_eq!(script::play(octets), steps);
    first.len()
}

#[test]
fn arbitrary_stories_make_the_same_conversation() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds/engine_events");
    let seeds = std::fs::read_dir(path).expect("fuzz/seeds/engine_events is in the repository");
    let mut packets = 0;
    for seed in seeds {
        let path = seed.expect("a directory entry").path();
        packets += compare(&std::fs::read(path).expect("a readable seed"));
    }
    assert!(packets > 300, "the seeds make only {packets} packets");
    for_each_seed(150, |seed| {
        let mut rng = fastrand::Rng::with_seed(seed);
        let octets: Vec<u8> = (0..rng.usize(100..600)).map(|_| rng.u8(..)).collect();
        assert!(compare(&octets) > 2, "goodbye at least");
    });
}
