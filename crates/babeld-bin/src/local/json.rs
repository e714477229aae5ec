//! The documents of the `json` commands: what `babelctl` and other modern clients read.
//!
//! Keys are stable, units stand in names, and a value that does not apply is left out. One
//! document a line, so that a table of any length can be read and written in bounded memory.

use super::diagnose::diagnosis;
use super::{Identity, line};
use crate::node::{InterfaceView, Node};
use babel_core::ext::Origin;
use babel_core::policy::ChangeReason;
use babel_core::view::{NeighbourView, RouteView, XRouteView};
use babel_price_tlv::RoutePrice;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// One interface.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Interface {
    /// The kernel's name.
    pub name: String,
    /// Whether Babel runs on it.
    pub up: bool,
    /// Our link-local address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ipv6: Option<Ipv6Addr>,
    /// Our IPv4 address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ipv4: Option<Ipv4Addr>,
    /// Why it is down.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub down_reason: Option<String>,
}

/// One neighbour.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Neighbour {
    /// As in the stock protocol: hexadecimal.
    pub id: String,
    /// Its link-local address.
    pub address: Ipv6Addr,
    /// On this interface.
    #[serde(rename = "if")]
    pub interface: String,
    /// Multicast Hello history: four hexadecimal digits, newest at the top bit.
    pub reach: String,
    /// Unicast Hello history.
    pub ureach: String,
    /// What we tell it.
    pub rxcost: u16,
    /// What it tells us; 65535 is infinite.
    pub txcost: u16,
    /// Round-trip time in milliseconds, if it was measured of late.
    pub rtt_ms: Option<f64>,
    /// What it adds to the cost.
    pub rttcost: u16,
    /// The link's cost; 65535 is infinite.
    pub cost: u16,
    /// Routes it announced.
    pub routes: usize,
    /// Since its last Hello.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hello_age_seconds: Option<f64>,
    /// Since its last IHU.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ihu_age_seconds: Option<f64>,
    /// What is wrong with the link to it, and the way out; absent if it works well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diagnosis: Option<String>,
}

/// One route of our own.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct XRoute {
    /// Destination.
    pub prefix: String,
    /// Source prefix, if it is source-specific.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Metric we announce it with.
    pub metric: u16,
    /// `local` or `kernel`.
    pub origin: String,
}

/// One route.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Route {
    /// As in the stock protocol: hexadecimal.
    pub id: String,
    /// Destination.
    pub prefix: String,
    /// Source prefix, if it is source-specific.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Whether it is in use.
    pub installed: bool,
    /// Whether RFC 8966 §3.5.1 allows it.
    pub feasible: bool,
    /// Whether the policy allows it.
    pub eligible: bool,
    /// Originator.
    pub router_id: String,
    /// Originator's seqno.
    pub seqno: u16,
    /// Total metric; 65535 is infinite.
    pub metric: u16,
    /// Total metric, smoothed.
    pub smoothed_metric: u16,
    /// As advertised.
    pub refmetric: u16,
    /// What it costs us per megabyte; 4294967295 is "not for sale".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price: Option<u32>,
    /// Per megabyte from the prefix, if that is another price.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub return_price: Option<u32>,
    /// What prices are counted in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price_unit: Option<u16>,
    /// The neighbour's link-local address.
    pub via: Ipv6Addr,
    /// On this interface.
    #[serde(rename = "if")]
    pub interface: String,
    /// Where packets go, if not to `via`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_hop: Option<IpAddr>,
    /// Since the last Update.
    pub age_seconds: f64,
}

/// The node.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Status {
    /// `babeld-1.2.3`.
    pub version: String,
    /// This host.
    pub host: String,
    /// Our router-id.
    pub router_id: String,
    /// Our seqno.
    pub seqno: u16,
    /// Interfaces that are up.
    pub interfaces_up: usize,
    /// All interfaces.
    pub interfaces: usize,
    /// Neighbours.
    pub neighbours: usize,
    /// Routes of our own.
    pub xroutes: usize,
    /// Routes by state.
    pub routes: RouteStates,
    /// Changes of routes in use since start, by reason; reasons of none are left out.
    #[serde(default)]
    pub route_changes: BTreeMap<String, u64>,
    /// Packets dropped because they were not signed as they should be.
    #[serde(default)]
    pub packets_unauthentic: u64,
    /// Whether neighbours are ranked by what is measured through them.
    #[serde(default)]
    pub ranking: bool,
    /// Whether prices are on.
    pub prices: bool,
    /// Our fee per megabyte, if prices are on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fee: Option<u32>,
    /// What prices are counted in, if prices are on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price_unit: Option<u16>,
}

