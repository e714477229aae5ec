//! The last changes of selected routes, for people who ask what happened.
//!
//! A ring of a few: one small record a change, whatever the size of the table. Neighbours appear
//! by link and address, because many a change is that a neighbour is gone.

use super::Engine;
use crate::ext::Extension;
use crate::policy::{ChangeReason, SelectionPolicy};
use crate::table::PrefixId;
use crate::time::Instant;
use crate::types::{NeighbourId, Party};
use crate::view::Decision;
use std::collections::VecDeque;

/// Decisions kept.
const KEPT: usize = 32;

#[derive(Debug, Default)]
pub(super) struct Decisions {
    ring: VecDeque<Decision>,
    /// Neighbours removed since selection ran last: their routes are still being replaced.
    departed: Vec<(NeighbourId, Party)>,
}

impl Decisions {
    /// A neighbour is gone, but not yet from the routes it was selected for.
    pub(super) fn departed(&mut self, id: NeighbourId, party: Party) {
        self.departed.push((id, party));
    }

    /// Selection has run: no route is of a neighbour that is gone.
    pub(super) fn forget_departed(&mut self) {
        self.departed.clear();
    }

    fn push(&mut self, decision: Decision) {
        if self.ring.len() >= KEPT {
            self.ring.pop_front();
        }
        self.ring.push_back(decision);
    }
}

impl<X: Extension, P: SelectionPolicy<X::Attr>> Engine<X, P> {
    /// The last 32 changes of a selected route, newest first.
    pub fn decisions(&self) -> impl DoubleEndedIterator<Item = &Decision> + ExactSizeIterator {
        self.decisions.ring.iter().rev()
    }

    pub(super) fn record_decision(
        &mut self,
        at: Instant,
        id: PrefixId,
        (from, to): (Option<NeighbourId>, Option<NeighbourId>),
        reason: ChangeReason,
    ) {
        let Some(key) = self.table.get(id).map(|entry| entry.key) else {
            return;
        };
        let (from, to) = (
            from.and_then(|id| self.party(id)),
            to.and_then(|id| self.party(id)),
        );
        self.decisions.push(Decision {
            at,
            key,
            from,
            to,
            reason,
        });
    }

    /// Who a neighbour is, or was until a moment ago.
    fn party(&self, id: NeighbourId) -> Option<Party> {
        let known = self.neighbours.get(&id).map(|neighbour| neighbour.party());
        known.or_else(|| {
            let departed = self.decisions.departed.iter();
            departed
                .rev()
                .find(|(gone, _)| *gone == id)
                .map(|(_, party)| *party)
        })
    }
}
