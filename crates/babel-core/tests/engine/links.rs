//! Hellos, IHUs, costs and acknowledgments.

use crate::support::*;
use babel_core::config::LinkConfig;
use babel_core::time::{Instant, Interval};
use babel_core::types::{Metric, SeqNo};
use babel_core::wire::{Destination, Ihu};
use core::net::IpAddr;
use core::time::Duration;

fn hellos(bench: &Bench) -> Vec<(Instant, SeqNo, Interval)> {
    let mut hellos = Vec::new();
    for sent in bench.sent.iter().filter(|sent| sent.link == ETH0) {
        if let Said::Hello {
            unicast: false,
            seqno,
            interval,
            ..
        } = sent.said
        {
            hellos.push((sent.at, seqno, interval));
        }
    }
    hellos
}

fn cost(bench: &Bench) -> Metric {
    bench
        .node
        .neighbours(bench.now)
        .next()
        .map_or(Metric::INFINITY, |neighbour| neighbour.cost)
}

fn ihu(address: Option<IpAddr>, rxcost: u16) -> Ihu {
    let interval = Interval::from_centis(1200);
    Ihu {
        address,
        rxcost: Metric(rxcost),
        interval,
        timestamps: None,
    }
}

// 8966-4.6.5-1, 8966-4.6.5-5, 8966-3.4.1-2
#[test]
fn hello_seqnos_count_up_by_one_and_gaps_keep_the_promised_interval() {
    let mut bench = Bench::new();
    bench.run(seconds(100.0));
    let hellos = hellos(&bench);
    assert!(
        (25..=32).contains(&hellos.len()),
        "{} Hellos in 100 s",
        hellos.len()
    );
    for pair in hellos.windows(2) {
        let [(earlier, a, interval), (later, b, _)] = pair else {
            unreachable!()
        };
        assert_eq!(*b, a.plus(1));
        assert!(later.since(*earlier) <= interval.duration());
    }
}

// 8966-4.6.5-3
#[test]
fn a_link_that_comes_up_says_hello_twice_retracts_its_former_life_and_asks_for_everything() {
    let mut bench = Bench::new();
    bench.run(seconds(0.5));
    assert_eq!(hellos(&bench).len(), 2);
    let on_eth0 = |said: &Said| {
        bench
            .sent
            .iter()
            .filter(|sent| sent.link == ETH0 && sent.said == *said)
            .count()
    };
    assert_eq!(on_eth0(&Said::WildcardRetraction), 1);
    assert_eq!(on_eth0(&Said::RouteRequest(None)), 1);
}

// 8966-3.4.2-1, 8966-3.4.3-5, 8966-B-3
#[test]
fn an_ihu_carries_our_rxcost_with_each_third_hello_on_a_clean_link() {
    let mut bench = Bench::new();
    bench.join(ETH0, 1);
    bench.run(seconds(60.0));
    bench.forget_sent();
    bench.run(seconds(120.0));
    let ihus = bench.said_since(Instant::ZERO, |said| matches!(said, Said::Ihu(_)));
    for sent in &ihus {
        let Said::Ihu(ihu) = sent.said else {
            unreachable!()
        };
        assert_eq!(ihu.address, Some(IpAddr::V6(fake(1))));
        assert_eq!((ihu.rxcost, ihu.interval.centis()), (Metric(96), 1200));
    }
    let (hellos, ihus) = (hellos(&bench).len(), ihus.len());
    assert!(
        hellos.abs_diff(3 * ihus) <= 2,
        "{hellos} Hellos, {ihus} IHUs"
    );
}

