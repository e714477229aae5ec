//! Updates sent: periodic, triggered, paced, filtered.

use crate::support::*;
use babel_core::config::{Config, LinkConfig, LinkState};
use babel_core::event::{Event, FibTarget};
use babel_core::filter::{Action, Filters, Rule};
use babel_core::prefix::{Prefix, RouteKey};
use babel_core::time::Instant;
use babel_core::types::{Metric, SeqNo};
use core::net::IpAddr;
use core::time::Duration;

const P: &str = "2001:db8:1::/48";

fn updates<'a>(bench: &'a Bench, since: Instant, prefix: &str) -> Vec<&'a Sent> {
    let wanted = key(prefix);
    bench.said_since(
        since,
        |said| matches!(said, Said::Update { key, .. } if *key == wanted),
    )
}

fn rule(prefix: &str, action: Action) -> Rule {
    let ip: Prefix = prefix.parse().expect("a prefix");
    Rule {
        ip: Some(ip),
        family: Some(ip.family()),
        action,
        ..Rule::default()
    }
}

// 8966-3.7.1-1, 8966-3.7-4
#[test]
fn a_route_of_our_own_is_announced_at_once_and_then_in_every_update_interval() {
    let mut bench = Bench::new();
    bench.join(ETH0, 1);
    bench.run(seconds(3.0));
    let up = bench.now;
    bench.xroute(P);
    bench.run(seconds(165.0));
    let sent = updates(&bench, up, P);
    let at: Vec<Instant> = sent.iter().map(|sent| sent.at).collect();
    assert!(at[0].since(up) < seconds(0.1), "a new route is urgent");
    assert!(
        at.windows(2)
            .all(|pair| pair[1].since(pair[0]) <= seconds(16.0)),
        "{at:?}"
    );
    assert!(at.len() >= 10);
    let Said::Update {
        router_id,
        seqno,
        metric,
        ..
    } = sent[0].said
    else {
        unreachable!()
    };
    assert_eq!(
        (router_id, seqno, metric),
        (OUR_ID, SeqNo(100), Metric::ZERO)
    );
    let down = bench.now;
    bench.event(Event::XRouteDown { key: key(P) });
    bench.run(seconds(0.1));
    assert!(
        !bench
            .said_since(down, |said| *said == Said::Retraction(key(P)))
            .is_empty()
    );
    assert!(
        bench.fib.is_empty(),
        "what was ours is not made unreachable"
    );
}

#[test]
fn nothing_is_announced_to_an_empty_link() {
    let mut bench = Bench::new();
    bench.join(ETH0, 1);
    bench.xroute(P);
    bench.run(seconds(100.0));
    assert!(
        updates(&bench, Instant::ZERO, P)
            .iter()
            .all(|sent| sent.link == ETH0)
    );
}

// 8966-3.7.4-1, 8966-3.7.4-2, 8966-3.8.1.1-1
#[test]
fn split_horizon_spares_the_link_a_route_was_learned_on_unless_somebody_asks() {
    for split_horizon in [false, true] {
        let mut bench = Bench::new();
        bench.link_up(
            ETH0,
            LinkConfig {
                split_horizon,
                ..LinkConfig::new("eth0")
            },
        );
        bench.join(ETH0, 1);
        bench.join(ETH1, 2);
        bench.announce(ETH0, 1, Announce::of(P));
        bench.run(seconds(40.0));
        let echoed = updates(&bench, Instant::ZERO, P)
            .iter()
            .any(|sent| sent.link == ETH0);
        assert_eq!(echoed, !split_horizon);
        let asked = bench.now;
        let mut packet = writer();
        packet.route_request(Some(&key(P))).expect("fits");
        bench.packet(ETH0, fake(1), true, packet);
        bench.run(seconds(0.2));
        assert!(
            updates(&bench, asked, P)
                .iter()
                .any(|sent| sent.link == ETH0)
        );
    }
}

// 8966-3.7.2-1, 8966-3.7.2-2
#[test]
fn a_change_of_originator_is_urgent_and_repeated() {
    let mut bench = Bench::new();
    bench.join(ETH0, 1);
    bench.join(ETH1, 2);
    bench.announce(ETH0, 1, Announce::of(P).lasting(600));
    bench.run(seconds(5.0));
    let at = bench.now;
    bench.announce(ETH0, 1, Announce::of(P).id(rid(3)).lasting(600));
    bench.run(seconds(3.0));
    let told: Vec<_> = updates(&bench, at, P)
        .into_iter()
        .filter(|sent| sent.link == ETH1)
        .collect();
    assert!(told[0].at.since(at) < seconds(0.2));
    assert!((2..=5).contains(&told.len()));
}

