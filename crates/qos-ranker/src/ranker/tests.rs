use super::*;
use crate::band::Band;
use crate::report::Pinned;
use crate::score::RankStep;
use core::net::Ipv6Addr;
use proptest::prelude::*;

const HOUR: Duration = Duration::from_secs(3600);

fn peer(n: u16) -> Peer {
    Peer {
        interface: "wg0".into(),
        address: Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, n),
    }
}

fn minutes(minutes: u64) -> Instant {
    Instant::from_micros(minutes * 60_000_000)
}

fn link(name: &str) -> Option<LinkId> {
    (name == "wg0").then_some(LinkId(4))
}

fn rates(download: &str, upload: &str) -> Quality {
    Quality {
        download: download.parse().ok(),
        upload: upload.parse().ok(),
        ..Quality::NONE
    }
}

fn target(n: u16, name: &str, quality: Quality) -> Report {
    Report {
        peer: peer(n),
        scope: None,
        source: Source::Target(name.into()),
        quality,
        valid: HOUR,
        pinned: Some(Pinned::Both),
    }
}

fn outside(n: u16, quality: Quality) -> Report {
    Report {
        source: Source::Outside,
        pinned: None,
        ..target(n, "", quality)
    }
}

fn standing(ranker: &Ranker, now: Instant, n: u16) -> Standing {
    let mut all = ranker.standings(now).into_iter();
    let found = all.find(|one| one.peer == peer(n) && one.scope.is_none());
    found.expect("a standing")
}

fn download(ranker: &Ranker, now: Instant, n: u16) -> Option<String> {
    let rate = standing(ranker, now, n).quality.download;
    rate.map(|rate| rate.to_string())
}

#[test]
fn the_first_measurement_counts_at_once_and_an_outlier_not_at_all() {
    let mut ranker = Ranker::new();
    for (minute, rate) in (0..).zip(["20M", "21M", "1M", "20M"]) {
        ranker.record(minutes(minute), &target(1, "fra", rates(rate, "")));
        if minute == 0 {
            assert_eq!(standing(&ranker, minutes(0), 1).band, Band::Proven);
        }
    }
    assert_eq!(download(&ranker, minutes(4), 1).as_deref(), Some("20M"));
    assert_eq!(standing(&ranker, minutes(4), 1).samples, 4);
}

#[test]
fn of_an_outside_tool_the_newest_word_on_each_component_counts_at_once() {
    let mut ranker = Ranker::new();
    ranker.record(minutes(0), &outside(1, rates("100M", "10M")));
    ranker.record(minutes(1), &outside(1, rates("1M", "")));
    let quality = standing(&ranker, minutes(1), 1).quality;
    assert_eq!(quality, rates("1M", "10M"));
}

#[test]
fn of_several_targets_the_worst_counts() {
    let mut ranker = Ranker::new();
    ranker.record(minutes(0), &target(1, "ams", rates("50M", "5M")));
    ranker.record(minutes(0), &target(1, "fra", rates("20M", "6M")));
    let standing = standing(&ranker, minutes(0), 1);
    assert_eq!(standing.quality, rates("20M", "5M"));
    assert_eq!(standing.source, Some(Source::Target("fra".into())));
    // When the worst ran out, the others count.
    ranker.record(minutes(50), &target(1, "ams", rates("50M", "5M")));
    assert_eq!(download(&ranker, minutes(61), 1).as_deref(), Some("50M"));
}

#[test]
fn a_link_test_and_one_that_went_another_way_are_shown_and_do_not_rank() {
    let mut ranker = Ranker::new();
    let link_test = Report {
        source: Source::Link("near".into()),
        ..target(1, "", rates("900M", "900M"))
    };
    let astray = Report {
        pinned: Some(Pinned::No),
        ..target(2, "fra", rates("900M", "900M"))
    };
    ranker.record(minutes(0), &link_test);
    ranker.record(minutes(0), &astray);
    let all = ranker.standings(minutes(0));
    assert_eq!(all.len(), 2);
    for one in all {
        assert_eq!(
            (one.band, one.rank, one.score),
            (Band::Unproven, None, None)
        );
        assert_eq!(one.quality, rates("900M", "900M"));
        assert!(
            one.note
                .is_some_and(|note| note.starts_with("does not rank"))
        );
    }
    assert!(ranker.ranks(minutes(0), &link).is_empty());
}

