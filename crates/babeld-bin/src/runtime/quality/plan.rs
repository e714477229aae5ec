//! When a test is due, and what becomes of its result.
//!
//! Whom to test, when, and how much a test may spend is the schedule's business, which is pure;
//! here it is told what links do, and its orders are carried out. Orders of the operator
//! (`speedtest`) go the same way and ask nobody whether a link is busy.

use super::super::Running;
use super::Quality;
use super::trials::{Ended, Order, Purpose, quality_of};
use crate::clock;
use crate::config::{QualitySettings, Target};
use crate::identity;
use crate::node::{Refused, TestCounters};
use babel_core::time::Instant;
use qos_ranker::{Peer, Report, Source};
use std::collections::BTreeMap;
use std::time::Duration;

/// Probe addresses and the schedule follow the neighbours this often, while there are targets.
const TICK: Duration = Duration::from_secs(2);
/// A test ends by then.
const TIME_LIMIT: Duration = Duration::from_secs(30);
/// Octets that a test by hand may spend, if the target's budget for a day is larger.
const MANUAL_OCTETS: u64 = 512_000_000;
/// Targets fail this often before it is no longer told of new ones.
const MAX_TOLD: usize = 1024;

/// The schedule, and what the operator was told.
#[derive(Debug)]
pub(super) struct Planner {
    /// The next look at neighbours, while there are targets.
    tick: Option<Instant>,
    /// Failures in a row, by neighbour and target: the first is told.
    failing: BTreeMap<(Peer, String), u32>,
}

impl Planner {
    pub(super) const fn new() -> Self {
        Self {
            tick: None,
            failing: BTreeMap::new(),
        }
    }

    /// Takes over targets.
    pub(super) fn follow(&mut self, now: Instant, settings: &QualitySettings) {
        let wanted = !settings.targets.is_empty() || !settings.probe_prefixes.is_empty();
        self.tick = wanted.then_some(now);
        self.failing
            .retain(|(_, target), _| settings.target(target).is_some());
    }

    /// When something is due.
    pub(super) const fn next(&self) -> Option<Instant> {
        self.tick
    }

    /// Tells the operator of a failure once, and when it is over.
    fn tell(&mut self, ended: &Ended) {
        let Peer { interface, address } = &ended.order.peer;
        let target = &ended.order.target.name;
        let key = (ended.order.peer.clone(), target.clone());
        match &ended.result {
            Ok(outcome) => {
                if self.failing.remove(&key).is_some() {
                    tracing::info!(
                        "Tests of {address} on {interface} against {target} work again."
                    );
                }
                let quality = quality_of(outcome);
                tracing::debug!("measured {address} on {interface} against {target}: {quality}");
            }
            Err(why) => {
                let room = self.failing.len() < MAX_TOLD || self.failing.contains_key(&key);
                let first = room && {
                    let times = self.failing.entry(key).or_insert(0);
                    *times = times.saturating_add(1);
                    *times == 1
                };
                if first {
                    tracing::warn!("Test of {address} on {interface} against {target}: {why}");
                } else {
                    tracing::debug!("test of {address} on {interface} against {target}: {why}");
                }
            }
        }
    }
}

impl Quality {
    pub(super) const fn counters(&self) -> TestCounters {
        self.trials.counters
    }
}

impl Running {
    /// Hears the tests that run, and makes use of those that ended.
    pub(super) fn follow_trials(&mut self, now: Instant) {
        for ended in self.hear_trials(now) {
            match ended.order.purpose {
                Purpose::Rank => self.trial_ended(now, &ended),
                Purpose::Check => self.check_ended(now, &ended),
            }
        }
    }

    /// What is due of addresses and tests.
    pub(super) fn follow_plan(&mut self, now: Instant) {
        let Some(quality) = &mut self.quality else {
            return;
        };
        if quality.planner.tick.is_none_or(|tick| now < tick) {
            return;
        }
        quality.planner.tick = Some(now + TICK);
        self.follow_addresses(now);
    }

    /// `speedtest neighbour ADDRESS if NAME [target NAME]`.
    pub(in crate::runtime) fn test_now(
        &mut self,
        peer: Peer,
        target: Option<&str>,
    ) -> Result<(), Refused> {
        let now = clock::now();
        let settings = &self.settings.quality;
        let found = match target {
            Some(name) => settings.target(name),
            None => {
                let beyond = |target: &&Target| !target.url.is_link_test();
                let mut all = settings.targets.iter();
                all.clone().find(beyond).or_else(|| all.next())
            }
        };
        let Some(found) = found.cloned() else {
            return Err(Refused::No(match target {
                Some(name) => format!("there is no speedtest-target {name}"),
                None => {
                    "there is nothing to test against: 'speedtest-target NAME URL' first".into()
                }
            }));
        };
        // A target may be new, and its addresses not there yet.
        self.follow_addresses(now);
        let order = Order {
            peer,
            bytes_limit: found.daily_budget.min(MANUAL_OCTETS),
            target: found,
            time_limit: TIME_LIMIT,
            seed: identity::random_u64().unwrap_or(0),
            purpose: Purpose::Rank,
        };
        let begun = self.begin_trial(now, order);
        begun.map(drop).map_err(Refused::No)
    }

    fn trial_ended(&mut self, now: Instant, ended: &Ended) {
        let Some(quality) = &mut self.quality else {
            return;
        };
        quality.planner.tell(ended);
        let Ok(outcome) = &ended.result else {
            return;
        };
        let target = &ended.order.target;
        let name = target.name.clone();
        let report = Report {
            peer: ended.order.peer.clone(),
            scope: target.prefix,
            source: match target.url.is_link_test() {
                true => Source::Link(name),
                false => Source::Target(name),
            },
            quality: quality_of(outcome),
            // Tests come at random times: most of the time the next one is here before.
            valid: target.interval * 4,
            pinned: Some(ended.pinned),
        };
        quality.ranker.record(now, &report);
        quality.changed(now);
    }
}
