//! What the configuration says of measuring neighbours and of ranking by it.
//!
//! All of it is off by default: see [`QualitySettings::ranking_on`].

use babel_core::prefix::{Family, Prefix};
use qos_ranker::{Goal, Peer, Quality};
use speedtest::Url;
use std::path::PathBuf;
use std::time::Duration;

/// Goals that a node may have: a client of the control socket must not fill memory.
pub const MAX_GOALS: usize = 1024;
/// Targets that a node may have.
pub const MAX_TARGETS: usize = 64;
/// Neighbours that can be tested at the same time: each has a mark, a table and an address.
pub const PROBE_SLOTS: u32 = 4;

/// `speedtest-target`: a server to test through each neighbour against.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Target {
    /// What the operator calls it.
    pub name: String,
    /// Where it is and what it speaks.
    pub url: Url,
    /// Its results rank routes in this prefix only; `None`: all.
    pub prefix: Option<Prefix>,
    /// Between tests through one neighbour, on average.
    pub interval: Duration,
    /// Octets a day for all tests against it.
    pub daily_budget: u64,
}

/// `measure`: somebody else's measurement.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Measure {
    /// Through this neighbour.
    pub peer: Peer,
    /// For destinations in this prefix; `None` for all.
    pub prefix: Option<Prefix>,
    /// What was measured: at least one component.
    pub quality: Quality,
    /// For how long it counts.
    pub valid: Duration,
}

/// `probe-mark`: the firewall marks of the packets of tests.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ProbeMark {
    value: u32,
    mask: u32,
}

impl ProbeMark {
    /// The marks that begin with `value`, in the bits of `mask`; `None` if there is no room for
    /// [`PROBE_SLOTS`] of them, none of which may be zero.
    pub fn new(value: u32, mask: u32) -> Option<Self> {
        let marks = Self { value, mask };
        let fits = |slot| {
            marks
                .checked_slot(slot)
                .is_some_and(|mark| mark != 0 && mark & !mask == 0)
        };
        (0..PROBE_SLOTS).all(fits).then_some(marks)
    }

    /// The mark of a slot, below [`PROBE_SLOTS`].
    pub fn slot(&self, slot: u32) -> u32 {
        self.checked_slot(slot.min(PROBE_SLOTS - 1))
            .unwrap_or(self.value)
    }

    /// The bits that are ours; all others are left alone.
    pub const fn mask(&self) -> u32 {
        self.mask
    }

    fn checked_slot(&self, slot: u32) -> Option<u32> {
        let lowest = self.mask & self.mask.wrapping_neg();
        self.value.checked_add(lowest.checked_mul(slot)?)
    }
}

impl Default for ProbeMark {
    fn default() -> Self {
        Self {
            value: 0xB000_0000,
            mask: 0xF000_0000,
        }
    }
}

impl std::fmt::Display for ProbeMark {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:#x}/{:#x}", self.value, self.mask)
    }
}

/// One statement about measuring or ranking.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum QualityOption {
    /// `qos-goal`; one for each prefix.
    Goal(Goal),
    /// `speedtest-target`; one for each name.
    Target(Target),
    /// `speedtest-target NAME none`
    NoTarget(String),
    /// `unproven-penalty`
    UnprovenPenalty(u16),
    /// `probe-prefix`; one for each family.
    ProbePrefix(Prefix),
    /// `probe-prefix none`
    NoProbePrefix,
    /// `probe-mark`
    ProbeMark(ProbeMark),
    /// `probe-table`
    ProbeTable(u32),
    /// `probe-priority`
    ProbePriority(u32),
    /// `quality-file`; `None` is `""`, no such file.
    QualityFile(Option<PathBuf>),
}

/// What a node knows of measuring and ranking before it starts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct QualitySettings {
    /// Goals in order of first mention.
    pub goals: Vec<Goal>,
    /// Targets in order of first mention.
    pub targets: Vec<Target>,
    /// Added to the metric of what is announced over an unproven or failing neighbour.
    pub unproven_penalty: u16,
    /// Addresses for tests; at most one prefix of each family.
    pub probe_prefixes: Vec<Prefix>,
    /// Marks of the packets of tests.
    pub probe_mark: ProbeMark,
    /// The first of [`PROBE_SLOTS`] routing tables.
    pub probe_table: u32,
    /// Priority of the rules that lead to them.
    pub probe_priority: u32,
    /// Where measurements are kept between runs.
    pub quality_file: Option<PathBuf>,
}

