//! What candidates are compared by, most important first.

use crate::price_step::PriceStep;
use babel_core::policy::{MetricKey, Step};
use babel_price_tlv::RoutePrice;
use core::cmp::Ordering;

/// The key of an eligible route; smaller is better.
///
/// Compared in the order of design §4: band and rank (steps 2 and 3) will stand before the price
/// (step 4), then come smoothed metric, incumbent and neighbour (steps 5 to 7) as in stock
/// babeld. The price itself is kept to be shown and is not compared.
#[derive(Clone, Copy, Debug)]
pub struct QosKey {
    /// How dear the route is beside the best.
    pub price_step: PriceStep,
    /// Smoothed metric, incumbent, neighbour.
    pub metric: MetricKey,
    pub(crate) price: RoutePrice,
}

impl QosKey {
    /// All that is compared.
    const fn compared(&self) -> (PriceStep, MetricKey) {
        (self.price_step, self.metric)
    }

    /// The steps in order, in words.
    pub(crate) fn steps(&self) -> Vec<Step> {
        let mut steps = vec![Step {
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
        }];
        steps.extend(self.metric.steps());
        steps
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
