//! Filter rules that change at run time apply to what is held, announced and installed.

use crate::support::*;
use babel_core::event::{Change, FibTarget, Notification};
use babel_core::ext::{Extension, Origin};
use babel_core::filter::{Action, Filters, Rule};
use babel_core::prefix::Prefix;
use babel_core::time::Instant;
use babel_core::types::{LinkId, Metric, NeighbourId};
use babel_core::wire::{SubTlvWriter, SubTlvs};

const P: &str = "2001:db8:1::/48";
const Q: &str = "2001:db8:2::/48";

const DENY: Action = Action {
    deny: true,
    metric: 0,
    price: None,
    src_prefix: None,
    table: None,
    pref_src: None,
};

fn rule(prefix: &str, action: Action) -> Rule {
    let ip: Prefix = prefix.parse().expect("a prefix");
    Rule {
        ip: Some(ip),
        family: Some(ip.family()),
        action,
        ..Rule::default()
    }
}

/// Two neighbours; the first announces `P` and `Q`.
fn bench() -> Bench {
    let mut bench = Bench::new();
    bench.join(ETH0, 1);
    bench.join(ETH1, 2);
    for prefix in [P, Q] {
        bench.announce(ETH0, 1, Announce::of(prefix));
    }
    bench.run(seconds(1.0));
    assert_eq!((bench.via(P), bench.via(Q)), (Some(1), Some(1)));
    bench
}

fn refilter<X: Extension>(bench: &mut Bench<X>, change: impl FnOnce(&mut Filters)) -> Instant {
    let now = bench.now;
    bench.node.update_filters(now, change);
    bench.drain();
    now
}

fn metric(bench: &Bench, prefix: &str) -> Option<Metric> {
    bench
        .node
        .routes(bench.now)
        .find(|route| route.key == key(prefix))
        .map(|route| route.metric)
}

fn asked_again(bench: &Bench, since: Instant) -> Vec<LinkId> {
    bench
        .said_since(since, |said| *said == Said::RouteRequest(None))
        .iter()
        .map(|sent| sent.link)
        .collect()
}

#[test]
fn a_route_that_a_new_in_rule_refuses_is_lost_downstream_too() {
    let mut bench = bench();
    let then = refilter(&mut bench, |filters| filters.input.push(rule(P, DENY)));
    bench.run(seconds(0.2));
    assert_eq!((bench.via(P), bench.via(Q)), (None, Some(1)));
    let retracted = bench.said_since(then, |said| *said == Said::Retraction(key(P)));
    assert!(retracted.iter().any(|sent| sent.link == ETH1));
    // What is refused stays refused.
    bench.announce(ETH0, 1, Announce::of(P));
    bench.run(seconds(0.2));
    assert_eq!(bench.via(P), None);
}

#[test]
fn a_route_that_is_allowed_again_comes_back_with_the_answer_to_our_request() {
    let mut bench = bench();
    refilter(&mut bench, |filters| filters.input.push(rule(P, DENY)));
    bench.run(seconds(0.2));
    let then = refilter(&mut bench, |filters| filters.input.clear());
    assert_eq!(asked_again(&bench, then), [ETH0, ETH1]);
    bench.announce(ETH0, 1, Announce::of(P));
    bench.run(seconds(0.2));
    assert_eq!(bench.via(P), Some(1));
}

#[test]
fn a_new_in_metric_counts_for_routes_that_are_held() {
    let mut bench = bench();
    let before = metric(&bench, P).expect("a route");
    let add = Action {
        metric: 500,
        ..Action::default()
    };
    bench.node.set_notify(true);
    let then = refilter(&mut bench, |filters| filters.input.push(rule(P, add)));
    assert_eq!(metric(&bench, P), Some(before.plus(Metric(500))));
    assert_eq!(
        metric(&bench, Q),
        Some(before),
        "the rule is not for this one"
    );
    let told = bench.node.poll_notification();
    assert!(
        matches!(&told, Some(Notification::Route(Change::Change, view)) if view.key == key(P)),
        "{told:?}"
    );
    bench.run(seconds(3.0));
    let worse = bench.said_since(
        then,
        |said| matches!(said, Said::Update { key: k, metric, .. } if *k == key(P) && metric.0 > 600),
    );
    assert!(!worse.is_empty(), "the neighbours are told");
}

