//! What others do to the kernel's routes, told by its notifications.
//!
//! The caller drops the echoes of our own writes first.

use super::Fib;
use super::route::{KernelRoute, PROTO_BABEL};
use super::unmet::Cause;
use babel_core::time::Instant;

/// Somebody else wrote a route.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Observation {
    /// Which; of what another protocol's route does, only key, table and priority matter.
    pub route: KernelRoute,
    /// Its protocol.
    pub protocol: u8,
    /// What happened.
    pub what: Seen,
}

/// What happened to a route.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Seen {
    /// It is gone.
    Deleted,
    /// It is new beside others.
    Added,
    /// It took the place of what held its slot.
    Replaced,
}

impl Fib {
    /// Takes note. What must be put back is done by the next [`Fib::retry`].
    pub fn observe(&mut self, now: Instant, seen: Observation) {
        let route = seen.route;
        let ours = self
            .installed
            .get(&route.key)
            .filter(|ours| ours.same_slot(&route));
        let babel = seen.protocol == PROTO_BABEL;
        match seen.what {
            Seen::Deleted if babel => {
                self.forget_leftover(&route);
                if let Some(ours) = ours.filter(|ours| *ours == route) {
                    self.lost(now, ours, None);
                }
            }
            Seen::Deleted => {
                let waits = self.unmet.get(&route.key).is_some_and(|(want, cause)| {
                    matches!(cause, Cause::Foreign | Cause::Occupied)
                        && want.is_some_and(|want| want.same_slot(&route))
                });
                if waits {
                    self.unmet.hurry(now, &route.key);
                }
            }
            Seen::Added | Seen::Replaced if babel => {
                if let Some(ours) = ours.filter(|ours| *ours != route) {
                    self.lost(now, ours, Some(route));
                }
            }
            Seen::Replaced => {
                if let Some(ours) = ours {
                    self.lost(now, ours, None);
                }
            }
            Seen::Added => {}
        }
    }

    fn forget_leftover(&mut self, route: &KernelRoute) {
        if let Some(routes) = self.leftovers.get_mut(&route.key) {
            routes.retain(|leftover| leftover != route);
            if routes.is_empty() {
                self.leftovers.remove(&route.key);
            }
        }
    }
}
