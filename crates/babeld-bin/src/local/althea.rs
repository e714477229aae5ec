//! What the control socket says besides to clients of Althea's babeld, with `althea-compat`.
//!
//! They look words up by name and take the first that they find, so these stand where stock's
//! clients do not mind them. `full-path-rtt` is known for routes that end at the neighbour, and
//! 0.000, "unknown", for all others: no sub-TLV carries it here.

use crate::node::Node;
use babel_core::types::{Metric, NeighbourId};
use babel_core::view::RouteView;
use babel_price_tlv::RoutePrice;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

/// In the greeting, before its `ok`.
pub(super) const GREETING: &str = "ALTHEA 0.1\n";

/// The node's own part of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Althea {
    fee: u32,
    factor: u32,
    rtts: BTreeMap<NeighbourId, Duration>,
}

impl Althea {
    /// As it is now, with the round-trip times of all neighbours.
    pub(super) fn of(node: &dyn Node) -> Self {
        let neighbours = node.engine().neighbours(node.now());
        Self {
            rtts: neighbours.filter_map(|n| Some((n.id, n.rtt?))).collect(),
            ..Self::without_neighbours(node)
        }
    }

    /// As it is now, for a line about `route` alone.
    pub(super) fn of_route(node: &dyn Node, route: &RouteView<RoutePrice>) -> Self {
        let neighbour = node.engine().neighbour(node.now(), route.neighbour);
        let rtt = neighbour.and_then(|neighbour| neighbour.rtt);
        Self {
            rtts: rtt.into_iter().map(|rtt| (route.neighbour, rtt)).collect(),
            ..Self::without_neighbours(node)
        }
    }

    fn without_neighbours(node: &dyn Node) -> Self {
        Self {
            fee: node.engine().extension().fee().to_wire(),
            factor: node.metric_factor(),
            rtts: BTreeMap::new(),
        }
    }

    /// The lines at the head of a dump.
    pub(super) fn head(&self) -> String {
        format!("local fee {}\nmetric factor {}\n", self.fee, self.factor)
    }

    /// ` price N fee N full-path-rtt MS`: what the route costs us, 0 if it is unpriced.
    pub(super) fn words(&self, route: &RouteView<RoutePrice>) -> String {
        let ends_there = route.refmetric == Metric::ZERO;
        let rtt = self.rtts.get(&route.neighbour).filter(|_| ends_there);
        let rtt = rtt.copied().unwrap_or_default();
        let price = super::line::price(&route.attr).unwrap_or(0);
        let mut words = String::with_capacity(50);
        // Writing to a String cannot fail.
        let _ = write!(
            words,
            " price {price} fee {} full-path-rtt {}.{:03}",
            self.fee,
            rtt.as_millis(),
            rtt.subsec_micros() % 1000
        );
        words
    }
}
