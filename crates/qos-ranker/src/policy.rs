//! The selection policy: which routes may be used, and which is best.

use crate::key::QosKey;
use crate::limit::{MaxPrice, MaxPrices};
use crate::price_step::PriceScale;
use babel_core::policy::{
    Candidate, ChangeReason, MetricKey, Move, SelectionPolicy, Step, Verdict,
};
use babel_core::prefix::{Prefix, RouteKey};
use babel_price_tlv::{Price, RoutePrice, Unit};
use core::fmt;

/// The policy of design §4. By default nothing is refused, and where no route has a price the
/// order is stock babeld's.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct QosPolicy {
    unit: Unit,
    require_price: bool,
    max_prices: MaxPrices,
}

/// Why a route must not be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Refusal {
    /// Its unit, and ours.
    Unit(Unit, Unit),
    NotForSale,
    /// What it costs, and the statement that forbids it.
    TooDear(RoutePrice, MaxPrice),
    Unpriced,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unit(theirs, ours) => write!(f, "priced in unit {theirs}, ours is {ours}"),
            Self::NotForSale => f.write_str("not for sale"),
            Self::TooDear(price, limit) => write!(f, "price {price} is above {limit}"),
            Self::Unpriced => f.write_str("unpriced, and require-price is set"),
        }
    }
}

impl QosPolicy {
    /// Stock Babel.
    pub fn new() -> Self {
        Self::default()
    }

    /// Our unit of account: a price in another makes a route ineligible.
    pub fn set_unit(&mut self, unit: Unit) {
        self.unit = unit;
    }

    /// `require-price`: whether unpriced routes are ineligible.
    pub fn set_require_price(&mut self, require: bool) {
        self.require_price = require;
    }

    /// `max-price`: for destinations inside `prefix` (`None`: for all) at most `price` (`None`:
    /// no limit). Replaces an earlier one for the same prefix.
    pub fn set_max_price(&mut self, prefix: Option<Prefix>, price: Option<Price>) {
        self.max_prices.set(MaxPrice { prefix, price });
    }

    /// Our unit of account.
    pub const fn unit(&self) -> Unit {
        self.unit
    }

    /// Whether unpriced routes are ineligible.
    pub const fn require_price(&self) -> bool {
        self.require_price
    }

    /// All limits.
    pub const fn max_prices(&self) -> &MaxPrices {
        &self.max_prices
    }

    /// Step 1: why a route must not be used; `None` if it may.
    fn refuses(&self, route: RoutePrice, limit: Option<(MaxPrice, Price)>) -> Option<Refusal> {
        let Some(unit) = route.unit() else {
            return self.require_price.then_some(Refusal::Unpriced);
        };
        if unit != self.unit {
            return Some(Refusal::Unit(unit, self.unit));
        }
        if !route.cost().is_for_sale() {
            return Some(Refusal::NotForSale);
        }
        limit
            .filter(|(_, most)| route.cost() > *most)
            .map(|(statement, _)| Refusal::TooDear(route, statement))
    }
}

impl SelectionPolicy<RoutePrice> for QosPolicy {
    type Key = QosKey;

    fn judge(
        &self,
        key: &RouteKey,
        candidates: &[Candidate<RoutePrice>],
        verdicts: &mut Vec<Verdict<QosKey>>,
    ) {
        let limit = self.max_prices.for_destination(key.dst());
        let eligible =
            |candidate: &Candidate<RoutePrice>| self.refuses(candidate.attr(), limit).is_none();
        let prices = candidates
            .iter()
            .filter(|candidate| eligible(candidate))
            .map(|candidate| candidate.attr().cost());
        let scale = PriceScale::new(prices);
        verdicts.extend(candidates.iter().map(|candidate| {
            if !eligible(candidate) {
                return Verdict::Ineligible;
            }
            Verdict::Eligible(QosKey {
                price_step: scale.step(candidate.attr().cost()),
                metric: MetricKey::of(candidate),
                price: candidate.attr(),
            })
        }));
    }

    /// A better price has to stand for the hold time; a better metric moves as in stock babeld.
    fn when(&self, incumbent: &QosKey, better: &QosKey) -> Move {
        if incumbent.price_step == better.price_step {
            Move::WhenSmoothed
        } else {
            Move::AfterHold
        }
    }

    fn reason(&self, incumbent: &QosKey, better: &QosKey) -> ChangeReason {
        if incumbent.price_step == better.price_step {
            ChangeReason::Metric
        } else {
            ChangeReason::Price
        }
    }

    fn steps(&self, key: &QosKey) -> Vec<Step> {
        key.steps()
    }

    fn refusal(&self, key: &RouteKey, candidate: &Candidate<RoutePrice>) -> Option<String> {
        let limit = self.max_prices.for_destination(key.dst());
        let refusal = self.refuses(candidate.attr(), limit)?;
        Some(refusal.to_string())
    }
}

#[cfg(test)]
mod tests;
