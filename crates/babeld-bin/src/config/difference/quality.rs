//! What differs in goals, targets and the other words about measuring.

use super::{Difference, Shown, changed};
use crate::config::quality::{ProbeMark, QualitySettings, Target};
use babel_core::prefix::Prefix;
use qos_ranker::Goal;

impl Difference {
    /// All of them can change at run time.
    pub(super) fn quality(&mut self, old: &QualitySettings) {
        let Self { lines, target, .. } = self;
        let new = &target.quality;
        lines.extend(goals(&old.goals, &new.goals));
        lines.extend(targets(&old.targets, &new.targets));
        macro_rules! live {
            ($($word:literal $field:ident)*) => { $(
                lines.extend(changed($word, &old.$field, &new.$field));
            )* };
        }
        live!("unproven-penalty" unproven_penalty "probe-prefix" probe_prefixes);
        live!("probe-mark" probe_mark "probe-table" probe_table);
        live!("probe-priority" probe_priority "quality-file" quality_file);
    }
}

/// As they are written, one line for each that came, went or changed.
fn goals(old: &[Goal], new: &[Goal]) -> Vec<String> {
    let gone = old.iter().filter_map(|before| {
        let kept = new.iter().any(|after| after.prefix == before.prefix);
        (!kept).then(|| format!("qos-goal: remove {}", goal(before)))
    });
    let come = new.iter().filter_map(|after| {
        match old.iter().find(|before| before.prefix == after.prefix) {
            None => Some(format!("qos-goal: add {}", goal(after))),
            Some(before) if before == after => None,
            Some(before) => Some(format!("qos-goal: {} -> {}", goal(before), goal(after))),
        }
    });
    gone.chain(come).collect()
}

fn goal(goal: &Goal) -> String {
    let prefix = goal.prefix.map(|prefix| format!("ip {prefix}"));
    let quality = (!goal.quality.is_empty()).then(|| goal.quality.to_string());
    let words: Vec<String> = prefix.into_iter().chain(quality).collect();
    words.join(" ")
}

fn targets(old: &[Target], new: &[Target]) -> Vec<String> {
    let named = |all: &[Target], name: &str| all.iter().find(|one| one.name == name).cloned();
    let gone = old.iter().filter_map(|before| {
        let kept = named(new, &before.name).is_some();
        (!kept).then(|| format!("speedtest-target {}: remove", before.name))
    });
    let come = new.iter().filter_map(|after| {
        let name = &after.name;
        match named(old, name) {
            None => Some(format!("speedtest-target {name}: add {}", target(after))),
            Some(before) if before == *after => None,
            Some(before) => {
                let (before, after) = (target(&before), target(after));
                Some(format!("speedtest-target {name}: {before} -> {after}"))
            }
        }
    });
    gone.chain(come).collect()
}

fn target(target: &Target) -> String {
    let prefix = target.prefix.map(|prefix| format!(" ip {prefix}"));
    format!(
        "{}{} interval {} daily-budget {}",
        target.url,
        prefix.unwrap_or_default(),
        target.interval.as_secs(),
        target.daily_budget
    )
}

impl Shown for Prefix {
    fn shown(&self) -> String {
        self.to_string()
    }
}

impl Shown for ProbeMark {
    fn shown(&self) -> String {
        self.to_string()
    }
}