// 8966-3.4.3-4, 8966-3.4.2-5
#[test]
fn hellos_without_an_ihu_for_us_leave_the_cost_infinite() {
    let mut bench = Bench::new();
    for seqno in 1..=5 {
        let mut packet = writer();
        packet
            .hello(false, SeqNo(seqno), Interval::from_centis(400), None)
            .expect("fits");
        packet
            .ihu(&ihu(Some(IpAddr::V6(fake(77))), 96))
            .expect("fits");
        bench.packet(ETH0, fake(1), true, packet);
    }
    assert_eq!(
        cost(&bench),
        Metric::INFINITY,
        "the IHU is for somebody else"
    );
    let mut packet = writer();
    packet.ihu(&ihu(None, 200)).expect("fits");
    bench.packet(ETH0, fake(1), true, packet);
    assert_eq!(
        cost(&bench),
        Metric::INFINITY,
        "an IHU for nobody counts by unicast only"
    );
    let mut packet = writer();
    packet.ihu(&ihu(None, 200)).expect("fits");
    bench.packet(ETH0, fake(1), false, packet);
    assert_eq!(cost(&bench), Metric(200));
}

// 8966-3.4.3-2
#[test]
fn an_ihu_of_zero_does_not_make_a_link_free() {
    let mut bench = Bench::new();
    bench.join_costing(ETH0, 1, 0);
    assert_eq!(cost(&bench), Metric(1));
}

// 8966-3.4.2-6, 8966-B-5
#[test]
fn a_neighbour_whose_ihus_stop_becomes_unreachable_though_its_hellos_go_on() {
    let mut bench = Bench::new();
    bench.join(ETH0, 1);
    bench.announce(ETH0, 1, Announce::of("2001:db8::/32").lasting(600));
    bench.silence(1);
    for seqno in 2000..2012 {
        let mut packet = writer();
        packet
            .hello(false, SeqNo(seqno), Interval::from_centis(400), None)
            .expect("fits");
        bench.packet(ETH0, fake(1), true, packet);
        bench.run(seconds(4.0));
    }
    assert_eq!(cost(&bench), Metric::INFINITY);
    assert_eq!(bench.via("2001:db8::/32"), None);
}

#[test]
fn a_new_neighbour_hears_us_within_a_third_of_a_second() {
    let mut bench = Bench::new();
    bench.run(seconds(2.0));
    bench.forget_sent();
    let met = bench.now;
    bench.join(ETH0, 1);
    let ihus = bench.said_since(met, |said| matches!(said, Said::Ihu(_)));
    assert!(
        ihus.first()
            .is_some_and(|sent| sent.at.since(met) < Duration::from_millis(333))
    );
    assert!(
        hellos(&bench)
            .first()
            .is_some_and(|(at, ..)| at.since(met) < seconds(0.333))
    );
}

// 8966-3.4.1-6
#[test]
fn a_longer_hello_interval_is_promised_by_a_hello_sent_at_once() {
    let mut bench = Bench::new();
    bench.run(seconds(10.0));
    bench.forget_sent();
    let mut slower = LinkConfig::new("eth0");
    slower.hello_interval = seconds(20.0);
    bench.link_up(ETH0, slower);
    let hellos = hellos(&bench);
    assert_eq!(
        hellos.first().map(|(_, _, interval)| interval.centis()),
        Some(2000)
    );
}

// 8966-3.3-1, 8966-3.3-2, 8966-4.6.3-1, 8966-4.6.4-1
#[test]
fn acks_echo_the_opaque_value_by_unicast_before_the_interval_is_over() {
    for centis in [1, 10, 600] {
        let mut bench = Bench::new();
        bench.join(ETH0, 1);
        let asked = bench.now;
        let mut packet = writer();
        packet
            .ack_request(0xBEEF, Interval::from_centis(centis))
            .expect("fits");
        bench.packet(ETH0, fake(1), true, packet);
        bench.run(seconds(10.0));
        let acks = bench.said_since(asked, |said| *said == Said::Ack(0xBEEF));
        assert_eq!(acks.len(), 1);
        assert_eq!(acks[0].to, Destination::Unicast(fake(1)));
        assert!(acks[0].at.since(asked) < Interval::from_centis(centis).duration());
    }
}

