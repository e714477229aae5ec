//! Time in selection: holds, and smoothed metrics that will cross.
//!
//! What a prefix waits for is kept apart from its entry, and only while there is something to
//! remember: most prefixes have one route and wait for nothing.

use super::Engine;
use super::select::Judgement;
use crate::ext::Extension;
use crate::policy::{Move, SelectionPolicy};
use crate::table::PrefixId;
use crate::time::Instant;
use crate::timer::Chore;
use crate::types::NeighbourId;
use core::time::Duration;

/// The hold is doubled at most this often.
const MAX_DOUBLINGS: u32 = 5;
/// A quiet time that takes back one doubling.
const DOUBLING_DECAY: Duration = Duration::from_secs(600);

/// What a prefix waits for. Kept only while there is something to remember.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Waiting {
    /// Since when a candidate of a better step stood, feasible or not, without a break.
    better_since: Option<Instant>,
    /// Voluntary moves, for the hold time.
    doublings: u32,
    last_move: Option<Instant>,
    /// The next request for a new seqno, and the gap after it.
    pub(super) request_at: Option<(Instant, Duration)>,
    /// Requests sent since the back-off began.
    pub(super) rounds: usize,
    /// Who was asked last, and when.
    pub(super) asked: Option<(NeighbourId, Instant)>,
    /// The neighbour of a better step whose route would be in use if it were feasible.
    pub(super) preferred: Option<NeighbourId>,
    /// Until then the answer to a request has the right of way.
    pub(super) guarded_until: Option<Instant>,
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
            waiting.rounds = 0;
        }
        if stepped {
            waiting.doublings = (waiting.doublings_at(now) + 1).min(MAX_DOUBLINGS);
            waiting.last_move = Some(now);
        } else if waiting.doublings_at(now) == 0 && waiting.request_at.is_none() {
            self.waiting.remove(&id);
        }
    }
}
