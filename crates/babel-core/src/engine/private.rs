//! Routes of our own that one neighbour alone may hear of: probe addresses, by which downloads
//! are made to come back through that neighbour.
//!
//! Whatever is said of such a route is said by unicast, to that neighbour; everybody else is
//! answered as if there were no such route. A retraction by multicast would undo it, so those who
//! must be told that a route became private, or who ask for it, are told by unicast, too.

use super::Engine;
use super::announce::own_route;
use crate::ext::Extension;
use crate::policy::SelectionPolicy;
use crate::prefix::RouteKey;
use crate::table::{Entry, PrefixId};
use crate::time::Instant;
use crate::types::{LinkId, NeighbourId, Party};

/// Who is told of a private route, or that it is gone.
#[derive(Clone, Copy, Debug)]
pub(super) struct Private {
    to: Party,
    /// Who was told before and may not know it any more: told so until the repeats are over.
    before: Before,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Before {
    Nobody,
    One(Party),
    Everybody,
}

/// The one who may hear of a route, if not everybody may.
pub(super) fn only<A>(entry: &Entry<A>) -> Option<Party> {
    own_route(entry).and_then(|xroute| xroute.only)
}

impl<X: Extension, P: SelectionPolicy<X::Attr>> Engine<X, P> {
    /// Before a change is announced: notes who is to be told of it. Answers whether something that
    /// is announced still is to be told to others than before.
    pub(super) fn follow_audience(&mut self, now: Instant, id: PrefixId) -> bool {
        let Some(entry) = self.table.get(id) else {
            return false;
        };
        let told = entry.announced.is_some();
        let known = told || entry.repeats > 0;
        let (was, to) = (self.private.get(&id).copied(), only(entry));
        let before = match (was, to) {
            (None, None) => return false,
            (Some(was), Some(to)) if was.to == to => return false,
            // If it is gone, that is told to whom it was told.
            (Some(_), None) if !entry.is_announceable() => return false,
            (Some(was), None) => {
                // Split horizon may keep silent about what everybody else may hear now.
                let key = entry.key;
                self.private.remove(&id);
                self.tell_party(now, was.to, key);
                return told;
            }
            (Some(was), Some(_)) if was.before != Before::Everybody => Before::One(was.to),
            (Some(_), Some(_)) => Before::Everybody,
            (None, Some(_)) if known => Before::Everybody,
            (None, Some(_)) => Before::Nobody,
        };
        if let Some(to) = to {
            self.private.insert(id, Private { to, before });
        }
        told
    }

    /// A triggered update of a private route, or its retraction; false if the route is public.
    pub(super) fn trigger_private(&mut self, now: Instant, id: PrefixId) -> bool {
        let Some(private) = self.private.get(&id).copied() else {
            return false;
        };
        let Some(key) = self.table.get(id).map(|entry| entry.key) else {
            return true;
        };
        match private.before {
            Before::Nobody => {}
            Before::One(other) => self.tell_party(now, other, key),
            Before::Everybody => {
                let links = self.links.values();
                let all: Vec<(LinkId, NeighbourId)> = links
                    .flat_map(|link| link.neighbours.iter().map(|id| (link.id, *id)))
                    .collect();
                for (link, neighbour) in all {
                    self.tell_alone(now, link, neighbour, key);
                }
            }
        }
        self.tell_party(now, private.to, key);
        true
    }

    /// The copies of an urgent update have left: who had to forget the route has been told.
    pub(super) fn end_private_repeats(&mut self, id: PrefixId) {
        let gone = !self.table.get(id).is_some_and(Entry::is_announceable);
        if gone {
            self.private.remove(&id);
        } else if let Some(private) = self.private.get_mut(&id) {
            private.before = Before::Nobody;
        }
    }

    /// Tells the neighbour, if it is there, what is true of a route.
    pub(super) fn tell_party(&mut self, now: Instant, to: Party, key: RouteKey) {
        let link = self.links.get(&to.link);
        let neighbour = link.and_then(|link| link.by_address.get(&to.address));
        if let Some(neighbour) = neighbour.copied() {
            self.tell_alone(now, to.link, neighbour, key);
        }
    }

    /// Tells one neighbour what is true of a route, by unicast.
    pub(super) fn tell_alone(
        &mut self,
        now: Instant,
        link: LinkId,
        neighbour: NeighbourId,
        key: RouteKey,
    ) {
        let up = self.links.get_mut(&link).filter(|l| l.state.is_some());
        if let Some(link) = up {
            link.queue.push_alone(neighbour, key);
        }
        self.flush_soon(now, link);
    }

    /// Whether a neighbour, or with `None` a whole link, may hear of a route that is announced.
    pub(super) fn may_hear(&self, entry: &Entry<X::Attr>, to: Option<NeighbourId>) -> bool {
        only(entry).is_none_or(|only| {
            to.and_then(|id| self.neighbours.get(&id))
                .is_some_and(|neighbour| neighbour.party() == only)
        })
    }
}
