//! What `babelctl` shows of neighbours' quality, of speed tests and of decisions.

mod ctl_support;

use babel_core::prefix::RouteKey;
use babeld::node::{TestState, TestView};
use ctl_support::program::{babelctl, json, peer, shown, squeezed};
use ctl_support::{Background, Peer, TestNode};
use qos_ranker::{Band, Pinned, Quality, RankStep, Rate, Source, Standing};
use speedtest::{Confidence, Loss, LossSource, Outcome, Phase};
use std::path::Path;
use std::time::Duration;

/// bob: proven by a test, and the link to him; mallory: failing in one prefix, for the rest
/// unknown.
fn standings() -> Vec<Standing> {
    let rate = |text: &str| text.parse::<Rate>().ok();
    let bob = Standing {
        peer: peer(2),
        scope: None,
        band: Band::Proven,
        rank: Some(RankStep::BEST),
        score: None,
        quality: Quality {
            download: rate("48123456"),
            upload: rate("12M"),
            latency: Some(Duration::from_micros(20_400)),
            loss: Some("0.25".parse().expect("a loss")),
        },
        age: Some(Duration::from_secs(180)),
        valid_for: Duration::from_secs(3420),
        confidence: 90,
        samples: 3,
        source: Some(Source::Target("paris".into())),
        pinned: Some(Pinned::Both),
        note: None,
    };
    let mallory = Standing {
        peer: peer(3),
        scope: "10.0.0.0/8".parse().ok(),
        band: Band::Failing,
        rank: Some(RankStep::LAST),
        quality: Quality::NONE,
        source: Some(Source::Outside),
        pinned: None,
        note: Some("nothing comes back".into()),
        ..bob.clone()
    };
    let link = Standing {
        rank: None,
        source: Some(Source::Link("near".into())),
        ..bob.clone()
    };
    let unknown = Standing::unmeasured(peer(3));
    vec![bob, link, mallory, unknown]
}

fn running() -> TestView {
    TestView {
        id: 9,
        peer: peer(2),
        target: "paris".into(),
        pinned: Pinned::Upload,
        bytes: 1_500_000,
        bytes_limit: 100_000_000,
        elapsed: Duration::from_millis(1500),
        ended_ago: None,
        state: TestState::Running {
            phase: Phase::Download,
            rate: Rate::from_bps(8_000_000),
        },
    }
}

fn done() -> TestView {
    TestView {
        bytes: 60_000_000,
        elapsed: Duration::from_secs(8),
        ended_ago: Some(Duration::from_secs(3)),
        state: TestState::Done(Outcome {
            download_bps: Some(48_000_000),
            upload_bps: Some(12_000_000),
            idle_latency_us: Some(20_400),
            loaded_latency_us: Some(85_000),
            loss: Some(Loss {
                ppm: 2500,
                by: LossSource::Echo,
            }),
            bytes: 60_000_000,
            elapsed_ms: 8000,
            confidence: Confidence::from_percent(95),
            early_stop: true,
        }),
        ..running()
    }
}

fn failed() -> TestView {
    TestView {
        id: 8,
        target: "lab".into(),
        bytes: 0,
        ended_ago: Some(Duration::from_secs(7200)),
        state: TestState::Failed("connect: refused by 192.0.2.1:6698".into()),
        ..running()
    }
}

/// A node with two neighbours, what is known of them, and three tests.
fn node() -> TestNode {
    let one = |rxcost| Peer {
        rxcost,
        fee: None,
        prefixes: vec![(RouteKey::new("10.0.0.0/8".parse().expect("a prefix")), 0)],
    };
    let mut node = TestNode::new(false, &[one(96), one(256)], Duration::from_secs(60));
    node.standings = standings();
    let second = TestView { id: 7, ..done() };
    node.tests = vec![running(), failed(), second];
    node
}

