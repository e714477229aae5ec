//! `json explain PREFIX`: every candidate, and a sentence why it won or lost.
//!
//! Composed here and not in `babelctl`, so that every client gets the same words. Pure, but for
//! [`Document::of`], which asks the node.

mod evidence;
mod sentence;

use super::quality::StandingDocument;
use super::{LinkNames, json, standing};
use crate::node::Node;
use babel_core::policy::Step;
use babel_core::prefix::RouteKey;
use babel_core::view::{CandidateView, Explanation, Outcome, RouteView, XRouteView};
use babel_price_tlv::RoutePrice;
use evidence::Ground;
use qos_ranker::Standing;
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
    /// Prefixes in use that lie within it; counted only when no route to it is in use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub more_specific: Option<usize>,
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
    /// What was measured of its neighbour and counts here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measured: Option<StandingDocument>,
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
        let carried = explanation.as_ref().is_some_and(|known| {
            let mut outcomes = known.candidates.iter().map(|one| &one.outcome);
            known.xroute.is_some() || outcomes.any(|one| *one == Outcome::Selected)
        });
        // Not for nothing: this goes through all tables.
        let surroundings =
            (!carried).then(|| Surroundings::of(key, engine.routes(now), engine.xroutes(), &names));
        let standings = standing::all(node);
        Self::compose(key, explanation.as_ref(), surroundings, &names, &standings)
    }

    /// The document for what is known about `key`.
    pub fn compose(
        key: &RouteKey,
        explanation: Option<&Explanation<RoutePrice>>,
        surroundings: Option<Surroundings>,
        names: &LinkNames,
        standings: &[Standing],
    ) -> Self {
        let ground = Ground { names, standings };
        let candidates = explanation.map_or(&[][..], |known| &known.candidates);
        Self {
            prefix: key.dst().to_string(),
            from: key.is_source_specific().then(|| key.src().to_string()),
            summary: sentence::summary(explanation, surroundings.as_ref(), &ground),
            xroute: explanation
                .and_then(|known| known.xroute.as_ref())
                .map(json::XRoute::of),
            unreachable_for_seconds: explanation
                .and_then(|known| known.unreachable_for)
                .map(|left| left.as_secs_f64()),
            candidates: candidates
                .iter()
                .map(|one| Candidate::of(one, candidates, &ground))
                .collect(),
            more_specific: surroundings.as_ref().map(|around| around.more_specific),
            covered_by: surroundings.and_then(|around| around.covered_by),
        }
    }
}

impl Candidate {
    /// The document for `view`, one of `all` candidates.
    fn of(
        view: &CandidateView<RoutePrice>,
        all: &[CandidateView<RoutePrice>],
        ground: &Ground<'_>,
    ) -> Self {
        Self {
            route: json::Route::of(&view.route, ground.names.get(view.route.link)),
            measured: ground.standing(view).map(StandingDocument::of),
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
            why: sentence::why(view, all, ground),
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
                format!("{}, {}", xroute.key, sentence::own(xroute.origin))
            });
        }
        Self {
            covered_by: best.map(|(_, text)| text),
            more_specific,
        }
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

#[cfg(test)]
mod tests;
