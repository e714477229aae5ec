//! Our daemon and stock babeld under load, on a real kernel, in namespaces of their own:
//!
//! ```text
//! cargo build --release -p babeld-bin
//! cargo bench -p interop-tests --bench load [-- SIZE... [--runs N] [--only ours|stock]]
//! ```
//!
//! A fake neighbour announces /64s, sends them again, and retracts them; another one listens.
//! Daemons take turns, medians are printed. Needs root and stock babeld.

mod neighbour;
mod process;
mod run;

use anyhow::{Context, Result, bail};
use run::{Measured, Phase};
use std::path::PathBuf;
use std::process::ExitCode;

const SIZES: [u64; 3] = [1_000, 10_000, 100_000];
const RUNS: usize = 3;
const STOCK: &str = "/usr/sbin/babeld";

fn main() -> ExitCode {
    // First: a helper process never returns from here.
    netns::init();
    match Plan::parse(std::env::args().skip(1)).and_then(|plan| plan.carry_out()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("load: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// What to measure.
struct Plan {
    sizes: Vec<u64>,
    runs: usize,
    daemons: Vec<(&'static str, PathBuf)>,
}

impl Plan {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self> {
        let mut plan = Self {
            sizes: Vec::new(),
            runs: RUNS,
            daemons: vec![("ours", netns::sibling("babeld")?), ("stock", STOCK.into())],
        };
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--bench" => {}
                "--runs" => plan.runs = arguments.next().context("--runs N")?.parse()?,
                "--only" => {
                    let only = arguments.next().context("--only ours|stock")?;
                    plan.daemons.retain(|(name, _)| *name == only);
                }
                size => plan
                    .sizes
                    .push(size.parse().context("a number of prefixes")?),
            }
        }
        if plan.sizes.is_empty() {
            plan.sizes = SIZES.to_vec();
        }
        if plan.daemons.is_empty() || plan.runs == 0 {
            bail!("nothing to do");
        }
        Ok(plan)
    }

    fn carry_out(&self) -> Result<()> {
        let directory = tempfile::tempdir().context("a directory for logs")?;
        println!("{HEADING}");
        for size in &self.sizes {
            let mut all: Vec<Vec<Measured>> = vec![Vec::new(); self.daemons.len()];
            for turn in 0..self.runs {
                for place in 0..self.daemons.len() {
                    // Each goes first as often as the other.
                    let index = (place + turn) % self.daemons.len();
                    let (name, program) = self.daemons.get(index).context("a daemon")?;
                    let measured = run::run(program, *size, directory.path())?;
                    if measured.drops > 0 {
                        eprintln!("{name} lost {} packets: not comparable", measured.drops);
                    }
                    all.get_mut(index).context("a daemon")?.push(measured);
                }
            }
            for ((name, _), measured) in self.daemons.iter().zip(&all) {
                print(name, *size, measured);
            }
        }
        Ok(())
    }
}

const HEADING: &str = "\
| daemon | routes | phase | kernel s | told s | CPU s | of it user | copies | peak RSS MiB | octets/route |
|---|---|---|---|---|---|---|---|---|---|";

/// Picks one phase of a run.
type Pick = fn(&Measured) -> Phase;

fn print(name: &str, size: u64, runs: &[Measured]) {
    let phases: [(&str, Pick); 3] = [
        ("load", |m| m.load),
        ("refresh", |m| m.refresh),
        ("withdrawal", |m| m.withdrawal),
    ];
    for (phase, pick) in phases {
        let of = |value: fn(&Phase) -> f64| spread(runs.iter().map(|m| value(&pick(m))).collect());
        let per_route = match phase {
            "load" => spread(runs.iter().map(|m| m.per_route(size)).collect()),
            _ => String::new(),
        };
        // Nothing shows when a refresh was taken in: there is nothing to do about it.
        let seconds = |value: fn(&Phase) -> f64| match phase {
            "refresh" => String::new(),
            _ => of(value),
        };
        println!(
            "| {name} | {size} | {phase} | {} | {} | {} | {} | {} | {} | {per_route} |",
            seconds(|p| p.kernel),
            seconds(|p| p.told),
            of(|p| p.usage.cpu),
            of(|p| p.usage.user),
            of(|p| p.copies),
            of(|p| p.usage.peak_rss as f64 / f64::from(1 << 20)),
        );
    }
}

/// The median, and the extremes where they are far from each other.
fn spread(mut values: Vec<f64>) -> String {
    values.sort_by(f64::total_cmp);
    let (first, last) = (values.first().copied(), values.last().copied());
    let median = values.get(values.len() / 2).copied().unwrap_or(f64::NAN);
    let (least, most) = (first.unwrap_or(median), last.unwrap_or(median));
    if most - least > 0.15 * median {
        format!("{} [{}..{}]", figure(median), figure(least), figure(most))
    } else {
        figure(median)
    }
}

/// Three digits that matter.
fn figure(value: f64) -> String {
    match value {
        value if value >= 100.0 => format!("{value:.0}"),
        value if value >= 10.0 => format!("{value:.1}"),
        value if value >= 1.0 => format!("{value:.2}"),
        value => format!("{value:.4}"),
    }
}
