//! Everything from the network is hostile: bounded, counted, and of no effect on others.

use crate::support::*;
use babel_core::config::{Config, Limits};
use babel_core::types::{RouterId, SeqNo};
use core::net::Ipv6Addr;

fn limits() -> Limits {
    Limits {
        neighbours_per_link: 8,
        routes_per_neighbour: 1000,
        prefixes: 1500,
        routes: 2500,
        sources_per_prefix: 4,
        pending_requests: 16,
    }
}

fn bounded() -> Bench {
    let mut bench = Bench::with(Config {
        limits: limits(),
        ..config()
    });
    bench.join(ETH0, 1);
    bench.join(ETH1, 2);
    bench
}

#[test]
fn a_neighbour_announcing_too_many_prefixes_is_cut_off_and_others_are_not() {
    let mut bench = bounded();
    for n in 0..5000_u16 {
        bench.announce(ETH0, 1, Announce::of(&format!("2001:db8:{n:x}::/48")));
    }
    bench.announce(ETH1, 2, Announce::of("2001:db9::/32"));
    bench.run(seconds(1.0));
    assert_eq!(bench.node.routes(bench.now).count(), 1001);
    assert_eq!(bench.via("2001:db9::/32"), Some(2));
    assert_eq!(bench.node.counters().limited, 4000);
    let said = core::iter::from_fn(|| bench.node.poll_diagnostic()).count();
    assert_eq!(said, 1, "one log line a minute, not four thousand");
}

#[test]
fn the_table_as_a_whole_is_bounded() {
    let mut bench = bounded();
    for n in 0..1000_u16 {
        bench.announce(ETH0, 1, Announce::of(&format!("2001:db8:{n:x}::/48")));
        bench.announce(ETH1, 2, Announce::of(&format!("2001:db9:{n:x}::/48")));
    }
    assert_eq!(bench.node.routes(bench.now).count(), 1500);
}

#[test]
fn many_neighbours_together_hold_no_more_routes_than_the_table_may() {
    let mut bench = bounded();
    for neighbour in 3..6 {
        bench.join(ETH0, neighbour);
        for n in 0..1000_u16 {
            let update = Announce::of(&format!("2001:db8:{n:x}::/48"));
            bench.announce(ETH0, neighbour, update);
        }
    }
    assert_eq!(bench.node.routes(bench.now).count(), 2500);
    // What one gives back, another may have.
    bench.silence(3);
    bench.run(seconds(70.0));
    bench.announce(ETH1, 2, Announce::of("2001:db9::/32"));
    assert_eq!(bench.via("2001:db9::/32"), Some(2));
}

#[test]
fn ten_thousand_router_ids_for_one_prefix_leave_a_bounded_source_table() {
    let mut bench = bounded();
    for n in 0..10_000_u64 {
        let id = RouterId((n + 1).to_be_bytes());
        bench.announce(ETH0, 1, Announce::of("2001:db8::/32").id(id));
        bench.run(seconds(0.01));
    }
    assert_eq!(
        bench.via("2001:db8::/32"),
        None,
        "the fifth originator cannot be remembered"
    );
    bench.run(seconds(400.0));
    bench.announce(ETH0, 1, Announce::of("2001:db8::/32").id(rid(1)));
    assert_eq!(
        bench.via("2001:db8::/32"),
        Some(1),
        "until the sources are forgotten"
    );
}

#[test]
fn spoofed_neighbours_are_bounded_and_forgotten() {
    let mut bench = bounded();
    for n in 100..10_000_u16 {
        bench.packet(ETH0, fake(n), true, writer());
    }
    assert_eq!(bench.node.neighbours(bench.now).count(), 9);
    bench.run(seconds(70.0));
    assert_eq!(bench.node.neighbours(bench.now).count(), 2);
}

#[test]
fn requests_at_wire_speed_are_bounded_in_effect() {
    let mut bench = bounded();
    for n in 0..1000_u16 {
        bench.announce(
            ETH0,
            1,
            Announce::of(&format!("2001:db8:{n:x}::/48")).lasting(600),
        );
    }
    bench.run(seconds(2.0));
    bench.forget_sent();
    for n in 0..10_000_u16 {
        let mut packet = writer();
        let prefix = key(&format!("2001:db8:{:x}::/48", n % 1000));
        packet
            .seqno_request(&prefix, SeqNo(n), 64, rid(9))
            .expect("fits");
        packet
            .route_request(Some(&key(&format!("2001:db9:{n:x}::/48"))))
            .expect("fits");
        packet.route_request(None).expect("fits");
        bench.packet(ETH1, fake(2), false, packet);
    }
    bench.run(seconds(5.0));
    let retractions = bench.said_since(babel_core::time::Instant::ZERO, |said| {
        matches!(said, Said::Retraction(_))
    });
    assert!(retractions.len() <= 10_000);
    assert_eq!(bench.via("2001:db8:1::/48"), Some(1), "routing goes on");
}

// 8966-4-4, G-10
#[test]
fn packets_from_elsewhere_from_ourselves_and_broken_ones_are_counted_and_dropped() {
    let mut bench = Bench::new();
    let packet = |bench: &mut Bench, source: Ipv6Addr| bench.packet(ETH0, source, true, writer());
    packet(&mut bench, "2001:db8::1".parse().expect("an address"));
    packet(&mut bench, OURS);
    for broken in [
        &[42, 2][..],
        &[41, 2, 0, 0],
        &[42, 1, 0, 0],
        &[42, 3, 0, 0],
        &[42, 2, 0, 9],
    ] {
        bench.octets(ETH0, fake(1), broken);
    }
    assert_eq!(bench.node.neighbours(bench.now).count(), 0);
    assert_eq!(bench.node.counters().packets_dropped, 7);
}

#[test]
fn one_bad_tlv_costs_itself_only() {
    let mut bench = Bench::new();
    bench.join(ETH0, 1);
    let mut packet = writer();
    packet
        .update(&Announce::of("2001:db8::/32").out())
        .expect("fits");
    let good = packet.finish();
    // An Update of three octets, then the good packet's body.
    let mut octets = vec![42, 2, 0, 0, 8, 1, 0];
    octets.extend_from_slice(&good[4..]);
    let length = u8::try_from(octets.len() - 4).expect("short");
    octets[3] = length;
    bench.octets(ETH0, fake(1), &octets);
    assert_eq!(bench.via("2001:db8::/32"), Some(1));
    assert_eq!(bench.node.counters().tlvs_ignored.iter().sum::<u64>(), 1);
}

#[test]
fn a_prefix_that_flaps_thousands_of_times_queues_a_handful_of_timers() {
    let mut bench = bounded();
    let prefix = "2001:db8::/32";
    bench.announce(ETH0, 1, Announce::of(prefix));
    let before = bench.node.queued_timers();
    for n in 0..5000_u16 {
        bench.retract(ETH0, 1, prefix);
        bench.announce(
            ETH0,
            1,
            Announce::of(prefix).seqno(n + 2).lasting(n % 50 + 1),
        );
        bench.drain();
    }
    let after = bench.node.queued_timers();
    assert!(after < before + 10, "{before} timers before, {after} after");
}
