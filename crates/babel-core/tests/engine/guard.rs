//! A preferred route that is unfeasible: its neighbour is asked for a new seqno, and until it has
//! answered the new seqno is not told through the incumbent.

use crate::support::*;
use babel_core::policy::{
    BabelMetric, Candidate, ChangeReason, MetricKey, Move, SelectionPolicy, Step, Verdict,
};
use babel_core::prefix::RouteKey;
use babel_core::time::Instant;
use babel_core::types::{LinkId, SeqNo};
use core::time::Duration;

const P: &str = "2001:db8:1::/48";

/// Prefers routes on one link whatever their metric, after a hold of ten seconds.
struct Prefers(LinkId);

impl SelectionPolicy<()> for Prefers {
    type Key = (bool, MetricKey);

    fn judge(
        &self,
        _: &RouteKey,
        candidates: &[Candidate<()>],
        verdicts: &mut Vec<Verdict<Self::Key>>,
    ) {
        let key = |c| Verdict::Eligible((Candidate::link(c) != self.0, MetricKey::of(c)));
        verdicts.extend(candidates.iter().map(key));
    }

    fn when(&self, incumbent: &Self::Key, better: &Self::Key) -> Move {
        if incumbent.0 == better.0 {
            SelectionPolicy::<()>::when(&BabelMetric, &incumbent.1, &better.1)
        } else {
            Move::AfterHold
        }
    }

    fn reason(&self, _: &Self::Key, _: &Self::Key) -> ChangeReason {
        ChangeReason::Rank
    }

    fn steps(&self, key: &Self::Key) -> Vec<Step> {
        key.1.steps()
    }

    fn hold(&self, _: Duration) -> Duration {
        Duration::from_secs(10)
    }
}

/// Neighbour 1 is near and in use, neighbour 2 preferred but further than our own distance.
fn bench() -> Bench<(), Prefers> {
    let mut bench = Bench::custom(config(), (), Prefers(ETH1));
    bench.join(ETH0, 1);
    bench.join(ETH1, 2);
    bench.announce(ETH0, 1, Announce::of(P).metric(10).seqno(7).lasting(600));
    bench.run(seconds(1.0));
    bench.announce(ETH1, 2, Announce::of(P).metric(900).seqno(7).lasting(600));
    bench
}

/// The preferred neighbour has been asked, but the incumbent's path is the faster one: its new
/// seqno is here first, and somebody wants to know. With the time of the request.
fn overtaken() -> (Bench<(), Prefers>, Instant) {
    let mut bench = bench();
    let begun = bench.now;
    bench.run(seconds(10.0));
    while requests(&bench, begun).is_empty() {
        bench.run(seconds(0.02));
    }
    let asked = requests(&bench, begun)[0].0;
    bench.announce(ETH0, 1, Announce::of(P).metric(10).seqno(8).lasting(600));
    let mut packet = writer();
    packet.route_request(Some(&key(P))).expect("fits");
    bench.packet(ETH0, fake(1), true, packet);
    (bench, asked)
}

fn requests(bench: &Bench<(), Prefers>, since: Instant) -> Vec<(Instant, SeqNo)> {
    let mut requests = Vec::new();
    for sent in &bench.sent {
        if let Said::SeqnoRequest { seqno, .. } = sent.said
            && sent.at >= since
        {
            assert_eq!(sent.link, ETH1, "only the preferred neighbour is asked");
            requests.push((sent.at, seqno));
        }
    }
    requests
}

fn told(bench: &Bench<(), Prefers>, since: Instant, wanted: u16) -> usize {
    bench
        .said_since(since, |said| {
            matches!(said, Said::Update { key: k, seqno, .. } if *k == key(P) && seqno.0 == wanted)
        })
        .len()
}

#[test]
fn the_preferred_neighbour_is_asked_after_the_hold_and_its_answer_taken_at_once() {
    let mut bench = bench();
    let begun = bench.now;
    bench.run(seconds(9.0));
    assert!(
        requests(&bench, begun).is_empty(),
        "a better step must stand first"
    );
    bench.run(seconds(2.0));
    assert_eq!(requests(&bench, begun).len(), 1);
    assert_eq!(requests(&bench, begun)[0].1, SeqNo(8));
    assert_eq!(bench.via(P), Some(1), "never unfeasible");
    bench.announce(ETH1, 2, Announce::of(P).metric(900).seqno(8).lasting(600));
    assert_eq!(bench.via(P), Some(2));
}

#[test]
fn a_new_seqno_through_the_incumbent_waits_for_the_preferred_neighbours_answer() {
    let (mut bench, asked) = overtaken();
    bench.run(seconds(0.4));
    assert_eq!(
        told(&bench, asked, 8),
        0,
        "it would make the answer unfeasible"
    );
    bench.announce(ETH1, 2, Announce::of(P).metric(900).seqno(8).lasting(600));
    assert_eq!(bench.via(P), Some(2));
    bench.run(seconds(1.0));
    assert!(told(&bench, asked, 8) > 0, "and then it is told");
}

#[test]
fn without_an_answer_the_new_seqno_is_told_when_the_guard_ends() {
    let (mut bench, asked) = overtaken();
    bench.run(seconds(1.5));
    let first = bench.said_since(
        asked,
        |said| matches!(said, Said::Update { key: k, seqno: SeqNo(8), .. } if *k == key(P)),
    );
    let after = first.first().expect("told").at.since(asked);
    assert!((seconds(1.0)..seconds(1.3)).contains(&after), "{after:?}");
}

#[test]
fn unanswered_requests_back_off() {
    let mut bench = bench();
    let begun = bench.now;
    bench.run(seconds(300.0));
    let at: Vec<u64> = requests(&bench, begun)
        .iter()
        .map(|(at, _)| at.since(begun).as_secs())
        .collect();
    let gaps: Vec<u64> = at.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(
        gaps.windows(2).all(|pair| pair[1] >= 2 * pair[0] - 1),
        "{at:?}"
    );
    assert!((5..=7).contains(&at.len()), "{at:?}");
}