#[test]
fn age_sinks_the_score_step_by_step_and_then_it_is_unproven() {
    let mut ranker = Ranker::new();
    ranker.record(minutes(0), &target(1, "fra", rates("20M", "20M")));
    ranker.record(minutes(30), &target(2, "fra", rates("20M", "20M")));
    let rank = |minute| {
        standing(&ranker, minutes(minute), 1)
            .rank
            .map(RankStep::number)
    };
    let told: Vec<Option<u8>> = [44, 45, 49, 53, 57, 60].into_iter().map(rank).collect();
    assert_eq!(told, [Some(0), Some(1), Some(2), Some(3), Some(4), None]);
    assert_eq!(standing(&ranker, minutes(60), 1).band, Band::Unproven);
    assert_eq!(standing(&ranker, minutes(60), 2).band, Band::Proven);
}

#[test]
fn next_change_tells_of_each_change_that_comes_with_time() {
    let mut ranker = Ranker::new();
    ranker.record(minutes(0), &target(1, "fra", rates("20M", "")));
    let mut ranks = ranker.ranks(minutes(0), &link);
    let mut changes = Vec::new();
    while let Some(next) = ranker.next_change() {
        let before = ranker.ranks(next - Duration::from_micros(1), &link);
        assert_eq!(before, ranks, "nothing changes in between");
        ranks = ranker.ranks(next, &link);
        changes.push(next.as_micros() / 60_000_000);
    }
    assert_eq!(changes, [45, 48, 52, 56, 60, 120]);
    assert!(ranker.is_empty());
}

#[test]
fn a_black_hole_fails_until_a_measurement_shows_life() {
    let mut ranker = Ranker::new();
    ranker.record(minutes(0), &target(1, "fra", rates("20M", "20M")));
    ranker.black_hole(minutes(1), &peer(1));
    let after = standing(&ranker, minutes(1), 1);
    assert_eq!(
        (after.band, after.rank, after.samples),
        (Band::Failing, None, 0)
    );
    // A dead test, or one of the link alone, is no sign of life.
    ranker.record(minutes(2), &target(1, "fra", rates("0", "5M")));
    let near = Source::Link("near".into());
    ranker.record(
        minutes(2),
        &Report {
            source: near,
            ..target(1, "", rates("1G", "1G"))
        },
    );
    assert_eq!(standing(&ranker, minutes(2), 1).band, Band::Failing);
    ranker.record(minutes(3), &target(1, "fra", rates("9M", "5M")));
    assert_eq!(standing(&ranker, minutes(3), 1).band, Band::Proven);
    // Nor is it one for ever if nobody measures.
    ranker.black_hole(minutes(4), &peer(2));
    assert!(!ranker.ranks(minutes(63), &link).is_empty());
    let _ = ranker.ranks(minutes(64), &link);
    assert!(
        ranker
            .standings(minutes(64))
            .iter()
            .all(|one| one.peer == peer(1))
    );
}

#[test]
fn a_full_link_caps_what_tests_claim_for_a_quarter_of_an_hour() {
    let mut ranker = Ranker::new();
    ranker.record(minutes(0), &target(1, "fra", rates("20M", "20M")));
    ranker.saturated(minutes(1), &peer(1), Rate::from_bps(3_000_000));
    assert_eq!(standing(&ranker, minutes(1), 1).quality, rates("20M", "3M"));
    ranker.record(minutes(2), &target(1, "fra", rates("20M", "20M")));
    assert_eq!(standing(&ranker, minutes(2), 1).quality, rates("20M", "3M"));
    let note = standing(&ranker, minutes(2), 1).note;
    assert_eq!(note.as_deref(), Some("its link was full at 3M"));
    assert_eq!(
        standing(&ranker, minutes(16), 1).quality,
        rates("20M", "20M")
    );
    // By itself it proves nothing.
    ranker.saturated(minutes(20), &peer(2), Rate::from_bps(3_000_000));
    let known = |ranker: &mut Ranker| {
        ranker
            .ranks(minutes(20), &link)
            .changed_peers(&Ranks::default())
    };
    assert_eq!(known(&mut ranker), [(LinkId(4), peer(1).address)]);
}

#[test]
fn a_doubted_neighbour_is_unproven_until_the_target_is_reached_again() {
    let mut ranker = Ranker::new();
    ranker.record(minutes(0), &target(1, "ams", rates("20M", "20M")));
    ranker.record(minutes(0), &target(1, "fra", rates("5M", "5M")));
    ranker.doubt(minutes(1), &peer(1), None, "fra");
    assert_eq!(standing(&ranker, minutes(1), 1).band, Band::Unproven);
    ranker.record(minutes(2), &target(1, "ams", rates("20M", "20M")));
    assert_eq!(standing(&ranker, minutes(2), 1).band, Band::Unproven);
    ranker.record(minutes(3), &target(1, "fra", rates("5M", "5M")));
    assert_eq!(standing(&ranker, minutes(3), 1).band, Band::Proven);
    assert_eq!(download(&ranker, minutes(3), 1).as_deref(), Some("5M"));
}

