//! When a test is due, and what becomes of its result.
//!
//! Whom to test, when, and how much a test may spend is the schedule's business, which is pure;
//! here it is told what links do, and its orders are carried out. Orders of the operator
//! (`speedtest`) go the same way and ask nobody whether a link is busy.

use super::super::Running;
use super::conduct::quality_of;
use super::trials::{Ended, Order, Purpose};
use super::{Quality, since_1970};
use crate::clock;
use crate::config::{QualitySettings, Target};
use crate::identity;
use crate::node::{Refused, TestCounters};
use babel_core::time::Instant;
use qos_ranker::{Conclusion, Peer, PeerState, Plan, Report, Schedule, Source, Standing, Start};
use std::collections::BTreeMap;
use std::time::Duration;

/// Probe addresses and the schedule follow the neighbours this often, while there are targets.
const TICK: Duration = Duration::from_secs(2);
/// A test ends by then.
const TIME_LIMIT: Duration = Duration::from_secs(30);
/// Tests begun at one wake-up, those included that fail to begin.
const START_BUDGET: usize = 8;
/// What is told of a failing target is not told again so soon.
const TELL_GAP: Duration = Duration::from_secs(600);
/// Different failures that are remembered as told.
const MAX_TOLD: usize = 256;
/// A link that carries less is never busy, in bits per second.
const IDLE_BPS: u64 = 256_000;
/// A link is busy from this share of what it was measured at.
const BUSY_SHARE: u64 = 4;

/// The schedule, and what the operator was told.
#[derive(Debug)]
pub(super) struct Planner {
    schedule: Schedule,
    /// The next look at neighbours, while there are targets.
    tick: Option<Instant>,
    /// Failing pairs of neighbour and target.
    failing: BTreeMap<(Peer, String), Told>,
}

/// What was told of a failing pair, and when.
#[derive(Debug)]
struct Told {
    at: Instant,
    why: String,
}

impl Planner {
    pub(super) fn new() -> Self {
        Self {
            // Random numbers are there, or the node would not have started.
            schedule: Schedule::new(identity::random_u64().unwrap_or(0)),
            tick: None,
            failing: BTreeMap::new(),
        }
    }

    /// Takes over targets.
    pub(super) fn follow(&mut self, now: Instant, settings: &QualitySettings) {
        let wanted = !settings.targets.is_empty() || !settings.probe_prefixes.is_empty();
        self.tick = wanted.then_some(now);
        self.schedule
            .set_targets(settings.targets.iter().map(plan).collect());
        self.failing
            .retain(|(_, target), _| settings.target(target).is_some());
    }

    /// Takes over what targets had spent in a former life, for what is left of the day.
    pub(super) fn restore(&mut self, text: &str, now: Instant, settings: &QualitySettings) {
        self.follow(now, settings);
        // Of a text of another version all is told already.
        let _ = self.schedule.restore(text, now, since_1970());
    }

    /// What targets have spent, for the file.
    pub(super) fn spending(&self, now: Instant) -> String {
        self.schedule.to_text(now)
    }

    /// When something is due.
    pub(super) fn next(&self) -> Option<Instant> {
        let tick = self.tick?;
        let due = self.schedule.next_due();
        Some(due.map_or(tick, |due| due.min(tick)))
    }

    /// Tests a neighbour as if it were new: something happened to it.
    pub(super) fn soon(&mut self, now: Instant, peer: &Peer) {
        self.schedule.soon(now, peer);
    }

    /// A test did not come to its end, through no fault of anybody.
    pub(super) fn abandon(&mut self, now: Instant, order: &Order) {
        self.schedule
            .abandoned(now, &order.peer, &order.target.name);
    }

    /// Tells the operator of a failure once, and when it is over. One trouble with a target often
    /// shows through every neighbour: the same words are not repeated.
    fn tell(&mut self, now: Instant, peer: &Peer, target: &str, failure: Option<&str>) {
        let Peer { interface, address } = peer;
        let key = (peer.clone(), target.to_owned());
        let Some(why) = failure else {
            if self.failing.remove(&key).is_some() {
                tracing::info!("Tests of {address} on {interface} against {target} work again.");
            }
            return;
        };
        let recently = |told: &Told| told.why == why && now.since(told.at) < TELL_GAP;
        if self.failing.contains_key(&key) || self.failing.values().any(recently) {
            tracing::debug!("test of {address} on {interface} against {target}: {why}");
        } else {
            tracing::warn!("Test of {address} on {interface} against {target} failed: {why}");
        }
        if self.failing.len() < MAX_TOLD {
            let why = why.to_owned();
            self.failing.entry(key).or_insert(Told { at: now, why });
        }
    }
}

/// A target as the schedule sees it.
fn plan(target: &Target) -> Plan {
    Plan {
        name: target.name.clone(),
        scope: target.prefix,
        interval: target.interval,
        daily_budget: target.daily_budget,
        link_test: target.url.is_link_test(),
    }
}

impl Quality {
    pub(super) fn counters(&self) -> TestCounters {
        let counts = self.planner.schedule.counts();
        TestCounters {
            run: counts.run,
            skipped: counts.skipped,
            failed: counts.failed,
            bytes: counts.bytes + self.trials.unplanned,
        }
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
        if quality.planner.next().is_none_or(|due| now < due) {
            return;
        }
        quality.planner.tick = Some(now + TICK);
        self.follow_addresses(now);
        let mut states = self.peer_states(now);
        // Nobody knows the way back yet. A test by hand cannot wait, and mostly need not: a
        // connection is tried for seconds.
        if let Some(quality) = &self.quality {
            states.retain(|state| !quality.addresses.is_settling(now, &state.peer));
        }
        for _ in 0..START_BUDGET {
            let Some(quality) = &mut self.quality else {
                return;
            };
            let Some(start) = quality.planner.schedule.poll(now, &states) else {
                return;
            };
            // Told by what is done about it.
            let _ = self.carry_out_test(now, &start);
        }
    }

