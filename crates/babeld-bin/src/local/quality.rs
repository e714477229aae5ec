//! The documents of `json quality`, `json tests` and `json decisions`.
//!
//! As those of [`super::json`]: keys are stable, units stand in names, what does not apply is left
//! out.

use super::json::push_line;
use super::{LinkNames, standing};
use crate::node::{Node, TestState, TestView};
use babel_core::time::Instant;
use babel_core::types::Party;
use babel_core::view::Decision;
use qos_ranker::{Quality, Source, Standing};
use serde::{Deserialize, Serialize};
use speedtest::{LossSource, Outcome};
use std::net::Ipv6Addr;
use std::time::Duration;

/// How a neighbour stands, for all destinations or for those in one prefix.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct StandingDocument {
    /// The neighbour's link-local address.
    pub address: Ipv6Addr,
    /// On this interface.
    #[serde(rename = "if")]
    pub interface: String,
    /// For destinations in this prefix; absent: for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// `proven`, `unproven` or `failing`.
    pub band: String,
    /// Steps of a fifth below the best; absent if it does not rank.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rank: Option<u8>,
    /// In steps of a fifth; absent if it does not rank.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<f64>,
    /// The estimate.
    #[serde(flatten)]
    pub quality: QualityDocument,
    /// Since the newest measurement; absent if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub age_seconds: Option<f64>,
    /// How long it will be believed yet.
    pub valid_seconds: f64,
    /// How sure the estimate is.
    pub confidence_percent: u8,
    /// Measurements it is made of.
    pub samples: usize,
    /// Whose measurement decided: `outside`, `target` or `link`; absent if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The target's name, if it was a test.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// Which directions of the newest test were pinned: `both`, `upload` or `no`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pinned: Option<String>,
    /// What people should know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// What was measured; a component that was not is absent.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct QualityDocument {
    /// Towards us.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub download_bits_per_second: Option<u64>,
    /// From us.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upload_bits_per_second: Option<u64>,
    /// Of the round trip.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_ms: Option<f64>,
    /// Of packets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss_percent: Option<f64>,
}

/// A speed test, running or ended.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct TestDocument {
    /// Counts tests since start.
    pub id: u64,
    /// The neighbour's link-local address.
    pub address: Ipv6Addr,
    /// On this interface.
    #[serde(rename = "if")]
    pub interface: String,
    /// The target's name.
    pub target: String,
    /// `running`, `done` or `failed`.
    pub state: String,
    /// Which directions surely go through the neighbour: `both`, `upload` or `no`.
    pub pinned: String,
    /// Octets spent.
    pub bytes: u64,
    /// Octets it may spend.
    pub bytes_limit: u64,
    /// How long it has run, or ran.
    pub elapsed_seconds: f64,
    /// Since it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_seconds_ago: Option<f64>,
    /// While it runs: `connect`, `idle`, `download`, `upload` or `loss`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<String>,
    /// While it runs: the rate of the last moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_bits_per_second: Option<u64>,
    /// If it is done: what was measured; the latency is that before the load.
    #[serde(flatten)]
    pub quality: QualityDocument,
    /// If it is done: the round trip under load.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loaded_latency_ms: Option<f64>,
    /// How the loss was counted: `echo` or `retransmits`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss_by: Option<String>,
    /// If it is done: how steady the rates were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence_percent: Option<u8>,
    /// If it is done: whether the estimates were steady before a limit was reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub early_stop: Option<bool>,
    /// If it failed: why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// A change of the route in use.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct DecisionDocument {
    /// Destination.
    pub prefix: String,
    /// Source prefix, if it is source-specific.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// How long ago.
    pub age_seconds: f64,
    /// As in `babel_route_changes_total`.
    pub reason: String,
    /// Whose route was in use; absent if there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old: Option<PartyDocument>,
    /// Whose is since; absent if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new: Option<PartyDocument>,
}

/// A neighbour, which may have gone since.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PartyDocument {
    /// Its link-local address.
    pub address: Ipv6Addr,
    /// On this interface.
    #[serde(rename = "if")]
    pub interface: String,
}

/// `json quality`: one document for each standing.
pub(super) fn standings(node: &dyn Node) -> String {
    let mut text = String::new();
    for standing in standing::all(node) {
        push_line(&mut text, &StandingDocument::of(&standing));
    }
    text
}

/// `json tests`: those that run, then the last that ended.
pub(super) fn tests(node: &dyn Node) -> String {
    let mut text = String::new();
    for test in node.tests() {
        push_line(&mut text, &TestDocument::of(&test));
    }
    text
}

