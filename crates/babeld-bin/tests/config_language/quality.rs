//! Statements about measuring neighbours and ranking by it.

use crate::{bad, good, refuses, settings};
use babel_core::prefix::Family;
use babeld::config::{Global, Origin, ProbeMark, QualityOption, Settings, Statement, Target};
use qos_ranker::{Goal, Quality};
use std::time::Duration;

fn option(option: QualityOption) -> Statement {
    Statement::Global(Global::Quality(option))
}

fn rate(text: &str) -> Option<qos_ranker::Rate> {
    Some(text.parse().expect("a rate"))
}

fn target(name: &str, url: &str) -> Target {
    Target {
        name: name.into(),
        url: url.parse().expect("a URL"),
        prefix: None,
        interval: Duration::from_secs(3600),
        daily_budget: 2_000_000_000,
    }
}

#[test]
fn goals_name_what_is_wanted_and_where() {
    let download = Quality {
        download: rate("20M"),
        ..Quality::NONE
    };
    let all = Quality {
        download: rate("1.5G"),
        upload: rate("500K"),
        latency: Some(Duration::from_micros(12_500)),
        loss: Some("0.5".parse().expect("a loss")),
    };
    let prefix = "10.0.0.0/8".parse().ok();
    for (line, prefix, quality) in [
        ("qos-goal download 20M", None, download),
        ("qos-goal ip 10.1.2.3/8 download 20000000", prefix, download),
        (
            "qos-goal upload 500k loss 0.5 latency 12.5 download 1500M",
            None,
            all,
        ),
        ("qos-goal", None, Quality::NONE),
        ("qos-goal ip 10.0.0.0/8", prefix, Quality::NONE),
    ] {
        let goal = QualityOption::Goal(Goal { prefix, quality });
        assert_eq!(good(line), option(goal), "{line}");
    }
    refuses(&[
        (
            "qos-goal download",
            18,
            "the value of 'download' is missing",
        ),
        (
            "qos-goal download 20T",
            19,
            "'20T' is not a rate for 'download': a rate is a number",
        ),
        ("qos-goal download -5", 19, "'-5' is not a rate"),
        (
            "qos-goal latency 0",
            18,
            "'latency' takes milliseconds from 0.001",
        ),
        (
            "qos-goal loss 101",
            15,
            "'101' is not a percentage for 'loss': loss is",
        ),
        ("qos-goal ip 10.0.0.0/33", 13, "is not a prefix"),
        (
            "qos-goal speed 20M",
            10,
            "'speed' is not a word of 'qos-goal'",
        ),
        (
            "qos-goal valid 5",
            10,
            "'valid' is not a word of 'qos-goal'",
        ),
    ]);
}

#[test]
fn targets_have_a_name_a_url_and_limits() {
    let near = target("near", "babel://192.0.2.1:6698");
    let far = Target {
        prefix: "2001:db8::/32".parse().ok(),
        interval: Duration::from_secs(60),
        daily_budget: 500_000_000,
        ..target("far-1.example_2", "ndt7://ndt.example.net")
    };
    for (line, wanted) in [
        ("speedtest-target near babel://192.0.2.1", near),
        (
            "speedtest-target far-1.example_2 \"ndt7://ndt.example.net\" daily-budget 500M \
             interval 60 ip 2001:db8::/32",
            far,
        ),
        (
            "speedtest-target link babel://neighbour daily-budget 0",
            Target {
                daily_budget: 0,
                ..target("link", "babel://neighbour:6698")
            },
        ),
    ] {
        assert_eq!(good(line), option(QualityOption::Target(wanted)), "{line}");
    }
    assert_eq!(
        good("speedtest-target near none"),
        option(QualityOption::NoTarget("near".into()))
    );
    refuses(&[
        (
            "speedtest-target",
            17,
            "the target's name for 'speedtest-target' is missing",
        ),
        ("speedtest-target x", 19, "the URL of the target is missing"),
        (
            "speedtest-target a/b babel://x",
            18,
            "'a/b' is not a target's name",
        ),
        (
            "speedtest-target x http://x",
            20,
            "not a target's URL: `http://x`: it begins with none",
        ),
        (
            "speedtest-target x babels://h:1",
            20,
            "babels needs the server's key",
        ),
        (
            "speedtest-target x babel://h interval 0",
            39,
            "'0' is out of range",
        ),
        (
            "speedtest-target x babel://h daily-budget 2X",
            43,
            "'2X' is not a number of octets",
        ),
        (
            "speedtest-target x babel://h daily-budget 99999999999T",
            43,
            "as in 500M",
        ),
        (
            "speedtest-target x babel://h budget 2G",
            30,
            "'budget' is not an option of a target",
        ),
        ("speedtest-target x none 5", 25, "'5' is too much"),
    ]);
    let long = format!("speedtest-target {} babel://x", "x".repeat(33));
    assert!(bad(&long).reason.contains("up to 32 letters"));
}

