use super::*;
use crate::goal::Prefer;
use crate::measurement::{Component, Loss, Rate};
use crate::policy::QosPolicy;
use crate::ranker::Ranker;
use crate::report::{Peer, Report, Source};
use babel_core::policy::{ChangeReason, Move, SelectionPolicy};
use babel_core::prefix::RouteKey;
use babel_core::time::Instant;
use babel_core::types::{LinkId, NeighbourId, Party};
use babel_price_tlv::{Price, Unit};
use core::net::Ipv6Addr;
use core::time::Duration;
use proptest::prelude::*;

type Route = Candidate<RoutePrice>;

const LINK: LinkId = LinkId(3);
const NOW: Instant = Instant::from_micros(1_000_000_000);

fn destination() -> RouteKey {
    RouteKey::new("10.1.2.0/24".parse().expect("a prefix"))
}

fn address(n: u32) -> Ipv6Addr {
    Ipv6Addr::from((0xfe80 << 112) + u128::from(n))
}

fn route(n: u32, price: u32, metric: u16) -> Route {
    let party = Party {
        link: LINK,
        address: address(n),
    };
    let metric = Metric(metric);
    let price = match price {
        0 => RoutePrice::Unpriced,
        price => RoutePrice::new(Unit::NAMELESS, Price::saturating(price)),
    };
    Candidate::for_tests(NeighbourId(n), party, metric, metric, false, price)
}

fn megabits(down: u64, up: u64) -> Quality {
    Quality {
        download: Some(Rate::from_bps(down * 1_000_000)),
        upload: Some(Rate::from_bps(up * 1_000_000)),
        ..Quality::NONE
    }
}

fn report(n: u32, scope: Option<&str>, quality: Quality) -> Report {
    Report {
        peer: Peer {
            interface: "eth0".into(),
            address: address(n),
        },
        scope: scope.map(|scope| scope.parse().expect("a prefix")),
        source: Source::Target("fra".into()),
        quality,
        valid: Duration::from_secs(3600),
        pinned: None,
    }
}

fn link(_: &str) -> Option<LinkId> {
    Some(LINK)
}

fn ranking(reports: &[Report]) -> QosPolicy {
    let mut ranker = Ranker::new();
    reports.iter().for_each(|report| ranker.record(NOW, report));
    let mut policy = QosPolicy::new();
    policy.set_ranking(true);
    policy.set_ranks(ranker.ranks(NOW, &link));
    policy
}

fn keys(policy: &QosPolicy, candidates: &[Route]) -> Vec<QosKey> {
    let mut verdicts = Vec::new();
    policy.judge(&destination(), candidates, &mut verdicts);
    let key = |verdict: &Verdict<QosKey>| match verdict {
        Verdict::Eligible(key) => *key,
        Verdict::Ineligible => panic!("all are eligible here"),
    };
    verdicts.iter().map(key).collect()
}

/// The neighbours, the best first.
fn order(policy: &QosPolicy, candidates: &[Route]) -> Vec<u32> {
    let mut keys = keys(policy, candidates);
    keys.sort();
    keys.iter().map(|key| key.metric.neighbour.0).collect()
}

fn goal(policy: &mut QosPolicy, quality: Quality) {
    let mut goals = Goals::default();
    goals.set(None, quality);
    policy.set_goals(goals);
}

/// The band and rank of a key in words.
fn told(policy: &QosPolicy, key: &QosKey) -> [String; 2] {
    let steps = policy.steps(key);
    ["band", "rank"].map(|name| {
        let step = steps.iter().find(|step| step.name == name);
        step.expect("a step").value.clone()
    })
}

#[test]
fn the_liar_loses_to_the_measured_whatever_it_claims() {
    let candidates = [route(1, 0, 1), route(2, 200, 5000)];
    let policy = ranking(&[report(2, None, megabits(20, 5))]);
    assert_eq!(order(&policy, &candidates), [2, 1]);
    let keys = keys(&policy, &candidates);
    assert_eq!(policy.when(&keys[0], &keys[1]), Move::AtOnce);
    assert_eq!(policy.reason(&keys[0], &keys[1]), ChangeReason::Goal);
}