#[test]
fn the_bands_of_standings_are_those_of_the_goals() {
    let mut ranker = Ranker::new();
    let wide: Prefix = "10.0.0.0/8".parse().expect("a prefix");
    let mut goals = Goals::default();
    goals.set(None, rates("10M", ""));
    goals.set(Some(wide), rates("30M", ""));
    ranker.set_goals(goals);
    ranker.record(minutes(0), &target(1, "fra", rates("20M", "")));
    ranker.record(
        minutes(0),
        &Report {
            scope: Some(wide),
            ..target(1, "db", rates("20M", ""))
        },
    );
    ranker.record(minutes(0), &target(2, "fra", rates("2M", "")));
    let bands: Vec<Band> = ranker
        .standings(minutes(0))
        .iter()
        .map(|one| one.band)
        .collect();
    assert_eq!(bands, [Band::Proven, Band::Failing, Band::Failing]);
    let note = ranker.standings(minutes(0))[1].note.clone();
    assert_eq!(note.as_deref(), Some("download misses the goal"));
}

#[test]
fn only_those_whose_ranks_changed_are_named() {
    let mut ranker = Ranker::new();
    ranker.record(minutes(0), &target(1, "fra", rates("20M", "20M")));
    ranker.record(minutes(0), &target(2, "fra", rates("20M", "20M")));
    let before = ranker.ranks(minutes(0), &link);
    ranker.record(minutes(1), &target(1, "fra", rates("20500K", "19900K")));
    assert!(
        before
            .changed_peers(&ranker.ranks(minutes(1), &link))
            .is_empty()
    );
    ranker.record(minutes(2), &target(2, "fra", rates("2M", "2M")));
    let after = ranker.ranks(minutes(2), &link);
    assert_eq!(before.changed_peers(&after), [(LinkId(4), peer(2).address)]);
    ranker.forget(Some(&peer(1)));
    let last = ranker.ranks(minutes(2), &link);
    assert_eq!(after.changed_peers(&last), [(LinkId(4), peer(1).address)]);
    ranker.forget(None);
    assert!(ranker.is_empty());
}

#[test]
fn a_neighbour_on_an_absent_link_is_kept_and_not_published() {
    let mut ranker = Ranker::new();
    ranker.record(minutes(0), &target(1, "fra", rates("20M", "20M")));
    assert!(ranker.ranks(minutes(0), &|_| None).is_empty());
    assert!(!ranker.ranks(minutes(0), &link).is_empty());
}

#[test]
fn memory_is_bounded_under_a_flood_of_reports() {
    let mut ranker = Ranker::new();
    let report = |n: u32| Report {
        peer: Peer {
            interface: format!("eth{}", n % 7),
            address: Ipv6Addr::from(u128::from(n % 1500)),
        },
        scope: Prefix::new(Ipv6Addr::from(u128::from(n % 97) << 64).into(), 64),
        source: Source::Target(format!("t{}", n % 31)),
        quality: rates("1M", "1M"),
        valid: HOUR,
        pinned: None,
    };
    for n in 0..8000u32 {
        ranker.record(minutes(0), &report(n));
    }
    let (peers, entries) = (
        &ranker.peers,
        ranker.peers.values().flat_map(|one| &one.scopes),
    );
    assert!(peers.len() <= Ranker::MAX_PEERS);
    assert!(entries.clone().count() <= Ranker::MAX_ENTRIES);
    assert!(
        peers
            .values()
            .all(|known| known.scopes.len() <= Ranker::MAX_SCOPES)
    );
    assert!(entries.clone().all(|(_, entry)| entry.histories.len() <= 8));
    // One neighbour, every scope and source.
    for n in 0..3000u32 {
        let one = Report {
            peer: peer(1),
            ..report(n)
        };
        ranker.record(minutes(1), &one);
    }
    let known = &ranker.peers[&peer(1)];
    assert_eq!(known.scopes.len(), Ranker::MAX_SCOPES);
    let readings = known
        .scopes
        .values()
        .flat_map(|entry| entry.histories.values());
    assert!(readings.map(|history| history.readings().count()).max() <= Some(20));
    // What was just said is there.
    assert!(
        ranker
            .standings(minutes(1))
            .iter()
            .any(|one| one.peer == peer(1))
    );
}

