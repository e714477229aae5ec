//! How a neighbour stands, for people and for metrics.

use crate::band::Band;
use crate::entry::{Combined, Entry};
use crate::estimate::Estimate;
use crate::goal::Goals;
use crate::history::{History, Origin};
use crate::measurement::{Component, Quality, Rate};
use crate::moment::Freshness;
use crate::ranker::{Known, Ranker};
use crate::report::{Peer, Pinned, Source};
use crate::score::{RankStep, Score};
use babel_core::prefix::Prefix;
use babel_core::time::Instant;
use core::time::Duration;
use std::collections::BTreeMap;

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

impl Standing {
    /// Of a neighbour of which nothing is known.
    pub const fn unmeasured(peer: Peer) -> Self {
        Self {
            peer,
            scope: None,
            band: Band::Unproven,
            rank: None,
            score: None,
            quality: Quality::NONE,
            age: None,
            valid_for: Duration::ZERO,
            confidence: 0,
            samples: 0,
            source: None,
            pinned: None,
            note: None,
        }
    }
}

/// See [`Ranker::standings`].
pub(crate) fn standings(ranker: &Ranker, goals: &Goals, now: Instant) -> Vec<Standing> {
    let mut all = Vec::new();
    for (peer, known) in &ranker.peers {
        let global = Entry::default();
        if known.black_hole.is_some() && !known.scopes.contains_key(&None) {
            all.extend(standing(peer, known, None, &global, goals, now));
        }
        for (scope, entry) in &known.scopes {
            all.extend(standing(peer, known, *scope, entry, goals, now));
            let others = entry.histories.iter().filter(|(origin, _)| !origin.ranks);
            all.extend(others.map(|(origin, history)| shown(peer, *scope, origin, history, now)));
        }
    }
    rank_among(&mut all);
    all
}

/// The standing that ranks, if there is anything to say.
fn standing(
    peer: &Peer,
    known: &Known,
    scope: Option<Prefix>,
    entry: &Entry,
    goals: &Goals,
    now: Instant,
) -> Option<Standing> {
    if entry.ranking().next().is_none() && (known.black_hole.is_none() || scope.is_some()) {
        return None;
    }
    let cap = known.cap(now);
    let estimate = entry.estimate(scope, now, cap);
    let goal = match &scope {
        Some(scope) => goals.for_destination(scope),
        None => goals.global(),
    };
    let goal = goal.map_or(Quality::NONE, |goal| goal.quality);
    let band = if known.black_hole.is_some() {
        Band::Failing
    } else {
        estimate
            .as_ref()
            .map_or(Band::Unproven, |estimate| estimate.band(&goal))
    };
    let combined = Component::ALL.map(|component| entry.combined(component, now, cap));
    let newest = entry.ranking().min_by_key(|(_, history)| history.age(now));
    let remaining = entry.ranking().map(|(_, history)| history.remaining(now));
    let ranks = band != Band::Unproven && known.black_hole.is_none();
    let score = estimate
        .as_ref()
        .filter(|_| ranks)
        .map(|estimate| estimate.score);
    Some(Standing {
        peer: peer.clone(),
        scope,
        band,
        rank: None,
        score,
        quality: present(&combined),
        age: newest.and_then(|(_, history)| history.age(now)),
        valid_for: remaining.max().unwrap_or_default(),
        confidence: confidence(&combined),
        samples: samples(&combined),
        source: combined
            .iter()
            .flatten()
            .find_map(|one| one.source)
            .cloned(),
        pinned: newest.and_then(|(_, history)| history.pinned),
        note: note(known, estimate.as_ref(), &goal, cap),
    })
}