#[test]
fn among_the_measured_rank_counts_before_price_and_metric() {
    let candidates = [route(1, 10, 100), route(2, 200, 5000)];
    let policy = ranking(&[
        report(1, None, megabits(1, 1)),
        report(2, None, megabits(20, 20)),
    ]);
    assert_eq!(order(&policy, &candidates), [2, 1]);
    let keys = keys(&policy, &candidates);
    assert_eq!(policy.when(&keys[0], &keys[1]), Move::AfterHold);
    assert_eq!(policy.reason(&keys[0], &keys[1]), ChangeReason::Rank);
}

#[test]
fn within_a_step_of_rank_the_price_decides_and_then_the_metric() {
    let policy = ranking(&[
        report(1, None, megabits(18, 18)),
        report(2, None, megabits(20, 20)),
    ]);
    assert_eq!(
        order(&policy, &[route(1, 10, 900), route(2, 200, 100)]),
        [1, 2]
    );
    assert_eq!(
        order(&policy, &[route(1, 10, 900), route(2, 10, 100)]),
        [2, 1]
    );
    let keys = keys(&policy, &[route(1, 10, 900), route(2, 200, 100)]);
    assert_eq!(policy.reason(&keys[1], &keys[0]), ChangeReason::Price);
    assert_eq!(policy.when(&keys[1], &keys[0]), Move::AfterHold);
}

#[test]
fn prefer_price_takes_the_cheapest_that_meets_the_goals() {
    let mut policy = ranking(&[
        report(1, None, megabits(12, 12)),
        report(2, None, megabits(90, 90)),
        report(3, None, megabits(2, 2)),
    ]);
    goal(&mut policy, megabits(10, 10));
    let candidates = [route(1, 100, 96), route(2, 200, 96), route(3, 10, 96)];
    assert_eq!(order(&policy, &candidates), [2, 1, 3]);
    policy.set_prefer(Prefer::Price);
    assert_eq!(order(&policy, &candidates), [1, 2, 3]);
    let keys = keys(&policy, &candidates);
    assert_eq!(policy.reason(&keys[1], &keys[0]), ChangeReason::Price);
    assert_eq!(policy.reason(&keys[2], &keys[0]), ChangeReason::Goal);
    let names: Vec<&str> = policy
        .steps(&keys[0])
        .iter()
        .map(|step| step.name)
        .collect();
    assert_eq!(
        names,
        ["band", "price", "rank", "metric", "incumbent", "neighbour"]
    );
}

#[test]
fn the_failing_are_used_only_if_nothing_else_is_there() {
    let mut policy = ranking(&[report(1, None, megabits(2, 2))]);
    goal(&mut policy, megabits(10, 10));
    let candidates = [route(1, 0, 96), route(2, 0, 5000)];
    assert_eq!(order(&policy, &candidates), [2, 1]);
    assert_eq!(order(&policy, &candidates[..1]), [1]);
}

#[test]
fn among_the_unproven_nothing_but_price_and_metric_counts() {
    // Neighbour 1 was measured, but not in what the goal asks for.
    let mut policy = ranking(&[report(1, None, megabits(90, 90))]);
    let wanted = Quality {
        latency: Some(Duration::from_millis(50)),
        ..Quality::NONE
    };
    goal(&mut policy, wanted);
    assert_eq!(order(&policy, &[route(1, 0, 900), route(2, 0, 96)]), [2, 1]);
    assert_eq!(order(&policy, &[route(1, 0, 96), route(2, 0, 900)]), [1, 2]);
}