#[test]
fn the_farewell_retracts_everything_and_promises_a_hello_that_will_not_come() {
    let mut bench = Bench::new();
    bench.join(ETH0, 1);
    bench.forget_sent();
    bench.event(babel_core::event::Event::Shutdown);
    let said: Vec<&Said> = bench
        .sent
        .iter()
        .filter(|sent| sent.link == ETH0)
        .map(|sent| &sent.said)
        .collect();
    assert!(
        matches!(
            said.as_slice(),
            [Said::WildcardRetraction, Said::Hello { .. }]
        ),
        "{said:?}"
    );
    bench.forget_sent();
    bench.run(seconds(100.0));
    assert!(bench.sent.is_empty(), "after that we are silent");
}

#[test]
fn the_same_inputs_and_seed_give_the_same_octets_at_the_same_times() {
    let story = || {
        let mut bench = Bench::new();
        bench.join(ETH0, 1);
        bench.join(ETH1, 2);
        for n in 0..500 {
            let prefix = format!("2001:db8:{n:x}::/48");
            bench.announce(ETH0, 1, Announce::of(&prefix).metric(n + 1));
        }
        bench.run(seconds(60.0));
        bench.silence(1);
        bench.run(seconds(60.0));
        (bench.sent, bench.packets)
    };
    assert_eq!(story(), story());
}

fn with_timestamps(bench: &mut Bench) {
    let rtt = babel_core::config::RttConfig {
        max_penalty: Metric(150),
        ..Default::default()
    };
    let config = LinkConfig {
        timestamps: true,
        rtt,
        ..LinkConfig::new("eth0")
    };
    bench.link_up(ETH0, config);
}

/// What a neighbour 65 ms away says: it got our Hello of `origin` 30 ms later, by its own clock,
/// kept it for a second, and its answer took another 35 ms.
fn answer(bench: &mut Bench, origin: u32, theirs: u32, seqno: u16) {
    bench.run(seconds(0.030 + 1.0 + 0.035));
    let mut packet = writer();
    let interval = Interval::from_centis(400);
    packet
        .hello(
            false,
            SeqNo(seqno),
            interval,
            Some(theirs.wrapping_add(1_000_000)),
        )
        .expect("fits");
    let timestamps = Some((origin, theirs));
    let ihu = Ihu {
        timestamps,
        ..ihu(Some(IpAddr::V6(OURS)), 96)
    };
    packet.ihu(&ihu).expect("fits");
    bench.packet(ETH0, fake(1), true, packet);
}

// 9616-3.2-5, 9616-3.2-6, 9616-4.2-1
#[test]
fn the_round_trip_is_measured_by_an_exchange_of_timestamps_and_costs() {
    let mut bench = Bench::new();
    with_timestamps(&mut bench);
    for seqno in 1..=3 {
        let origin = u32::try_from(bench.now.as_micros() & 0xFFFF_FFFF).expect("32 bits");
        answer(&mut bench, origin, u32::MAX - 500_000, seqno);
    }
    let neighbour = bench.node.neighbours(bench.now).next().expect("met");
    assert_eq!(neighbour.rtt, Some(Duration::from_millis(65)));
    assert_eq!(
        (neighbour.rttcost, neighbour.cost),
        (Metric(75), Metric(96 + 75))
    );
    bench.silence(1);
    bench.run(seconds(181.0));
    assert!(
        bench
            .node
            .neighbours(bench.now)
            .all(|neighbour| neighbour.rtt.is_none())
    );
}

