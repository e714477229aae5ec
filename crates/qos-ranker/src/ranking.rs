//! Steps 2 and 3 of the choice: band and rank of each candidate, and why, in words.

use crate::band::Band;
use crate::estimate::Estimate;
use crate::goal::{Goal, Goals};
use crate::key::{Evidence, QosKey};
use crate::measurement::Quality;
use crate::ranks::{NeighbourRanks, Ranks};
use crate::score::{RankStep, Score};
use babel_core::policy::{Candidate, Step, Verdict};
use babel_core::prefix::Prefix;
use babel_core::types::Metric;
use babel_price_tlv::RoutePrice;

/// What ranking decides by.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Ranking {
    pub(crate) on: bool,
    pub(crate) ranks: Ranks,
    pub(crate) goals: Goals,
    pub(crate) unproven_penalty: Metric,
}

impl Default for Ranking {
    fn default() -> Self {
        Self {
            on: false,
            ranks: Ranks::default(),
            goals: Goals::default(),
            unproven_penalty: Metric(256),
        }
    }
}

impl Ranking {
    /// Fills band and rank into the keys of one prefix's candidates. Ranks are counted from the
    /// best of each band, so that a neighbour that fails the goals does not move the edges between
    /// those that meet them.
    pub(crate) fn rank(
        &self,
        destination: &Prefix,
        candidates: &[Candidate<RoutePrice>],
        verdicts: &mut [Verdict<QosKey>],
    ) {
        let goal = self.goals.place(destination);
        let mut best: [Option<Score>; 3] = [None; 3];
        for (verdict, candidate) in verdicts.iter_mut().zip(candidates) {
            if let Verdict::Eligible(key) = verdict {
                let score = self.judge(destination, goal, candidate, key);
                if let Some(best) = best.get_mut(usize::from(key.band.number())) {
                    *best = score.max(*best);
                }
            }
        }
        for verdict in verdicts {
            if let Verdict::Eligible(key) = verdict {
                let best = best.get(usize::from(key.band.number())).copied().flatten();
                key.rank = match (key.band, best.zip(self.score(key))) {
                    (Band::Unproven, _) => RankStep::BEST,
                    (_, Some((best, score))) => RankStep::below(best, score),
                    (_, None) => RankStep::LAST,
                };
            }
        }
    }

    /// Fills in band and evidence; the score, if there is one to rank by.
    fn judge(
        &self,
        destination: &Prefix,
        goal: Option<usize>,
        candidate: &Candidate<RoutePrice>,
        key: &mut QosKey,
    ) -> Option<Score> {
        key.band = Band::Unproven;
        let place = self.ranks.place(candidate.link(), candidate.address())?;
        let neighbour = self.ranks.at(place)?;
        let found = neighbour.estimate(destination);
        let index = |place: usize| u16::try_from(place).ok();
        key.evidence = index(place).map(|neighbour| Evidence {
            neighbour,
            estimate: found.and_then(|(place, _)| index(place)),
            goal: goal.and_then(index),
        });
        if neighbour.black_hole {
            key.band = Band::Failing;
            return None;
        }
        let (_, estimate) = found?;
        key.band = estimate.band(&self.wanted(goal));
        Some(estimate.score)
    }

    /// What a judged key is ranked by.
    fn score(&self, key: &QosKey) -> Option<Score> {
        let (neighbour, estimate, _) = self.evidence(key);
        let neighbour = neighbour.filter(|neighbour| !neighbour.black_hole);
        neighbour.and(estimate).map(|estimate| estimate.score)
    }

    fn wanted(&self, goal: Option<usize>) -> Quality {
        let goal = goal.and_then(|goal| self.goals.at(goal));
        goal.map_or(Quality::NONE, |goal| goal.quality)
    }

    /// What is added to the metric on re-advertisement.
    pub(crate) fn penalty(&self, key: &QosKey) -> Metric {
        if self.on && key.band != Band::Proven {
            self.unproven_penalty
        } else {
            Metric::ZERO
        }
    }

    /// The band, and why.
    pub(crate) fn band_step(&self, key: &QosKey) -> Step {
        let why = self.why(key);
        Step {
            name: "band",
            value: format!("{}: {why}", key.band),
            order: key.band.number().into(),
        }
    }

    /// The rank, and by which measurement.
    pub(crate) fn rank_step(&self, key: &QosKey) -> Step {
        let value = match (key.rank, self.evidence(key)) {
            (RankStep::LAST, _) => "below all that was measured".into(),
            (step, (_, Some(estimate), _)) if key.band != Band::Unproven => {
                let steps = match step.number() {
                    0 if key.band == Band::Failing => "with the best of those that fail".into(),
                    0 => "with the best".into(),
                    1 => "1 step of 20% below the best".into(),
                    n => format!("{n} steps of 20% below the best"),
                };
                format!("{}, {steps} ({})", estimate.score, measured(estimate))
            }
            _ => "none: only what is measured ranks".into(),
        };
        Step {
            name: "rank",
            value,
            order: key.rank.number().into(),
        }
    }

    fn why(&self, key: &QosKey) -> String {
        let (neighbour, estimate, goal) = self.evidence(key);
        if neighbour.is_some_and(|neighbour| neighbour.black_hole) {
            return "a black hole, what we send does not come back".into();
        }
        let Some(estimate) = estimate else {
            return "not measured, or too long ago".into();
        };
        let wanted = goal.map_or(Quality::NONE, |goal| goal.quality);
        let goal = goal.map_or_else(|| "there is no goal".into(), Goal::to_string);
        let measured = estimate.quality();
        let missed: Vec<&str> = estimate.misses(&wanted).map(|one| one.label()).collect();
        let unknown: Vec<&str> = estimate.unknown(&wanted).map(|one| one.label()).collect();
        if !missed.is_empty() {
            return format!(
                "{} misses {goal} in {}",
                measured.rounded(),
                missed.join(", ")
            );
        }
        if estimate.doubted {
            return "tests through it fail where others pass".into();
        }
        if !unknown.is_empty() {
            return format!("{} not measured, {goal}", unknown.join(", "));
        }
        if wanted.is_empty() {
            return format!("measured, {goal}");
        }
        format!("{} meets {goal}", measured.rounded())
    }

    fn evidence(
        &self,
        key: &QosKey,
    ) -> (Option<&NeighbourRanks>, Option<&Estimate>, Option<&Goal>) {
        let evidence = key.evidence;
        let neighbour = evidence.and_then(|one| self.ranks.at(one.neighbour.into()));
        let estimate = evidence.and_then(|one| one.estimate);
        let estimate = neighbour
            .zip(estimate)
            .and_then(|(neighbour, estimate)| neighbour.estimates.get(usize::from(estimate)));
        let goal = evidence.and_then(|one| self.goals.at(one.goal?.into()));
        (neighbour, estimate, goal)
    }
}

/// Which measurement, and what it found.
fn measured(estimate: &Estimate) -> String {
    let scope = match estimate.scope {
        Some(scope) => format!("for {scope}"),
        None => "global".into(),
    };
    let source = estimate
        .source
        .as_ref()
        .map(ToString::to_string)
        .unwrap_or_default();
    let sunk = match estimate.sunk {
        0 => String::new(),
        1 => ", ageing: 1 step lower".into(),
        n => format!(", ageing: {n} steps lower"),
    };
    format!("{scope}, {source}: {}{sunk}", estimate.quality().rounded())
}

#[cfg(test)]
mod tests;