#[test]
fn quality_is_shown_with_the_measurement_that_decided() {
    let server = Background::serve(node);
    assert_eq!(
        shown(&server.path, &["show", "quality"]),
        "NEIGHBOUR  IF    FOR         BAND      RANK         DOWN         UP  LATENCY   LOSS    \
         AGE  BY           PINNED  SURE  NOTE\n\
         fe80::2    eth0              proven    best  48.1 Mbit/s  12 Mbit/s  20.4 ms  0.2 %  \
         180 s  paris        both    90 %\n\
         fe80::2    eth0              proven          48.1 Mbit/s  12 Mbit/s  20.4 ms  0.2 %  \
         180 s  near (link)  both    90 %\n\
         fe80::3    eth1  10.0.0.0/8  failing   last                                          \
         180 s  outside              90 %  nothing comes back\n\
         fe80::3    eth1              unproven\n"
    );
    let all = json(&server.path, &["show", "quality"]);
    assert_eq!(
        all[0].to_string(),
        "{\"address\":\"fe80::2\",\"age_seconds\":180.0,\"band\":\"proven\",\
         \"confidence_percent\":90,\"download_bits_per_second\":48123456,\"if\":\"eth0\",\
         \"latency_ms\":20.4,\"loss_percent\":0.25,\"pinned\":\"both\",\"rank\":0,\"samples\":3,\
         \"source\":\"target\",\"target\":\"paris\",\"upload_bits_per_second\":12000000,\
         \"valid_seconds\":3420.0}"
    );
    assert_eq!(all[1]["source"], "link");
    assert_eq!(all[2]["prefix"], "10.0.0.0/8");
    assert_eq!(all[2]["note"], "nothing comes back");
    assert_eq!(all[3].get("age_seconds"), None);
}

#[test]
fn tests_are_shown_running_failed_and_done() {
    let server = Background::serve(node);
    assert_eq!(
        squeezed(&shown(&server.path, &["show", "tests"])),
        "ID NEIGHBOUR IF TARGET STATE DOWN UP LATENCY LOSS LOADED SPENT PINNED ENDED WHY\n\
         9 fe80::2 eth0 paris running: download 1.5 MB upload\n\
         8 fe80::2 eth0 lab failed 0 B upload 120 min ago connect: refused by 192.0.2.1:6698\n\
         7 fe80::2 eth0 paris done 48 Mbit/s 12 Mbit/s 20.4 ms 0.2 % 85.0 ms 60 MB upload 3.0 s \
         ago\n"
    );
    let all = json(&server.path, &["show", "tests"]);
    assert_eq!(all[0]["state"], "running");
    assert_eq!(all[0]["phase"], "download");
    assert_eq!(all[0]["rate_bits_per_second"], 8_000_000);
    assert_eq!(all[1]["why"], "connect: refused by 192.0.2.1:6698");
    assert_eq!(
        all[2].to_string(),
        "{\"address\":\"fe80::2\",\"bytes\":60000000,\"bytes_limit\":100000000,\
         \"confidence_percent\":95,\"download_bits_per_second\":48000000,\"early_stop\":true,\
         \"elapsed_seconds\":8.0,\"ended_seconds_ago\":3.0,\"id\":7,\"if\":\"eth0\",\
         \"latency_ms\":20.4,\"loaded_latency_ms\":85.0,\"loss_by\":\"echo\",\
         \"loss_percent\":0.25,\"pinned\":\"upload\",\"state\":\"done\",\"target\":\"paris\",\
         \"upload_bits_per_second\":12000000}"
    );
}

#[test]
fn decisions_are_shown_newest_first() {
    let server = Background::serve(node);
    let all = json(&server.path, &["show", "decisions"]);
    assert_eq!(all[0]["prefix"], "10.0.0.0/8");
    assert_eq!(all[0]["reason"], "metric");
    assert_eq!(all[0]["new"]["address"], "fe80::2");
    assert_eq!(all[0]["new"]["if"], "eth0");
    let text = shown(&server.path, &["show", "decisions"]);
    let first = text.lines().next().unwrap_or_default();
    assert_eq!(
        first.split_whitespace().collect::<Vec<_>>(),
        ["WHEN", "PREFIX", "REASON", "BEFORE", "AFTER"]
    );
    assert!(text.contains(" ago  10.0.0.0/8  metric  none "), "{text}");
    assert!(text.contains("  fe80::2%eth0\n"), "{text}");
}

#[test]
fn a_node_that_ranks_nobody_says_so() {
    let server = Background::serve(|| TestNode::new(false, &[], Duration::ZERO));
    let quality = shown(&server.path, &["show", "quality"]);
    assert!(
        quality.starts_with("neighbours are not ranked"),
        "{quality}"
    );
    let tests = shown(&server.path, &["show", "tests"]);
    assert_eq!(tests, "no speed test has run\n");
    let decisions = shown(&server.path, &["show", "decisions"]);
    assert_eq!(decisions, "no route in use has changed\n");
    for topic in ["quality", "tests", "decisions"] {
        assert_eq!(shown(&server.path, &["-j", "show", topic]), "[]\n");
    }
}

