//! Which route is used (RFC 8966 §3.6), and when to move to a better one.
//!
//! The policy ranks; this file decides. It alone knows what is feasible, and it alone applies
//! time: a legal incumbent is left at once, after a hold, or when the smoothed metrics say so.

use super::Engine;
use crate::event::Change;
use crate::ext::Extension;
use crate::policy::{Candidate, ChangeReason, Move, SelectionPolicy, Verdict};
use crate::table::{Entry, PrefixId};
use crate::time::Instant;
use crate::types::{Metric, NeighbourId};

/// Candidates of the prefix at hand, side by side with what is thought of them.
#[derive(Debug)]
pub(super) struct Judgement<A, K> {
    pub(super) candidates: Vec<Candidate<A>>,
    pub(super) feasible: Vec<bool>,
    pub(super) verdicts: Vec<Verdict<K>>,
}

impl<A, K> Default for Judgement<A, K> {
    fn default() -> Self {
        Self {
            candidates: Vec::new(),
            feasible: Vec::new(),
            verdicts: Vec::new(),
        }
    }
}

impl<A: Copy, K: Ord + Copy> Judgement<A, K> {
    /// The key of an eligible candidate.
    pub(super) fn key(&self, index: usize) -> Option<K> {
        match self.verdicts.get(index)? {
            Verdict::Eligible(key) => Some(*key),
            Verdict::Ineligible => None,
        }
    }

    /// Eligible candidates, feasible or not as asked: index and key.
    pub(super) fn eligible(&self, feasible: bool) -> impl Iterator<Item = (usize, K)> {
        (0..self.candidates.len())
            .filter(move |index| self.feasible.get(*index) == Some(&feasible))
            .filter_map(|index| Some((index, self.key(index)?)))
    }

    pub(super) fn best(&self, feasible: bool) -> Option<(usize, K)> {
        self.eligible(feasible).min_by_key(|(_, key)| *key)
    }

    pub(super) fn incumbent(&self) -> Option<(usize, K)> {
        self.eligible(true)
            .find(|(index, _)| self.at(*index).is_some_and(|c| c.incumbent))
    }

    pub(super) fn at(&self, index: usize) -> Option<&Candidate<A>> {
        self.candidates.get(index)
    }
}

/// The candidate to use now, and if that is a move of our own will, how and why.
#[derive(Clone, Copy, Debug)]
struct Choice {
    index: usize,
    moved: Option<(Move, ChangeReason)>,
}

impl Choice {
    const fn of(index: usize) -> Self {
        let moved = None;
        Self { index, moved }
    }
}

impl<X: Extension, P: SelectionPolicy<X::Attr>> Engine<X, P> {
    /// Gathers the candidates of a prefix and has the policy judge them. Retracted, unreachable
    /// and filtered routes are no candidates, nor what the kernel cannot hold, nor an originator
    /// that cannot be remembered.
    pub(super) fn judge(
        &self,
        now: Instant,
        entry: &Entry<X::Attr>,
        judgement: &mut Judgement<X::Attr, P::Key>,
    ) {
        judgement.candidates.clear();
        judgement.feasible.clear();
        judgement.verdicts.clear();
        let limit = self.config.limits.sources_per_prefix;
        for route in &entry.routes {
            let Some(neighbour) = self.neighbours.get(&route.neighbour) else {
                continue;
            };
            let metric = route
                .refmetric
                .plus(route.filter_metric)
                .plus(neighbour.cost);
            let room = entry.sources.has_room(route.router_id, limit);
            let next_hop = neighbour.next_hop(route.next_hop);
            let held = self.forwarding.can_hold(&entry.key, next_hop);
            if metric.is_infinite() || route.refused || !room || !held {
                continue;
            }
            judgement.candidates.push(Candidate {
                neighbour: route.neighbour,
                party: neighbour.party(),
                metric,
                smoothed: route
                    .smoothed
                    .value(metric, self.config.smoothing_half_life, now),
                incumbent: entry.selected == Some(route.neighbour),
                attr: route.attr,
            });
            let feasible = entry
                .sources
                .feasible(route.router_id, route.seqno, route.refmetric);
            judgement.feasible.push(feasible);
        }
        if !judgement.candidates.is_empty() {
            self.policy
                .judge(&entry.key, &judgement.candidates, &mut judgement.verdicts);
        }
    }

    /// Runs selection for one prefix and carries out what follows from it.
    pub(super) fn reselect(&mut self, now: Instant, id: PrefixId) {
        let Some(entry) = self.table.get_mut(id) else {
            return;
        };
        entry.dirty = false;
        let mut judgement = core::mem::take(&mut self.judgement);
        if let Some(entry) = self.table.get(id) {
            self.judge(now, entry, &mut judgement);
            let own = self.is_shadowed(entry);
            let choice = if own {
                None
            } else {
                self.choose(now, id, &judgement)
            };
            self.select(now, id, choice, &judgement);
            if !own {
                self.want_better(now, id, &judgement, choice.map(|choice| choice.index));
            }
        }
        self.judgement = judgement;
        if self
            .waiting
            .get(&id)
            .is_some_and(|waiting| waiting.is_over(now))
        {
            self.waiting.remove(&id);
        }
        self.announce(now, id);
        self.settle_requests(now, id);
        if self.table.get(id).is_some_and(Entry::is_idle) {
            self.idle.push(id);
        }
    }

