//! One batch: from what is wanted to what must be written, and from the kernel's answers to what
//! is now held.

use super::route::{Kernel, KernelRoute, Verb, Write};
use super::unmet::Cause;
use super::{BATCH, Fib, strerror};
use babel_core::prefix::RouteKey;
use babel_core::time::Instant;
use nix::errno::Errno;
use std::collections::BTreeMap;

/// What was asked for one prefix in the first half of a batch.
#[derive(Clone, Copy, Debug)]
struct Step {
    want: KernelRoute,
    verb: Verb,
    /// What we held before.
    held: Option<KernelRoute>,
}

impl Fib {
    /// Makes the kernel hold `wants`. First everything is added or replaced, then what is no
    /// longer wanted is deleted, so no prefix is ever without a route that should have one.
    pub(super) fn reconcile(
        &mut self,
        now: Instant,
        wants: BTreeMap<RouteKey, Option<KernelRoute>>,
        kernel: &mut impl Kernel,
    ) {
        let mut steps = Vec::new();
        let mut doomed = Vec::new();
        for (key, want) in wants {
            self.unmet.remove(&key);
            let held = self.installed.get(&key);
            match want {
                Some(want) if held == Some(want) => {}
                Some(want) => steps.extend(self.plan(want, held, &mut doomed)),
                None => doomed.extend(held),
            }
        }
        self.write_steps(now, &steps, &mut doomed, kernel);
        self.delete_unwanted(now, &doomed, kernel);
    }

    /// Deletes `routes`; returns those that the kernel still holds, with its reason.
    pub(super) fn delete(
        &mut self,
        routes: &[KernelRoute],
        kernel: &mut impl Kernel,
    ) -> Vec<(KernelRoute, i32)> {
        let writes: Vec<_> = routes
            .iter()
            .map(|route| Write {
                verb: Verb::Delete,
                route: *route,
            })
            .collect();
        let answers = self.write(&writes, kernel);
        let mut kept = Vec::new();
        for (route, errno) in routes.iter().zip(answers) {
            match errno.map(Errno::from_raw) {
                None => self.counters.routes_deleted += 1,
                // The kernel was faster: the link went down, or the address went away.
                Some(Errno::ESRCH | Errno::ENOENT | Errno::ENODEV) => {}
                Some(error) => {
                    self.counters.errors += 1;
                    kept.push((*route, error as i32));
                }
            }
        }
        kept
    }

    /// Finds out whose routes hold the slots we were refused: ours are replaced, others left.
    pub(super) fn claim_occupied(&mut self, now: Instant, kernel: &mut impl Kernel) {
        let occupied = self.unmet.occupied(now, BATCH);
        let mut own: BTreeMap<u32, Vec<KernelRoute>> = BTreeMap::new();
        for want in occupied {
            let routes = own.entry(want.table).or_insert_with(|| {
                kernel.own_routes(want.table).unwrap_or_else(|error| {
                    tracing::warn!("cannot read kernel table {}: {error}", want.table);
                    Vec::new()
                })
            });
            match routes.iter().find(|route| route.same_slot(&want)) {
                Some(ours) => {
                    let leftovers = self.leftovers.entry(want.key).or_default();
                    leftovers.retain(|route| !route.same_slot(ours));
                    leftovers.push(*ours);
                }
                None => {
                    tracing::warn!(
                        "{want}: a route of another protocol is there already; ours is not \
                         installed until that one is removed"
                    );
                    self.unmet.defer(now, want.key, Some(want), Cause::Foreign);
                }
            }
        }
    }

    /// How to get from `held` to `want`. Routes of a former life at this prefix are used up:
    /// one in the same slot is replaced, the others go.
    fn plan(
        &mut self,
        want: KernelRoute,
        held: Option<KernelRoute>,
        doomed: &mut Vec<KernelRoute>,
    ) -> Option<Step> {
        let mut in_slot = held.filter(|held| held.same_slot(&want));
        for leftover in self.leftovers.remove(&want.key).unwrap_or_default() {
            if leftover.same_slot(&want) {
                in_slot = Some(leftover);
            } else if Some(leftover) != held {
                doomed.push(leftover);
            }
        }
        if let Some(held) = held.filter(|held| !held.same_slot(&want)) {
            doomed.push(held);
        }
        if in_slot == Some(want) {
            self.installed.insert(want);
            return None;
        }
        let verb = if in_slot.is_some() {
            Verb::Replace
        } else {
            Verb::Add
        };
        Some(Step {
            want,
            verb,
            held: in_slot,
        })
    }

    fn write_steps(
        &mut self,
        now: Instant,
        steps: &[Step],
        doomed: &mut Vec<KernelRoute>,
        kernel: &mut impl Kernel,
    ) {
        let writes: Vec<_> = steps
            .iter()
            .map(|step| Write {
                verb: step.verb,
                route: step.want,
            })
            .collect();
        let answers = self.write(&writes, kernel);
        for (step, errno) in steps.iter().zip(answers) {
            let want = step.want;
            let Some(errno) = errno else {
                self.counters.routes_written += 1;
                self.installed.insert(want);
                continue;
            };
            // The engine has left the old route: following it further might make a loop.
            doomed.extend(step.held);
            let cause = match Errno::from_raw(errno) {
                Errno::EEXIST if step.verb == Verb::Add => Cause::Occupied,
                _ => {
                    tracing::warn!("kernel refuses route {want}: {}", strerror(errno));
                    Cause::Refused
                }
            };
            self.counters.errors += 1;
            self.unmet.defer(now, want.key, Some(want), cause);
        }
    }

    fn delete_unwanted(&mut self, now: Instant, doomed: &[KernelRoute], kernel: &mut impl Kernel) {
        for route in doomed {
            if self.installed.get(&route.key) == Some(*route) {
                self.installed.remove(&route.key);
            }
        }
        for (route, errno) in self.delete(doomed, kernel) {
            tracing::warn!("cannot delete route {route}: {}", strerror(errno));
            let alone = self.installed.get(&route.key).is_none();
            if alone && self.unmet.get(&route.key).is_none() {
                self.installed.insert(route);
                self.unmet.defer(now, route.key, None, Cause::Refused);
            } else {
                self.leftovers.entry(route.key).or_default().push(route);
            }
        }
    }

    /// Sends `writes` in batches; the kernel's error for each, if any.
    fn write(&mut self, writes: &[Write], kernel: &mut impl Kernel) -> Vec<Option<i32>> {
        let mut answers = Vec::with_capacity(writes.len());
        for batch in writes.chunks(BATCH) {
            let start = answers.len();
            answers.resize(start + batch.len(), None);
            let Some(answers) = answers.get_mut(start..) else {
                continue;
            };
            match kernel.write(batch) {
                Ok(refusals) => {
                    for refusal in refusals {
                        if let Some(answer) = answers.get_mut(refusal.index) {
                            *answer = Some(refusal.errno);
                        }
                    }
                }
                Err(error) => {
                    tracing::error!("cannot write to the kernel: {error}");
                    answers.fill(Some(error.raw_os_error().unwrap_or(Errno::EIO as i32)));
                }
            }
        }
        answers
    }
}
