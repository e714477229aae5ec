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
use crate::timer::Chore;
use crate::types::{Metric, NeighbourId};
use core::time::Duration;

/// The hold is doubled at most this often.
const MAX_DOUBLINGS: u32 = 5;
/// A quiet time that takes back one doubling.
const DOUBLING_DECAY: Duration = Duration::from_secs(600);
/// First and longest gap between two requests for a new seqno of one prefix.
const REQUEST_GAP: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(256));
/// First gap when there is a route already and only a better one is wanted.
const PATIENT_REQUEST_GAP: Duration = Duration::from_secs(4);

/// What a prefix waits for. Kept only while there is something to remember.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Waiting {
    /// Since when a candidate of a better step stood, without a break.
    better_since: Option<Instant>,
    /// Since when the preferred candidate was unfeasible, without a break.
    preferred_since: Option<Instant>,
    /// Voluntary moves, for the hold time.
    doublings: u32,
    last_move: Option<Instant>,
    /// The next request for a new seqno, and the gap after it.
    request_at: Option<(Instant, Duration)>,
    /// When a chore will look at the prefix again.
    look_at: Option<Instant>,
}

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
    fn eligible(&self, feasible: bool) -> impl Iterator<Item = (usize, K)> {
        (0..self.candidates.len())
            .filter(move |index| self.feasible.get(*index) == Some(&feasible))
            .filter_map(|index| Some((index, self.key(index)?)))
    }

    fn best(&self, feasible: bool) -> Option<(usize, K)> {
        self.eligible(feasible).min_by_key(|(_, key)| *key)
    }

    fn incumbent(&self) -> Option<(usize, K)> {
        self.eligible(true)
            .find(|(index, _)| self.at(*index).is_some_and(|c| c.incumbent))
    }

    pub(super) fn at(&self, index: usize) -> Option<&Candidate<A>> {
        self.candidates.get(index)
    }
}

