//! What targets have spent, from one life of the daemon to the next: a budget for any 24 hours must
//! not be renewed by a restart.

use super::Schedule;
use babel_core::time::Instant;
use core::time::Duration;

/// Targets of another life that are remembered until they are told.
const MAX_RESTORED: usize = 256;

impl Schedule {
    /// What counts of each target's budget: its name, how long ago at least, and octets.
    pub(crate) fn spending(&self, now: Instant) -> impl Iterator<Item = (&str, Duration, u64)> {
        let known = self
            .targets
            .iter()
            .map(|(name, target)| (name, &target.budget));
        let all = known.chain(&self.restored);
        all.flat_map(move |(name, budget)| {
            let recent = budget.recent(now);
            recent.map(move |(age, bytes)| (name.as_str(), age, bytes))
        })
    }

    /// What a target had spent in another life, so long ago.
    pub(crate) fn restore_spending(
        &mut self,
        now: Instant,
        target: String,
        age: Duration,
        bytes: u64,
    ) {
        let full = self.restored.len() >= MAX_RESTORED;
        let budget = match self.targets.get_mut(&target) {
            Some(target) => &mut target.budget,
            None if full && !self.restored.contains_key(&target) => return,
            None => self.restored.entry(target).or_default(),
        };
        budget.restore(now, age, bytes);
    }
}
