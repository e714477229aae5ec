use super::*;
use babel_core::ext::Origin;
use babel_core::types::{LinkId, Metric, NeighbourId, RouterId, SeqNo};
use std::time::Duration;

fn names() -> LinkNames {
    LinkNames::of(&[crate::node::InterfaceView {
        link: LinkId(1),
        name: "eth0".into(),
        up: true,
        ipv6: None,
        ipv4: None,
        down_reason: None,
    }])
}

fn key(text: &str) -> RouteKey {
    RouteKey::new(text.parse().expect("a prefix"))
}

fn route(neighbour: u32, prefix: &str, installed: bool) -> RouteView<RoutePrice> {
    let via = format!("fe80::{neighbour:x}").parse().expect("an address");
    RouteView {
        id: u64::from(neighbour),
        key: key(prefix),
        installed,
        feasible: true,
        eligible: true,
        router_id: RouterId([2, 0, 0, 0, 0, 0, 0, 9]),
        seqno: SeqNo(5),
        metric: Metric(192),
        smoothed: Metric(192),
        refmetric: Metric(96),
        neighbour: NeighbourId(neighbour),
        via,
        link: LinkId(1),
        next_hop: via.into(),
        age: Duration::from_secs(3),
        attr: RoutePrice::default(),
    }
}

fn candidate(neighbour: u32, price: u64, outcome: Outcome) -> CandidateView<RoutePrice> {
    let step = |name, value: String, order| Step { name, value, order };
    CandidateView {
        route: route(neighbour, "10.0.0.0/8", outcome == Outcome::Selected),
        cost: Metric(96),
        distance: Some((SeqNo(5), Metric(96))),
        steps: vec![
            step("price", price.to_string(), price),
            step("metric", "192 (smoothed)".into(), 192),
        ],
        outcome,
    }
}

fn explanation(candidates: Vec<CandidateView<RoutePrice>>) -> Explanation<RoutePrice> {
    Explanation {
        key: key("10.0.0.0/8"),
        xroute: None,
        candidates,
        unreachable_for: None,
    }
}

fn document(known: &Explanation<RoutePrice>) -> Document {
    Document::compose(&known.key, Some(known), None, &names(), &[])
}

/// What is said of a candidate beside a selected one.
fn why_beside_the_winner(outcome: Outcome) -> String {
    let known = explanation(vec![
        candidate(1, 10, Outcome::Selected),
        candidate(2, 40, outcome),
    ]);
    document(&known).candidates[1].why.clone()
}

#[test]
fn each_outcome_has_its_sentence() {
    let held = Duration::from_millis(12_500);
    for (outcome, why) in [
        (
            Outcome::Worse("price"),
            "loses at 'price': 40 against 10 of fe80::1%eth0",
        ),
        (
            Outcome::Worse("incumbent"),
            "no better than fe80::1%eth0, which is in use already",
        ),
        (
            Outcome::Worse("neighbour"),
            "equal to fe80::1%eth0 in everything; the older neighbour is kept",
        ),
        (
            Outcome::Waiting(held, "it must stand"),
            "better than the route in use, but not taken for 12.5 s more: it must stand",
        ),
        (
            Outcome::Waiting(Duration::ZERO, "its metric must be no worse"),
            "better than the route in use, but not taken yet: its metric must be no worse",
        ),
        (
            Outcome::Unreachable,
            "unreachable: retracted by the neighbour, or expired",
        ),
        (
            Outcome::Unfeasible,
            "unfeasible: advertised metric 96 is not below our feasibility distance 96 for \
             router-id 02:00:00:00:00:00:00:09; a new seqno is being asked for",
        ),
        (
            Outcome::Ineligible("price 900 is above max-price 500".into()),
            "not eligible: price 900 is above max-price 500",
        ),
        (Outcome::Filtered, "refused by an `install` rule"),
        (
            Outcome::OwnRoute,
            "a route of our own to this prefix takes precedence",
        ),
    ] {
        assert_eq!(why_beside_the_winner(outcome), why);
    }
}

