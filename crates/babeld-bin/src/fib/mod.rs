//! Brings the kernel's routing tables to what the engine wants, and keeps them there.
//!
//! The engine says what it wants per prefix ([`FibChange`]); this module knows what the kernel
//! holds of ours and writes the difference, in batches. Invariants:
//! - a change replaces in place, or adds the new route before it deletes the old: never a hole;
//! - a route that the engine no longer wants does not stay because its successor was refused;
//! - what is not ours is never replaced: a slot held by another protocol is left to it, said in
//!   the log, and tried again when it is freed;
//! - one call writes one bounded batch; what failed waits in `unmet`, one entry for each prefix.
//!
//! It must not decide which route is best, and it does not read the clock.

mod capability;
#[cfg(test)]
mod fake;
mod observe;
mod reconcile;
mod route;
mod table;
#[cfg(test)]
mod tests;
mod unmet;

pub use capability::forwarding;
pub use observe::{Observation, Seen};
pub use route::{
    Action, Kernel, KernelRoute, PROTO_BABEL, Refusal, UNREACHABLE_PRIORITY, Verb, Write,
};

use crate::node::KernelCounters;
use babel_core::event::{FibChange, FibTarget};
use babel_core::prefix::{Family, RouteKey};
use babel_core::time::Instant;
use babel_core::types::{LinkId, Metric};
use std::collections::BTreeMap;
use std::io;
use table::Installed;
use unmet::{Cause, Unmet};

/// Operations in one batch: about a millisecond of the kernel's time.
pub const BATCH: usize = 256;

/// The settings that turn a target into a route.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Settings {
    /// `export-table`.
    pub table: u32,
    /// `kernel-priority`.
    pub priority: u32,
    /// `reflect-kernel-metric`: the metric is added to the priority.
    pub reflect_metric: bool,
}

/// What is wanted, what is held, and what stands between.
#[derive(Debug)]
pub struct Fib {
    settings: Settings,
    installed: Installed,
    unmet: Unmet,
    /// Routes of ours in the kernel that nothing wants: of a former life, or that could not be
    /// deleted. The routes of a former life serve until [`Fib::release_leftovers`].
    leftovers: BTreeMap<RouteKey, Vec<KernelRoute>>,
    counters: KernelCounters,
}