#[test]
fn what_tests_use_of_the_kernel_can_be_chosen() {
    let mark = |value, mask| ProbeMark::new(value, mask).expect("room");
    for (line, wanted) in [
        ("unproven-penalty 0", QualityOption::UnprovenPenalty(0)),
        (
            "unproven-penalty 65534",
            QualityOption::UnprovenPenalty(65534),
        ),
        ("probe-table 1000", QualityOption::ProbeTable(1000)),
        ("probe-table 249", QualityOption::ProbeTable(249)),
        ("probe-priority 32765", QualityOption::ProbePriority(32_765)),
        (
            "probe-mark 0x100/0xf00",
            QualityOption::ProbeMark(mark(0x100, 0xF00)),
        ),
        ("probe-mark 4/0x1c", QualityOption::ProbeMark(mark(4, 0x1C))),
        ("probe-prefix none", QualityOption::NoProbePrefix),
        (
            "probe-prefix 192.0.2.1/30",
            QualityOption::ProbePrefix("192.0.2.0/30".parse().expect("a prefix")),
        ),
        (
            "quality-file \"/x y\"",
            QualityOption::QualityFile(Some("/x y".into())),
        ),
        ("quality-file \"\"", QualityOption::QualityFile(None)),
    ] {
        assert_eq!(good(line), option(wanted), "{line}");
    }
    refuses(&[
        ("unproven-penalty 65535", 18, "from 0 to 65534"),
        ("probe-table 0", 13, "from 1 to"),
        ("probe-table 250", 13, "'250' cannot be used"),
        ("probe-table 255", 13, "253 to 255 are the kernel's"),
        ("probe-table 4294967292", 13, "'4294967292' is out of range"),
        ("probe-priority 0", 16, "from 1 to 32765"),
        ("probe-priority 32766", 16, "from 1 to 32765"),
        (
            "probe-mark 5",
            12,
            "'5' is not a mark: 'probe-mark' takes VALUE/MASK, such as 0xb0000000",
        ),
        ("probe-mark 0x100/0x300", 12, "'0x100/0x300' does not fit"),
        ("probe-mark 0x1f/0xf0", 12, "does not fit"),
        ("probe-mark 0/0xff", 12, "none of them zero"),
        ("probe-mark 1/0", 12, "does not fit"),
        ("probe-mark 0x500000000/0xff", 12, "is not a mark"),
        (
            "probe-prefix 192.0.2.0/31",
            14,
            "at most 30 (IPv4) or 126 (IPv6)",
        ),
        ("probe-prefix 2001:db8::/127", 14, "is too small"),
        ("probe-prefix ff02::/16", 14, "'ff02::/16' cannot be used"),
        ("probe-prefix ::/0", 14, "cannot be used"),
        ("probe-prefix 127.0.0.0/8", 14, "cannot be used"),
        ("probe-prefix x", 14, "'x' is not a prefix"),
    ]);
}

#[test]
fn marks_of_tests_count_up_in_their_own_bits() {
    let mark = ProbeMark::default();
    let slots: Vec<u32> = (0..4).map(|slot| mark.slot(slot)).collect();
    assert_eq!(slots, [0xB000_0000, 0xC000_0000, 0xD000_0000, 0xE000_0000]);
    assert_eq!((mark.mask(), mark.slot(9)), (0xF000_0000, 0xE000_0000));
    // Bits that are not side by side cannot be counted through.
    assert_eq!(ProbeMark::new(1, 0b101), None);
    assert_eq!(ProbeMark::new(u32::MAX, u32::MAX), None);
    let quality = settings("probe-table 700").quality;
    assert_eq!(
        quality.probe_tables().collect::<Vec<_>>(),
        [700, 701, 702, 703]
    );
}

#[test]
fn near_words_of_measuring_are_suggested() {
    for (line, hint) in [
        ("qos-gaol download 5M", "qos-goal"),
        ("speedtest-targt x babel://y", "speedtest-target"),
        ("unproven_penalty 5", "unproven-penalty"),
        ("probe-prefx fd00::/64", "probe-prefix"),
        ("probe-tabel 5", "probe-table"),
        ("quality-fil /x", "quality-file"),
        ("mesure neighbour fe80::1", "measure"),
        ("speedtets neighbour fe80::1", "speedtest"),
        ("flush measurement", "measurements"),
        ("qos-goal dowload 5M", "download"),
        ("measure neigbour fe80::1", "neighbour"),
        (
            "speedtest-target x babel://y dayly-budget 5",
            "daily-budget",
        ),
    ] {
        let hint = format!("did you mean '{hint}'?");
        assert_eq!(bad(line).hint, Some(hint), "{line}");
    }
}

#[test]
fn a_goal_or_a_target_turns_ranking_on_and_nothing_else_does() {
    for text in [
        "",
        "prefer price\nunproven-penalty 5\nprobe-prefix fd00::/64\nprobe-table 9\nquality-file x",
        "qos-goal",
        "qos-goal ip 10.0.0.0/8",
        "qos-goal download 5M\nqos-goal",
        "speedtest-target x babel://y\nspeedtest-target x none",
    ] {
        assert!(!settings(text).ranking_on(), "{text}");
    }
    for text in [
        "qos-goal latency 50",
        "qos-goal ip 10.0.0.0/8 loss 1",
        "speedtest-target x babel://y",
    ] {
        assert!(settings(text).ranking_on(), "{text}");
    }
}

