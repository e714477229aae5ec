//! The ring of the last changes of selected routes, and judging again only what may have changed.

use crate::ranked::*;
use crate::support::*;
use babel_core::policy::ChangeReason;
use babel_core::types::{NeighbourId, Party};
use babel_core::view::Decision;

const P: &str = "2001:db8:1::/48";

fn party(n: u16) -> Option<Party> {
    let (link, address) = (ETH0, fake(n));
    Some(Party { link, address })
}

fn company() -> Bench<(), Ranked> {
    let mut bench = ranked_bench();
    for n in 1..=3 {
        bench.join(ETH0, n);
    }
    bench
}

fn id(bench: &Bench<(), Ranked>, n: u16) -> NeighbourId {
    let mut all = bench.node.neighbours(bench.now);
    all.find(|view| view.address == fake(n)).expect("there").id
}

fn newest(bench: &Bench<(), Ranked>) -> Decision {
    *bench.node.decisions().next().expect("a decision")
}

#[test]
fn each_change_is_kept_with_who_when_and_why() {
    let mut bench = company();
    assert_eq!(bench.node.decisions().count(), 0);
    bench.announce(ETH0, 1, Announce::of(P).metric(10).lasting(600));
    bench.announce(ETH0, 2, Announce::of(P).metric(50).lasting(600));
    let first = newest(&bench);
    assert_eq!((first.from, first.to), (None, party(1)));
    assert_eq!((first.reason, first.key), (ChangeReason::Metric, key(P)));
    bench.run(seconds(40.0));
    bench.place(1, FAILING, 0);
    let moved = newest(&bench);
    assert_eq!((moved.from, moved.to), (party(1), party(2)));
    assert_eq!((moved.reason, moved.at), (ChangeReason::Goal, bench.now));
    bench.retract(ETH0, 1, P);
    bench.retract(ETH0, 2, P);
    let lost = newest(&bench);
    assert_eq!((lost.from, lost.to), (party(2), None));
    assert_eq!(lost.reason, ChangeReason::Retraction);
    assert_eq!(bench.node.decisions().count(), 3);
}

#[test]
fn a_neighbour_that_is_gone_is_still_named() {
    let mut bench = company();
    bench.announce(ETH0, 1, Announce::of(P).lasting(600));
    bench.event(babel_core::event::Event::LinkRemoved { link: ETH0 });
    let lost = newest(&bench);
    assert_eq!((lost.from, lost.to), (party(1), None));
    assert_eq!(lost.reason, ChangeReason::NeighbourLost);
}

#[test]
fn the_last_thirty_two_are_kept_newest_first() {
    let mut bench = company();
    for n in 0..40 {
        let prefix = format!("2001:db8:{n:x}::/48");
        bench.announce(ETH0, 1, Announce::of(&prefix).lasting(600));
    }
    let kept: Vec<_> = bench.node.decisions().map(|d| d.key).collect();
    let wanted = (8..40).rev().map(|n| key(&format!("2001:db8:{n:x}::/48")));
    assert_eq!(kept, wanted.collect::<Vec<_>>());
}

#[test]
fn a_change_of_mind_about_one_neighbour_judges_its_prefixes_and_no_others() {
    let mut bench = company();
    let q = "2001:db8:2::/48";
    bench.announce(ETH0, 1, Announce::of(P).metric(10).lasting(600));
    bench.announce(ETH0, 2, Announce::of(P).metric(50).lasting(600));
    bench.announce(ETH0, 3, Announce::of(q).metric(10).lasting(600));
    bench.announce(ETH0, 2, Announce::of(q).metric(50).lasting(600));
    assert_eq!((bench.via(P), bench.via(q)), (Some(1), Some(3)));
    // The policy thinks less of both, but was said to have changed its mind about one.
    let (now, only) = (bench.now, [id(&bench, 1), NeighbourId(999)]);
    bench.node.update_policy_of(now, &only, |policy| {
        policy.place(1, FAILING, 0);
        policy.place(3, FAILING, 0);
    });
    bench.drain();
    assert_eq!((bench.via(P), bench.via(q)), (Some(2), Some(3)));
    let other = [id(&bench, 3)];
    bench.node.update_policy_of(now, &other, |_| {});
    bench.drain();
    assert_eq!(bench.via(q), Some(2));
}
