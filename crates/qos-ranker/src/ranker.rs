//! From measurements to ranks: what is known of every neighbour, and what is published of it.
//!
//! Nothing here reads a clock or a file. Memory is bounded however many reports come: the
//! neighbour, scope or source that was silent for longest makes room. What is published moves
//! only with [`Ranker::record`] and its like, and at the times that [`Ranker::next_change`] tells.

use crate::entry::Entry;
use crate::estimate::Estimate;
use crate::goal::Goals;
use crate::history::Origin;
use crate::measurement::{Component, Loss, Quality, Rate};
use crate::moment::{Lifetime, Moment};
use crate::ranks::{NeighbourRanks, Ranks};
use crate::report::{Peer, Report, Source};
use crate::ring::{Reading, Ring};
use crate::standing::{Standing, standings};
use babel_core::prefix::Prefix;
use babel_core::time::Instant;
use babel_core::types::LinkId;
use core::time::Duration;
use std::collections::BTreeMap;

/// All measurements.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Ranker {
    pub(crate) peers: BTreeMap<Peer, Known>,
    goals: Goals,
    /// When what is published was last brought up to date.
    settled: Instant,
    /// Counts what was heard, to tell who was silent for longest.
    sequence: u64,
}

/// What is known of one neighbour.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Known {
    pub(crate) scopes: BTreeMap<Option<Prefix>, Entry>,
    /// What its link carried while the queue overflowed.
    pub(crate) caps: Ring,
    pub(crate) black_hole: Option<Lifetime>,
    touched: u64,
}

impl Ranker {
    /// Neighbours that are remembered.
    pub const MAX_PEERS: usize = 1024;
    /// Scopes that are remembered of one neighbour.
    pub const MAX_SCOPES: usize = 32;
    /// Pairs of neighbour and scope that are remembered altogether.
    pub const MAX_ENTRIES: usize = 4096;
    /// A black hole that nobody measures again is merely unproven after this.
    pub const BLACK_HOLE: Duration = Duration::from_secs(3600);
    /// What a saturated link was seen to carry is believed for so long.
    pub const CAP: Duration = Duration::from_secs(15 * 60);

    /// Nothing known.
    pub fn new() -> Self {
        Self::default()
    }

    /// What the operator wants, for the bands of [`Ranker::standings`]. Routes are held against
    /// the goals of the policy.
    pub fn set_goals(&mut self, goals: Goals) {
        self.goals = goals;
    }

    /// Takes in a measurement; it counts at once. An empty one is nothing.
    pub fn record(&mut self, now: Instant, report: &Report) {
        if report.quality.is_empty() {
            return;
        }
        let origin = Origin {
            source: report.source.clone(),
            ranks: report.ranks(),
        };
        let life = Lifetime::new(Moment::now(now), report.valid);
        let entry = self.entry(now, &report.peer, report.scope);
        let history = entry.record(now, origin, &report.quality, life);
        history.pinned = report.pinned;
        let works = report.ranks() && is_alive(&report.quality);
        let known = self.known(now, &report.peer);
        known.black_hole = known.black_hole.filter(|_| !works);
        known.settle(now);
    }

    /// What is sent to this neighbour does not come back: all that was measured is forgotten, and
    /// it is failing until a measurement that ranks shows life, or for [`Ranker::BLACK_HOLE`].
    pub fn black_hole(&mut self, now: Instant, peer: &Peer) {
        let known = self.known(now, peer);
        for entry in known.scopes.values_mut() {
            entry.histories.retain(|origin, _| !origin.ranks);
        }
        known.black_hole = Some(Lifetime::new(Moment::now(now), Self::BLACK_HOLE));
        known.settle(now);
    }

    /// The neighbour's link carried only this while its queue overflowed, by the kernel's
    /// counters: no test is believed to upload more for the next [`Ranker::CAP`]. Of several such
    /// sightings the median counts. It caps what is measured and proves nothing by itself.
    pub fn saturated(&mut self, now: Instant, peer: &Peer, upload: Rate) {
        let known = self.known(now, peer);
        let reading = Reading {
            value: upload.bps(),
            life: Lifetime::new(Moment::now(now), Self::CAP),
        };
        known.caps.push(reading, Ring::LENGTH);
        known.settle(now);
    }

    /// The neighbour seems to drop the tests of this target while others' pass (see
    /// [`crate::Schedule::finished`]): what the target measured is dropped, and the neighbour is
    /// not proven in that scope until a test succeeds, or for six hours.
    pub fn doubt(&mut self, now: Instant, peer: &Peer, scope: Option<Prefix>, target: &str) {
        let origin = Origin {
            source: Source::Target(target.into()),
            ranks: true,
        };
        self.entry(now, peer, scope).history(now, origin).doubt(now);
        self.known(now, peer).settle(now);
    }

    /// Forgets all of one neighbour, or of all.
    pub fn forget(&mut self, peer: Option<&Peer>) {
        match peer {
            Some(peer) => drop(self.peers.remove(peer)),
            None => self.peers.clear(),
        }
    }