#[test]
fn the_last_goal_target_and_probe_prefix_of_each_kind_wins() {
    let s = settings(
        "qos-goal download 5M\nqos-goal ip 10.0.0.0/8 upload 1M\nqos-goal download 7M\n\
         qos-goal ip 10.0.0.0/8\nqos-goal ip fd00::/8\n\
         speedtest-target a babel://x\nspeedtest-target b babel://y\n\
         speedtest-target a babel://z\nspeedtest-target c babel://y\nspeedtest-target b none\n\
         probe-prefix 10.9.0.0/16\nprobe-prefix fd01::/64\nprobe-prefix 10.8.0.0/16",
    );
    let goals: Vec<String> = s.quality.goals.iter().map(Goal::to_string).collect();
    assert_eq!(
        goals,
        [
            "qos-goal download 7M",
            "qos-goal ip 10.0.0.0/8",
            "qos-goal ip fd00::/8"
        ]
    );
    let targets: Vec<String> = s
        .quality
        .targets
        .iter()
        .map(|one| format!("{} {}", one.name, one.url))
        .collect();
    assert_eq!(targets, ["a babel://z:6698", "c babel://y:6698"]);
    let prefix = |family| {
        s.quality
            .probe_prefix(family)
            .map(|prefix| prefix.to_string())
    };
    assert_eq!(prefix(Family::V4).as_deref(), Some("10.8.0.0/16"));
    assert_eq!(prefix(Family::V6).as_deref(), Some("fd01::/64"));
    assert_eq!(Settings::default().quality.probe_prefixes, []);
}

#[test]
fn a_node_holds_a_bounded_number_of_targets() {
    let mut text = String::new();
    for n in 0..64 {
        text.push_str(&format!("speedtest-target t{n} babel://x\n"));
    }
    let mut s = settings(&text);
    s.read_text("speedtest-target t9 babel://y", Origin::file("again"))
        .expect("one that is known");
    let error = s
        .read_text("speedtest-target one-more babel://y", Origin::file("more"))
        .expect_err("one too many");
    assert!(
        error
            .reason
            .contains("64 targets already: 'speedtest-target NAME none'"),
        "{error}"
    );
    s.read_argument("speedtest-target t9 none").expect("room");
    s.read_argument("speedtest-target one-more babel://y")
        .expect("room");
}

#[test]
fn statements_that_are_odd_together_are_doubted() {
    for (text, doubts) in [
        (
            "qos-goal download 20M",
            &["'qos-goal', but nothing measures"][..],
        ),
        (
            "qos-goal download 20M\nspeedtest-target l babel://neighbour",
            &["tests the link to the neighbour only"],
        ),
        (
            "probe-prefix fd01::/64\nspeedtest-target a babel://192.0.2.1\n\
             speedtest-target b babel://[fd02::1]\nspeedtest-target c ndt7://example.net",
            &[
                "speedtest-target a: its server is IPv4 and there is no IPv4 'probe-prefix': \
               downloads from it will be unpinned",
            ],
        ),
        (
            "probe-prefix 10.9.0.0/24\nspeedtest-target b babel://[fd02::1]",
            &["speedtest-target b: its server is IPv6"],
        ),
        (
            "probe-prefix 10.9.0.0/24\nprobe-prefix fd01::/64\nredistribute ip 10.0.0.0/8\n\
             redistribute ip fd01::/65 le 128 metric 5",
            &[
                "probe-prefix 10.9.0.0/24 overlaps 'redistribute ip 10.0.0.0/8'",
                "probe-prefix fd01::/64 overlaps 'redistribute ip fd01::/65'",
            ],
        ),
        (
            "probe-table 100\nexport-table 101\nimport-table 103\nimport-table 104\n\
             install ip ::/0 table 100",
            &[
                "'export-table 101' is one of the four tables of 'probe-table 100'",
                "'import-table 103'",
                "'install … table 100'",
            ],
        ),
    ] {
        let found = settings(text).doubts();
        assert_eq!(found.len(), doubts.len(), "{text}: {found:?}");
        for (found, part) in found.iter().zip(doubts) {
            assert!(found.contains(part), "{text}: {found}");
        }
    }
    for good in [
        "",
        "probe-prefix 10.9.0.0/24\nredistribute ip 10.0.0.0/8 deny\nredistribute ip 192.0.2.0/24",
        "qos-goal download 20M\nlocal-path-readwrite /x",
        "qos-goal download 20M\nspeedtest-target a babel://192.0.2.1",
        "speedtest-target l babel://neighbour\nspeedtest-target a ndt7://example.net",
        "local-port-readwrite 5\nspeedtest-target l babel://neighbour",
    ] {
        assert_eq!(settings(good).doubts(), [""; 0], "{good}");
    }
}