impl Fib {
    /// Knows of nothing.
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            installed: Installed::default(),
            unmet: Unmet::default(),
            leftovers: BTreeMap::new(),
            counters: KernelCounters::default(),
        }
    }

    /// Takes over what a former life left in `tables`, so that traffic goes on until the engine
    /// knows better. Returns how many there are.
    pub fn adopt(&mut self, tables: &[u32], kernel: &mut impl Kernel) -> io::Result<usize> {
        let mut count = 0;
        for table in tables {
            for route in kernel.own_routes(*table)? {
                self.leftovers.entry(route.key).or_default().push(route);
                count += 1;
            }
        }
        Ok(count)
    }

    /// Writes what the engine changed: one batch, so at most [`BATCH`] changes are welcome.
    /// `ifindex` says which interface a link is now, if it is up.
    pub fn apply(
        &mut self,
        now: Instant,
        changes: &[FibChange],
        ifindex: impl Fn(LinkId) -> Option<u32>,
        kernel: &mut impl Kernel,
    ) {
        let mut wants: BTreeMap<RouteKey, Option<KernelRoute>> = BTreeMap::new();
        for change in changes {
            let want = change
                .target
                .and_then(|target| self.translate(change.key, target, &ifindex));
            wants.insert(change.key, want);
        }
        self.reconcile(now, wants, kernel);
    }

    /// Tries again what could not be done: at most one batch. Returns whether more is due.
    pub fn retry(&mut self, now: Instant, kernel: &mut impl Kernel) -> bool {
        self.claim_occupied(now, kernel);
        let due = self.unmet.take_due(now, BATCH);
        let more = due.len() == BATCH;
        if !due.is_empty() {
            self.reconcile(now, due, kernel);
        }
        more
    }

    /// Deletes what nothing wants: at most one batch. Returns whether more is left.
    pub fn release_leftovers(&mut self, kernel: &mut impl Kernel) -> bool {
        let mut doomed = Vec::new();
        while doomed.len() < BATCH {
            let Some((_, routes)) = self.leftovers.pop_first() else {
                break;
            };
            doomed.extend(routes);
        }
        let kept = self.delete(&doomed, kernel);
        let stuck = !kept.is_empty();
        for (route, _) in kept {
            self.leftovers.entry(route.key).or_default().push(route);
        }
        !self.leftovers.is_empty() && !stuck
    }

    /// Deletes all routes of ours: for the way out. What the kernel refuses to delete is logged.
    pub fn remove_all(&mut self, kernel: &mut impl Kernel) {
        self.unmet = Unmet::default();
        let mut doomed: Vec<KernelRoute> = Vec::new();
        for key in self.installed.keys() {
            doomed.extend(self.installed.remove(&key));
        }
        doomed.extend(std::mem::take(&mut self.leftovers).into_values().flatten());
        for batch in doomed.chunks(BATCH) {
            for (route, errno) in self.delete(batch, kernel) {
                tracing::warn!("cannot delete route {route}: {}", strerror(errno));
            }
        }
    }

    /// Compares what we believe with what the kernel holds, for when notifications were lost or
    /// the kernel drops routes without a word. What is missing is put back by [`Fib::retry`].
    pub fn resync(&mut self, now: Instant, kernel: &mut impl Kernel) -> io::Result<()> {
        let mut tables = self.installed.tables();
        tables.push(self.settings.table);
        tables.extend(self.leftovers.values().flatten().map(|route| route.table));
        tables.sort_unstable();
        tables.dedup();
        let mut held: BTreeMap<RouteKey, Vec<KernelRoute>> = BTreeMap::new();
        for table in tables {
            for route in kernel.own_routes(table)? {
                held.entry(route.key).or_default().push(route);
            }
        }
        for key in self.installed.keys() {
            let Some(ours) = self.installed.get(&key) else {
                continue;
            };
            let found = held.get_mut(&key).and_then(|routes| {
                let place = routes.iter().position(|route| route.same_slot(&ours))?;
                Some(routes.swap_remove(place))
            });
            if found != Some(ours) {
                self.lost(now, ours, found);
            }
        }
        // What else carries our mark is ours only if it was there when we started: later it may
        // be the work of another daemon.
        self.leftovers.retain(|key, routes| {
            routes.retain(|route| held.get(key).is_some_and(|held| held.contains(route)));
            !routes.is_empty()
        });
        Ok(())
    }

    /// When [`Fib::retry`] is due.
    pub fn next_retry(&self) -> Option<Instant> {
        self.unmet.next()
    }

    /// Whether there is anything for [`Fib::release_leftovers`].
    pub fn has_leftovers(&self) -> bool {
        !self.leftovers.is_empty()
    }

    /// How many routes of ours the kernel holds, as far as we know.
    pub fn len(&self) -> usize {
        self.installed.len()
    }

    /// Whether the kernel holds none.
    pub fn is_empty(&self) -> bool {
        self.installed.len() == 0
    }

    /// What was done since start.
    pub const fn counters(&self) -> &KernelCounters {
        &self.counters
    }

    /// The same, to count what happens outside.
    pub const fn counters_mut(&mut self) -> &mut KernelCounters {
        &mut self.counters
    }

    /// The route that carries out `target`; `None` where the kernel should hold nothing.
    fn translate(
        &self,
        key: RouteKey,
        target: FibTarget,
        ifindex: impl Fn(LinkId) -> Option<u32>,
    ) -> Option<KernelRoute> {
        if key.family() == Family::V4 && key.is_source_specific() {
            tracing::debug!("{key}: the kernel has no source-specific IPv4 routes, not installed");
            return None;
        }
        match target {
            FibTarget::Via {
                link,
                next_hop,
                metric,
                table,
                pref_src,
            } => Some(KernelRoute {
                key,
                table: table.unwrap_or(self.settings.table),
                priority: self.priority(key.family(), metric),
                action: Action::Via {
                    ifindex: ifindex(link)?,
                    next_hop,
                    pref_src,
                },
            }),
            // A refused default route would cut the host off from what it can still reach.
            FibTarget::Unreachable if key.dst().is_default() => None,
            FibTarget::Unreachable => Some(KernelRoute {
                key,
                table: self.settings.table,
                priority: UNREACHABLE_PRIORITY,
                action: Action::Unreachable,
            }),
        }
    }

    fn priority(&self, family: Family, metric: Metric) -> u32 {
        let priority = if self.settings.reflect_metric {
            let sum = self.settings.priority.saturating_add(u32::from(metric.0));
            sum.min(u32::from(u16::MAX))
        } else {
            self.settings.priority
        };
        KernelRoute::normal_priority(family, priority)
    }

    /// A route of ours is gone, or was changed into `found`, and not by us: put it back, soon at
    /// first, later and later if it goes on.
    fn lost(&mut self, now: Instant, ours: KernelRoute, found: Option<KernelRoute>) {
        self.counters.repaired += 1;
        match found {
            Some(found) => self.installed.insert(found),
            None => {
                self.installed.remove(&ours.key);
            }
        }
        tracing::debug!("{ours}: vanished from the kernel, putting it back");
        self.unmet.defer(now, ours.key, Some(ours), Cause::Lost);
    }
}

fn strerror(errno: i32) -> io::Error {
    io::Error::from_raw_os_error(errno)
}
