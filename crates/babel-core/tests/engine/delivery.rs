//! To the group or to each by itself, to old neighbours, and padded to the MTU.

use crate::support::*;
use babel_core::config::LinkConfig;
use babel_core::event::{Event, XRoute};
use babel_core::ext::Origin;
use babel_core::time::{Instant, Interval};
use babel_core::types::{Metric, SeqNo};
use babel_core::wire::Destination;

const P: &str = "2001:db8:1::/48";
const SPECIFIC: (&str, &str) = ("2001:db8:1::/48", "2001:db8:2::/48");

fn with(change: impl FnOnce(&mut LinkConfig)) -> Bench {
    let mut bench = Bench::new();
    let mut config = LinkConfig::new("eth0");
    change(&mut config);
    bench.link_up(ETH0, config);
    bench
}

fn on_eth0(bench: &Bench) -> impl Iterator<Item = &Sent> {
    bench.sent.iter().filter(|sent| sent.link == ETH0)
}

fn to(n: u16) -> Destination {
    Destination::Unicast(fake(n))
}

fn specific_route(bench: &mut Bench) {
    let (dst, src) = SPECIFIC;
    let prefix = |text: &str| text.parse().expect("a prefix");
    let key = babel_core::prefix::RouteKey::source_specific(prefix(dst), prefix(src));
    bench.event(Event::XRouteUp {
        key: key.expect("one family"),
        xroute: XRoute {
            metric: Metric::ZERO,
            origin: Origin::Redistributed,
            price: None,
            only: None,
        },
    });
}

#[test]
fn on_a_unicast_link_all_but_hellos_goes_to_each_neighbour_by_itself() {
    let mut bench = with(|config| config.unicast = true);
    bench.join(ETH0, 1);
    bench.join(ETH0, 2);
    bench.xroute(P);
    bench.forget_sent();
    bench.run(seconds(60.0));
    for n in [1, 2] {
        let mine: Vec<_> = on_eth0(&bench).filter(|sent| sent.to == to(n)).collect();
        assert!(mine.iter().any(|s| matches!(s.said, Said::Update { .. })));
        assert!(mine.iter().any(|s| matches!(s.said, Said::Ihu(_))));
        for sent in &mine {
            if let Said::Ihu(ihu) = sent.said {
                assert_eq!(ihu.address, Some(fake(n).into()), "another's IHU");
            }
        }
    }
    for sent in on_eth0(&bench) {
        let hello = matches!(sent.said, Said::Hello { unicast: false, .. });
        assert_eq!(hello, sent.to == Destination::Multicast, "{sent:?}");
    }
}

#[test]
fn a_goodbye_on_a_unicast_link_reaches_each_neighbour_before_the_last_hello() {
    let mut bench = with(|config| config.unicast = true);
    bench.join(ETH0, 1);
    bench.join(ETH0, 2);
    bench.forget_sent();
    bench.event(Event::Shutdown);
    let said: Vec<_> = on_eth0(&bench).map(|sent| (sent.to, &sent.said)).collect();
    assert!(
        matches!(
            said[..],
            [
                (Destination::Unicast(_), Said::WildcardRetraction),
                (Destination::Unicast(_), Said::WildcardRetraction),
                (Destination::Multicast, Said::Hello { .. })
            ]
        ),
        "{said:?}"
    );
}

#[test]
fn a_static_neighbour_gets_unicast_hellos_numbered_by_themselves() {
    let stranger = fake(9);
    let mut bench = with(|config| {
        config.unicast = true;
        config.static_neighbours = vec![stranger];
    });
    bench.run(seconds(60.0));
    let mut hellos: Vec<(Instant, SeqNo, Interval)> = Vec::new();
    for sent in on_eth0(&bench).filter(|sent| sent.to == to(9)) {
        if let Said::Hello {
            unicast,
            seqno,
            interval,
            ..
        } = sent.said
        {
            assert!(unicast);
            hellos.push((sent.at, seqno, interval));
        }
    }
    assert!(hellos.len() >= 15, "{} Hellos in 60 s", hellos.len());
    for pair in hellos.windows(2) {
        let [(earlier, a, interval), (later, b, _)] = pair else {
            unreachable!()
        };
        assert_eq!(*b, a.plus(1));
        assert!(later.since(*earlier) <= interval.duration());
    }
}

/// The link works without one multicast packet arriving.
#[test]
fn unicast_hellos_alone_make_a_link_usable() {
    let mut bench = with(|config| {
        config.unicast = true;
        config.static_neighbours = vec![fake(9)];
    });
    for n in 0..5 {
        let mut packet = writer();
        let interval = Interval::from_centis(400);
        let hello = packet.hello(true, SeqNo(n), interval, None);
        hello.expect("it fits");
        let ihu = babel_core::wire::Ihu {
            address: Some(OURS.into()),
            rxcost: Metric(96),
            interval: Interval::from_centis(1200),
            timestamps: None,
        };
        packet.ihu(&ihu).expect("it fits");
        bench.packet(ETH0, fake(9), false, packet);
        bench.run(seconds(4.0));
    }
    let neighbour = bench.node.neighbours(bench.now).next().expect("one");
    assert_eq!((neighbour.reach, neighbour.cost), (0, Metric(96)));
    assert!(neighbour.ureach >= 0xF800, "{:04x}", neighbour.ureach);
    let ihus = bench.said_since(Instant::ZERO, |said| matches!(said, Said::Ihu(_)));
    assert!(ihus.iter().all(|sent| sent.to == to(9)), "{ihus:?}");
    assert!(ihus.len() >= 2);
}

