//! Asking for a new seqno, where that would give a route or a better one (RFC 8966 §3.8.2).
//!
//! Whom the policy prefers is asked, never the incumbent in its stead; and until it has answered,
//! or for a second, a new seqno is not told through the incumbent.

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

impl<X: Extension, P: SelectionPolicy<X::Attr>> Engine<X, P> {
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
            let all = judgement.eligible(false);
            let all: Vec<NeighbourId> = all
                .filter_map(|(index, _)| Some(judgement.at(index)?.neighbour))
                .collect();
            return self.ask(now, id, REQUEST_GAP.0, &all);
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
        let Some(candidate) = judgement.at(index).filter(|_| due) else {
            return;
        };
        if how == Move::WhenSmoothed {
            return self.ask(now, id, PATIENT_REQUEST_GAP, &[candidate.neighbour]);
        }
        let wanted = self.whom_to_ask(id, judgement, &key);
        if let Some(first) = wanted.first() {
            self.prefer(now, id, judgement, (*first, key));
        }
        let rounds = self.waiting.get(&id).map_or(0, |waiting| waiting.rounds);
        let (first, others) = wanted.split_at(wanted.len().min(1));
        let next = rounds.checked_sub(1).zip(others.len().checked_sub(1));
        let next = next.and_then(|(turn, last)| others.get(turn % (last + 1)));
        let asked: Vec<NeighbourId> = first.iter().chain(next).copied().collect();
        self.ask(now, id, PATIENT_REQUEST_GAP, &asked);
    }

    /// The preferred neighbour, and behind it those that are no worse but for their metrics: from
    /// the second request on each gets its turn beside it. Who may just be telling us what we told
    /// it comes last; it could pass a request back to nobody but us.
    fn whom_to_ask(
        &self,
        id: PrefixId,
        judgement: &Judgement<X::Attr, P::Key>,
        best: &P::Key,
    ) -> Vec<NeighbourId> {
        let peers = judgement.eligible(false).filter(|(_, key)| {
            // The best itself is no better than itself.
            key == best || self.policy.when(key, best) == Move::WhenSmoothed
        });
        let peers = peers.filter_map(|(index, key)| Some((judgement.at(index)?.neighbour, key)));
        let mut peers: Vec<(bool, P::Key, NeighbourId)> = peers
            .map(|(neighbour, key)| (self.may_be_echo(id, neighbour), key, neighbour))
            .collect();
        peers.sort_unstable_by_key(|(echo, key, _)| (*echo, *key));
        peers.into_iter().map(|(.., neighbour)| neighbour).collect()
    }

    /// Whether a neighbour's route may be our own, come back: if so, it is further from the
    /// destination than we ever said to be, by at least the link to us.
    fn may_be_echo(&self, id: PrefixId, neighbour: NeighbourId) -> bool {
        let entry = self.table.get(id);
        let route = entry.and_then(|entry| entry.route(neighbour));
        let source = route.and_then(|route| entry?.sources.get(route.router_id));
        let rxcost = self.neighbours.get(&neighbour).map(|n| n.rxcost);
        match (route, source, rxcost) {
            (Some(route), Some(source), Some(rxcost)) => {
                route.refmetric >= source.metric.plus(rxcost)
            }
            _ => false,
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
        waiting.rounds = 0;
        self.look_again(now, id, at);
    }

    /// An unfeasible update for the selected route was ignored: ask for a new seqno, unless a
    /// preferred neighbour is being asked already. The incumbent must not use up its turn.
    pub(super) fn want_seqno(&mut self, now: Instant, id: PrefixId, neighbour: NeighbourId) {
        let waiting = self.waiting.get(&id);
        if waiting.is_some_and(|waiting| waiting.preferred.is_some()) {
            return;
        }
        self.ask(now, id, PATIENT_REQUEST_GAP, &[neighbour]);
    }

    /// Sends unicast requests for the routes that some neighbours announced, the preferred one
    /// first, if requests are due; the next ones wait twice as long.
    fn ask(&mut self, now: Instant, id: PrefixId, first_gap: Duration, whom: &[NeighbourId]) {
        let Some(first) = whom.first() else {
            return;
        };
        let selected = self.table.get(id).and_then(|entry| entry.selected);
        let waiting = self.waiting.entry(id).or_default();
        let (at, gap) = *waiting.request_at.get_or_insert((now, first_gap));
        if at > now {
            return;
        }
        waiting.asked = Some((*first, now));
        let other = selected.filter(|selected| selected != first);
        waiting.guarded_until = other.map(|_| now + GUARD_TIME);
        waiting.rounds = waiting.rounds.saturating_add(1);
        waiting.request_at = Some((now + gap, (gap * 2).min(REQUEST_GAP.1)));
        for neighbour in whom {
            self.originate_request(now, id, *neighbour);
        }
        self.look_again(now, id, now + gap);
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
}
