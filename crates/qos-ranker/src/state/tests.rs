use super::*;
use crate::measurement::{Loss, Quality, Rate};
use crate::report::Report;
use babel_core::types::LinkId;
use proptest::prelude::*;

const HOUR: Duration = Duration::from_secs(3600);
/// Some time in 2026.
const WALL: Duration = Duration::from_secs(1_795_000_000);

fn peer(n: u16) -> Peer {
    Peer {
        interface: "wg%\u{e4} 0".into(),
        address: Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, n),
    }
}

fn second(second: u64) -> Instant {
    Instant::from_micros(second * 1_000_000)
}

fn report(n: u16, source: Source, download: u64) -> Report {
    Report {
        peer: peer(n),
        scope: (n == 2).then_some(Prefix::V4_DEFAULT),
        source,
        quality: Quality {
            download: Some(Rate::from_bps(download)),
            upload: None,
            latency: Some(Duration::from_micros(12_345)),
            loss: Some(Loss::from_ppm(77)),
        },
        valid: HOUR,
        pinned: (n == 2).then_some(Pinned::Upload),
    }
}

/// Something of everything, at 1000 s.
fn full() -> Ranker {
    let mut ranker = Ranker::new();
    let target = |name: &str| Source::Target(name.into());
    for (at, download) in (0..).zip([10_000_000, 9_500_000, 30_000_000, 9_900_000]) {
        ranker.record(second(at), &report(1, target("fra 1"), download));
    }
    ranker.record(second(10), &report(1, Source::Outside, 8_000_000));
    ranker.record(
        second(11),
        &report(2, Source::Link("one".into()), 8_000_000),
    );
    ranker.record(second(12), &report(2, target("ams"), 7_000_000));
    let unpinned = Report {
        pinned: Some(Pinned::No),
        ..report(2, target("ams"), 1)
    };
    ranker.record(second(12), &unpinned);
    ranker.black_hole(second(13), &peer(3));
    ranker.saturated(second(14), &peer(1), Rate::from_bps(5_000_000));
    ranker.doubt(second(15), &peer(2), None, "ams");
    ranker
}

fn link(_: &str) -> Option<LinkId> {
    Some(LinkId(1))
}

fn restored(text: &str, now: Instant, wall: Duration) -> Ranker {
    let restored = Ranker::from_text(text, now, wall).expect("a state");
    assert_eq!(restored.bad, 0, "{text}");
    restored.ranker
}

#[test]
fn everything_survives_a_restart() {
    let mut before = full();
    let now = second(1000);
    let published = before.ranks(now, &link);
    let text = before.to_text(now, WALL);
    // The clock of another boot, which began only just now; nobody was away.
    let mut after = restored(&text, second(3), WALL);
    assert_eq!(after.to_text(second(3), WALL), text);
    assert_eq!(published, after.ranks(second(3), &link));
    assert_eq!(before.standings(now), after.standings(second(3)));
    let left = |ranker: &Ranker, now: Instant| ranker.next_change().map(|next| next.since(now));
    assert_eq!(left(&before, now), left(&after, second(3)));
}

#[test]
fn time_away_counts() {
    let text = full().to_text(second(1000), WALL);
    let mut after = restored(&text, second(0), WALL + HOUR / 2);
    let age = after.standings(second(0))[0].age;
    assert_eq!(age, Some(Duration::from_secs(990) + HOUR / 2));
    assert!(!after.ranks(second(0), &link).is_empty());
    let mut late = restored(&text, second(0), WALL + HOUR);
    assert!(
        late.standings(second(0))
            .iter()
            .all(|one| one.score.is_none())
    );
    assert!(
        !late.ranks(second(0), &link).is_empty(),
        "the doubt is good for six hours"
    );
}

#[test]
fn a_clock_far_forward_leaves_nothing() {
    let text = full().to_text(second(1000), WALL);
    for wall in [
        WALL + 24 * HOUR,
        Duration::from_secs(u64::MAX),
        Duration::MAX,
    ] {
        assert!(restored(&text, second(0), wall).is_empty());
    }
}