// 8966-3.7.2-8
#[test]
fn minor_metric_moves_and_new_seqnos_wait_for_the_periodic_update() {
    let mut bench = Bench::new();
    bench.join(ETH0, 1);
    bench.join(ETH1, 2);
    bench.announce(ETH0, 1, Announce::of(P).lasting(600));
    bench.run(seconds(3.0));
    bench.forget_sent();
    for n in 0..50 {
        bench.announce(
            ETH0,
            1,
            Announce::of(P)
                .metric(100 + n % 7)
                .seqno(2 + n)
                .lasting(600),
        );
        bench.run(seconds(0.5));
    }
    let told = updates(&bench, Instant::ZERO, P);
    assert!(
        told.iter().filter(|sent| sent.link == ETH1).count() <= 3,
        "{}",
        told.len()
    );
}

// 8966-3.1-5, 8966-4-7, 8966-4-8
#[test]
fn a_full_update_of_5000_routes_fills_its_packets_and_is_paced() {
    let mut bench = Bench::new();
    bench.join(ETH0, 1);
    bench.join(ETH1, 2);
    for n in 0..5000_u16 {
        bench.announce(
            ETH0,
            1,
            Announce::of(&format!("2001:db8:{n:x}::/48")).lasting(600),
        );
    }
    bench.run(seconds(1.0));
    bench.forget_sent();
    let begun = bench.now;
    bench.run(seconds(20.0));
    let times: Vec<Instant> = bench.packets.iter().map(|(at, _)| *at).collect();
    assert!(bench.packets.iter().all(|(_, len)| *len <= 1452));
    let full = bench.packets.iter().filter(|(_, len)| *len > 1400).count();
    assert!(full > 60, "{full} full packets");
    for (index, at) in times.iter().enumerate() {
        let burst = times[index..]
            .iter()
            .take_while(|t| t.since(*at) < seconds(0.01))
            .count();
        assert!(
            burst <= 2 * (64 + 12),
            "{burst} packets within 10 ms on two links"
        );
    }
    let sent = bench
        .said_since(begun, |said| matches!(said, Said::Update { .. }))
        .len();
    assert!(sent >= 10_000, "both links told everything: {sent}");
}

// 8966-4-8
#[test]
fn packets_never_exceed_the_links_mtu_nor_fall_below_what_everybody_takes() {
    for (mtu, most) in [(1280, 1232), (576, 528), (100, 512), (65_536, 65_487)] {
        let mut bench = Bench::new();
        let state = LinkState {
            address: OURS,
            ipv4: Some(OUR_V4),
            mtu,
        };
        let config = LinkConfig::new("eth0");
        bench.event(Event::LinkUp {
            link: ETH0,
            config,
            state,
        });
        bench.join(ETH0, 1);
        for n in 0..3000_u16 {
            bench.xroute(&format!("2001:db8:{n:x}::/48"));
        }
        bench.run(seconds(20.0));
        let longest = bench.packets.iter().map(|(_, len)| *len).max().unwrap_or(0);
        assert!(
            longest <= most && longest > most / 2,
            "MTU {mtu}: {longest}"
        );
    }
}

// 9229-2.1-1, 9229-2.1-3
#[test]
fn ipv4_routes_name_our_ipv4_address_and_without_one_go_out_over_ipv6() {
    for (ipv4, next_hop) in [(Some(OUR_V4), IpAddr::V4(OUR_V4)), (None, IpAddr::V6(OURS))] {
        let mut bench = Bench::new();
        let state = LinkState {
            address: OURS,
            ipv4,
            mtu: 1500,
        };
        bench.event(Event::LinkUp {
            link: ETH0,
            config: LinkConfig::new("eth0"),
            state,
        });
        bench.join(ETH0, 1);
        bench.xroute("10.0.0.0/8");
        bench.run(seconds(0.5));
        let sent = updates(&bench, Instant::ZERO, "10.0.0.0/8");
        let Said::Update {
            next_hop: named, ..
        } = sent[0].said
        else {
            unreachable!()
        };
        assert_eq!(named, next_hop);
    }
}

#[test]
fn a_link_without_ipv4_that_may_not_use_ipv6_next_hops_gets_no_ipv4_routes() {
    let mut bench = Bench::new();
    let state = LinkState {
        address: OURS,
        ipv4: None,
        mtu: 1500,
    };
    let config = LinkConfig {
        v4_via_v6: false,
        ..LinkConfig::new("eth0")
    };
    bench.event(Event::LinkUp {
        link: ETH0,
        config,
        state,
    });
    bench.join(ETH0, 1);
    bench.xroute("10.0.0.0/8");
    bench.run(seconds(20.0));
    assert!(updates(&bench, Instant::ZERO, "10.0.0.0/8").is_empty());
}

