//! Prefixes for which the kernel does not hold what is wanted, and when to try again.
//!
//! One entry a prefix, so it is bounded by the route table. Whoever undoes our work time and
//! again is met later and later, up to a minute, so that a fight never takes the processor.

use super::route::KernelRoute;
use babel_core::prefix::RouteKey;
use babel_core::time::Instant;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// First delay after a failure; doubles from there.
const FIRST_DELAY: Duration = Duration::from_millis(500);
/// Longest delay.
const LAST_DELAY: Duration = Duration::from_secs(60);
/// A prefix left alone for this long starts at the first delay again.
const FORGIVEN: Duration = Duration::from_secs(300);

/// Why the kernel does not hold it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Cause {
    /// It was there and is gone.
    Lost,
    /// The kernel refused, with this error.
    Refused,
    /// Something holds the slot; not yet known whether it is ours.
    Occupied,
    /// Another protocol's route holds the slot.
    Foreign,
}

/// One prefix.
#[derive(Clone, Copy, Debug)]
struct Entry {
    want: Option<KernelRoute>,
    cause: Cause,
    due: Instant,
}

/// How often a prefix went wrong lately.
#[derive(Clone, Copy, Debug)]
struct Trouble {
    delay: Duration,
    last: Instant,
}

/// The prefixes, with a queue in order of time.
#[derive(Debug, Default)]
pub(super) struct Unmet {
    entries: BTreeMap<RouteKey, Entry>,
    queue: BTreeSet<(Instant, RouteKey)>,
    trouble: BTreeMap<RouteKey, Trouble>,
    swept: Instant,
}

impl Unmet {
    /// Notes that `want` is not met; it is due after a delay that grows with repetition. What
    /// was only lost is due at once the first time, and so is the question whose a slot is.
    pub(super) fn defer(
        &mut self,
        now: Instant,
        key: RouteKey,
        want: Option<KernelRoute>,
        cause: Cause,
    ) {
        let delay = match cause {
            Cause::Occupied => Duration::ZERO,
            Cause::Foreign => LAST_DELAY,
            Cause::Lost | Cause::Refused => self.delay(now, key, cause),
        };
        self.remove(&key);
        let due = now + delay;
        self.entries.insert(key, Entry { want, cause, due });
        self.queue.insert((due, key));
    }

    /// The prefix is satisfied, or something else is wanted for it.
    pub(super) fn remove(&mut self, key: &RouteKey) {
        if let Some(entry) = self.entries.remove(key) {
            self.queue.remove(&(entry.due, *key));
        }
    }

    /// Makes an entry due now: what stood in its way may be gone.
    pub(super) fn hurry(&mut self, now: Instant, key: &RouteKey) {
        if let Some(entry) = self.entries.get_mut(key) {
            self.queue.remove(&(entry.due, *key));
            entry.due = now;
            self.queue.insert((now, *key));
        }
    }

    /// Removes and returns up to `max` entries that are due.
    pub(super) fn take_due(
        &mut self,
        now: Instant,
        max: usize,
    ) -> BTreeMap<RouteKey, Option<KernelRoute>> {
        let mut due = BTreeMap::new();
        while due.len() < max {
            let Some(&(at, key)) = self.queue.first() else {
                break;
            };
            if at > now {
                break;
            }
            self.queue.pop_first();
            if let Some(entry) = self.entries.remove(&key) {
                due.insert(key, entry.want);
            }
        }
        due
    }

    pub(super) fn next(&self) -> Option<Instant> {
        self.queue.first().map(|(due, _)| *due)
    }

    /// What is wanted for `key`, and why it is not met.
    pub(super) fn get(&self, key: &RouteKey) -> Option<(Option<KernelRoute>, Cause)> {
        self.entries.get(key).map(|entry| (entry.want, entry.cause))
    }

    /// Up to `max` due prefixes whose slot is held by nobody knows whom.
    pub(super) fn occupied(&self, now: Instant, max: usize) -> Vec<KernelRoute> {
        self.queue
            .iter()
            .take_while(|(due, _)| *due <= now)
            .filter_map(|(_, key)| self.entries.get(key))
            .filter(|entry| entry.cause == Cause::Occupied)
            .filter_map(|entry| entry.want)
            .take(max)
            .collect()
    }

    fn delay(&mut self, now: Instant, key: RouteKey, cause: Cause) -> Duration {
        if now.since(self.swept) > FORGIVEN {
            self.trouble.retain(|_, t| now.since(t.last) <= FORGIVEN);
            self.swept = now;
        }
        let first = match cause {
            Cause::Lost => Duration::ZERO,
            Cause::Refused | Cause::Occupied | Cause::Foreign => FIRST_DELAY,
        };
        match self.trouble.get_mut(&key) {
            Some(trouble) if now.since(trouble.last) <= FORGIVEN => {
                trouble.last = now;
                trouble.delay = (trouble.delay * 2).clamp(FIRST_DELAY, LAST_DELAY);
                trouble.delay
            }
            _ => {
                let trouble = Trouble {
                    delay: first,
                    last: now,
                };
                self.trouble.insert(key, trouble);
                first
            }
        }
    }
}
