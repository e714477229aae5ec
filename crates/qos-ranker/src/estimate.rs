//! What is published of one neighbour for one scope, and how it is held against a goal.
//!
//! Two kinds of calm are built in here. A published value moves only when the estimate has left
//! it by half a step of score. And a goal, once met, is missed only a tenth below it: each value
//! carries the best goal that it still meets, which follows the value upwards at once and
//! downwards only when that is a tenth away. So no goal can be crossed twice by noise of less
//! than a tenth, whichever it is.

use crate::band::Band;
use crate::measurement::{Component, Quality};
use crate::report::Source;
use crate::score::{Score, are_near};
use babel_core::prefix::Prefix;

/// A value as published.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Sticky {
    pub(crate) value: u64,
    /// The hardest goal that it still meets.
    pub(crate) met: u64,
}

impl Sticky {
    pub(crate) const fn new(value: u64) -> Self {
        Self { value, met: value }
    }

    /// Follows a new estimate.
    pub(crate) fn follow(self, component: Component, estimate: u64) -> Self {
        let near = are_near(component, self.value, estimate);
        let tenth = estimate / 10;
        let met = if component.more_is_better() {
            // A ninth above is what lies a tenth above the estimate.
            self.met
                .min(estimate.saturating_add(estimate / 9))
                .max(estimate)
        } else {
            self.met.max(estimate - tenth).min(estimate)
        };
        let value = if near { self.value } else { estimate };
        Self { value, met }
    }
}

/// One component of an estimate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Figure {
    pub(crate) sticky: Sticky,
    /// Measured lately. A stale one counts against the score and for no goal.
    pub(crate) fresh: bool,
}

impl Figure {
    fn meets(&self, component: Component, goal: u64) -> bool {
        if component.more_is_better() {
            self.sticky.met >= goal
        } else {
            self.sticky.met <= goal
        }
    }
}

/// What is published of one neighbour for one scope.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Estimate {
    /// For destinations inside this; `None`: for all.
    pub(crate) scope: Option<Prefix>,
    /// In the order of [`Component::ALL`].
    pub(crate) figures: [Option<Figure>; 4],
    /// How many steps its age has taken from the score.
    pub(crate) sunk: u8,
    /// The neighbour seems to drop the tests of a target.
    pub(crate) doubted: bool,
    /// Whose measurement decided; `None` if only a doubt is known.
    pub(crate) source: Option<Source>,
    pub(crate) score: Score,
}

impl Estimate {
    /// Puts one together; its score follows from the rest.
    pub(crate) fn new(
        scope: Option<Prefix>,
        figures: [Option<Figure>; 4],
        sunk: u8,
        doubted: bool,
        source: Option<Source>,
    ) -> Self {
        // Where a value ran out, it counts at its last or as neutral, whichever is worse: nobody
        // gains from not being measured.
        let known = Score::of(&quality(&figures, false));
        let fresh = Score::of(&quality(&figures, true));
        Self {
            scope,
            figures,
            sunk,
            doubted,
            source,
            score: known.min(fresh).lowered(sunk),
        }
    }

    /// The fresh components.
    pub(crate) fn quality(&self) -> Quality {
        quality(&self.figures, true)
    }

    /// Whether anything of it is fresh.
    pub(crate) fn is_fresh(&self) -> bool {
        self.figures.iter().flatten().any(|figure| figure.fresh)
    }

    /// Against a goal; an empty one asks for nothing but a measurement.
    pub(crate) fn band(&self, goal: &Quality) -> Band {
        if self.misses(goal).next().is_some() {
            Band::Failing
        } else if self.doubted || !self.is_fresh() || self.unknown(goal).next().is_some() {
            Band::Unproven
        } else {
            Band::Proven
        }
    }

    /// The components that were measured and are below the goal.
    pub(crate) fn misses(&self, goal: &Quality) -> impl Iterator<Item = Component> {
        self.wanted(goal).filter_map(|(component, figure, wanted)| {
            let figure = figure.filter(|figure| figure.fresh)?;
            (!figure.meets(component, wanted)).then_some(component)
        })
    }

    /// The components that the goal asks for and nobody measured lately.
    pub(crate) fn unknown(&self, goal: &Quality) -> impl Iterator<Item = Component> {
        self.wanted(goal)
            .filter(|(_, figure, _)| !figure.is_some_and(|figure| figure.fresh))
            .map(|(component, _, _)| component)
    }

    fn wanted(
        &self,
        goal: &Quality,
    ) -> impl Iterator<Item = (Component, Option<Figure>, u64)> + use<> {
        let wanted = Component::ALL.map(|component| goal.component(component));
        let both = Component::ALL.into_iter().zip(self.figures).zip(wanted);
        both.filter_map(|((component, figure), wanted)| Some((component, figure, wanted?)))
    }
}

