//! Cost of judging one prefix: `cargo bench -p qos-ranker --bench judge`.
//!
//! Three candidates, as at a node with three ways out; with ranking off, and with ranking on among
//! so many measured neighbours as the argument says, each with a global measurement and four for
//! prefixes, under a goal.

use babel_core::policy::{Candidate, SelectionPolicy, Verdict};
use babel_core::prefix::{Prefix, RouteKey};
use babel_core::time::Instant;
use babel_core::types::{LinkId, Metric, NeighbourId, Party};
use babel_price_tlv::{Price, RoutePrice, Unit};
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::time::Duration;
use divan::{Bencher, black_box};
use qos_ranker::{Goals, Peer, QosPolicy, Quality, Ranker, Rate, Report, Source};

const LINK: LinkId = LinkId(1);
const NOW: Instant = Instant::from_micros(1_000_000);

fn main() {
    divan::main();
}

fn address(n: u32) -> Ipv6Addr {
    Ipv6Addr::from((0xfe80 << 112) + u128::from(n))
}

fn quality(megabits: u64) -> Quality {
    Quality {
        download: Some(Rate::from_bps(megabits * 1_000_000)),
        upload: Some(Rate::from_bps(megabits * 100_000)),
        latency: Some(Duration::from_millis(megabits)),
        loss: None,
    }
}

fn report(n: u32, scope: Option<Prefix>) -> Report {
    Report {
        peer: Peer {
            interface: "eth0".into(),
            address: address(n),
        },
        scope,
        source: Source::Target("fra".into()),
        quality: quality(u64::from(10 + n % 7)),
        valid: Duration::from_secs(3600),
        pinned: None,
    }
}

fn policy(neighbours: u32) -> QosPolicy {
    let mut ranker = Ranker::new();
    for n in 0..neighbours {
        ranker.record(NOW, &report(n, None));
        for net in 0..4 {
            let scope = Prefix::new(IpAddr::V4(Ipv4Addr::new(10, net, 0, 0)), 16);
            ranker.record(NOW, &report(n, scope));
        }
    }
    let mut goals = Goals::default();
    goals.set(None, quality(1));
    let mut policy = QosPolicy::new();
    policy.set_ranking(true);
    policy.set_goals(goals);
    policy.set_ranks(ranker.ranks(NOW, &|_| Some(LINK)));
    policy
}

fn judge(bencher: Bencher<'_, '_>, policy: &QosPolicy) {
    let candidates = [1, 2, 3].map(|n| {
        let party = Party {
            link: LINK,
            address: address(n),
        };
        let price = RoutePrice::new(Unit::NAMELESS, Price::saturating(100 + n));
        Candidate::for_tests(NeighbourId(n), party, Metric(96), Metric(96), false, price)
    });
    let key = RouteKey::new(Prefix::host(IpAddr::V4(Ipv4Addr::new(10, 9, 1, 1))));
    let mut verdicts: Vec<Verdict<_>> = Vec::new();
    bencher.bench_local(|| {
        verdicts.clear();
        policy.judge(black_box(&key), black_box(&candidates), &mut verdicts);
        verdicts.len()
    });
}

#[divan::bench]
fn ranking_off(bencher: Bencher<'_, '_>) {
    judge(bencher, &QosPolicy::new());
}

#[divan::bench(args = [3, 30, 300])]
fn ranking_on(bencher: Bencher<'_, '_>, neighbours: u32) {
    judge(bencher, &policy(neighbours));
}

/// One more measurement, and the picture that is published after it.
#[divan::bench(args = [3, 30, 300])]
fn record_and_publish(bencher: Bencher<'_, '_>, neighbours: u32) {
    let mut ranker = Ranker::new();
    (0..neighbours).for_each(|n| ranker.record(NOW, &report(n, None)));
    bencher.bench_local(|| {
        ranker.record(NOW, &report(1, None));
        ranker.ranks(NOW, &|_| Some(LINK))
    });
}