// 9079-3-1, 9079-5.1-1
#[test]
fn source_specific_routes_are_routes_of_their_own() {
    let mut bench = Bench::new();
    bench.join(ETH0, 1);
    bench.join(ETH1, 2);
    let source = |text: &str| {
        let dst = "::/0".parse().expect("a prefix");
        RouteKey::source_specific(dst, text.parse().expect("a prefix")).expect("one family")
    };
    let (a, b) = (source("2001:db8:a::/48"), source("2001:db8:b::/48"));
    for key in [a, b] {
        bench.announce(
            ETH0,
            1,
            Announce {
                key,
                ..Announce::of("::/0")
            },
        );
    }
    bench.announce(
        ETH0,
        1,
        Announce {
            key: a,
            metric: 65535,
            ..Announce::of("::/0")
        },
    );
    bench.run(seconds(0.3));
    assert_eq!(
        bench.fib.get(&a),
        Some(&FibTarget::Unreachable),
        "a shorter source might catch it"
    );
    assert!(matches!(bench.fib.get(&b), Some(FibTarget::Via { .. })));
    let told = bench.said_since(
        Instant::ZERO,
        |said| matches!(said, Said::Update { key, .. } if *key == b),
    );
    assert!(told.iter().any(|sent| sent.link == ETH1));
}

#[test]
fn filters_add_to_metrics_and_refuse_routes_in_every_direction() {
    let deny = Action {
        deny: true,
        ..Action::default()
    };
    let worse = Action {
        metric: 1000,
        ..Action::default()
    };
    let filters = Filters {
        input: vec![
            rule("2001:db8:dead::/48", deny),
            rule("2001:db8:1::/48", worse),
        ],
        output: vec![
            rule("2001:db8:2::/48", deny),
            rule("2001:db8:1::/48", worse),
        ],
        install: vec![rule("2001:db8:3::/48", deny)],
        redistribute: Vec::new(),
    };
    let mut bench = Bench::with(Config {
        filters,
        ..config()
    });
    bench.join(ETH0, 1);
    bench.join(ETH1, 2);
    for prefix in [
        "2001:db8:dead::/48",
        P,
        "2001:db8:2::/48",
        "2001:db8:3::/48",
    ] {
        bench.announce(ETH0, 1, Announce::of(prefix).metric(100));
    }
    bench.run(seconds(20.0));
    assert_eq!(bench.via("2001:db8:dead::/48"), None);
    assert_eq!(bench.via(P), Some(1));
    let sent = updates(&bench, Instant::ZERO, P);
    let Said::Update { metric, .. } = sent[0].said else {
        unreachable!()
    };
    assert_eq!(metric, Metric(100 + 96 + 1000 + 1000));
    assert_eq!(bench.via("2001:db8:2::/48"), Some(1));
    assert!(
        updates(&bench, Instant::ZERO, "2001:db8:2::/48").is_empty(),
        "not announced"
    );
    assert_eq!(bench.via("2001:db8:3::/48"), None, "not installed");
    assert!(
        updates(&bench, Instant::ZERO, "2001:db8:3::/48").is_empty(),
        "hence not announced"
    );
}

#[test]
fn a_change_crosses_the_node_within_ten_milliseconds() {
    let mut bench = Bench::new();
    bench.join(ETH0, 1);
    bench.join(ETH1, 2);
    bench.run(seconds(3.0));
    let at = bench.now;
    bench.announce(ETH0, 1, Announce::of(P));
    bench.run(seconds(1.0));
    let told = updates(&bench, at, P);
    let first = told.iter().find(|sent| sent.link == ETH1).expect("told");
    assert!(
        first.at.since(at) <= Duration::from_millis(10),
        "{:?}",
        first.at.since(at)
    );
}

#[test]
fn a_route_that_an_out_rule_denies_is_not_mentioned_unless_somebody_asks() {
    let deny = Action {
        deny: true,
        ..Action::default()
    };
    let filters = Filters {
        output: vec![rule(P, deny)],
        ..Filters::default()
    };
    let mut bench = Bench::with(Config {
        filters,
        ..config()
    });
    bench.join(ETH0, 1);
    bench.join(ETH1, 2);
    bench.announce(ETH0, 1, Announce::of(P).lasting(600));
    bench.run(seconds(60.0));
    let retractions = |bench: &Bench| {
        bench
            .said_since(Instant::ZERO, |s| *s == Said::Retraction(key(P)))
            .len()
    };
    assert_eq!(retractions(&bench), 0);
    let mut packet = writer();
    packet.route_request(Some(&key(P))).expect("fits");
    bench.packet(ETH1, fake(2), true, packet);
    bench.run(seconds(0.2));
    assert_eq!(retractions(&bench), 1);
}