#[test]
fn a_better_neighbour_is_taken_when_the_rule_against_it_goes() {
    let mut config = config();
    config.filters.input.push(rule(
        P,
        Action {
            metric: 1000,
            ..Action::default()
        },
    ));
    config.filters.input[0].neigh = Some(fake(1).into());
    let mut bench = Bench::with(config);
    bench.join(ETH0, 1);
    bench.join_costing(ETH1, 2, 200);
    bench.announce(ETH0, 1, Announce::of(P));
    bench.announce(ETH1, 2, Announce::of(P).metric(150));
    bench.run(seconds(1.0));
    assert_eq!(bench.via(P), Some(2));
    refilter(&mut bench, |filters| filters.input.clear());
    bench.run(seconds(1.0));
    assert_eq!(bench.via(P), Some(1));
}

#[test]
fn out_rules_retract_and_announce_on_the_links_they_name_only() {
    let mut bench = bench();
    bench.xroute("2001:db8:9::/48");
    bench.run(seconds(1.0));
    let deny = Rule {
        interface: Some("eth1".into()),
        ..rule(P, DENY)
    };
    let then = refilter(&mut bench, |filters| filters.output.push(deny));
    bench.run(seconds(0.2));
    let retractions = bench.said_since(then, |said| matches!(said, Said::Retraction(_)));
    let where_to: Vec<_> = retractions
        .iter()
        .map(|sent| (sent.link, &sent.said))
        .collect();
    assert_eq!(where_to, [(ETH1, &Said::Retraction(key(P)))]);
    assert_eq!(bench.via(P), Some(1), "we use it all the same");
    let then = refilter(&mut bench, |filters| filters.output.clear());
    bench.run(seconds(0.2));
    let updates = bench.said_since(then, |said| matches!(said, Said::Update { .. }));
    let links: Vec<_> = updates.iter().map(|sent| sent.link).collect();
    assert_eq!(links, [ETH1], "{updates:?}");
}

#[test]
fn install_rules_move_refuse_and_allow_what_is_in_the_kernel() {
    let mut bench = bench();
    let to_table = Action {
        table: Some(20),
        ..Action::default()
    };
    refilter(&mut bench, |filters| {
        filters.install.push(rule(P, to_table))
    });
    let table = |bench: &Bench| match bench.fib.get(&key(P)) {
        Some(FibTarget::Via { table, .. }) => *table,
        other => panic!("{other:?}"),
    };
    assert_eq!(table(&bench), Some(20));
    let writes = bench.fib_writes;
    refilter(&mut bench, |filters| {
        filters.install = vec![rule(P, to_table)]
    });
    assert_eq!(bench.fib_writes, writes, "the same rules change nothing");
    refilter(&mut bench, |filters| filters.install = vec![rule(P, DENY)]);
    assert_eq!((bench.via(P), bench.via(Q)), (None, Some(1)));
    refilter(&mut bench, |filters| filters.install.clear());
    assert_eq!(bench.via(P), Some(1));
    assert_eq!(table(&bench), None);
}

#[test]
fn rules_that_are_the_same_cause_no_traffic() {
    let mut bench = bench();
    refilter(&mut bench, |filters| {
        filters.input.push(rule(Q, Action::default()))
    });
    bench.run(seconds(0.05));
    bench.forget_sent();
    let then = refilter(&mut bench, |filters| filters.input = filters.input.clone());
    assert!(asked_again(&bench, then).is_empty());
    assert!(bench.sent.is_empty());
}

/// Says what a route costs, which an `in` rule may add to.
#[derive(Clone, Copy, Debug)]
struct Toll;

impl Extension for Toll {
    type Attr = u32;
    fn decode(&self, _: SubTlvs<'_>) -> u32 {
        7
    }
    fn learned(&self, received: u32, _: NeighbourId, filter: u32) -> u32 {
        received + filter
    }
    fn originated(&self, _: Origin, _: Option<u32>) -> u32 {
        0
    }
    fn advertised(&self, held: u32, _: Origin, _: LinkId, _: u32) -> u32 {
        held
    }
    fn encode(&self, _: u32, _: &mut SubTlvWriter<'_>) {}
    fn worth_telling(&self, _: u32, _: u32) -> bool {
        false
    }
}

#[test]
fn a_new_in_price_counts_from_the_answer_on() {
    let mut bench = Bench::extended(config(), Toll);
    bench.join(ETH0, 1);
    bench.announce(ETH0, 1, Announce::of(P));
    let price = Action {
        price: Some(30),
        ..Action::default()
    };
    let then = refilter(&mut bench, |filters| filters.input.push(rule(P, price)));
    let asked = bench.said_since(then, |said| *said == Said::RouteRequest(None));
    assert_eq!(asked.len(), 1);
    bench.announce(ETH0, 1, Announce::of(P));
    let attr = bench.node.routes(bench.now).next().map(|route| route.attr);
    assert_eq!(attr, Some(37));
}
