//! Time in selection: holds, smoothed metrics that will cross, new seqnos that were asked for.
//!
//! What a prefix waits for is kept apart from its entry, and only while there is something to
//! remember: most prefixes have one route and wait for nothing.

use super::Engine;
use super::select::{Judgement, crossed};
use crate::ext::Extension;
use crate::policy::{Move, SelectionPolicy};
use crate::route::Route;
use crate::table::{Entry, PrefixId};
use crate::time::Instant;
use crate::timer::Chore;
use crate::types::NeighbourId;
use core::time::Duration;

/// The hold is doubled at most this often.
const MAX_DOUBLINGS: u32 = 5;
/// A quiet time that takes back one doubling.
const DOUBLING_DECAY: Duration = Duration::from_secs(600);
/// First and longest gap between two requests for a new seqno of one prefix.
///
/// DEVIATION(RFC 8966 §B): it resends three times; we go on, ever more rarely, for as long as an
/// unfeasible route stands, since nothing else would bring the prefix back.
const REQUEST_GAP: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(256));
/// First gap when there is a route already and only a better one is wanted.
const PATIENT_REQUEST_GAP: Duration = Duration::from_secs(4);

/// How long the answer of a preferred neighbour has the right of way before a new seqno is told
/// through the incumbent: that would raise our feasibility distance above the answer.
const GUARD_TIME: Duration = Duration::from_secs(1);

/// What a prefix waits for. Kept only while there is something to remember.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Waiting {
    /// Since when a candidate of a better step stood, feasible or not, without a break.
    better_since: Option<Instant>,
    /// Voluntary moves, for the hold time.
    doublings: u32,
    last_move: Option<Instant>,
    /// The next request for a new seqno, and the gap after it.
    request_at: Option<(Instant, Duration)>,
    /// Who was asked last, and when.
    asked: Option<(NeighbourId, Instant)>,
    /// The neighbour of a better step whose route would be in use if it were feasible.
    preferred: Option<NeighbourId>,
    /// Until then the answer to a request has the right of way.
    guarded_until: Option<Instant>,
    /// When a chore will look at the prefix again.
    look_at: Option<Instant>,
}

