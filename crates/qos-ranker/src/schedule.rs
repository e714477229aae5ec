//! When to test whom: a plan of speed tests that spends little and cannot be foreseen.
//!
//! Each neighbour is tested against each target at random times around the target's interval, a
//! newcomer soon. A test's size is random too, and all tests of a target share its budget for any
//! 24 hours, which is never exceeded. No two tests use one link at once, no more than
//! [`Schedule::MAX_AT_ONCE`] run altogether, and a busy link is left alone. What a failure means
//! is decided in one place, `evidence`.
//!
//! Nothing here runs a test or reads a clock.

mod budget;
mod evidence;
mod order;
mod pace;
mod running;
mod spending;

use crate::report::Peer;
use babel_core::time::Instant;
use budget::Budget;
use core::time::Duration;
use evidence::Evidence;
use running::{Occupancy, Running};
use std::collections::BTreeMap;

pub use evidence::Conclusion;
pub use order::{PeerState, Plan, Refusal, Start, TestCounts};

/// The plan.
#[derive(Clone, Debug)]
pub struct Schedule {
    random: fastrand::Rng,
    targets: BTreeMap<String, Target>,
    /// What targets had spent in another life that are not known yet.
    restored: BTreeMap<String, Budget>,
    pairs: BTreeMap<(Peer, String), Pair>,
    running: Occupancy,
    counts: TestCounts,
    next_due: Option<Instant>,
}

#[derive(Clone, Debug)]
struct Target {
    plan: Plan,
    budget: Budget,
    /// Failures since the last success, through whomever.
    failures: u32,
    /// A target that fails through everybody is left alone until then.
    not_before: Instant,
}

/// One neighbour and one target.
#[derive(Clone, Debug)]
struct Pair {
    next: Instant,
    /// When the neighbour was last there.
    seen: Instant,
    present: bool,
    evidence: Evidence,
}

impl Schedule {
    /// Tests at once.
    pub const MAX_AT_ONCE: usize = 4;
    /// Pairs of neighbour and target that are planned for; more have to wait.
    pub const MAX_PAIRS: usize = 4096;
    /// A test that nobody ended by then is taken for failed.
    pub const LONGEST: Duration = Duration::from_secs(600);
    /// A neighbour that was away for longer is a newcomer.
    const REMEMBERED: Duration = Duration::from_secs(3600);

    /// A plan without targets. The seed must be hard to guess, or tests can be foreseen.
    pub fn new(seed: u64) -> Self {
        Self {
            random: fastrand::Rng::with_seed(seed),
            targets: BTreeMap::new(),
            restored: BTreeMap::new(),
            pairs: BTreeMap::new(),
            running: Occupancy::default(),
            counts: TestCounts::default(),
            next_due: None,
        }
    }

    /// All targets there are. What one of the same name has spent stays spent. Poll afterwards.
    pub fn set_targets(&mut self, plans: Vec<Plan>) {
        let mut old = core::mem::take(&mut self.targets);
        for plan in plans {
            let target = match old.remove(&plan.name) {
                Some(target) => Target { plan, ..target },
                None => Target::new(plan, &mut self.restored),
            };
            self.targets.insert(target.plan.name.clone(), target);
        }
        let targets = &self.targets;
        self.pairs
            .retain(|(_, target), _| targets.contains_key(target));
    }

    /// The next test to run now, if any. `peers` are all that there are, in any order. Poll again
    /// until there is none; then at [`Schedule::next_due`], when a test ended, and when the
    /// neighbours changed.
    pub fn poll(&mut self, now: Instant, peers: &[PeerState]) -> Option<Start> {
        self.end_overdue(now);
        self.meet(now, peers);
        let busy: BTreeMap<&Peer, bool> = peers.iter().map(|one| (&one.peer, one.busy)).collect();
        let start = self.due(now).into_iter().find_map(|(peer, target)| {
            let is_busy = busy.get(&peer).copied().unwrap_or(true);
            self.try_start(now, peers, &peer, &target, is_busy)
        });
        let opens = |target: &str| {
            let target = self.targets.get(target);
            target.map_or(now, |target| target.not_before)
        };
        let present = self.pairs.iter().filter(|(_, pair)| pair.present);
        let later = present.map(|((_, target), pair)| pair.next.max(opens(target)));
        let ends = self.running.iter().map(|one| one.since + Self::LONGEST);
        self.next_due = later.chain(ends).filter(|due| *due > now).min();
        start
    }

