use super::*;
use babel_core::prefix::RouteKey;
use babel_core::types::{LinkId, Metric, NeighbourId, RouterId, SeqNo};
use babel_core::view::{Outcome, RouteView};
use qos_ranker::{Band, Peer, Pinned, Quality, Rate, Source};
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

fn standing(scope: Option<&str>, megabits: u64) -> Standing {
    Standing {
        peer: Peer {
            interface: "eth0".into(),
            address: "fe80::1".parse().expect("an address"),
        },
        scope: scope.map(|scope| scope.parse().expect("a prefix")),
        band: Band::Proven,
        rank: None,
        score: None,
        quality: Quality {
            upload: (megabits > 0).then(|| Rate::from_bps(megabits * 1_000_000)),
            ..Quality::NONE
        },
        age: Some(Duration::from_secs(90)),
        valid_for: Duration::ZERO,
        confidence: 50,
        samples: 1,
        source: Some(Source::Outside),
        pinned: None,
        note: None,
    }
}

fn candidate(prefix: &str, band: &str, rank: u64) -> CandidateView<RoutePrice> {
    let via = "fe80::1".parse().expect("an address");
    let step = |name, value: &str, order| babel_core::policy::Step {
        name,
        value: value.into(),
        order,
    };
    CandidateView {
        route: RouteView {
            id: 1,
            key: RouteKey::new(prefix.parse().expect("a prefix")),
            installed: true,
            feasible: true,
            eligible: true,
            router_id: RouterId([2, 0, 0, 0, 0, 0, 0, 9]),
            seqno: SeqNo(5),
            metric: Metric(192),
            smoothed: Metric(192),
            refmetric: Metric(96),
            neighbour: NeighbourId(1),
            via,
            link: LinkId(1),
            next_hop: via.into(),
            age: Duration::ZERO,
            attr: RoutePrice::default(),
        },
        cost: Metric(96),
        distance: None,
        steps: vec![step("band", band, 0), step("rank", "x", rank)],
        outcome: Outcome::Selected,
    }
}

#[test]
fn the_most_specific_fresh_measurement_counts() {
    let unpinned = Standing {
        pinned: Some(Pinned::No),
        ..standing(Some("10.1.0.0/16"), 1)
    };
    let link = Standing {
        source: Some(Source::Link("near".into())),
        ..standing(Some("10.1.0.0/16"), 2)
    };
    let stale = standing(Some("10.2.0.0/16"), 0);
    let all = [
        unpinned,
        link,
        stale,
        standing(None, 3),
        standing(Some("10.0.0.0/8"), 4),
        standing(Some("192.0.2.0/24"), 5),
    ];
    let names = names();
    let ground = Ground {
        names: &names,
        standings: &all,
    };
    let found = |prefix| ground.found(&candidate(prefix, "proven: x", 0));
    let within = "4 Mbit/s up for 10.0.0.0/8 by an outside tool, 90 s ago";
    assert_eq!(found("10.1.2.0/24"), within);
    assert_eq!(found("10.2.2.0/24"), within);
    assert_eq!(found("::/0"), "3 Mbit/s up by an outside tool, 90 s ago");
    let nobody = Ground {
        names: &names,
        standings: &[],
    };
    assert_eq!(
        nobody.found(&candidate("::/0", "unproven: x", 0)),
        "not measured"
    );
}

#[test]
fn a_note_stands_for_figures_where_there_are_none() {
    let hole = Standing {
        note: Some("a black hole".into()),
        ..standing(None, 0)
    };
    assert_eq!(words(&hole), "a black hole");
}

#[test]
fn what_carries_nothing_is_below_all() {
    let names = names();
    let ground = Ground {
        names: &names,
        standings: &[],
    };
    let (best, last) = (
        candidate("::/0", "failing: y", 3),
        candidate("::/0", "failing: z", 255),
    );
    let loses = ground.loses("rank", &last, &best);
    assert_eq!(
        loses.as_deref(),
        Some(
            "loses in rank: below all that was measured (not measured); fe80::1%eth0 is not (not \
             measured)"
        )
    );
    let wins = ground.wins("rank", &best, &candidate("::/0", "failing: y", 4));
    assert_eq!(
        wins.as_deref(),
        Some(
            "in use: it ranks higher (not measured); fe80::1%eth0 is 1 step of 20 % below (not \
             measured)"
        )
    );
    assert_eq!(ground.wins("metric", &best, &last), None);
    assert_eq!(ground.loses("price", &last, &best), None);
}