#[test]
fn one_that_fails_the_goals_does_not_move_the_steps_of_those_that_meet_them() {
    let mut fast = megabits(1000, 1000);
    fast.loss = Some(Loss::from_ppm(400_000));
    let mut reports = vec![
        report(1, None, megabits(18, 18)),
        report(2, None, megabits(20, 20)),
        report(3, None, fast),
    ];
    for report in &mut reports[..2] {
        report.quality.loss = Some(Loss::ZERO);
    }
    let mut policy = ranking(&reports);
    let wanted = Quality {
        loss: Some(Loss::from_ppm(10_000)),
        ..Quality::NONE
    };
    goal(&mut policy, wanted);
    let candidates = [route(1, 0, 96), route(2, 0, 96), route(3, 0, 96)];
    let ranks: Vec<u8> = keys(&policy, &candidates)
        .iter()
        .map(|key| key.rank.number())
        .collect();
    assert_eq!(ranks, [0, 0, 0]);
}

#[test]
fn the_most_specific_fresh_measurement_wins_and_scores_compare_across_scopes() {
    let mut ranker = Ranker::new();
    ranker.record(NOW, &report(1, None, megabits(50, 50)));
    ranker.record(NOW, &report(2, None, megabits(20, 20)));
    ranker.record(NOW, &report(2, Some("10.0.0.0/8"), megabits(90, 90)));
    ranker.record(
        NOW,
        &Report {
            valid: Duration::from_secs(60),
            ..report(2, Some("10.1.0.0/16"), megabits(1, 1))
        },
    );
    let mut policy = QosPolicy::new();
    policy.set_ranking(true);
    let candidates = [route(1, 0, 96), route(2, 0, 96)];
    policy.set_ranks(ranker.ranks(NOW, &link));
    assert_eq!(order(&policy, &candidates), [1, 2], "the /16 counts");
    let later = NOW + Duration::from_secs(61);
    policy.set_ranks(ranker.ranks(later, &link));
    assert_eq!(
        order(&policy, &candidates),
        [2, 1],
        "the /16 is stale, the /8 counts"
    );
    let key = keys(&policy, &candidates)[1];
    assert!(told(&policy, &key)[1].contains("for 10.0.0.0/8, target fra: download 90M"));
}

#[test]
fn a_black_hole_is_below_everything_that_was_measured() {
    let mut ranker = Ranker::new();
    ranker.record(NOW, &report(1, None, megabits(1, 1)));
    ranker.record(NOW, &report(2, None, megabits(90, 90)));
    ranker.black_hole(NOW, &report(2, None, Quality::NONE).peer);
    let mut policy = ranking(&[]);
    policy.set_ranks(ranker.ranks(NOW, &link));
    goal(&mut policy, megabits(10, 10));
    assert_eq!(
        order(
            &policy,
            &[route(1, 0, 900), route(2, 0, 1), route(3, 0, 900)]
        ),
        [3, 1, 2]
    );
}

#[test]
fn what_was_not_proven_is_announced_with_a_penalty_only_when_ranking_is_on() {
    let mut policy = ranking(&[
        report(1, None, megabits(20, 20)),
        report(2, None, megabits(1, 1)),
    ]);
    goal(&mut policy, megabits(10, 10));
    let candidates = [route(1, 0, 96), route(2, 0, 96), route(3, 0, 96)];
    let penalties = |policy: &QosPolicy| {
        let keys = keys(policy, &candidates);
        keys.iter()
            .map(|key| policy.penalty(key).0)
            .collect::<Vec<_>>()
    };
    assert_eq!(penalties(&policy), [0, 256, 256]);
    policy.set_unproven_penalty(Metric(1000));
    assert_eq!(penalties(&policy), [0, 1000, 1000]);
    policy.set_ranking(false);
    assert_eq!(penalties(&policy), [0, 0, 0]);
}