impl<X: Extension, P: SelectionPolicy<X::Attr>> Engine<X, P> {
    /// Gathers the candidates of a prefix and has the policy judge them. Retracted, unreachable
    /// and filtered routes are no candidates, nor is an originator that cannot be remembered.
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
            if metric.is_infinite() || route.refused || !room {
                continue;
            }
            judgement.candidates.push(Candidate {
                neighbour: route.neighbour,
                link: neighbour.link,
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
            let own = entry.xroute.is_some();
            let choice = if own {
                None
            } else {
                self.choose(now, id, &judgement)
            };
            self.select(now, id, choice, &judgement);
            if !own {
                self.want_better(now, id, &judgement);
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

    /// The candidate to use now, and why if that is a voluntary move.
    fn choose(
        &mut self,
        now: Instant,
        id: PrefixId,
        judgement: &Judgement<X::Attr, P::Key>,
    ) -> Option<(usize, Option<ChangeReason>)> {
        let (best, best_key) = judgement.best(true)?;
        let Some((incumbent, incumbent_key)) = judgement.incumbent() else {
            return Some((best, None));
        };
        self.schedule_crossings(now, id, judgement, incumbent);
        let reason = Some(self.policy.reason(&incumbent_key, &best_key));
        let mut better_step = false;
        let choice = if best == incumbent {
            (incumbent, None)
        } else {
            match self.policy.when(&incumbent_key, &best_key) {
                Move::AtOnce => (best, reason),
                Move::WhenSmoothed if crossed(judgement, incumbent, best) => (best, reason),
                Move::WhenSmoothed => (incumbent, None),
                Move::AfterHold => {
                    better_step = true;
                    if self.hold_over(now, id, judgement, best) {
                        (best, reason)
                    } else {
                        (incumbent, None)
                    }
                }
            }
        };
        if !better_step && let Some(waiting) = self.waiting.get_mut(&id) {
            waiting.better_since = None;
        }
        Some(choice)
    }

    /// Whether a better step has stood for long enough; begins the wait if it has not begun.
    fn hold_over(
        &mut self,
        now: Instant,
        id: PrefixId,
        judgement: &Judgement<X::Attr, P::Key>,
        best: usize,
    ) -> bool {
        let hold = self.hold_time(now, id, judgement, best);
        let waiting = self.waiting.entry(id).or_default();
        // A candidate that was asked for stood while it was unfeasible: its answer is taken at once.
        let since = waiting.preferred_since.unwrap_or(now);
        let since = *waiting.better_since.get_or_insert(since);
        let over = now >= since + hold;
        if !over {
            self.look_again(now, id, since + hold);
        }
        over
    }

    /// How long a better step must stand for this prefix: longer the more it moved of late.
    pub(super) fn hold_time(
        &self,
        now: Instant,
        id: PrefixId,
        judgement: &Judgement<X::Attr, P::Key>,
        best: usize,
    ) -> Duration {
        let link = judgement
            .at(best)
            .and_then(|candidate| self.links.get(&candidate.link));
        let interval = link.map_or(Duration::ZERO, |link| link.config.update_interval);
        let doublings = self
            .waiting
            .get(&id)
            .map_or(0, |waiting| waiting.doublings_at(now));
        self.policy.hold(interval) * (1 << doublings)
    }

    /// When the wait for a better step began.
    pub(super) fn better_since(&self, id: PrefixId) -> Option<Instant> {
        self.waiting.get(&id)?.better_since
    }

    /// A candidate of a smaller metric, held back by smoothing only, is looked at again when its
    /// smoothed metric will have come down, rather than when the next update happens to come.
    fn schedule_crossings(
        &mut self,
        now: Instant,
        id: PrefixId,
        judgement: &Judgement<X::Attr, P::Key>,
        incumbent: usize,
    ) {
        let half_life = self.config.smoothing_half_life;
        let Some(used) = judgement.at(incumbent) else {
            return;
        };
        let Some(entry) = self.table.get(id) else {
            return;
        };
        let earliest = judgement
            .candidates
            .iter()
            .filter(|c| c.metric < used.metric && c.smoothed >= used.smoothed)
            .filter_map(|c| {
                let smoothed = entry.route(c.neighbour)?.smoothed;
                smoothed.below_at(used.smoothed.min(used.metric), c.metric, half_life, now)
            })
            .min();
        if let Some(at) = earliest {
            self.look_again(now, id, at);
        }
    }

    /// Has the prefix judged again at `at`, or earlier if that is arranged already.
    fn look_again(&mut self, now: Instant, id: PrefixId, at: Instant) {
        let waiting = self.waiting.entry(id).or_default();
        if waiting
            .look_at
            .is_none_or(|arranged| arranged <= now || arranged > at)
        {
            waiting.look_at = Some(at);
            self.timers.chore(Chore::Select(id), at);
        }
    }

    /// Puts a choice into effect.
    fn select(
        &mut self,
        now: Instant,
        id: PrefixId,
        choice: Option<(usize, Option<ChangeReason>)>,
        judgement: &Judgement<X::Attr, P::Key>,
    ) {
        let chosen = choice.and_then(|(index, _)| judgement.at(index)).copied();
        let best_metric = judgement.eligible(true).chain(judgement.eligible(false));
        let best_metric = best_metric
            .filter_map(|(i, _)| Some(judgement.at(i)?.metric))
            .min();
        let Some(entry) = self.table.get_mut(id) else {
            return;
        };
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
        let voluntary = choice.and_then(|(_, reason)| reason);
        let reason = match (voluntary, old) {
            (Some(reason), _) => reason,
            (None, None) => ChangeReason::Metric,
            (None, Some(old)) => self.loss_reason(id, old, judgement),
        };
        if let Some(count) = self.counters.route_changes.get_mut(reason.index()) {
            *count += 1;
        }
        self.remember_move(now, id, voluntary.is_some());
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
        if entry.xroute.is_some() {
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

    fn remember_move(&mut self, now: Instant, id: PrefixId, voluntary: bool) {
        if let Some(waiting) = self.waiting.get_mut(&id) {
            waiting.request_at = None;
            waiting.preferred_since = None;
            let held = waiting.better_since.take().is_some();
            if voluntary && held {
                waiting.doublings = (waiting.doublings_at(now) + 1).min(MAX_DOUBLINGS);
                waiting.last_move = Some(now);
            } else if waiting.doublings_at(now) == 0 {
                self.waiting.remove(&id);
            }
        }
    }

    /// Asks for a new seqno where that would give a route, or a better one (RFC 8966 §3.8.2.1,
    /// §3.8.2.2): the preferred candidate is often unfeasible just because it is not the nearest.
    fn want_better(&mut self, now: Instant, id: PrefixId, judgement: &Judgement<X::Attr, P::Key>) {
        let starving = self
            .table
            .get(id)
            .is_some_and(|entry| entry.selected.is_none());
        if starving {
            let mut wanted = false;
            for (index, _) in judgement.eligible(false) {
                if let Some(candidate) = judgement.at(index).copied() {
                    self.want_seqno_from(now, id, candidate.neighbour, REQUEST_GAP.0);
                    wanted = true;
                }
            }
            if wanted {
                self.advance_request(now, id);
            }
            return;
        }
        let preferred = judgement.best(false).and_then(|(index, key)| {
            let (incumbent, incumbent_key) = judgement.incumbent()?;
            (key < incumbent_key).then_some((index, incumbent, key, incumbent_key))
        });
        let Some((index, incumbent, key, incumbent_key)) = preferred else {
            if let Some(waiting) = self.waiting.get_mut(&id) {
                waiting.preferred_since = None;
            }
            return;
        };
        let due = match self.policy.when(&incumbent_key, &key) {
            Move::AtOnce => true,
            Move::WhenSmoothed => crossed(judgement, incumbent, index),
            Move::AfterHold => {
                let hold = self.hold_time(now, id, judgement, index);
                let waiting = self.waiting.entry(id).or_default();
                let since = *waiting.preferred_since.get_or_insert(now);
                if now < since + hold {
                    self.look_again(now, id, since + hold);
                }
                now >= since + hold
            }
        };
        if let Some(candidate) = judgement.at(index).copied().filter(|_| due) {
            self.want_seqno_from(now, id, candidate.neighbour, PATIENT_REQUEST_GAP);
            self.advance_request(now, id);
        }
    }

    /// An unfeasible update for the selected route was ignored: ask for a new seqno.
    pub(super) fn want_seqno(&mut self, now: Instant, id: PrefixId, neighbour: NeighbourId) {
        self.want_seqno_from(now, id, neighbour, PATIENT_REQUEST_GAP);
        self.advance_request(now, id);
    }

    /// Sends a unicast request to `neighbour` for the route it announced, if one is due.
    fn want_seqno_from(
        &mut self,
        now: Instant,
        id: PrefixId,
        neighbour: NeighbourId,
        first_gap: Duration,
    ) {
        let waiting = self.waiting.entry(id).or_default();
        let (at, _) = *waiting.request_at.get_or_insert((now, first_gap));
        if at <= now {
            self.originate_request(now, id, neighbour);
        }
    }

    /// After requests were sent: the next ones wait twice as long.
    fn advance_request(&mut self, now: Instant, id: PrefixId) {
        let Some(waiting) = self.waiting.get_mut(&id) else {
            return;
        };
        if let Some((_, gap)) = waiting.request_at.filter(|(at, _)| *at <= now) {
            waiting.request_at = Some((now + gap, (gap * 2).min(REQUEST_GAP.1)));
            self.look_again(now, id, now + gap);
        }
    }
}

impl Waiting {
    /// Whether nothing is left to remember.
    fn is_over(&self, now: Instant) -> bool {
        self.better_since.is_none()
            && self.preferred_since.is_none()
            && self.doublings_at(now) == 0
            && self.request_at.is_none_or(|(at, gap)| now > at + gap)
            && self.look_at.is_none_or(|at| at < now)
    }

    /// Doublings left after quiet time has taken some back.
    fn doublings_at(&self, now: Instant) -> u32 {
        let quiet = self.last_move.map_or(Duration::MAX, |last| now.since(last));
        let decayed = u32::try_from(quiet.as_secs() / DOUBLING_DECAY.as_secs()).unwrap_or(u32::MAX);
        self.doublings.saturating_sub(decayed)
    }
}

/// RFC 8966 appendix A.3, as stock: better now, and better over time.
fn crossed<A: Copy, K: Ord + Copy>(
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
