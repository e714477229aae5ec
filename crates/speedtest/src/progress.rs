//! Tells the daemon where a test stands, at most ten times a second.

use crate::budget::Budget;
use crate::contract::{Message, Phase};
use std::sync::Arc;
use std::time::{Duration, Instant};

const EVERY: Duration = Duration::from_millis(100);

/// Who hears of a test.
pub(crate) struct Progress<'a> {
    tell: &'a mut dyn FnMut(Message),
    budget: Arc<Budget>,
    begun: Instant,
    told: Option<(Phase, Instant)>,
}

impl<'a> Progress<'a> {
    pub(crate) fn new(
        tell: &'a mut dyn FnMut(Message),
        budget: Arc<Budget>,
        begun: Instant,
    ) -> Self {
        Self {
            tell,
            budget,
            begun,
            told: None,
        }
    }

    /// Where the test stands; said at once in a new phase, else when it is time.
    pub(crate) fn at(&mut self, phase: Phase, rate_bps: u64) {
        let now = Instant::now();
        if self
            .told
            .is_some_and(|(was, then)| was == phase && now - then < EVERY)
        {
            return;
        }
        self.told = Some((phase, now));
        (self.tell)(Message::Progress {
            phase,
            bytes: self.budget.spent(),
            rate_bps,
            elapsed_ms: u64::try_from((now - self.begun).as_millis()).unwrap_or(u64::MAX),
        });
    }
}

impl std::fmt::Debug for Progress<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Progress").finish_non_exhaustive()
    }
}
