//! What the schedule is told, and what it orders.

use super::Schedule;
use crate::report::Peer;
use babel_core::prefix::Prefix;
use core::time::Duration;

/// A `speedtest-target`, as far as planning goes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Plan {
    /// Its name.
    pub name: String,
    /// It speaks for destinations inside this; `None`: for all.
    pub scope: Option<Prefix>,
    /// Between two tests of one neighbour, on average.
    pub interval: Duration,
    /// Octets in any 24 hours, over all neighbours.
    pub daily_budget: u64,
    /// The target is the neighbour itself: others' success says nothing of its failure.
    pub link_test: bool,
}

impl Plan {
    /// How long to believe a result: as long as three tests should take, so that none that comes
    /// in time finds the one before it ageing.
    pub fn validity(&self) -> Duration {
        self.interval.saturating_mul(3)
    }
}

/// A neighbour that could be tested now.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PeerState {
    /// Which one.
    pub peer: Peer,
    /// Its link carries traffic that a test would hurt, or that would hurt a test.
    pub busy: bool,
    /// A test that this schedule did not start is using its link.
    pub testing: bool,
}

/// A test to run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Start {
    /// Through whom.
    pub peer: Peer,
    /// Against which target.
    pub target: String,
    /// The target's.
    pub scope: Option<Prefix>,
    /// The most that it may spend, both ways together.
    pub bytes_limit: u64,
    /// For its random payload and lengths.
    pub seed: u64,
}

/// How many tests there were.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct TestCounts {
    /// Ended well.
    pub run: u64,
    /// Left out because the link was busy or the budget spent.
    pub skipped: u64,
    /// Ended badly.
    pub failed: u64,
    /// Octets spent by all of them.
    pub bytes: u64,
}

/// Why a test asked for by hand cannot start.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refusal {
    /// There is no such target.
    #[error("no speedtest-target is called {0}")]
    UnknownTarget(String),
    /// Another test would disturb it.
    #[error("a test is running on {0} already: wait for it to end")]
    LinkInUse(String),
    /// The machine has enough to do.
    #[error(
        "{} tests are running already: wait for one to end",
        Schedule::MAX_AT_ONCE
    )]
    TooMany,
    /// All spent.
    #[error("the daily-budget of speedtest-target {0} is spent: raise it, or wait")]
    BudgetSpent(String),
}