#[test]
fn the_steps_say_which_measurement_decided_and_what_it_found() {
    let mut partly = megabits(20, 5);
    partly.latency = Some(Duration::from_micros(12_500));
    let mut policy = ranking(&[
        report(1, None, partly),
        report(2, None, megabits(2, 2)),
        report(3, None, megabits(14, 4)),
    ]);
    let wanted = Quality {
        latency: Some(Duration::from_millis(50)),
        ..megabits(10, 4)
    };
    goal(&mut policy, wanted);
    let candidates = [
        route(1, 0, 96),
        route(2, 0, 96),
        route(3, 0, 96),
        route(4, 0, 96),
    ];
    let judged = keys(&policy, &candidates);
    assert_eq!(
        told(&policy, &judged[0]),
        [
            "proven: download 20M upload 5M latency 12.5 meets qos-goal download 10M upload 4M latency 50",
            "45.4, with the best (global, target fra: download 20M upload 5M latency 12.5)",
        ]
    );
    assert_eq!(
        told(&policy, &judged[1])[0],
        "failing: download 2M upload 2M misses qos-goal download 10M upload 4M latency 50 in download, upload"
    );
    assert_eq!(
        told(&policy, &judged[2]),
        [
            "unproven: latency not measured, qos-goal download 10M upload 4M latency 50",
            "none: only what is measured ranks",
        ]
    );
    assert_eq!(
        told(&policy, &judged[3])[0],
        "unproven: not measured, or too long ago"
    );
    goal(&mut policy, Quality::NONE);
    let judged = keys(&policy, &candidates);
    assert_eq!(
        told(&policy, &judged[0])[0],
        "proven: measured, there is no goal"
    );
    assert!(told(&policy, &judged[1])[1].contains(" steps of 20% below the best (global"));
}

#[test]
fn a_key_is_small() {
    assert!(size_of::<QosKey>() <= 48, "{}", size_of::<QosKey>());
}

fn any_quality() -> impl Strategy<Value = Quality> {
    let rate = || proptest::option::weighted(0.8, 1_000_000..50_000_000u64);
    let latency = proptest::option::weighted(0.5, 1000..200_000u64);
    (rate(), rate(), latency).prop_map(|(download, upload, latency)| Quality {
        download: download.map(Rate::from_bps),
        upload: upload.map(Rate::from_bps),
        latency: latency.map(Duration::from_micros),
        loss: None,
    })
}

/// What was measured of neighbours 0 to 7, for all destinations or for some.
fn any_reports() -> impl Strategy<Value = Vec<Report>> {
    let scope = proptest::option::of(prop_oneof![
        Just("10.0.0.0/8"),
        Just("10.1.0.0/16"),
        Just("::/0")
    ]);
    let one = (0..8u32, scope, any_quality());
    let one = one.prop_map(|(n, scope, quality)| report(n, scope, quality));
    proptest::collection::vec(one, 0..12)
}

fn any_routes() -> impl Strategy<Value = Vec<Route>> {
    let one = (prop_oneof![Just(0u32), 1..200u32], 1..400u16);
    proptest::collection::vec(one, 1..8).prop_map(|all| {
        let routes = all.into_iter().zip(0..);
        routes
            .map(|((price, metric), n)| route(n, price, metric))
            .collect()
    })
}

fn any_policy() -> impl Strategy<Value = QosPolicy> {
    (any_reports(), any_quality(), any::<bool>(), any::<bool>()).prop_map(
        |(reports, wanted, with_goal, cheap)| {
            let mut policy = ranking(&reports);
            if with_goal {
                goal(&mut policy, wanted);
            }
            policy.set_prefer(if cheap {
                Prefer::Price
            } else {
                Prefer::Quality
            });
            policy
        },
    )
}