// 9616-3.2-1, 9616-3.2-3, 9616-3.2-4, 9616-8-1
#[test]
fn timestamps_are_echoed_beside_a_timestamped_hello_and_only_where_enabled() {
    let mut bench = Bench::new();
    with_timestamps(&mut bench);
    for link in [ETH0, ETH1] {
        let mut packet = writer();
        let interval = Interval::from_centis(400);
        packet
            .hello(false, SeqNo(1), interval, Some(77))
            .expect("fits");
        bench.packet(link, fake(1), true, packet);
    }
    let heard = u32::try_from(bench.now.as_micros() & 0xFFFF_FFFF).expect("32 bits");
    bench.forget_sent();
    bench.run(seconds(60.0));
    let echoes = |link| {
        let mut echoes = Vec::new();
        for sent in bench.sent.iter().filter(|sent| sent.link == link) {
            if let Said::Ihu(Ihu {
                timestamps: Some(stamps),
                ..
            }) = sent.said
            {
                echoes.push(stamps);
            }
        }
        echoes
    };
    assert!(echoes(ETH1).is_empty());
    assert!(!echoes(ETH0).is_empty());
    assert!(echoes(ETH0).iter().all(|stamps| *stamps == (77, heard)));
}

// 9616-3.2-1, 9616-3.2-3
#[test]
fn ihus_that_did_not_fit_beside_the_hello_go_without_timestamps() {
    let mut bench = Bench::new();
    with_timestamps(&mut bench);
    for n in 1..=120 {
        let mut packet = writer();
        let interval = Interval::from_centis(60_000);
        packet
            .hello(false, SeqNo(1), interval, Some(77))
            .expect("fits");
        bench.packet(ETH0, fake(n), true, packet);
    }
    bench.forget_sent();
    bench.run(seconds(30.0));
    let on_eth0 = || bench.sent.iter().filter(|sent| sent.link == ETH0);
    let mut with_hello = Vec::new();
    for sent in on_eth0() {
        if let Said::Hello { timestamp, .. } = sent.said {
            assert!(timestamp.is_some(), "every Hello has one");
            with_hello.push(sent.packet);
        }
    }
    let (mut echoes, mut plain) = (0, 0);
    for sent in on_eth0() {
        match sent.said {
            Said::Ihu(Ihu {
                timestamps: Some(_),
                ..
            }) => {
                assert!(with_hello.contains(&sent.packet));
                echoes += 1;
            }
            Said::Ihu(_) => plain += 1,
            _ => {}
        }
    }
    assert!(echoes > 0 && plain > 0, "{echoes} and {plain}");
}

// 9616-3.2-5
#[test]
fn half_an_exchange_of_timestamps_gives_no_sample() {
    let mut bench = Bench::new();
    with_timestamps(&mut bench);
    let origin = u32::try_from(bench.now.as_micros() & 0xFFFF_FFFF).expect("32 bits");
    bench.run(seconds(1.0));
    let stamped = Ihu {
        timestamps: Some((origin, 5)),
        ..ihu(Some(IpAddr::V6(OURS)), 96)
    };
    let interval = Interval::from_centis(400);
    for (seqno, hello, ihu) in [
        (1, Some(6), ihu(Some(IpAddr::V6(OURS)), 96)),
        (2, None, stamped),
        (
            3,
            Some(6),
            Ihu {
                address: Some(IpAddr::V6(fake(9))),
                ..stamped
            },
        ),
    ] {
        let mut packet = writer();
        packet
            .hello(false, SeqNo(seqno), interval, hello)
            .expect("fits");
        packet.ihu(&ihu).expect("fits");
        bench.packet(ETH0, fake(1), true, packet);
        let neighbour = bench.node.neighbours(bench.now).next().expect("met");
        assert_eq!(neighbour.rtt, None, "{seqno}");
    }
}

#[test]
fn a_newcomer_hears_two_hellos_at_once_and_the_pace_is_kept_thereafter() {
    let mut bench = Bench::new();
    bench.run(seconds(30.0));
    bench.forget_sent();
    let met = bench.now;
    bench.join(ETH0, 1);
    bench.run(seconds(30.0));
    let hellos = hellos(&bench);
    let early = hellos
        .iter()
        .filter(|(at, ..)| at.since(met) < seconds(0.6));
    assert_eq!(early.count(), 2, "{hellos:?}");
    assert!((8..=11).contains(&hellos.len()), "{} Hellos", hellos.len());
}
