//! What candidates are compared by, most important first.

use crate::band::Band;
use crate::goal::Prefer;
use crate::price_step::PriceStep;
use crate::score::RankStep;
use babel_core::policy::{ChangeReason, MetricKey, Step};
use babel_price_tlv::RoutePrice;
use core::cmp::Ordering;

/// The key of an eligible route; smaller is better.
///
/// Compared in the order of design §4: band, rank, price (`prefer price`: price before rank), then
/// smoothed metric, incumbent and neighbour as in stock babeld. The price itself and the evidence
/// are kept to be shown and are not compared.
#[derive(Clone, Copy, Debug)]
pub struct QosKey {
    /// Measured, and meets the goals?
    pub band: Band,
    /// How far below the best of its band; equal for all that are unproven.
    pub rank: RankStep,
    /// How dear the route is beside the best.
    pub price_step: PriceStep,
    /// Smoothed metric, incumbent, neighbour.
    pub metric: MetricKey,
    /// That of the policy: the same in all keys that are ever compared.
    pub(crate) prefer: Prefer,
    pub(crate) price: RoutePrice,
    pub(crate) evidence: Option<Evidence>,
}

/// Where in the policy's ranks and goals the reason for a band and a rank is found. Good for as
/// long as the policy does not change, and harmless after.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Evidence {
    pub(crate) neighbour: u16,
    /// Which estimate of that neighbour; none if only a black hole is known of it.
    pub(crate) estimate: Option<u16>,
    pub(crate) goal: Option<u16>,
}

impl QosKey {
    /// The two steps between band and metric, in the order in which they count.
    const fn middle(&self) -> [u8; 2] {
        let (rank, price) = (self.rank.number(), self.price_step.number());
        match self.prefer {
            Prefer::Quality => [rank, price],
            Prefer::Price => [price, rank],
        }
    }

    /// All that is compared.
    const fn compared(&self) -> (Band, [u8; 2], MetricKey) {
        (self.band, self.middle(), self.metric)
    }

    /// The first step in which two keys differ, as the reason of a change between them.
    pub(crate) fn decider(&self, other: &Self) -> ChangeReason {
        let [first, second] = match self.prefer {
            Prefer::Quality => [ChangeReason::Rank, ChangeReason::Price],
            Prefer::Price => [ChangeReason::Price, ChangeReason::Rank],
        };
        let ([one, two], [other_one, other_two]) = (self.middle(), other.middle());
        if self.band != other.band {
            ChangeReason::Goal
        } else if one != other_one {
            first
        } else if two != other_two {
            second
        } else {
            ChangeReason::Metric
        }
    }

    /// The steps where nothing is ranked, in words.
    pub(crate) fn stock_steps(&self) -> Vec<Step> {
        let mut steps = vec![self.price_words()];
        steps.extend(self.metric.steps());
        steps
    }

    /// All steps in order, in words.
    pub(crate) fn steps(&self, band: Step, rank: Step) -> Vec<Step> {
        let price = self.price_words();
        let mut steps = match self.prefer {
            Prefer::Quality => vec![band, rank, price],
            Prefer::Price => vec![band, price, rank],
        };
        steps.extend(self.metric.steps());
        steps
    }

    fn price_words(&self) -> Step {
        Step {
            name: "price",
            value: match self.price_step {
                PriceStep::FREE => self.price.to_string(),
                PriceStep::CHEAPEST => format!("{}, the cheapest step", self.price),
                step => {
                    let above = step.number() - PriceStep::CHEAPEST.number();
                    let plural = if above == 1 { "" } else { "s" };
                    format!(
                        "{}, {above} step{plural} of 10% above the cheapest",
                        self.price
                    )
                }
            },
            order: u64::from(self.price_step.number()),
        }
    }
}

impl PartialEq for QosKey {
    fn eq(&self, other: &Self) -> bool {
        self.compared() == other.compared()
    }
}

impl Eq for QosKey {}

impl PartialOrd for QosKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for QosKey {
    fn cmp(&self, other: &Self) -> Ordering {
        self.compared().cmp(&other.compared())
    }
}
