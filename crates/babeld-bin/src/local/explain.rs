//! `json explain PREFIX`: every candidate, and a sentence why it won or lost.
//!
//! Composed here and not in `babelctl`, so that every client gets the same words. Pure, but for
//! [`Document::of`], which asks the node.

use super::{LinkNames, json};
use crate::node::Node;
use babel_core::ext::Origin;
use babel_core::policy::Step;
use babel_core::prefix::RouteKey;
use babel_core::view::{CandidateView, Explanation, Outcome, RouteView, XRouteView};
use babel_price_tlv::RoutePrice;
use serde::{Deserialize, Serialize};

/// All about one prefix.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Document {
    /// Destination.
    pub prefix: String,
    /// Source prefix, if it is source-specific.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Where its packets go, in a sentence or two.
    pub summary: String,
    /// A route of our own, which takes precedence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub xroute: Option<json::XRoute>,
    /// For so long the kernel still refuses its packets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unreachable_for_seconds: Option<f64>,
    /// All routes to it, the one in use first.
    pub candidates: Vec<Candidate>,
    /// What carries its packets when no route to it is in use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub covered_by: Option<String>,
    /// Prefixes in use that lie within it.
    pub more_specific: usize,
}

/// One route, and what became of it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Candidate {
    /// The route.
    #[serde(flatten)]
    pub route: json::Route,
    /// The link's cost, which was added to `refmetric`; 65535 is infinite.
    pub cost: u16,
    /// The feasibility distance it was held against.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub feasibility_distance: Option<Distance>,
    /// The policy's key.
    pub steps: Vec<KeyStep>,
    /// `selected`, `worse`, `waiting`, `unreachable`, `unfeasible`, `ineligible`, `filtered` or
    /// `own_route`.
    pub outcome: String,
    /// How long it must wait still.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waiting_seconds: Option<f64>,
    /// Why, in a sentence.
    pub why: String,
}

/// A feasibility distance.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Distance {
    /// The seqno.
    pub seqno: u16,
    /// The metric.
    pub metric: u16,
}

/// One step of a candidate's key.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct KeyStep {
    /// Its name.
    pub name: String,
    /// Its value, for people.
    pub value: String,
    /// Its value, for comparison: smaller wins.
    pub order: u64,
}

/// What else the tables say of a prefix: the route that covers it, and those within it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Surroundings {
    /// The longest prefix in use that covers it, in words.
    pub covered_by: Option<String>,
    /// Prefixes in use within it.
    pub more_specific: usize,
}

impl Document {
    /// Asks `node` about `key`.
    pub fn of(node: &dyn Node, key: &RouteKey) -> Self {
        let (engine, now) = (node.engine(), node.now());
        let names = LinkNames::of(&node.interfaces());
        let explanation = engine.explain(now, key);
        let surroundings = Surroundings::of(key, engine.routes(now), engine.xroutes(), &names);
        Self::compose(key, explanation.as_ref(), surroundings, &names)
    }

    /// The document for what is known about `key`.
    pub fn compose(
        key: &RouteKey,
        explanation: Option<&Explanation<RoutePrice>>,
        surroundings: Surroundings,
        names: &LinkNames,
    ) -> Self {
        let candidates = explanation.map_or(&[][..], |known| &known.candidates);
        Self {
            prefix: key.dst().to_string(),
            from: key.is_source_specific().then(|| key.src().to_string()),
            summary: summary(explanation, &surroundings, names),
            xroute: explanation
                .and_then(|known| known.xroute.as_ref())
                .map(json::XRoute::of),
            unreachable_for_seconds: explanation
                .and_then(|known| known.unreachable_for)
                .map(|left| left.as_secs_f64()),
            candidates: candidates
                .iter()
                .map(|one| Candidate::of(one, candidates, names))
                .collect(),
            covered_by: surroundings.covered_by,
            more_specific: surroundings.more_specific,
        }
    }
}

impl Candidate {
    /// The document for `view`, one of `all` candidates.
    fn of(
        view: &CandidateView<RoutePrice>,
        all: &[CandidateView<RoutePrice>],
        names: &LinkNames,
    ) -> Self {
        Self {
            route: json::Route::of(&view.route, names.get(view.route.link)),
            cost: view.cost.0,
            feasibility_distance: view.distance.map(|(seqno, metric)| Distance {
                seqno: seqno.0,
                metric: metric.0,
            }),
            steps: view.steps.iter().map(KeyStep::of).collect(),
            outcome: label(&view.outcome).into(),
            waiting_seconds: match view.outcome {
                Outcome::Waiting(left, _) => Some(left.as_secs_f64()),
                _ => None,
            },
            why: why(view, all, names),
        }
    }
}

