//! How choices by measured quality are explained, with the real ranker and policy in an engine.

mod ctl_support;

use babel_core::prefix::RouteKey;
use ctl_support::program::{json, peer, shown, squeezed};
use ctl_support::{Background, Peer, TestNode};
use qos_ranker::{Goals, Pinned, Quality, Report, Source};
use std::time::Duration;

/// A measurement by the target paris.
fn measured(number: u32, download: &str) -> Report {
    Report {
        peer: peer(number),
        scope: None,
        source: Source::Target("paris".into()),
        quality: Quality {
            download: download.parse().ok(),
            ..Quality::NONE
        },
        valid: Duration::from_secs(3600),
        pinned: Some(Pinned::Both),
    }
}

/// mallory at fe80::2 promises a better metric than carol at fe80::3.
fn ranked(goal: &str, reports: &[Report]) -> Background {
    let one = |rxcost| Peer {
        rxcost,
        fee: None,
        prefixes: vec![(RouteKey::new("10.0.0.0/8".parse().expect("a prefix")), 0)],
    };
    let mut goals = Goals::default();
    let download = goal.parse().ok();
    goals.set(
        None,
        Quality {
            download,
            ..Quality::NONE
        },
    );
    let reports = reports.to_vec();
    Background::serve(move || {
        let mut node = TestNode::new(false, &[one(96), one(256)], Duration::from_secs(60));
        node.rank_by(&goals, &reports);
        node.run(Duration::from_secs(300));
        node
    })
}

#[test]
fn an_override_is_explained_by_its_measurements() {
    let server = ranked("10M", &[measured(2, "1M"), measured(3, "48M")]);
    let text = shown(&server.path, &["explain", "10.0.0.0/8"]);
    for part in [
        "in use: it is proven (48 Mbit/s down by target paris, 0.0 s ago); fe80::2%eth0 is failing \
         (1 Mbit/s down by target paris, 0.0 s ago)\n",
        "loses as it is failing (1 Mbit/s down by target paris, 0.0 s ago); fe80::3%eth1 is \
         proven (48 Mbit/s down by target paris, 0.0 s ago)\n",
        "    band      proven: download 48M meets qos-goal download 10M\n",
        "    band      failing: download 1M misses qos-goal download 10M in download\n",
        "    measured  by target paris, 0.0 s ago, for 3600 s more, pinned both ways, 50 % sure\n",
    ] {
        assert!(text.contains(part), "no {part:?} in\n{text}");
    }
    let table = text.split("How they compare").nth(1).unwrap_or_default();
    let rows: Vec<String> = table.lines().skip(1).map(squeezed).collect();
    assert_eq!(
        rows,
        [
            "BAND RANK PRICE METRIC IN USE NEIGHBOUR\n",
            "> fe80::3%eth1 proven best unpriced 256 (smoothed) yes 2\n",
            "- fe80::2%eth0 failing <- worse - unpriced 96 (smoothed) no 1\n",
        ]
    );
    let all = json(&server.path, &["explain", "10.0.0.0/8"]);
    assert_eq!(all["candidates"][0]["measured"]["target"], "paris");
    assert_eq!(all["candidates"][0]["steps"][0]["name"], "band");
    assert_eq!(all["candidates"][1]["outcome"], "worse");
    let decisions = json(&server.path, &["show", "decisions"]);
    assert_eq!(decisions[0]["reason"], "goal");
    let status = json(&server.path, &["show", "status"]);
    assert_eq!(status["routes"]["overridden"], 1);
}

#[test]
fn ranks_are_compared_in_steps() {
    let server = ranked("1M", &[measured(2, "20M"), measured(3, "48M")]);
    let text = shown(&server.path, &["explain", "10.0.0.0/8"]);
    for part in [
        "in use: it ranks higher (48 Mbit/s down by target paris, 0.0 s ago); fe80::2%eth0 is 4 \
         steps of 20 % below (20 Mbit/s down by target paris, 0.0 s ago)\n",
        "loses in rank: 4 steps of 20 % below fe80::3%eth1 (48 Mbit/s down by target paris, 0.0 s \
         ago), with 20 Mbit/s down by target paris, 0.0 s ago\n",
    ] {
        assert!(text.contains(part), "no {part:?} in\n{text}");
    }
}

#[test]
fn a_neighbour_that_has_gone_is_no_competitor() {
    let gone = Report {
        peer: peer(9),
        ..measured(9, "500M")
    };
    let server = ranked("1M", &[gone, measured(2, "20M"), measured(3, "48M")]);
    let all = json(&server.path, &["show", "quality"]);
    let found: Vec<_> = all.as_array().expect("an array").iter().collect();
    assert_eq!(found.len(), 2, "{all}");
    assert_eq!(found[0]["address"], "fe80::2");
    assert_eq!(
        (&found[0]["rank"], &found[1]["rank"]),
        (&4.into(), &0.into())
    );
}

#[test]
fn a_neighbour_that_is_not_measured_stands_as_unproven() {
    let server = ranked("1M", &[measured(3, "48M")]);
    let all = json(&server.path, &["show", "quality"]);
    assert_eq!(all[0]["address"], "fe80::2");
    assert_eq!(all[0]["band"], "unproven");
    assert_eq!(all[1]["band"], "proven");
    let text = shown(&server.path, &["explain", "10.0.0.0/8"]);
    let part = "loses as it is unproven (not measured); fe80::3%eth1 is proven (48 Mbit/s down";
    assert!(text.contains(part), "{text}");
}
