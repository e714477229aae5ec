//! The selection policy: which routes may be used, and which is best.

use crate::band::Band;
use crate::goal::{Goals, Prefer};
use crate::key::QosKey;
use crate::limit::{MaxPrice, MaxPrices};
use crate::price_step::PriceScale;
use crate::ranking::Ranking;
use crate::ranks::Ranks;
use crate::score::RankStep;
use babel_core::policy::{
    Candidate, ChangeReason, MetricKey, Move, SelectionPolicy, Step, Verdict,
};
use babel_core::prefix::{Prefix, RouteKey};
use babel_core::types::Metric;
use babel_price_tlv::{Price, RoutePrice, Unit};
use core::fmt;

/// The policy of design §4. By default nothing is refused, and where no route has a price the
/// order is stock babeld's.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct QosPolicy {
    unit: Unit,
    require_price: bool,
    max_prices: MaxPrices,
    prefer: Prefer,
    ranking: Ranking,
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

    /// `prefer`: whether rank or price comes first.
    pub fn set_prefer(&mut self, prefer: Prefer) {
        self.prefer = prefer;
    }

    /// Whether measurements count. Off, which is the default, bands and ranks are all equal.
    pub fn set_ranking(&mut self, on: bool) {
        self.ranking.on = on;
    }

    /// What is known of the neighbours. The newest picture replaces the one before.
    pub fn set_ranks(&mut self, ranks: Ranks) {
        self.ranking.ranks = ranks;
    }

    /// `qos-goal`: all of them.
    pub fn set_goals(&mut self, goals: Goals) {
        self.ranking.goals = goals;
    }

    /// `unproven-penalty`: added to the metric of a route from an unproven or failing band when
    /// it is announced further, if ranking is on.
    pub fn set_unproven_penalty(&mut self, penalty: Metric) {
        self.ranking.unproven_penalty = penalty;
    }

    /// Whether measurements count.
    pub const fn ranking(&self) -> bool {
        self.ranking.on
    }

    /// What is known of the neighbours.
    pub const fn ranks(&self) -> &Ranks {
        &self.ranking.ranks
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
        let begin = verdicts.len();
        verdicts.extend(candidates.iter().map(|candidate| {
            if !eligible(candidate) {
                return Verdict::Ineligible;
            }
            Verdict::Eligible(QosKey {
                band: Band::Proven,
                rank: RankStep::BEST,
                price_step: scale.step(candidate.attr().cost()),
                metric: MetricKey::of(candidate),
                prefer: self.prefer,
                price: candidate.attr(),
                evidence: None,
            })
        }));
        if self.ranking.on {
            let ours = verdicts.get_mut(begin..).unwrap_or_default();
            self.ranking.rank(key.dst(), candidates, ours);
        }
    }

    /// A better band is taken at once; a better rank or price has to stand for the hold time; a
    /// better metric moves as in stock babeld.
    fn when(&self, incumbent: &QosKey, better: &QosKey) -> Move {
        match incumbent.decider(better) {
            ChangeReason::Goal => Move::AtOnce,
            ChangeReason::Rank | ChangeReason::Price => Move::AfterHold,
            _ => Move::WhenSmoothed,
        }
    }

    fn reason(&self, incumbent: &QosKey, better: &QosKey) -> ChangeReason {
        incumbent.decider(better)
    }

    fn steps(&self, key: &QosKey) -> Vec<Step> {
        if !self.ranking.on {
            return key.stock_steps();
        }
        key.steps(self.ranking.band_step(key), self.ranking.rank_step(key))
    }

    fn penalty(&self, key: &QosKey) -> Metric {
        self.ranking.penalty(key)
    }

    fn refusal(&self, key: &RouteKey, candidate: &Candidate<RoutePrice>) -> Option<String> {
        let limit = self.max_prices.for_destination(key.dst());
        let refusal = self.refuses(candidate.attr(), limit)?;
        Some(refusal.to_string())
    }
}

#[cfg(test)]
mod tests;