fn quality(figures: &[Option<Figure>; 4], only_fresh: bool) -> Quality {
    let mut quality = Quality::NONE;
    for (component, figure) in Component::ALL.into_iter().zip(figures) {
        let figure = figure.filter(|figure| figure.fresh || !only_fresh);
        quality.set_component(component, figure.map(|figure| figure.sticky.value));
    }
    quality
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MBIT: u64 = 1_000_000;

    fn follow(component: Component, values: &[u64]) -> Sticky {
        let first = Sticky::new(values[0]);
        let follow = |sticky: Sticky, value: &u64| sticky.follow(component, *value);
        values[1..].iter().fold(first, follow)
    }

    fn estimate(download: &[u64], latency: &[u64]) -> Estimate {
        let figure = |component, values: &[u64]| {
            (!values.is_empty()).then(|| Figure {
                sticky: follow(component, values),
                fresh: true,
            })
        };
        let download = figure(Component::Download, download);
        let latency = figure(Component::Latency, latency);
        Estimate::new(None, [download, None, latency, None], 0, false, None)
    }

    fn goal(text: &str, latency_ms: Option<u64>) -> Quality {
        Quality {
            download: text.parse().ok(),
            latency: latency_ms.map(core::time::Duration::from_millis),
            ..Quality::NONE
        }
    }

    #[test]
    fn a_value_moves_only_when_the_estimate_is_half_a_step_away() {
        let value = |values: &[u64]| follow(Component::Download, values).value / MBIT;
        assert_eq!(value(&[20 * MBIT, 21 * MBIT]), 20);
        assert_eq!(value(&[20 * MBIT, 19 * MBIT, 21 * MBIT]), 20);
        assert_eq!(value(&[20 * MBIT, 22 * MBIT]), 22);
        assert_eq!(value(&[20 * MBIT, 18 * MBIT]), 18);
    }

    #[test]
    fn a_goal_once_met_is_missed_only_a_tenth_below_and_met_again_at_once() {
        let goal = goal("20M", None);
        let band = |values: &[u64]| estimate(values, &[]).band(&goal);
        assert_eq!(band(&[19 * MBIT]), Band::Failing);
        assert_eq!(band(&[19 * MBIT, 20 * MBIT]), Band::Proven);
        assert_eq!(band(&[20 * MBIT, 19 * MBIT]), Band::Proven);
        assert_eq!(band(&[30 * MBIT, 18_100_000]), Band::Proven);
        assert_eq!(band(&[30 * MBIT, 17_900_000]), Band::Failing);
        assert_eq!(band(&[30 * MBIT, 17_900_000, 19_900_000]), Band::Failing);
    }

    #[test]
    fn latency_is_held_against_a_goal_the_other_way_round() {
        let goal = goal("", Some(50));
        let band = |values: &[u64]| estimate(&[], values).band(&goal);
        assert_eq!(band(&[50_000]), Band::Proven);
        assert_eq!(band(&[50_001]), Band::Failing);
        assert_eq!(band(&[40_000, 55_000]), Band::Proven);
        assert_eq!(band(&[40_000, 56_000]), Band::Failing);
        assert_eq!(band(&[40_000, 56_000, 51_000]), Band::Failing);
    }

    #[test]
    fn what_the_goal_asks_for_and_nobody_measured_is_unproven_unless_another_part_fails() {
        let known = estimate(&[20 * MBIT], &[]);
        assert_eq!(known.band(&Quality::NONE), Band::Proven);
        assert_eq!(known.band(&goal("20M", Some(50))), Band::Unproven);
        assert_eq!(known.band(&goal("21M", Some(50))), Band::Failing);
        let mut stale = known.clone();
        stale.figures[0] = stale.figures[0].map(|figure| Figure {
            fresh: false,
            ..figure
        });
        assert_eq!(stale.band(&Quality::NONE), Band::Unproven);
        assert_eq!(stale.band(&goal("21M", None)), Band::Unproven);
    }

    #[test]
    fn a_component_that_ran_out_never_raises_the_score() {
        for download in [100_000, MBIT, 50 * MBIT] {
            let all = estimate(&[download], &[900_000]);
            for ran_out in [0, 2] {
                let mut figures = all.figures;
                figures[ran_out] = figures[ran_out].map(|figure| Figure {
                    fresh: false,
                    ..figure
                });
                let aged = Estimate::new(None, figures, 0, false, None);
                assert!(aged.score <= all.score);
            }
        }
    }

    proptest! {
        #[test]
        fn noise_of_less_than_a_tenth_crosses_a_goal_once_at_most(
            centre in 1_000_000..1_000_000_000u64, of_goal in 0.8..1.2f64,
            noise in proptest::collection::vec(0.952..1.048f64, 1..40),
        ) {
            let wanted = (centre as f64 * of_goal) as u64;
            for component in [Component::Download, Component::Latency] {
                let mut sticky: Option<Sticky> = None;
                let mut met = Vec::new();
                for factor in &noise {
                    let value = (centre as f64 * factor) as u64;
                    let now = sticky.map_or_else(|| Sticky::new(value), |old| old.follow(component, value));
                    sticky = Some(now);
                    met.push(Figure { sticky: now, fresh: true }.meets(component, wanted));
                }
                met.dedup();
                prop_assert!(met.len() <= 2 && met != [true, false], "{:?}", met);
            }
        }

        #[test]
        fn a_goal_that_is_met_by_the_estimate_is_met_and_one_far_above_is_not(
            values in proptest::collection::vec(1..1_000_000_000u64, 1..20),
        ) {
            let last = values[values.len() - 1];
            let sticky = follow(Component::Download, &values);
            prop_assert!(sticky.met >= last && sticky.met <= last + last / 9);
            let sticky = follow(Component::Latency, &values);
            prop_assert!(sticky.met <= last && sticky.met >= last - last / 10);
        }
    }
}
