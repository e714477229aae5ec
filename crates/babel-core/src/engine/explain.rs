//! Why a prefix is routed as it is: every candidate, judged again, and what became of it.

use super::Engine;
use super::announce::own_route;
use super::inspect::xroute_view;
use super::select::Judgement;
use crate::ext::Extension;
use crate::policy::{Move, SelectionPolicy};
use crate::prefix::RouteKey;
use crate::route::Route;
use crate::table::{Entry, PrefixId};
use crate::time::Instant;
use crate::view::{CandidateView, Explanation, Outcome};
use core::time::Duration;

impl<X: Extension, P: SelectionPolicy<X::Attr>> Engine<X, P> {
    /// Everything known about `key`; `None` if nothing is.
    pub fn explain(&self, now: Instant, key: &RouteKey) -> Option<Explanation<X::Attr>> {
        let id = self.table.find(key)?;
        let entry = self.table.get(id)?;
        let mut judgement = Judgement::default();
        self.judge(now, entry, &mut judgement);
        let mut candidates: Vec<CandidateView<X::Attr>> = entry
            .routes
            .iter()
            .filter_map(|route| self.explain_route(now, id, entry, route, &judgement))
            .collect();
        candidates.sort_by_key(|c| (!c.route.installed, c.route.neighbour));
        Some(Explanation {
            key: *key,
            xroute: own_route(entry).map(|xroute| xroute_view(*key, xroute)),
            candidates,
            unreachable_for: entry
                .unreachable_until
                .map(|until| until.start().since(now)),
        })
    }

    fn explain_route(
        &self,
        now: Instant,
        id: PrefixId,
        entry: &Entry<X::Attr>,
        route: &Route<X::Attr>,
        judgement: &Judgement<X::Attr, P::Key>,
    ) -> Option<CandidateView<X::Attr>> {
        let neighbour = self.neighbours.get(&route.neighbour)?;
        let index = judgement
            .candidates
            .iter()
            .position(|c| c.neighbour == route.neighbour);
        let key = index.and_then(|index| judgement.key(index));
        Some(CandidateView {
            route: self.route_view(now, id, entry, route)?,
            cost: neighbour.cost,
            distance: entry
                .sources
                .get(route.router_id)
                .map(|s| (s.seqno, s.metric)),
            steps: key.map(|key| self.policy.steps(&key)).unwrap_or_default(),
            outcome: self.outcome(now, id, entry, route, judgement, index),
        })
    }

    fn outcome(
        &self,
        now: Instant,
        id: PrefixId,
        entry: &Entry<X::Attr>,
        route: &Route<X::Attr>,
        judgement: &Judgement<X::Attr, P::Key>,
        index: Option<usize>,
    ) -> Outcome {
        if self.is_shadowed(entry) {
            return Outcome::OwnRoute;
        }
        if entry.selected == Some(route.neighbour) {
            return Outcome::Selected;
        }
        let Some(index) = index else {
            return if route.refused {
                Outcome::Filtered
            } else {
                Outcome::Unreachable
            };
        };
        let Some(key) = judgement.key(index) else {
            let reason = judgement
                .at(index)
                .and_then(|c| self.policy.refusal(&entry.key, c));
            return Outcome::Ineligible(reason.unwrap_or_default());
        };
        if judgement.feasible.get(index) != Some(&true) {
            return Outcome::Unfeasible;
        }
        let used = judgement
            .candidates
            .iter()
            .position(|candidate| candidate.incumbent);
        let Some(used_key) = used.and_then(|used| judgement.key(used)) else {
            return Outcome::Waiting(Duration::ZERO, "selection is due");
        };
        if key < used_key {
            return match self.policy.when(&used_key, &key) {
                Move::AfterHold => {
                    let hold = self.hold_time(now, id, judgement, index);
                    let since = self.better_since(id).unwrap_or(now);
                    Outcome::Waiting((since + hold).since(now), "a better step must stand")
                }
                Move::AtOnce | Move::WhenSmoothed => {
                    Outcome::Waiting(Duration::ZERO, "its metric must be no worse")
                }
            };
        }
        let (mine, theirs) = (self.policy.steps(&key), self.policy.steps(&used_key));
        let decisive = mine
            .iter()
            .zip(&theirs)
            .find(|(mine, theirs)| mine.order != theirs.order);
        Outcome::Worse(decisive.map_or("neighbour", |(mine, _)| mine.name))
    }
}