/// A node that tests when asked to, and how the test goes, step by step.
fn testing(steps: Vec<TestView>) -> TestNode {
    let mut node = node();
    node.tests = vec![failed()];
    node.to_come = steps.into();
    node
}

fn phase(phase: Phase) -> TestView {
    let rate = Rate::from_bps(8_000_000);
    TestView {
        state: TestState::Running { phase, rate },
        ..running()
    }
}

const RUN: [&str; 6] = [
    "speedtest",
    "run",
    "--neighbour",
    "fe80::2",
    "--interface",
    "eth0",
];

#[test]
fn a_test_by_hand_is_followed_to_its_result() {
    let steps = || vec![phase(Phase::Connect), phase(Phase::Download), done()];
    let server = Background::serve(move || testing(steps()));
    assert_eq!(
        shown(&server.path, &RUN),
        "1.5 s: download, 1.5 MB spent\n\
         through   fe80::2%eth0, target paris\n\
         download  48 Mbit/s\n\
         upload    12 Mbit/s\n\
         latency   20.4 ms idle, 85.0 ms under load\n\
         loss      0.2 %\n\
         spent     60 MB of 100 MB in 8.0 s; the rates were steady before a limit was reached\n\
         pinned    upload only: what came back came by the far side's choice; see `probe-prefix` \
         in babeld(8)\n\
         sure      95 %\n"
    );
    let server = Background::serve(move || testing(steps()));
    let line = [&RUN[..], &["--target", "paris"]].concat();
    let result = json(&server.path, &line);
    assert_eq!(result["state"], "done");
    assert_eq!(result["download_bits_per_second"], 48_000_000);
}

#[test]
fn a_test_that_fails_or_cannot_begin_is_a_failure() {
    let fails = || {
        let end = TestView {
            id: 9,
            target: "paris".into(),
            ..failed()
        };
        testing(vec![phase(Phase::Connect), end])
    };
    let server = Background::serve(fails);
    let output = babelctl(&server.path, &RUN);
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert_eq!(output.status.code(), Some(1), "{out}{err}");
    assert!(out.contains("spent     0 B of 100 MB"), "{out}");
    assert!(!out.contains("download  "), "{out}");
    assert_eq!(
        err,
        "babelctl: the test failed: connect: refused by 192.0.2.1:6698\n"
    );

    let server = Background::serve(|| testing(Vec::new()));
    let output = babelctl(&server.path, &RUN);
    let err = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(err, "babelctl: not begun: there is no such neighbour\n");

    // The port is read-only.
    let port = server.port.to_string();
    let output = babelctl(Path::new(&port), &RUN);
    let err = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(err.contains("its socket is read-only"), "{err}");
}

#[test]
fn what_each_neighbour_carries_and_promises_is_counted() {
    let server = Background::serve(node);
    let text = shown(&server.path, &["raw", "json usage"]);
    assert_eq!(
        text,
        "{\"address\":\"fe80::2\",\"if\":\"eth0\",\"routes_in_use\":1,\"prefix\":\"10.0.0.0/8\",\
         \"refmetric\":0,\"metric\":96}\n\
         {\"address\":\"fe80::3\",\"if\":\"eth1\",\"routes_in_use\":0,\"prefix\":\"10.0.0.0/8\",\
         \"refmetric\":0,\"metric\":256}\nok\n"
    );
    let status = json(&server.path, &["show", "status"]);
    assert_eq!(status["routes"]["overridden"], 0);
    assert_eq!(status["route_changes"]["metric"], 1);
}

#[test]
fn top_shows_one_frame_where_there_is_no_terminal() {
    for arguments in [&["top"][..], &["top", "--once", "-n", "5"]] {
        let server = Background::serve(node);
        let text = squeezed(&shown(&server.path, arguments));
        for line in [
            "2 neighbours; routes: 1 in use, 0 of them overridden, 1 spare, 0 unfeasible, 0 of our \
             own",
            "fe80::2 eth0 96 0 10.0.0.0/8 48.1 Mbit/s 12 Mbit/s 20.4 ms 0.2 % 180 s proven best 1",
            "fe80::3 eth1 256 0 10.0.0.0/8 unproven 0",
            "testing fe80::2%eth0 by paris: download [ ] 8 Mbit/s 1.5 MB of 100 MB 1.5 s",
        ] {
            assert!(
                text.lines().any(|one| one == line),
                "no {line:?} in\n{text}"
            );
        }
        assert!(text.contains(" 10.0.0.0/8 metric nothing -> "), "{text}");
        assert!(!text.contains('\x1b'), "{text}");
    }
}