proptest! {
    #[test]
    fn with_ranking_off_or_nothing_measured_the_order_is_that_of_prices(
        policy in any_policy(), candidates in any_routes(),
    ) {
        let plain = order(&QosPolicy::new(), &candidates);
        let mut off = policy.clone();
        off.set_ranking(false);
        off.set_prefer(Prefer::Quality);
        prop_assert_eq!(&order(&off, &candidates), &plain);
        off.set_prefer(Prefer::Price);
        prop_assert_eq!(&order(&off, &candidates), &plain);
        let steps = |policy: &QosPolicy| {
            let keys = keys(policy, &candidates);
            keys.iter().map(|key| policy.steps(key)).collect::<Vec<_>>()
        };
        prop_assert_eq!(steps(&off), steps(&QosPolicy::new()));
        let mut unmeasured = policy;
        unmeasured.set_ranks(Ranks::default());
        prop_assert_eq!(&order(&unmeasured, &candidates), &plain);
    }

    #[test]
    fn the_order_is_total_and_transitive_and_told_truly(
        policy in any_policy(), candidates in any_routes(), turn in 0..8usize,
    ) {
        let all = keys(&policy, &candidates);
        for (i, a) in all.iter().enumerate() {
            for (j, b) in all.iter().enumerate() {
                prop_assert_eq!(a == b, i == j);
                prop_assert_eq!(a < b, b > a);
                for c in &all {
                    prop_assert!(!(a < b && b < c) || a < c);
                }
                let orders = |key| {
                    let steps = policy.steps(key);
                    steps.iter().map(|step| step.order).collect::<Vec<_>>()
                };
                prop_assert_eq!(orders(a).cmp(&orders(b)), a.cmp(b), "the steps tell the order");
            }
        }
        let mut turned = candidates.clone();
        turned.rotate_left(turn % candidates.len());
        prop_assert_eq!(order(&policy, &turned), order(&policy, &candidates));
    }

    #[test]
    fn a_better_measurement_never_costs_a_neighbour_its_place(
        reports in any_reports(), wanted in any_quality(), candidates in any_routes(),
        which in any::<proptest::sample::Index>(), part in 0..4usize, factor in 1.0..3.0f64,
    ) {
        prop_assume!(!reports.is_empty());
        // One report for each neighbour and scope, or the median hides it.
        let mut single: Vec<Report> = Vec::new();
        for report in reports {
            if !single.iter().any(|one| (&one.peer, one.scope) == (&report.peer, report.scope)) {
                single.push(report);
            }
        }
        let mut better = single.clone();
        let at = which.index(better.len());
        let component = Component::ALL[part];
        let old = better[at].quality.component(component);
        let new = old.map(|value| {
            let factor = if component.more_is_better() { factor } else { 1.0 / factor };
            (value as f64 * factor) as u64
        });
        better[at].quality.set_component(component, new);
        let place = |reports: &[Report]| {
            let mut policy = ranking(reports);
            goal(&mut policy, wanted);
            let ours = candidates.iter().find(|one| one.address() == reports[at].peer.address)?;
            order(&policy, &candidates).iter().position(|n| *n == ours.neighbour().0)
        };
        prop_assert!(place(&better) <= place(&single));
    }

    #[test]
    fn noise_of_less_than_half_a_step_never_reorders(
        qualities in proptest::collection::vec(any_quality(), 1..8), candidates in any_routes(),
        noise in proptest::collection::vec((0..8usize, 0.955..1.045f64), 1..30),
    ) {
        let mut ranker = Ranker::new();
        for (n, quality) in (0..).zip(&qualities) {
            ranker.record(NOW, &report(n, None, *quality));
        }
        let mut policy = ranking(&[]);
        policy.set_ranks(ranker.ranks(NOW, &link));
        let before = order(&policy, &candidates);
        for (second, (n, factor)) in (1..).zip(noise) {
            let n = n % qualities.len();
            let mut noisy = qualities[n];
            for component in Component::ALL {
                let value = noisy.component(component).map(|value| (value as f64 * factor) as u64);
                noisy.set_component(component, value);
            }
            let now = NOW + Duration::from_secs(second);
            let n = u32::try_from(n).expect("small");
            ranker.record(now, &report(n, None, noisy));
            policy.set_ranks(ranker.ranks(now, &link));
            prop_assert_eq!(&order(&policy, &candidates), &before);
        }
    }
}
