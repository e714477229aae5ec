//! Which seeds to run, and how a failing one is found again.

/// Names the seed if the run ends in a panic.
struct Blame(u64);

impl Drop for Blame {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!(
                "simulation failed; repeat this run with SIM_SEED={}",
                self.0
            );
        }
    }
}

/// Runs a simulation for the seeds 1 to `count`, or for the one in the variable `SIM_SEED`.
pub fn for_each_seed(count: u64, mut run: impl FnMut(u64)) {
    let only = std::env::var("SIM_SEED").ok().map(|text| {
        text.parse::<u64>()
            .unwrap_or_else(|_| panic!("SIM_SEED={text} is not a number"))
    });
    let seeds = only.map_or(1..=count, |seed| seed..=seed);
    for seed in seeds {
        let blame = Blame(seed);
        run(seed);
        drop(blame);
    }
}