    /// Whether a route of our own keeps learned ones from being used.
    pub(super) fn is_shadowed(&self, entry: &Entry<X::Attr>) -> bool {
        entry
            .xroute
            .as_deref()
            .is_some_and(|own| self.allow_duplicates.is_none_or(|from| own.metric < from))
    }

    /// The candidate to use now; `None` if there is none.
    fn choose(
        &mut self,
        now: Instant,
        id: PrefixId,
        judgement: &Judgement<X::Attr, P::Key>,
    ) -> Option<Choice> {
        let (best, best_key) = judgement.best(true)?;
        let Some((incumbent, incumbent_key)) = judgement.incumbent() else {
            return Some(Choice::of(best));
        };
        self.schedule_crossings(now, id, judgement, incumbent);
        self.follow_better(now, id, judgement, &incumbent_key);
        if best == incumbent {
            return Some(Choice::of(incumbent));
        }
        let how = self.policy.when(&incumbent_key, &best_key);
        let due = match how {
            Move::AtOnce => true,
            Move::WhenSmoothed => crossed(judgement, incumbent, best),
            Move::AfterHold => self.hold_over(now, id, judgement, best),
        };
        if !due {
            return Some(Choice::of(incumbent));
        }
        let reason = self.policy.reason(&incumbent_key, &best_key);
        Some(Choice {
            index: best,
            moved: Some((how, reason)),
        })
    }

    /// Puts a choice into effect.
    fn select(
        &mut self,
        now: Instant,
        id: PrefixId,
        choice: Option<Choice>,
        judgement: &Judgement<X::Attr, P::Key>,
    ) {
        let chosen = choice
            .and_then(|choice| judgement.at(choice.index))
            .copied();
        let best_metric = judgement.eligible(true).chain(judgement.eligible(false));
        let best_metric = best_metric
            .filter_map(|(i, _)| Some(judgement.at(i)?.metric))
            .min();
        let key = choice.and_then(|choice| judgement.key(choice.index));
        let penalty = key.map_or(Metric::ZERO, |key| self.policy.penalty(&key));
        let Some(entry) = self.table.get_mut(id) else {
            return;
        };
        entry.penalty = penalty;
        let overridden = chosen.is_some_and(|c| best_metric.is_some_and(|best| best < c.metric));
        if overridden != entry.overridden {
            entry.overridden = overridden;
            if overridden {
                self.overridden += 1
            } else {
                self.overridden -= 1
            }
        }
        let (old, new) = (entry.selected, chosen.map(|c| c.neighbour));
        if old == new {
            return;
        }
        entry.selected = new;
        match (old, new) {
            (None, Some(_)) => self.selected += 1,
            (Some(_), None) => self.selected -= 1,
            (Some(_), Some(_)) | (None, None) => {}
        }
        let moved = choice.and_then(|choice| choice.moved);
        let reason = match (moved, old) {
            (Some((_, reason)), _) => reason,
            (None, None) => ChangeReason::Metric,
            (None, Some(old)) => self.loss_reason(id, old, judgement),
        };
        self.record_decision(now, id, (old, new), reason);
        if let Some(count) = self.counters.route_changes.get_mut(reason.index()) {
            *count += 1;
        }
        self.remember_move(now, id, new, moved.map(|(how, _)| how));
        self.settle_smoothed(now, id, chosen.as_ref(), old.is_none());
        self.mark_fib(id);
        for neighbour in [old, new].into_iter().flatten() {
            self.notify_route(now, Change::Change, id, neighbour);
        }
    }

    /// A route taken because there was no other has nothing to prove to the next newcomer.
    fn settle_smoothed(
        &mut self,
        now: Instant,
        id: PrefixId,
        chosen: Option<&Candidate<X::Attr>>,
        first: bool,
    ) {
        if let Some(chosen) = chosen.filter(|_| first)
            && let Some(entry) = self.table.get_mut(id)
            && let Some(route) = entry.route_mut(chosen.neighbour)
        {
            route.smoothed = crate::route::Smoothed::settled(chosen.metric, now);
        }
    }

    /// Why a route that was in use no longer can be.
    fn loss_reason(
        &self,
        id: PrefixId,
        old: NeighbourId,
        judgement: &Judgement<X::Attr, P::Key>,
    ) -> ChangeReason {
        let Some(entry) = self.table.get(id) else {
            return ChangeReason::NeighbourLost;
        };
        if self.is_shadowed(entry) {
            return ChangeReason::Filter;
        }
        let Some(route) = entry.route(old) else {
            return ChangeReason::NeighbourLost;
        };
        if route.is_retracted() {
            return ChangeReason::Retraction;
        }
        let Some(index) = judgement.candidates.iter().position(|c| c.neighbour == old) else {
            let lost = self.metric_of(route).is_infinite();
            return if lost {
                ChangeReason::NeighbourLost
            } else {
                ChangeReason::Filter
            };
        };
        if judgement.feasible.get(index) == Some(&true) {
            ChangeReason::Ineligible
        } else {
            ChangeReason::Unfeasible
        }
    }
}

/// RFC 8966 appendix A.3, as stock: better now, and better over time.
pub(super) fn crossed<A: Copy, K: Ord + Copy>(
    judgement: &Judgement<A, K>,
    incumbent: usize,
    challenger: usize,
) -> bool {
    match (judgement.at(incumbent), judgement.at(challenger)) {
        (Some(used), Some(new)) => {
            let (metric, old): (Metric, Metric) = (new.metric, used.metric);
            metric <= old && new.smoothed < used.smoothed
        }
        _ => false,
    }
}