#[test]
fn a_clock_set_back_keeps_nothing_alive_for_ever() {
    let mut text = full().to_text(second(1000), WALL);
    let mut wall = WALL;
    let mut lives = 0;
    while !text
        .lines()
        .skip(1)
        .all(|line| line.starts_with("published"))
    {
        wall -= Duration::from_secs(3600);
        let ranker = restored(&text, second(5), wall);
        text = ranker.to_text(second(6), wall);
        lives += 1;
        assert!(lives < 40, "{text}");
    }
    assert!(lives > 2, "one step back must not lose everything");
}

#[test]
fn a_bad_line_costs_that_line_only() {
    let text = full().to_text(second(1000), WALL);
    let lines = text.lines().count();
    for broken in 2..=lines {
        let spoilt: Vec<String> = (1..)
            .zip(text.lines())
            .map(|(number, line)| {
                if number == broken {
                    line.replacen(' ', " x", 1)
                } else {
                    line.into()
                }
            })
            .collect();
        let restored = Ranker::from_text(&spoilt.join("\n"), second(9), WALL).expect("a state");
        assert_eq!((restored.bad, restored.bad_lines), (1, vec![broken]));
    }
}

#[test]
fn another_version_is_refused_as_a_whole() {
    for text in [
        "",
        "babel-quality 2 saved 1",
        "babel-quality 1 saved",
        "rubbish\nreading",
    ] {
        assert_eq!(Ranker::from_text(text, second(0), WALL), Err(InvalidState));
    }
}

#[test]
fn a_file_that_grew_without_end_is_read_into_bounded_memory() {
    let mut text = format!("babel-quality 1 saved {}\n", WALL.as_millis());
    for n in 0..6000u32 {
        let scope = format!("10.{}.{}.0/24", n / 256 % 256, n % 256);
        line(
            &mut text,
            format_args!(
                "reading fe80::{:x} 'eth0 {scope} outside latency 5 0 9000 -",
                n % 2000
            ),
        );
    }
    line(
        &mut text,
        format_args!(
            "reading fe80::1 '{} - outside latency 5 0 9000 -",
            "x".repeat(5000)
        ),
    );
    let restored = Ranker::from_text(&text, second(9), WALL).expect("a state");
    assert_eq!(restored.bad, 1);
    assert!(restored.ranker.peers.len() <= Ranker::MAX_PEERS);
}

proptest! {
    #[test]
    fn names_are_read_back(name in any::<String>()) {
        let text = escaped(&name);
        prop_assert!(!text.contains([' ', '\n', '\r']));
        prop_assert_eq!(unescaped(&text), (name.len() <= LONGEST_NAME).then_some(name));
    }

    #[test]
    fn no_text_and_no_clock_makes_it_panic(
        at in 0..400usize, junk in "[ -~]{0,20}", now in any::<u64>(), wall in any::<u64>(),
        age in any::<u64>(), valid in any::<u64>(),
    ) {
        let mut text = full().to_text(second(1000), WALL);
        line(&mut text, format_args!("reading fe80::9 'eth0 - outside download {age} {age} {valid} -"));
        line(&mut text, format_args!("published fe80::9 'eth0 - download {valid} {age}"));
        let at = at.min(text.len());
        if text.is_char_boundary(at) && at > 40 {
            text.insert_str(at, &junk);
        }
        let now = Instant::from_micros(now);
        if let Ok(mut restored) = Ranker::from_text(&text, now, Duration::from_millis(wall)) {
            let mut now = now;
            let mut turns = 0;
            while let Some(next) = restored.ranker.next_change() {
                if next <= now {
                    // The end of time itself.
                    prop_assert_eq!(next, Instant::from_micros(u64::MAX));
                    break;
                }
                now = next;
                let _ = restored.ranker.ranks(now, &link);
                let _ = restored.ranker.standings(now);
                turns += 1;
                prop_assert!(turns < 500);
            }
        }
    }
}