impl Default for QualitySettings {
    fn default() -> Self {
        Self {
            goals: Vec::new(),
            targets: Vec::new(),
            unproven_penalty: 256,
            probe_prefixes: Vec::new(),
            probe_mark: ProbeMark::default(),
            probe_table: 47600,
            probe_priority: 1000,
            quality_file: Some(PathBuf::from("/var/lib/babel-quality")),
        }
    }
}

impl QualitySettings {
    /// Whether the configuration asks for ranking: a goal or a target. The first `measure` does so
    /// too, at run time.
    pub fn ranking_on(&self) -> bool {
        !self.targets.is_empty() || self.goals.iter().any(|goal| !goal.quality.is_empty())
    }

    /// The target of this name.
    pub fn target(&self, name: &str) -> Option<&Target> {
        self.targets.iter().find(|target| target.name == name)
    }

    /// The probe prefix of `family`.
    pub fn probe_prefix(&self, family: Family) -> Option<Prefix> {
        let mut all = self.probe_prefixes.iter();
        all.find(|prefix| prefix.family() == family).copied()
    }

    /// The routing tables that tests use.
    pub fn probe_tables(&self) -> impl Iterator<Item = u32> {
        let first = self.probe_table;
        (0..PROBE_SLOTS).filter_map(move |slot| first.checked_add(slot))
    }

    /// Why there is no room for `option`; `None` if there is.
    pub(super) fn refuses(&self, option: &QualityOption) -> Option<String> {
        let full = match option {
            QualityOption::Goal(new) => {
                let known = self.goals.iter().any(|known| known.prefix == new.prefix);
                (!known && self.goals.len() >= MAX_GOALS).then_some(MAX_GOALS)
            }
            QualityOption::Target(new) => {
                let known = self.target(&new.name).is_some();
                (!known && self.targets.len() >= MAX_TARGETS).then_some(MAX_TARGETS)
            }
            _ => None,
        }?;
        Some(match option {
            QualityOption::Target(_) => format!(
                "there are {full} targets already: 'speedtest-target NAME none' takes one away"
            ),
            _ => format!("there are {full} goals already"),
        })
    }

    /// Applies an option.
    pub fn apply(&mut self, option: QualityOption) {
        match option {
            QualityOption::Goal(new) => self.apply_goal(new),
            QualityOption::Target(new) => {
                match self.targets.iter_mut().find(|known| known.name == new.name) {
                    Some(known) => *known = new,
                    None => self.targets.push(new),
                }
            }
            QualityOption::NoTarget(name) => self.targets.retain(|known| known.name != name),
            QualityOption::UnprovenPenalty(v) => self.unproven_penalty = v,
            QualityOption::ProbePrefix(new) => {
                self.probe_prefixes
                    .retain(|known| known.family() != new.family());
                self.probe_prefixes.push(new);
            }
            QualityOption::NoProbePrefix => self.probe_prefixes.clear(),
            QualityOption::ProbeMark(v) => self.probe_mark = v,
            QualityOption::ProbeTable(v) => self.probe_table = v,
            QualityOption::ProbePriority(v) => self.probe_priority = v,
            QualityOption::QualityFile(v) => self.quality_file = v,
        }
    }

    /// One goal for each prefix. Without components it is an exception to one for more, and the
    /// one for everything is none at all then.
    fn apply_goal(&mut self, new: Goal) {
        if new.prefix.is_none() && new.quality.is_empty() {
            self.goals.retain(|known| known.prefix.is_some());
            return;
        }
        let mut known = self.goals.iter_mut();
        match known.find(|known| known.prefix == new.prefix) {
            Some(known) => *known = new,
            None => self.goals.push(new),
        }
    }
}
