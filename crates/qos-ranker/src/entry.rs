//! All that is known of one neighbour for one scope, from however many sources.
//!
//! Across several sources the low quantile counts: of two to four the worst. A neighbour that is
//! good towards one server only must not pass for a good neighbour.

use crate::estimate::{Estimate, Figure, Sticky};
use crate::history::{History, Origin};
use crate::measurement::{Component, Quality};
use crate::moment::{Freshness, Lifetime};
use crate::report::Source;
use babel_core::prefix::Prefix;
use babel_core::time::Instant;
use std::collections::BTreeMap;

/// Sources of one neighbour and scope that are remembered.
const MAX_SOURCES: usize = 8;
/// Steps taken from a score that has nothing fresh left in one of its components.
const SUNK_WHEN_STALE: u8 = 4;

/// One neighbour, one scope.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Entry {
    pub(crate) histories: BTreeMap<Origin, History>,
    /// In the order of [`Component::ALL`].
    pub(crate) published: [Option<Sticky>; 4],
    /// When it was last heard of, by [`crate::Ranker`]'s count.
    pub(crate) touched: u64,
}

/// One component over all sources.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Combined<'a> {
    pub(crate) value: u64,
    pub(crate) freshness: Freshness,
    pub(crate) count: usize,
    pub(crate) spread: u8,
    /// Whose value it is; `None`: a passive cap.
    pub(crate) source: Option<&'a Source>,
}

impl Entry {
    /// Adds a measurement.
    pub(crate) fn record(
        &mut self,
        now: Instant,
        origin: Origin,
        quality: &Quality,
        life: Lifetime,
    ) -> &mut History {
        let source = origin.source.clone();
        let history = self.history(now, origin);
        history.record(&source, quality, life);
        history
    }

    /// The readings of an origin; if there are too many origins, the one silent for longest goes.
    pub(crate) fn history(&mut self, now: Instant, origin: Origin) -> &mut History {
        if !self.histories.contains_key(&origin) && self.histories.len() >= MAX_SOURCES {
            let oldest = self
                .histories
                .iter()
                .max_by_key(|(_, history)| history.age(now));
            if let Some(oldest) = oldest.map(|(origin, _)| origin.clone()) {
                self.histories.remove(&oldest);
            }
        }
        self.histories.entry(origin).or_default()
    }

    /// Brings what is published up to date. `cap` is the most that the link was seen to carry.
    pub(crate) fn settle(&mut self, now: Instant, cap: Option<u64>) {
        self.histories.retain(|_, history| {
            history.sweep(now);
            !history.is_empty()
        });
        self.published = Component::ALL.map(|component| {
            let value = self.combined(component, now, cap)?.value;
            let [download, upload, latency, loss] = self.published;
            let old = match component {
                Component::Download => download,
                Component::Upload => upload,
                Component::Latency => latency,
                Component::Loss => loss,
            };
            Some(match old {
                Some(old) => old.follow(component, value),
                None => Sticky::new(value),
            })
        });
    }

    /// What is published; `None` if there is nothing fresh and no doubt.
    pub(crate) fn estimate(
        &self,
        scope: Option<Prefix>,
        now: Instant,
        cap: Option<u64>,
    ) -> Option<Estimate> {
        let combined = Component::ALL.map(|component| self.combined(component, now, cap));
        let mut figures = [None; 4];
        for ((figure, combined), sticky) in figures.iter_mut().zip(&combined).zip(self.published) {
            *figure = combined
                .as_ref()
                .zip(sticky)
                .map(|(combined, sticky)| Figure {
                    sticky,
                    fresh: matches!(combined.freshness, Freshness::Fresh(_)),
                });
        }
        let sunk = combined
            .iter()
            .flatten()
            .map(|combined| match combined.freshness {
                Freshness::Fresh(steps) => steps,
                Freshness::Stale | Freshness::Gone => SUNK_WHEN_STALE,
            });
        let mut sources = combined
            .iter()
            .flatten()
            .filter_map(|combined| combined.source);
        let source = sources.next().cloned();
        let sunk = sunk.max().unwrap_or(0);
        let estimate = Estimate::new(scope, figures, sunk, self.is_doubted(), source);
        (estimate.is_fresh() || estimate.doubted).then_some(estimate)
    }

    /// One component over all sources that rank.
    pub(crate) fn combined(
        &self,
        component: Component,
        now: Instant,
        cap: Option<u64>,
    ) -> Option<Combined<'_>> {
        let measured = self.low_quantile(component, now);
        let Some(cap) = cap.filter(|_| component == Component::Upload) else {
            return measured;
        };
        let capped = Combined {
            value: cap,
            freshness: Freshness::Fresh(0),
            count: 0,
            spread: 0,
            source: None,
        };
        match measured {
            Some(measured) if measured.value <= cap => Some(measured),
            Some(measured) => Some(Combined {
                value: cap,
                ..measured
            }),
            // What the link was seen to carry is a figure, where anything else is known.
            None => self.is_measured(now).then_some(capped),
        }
    }

    /// Whether any ranking source has said anything that is fresh.
    fn is_measured(&self, now: Instant) -> bool {
        let mut readings = self.ranking().flat_map(|(_, history)| history.readings());
        readings.any(|(_, reading)| reading.life.is_fresh(now))
    }

    pub(crate) fn is_doubted(&self) -> bool {
        self.ranking().any(|(_, history)| history.doubted.is_some())
    }

    /// The origins that rank the neighbour.
    pub(crate) fn ranking(&self) -> impl Iterator<Item = (&Source, &History)> {
        let ranking = self.histories.iter().filter(|(origin, _)| origin.ranks);
        ranking.map(|(origin, history)| (&origin.source, history))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.histories.is_empty()
    }

    pub(crate) fn next_change(&self, now: Instant) -> Option<Instant> {
        let histories = self.histories.values();
        histories
            .filter_map(|history| history.next_change(now))
            .min()
    }

    /// Among fresh values if there are any, else among the last known: the worst of up to four,
    /// the second worst of up to eight.
    fn low_quantile(&self, component: Component, now: Instant) -> Option<Combined<'_>> {
        let mut all: Vec<Combined<'_>> = self
            .ranking()
            .filter_map(|(source, history)| {
                let middle = history.middle(component, now)?;
                Some(Combined {
                    value: middle.value,
                    freshness: middle.freshness,
                    count: middle.count,
                    spread: middle.spread,
                    source: Some(source),
                })
            })
            .collect();
        let is_fresh = |one: &Combined<'_>| matches!(one.freshness, Freshness::Fresh(_));
        if all.iter().any(is_fresh) {
            all.retain(is_fresh);
        }
        // Stable, so that of equal ones the first in name is shown.
        if component.more_is_better() {
            all.sort_by_key(|one| one.value);
        } else {
            all.sort_by_key(|one| core::cmp::Reverse(one.value));
        }
        all.get(all.len().saturating_sub(1) / 4).copied()
    }
}