impl KeyStep {
    fn of(step: &Step) -> Self {
        Self {
            name: step.name.into(),
            value: step.value.clone(),
            order: step.order,
        }
    }
}

impl Surroundings {
    /// Looks through the tables. A longer destination wins over a longer source (RFC 9079 §4).
    pub fn of(
        key: &RouteKey,
        routes: impl Iterator<Item = RouteView<RoutePrice>>,
        xroutes: impl Iterator<Item = XRouteView>,
        names: &LinkNames,
    ) -> Self {
        let covers = |outer: &RouteKey, inner: &RouteKey| {
            outer != inner && outer.dst().covers(inner.dst()) && outer.src().covers(inner.src())
        };
        let rank = |key: &RouteKey| (key.dst().plen(), key.src().plen());
        let mut best: Option<((u8, u8), String)> = None;
        let mut more_specific = 0;
        let mut consider = |other: RouteKey, text: &dyn Fn() -> String| {
            if covers(key, &other) {
                more_specific += 1;
            } else if covers(&other, key)
                && best.as_ref().is_none_or(|(held, _)| *held <= rank(&other))
            {
                best = Some((rank(&other), text()));
            }
        };
        for route in routes.filter(|route| route.installed) {
            consider(route.key, &|| {
                let (via, name) = (route.via, names.get(route.link));
                format!("{} via {via}%{name}", route.key)
            });
        }
        // After the routes: one of our own to the same prefix takes precedence.
        for xroute in xroutes {
            consider(xroute.key, &|| {
                format!("{}, {}", xroute.key, own(xroute.origin))
            });
        }
        Self {
            covered_by: best.map(|(_, text)| text),
            more_specific,
        }
    }
}

/// Where packets go.
fn summary(
    explanation: Option<&Explanation<RoutePrice>>,
    surroundings: &Surroundings,
    names: &LinkNames,
) -> String {
    let Some(known) = explanation else {
        return format!("Nobody announces this prefix. {}", elsewhere(surroundings));
    };
    if let Some(xroute) = &known.xroute {
        let metric = xroute.metric;
        let own = own(xroute.origin);
        return format!(
            "It is {own}, announced with metric {metric}: that takes precedence over every \
             learned route."
        );
    }
    if let Some(selected) = selected(&known.candidates) {
        return format!(
            "Its packets go to {}, announced by {}.",
            selected.route.next_hop,
            who(selected, names)
        );
    }
    if let Some(left) = known.unreachable_for {
        return format!(
            "No route is usable. The kernel refuses its packets for {} more, so that they do not \
             follow a shorter prefix into a loop (RFC 8966 §2.8).",
            seconds(left)
        );
    }
    format!("No route is usable. {}", elsewhere(surroundings))
}

fn elsewhere(surroundings: &Surroundings) -> String {
    let mut text = match &surroundings.covered_by {
        Some(cover) => format!("Its packets follow {cover}: the longest prefix that covers it."),
        None => "No route of Babel's covers it: its packets follow the kernel's other routes, if \
                 any; see whether somebody redistributes it, and which `in` rules there are."
            .to_owned(),
    };
    match surroundings.more_specific {
        0 => {}
        1 => text.push_str(" One prefix within it has a route."),
        n => text.push_str(&format!(" {n} prefixes within it have routes.")),
    }
    text
}

/// Why one candidate is or is not in use.
fn why(
    view: &CandidateView<RoutePrice>,
    all: &[CandidateView<RoutePrice>],
    names: &LinkNames,
) -> String {
    let winner = selected(all);
    match &view.outcome {
        Outcome::Selected => why_selected(view, all, names),
        Outcome::Worse(step) => match winner {
            Some(winner) => why_worse(step, view, winner, names),
            None => format!("loses at '{step}'"),
        },
        Outcome::Waiting(left, reason) => format!(
            "better than the route in use, but not taken {}: {reason}",
            delay(*left)
        ),
        Outcome::Unreachable if view.cost.is_infinite() => {
            "unreachable: the link to this neighbour has an infinite cost".into()
        }
        Outcome::Unreachable => "unreachable: retracted by the neighbour, or expired".into(),
        Outcome::Unfeasible => why_unfeasible(view),
        Outcome::Ineligible(reason) => format!("not eligible: {reason}"),
        Outcome::Filtered => "refused by an `install` rule".into(),
        Outcome::OwnRoute => "a route of our own to this prefix takes precedence".into(),
    }
}

