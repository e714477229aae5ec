//! What of somebody else's stands in a pin's way.
//!
//! We could tell our own rules and routes apart even so, but a packet could not: a rule that
//! catches our mark first sends tests astray, and a route in our table sends them past the
//! neighbour. Nothing of it is ever removed; the operator is told and chooses other numbers.

use super::pin::PinSettings;
use babel_netlink::{Route, Rule};
use std::fmt;

/// Something of somebody else's.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Conflict {
    /// A rule of our priority.
    Priority(Rule),
    /// A rule that leads to one of our tables.
    Table(Rule),
    /// A rule for packets with a mark that ours have too.
    Mark(Rule),
    /// A route in one of our tables.
    Route(Route),
}

impl Conflict {
    /// Whether a rule that is not ours stands in our way.
    pub(super) fn of_rule(rule: &Rule, settings: &PinSettings) -> Option<Self> {
        if rule.priority == Some(settings.priority) {
            return Some(Self::Priority(*rule));
        }
        if settings.tables().contains(&rule.table) && !rule.has_more {
            return Some(Self::Table(*rule));
        }
        let mark = rule.mark?;
        let overlaps = settings.marks().any(|ours| {
            // Either rule could see a packet meant for the other.
            let shared = mark.mask & ours.mask;
            shared != 0 && (mark.value ^ ours.value) & shared == 0
        });
        overlaps.then_some(Self::Mark(*rule))
    }
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Priority(rule) => write!(
                f,
                "the rule \"{rule}\" is not ours and has our priority: set another 'probe-priority'"
            ),
            Self::Table(rule) => write!(
                f,
                "the rule \"{rule}\" is not ours and uses our tables: set another 'probe-table'"
            ),
            Self::Mark(rule) => write!(
                f,
                "the rule \"{rule}\" is not ours and takes our marks: set another 'probe-mark'"
            ),
            Self::Route(route) => write!(
                f,
                "the route \"{route}\" is not ours and in our table: set another 'probe-table'"
            ),
        }
    }
}