/// A link test, or one that did not surely go through the neighbour.
fn shown(
    peer: &Peer,
    scope: Option<Prefix>,
    origin: &Origin,
    history: &History,
    now: Instant,
) -> Standing {
    let combined = Component::ALL.map(|component| {
        let middle = history.middle(component, now)?;
        Some(Combined {
            value: middle.value,
            freshness: middle.freshness,
            count: middle.count,
            spread: middle.spread,
            source: Some(&origin.source),
        })
    });
    let why = if origin.source.ranks() {
        "does not rank: it did not surely go through this neighbour"
    } else {
        "does not rank: it says nothing of the uplink behind the neighbour"
    };
    Standing {
        peer: peer.clone(),
        scope,
        band: Band::Unproven,
        rank: None,
        score: None,
        quality: present(&combined),
        age: history.age(now),
        valid_for: history.remaining(now),
        confidence: confidence(&combined),
        samples: samples(&combined),
        source: Some(origin.source.clone()),
        pinned: history.pinned,
        note: Some(why.into()),
    }
}

/// Fills in the ranks: steps below the best of the same scope and band. Who shows only some of the
/// neighbours counts anew, for one that is not there is no competitor. What has no score is left.
pub fn rank_among(all: &mut [Standing]) {
    let mut best: BTreeMap<(Option<Prefix>, Band), Score> = BTreeMap::new();
    for one in all.iter() {
        if let Some(score) = one.score {
            let best = best.entry((one.scope, one.band)).or_insert(score);
            *best = score.max(*best);
        }
    }
    for one in all {
        let best = best.get(&(one.scope, one.band));
        if let Some((best, score)) = best.zip(one.score) {
            one.rank = Some(RankStep::below(*best, score));
        }
    }
}

/// The fresh components.
fn present(combined: &[Option<Combined<'_>>; 4]) -> Quality {
    let mut quality = Quality::NONE;
    for (component, one) in Component::ALL.into_iter().zip(combined) {
        let fresh = one.filter(|one| matches!(one.freshness, Freshness::Fresh(_)));
        quality.set_component(component, fresh.map(|one| one.value));
    }
    quality
}

fn samples(combined: &[Option<Combined<'_>>; 4]) -> usize {
    combined
        .iter()
        .flatten()
        .map(|one| one.count)
        .max()
        .unwrap_or(0)
}

/// 50 % for one sample, 83 % for five; an eighth off for each step that its age has taken, and
/// half of the spread. The least of the components.
fn confidence(combined: &[Option<Combined<'_>>; 4]) -> u8 {
    let of = |one: &Combined<'_>| {
        let Freshness::Fresh(sunk) = one.freshness else {
            return 0;
        };
        let many = 100 * one.count / (one.count + 1);
        let sure = many * (8 - usize::from(sunk.min(8))) / 8;
        sure * (200 - usize::from(one.spread.min(100))) / 200
    };
    let measured = combined.iter().flatten().filter(|one| one.source.is_some());
    let least = measured.map(of).min().unwrap_or(0);
    u8::try_from(least).unwrap_or(100)
}

/// What people should know.
fn note(
    known: &Known,
    estimate: Option<&Estimate>,
    goal: &Quality,
    cap: Option<u64>,
) -> Option<String> {
    let mut notes = Vec::new();
    if known.black_hole.is_some() {
        notes.push("black hole: what we send does not come back".to_owned());
    }
    match estimate {
        Some(estimate) => {
            if estimate.doubted {
                notes.push("tests through it fail where others pass".to_owned());
            }
            let below = estimate
                .misses(goal)
                .map(|one| format!("{} misses the goal", one.label()));
            let unknown = estimate.unknown(goal);
            let unknown = unknown.map(|one| format!("{} is not measured", one.label()));
            notes.extend(below.chain(unknown));
        }
        None if known.black_hole.is_none() => notes.push("stale".to_owned()),
        None => {}
    }
    if let Some(cap) = cap {
        let cap = Rate::from_bps(cap);
        notes.push(format!("its link was full at {}", cap.rounded()));
    }
    (!notes.is_empty()).then(|| notes.join("; "))
}