    /// `speedtest neighbour ADDRESS if NAME [target NAME]`.
    pub(in crate::runtime) fn test_now(
        &mut self,
        peer: &Peer,
        target: Option<&str>,
    ) -> Result<(), Refused> {
        let now = clock::now();
        let settings = &self.settings.quality;
        let beyond = |target: &&Target| !target.url.is_link_test();
        let mut all = settings.targets.iter();
        let name = match target {
            Some(name) => name.to_owned(),
            None => match all.clone().find(beyond).or_else(|| all.next()) {
                Some(target) => target.name.clone(),
                None => {
                    let why = "there is nothing to test against: 'speedtest-target NAME URL' first";
                    return Err(Refused::No(why.into()));
                }
            },
        };
        // A target may be new, and its addresses not there yet.
        self.follow_addresses(now);
        self.path(now, peer).map_err(Refused::No)?;
        let states = self.peer_states(now);
        let Some(quality) = &mut self.quality else {
            return Err(Refused::No("neighbours are not ranked".into()));
        };
        let start = quality.planner.schedule.start(now, &states, peer, &name);
        let start = start.map_err(|refusal| Refused::No(refusal.to_string()))?;
        self.carry_out_test(now, &start).map_err(Refused::No)
    }

    fn carry_out_test(&mut self, now: Instant, start: &Start) -> Result<(), String> {
        let begun = match self.settings.quality.target(&start.target).cloned() {
            None => Err("the target is gone".to_owned()),
            Some(target) => self.begin_trial(
                now,
                Order {
                    peer: start.peer.clone(),
                    target,
                    bytes_limit: start.bytes_limit,
                    time_limit: TIME_LIMIT,
                    seed: start.seed,
                    purpose: Purpose::Rank,
                },
            ),
        };
        if let (Err(why), Some(quality)) = (&begun, &mut self.quality) {
            let planner = &mut quality.planner;
            planner.schedule.abandoned(now, &start.peer, &start.target);
            planner.tell(now, &start.peer, &start.target, Some(why));
        }
        begun.map(drop)
    }

    fn trial_ended(&mut self, now: Instant, ended: &Ended) {
        let Some(quality) = &mut self.quality else {
            return;
        };
        let (peer, target) = (&ended.order.peer, &ended.order.target);
        let planner = &mut quality.planner;
        let ok = ended.result.is_ok();
        let why = ended.result.as_ref().err().map(String::as_str);
        planner.tell(now, peer, &target.name, why);
        let conclusion = planner
            .schedule
            .finished(now, peer, &target.name, ended.bytes, ok);
        if conclusion == Conclusion::Doubt {
            tracing::warn!(
                "{} on {} seems to drop the tests against {}, which works through others: it is \
                 unproven until one succeeds.",
                peer.address,
                peer.interface,
                target.name,
            );
            quality.ranker.doubt(now, peer, target.prefix, &target.name);
        }
        quality.changed(now);
        let Ok(outcome) = &ended.result else {
            return;
        };
        let name = target.name.clone();
        let measured = quality_of(outcome);
        tracing::debug!("measured {peer} against {name}: {measured}");
        let report = Report {
            peer: peer.clone(),
            scope: target.prefix,
            source: match target.url.is_link_test() {
                true => Source::Link(name),
                false => Source::Target(name),
            },
            quality: measured,
            valid: plan(target).validity(),
            pinned: Some(ended.pinned),
        };
        quality.ranker.record(now, &report);
    }

    /// The neighbours that can be tested, for the schedule.
    fn peer_states(&self, now: Instant) -> Vec<PeerState> {
        let Some(quality) = &self.quality else {
            return Vec::new();
        };
        let loaded = |link| quality.watch.load(link).filter(|load| *load >= IDLE_BPS);
        let neighbours: Vec<_> = self.engine.neighbours(now).collect();
        // What is known of whom matters only where there is traffic.
        let standings = match neighbours.iter().any(|known| loaded(known.link).is_some()) {
            true => quality.ranker.standings(now),
            false => Vec::new(),
        };
        let usable = neighbours
            .into_iter()
            .filter(|known| !known.cost.is_infinite());
        let states = usable.filter_map(|known| {
            self.links.up(known.link)?;
            let peer = Peer {
                interface: self.links.name(known.link)?.to_owned(),
                address: known.address,
            };
            // One that nobody measured is tested however busy, or a liar that draws all traffic
            // would never be found out.
            let busy = loaded(known.link).is_some_and(|load| {
                capacity(&standings, &peer).is_some_and(|rate| load >= rate / BUSY_SHARE)
            });
            Some(PeerState {
                testing: quality.trials.unplanned_on(known.link),
                peer,
                busy,
            })
        });
        states.collect()
    }
}

/// The best rate that was measured of a neighbour, bits per second.
fn capacity(standings: &[Standing], peer: &Peer) -> Option<u64> {
    let of_peer = standings.iter().filter(|standing| standing.peer == *peer);
    of_peer
        .flat_map(|standing| [standing.quality.download, standing.quality.upload])
        .flatten()
        .map(|rate| rate.bps())
        .max()
}
