//! How a route is chosen: eligibility, band, rank, price, metric.

use babel_core::policy::{
    BabelMetric, Candidate, ChangeReason, MetricKey, Move, SelectionPolicy, Step, Verdict,
};
use babel_core::prefix::RouteKey;
use babel_price_tlv::RoutePrice;

/// The policy of design §4.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct QosPolicy {}

impl SelectionPolicy<RoutePrice> for QosPolicy {
    type Key = MetricKey;
    fn judge(
        &self,
        key: &RouteKey,
        candidates: &[Candidate<RoutePrice>],
        verdicts: &mut Vec<Verdict<MetricKey>>,
    ) {
        BabelMetric.judge(key, candidates, verdicts);
    }
    fn when(&self, _: &MetricKey, _: &MetricKey) -> Move {
        Move::WhenSmoothed
    }
    fn reason(&self, _: &MetricKey, _: &MetricKey) -> ChangeReason {
        ChangeReason::Metric
    }
    fn steps(&self, key: &MetricKey) -> Vec<Step> {
        key.steps()
    }
}