// 8966-F-1, 9079-6-1
#[test]
fn old_neighbours_hear_no_unicast_hello_and_nothing_source_specific() {
    for old in [false, true] {
        let mut bench = with(|config| {
            config.rfc6126_compatible = old;
            config.static_neighbours = vec![fake(1)];
        });
        bench.join(ETH0, 1);
        specific_route(&mut bench);
        bench.xroute("2001:db8:3::/48");
        bench.run(seconds(60.0));
        let hellos = on_eth0(&bench)
            .filter(|sent| matches!(sent.said, Said::Hello { unicast: true, .. }))
            .count();
        assert_eq!(hellos == 0, old, "{hellos} Unicast Hellos");
        let (mut specific, mut plain) = (0, 0);
        for sent in on_eth0(&bench) {
            match &sent.said {
                Said::Update { key, .. } | Said::Retraction(key) => {
                    *(if key.is_source_specific() {
                        &mut specific
                    } else {
                        &mut plain
                    }) += 1;
                }
                _ => {}
            }
        }
        assert!(plain > 0);
        assert_eq!(specific == 0, old, "{specific} source-specific Updates");
        // Not even in answer to a question.
        bench.forget_sent();
        let (dst, src) = SPECIFIC;
        let prefix = |text: &str| text.parse().expect("a prefix");
        let key = babel_core::prefix::RouteKey::source_specific(prefix(dst), prefix(src));
        let mut packet = writer();
        packet.route_request(key.as_ref()).expect("it fits");
        bench.packet(ETH0, fake(1), false, packet);
        bench.run(seconds(0.5));
        let answered = on_eth0(&bench).any(|sent| matches!(sent.said, Said::Update { .. }));
        assert_eq!(answered, !old);
    }
}

#[test]
fn packets_with_a_hello_fill_the_mtu_if_it_is_probed() {
    for probe_mtu in [false, true] {
        let mut bench = with(|config| config.probe_mtu = probe_mtu);
        bench.event(Event::LinkDown { link: ETH1 });
        bench.join(ETH0, 1);
        bench.xroute(P);
        bench.packets.clear();
        bench.forget_sent();
        bench.run(seconds(60.0));
        // An MTU of 1500 less the headers of IPv6 and UDP.
        let full = bench.packets.iter().filter(|(_, len)| *len == 1452).count();
        let hellos = bench
            .said_since(Instant::ZERO, |said| matches!(said, Said::Hello { .. }))
            .len();
        assert!(hellos > 10);
        assert_eq!(full, if probe_mtu { hellos } else { 0 });
    }
}

#[test]
fn a_route_of_our_own_lets_a_learned_one_be_used_from_the_metric_said() {
    for (from, metric, used) in [
        (None, 0, false),
        (None, 65534, false),
        (Some(100), 99, false),
        (Some(100), 100, true),
        (Some(0), 0, true),
    ] {
        let mut bench = Bench::new();
        bench.node.set_allow_duplicates(from.map(Metric));
        bench.join(ETH0, 1);
        bench.join(ETH1, 2);
        bench.announce(ETH0, 1, Announce::of(P));
        bench.event(Event::XRouteUp {
            key: key(P),
            xroute: XRoute {
                metric: Metric(metric),
                origin: Origin::Redistributed,
                price: None,
                only: None,
            },
        });
        bench.run(seconds(1.0));
        assert_eq!(bench.via(P).is_some(), used, "{from:?} {metric}");
        // What is used is what is told.
        let told = bench.said_since(Instant::ZERO, |said| matches!(said, Said::Update { .. }));
        let last = told.iter().rfind(|sent| sent.link == ETH1);
        let Some(Said::Update { router_id, .. }) = last.map(|sent| &sent.said) else {
            panic!("nothing was told")
        };
        assert_eq!(*router_id == OUR_ID, !used, "{from:?} {metric}");
        // Without the learned route, our own is told.
        bench.retract(ETH0, 1, P);
        bench.run(seconds(1.0));
        assert_eq!(bench.via(P), None);
        let told = bench.said_since(Instant::ZERO, |said| matches!(said, Said::Update { .. }));
        let last = told.iter().rfind(|sent| sent.link == ETH1);
        assert!(matches!(
            last.map(|sent| &sent.said),
            Some(Said::Update { router_id, .. }) if *router_id == OUR_ID
        ));
    }
}
