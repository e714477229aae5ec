//! A filter rule in words, for people.

use babel_core::filter::{Action, PlenRange, Rule};
use std::fmt;

/// The selectors and actions of a rule, each after a space.
pub(super) struct RuleText<'r>(pub(super) &'r Rule);

impl fmt::Display for RuleText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rule = self.0;
        word(f, "ip", rule.ip)?;
        lengths(f, "", rule.plen)?;
        word(f, "src-ip", rule.src_ip)?;
        lengths(f, "src-", rule.src_plen)?;
        word(f, "neigh", rule.neigh)?;
        word(f, "id", rule.id)?;
        word(f, "proto", rule.proto)?;
        if rule.local {
            f.write_str(" local")?;
        }
        word(f, "if", rule.interface.as_ref())?;
        actions(f, &rule.action)
    }
}

fn actions(f: &mut fmt::Formatter<'_>, action: &Action) -> fmt::Result {
    match (action.deny, action.metric) {
        (true, _) => f.write_str(" deny")?,
        (false, 0) => f.write_str(" allow")?,
        (false, metric) => write!(f, " metric {metric}")?,
    }
    word(f, "price", action.price)?;
    word(f, "src-prefix", action.src_prefix)?;
    word(f, "table", action.table)?;
    word(f, "pref-src", action.pref_src)
}

fn word<T: fmt::Display>(f: &mut fmt::Formatter<'_>, name: &str, value: Option<T>) -> fmt::Result {
    value.map_or(Ok(()), |value| write!(f, " {name} {value}"))
}

fn lengths(f: &mut fmt::Formatter<'_>, start: &str, range: Option<PlenRange>) -> fmt::Result {
    match range {
        None => Ok(()),
        Some(PlenRange { min, max }) if min == max => write!(f, " {start}eq {min}"),
        Some(PlenRange { min: 0, max }) => write!(f, " {start}le {max}"),
        Some(PlenRange { min, max }) => write!(f, " {start}ge {min} {start}le {max}"),
    }
}