/// How many routes are in which state.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RouteStates {
    /// In use.
    pub selected: usize,
    /// Feasible, not in use.
    pub feasible: usize,
    /// Unfeasible.
    pub unfeasible: usize,
    /// Retracted.
    pub retracted: usize,
    /// Prefixes whose route in use is not the eligible one of the best metric.
    #[serde(default)]
    pub overridden: usize,
}

impl Interface {
    /// The document for `view`.
    pub fn of(view: &InterfaceView) -> Self {
        Self {
            name: view.name.clone(),
            up: view.up,
            ipv6: view.ipv6,
            ipv4: view.ipv4,
            down_reason: view.down_reason.clone(),
        }
    }
}

impl Neighbour {
    /// The document for `view`, on the interface called `name`.
    pub fn of(view: &NeighbourView, name: &str) -> Self {
        Self {
            id: format!("{:x}", view.id.0),
            address: view.address,
            interface: name.into(),
            reach: format!("{:04x}", view.reach),
            ureach: format!("{:04x}", view.ureach),
            rxcost: view.rxcost.0,
            txcost: view.txcost.0,
            rtt_ms: view.rtt.map(|rtt| rtt.as_secs_f64() * 1000.0),
            rttcost: view.rttcost.0,
            cost: view.cost.0,
            routes: view.routes,
            hello_age_seconds: view.hello_age.map(|age| age.as_secs_f64()),
            ihu_age_seconds: view.ihu_age.map(|age| age.as_secs_f64()),
            diagnosis: diagnosis(view),
        }
    }
}

impl XRoute {
    /// The document for `view`.
    pub fn of(view: &XRouteView) -> Self {
        Self {
            prefix: view.key.dst().to_string(),
            from: view
                .key
                .is_source_specific()
                .then(|| view.key.src().to_string()),
            metric: view.metric.0,
            origin: match view.origin {
                Origin::Local => "local",
                Origin::Redistributed => "kernel",
                Origin::Learned => "learned",
            }
            .into(),
        }
    }
}

impl Route {
    /// The document for `view`, on the interface called `name`.
    pub fn of(view: &RouteView<RoutePrice>, name: &str) -> Self {
        Self {
            id: format!("{:x}", view.id),
            prefix: view.key.dst().to_string(),
            from: view
                .key
                .is_source_specific()
                .then(|| view.key.src().to_string()),
            installed: view.installed,
            feasible: view.feasible,
            eligible: view.eligible,
            router_id: view.router_id.to_string(),
            seqno: view.seqno.0,
            metric: view.metric.0,
            smoothed_metric: view.smoothed.0,
            refmetric: view.refmetric.0,
            price: line::price(&view.attr),
            return_price: view.attr.return_price().map(|price| price.to_wire()),
            price_unit: view.attr.unit().map(|unit| unit.0),
            via: view.via,
            interface: name.into(),
            next_hop: (view.next_hop != IpAddr::V6(view.via)).then_some(view.next_hop),
            age_seconds: view.age.as_secs_f64(),
        }
    }
}

impl Status {
    /// The document for `node`.
    pub fn of(identity: &Identity, node: &dyn Node) -> Self {
        let (engine, interfaces) = (node.engine(), node.interfaces());
        let counts = engine.route_counts();
        let prices = engine.extension();
        Self {
            version: identity.version.clone(),
            host: identity.host.clone(),
            router_id: identity.router_id.to_string(),
            seqno: engine.seqno().0,
            interfaces_up: interfaces.iter().filter(|one| one.up).count(),
            interfaces: interfaces.len(),
            neighbours: engine.neighbours(node.now()).count(),
            xroutes: engine.xroutes().count(),
            routes: RouteStates {
                selected: counts.selected,
                feasible: counts.feasible,
                unfeasible: counts.unfeasible,
                retracted: counts.retracted,
                overridden: counts.overridden,
            },
            route_changes: ChangeReason::ALL
                .iter()
                .zip(engine.counters().route_changes)
                .filter(|(_, count)| *count > 0)
                .map(|(reason, count)| (reason.label().to_owned(), count))
                .collect(),
            packets_unauthentic: engine.counters().auth_dropped.iter().sum(),
            ranking: engine.policy().ranking(),
            prices: prices.enabled(),
            fee: prices.enabled().then(|| prices.fee().to_wire()),
            price_unit: prices.enabled().then(|| prices.unit().0),
        }
    }
}

/// `document` on a line of its own.
pub fn to_line(document: &impl Serialize) -> String {
    let mut text = String::new();
    push_line(&mut text, document);
    text
}

/// Appends `document` on a line of its own.
pub fn push_line(out: &mut String, document: &impl Serialize) {
    match serde_json::to_string(document) {
        Ok(text) => out.push_str(&text),
        // Only maps with keys that are not strings can fail; there are none.
        Err(error) => tracing::error!("control socket: cannot write JSON: {error}"),
    }
    out.push('\n');
}
