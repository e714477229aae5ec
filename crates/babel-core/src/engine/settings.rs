//! Settings that change at run time: what follows from them is judged and announced at once.

use super::Engine;
use crate::config::Forwarding;
use crate::ext::Extension;
use crate::policy::SelectionPolicy;
use crate::time::Instant;
use crate::types::{Metric, NeighbourId};
use core::time::Duration;

impl<X: Extension, P: SelectionPolicy<X::Attr>> Engine<X, P> {
    /// Changes the extension's settings; what that changes for neighbours is announced.
    pub fn update_extension(&mut self, now: Instant, change: impl FnOnce(&mut X)) {
        change(&mut self.extension);
        self.mark_all_dirty();
        self.tell_all(now);
        self.settle(now);
    }

    /// Changes the policy; all prefixes are judged again.
    pub fn update_policy(&mut self, now: Instant, change: impl FnOnce(&mut P)) {
        change(&mut self.policy);
        self.mark_all_dirty();
        self.settle(now);
    }

    /// Changes what the policy thinks of some neighbours: only prefixes to which one of these
    /// announced a route are judged again.
    pub fn update_policy_of(
        &mut self,
        now: Instant,
        neighbours: &[NeighbourId],
        change: impl FnOnce(&mut P),
    ) {
        change(&mut self.policy);
        for id in neighbours {
            let Some(neighbour) = self.neighbours.get(id) else {
                continue;
            };
            for prefix in &neighbour.routes {
                if let Some(entry) = self.table.get_mut(*prefix)
                    && !entry.dirty
                {
                    entry.dirty = true;
                    self.dirty.push(*prefix);
                }
            }
        }
        self.settle(now);
    }

    /// Says what the forwarding plane can hold; everything, unless told otherwise.
    pub fn set_forwarding(&mut self, now: Instant, forwarding: Forwarding) {
        self.forwarding = forwarding;
        self.mark_all_dirty();
        self.settle(now);
    }

    /// Changes `smoothing-half-life`.
    pub fn set_smoothing_half_life(&mut self, half_life: Duration) {
        self.config.smoothing_half_life = half_life;
    }

    /// From which metric on a route of our own lets a learned route to the same prefix be used
    /// (`allow-duplicates`); `None`, as at first, for never. To be said before there are routes.
    pub const fn set_allow_duplicates(&mut self, from: Option<Metric>) {
        self.allow_duplicates = from;
    }
}
