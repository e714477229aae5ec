//! The documents of `json usage`: what each neighbour carries, and what it promises.
//!
//! Counted here, because all routes by themselves are too much to send once a second.

use super::json::push_line;
use super::{LinkNames, line};
use crate::node::Node;
use babel_core::prefix::Family;
use babel_core::types::LinkId;
use babel_core::view::RouteView;
use babel_price_tlv::RoutePrice;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::Ipv6Addr;

/// What a neighbour carries and promises.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct UsageDocument {
    /// The neighbour's link-local address.
    pub address: Ipv6Addr,
    /// On this interface.
    #[serde(rename = "if")]
    pub interface: String,
    /// Routes in use via it.
    pub routes_in_use: usize,
    /// The route it is judged by: its default route, or else its best. Absent if it has none.
    #[serde(default, flatten, skip_serializing_if = "Option::is_none")]
    pub promise: Option<Promise>,
}

/// What a neighbour says of one prefix.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Promise {
    /// The prefix.
    pub prefix: String,
    /// The metric it advertises.
    pub refmetric: u16,
    /// With the cost of the link.
    pub metric: u16,
    /// What it costs us, if it is priced; 4294967295 is "not for sale".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<u32>,
}

#[derive(Debug, Default)]
struct Tally {
    in_use: usize,
    best: Option<RouteView<RoutePrice>>,
}

/// `json usage`: one document for each neighbour that announces anything.
pub(super) fn usage(node: &dyn Node) -> String {
    let names = LinkNames::of(&node.interfaces());
    let mut tallies: BTreeMap<(LinkId, Ipv6Addr), Tally> = BTreeMap::new();
    for route in node.engine().routes(node.now()) {
        let tally = tallies.entry((route.link, route.via)).or_default();
        tally.in_use += usize::from(route.installed);
        let better = |held: &RouteView<RoutePrice>| weight(&route) < weight(held);
        if !route.metric.is_infinite() && tally.best.as_ref().is_none_or(better) {
            tally.best = Some(route);
        }
    }
    let mut text = String::new();
    for ((link, address), tally) in tallies {
        let promise = tally.best.map(|route| Promise {
            prefix: route.key.dst().to_string(),
            refmetric: route.refmetric.0,
            metric: route.metric.0,
            price: line::price(&route.attr),
        });
        let document = UsageDocument {
            address,
            interface: names.get(link).to_owned(),
            routes_in_use: tally.in_use,
            promise,
        };
        push_line(&mut text, &document);
    }
    text
}

/// Smaller says more of a neighbour: a default route, IPv4 before IPv6, then the best metric.
fn weight(route: &RouteView<RoutePrice>) -> (bool, bool, u16) {
    let default = route.key.dst().is_default() && !route.key.is_source_specific();
    let other_default = default && route.key.family() != Family::V4;
    (!default, other_default, route.metric.0)
}
