//! The sentences of an explanation. Pure.

use super::Surroundings;
use super::evidence::Ground;
use babel_core::ext::Origin;
use babel_core::view::{CandidateView, Explanation, Outcome};
use babel_price_tlv::RoutePrice;

/// Where packets go.
pub(super) fn summary(
    explanation: Option<&Explanation<RoutePrice>>,
    surroundings: Option<&Surroundings>,
    ground: &Ground<'_>,
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
            ground.who(selected)
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

fn elsewhere(surroundings: Option<&Surroundings>) -> String {
    let Some(surroundings) = surroundings else {
        return String::new();
    };
    let mut text = match &surroundings.covered_by {
        Some(cover) => format!(
            "Its packets follow {cover}: the longest prefix that covers it, to be explained by \
             itself."
        ),
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
pub(super) fn why(
    view: &CandidateView<RoutePrice>,
    all: &[CandidateView<RoutePrice>],
    ground: &Ground<'_>,
) -> String {
    let winner = selected(all);
    match &view.outcome {
        Outcome::Selected => why_selected(view, all, ground),
        Outcome::Worse(step) => match winner {
            Some(winner) => why_worse(step, view, winner, ground),
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
    ground: &Ground<'_>,
) -> String {
    let waiting = all.iter().find_map(|other| match other.outcome {
        Outcome::Waiting(left, reason) => Some((ground.who(other), left, reason)),
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
        Some((mine, theirs)) => ground.wins(mine.name, view, second).unwrap_or_else(|| {
            format!(
                "in use: wins at '{}': {} against {} of {}",
                mine.name,
                inline(&mine.value),
                inline(&theirs.value),
                ground.who(second)
            )
        }),
        None => "in use: the best".into(),
    }
}

fn why_worse(
    step: &str,
    view: &CandidateView<RoutePrice>,
    winner: &CandidateView<RoutePrice>,
    ground: &Ground<'_>,
) -> String {
    if let Some(text) = ground.loses(step, view, winner) {
        return text;
    }
    let of = ground.who(winner);
    match step {
        "incumbent" => format!("no better than {of}, which is in use already"),
        "neighbour" => format!("equal to {of} in everything; the older neighbour is kept"),
        step => {
            let value = |one: &CandidateView<RoutePrice>| {
                let found = one.steps.iter().find(|candidate| candidate.name == step);
                found.map_or_else(|| "?".to_owned(), |found| found.value.clone())
            };
            let (mine, theirs) = (value(view), value(winner));
            let (mine, theirs) = (inline(&mine), inline(&theirs));
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

pub(super) const fn own(origin: Origin) -> &'static str {
    match origin {
        Origin::Local => "one of our own addresses",
        Origin::Redistributed => "a kernel route of ours",
        Origin::Learned => "a learned route",
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

/// A step's value within a sentence: what stands after its comma goes into brackets.
fn inline(value: &str) -> String {
    match value.split_once(", ") {
        Some((value, remark)) => format!("{value} ({remark})"),
        None => value.into(),
    }
}