    /// A test that somebody asked for: neither its time nor a busy link matter, the budget does.
    ///
    /// # Errors
    /// If the target is unknown, tests are in the way, or nothing is left of the budget.
    pub fn start(
        &mut self,
        now: Instant,
        peers: &[PeerState],
        peer: &Peer,
        target: &str,
    ) -> Result<Start, Refusal> {
        if !self.targets.contains_key(target) {
            return Err(Refusal::UnknownTarget(target.into()));
        }
        if self.running.is_used(peers, &peer.interface) {
            return Err(Refusal::LinkInUse(peer.interface.clone()));
        }
        if self.running.links(peers) >= Self::MAX_AT_ONCE {
            return Err(Refusal::TooMany);
        }
        let start = self.begin(now, peer, target);
        start.ok_or_else(|| Refusal::BudgetSpent(target.into()))
    }

    /// A test ended, having spent `bytes`. What to conclude about the neighbour is for the caller
    /// to pass on to [`crate::Ranker::doubt`].
    #[must_use]
    pub fn finished(
        &mut self,
        now: Instant,
        peer: &Peer,
        target: &str,
        bytes: u64,
        ok: bool,
    ) -> Conclusion {
        let running = self.running.remove(peer, target);
        let began = running.as_ref().map_or(now, |one| one.since);
        self.counts.bytes = self.counts.bytes.saturating_add(bytes);
        if ok {
            self.counts.run += 1;
        } else {
            self.counts.failed += 1;
        }
        let peers = self.peers_of(target);
        let Some(aim) = self.targets.get_mut(target) else {
            return Conclusion::Nothing;
        };
        aim.budget
            .spend(now, bytes, running.map_or(0, |one| one.reserved));
        aim.ended(now, ok);
        let key = (peer.clone(), target.to_owned());
        let others = self.pairs.iter().filter(|((_, name), _)| name == target);
        let others = others.filter(|((other, _), _)| other != peer);
        let other_success = others
            .filter_map(|(_, pair)| pair.evidence.last_success())
            .max();
        let Some(pair) = self.pairs.get_mut(&key) else {
            return Conclusion::Nothing;
        };
        let conclusion = if ok {
            pair.evidence.succeeded(now);
            Conclusion::Nothing
        } else {
            pair.evidence.failed(began, now, other_success)
        };
        let spacing = pace::after(&aim.plan, peers, pair.evidence.failures());
        pair.next = now + pace::around(&mut self.random, spacing);
        match conclusion {
            Conclusion::Doubt if aim.plan.link_test => Conclusion::Nothing,
            conclusion => conclusion,
        }
    }

    /// A test that [`Schedule::poll`] ordered could not begin, through no fault of the neighbour or
    /// the target: it counts as failed, is tried again later, and says nothing of anybody.
    pub fn abandoned(&mut self, now: Instant, peer: &Peer, target: &str) {
        self.counts.failed += 1;
        let reserved = self
            .running
            .remove(peer, target)
            .map_or(0, |one| one.reserved);
        let Some(aim) = self.targets.get_mut(target) else {
            return;
        };
        aim.budget.spend(now, 0, reserved);
        if let Some(pair) = self.pairs.get_mut(&(peer.clone(), target.to_owned())) {
            let spacing = pace::put_off(aim.plan.interval, true);
            pair.next = now + pace::around(&mut self.random, spacing);
        }
    }

    /// Something happened to this neighbour (a black hole, a doubt): test it as a newcomer.
    pub fn soon(&mut self, now: Instant, peer: &Peer) {
        for ((of, _), pair) in &mut self.pairs {
            if of == peer {
                let soon = now + pace::newcomer(&mut self.random);
                pair.next = pair.next.min(soon);
                self.next_due = Some(self.next_due.map_or(soon, |due| due.min(soon)));
            }
        }
    }

    /// When to poll again if nothing happens before.
    pub const fn next_due(&self) -> Option<Instant> {
        self.next_due
    }

    /// How many tests there were.
    pub const fn counts(&self) -> TestCounts {
        self.counts
    }

    /// What a target has spent in the last 24 hours, running tests included.
    pub fn spent(&self, now: Instant, target: &str) -> u64 {
        let target = self.targets.get(target);
        target.map_or(0, |target| target.budget.spent(now))
    }