fn why_selected(
    view: &CandidateView<RoutePrice>,
    all: &[CandidateView<RoutePrice>],
    names: &LinkNames,
) -> String {
    let waiting = all.iter().find_map(|other| match other.outcome {
        Outcome::Waiting(left, reason) => Some((who(other, names), left, reason)),
        _ => None,
    });
    if let Some((better, left, reason)) = waiting {
        let delay = delay(left);
        return format!("in use still: {better} is better, but not taken {delay}: {reason}");
    }
    let orders = |one: &CandidateView<RoutePrice>| -> Vec<u64> {
        one.steps.iter().map(|step| step.order).collect()
    };
    let second = all
        .iter()
        .filter(|other| matches!(other.outcome, Outcome::Worse(_)))
        .min_by_key(|other| orders(other));
    let Some(second) = second else {
        return "in use: the only one that may be".into();
    };
    let mut pairs = view.steps.iter().zip(&second.steps);
    match pairs.find(|(mine, theirs)| mine.order != theirs.order) {
        Some((mine, theirs)) => format!(
            "in use: wins at '{}': {} against {} of {}",
            mine.name,
            mine.value,
            theirs.value,
            who(second, names)
        ),
        None => "in use: the best".into(),
    }
}

fn why_worse(
    step: &str,
    view: &CandidateView<RoutePrice>,
    winner: &CandidateView<RoutePrice>,
    names: &LinkNames,
) -> String {
    let of = who(winner, names);
    match step {
        "incumbent" => format!("no better than {of}, which is in use already"),
        "neighbour" => format!("equal to {of} in everything; the older neighbour is kept"),
        step => {
            let value = |one: &CandidateView<RoutePrice>| {
                let found = one.steps.iter().find(|candidate| candidate.name == step);
                found.map_or_else(|| "?".to_owned(), |found| found.value.clone())
            };
            let (mine, theirs) = (value(view), value(winner));
            format!("loses at '{step}': {mine} against {theirs} of {of}")
        }
    }
}

/// RFC 8966 §3.5.1: the seqno must be newer, or the same with a smaller metric.
fn why_unfeasible(view: &CandidateView<RoutePrice>) -> String {
    let route = &view.route;
    let Some((seqno, metric)) = view.distance else {
        return "unfeasible: a new seqno is being asked for".into();
    };
    let fault = if seqno == route.seqno {
        format!(
            "advertised metric {} is not below our feasibility distance {metric}",
            route.refmetric
        )
    } else {
        format!(
            "seqno {} is older than {} of our feasibility distance",
            route.seqno.0, seqno.0
        )
    };
    format!(
        "unfeasible: {fault} for router-id {}; a new seqno is being asked for",
        route.router_id
    )
}

fn selected(all: &[CandidateView<RoutePrice>]) -> Option<&CandidateView<RoutePrice>> {
    all.iter()
        .find(|candidate| candidate.outcome == Outcome::Selected)
}

fn who(candidate: &CandidateView<RoutePrice>, names: &LinkNames) -> String {
    let route = &candidate.route;
    format!("{}%{}", route.via, names.get(route.link))
}

const fn own(origin: Origin) -> &'static str {
    match origin {
        Origin::Local => "one of our own addresses",
        Origin::Redistributed => "a kernel route of ours",
        Origin::Learned => "a learned route",
    }
}

const fn label(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Selected => "selected",
        Outcome::Worse(_) => "worse",
        Outcome::Waiting(..) => "waiting",
        Outcome::Unreachable => "unreachable",
        Outcome::Unfeasible => "unfeasible",
        Outcome::Ineligible(_) => "ineligible",
        Outcome::Filtered => "filtered",
        Outcome::OwnRoute => "own_route",
    }
}

/// When a better route is taken; a wait of zero is one for something else than time.
fn delay(left: std::time::Duration) -> String {
    if left.is_zero() {
        "yet".into()
    } else {
        format!("for {} more", seconds(left))
    }
}

fn seconds(duration: std::time::Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}
