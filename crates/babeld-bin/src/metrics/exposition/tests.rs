use super::*;
use crate::local::{Identity, LocalCounters};
use crate::node::{InterfaceView, KernelCounters, TestCounters};
use babel_core::types::{LinkId, Metric, NeighbourId, RouterId};
use babel_core::view::{Counters, RouteCounts};
use qos_ranker::{Band, Loss, Peer, Quality, RankStep, Rate, Source, Standing};
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

fn neighbour(id: u32) -> NeighbourView {
    NeighbourView {
        id: NeighbourId(id),
        link: LinkId(1),
        address: format!("fe80::{id:x}").parse().expect("an address"),
        reach: 0xF000,
        ureach: 0,
        rxcost: Metric(96),
        txcost: Metric::INFINITY,
        cost: Metric::INFINITY,
        rtt: None,
        rttcost: Metric::ZERO,
        routes: 3,
        hello_age: Some(Duration::from_millis(1500)),
        ihu_age: None,
    }
}

fn standing(id: u32) -> Standing {
    Standing {
        peer: Peer {
            interface: "eth0".into(),
            address: neighbour(id).address,
        },
        scope: None,
        band: Band::Failing,
        rank: Some(RankStep::LAST),
        score: None,
        quality: Quality {
            download: Some(Rate::from_bps(48_000_000)),
            upload: None,
            latency: Some(Duration::from_millis(20)),
            loss: Some(Loss::from_ppm(2500)),
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

fn numbers(neighbours: u32) -> Numbers {
    Numbers {
        identity: Identity {
            version: "babeld-0".into(),
            host: "a \"host\"\\".into(),
            router_id: RouterId([2, 0, 0, 0, 0, 0, 0, 1]),
            althea: false,
        },
        interfaces: vec![InterfaceView {
            link: LinkId(1),
            name: "eth0".into(),
            up: true,
            ipv6: None,
            ipv4: None,
            down_reason: None,
        }],
        neighbours: (0..neighbours)
            .map(|id| ("eth0".into(), neighbour(id)))
            .collect(),
        neighbour_count: neighbours as usize + 7,
        standings: (0..neighbours).map(standing).collect(),
        tests: TestCounters {
            run: 5,
            skipped: 4,
            failed: 3,
            bytes: 2_000_000_000,
        },
        routes: RouteCounts {
            selected: 1,
            feasible: 2,
            unfeasible: 3,
            retracted: 4,
            overridden: 6,
        },
        xroutes: 5,
        counters: Counters {
            tlvs_received: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
            timers_fired: 4,
            timer_lateness_us_sum: 1_500_000,
            ..Counters::default()
        },
        kernel: KernelCounters::default(),
        local: LocalCounters::default(),
        local_clients: 2,
        started_seconds: 1.0e9,
    }
}

#[test]
fn families_say_what_the_numbers_say() {
    let text = text(&numbers(1)).expect("a text");
    for line in [
        "babel_info{version=\"babeld-0\",my_id=\"02:00:00:00:00:00:00:01\",\
         host=\"a \\\"host\\\"\\\\\"} 1",
        "babel_interface_up{interface=\"eth0\"} 1",
        "babel_neighbour_txcost{interface=\"eth0\",address=\"fe80::\"} 65535",
        "babel_neighbour_hello_reach_ratio{interface=\"eth0\",address=\"fe80::\"} 0.25",
        "babel_neighbour_hello_age_seconds{interface=\"eth0\",address=\"fe80::\"} 1.5",
        "babel_neighbours 8",
        "babel_neighbour_download_bytes_per_second{interface=\"eth0\",address=\"fe80::\"} 6000000",
        "babel_neighbour_quality_latency_seconds{interface=\"eth0\",address=\"fe80::\"} 0.02",
        "babel_neighbour_loss_ratio{interface=\"eth0\",address=\"fe80::\"} 0.0025",
        "babel_neighbour_measurement_age_seconds{interface=\"eth0\",address=\"fe80::\"} 90",
        "babel_neighbour_band{interface=\"eth0\",address=\"fe80::\"} 2",
        "babel_neighbour_rank{interface=\"eth0\",address=\"fe80::\"} 255",
        "babel_speedtests_total{result=\"run\"} 5",
        "babel_speedtests_total{result=\"skipped\"} 4",
        "babel_speedtests_total{result=\"failed\"} 3",
        "babel_speedtest_bytes_total 2000000000",
        "babel_routes{state=\"retracted\"} 4",
        "babel_routes_overridden 6",
        "babel_tlvs_received_total{kind=\"update\"} 7",
        "babel_tlvs_ignored_total{reason=\"bad_wildcard\"} 0",
        "babel_route_changes_total{reason=\"neighbour_lost\"} 0",
        "babel_timer_lateness_seconds_sum 1.5",
        "babel_timer_lateness_seconds_count 4",
    ] {
        assert!(text.lines().any(|one| one == line), "no {line} in\n{text}");
    }
    // What is not known has no series.
    assert!(!text.contains("babel_neighbour_ihu_age_seconds"), "{text}");
    assert!(!text.contains("babel_neighbour_upload"), "{text}");
}

#[test]
fn a_node_without_neighbours_or_interfaces_has_metrics_too() {
    let numbers = Numbers {
        interfaces: Vec::new(),
        ..numbers(0)
    };
    let text = text(&numbers).expect("a text");
    assert!(text.contains("\nbabel_neighbours 7\n"), "{text}");
}

#[test]
fn promtool_finds_nothing_to_complain_about() {
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool runs; it is in Debian's package `prometheus`");
    let text = text(&numbers(2)).expect("a text");
    let mut input = promtool.stdin.take().expect("a pipe");
    input.write_all(text.as_bytes()).expect("written");
    drop(input);
    let output = promtool.wait_with_output().expect("promtool ends");
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.trim().is_empty(), "{said}");
}