    /// What a policy decides by. `link` names the links that there are; what is known of a
    /// neighbour on an absent one is left out, and kept.
    pub fn ranks(&mut self, now: Instant, link: &dyn Fn(&str) -> Option<LinkId>) -> Ranks {
        self.settle(now);
        let known = self.peers.iter().filter_map(|(peer, known)| {
            let ranks = NeighbourRanks {
                link: link(&peer.interface)?,
                address: peer.address,
                black_hole: known.black_hole.is_some(),
                estimates: known.estimates(now),
            };
            (ranks.black_hole || !ranks.estimates.is_empty()).then_some(ranks)
        });
        Ranks::new(known.collect())
    }

    /// When [`Ranker::ranks`] should be asked again if nothing is reported before.
    pub fn next_change(&self) -> Option<Instant> {
        let changes = self
            .peers
            .values()
            .filter_map(|known| known.next_change(self.settled));
        changes.min()
    }

    /// How every neighbour stands, for people: by neighbour and scope, links' own tests last.
    pub fn standings(&self, now: Instant) -> Vec<Standing> {
        standings(self, &self.goals, now)
    }

    /// Whether nothing is known of anybody.
    pub fn is_empty(&self) -> bool {
        self.peers.is_empty()
    }

    /// Brings what is published up to date, and forgets what ran out.
    pub(crate) fn settle(&mut self, now: Instant) {
        self.settled = now;
        self.peers.retain(|_, known| {
            known.settle(now);
            !known.is_empty()
        });
    }

    /// What is known of a neighbour; the one silent for longest makes room for a new one.
    pub(crate) fn known(&mut self, now: Instant, peer: &Peer) -> &mut Known {
        self.settled = self.settled.max(now);
        self.sequence += 1;
        if !self.peers.contains_key(peer) && self.peers.len() >= Self::MAX_PEERS {
            let silent = self.peers.iter().min_by_key(|(_, known)| known.touched);
            if let Some(silent) = silent.map(|(peer, _)| peer.clone()) {
                self.peers.remove(&silent);
            }
        }
        let known = self.peers.entry(peer.clone()).or_default();
        known.touched = self.sequence;
        known
    }

    /// What is known of a neighbour for a scope; the one silent for longest makes room.
    pub(crate) fn entry(&mut self, now: Instant, peer: &Peer, scope: Option<Prefix>) -> &mut Entry {
        let full = self
            .peers
            .values()
            .map(|known| known.scopes.len())
            .sum::<usize>();
        let known = self.known(now, peer);
        if !known.scopes.contains_key(&scope) {
            if known.scopes.len() >= Self::MAX_SCOPES {
                known.drop_silent_scope();
            } else if full >= Self::MAX_ENTRIES {
                self.drop_silent_entry();
            }
        }
        let touched = self.sequence;
        let entry = self.known(now, peer).scopes.entry(scope).or_default();
        entry.touched = touched;
        entry
    }

    fn drop_silent_entry(&mut self) {
        let entries = |known: &Known| known.scopes.values().map(|entry| entry.touched).min();
        let holding = self
            .peers
            .values_mut()
            .filter(|known| !known.scopes.is_empty());
        if let Some(known) = holding.min_by_key(|known| entries(known)) {
            known.drop_silent_scope();
        }
    }
}

impl Known {
    pub(crate) fn settle(&mut self, now: Instant) {
        self.black_hole = self.black_hole.filter(|life| life.is_fresh(now));
        self.caps.sweep(now);
        let cap = self.cap(now);
        self.scopes.retain(|_, entry| {
            entry.settle(now, cap);
            !entry.is_empty()
        });
    }

    /// The most that the link was seen to carry; `None` if it was not seen full lately.
    pub(crate) fn cap(&self, now: Instant) -> Option<u64> {
        let middle = self.caps.middle(Component::Upload, now)?;
        (middle.count > 0).then_some(middle.value)
    }

    fn estimates(&self, now: Instant) -> Vec<Estimate> {
        let cap = self.cap(now);
        let entries = self.scopes.iter();
        entries
            .filter_map(|(scope, entry)| entry.estimate(*scope, now, cap))
            .collect()
    }

    fn next_change(&self, now: Instant) -> Option<Instant> {
        let caps = self.caps.iter().map(|reading| reading.life);
        let lives = caps.chain(self.black_hole);
        let own = lives.filter_map(|life| life.next_change(now));
        let entries = self
            .scopes
            .values()
            .filter_map(|entry| entry.next_change(now));
        own.chain(entries).min()
    }

    fn is_empty(&self) -> bool {
        self.scopes.is_empty() && self.black_hole.is_none() && self.caps.newest().is_none()
    }

    fn drop_silent_scope(&mut self) {
        let silent = self.scopes.iter().min_by_key(|(_, entry)| entry.touched);
        if let Some(silent) = silent.map(|(scope, _)| *scope) {
            self.scopes.remove(&silent);
        }
    }
}

/// Whether a measurement shows that anything came back.
fn is_alive(quality: &Quality) -> bool {
    let moves = |rate: Option<Rate>| rate.is_some_and(|rate| rate > Rate::ZERO);
    quality.loss != Some(Loss::ALL)
        && quality.download != Some(Rate::ZERO)
        && (moves(quality.download) || moves(quality.upload) || quality.latency.is_some())
}

#[cfg(test)]
mod tests;
