//! How a neighbour stands, for people and for metrics.

use crate::band::Band;
use crate::measurement::Quality;
use crate::report::{Peer, Pinned, Source};
use crate::score::{RankStep, Score};
use babel_core::prefix::Prefix;
use core::time::Duration;

/// What is known of one neighbour for one scope, or from one link test.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Standing {
    /// Through whom.
    pub peer: Peer,
    /// For destinations inside this; `None`: for all.
    pub scope: Option<Prefix>,
    /// Against the goal for the scope's own prefix, or the global goal.
    pub band: Band,
    /// How far below the best neighbour of the same scope and band; `None` if it does not rank.
    pub rank: Option<RankStep>,
    /// `None` if it does not rank.
    pub score: Option<Score>,
    /// The present estimate; a component that was not measured, or ran out, is absent.
    pub quality: Quality,
    /// Since the newest measurement; `None` if nothing was measured.
    pub age: Option<Duration>,
    /// How long it will be believed yet if nothing is measured again.
    pub valid_for: Duration,
    /// Per cent: grows with the number of samples, falls with their age and spread.
    pub confidence: u8,
    /// Measurements that the estimate is made of.
    pub samples: usize,
    /// Whose measurement decided; where several agree, the first in name. `None` if nothing was
    /// measured.
    pub source: Option<Source>,
    /// Of the newest measurement.
    pub pinned: Option<Pinned>,
    /// What people should know: a black hole, a cap, a doubt, why it does not rank.
    pub note: Option<String>,
}
