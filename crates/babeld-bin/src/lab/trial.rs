//! A speed test through one neighbour, run by the node's own daemon, watched over its control socket.
//!
//! The daemon pins the test's packets to the neighbour, whatever its routes say, and ranks the
//! neighbour by the outcome. Here it is only asked for and shown.

use super::scenario::interface_to;
use super::show::{Style, bar, spoken_rate};
use super::story::{Seen, Stage};
use crate::local::quality::TestDocument;
use anyhow::{Context, Result, bail};
use qos_ranker::Rate;
use std::time::{Duration, Instant};

/// Until a test is granted.
const ASK_LIMIT: Duration = Duration::from_secs(20);
/// For one test; each has a limit of its own in the daemon.
const TEST_LIMIT: Duration = Duration::from_secs(60);

/// What the full bar stands for: the goal of the lab.
#[derive(Clone, Copy, Debug)]
pub(super) struct Goal {
    /// Bits per second, as a `qos-goal` says it.
    pub(super) download: u64,
}

impl Goal {
    /// The statement that sets it.
    pub(super) fn statement(self) -> String {
        format!("qos-goal download {}", Rate::from_bps(self.download))
    }
}

/// The statement that makes a responder a target, for all destinations or those in a prefix.
pub(super) fn target_statement(name: &str, url: &str, prefix: Option<&str>) -> String {
    let scope = prefix.map_or_else(String::new, |prefix| format!(" ip {prefix}"));
    // Once an hour at random times is the default, and is left to the daemon; here it is asked for.
    format!("speedtest-target {name} {url}{scope}")
}

/// A test that was asked for.
#[derive(Debug)]
struct Asked {
    neighbour: &'static str,
    interface: String,
}

/// Has a node test neighbours against a target, all at once for each has a link of its own; shows
/// how it goes, and each outcome as it comes. Whenever a test ended, `then` hears of whom and when.
pub(super) fn run(
    stage: &mut Stage,
    node: &'static str,
    neighbours: &[&'static str],
    target: &str,
    goal: Goal,
    mut then: impl FnMut(&mut Stage, &'static str, Instant) -> Result<()>,
) -> Result<()> {
    let before = documents(&stage.network.client(node)?.ask("json tests")?)?;
    let last = before.iter().map(|test| test.id).max();
    let mut asked = Vec::new();
    for &neighbour in neighbours {
        asked.push(ask(stage, node, neighbour, target, last)?);
    }
    while !asked.is_empty() {
        let what = format!("testing against {target}");
        let (index, ended, test) = stage.wait(&what, TEST_LIMIT, |network| {
            network.check()?;
            let mut tests = documents(&network.client(node)?.ask("json tests")?)?;
            tests.retain(|test| Some(test.id) > last && test.target == target);
            look(&asked, &tests, goal)
        })?;
        let Asked { neighbour, .. } = asked.remove(index);
        tell(stage, neighbour, target, &test, goal);
        then(stage, neighbour, ended)?;
    }
    Ok(())
}

/// Asks for a test until it is granted: a check that the daemon makes by itself may have the link
/// for a moment. One that its schedule has begun meanwhile is as good.
fn ask(
    stage: &mut Stage,
    node: &'static str,
    neighbour: &'static str,
    target: &str,
    last: Option<u64>,
) -> Result<Asked> {
    let interface = interface_to(neighbour);
    let what = format!("asking for a test of {neighbour}");
    stage.wait(&what, ASK_LIMIT, |network| {
        network.check()?;
        let mut client = network.client(node)?;
        let address = client.neighbour(&interface)?;
        let wish = format!("speedtest neighbour {address} if {interface} target {target}");
        let Err(refusal) = client.ask(&wish) else {
            return Ok(Seen::There(()));
        };
        let mut tests = documents(&client.ask("json tests")?)?.into_iter();
        let begun = tests.any(|test| {
            Some(test.id) > last && test.interface == interface && test.target == target
        });
        Ok(match begun {
            true => Seen::There(()),
            false => Seen::NotYet(refusal.root_cause().to_string()),
        })
    })?;
    Ok(Asked {
        neighbour,
        interface,
    })
}

/// The first of the tests that has ended, by its place in `asked`, and when; or how all stand.
fn look(
    asked: &[Asked],
    tests: &[TestDocument],
    goal: Goal,
) -> Result<Seen<(usize, Instant, TestDocument)>> {
    let mut lines = Vec::new();
    for (index, one) in asked.iter().enumerate() {
        // The newest first: the one that was asked for is the oldest.
        let mut tests = tests.iter().rev();
        let test = tests.find(|test| test.interface == one.interface);
        let neighbour = one.neighbour;
        lines.push(match test.map(|test| (test, test.state.as_str())) {
            None => format!("{neighbour:<8} about to begin"),
            Some((test, "running")) => format!("{neighbour:<8} {}", under_way(test, goal)),
            Some((test, "failed")) => {
                bail!(
                    "{neighbour}: {}",
                    test.why.as_deref().unwrap_or("it failed")
                )
            }
            Some((test, _)) => return Ok(Seen::There((index, ended_at(test), test.clone()))),
        });
    }
    // Below what is being done, for they are long.
    Ok(Seen::NotYet(format!("\n{}", lines.join("\n"))))
}

/// On our clock.
fn ended_at(test: &TestDocument) -> Instant {
    let ago = Duration::try_from_secs_f64(test.ended_seconds_ago.unwrap_or(0.0));
    let now = Instant::now();
    now.checked_sub(ago.unwrap_or_default()).unwrap_or(now)
}

fn documents(lines: &[String]) -> Result<Vec<TestDocument>> {
    let read = |line: &String| {
        serde_json::from_str(line).with_context(|| format!("not understood: {line}"))
    };
    lines.iter().map(read).collect()
}

/// `download [####----------------]  1.94 Mbit/s, 1.2 MB`: the bar is full at the goal.
fn under_way(test: &TestDocument, goal: Goal) -> String {
    let bps = test.rate_bits_per_second.unwrap_or(0) as f64;
    let phase = test.phase.as_deref().unwrap_or_default();
    let reached = bar(bps / goal.download.max(1) as f64);
    let megabytes = test.bytes as f64 / 1e6;
    format!(
        "{phase:<8} {reached} {}, {megabytes:.1} MB",
        spoken_rate(bps)
    )
}

fn tell(stage: &Stage, neighbour: &str, target: &str, test: &TestDocument, goal: Goal) {
    let rate =
        |rate: Option<u64>| rate.map_or_else(|| "-".to_owned(), |bps| spoken_rate(bps as f64));
    let download = test.quality.download_bits_per_second;
    let reached = bar(download.unwrap_or(0) as f64 / goal.download.max(1) as f64);
    let latency = match (test.quality.latency_ms, test.loaded_latency_ms) {
        (Some(idle), Some(loaded)) => format!(", latency {idle:.1} ms, loaded {loaded:.0} ms"),
        (Some(idle), None) => format!(", latency {idle:.1} ms"),
        (None, _) => String::new(),
    };
    let name = stage.screen.paint(Style::Bold, neighbour);
    stage.screen.line(&format!(
        "  {name} against {target}: {} {reached} of the goal, {} up{latency}",
        rate(download),
        rate(test.quality.upload_bits_per_second),
    ));
    stage.screen.line(&format!(
        "     {:.1} MB in {:.1} s, pinned: {}",
        test.bytes as f64 / 1e6,
        test.elapsed_seconds,
        test.pinned
    ));
}