    /// Starts a pair's test if nothing is in its way; puts it off if something is that will not
    /// end by itself.
    fn try_start(
        &mut self,
        now: Instant,
        peers: &[PeerState],
        peer: &Peer,
        target: &str,
        busy: bool,
    ) -> Option<Start> {
        if self.running.is_used(peers, &peer.interface)
            || self.running.links(peers) >= Self::MAX_AT_ONCE
        {
            return None;
        }
        let start = if busy {
            None
        } else {
            self.begin(now, peer, target)
        };
        if start.is_none() {
            self.counts.skipped += 1;
            let interval = self.targets.get(target)?.plan.interval;
            let spacing = pace::put_off(interval, busy);
            let pair = self.pairs.get_mut(&(peer.clone(), target.to_owned()))?;
            pair.next = now + pace::around(&mut self.random, spacing);
        }
        start
    }

    /// Starts a test if the budget allows it.
    fn begin(&mut self, now: Instant, peer: &Peer, target: &str) -> Option<Start> {
        let peers = self.peers_of(target);
        let aim = self.targets.get_mut(target)?;
        let share = pace::share(&aim.plan, peers);
        let wanted = self.random.u64(share - share / 2..=share);
        let bytes_limit = aim
            .budget
            .reserve(now, aim.plan.daily_budget, wanted, share / 4)?;
        self.running.add(Running {
            peer: peer.clone(),
            target: target.to_owned(),
            since: now,
            reserved: bytes_limit,
        });
        // Until it ends; a pair that is being tested is not due.
        if let Some(pair) = self.pairs.get_mut(&(peer.clone(), target.to_owned())) {
            pair.next = now + Self::LONGEST + Self::LONGEST;
        }
        Some(Start {
            peer: peer.clone(),
            target: target.to_owned(),
            scope: aim.plan.scope,
            bytes_limit,
            seed: self.random.u64(..),
        })
    }

    /// Notes who is there, plans for newcomers and forgets who has long been away.
    fn meet(&mut self, now: Instant, peers: &[PeerState]) {
        self.pairs
            .values_mut()
            .for_each(|pair| pair.present = false);
        for peer in peers {
            for target in self.targets.values() {
                let key = (peer.peer.clone(), target.plan.name.clone());
                let full = self.pairs.len() >= Self::MAX_PAIRS;
                if full && !self.pairs.contains_key(&key) {
                    continue;
                }
                let random = &mut self.random;
                let pair = self.pairs.entry(key).or_insert_with(|| Pair {
                    next: now + pace::newcomer(random),
                    seen: now,
                    present: true,
                    evidence: Evidence::default(),
                });
                (pair.present, pair.seen) = (true, now);
            }
        }
        self.pairs
            .retain(|_, pair| pair.present || now.since(pair.seen) <= Self::REMEMBERED);
    }

    /// The pairs whose time has come, the most overdue first.
    fn due(&self, now: Instant) -> Vec<(Peer, String)> {
        let is_open = |target: &str| {
            let target = self.targets.get(target);
            target.is_some_and(|target| target.not_before <= now)
        };
        let mut due: Vec<_> = self
            .pairs
            .iter()
            .filter(|((_, target), pair)| pair.present && pair.next <= now && is_open(target))
            .collect();
        due.sort_by_key(|(key, pair)| (pair.next, *key));
        due.into_iter().map(|(key, _)| key.clone()).collect()
    }

    /// A caller that forgot a test must not keep its link shut for ever.
    fn end_overdue(&mut self, now: Instant) {
        let running = self.running.iter();
        let overdue = running.filter(|one| now.since(one.since) >= Self::LONGEST);
        let overdue: Vec<Running> = overdue.cloned().collect();
        for one in overdue {
            let _ = self.finished(now, &one.peer, &one.target, one.reserved, false);
        }
    }

    /// How many neighbours share a target's budget.
    fn peers_of(&self, target: &str) -> u64 {
        let present = self
            .pairs
            .iter()
            .filter(|((_, name), pair)| pair.present && name == target);
        u64::try_from(present.count()).unwrap_or(u64::MAX).max(1)
    }
}

impl Target {
    fn new(plan: Plan, restored: &mut BTreeMap<String, Budget>) -> Self {
        Self {
            budget: restored.remove(&plan.name).unwrap_or_default(),
            plan,
            failures: 0,
            not_before: Instant::ZERO,
        }
    }

    fn ended(&mut self, now: Instant, ok: bool) {
        self.failures = if ok {
            0
        } else {
            self.failures.saturating_add(1)
        };
        self.not_before = now + pace::closed(self.failures, self.plan.interval);
    }
}

#[cfg(test)]
mod tests;
