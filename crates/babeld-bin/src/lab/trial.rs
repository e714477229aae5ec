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

/// Has a node test a neighbour against a target, shows how it goes, and tells the outcome; when it
/// ended.
pub(super) fn run(
    stage: &mut Stage,
    node: &'static str,
    neighbour: &str,
    target: &str,
    goal: Goal,
) -> Result<Instant> {
    let interface = interface_to(neighbour);
    let mut client = stage.network.client(node)?;
    let address = client.neighbour(&interface)?;
    let last = tests(stage, node)?.iter().map(|test| test.id).max();
    client.ask(&format!(
        "speedtest neighbour {address} if {interface} target {target}"
    ))?;
    let what = format!("testing {neighbour} against {target}");
    let (ended, test) = stage.wait(&what, TEST_LIMIT, |network| {
        network.check()?;
        let mut client = network.client(node)?;
        let documents = documents(&client.ask("json tests")?)?;
        let ours = |test: &TestDocument| {
            test.interface == interface && test.target == target && Some(test.id) > last
        };
        let Some(test) = documents.into_iter().find(ours) else {
            return Ok(Seen::NotYet("about to begin".to_owned()));
        };
        match test.state.as_str() {
            "running" => Ok(Seen::NotYet(under_way(&test, goal))),
            "failed" => bail!("{}", test.why.as_deref().unwrap_or("it failed")),
            _ => {
                let ago = Duration::try_from_secs_f64(test.ended_seconds_ago.unwrap_or(0.0));
                let ended = Instant::now().checked_sub(ago.unwrap_or_default());
                Ok(Seen::There((ended.unwrap_or_else(Instant::now), test)))
            }
        }
    })?;
    tell(stage, neighbour, target, &test, goal);
    Ok(ended)
}

fn tests(stage: &Stage, node: &str) -> Result<Vec<TestDocument>> {
    documents(&stage.network.client(node)?.ask("json tests")?)
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