#[test]
fn an_old_seqno_is_told_from_a_large_metric() {
    let mut old = candidate(1, 10, Outcome::Unfeasible);
    old.distance = Some((SeqNo(6), Metric(500)));
    let known = explanation(vec![old]);
    let why = &document(&known).candidates[0].why;
    assert!(
        why.starts_with("unfeasible: seqno 5 is older than 6 of our feasibility distance"),
        "{why}"
    );
}

#[test]
fn the_winner_is_compared_with_the_best_of_the_rest() {
    let winner = |others: Vec<CandidateView<RoutePrice>>| {
        let mut all = vec![candidate(1, 10, Outcome::Selected)];
        all.extend(others);
        document(&explanation(all)).candidates[0].why.clone()
    };
    assert_eq!(winner(vec![]), "in use: the only one that may be");
    assert_eq!(
        winner(vec![
            candidate(2, 40, Outcome::Worse("price")),
            candidate(3, 20, Outcome::Worse("price")),
        ]),
        "in use: wins at 'price': 10 against 20 of fe80::3%eth0"
    );
    assert_eq!(
        winner(vec![candidate(
            2,
            5,
            Outcome::Waiting(Duration::from_secs(9), "it must stand")
        )]),
        "in use still: fe80::2%eth0 is better, but not taken for 9.0 s more: it must stand"
    );
}

#[test]
fn the_summary_says_where_packets_go() {
    let known = explanation(vec![candidate(1, 10, Outcome::Selected)]);
    assert_eq!(
        document(&known).summary,
        "Its packets go to fe80::1, announced by fe80::1%eth0."
    );
    let own = Explanation {
        xroute: Some(XRouteView {
            key: key("10.0.0.0/8"),
            metric: Metric(7),
            origin: Origin::Redistributed,
        }),
        ..known
    };
    assert!(
        document(&own)
            .summary
            .starts_with("It is a kernel route of ours, announced with metric 7"),
    );
    let held = Explanation {
        unreachable_for: Some(Duration::from_secs(42)),
        ..explanation(vec![candidate(1, 10, Outcome::Unreachable)])
    };
    assert!(
        document(&held)
            .summary
            .contains("refuses its packets for 42.0 s more")
    );
    assert_eq!(document(&held).unreachable_for_seconds, Some(42.0));
}

#[test]
fn an_unknown_prefix_is_carried_by_the_longest_that_covers_it() {
    let routes = || {
        [
            route(1, "0.0.0.0/0", true),
            route(2, "10.0.0.0/8", true),
            route(3, "10.1.0.0/16", false),
            route(4, "10.1.2.128/25", true),
        ]
        .into_iter()
    };
    let wanted = key("10.1.2.0/24");
    let around = Surroundings::of(&wanted, routes(), std::iter::empty(), &names());
    assert_eq!(
        around.covered_by.as_deref(),
        Some("10.0.0.0/8 via fe80::2%eth0")
    );
    assert_eq!(around.more_specific, 1);
    let document = Document::compose(&wanted, None, Some(around), &names(), &[]);
    assert!(
        document.summary.starts_with(
            "Nobody announces this prefix. Its packets follow 10.0.0.0/8 via fe80::2%eth0"
        ),
        "{}",
        document.summary
    );
    let xroute = XRouteView {
        key: key("10.0.0.0/8"),
        metric: Metric(0),
        origin: Origin::Local,
    };
    let around = Surroundings::of(&wanted, routes(), [xroute].into_iter(), &names());
    assert_eq!(
        around.covered_by.as_deref(),
        Some("10.0.0.0/8, one of our own addresses")
    );
    let nothing = Surroundings::of(&wanted, std::iter::empty(), std::iter::empty(), &names());
    assert_eq!(nothing, Surroundings::default());
}

#[test]
fn a_document_survives_the_wire() {
    let known = explanation(vec![
        candidate(1, 10, Outcome::Selected),
        candidate(2, 40, Outcome::Worse("price")),
    ]);
    let document = document(&known);
    let text = json::to_line(&document);
    assert_eq!(text.matches('\n').count(), 1);
    let back: Document = serde_json::from_str(&text).expect("JSON");
    assert_eq!(back, document);
}