impl Waiting {
    /// Whether nothing is left to remember.
    pub(super) fn is_over(&self, now: Instant) -> bool {
        self.better_since.is_none()
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

impl<X: Extension, P: SelectionPolicy<X::Attr>> Engine<X, P> {
    /// Notes since when a better step than the incumbent's stands. One that is unfeasible counts:
    /// its time runs while it is asked for, so that its answer is taken at once.
    pub(super) fn follow_better(
        &mut self,
        now: Instant,
        id: PrefixId,
        judgement: &Judgement<X::Attr, P::Key>,
        incumbent: &P::Key,
    ) {
        let better = |(_, key): (usize, P::Key)| {
            key < *incumbent && self.policy.when(incumbent, &key) != Move::WhenSmoothed
        };
        let all = judgement.eligible(true).chain(judgement.eligible(false));
        if all.into_iter().any(better) {
            let waiting = self.waiting.entry(id).or_default();
            waiting.better_since.get_or_insert(now);
        } else if let Some(waiting) = self.waiting.get_mut(&id) {
            waiting.better_since = None;
        }
    }

    /// Whether a better step has stood for long enough; if not, it is looked at when it will have.
    pub(super) fn hold_over(
        &mut self,
        now: Instant,
        id: PrefixId,
        judgement: &Judgement<X::Attr, P::Key>,
        best: usize,
    ) -> bool {
        let hold = self.hold_time(now, id, judgement, best);
        let since = self.better_since(id).unwrap_or(now);
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
            .and_then(|candidate| self.links.get(&candidate.link()));
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
    pub(super) fn schedule_crossings(
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
    pub(super) fn look_again(&mut self, now: Instant, id: PrefixId, at: Instant) {
        let waiting = self.waiting.entry(id).or_default();
        if waiting
            .look_at
            .is_none_or(|arranged| arranged <= now || arranged > at)
        {
            waiting.look_at = Some(at);
            self.timers.chore(Chore::Select(id), at);
        }
    }

    /// The selected route changed: to whose, and how if it was of our own will. A better step
    /// begins to stand anew, longer if the move was for one.
    pub(super) fn remember_move(
        &mut self,
        now: Instant,
        id: PrefixId,
        to: Option<NeighbourId>,
        how: Option<Move>,
    ) {
        let stepped = matches!(how, Some(Move::AtOnce | Move::AfterHold));
        if stepped {
            self.waiting.entry(id).or_default();
        }
        let Some(waiting) = self.waiting.get_mut(&id) else {
            return;
        };
        waiting.better_since = None;
        waiting.guarded_until = None;
        waiting.preferred = None;
        // A metric that wanders between other neighbours is no reason to ask more often.
        let answered = waiting.asked.is_some_and(|(asked, _)| Some(asked) == to);
        if how != Some(Move::WhenSmoothed) || answered {
            waiting.request_at = None;
            waiting.asked = None;
        }
        if stepped {
            waiting.doublings = (waiting.doublings_at(now) + 1).min(MAX_DOUBLINGS);
            waiting.last_move = Some(now);
        } else if waiting.doublings_at(now) == 0 && waiting.request_at.is_none() {
            self.waiting.remove(&id);
        }
    }

    /// Asks for a new seqno where that would give a route, or a better one (RFC 8966 §3.8.2.1,
    /// §3.8.2.2): the preferred candidate is often unfeasible just because it is not the nearest.
    pub(super) fn want_better(
        &mut self,
        now: Instant,
        id: PrefixId,
        judgement: &Judgement<X::Attr, P::Key>,
        chosen: Option<usize>,
    ) {
        let Some(used) = chosen else {
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
        };
        if let Some(waiting) = self.waiting.get_mut(&id) {
            waiting.preferred = None;
        }
        let preferred = judgement.best(false).and_then(|(index, key)| {
            let used_key = judgement.key(used)?;
            (key < used_key).then(|| (index, key, self.policy.when(&used_key, &key)))
        });
        let Some((index, key, how)) = preferred else {
            return;
        };
        let due = match how {
            Move::AtOnce => true,
            Move::WhenSmoothed => crossed(judgement, used, index),
            Move::AfterHold => self.hold_over(now, id, judgement, index),
        };
        if let Some(candidate) = judgement.at(index).copied().filter(|_| due) {
            let neighbour = candidate.neighbour;
            if how != Move::WhenSmoothed {
                self.prefer(now, id, judgement, (neighbour, key));
            }
            self.want_seqno_from(now, id, neighbour, PATIENT_REQUEST_GAP);
            self.advance_request(now, id);
        }
    }

    /// A neighbour of a better step is to be asked. If it was another's turn before that is out of
    /// the question now, it need not wait for as long as that one was silent. One no better than
    /// the other but for its metric does wait: metrics wander.
    fn prefer(
        &mut self,
        now: Instant,
        id: PrefixId,
        judgement: &Judgement<X::Attr, P::Key>,
        (neighbour, key): (NeighbourId, P::Key),
    ) {
        let waiting = self.waiting.entry(id).or_default();
        waiting.preferred = Some(neighbour);
        let Some((asked, last)) = waiting.asked.filter(|(asked, _)| *asked != neighbour) else {
            return;
        };
        let rival = judgement.eligible(false).find(|(index, _)| {
            let rival = judgement.at(*index);
            rival.is_some_and(|candidate| candidate.neighbour == asked)
        });
        if rival.is_some_and(|(_, rival)| self.policy.when(&rival, &key) == Move::WhenSmoothed) {
            return;
        }
        let at = match rival {
            Some(_) => now.max(last + PATIENT_REQUEST_GAP),
            None => now,
        };
        waiting.request_at = Some((at, PATIENT_REQUEST_GAP));
        self.look_again(now, id, at);
    }

    /// An unfeasible update for the selected route was ignored: ask for a new seqno, unless a
    /// preferred neighbour is being asked already. The incumbent must not use up its turn.
    pub(super) fn want_seqno(&mut self, now: Instant, id: PrefixId, neighbour: NeighbourId) {
        let waiting = self.waiting.get(&id);
        if waiting.is_some_and(|waiting| waiting.preferred.is_some()) {
            return;
        }
        self.want_seqno_from(now, id, neighbour, PATIENT_REQUEST_GAP);
        self.advance_request(now, id);
    }

    /// Sends a unicast request to `neighbour` for the route it announced, if one is due.
    pub(super) fn want_seqno_from(
        &mut self,
        now: Instant,
        id: PrefixId,
        neighbour: NeighbourId,
        first_gap: Duration,
    ) {
        let waiting = self.waiting.entry(id).or_default();
        let (at, _) = *waiting.request_at.get_or_insert((now, first_gap));
        if at <= now {
            waiting.asked = Some((neighbour, now));
            let selected = self.table.get(id).and_then(|entry| entry.selected);
            waiting.guarded_until = selected
                .filter(|selected| *selected != neighbour)
                .map(|_| now + GUARD_TIME);
            self.originate_request(now, id, neighbour);
        }
    }

    /// Whether telling of `route`, the incumbent, would spoil the answer that a preferred
    /// neighbour is asked for: its seqno is newer than that of our feasibility distance, which
    /// moves only when we tell (RFC 8966 §3.7.3), so that waiting costs nothing.
    pub(super) fn is_guarded(
        &self,
        now: Instant,
        id: PrefixId,
        entry: &Entry<X::Attr>,
        route: &Route<X::Attr>,
    ) -> bool {
        let guarded = self
            .waiting
            .get(&id)
            .and_then(|waiting| waiting.guarded_until);
        let source = entry.sources.get(route.router_id);
        guarded.is_some_and(|until| now < until)
            && source.is_some_and(|source| route.seqno.newer_than(source.seqno))
    }

    /// An update was held back: it leaves when the guard ends.
    pub(super) fn tell_after_guard(&mut self, id: PrefixId) {
        let until = self
            .waiting
            .get(&id)
            .and_then(|waiting| waiting.guarded_until);
        let (Some(until), Some(entry)) = (until, self.table.get_mut(id)) else {
            return;
        };
        if entry.repeats == 0 {
            entry.repeats = 1;
            self.timers.chore(Chore::Repeat(id), until);
        }
    }

    /// After requests were sent: the next ones wait twice as long.
    pub(super) fn advance_request(&mut self, now: Instant, id: PrefixId) {
        let Some(waiting) = self.waiting.get_mut(&id) else {
            return;
        };
        if let Some((_, gap)) = waiting.request_at.filter(|(at, _)| *at <= now) {
            waiting.request_at = Some((now + gap, (gap * 2).min(REQUEST_GAP.1)));
            self.look_again(now, id, now + gap);
        }
    }
}
