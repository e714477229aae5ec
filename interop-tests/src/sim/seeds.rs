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

fn variable(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    let number = text.parse();
    Some(number.unwrap_or_else(|_| panic!("{name}={text} is not a number")))
}

/// Runs a simulation for the seeds 1 to `count`, or to the one in the variable `SIM_SEEDS` if
/// that is greater, as by night; or for the one in the variable `SIM_SEED` only.
pub fn for_each_seed(count: u64, mut run: impl FnMut(u64)) {
    let count = variable("SIM_SEEDS").map_or(count, |more| more.max(count));
    let only = variable("SIM_SEED");
    let seeds = only.map_or(1..=count, |seed| seed..=seed);
    for seed in seeds {
        let blame = Blame(seed);
        run(seed);
        drop(blame);
    }
}