fn any_quality() -> impl Strategy<Value = Quality> {
    let rate = || proptest::option::weighted(0.8, 0..1_000_000_000u64);
    let latency = proptest::option::weighted(0.8, 0..2_000_000u64);
    let loss = proptest::option::weighted(0.8, 0..1_000_000u32);
    (rate(), rate(), latency, loss).prop_map(|(download, upload, latency, loss)| Quality {
        download: download.map(Rate::from_bps),
        upload: upload.map(Rate::from_bps),
        latency: latency.map(Duration::from_micros),
        loss: loss.map(Loss::from_ppm),
    })
}

/// Reports on one neighbour by up to three sources: minute, source, quality.
fn any_reports() -> impl Strategy<Value = Vec<(u64, usize, Quality)>> {
    let one = (0..30u64, 0..4usize, any_quality());
    proptest::collection::vec(one, 1..12).prop_map(|mut all| {
        all.sort_by_key(|(minute, _, _)| *minute);
        all
    })
}

fn score_after(reports: &[(u64, usize, Quality)]) -> Option<crate::score::Score> {
    let mut ranker = Ranker::new();
    for (minute, source, quality) in reports {
        let report = match ["ams", "fra", "lon"].get(*source) {
            Some(name) => target(1, name, *quality),
            None => outside(1, *quality),
        };
        // Each alone, for stickiness is not monotone: it keeps what was there.
        ranker.record(minutes(*minute), &report);
        if let Some(known) = ranker.peers.get_mut(&peer(1)) {
            known
                .scopes
                .values_mut()
                .for_each(|entry| entry.published = [None; 4]);
        }
    }
    ranker.settle(minutes(30));
    ranker
        .standings(minutes(30))
        .first()
        .and_then(|one| one.score)
}

proptest! {
    #[test]
    fn a_better_measurement_never_lowers_a_score(
        reports in any_reports(), which in any::<proptest::sample::Index>(), part in 0..4usize,
        more in 1..1_000_000u64,
    ) {
        let before = score_after(&reports);
        let mut better = reports.clone();
        let at = which.index(better.len());
        let quality = &mut better[at].2;
        let component = Component::ALL[part];
        let improved = quality.component(component).map(|value| {
            if component.more_is_better() { value + more } else { value.saturating_sub(more) }
        });
        quality.set_component(component, improved);
        prop_assert!(score_after(&better) >= before);
    }

    #[test]
    fn noise_of_less_than_half_a_step_changes_nothing_that_is_published(
        base in any_quality(), noise in proptest::collection::vec(0.955..1.045f64, 1..20),
    ) {
        prop_assume!(!base.is_empty());
        let mut ranker = Ranker::new();
        ranker.record(minutes(0), &target(1, "fra", base));
        let before = ranker.standings(minutes(0))[0].score;
        for (second, factor) in (1..).zip(noise) {
            let mut noisy = base;
            for component in Component::ALL {
                let value = base.component(component).map(|value| (value as f64 * factor) as u64);
                noisy.set_component(component, value);
            }
            let now = Instant::from_micros(second * 1_000_000);
            ranker.record(now, &target(1, "fra", noisy));
            prop_assert_eq!(ranker.standings(now)[0].score, before);
        }
    }

    #[test]
    fn any_history_is_survived_and_forgotten_in_the_end(
        reports in any_reports(), valid in any::<u32>(), begin in any::<u32>(),
    ) {
        let mut ranker = Ranker::new();
        let begin = Instant::from_micros(u64::from(begin) * 1_000_000);
        for (minute, source, quality) in reports {
            let valid = Duration::from_secs(valid.into());
            let now = begin + Duration::from_secs(minute * 60);
            let report = Report { valid, ..target(u16::try_from(source).expect("small"), "x", quality) };
            ranker.record(now, &report);
            if source == 3 {
                ranker.black_hole(now, &peer(2));
                ranker.saturated(now, &peer(1), Rate::from_bps(minute));
                ranker.doubt(now, &peer(1), None, "x");
            }
        }
        let mut turns = 0;
        while let Some(next) = ranker.next_change() {
            let _ = ranker.ranks(next, &link);
            let _ = ranker.standings(next);
            turns += 1;
            prop_assert!(turns < 1000);
        }
        prop_assert!(ranker.is_empty());
    }
}