/// `json decisions`: newest first.
pub(super) fn decisions(node: &dyn Node) -> String {
    let names = LinkNames::of(&node.interfaces());
    let now = node.now();
    let mut text = String::new();
    for decision in node.engine().decisions() {
        push_line(&mut text, &DecisionDocument::of(decision, now, &names));
    }
    text
}

impl StandingDocument {
    /// The document for `standing`.
    pub fn of(standing: &Standing) -> Self {
        let (source, target) = match &standing.source {
            None => (None, None),
            Some(Source::Outside) => (Some("outside"), None),
            Some(Source::Target(name)) => (Some("target"), Some(name.clone())),
            Some(Source::Link(name)) => (Some("link"), Some(name.clone())),
        };
        Self {
            address: standing.peer.address,
            interface: standing.peer.interface.clone(),
            prefix: standing.scope.map(|prefix| prefix.to_string()),
            band: standing.band.label().into(),
            rank: standing.rank.map(|step| step.number()),
            score: standing
                .score
                .map(|score| score.hundredths() as f64 / 100.0),
            quality: QualityDocument::of(&standing.quality),
            age_seconds: standing.age.map(|age| age.as_secs_f64()),
            valid_seconds: standing.valid_for.as_secs_f64(),
            confidence_percent: standing.confidence,
            samples: standing.samples,
            source: source.map(str::to_owned),
            target,
            pinned: standing.pinned.map(|pinned| pinned.label().to_owned()),
            note: standing.note.clone(),
        }
    }
}

impl QualityDocument {
    /// The document for `quality`.
    pub fn of(quality: &Quality) -> Self {
        Self {
            download_bits_per_second: quality.download.map(|rate| rate.bps()),
            upload_bits_per_second: quality.upload.map(|rate| rate.bps()),
            latency_ms: quality.latency.map(milliseconds),
            loss_percent: quality.loss.map(|loss| percent(loss.ppm())),
        }
    }

    fn measured(outcome: &Outcome) -> Self {
        Self {
            download_bits_per_second: outcome.download_bps,
            upload_bits_per_second: outcome.upload_bps,
            latency_ms: outcome.idle_latency_us.map(micros),
            loss_percent: outcome.loss.map(|loss| percent(loss.ppm)),
        }
    }
}

impl TestDocument {
    /// The document for `test`.
    pub fn of(test: &TestView) -> Self {
        let document = Self {
            id: test.id,
            address: test.peer.address,
            interface: test.peer.interface.clone(),
            target: test.target.clone(),
            state: String::new(),
            pinned: test.pinned.label().into(),
            bytes: test.bytes,
            bytes_limit: test.bytes_limit,
            elapsed_seconds: test.elapsed.as_secs_f64(),
            ended_seconds_ago: test.ended_ago.map(|ago| ago.as_secs_f64()),
            phase: None,
            rate_bits_per_second: None,
            quality: QualityDocument::default(),
            loaded_latency_ms: None,
            loss_by: None,
            confidence_percent: None,
            early_stop: None,
            why: None,
        };
        match &test.state {
            TestState::Running { phase, rate } => Self {
                state: "running".into(),
                phase: Some(phase.to_string()),
                rate_bits_per_second: Some(rate.bps()),
                ..document
            },
            TestState::Done(outcome) => Self {
                state: "done".into(),
                quality: QualityDocument::measured(outcome),
                loaded_latency_ms: outcome.loaded_latency_us.map(micros),
                loss_by: outcome.loss.map(|loss| {
                    match loss.by {
                        LossSource::Echo => "echo",
                        LossSource::Retransmits => "retransmits",
                    }
                    .to_owned()
                }),
                confidence_percent: Some(outcome.confidence.percent()),
                early_stop: Some(outcome.early_stop),
                ..document
            },
            TestState::Failed(why) => Self {
                state: "failed".into(),
                why: Some(why.clone()),
                ..document
            },
        }
    }
}

impl DecisionDocument {
    /// The document for `decision`, seen at `now`.
    pub fn of(decision: &Decision, now: Instant, names: &LinkNames) -> Self {
        let key = &decision.key;
        let party = |party: &Party| PartyDocument {
            address: party.address,
            interface: names.get(party.link).to_owned(),
        };
        Self {
            prefix: key.dst().to_string(),
            from: key.is_source_specific().then(|| key.src().to_string()),
            age_seconds: now.since(decision.at).as_secs_f64(),
            reason: decision.reason.label().into(),
            old: decision.from.as_ref().map(party),
            new: decision.to.as_ref().map(party),
        }
    }
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

fn micros(micros: u64) -> f64 {
    micros as f64 / 1000.0
}

fn percent(ppm: u32) -> f64 {
    f64::from(ppm) / 10_000.0
}
