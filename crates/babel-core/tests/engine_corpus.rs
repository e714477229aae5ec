//! Replays the stories that the fuzz target `engine_events` begins with, and some made here.

#[path = "engine_support/script.rs"]
mod script;

use std::path::Path;

#[test]
fn every_seed_of_the_fuzzer_leaves_the_engine_in_order() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds/engine_events");
    let mut seeds: Vec<_> = std::fs::read_dir(&path)
        .expect("fuzz/seeds/engine_events is in the repository")
        .map(|entry| entry.expect("a directory entry").path())
        .collect();
    seeds.sort();
    assert!(seeds.len() >= 10, "only {} seeds", seeds.len());
    let mut steps = 0;
    for seed in seeds {
        println!("{}", seed.display());
        steps += script::play(&std::fs::read(&seed).expect("a readable seed"));
    }
    assert!(steps >= 200, "the seeds tell only {steps} steps");
}

#[test]
fn random_stories_leave_the_engine_in_order() {
    let mut rng = fastrand::Rng::with_seed(2);
    for _ in 0..300 {
        let octets: Vec<u8> = (0..rng.usize(0..600)).map(|_| rng.u8(..)).collect();
        script::play(&octets);
    }
}
