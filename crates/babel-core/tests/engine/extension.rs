//! What the engine does for an extension: it carries an attribute, tells of its changes at a
//! limited rate, and is stock Babel, octet for octet, where the extension writes nothing.

use crate::support::*;
use babel_core::event::Event;
use babel_core::ext::{Extension, Origin};
use babel_core::time::Instant;
use babel_core::types::{LinkId, NeighbourId, SeqNo};
use babel_core::wire::{SubTlvWriter, SubTlvs};

const P: &str = "2001:db8:1::/48";
const KIND: u8 = 120;

/// One octet that grows by the node's fee.
#[derive(Clone, Copy, Debug, Default)]
struct Toll {
    fee: u8,
}

impl Extension for Toll {
    type Attr = Option<u8>;

    fn decode(&self, mut sub_tlvs: SubTlvs<'_>) -> Option<u8> {
        sub_tlvs
            .find(|sub_tlv| sub_tlv.kind == KIND)?
            .body
            .first()
            .copied()
    }

    fn learned(&self, received: Option<u8>, _: NeighbourId, _: u32) -> Option<u8> {
        received
    }

    fn originated(&self, _: Origin, _: Option<u32>) -> Option<u8> {
        Some(0)
    }

    fn advertised(&self, held: Option<u8>, _: Origin, _: LinkId, _: u32) -> Option<u8> {
        Some(held.unwrap_or(0).saturating_add(self.fee))
    }

    fn encode(&self, advertised: Option<u8>, out: &mut SubTlvWriter<'_>) {
        if let Some(toll) = advertised {
            out.push(KIND, &[toll]);
        }
    }

    fn worth_telling(&self, sent: Option<u8>, now: Option<u8>) -> bool {
        sent.unwrap_or(0).abs_diff(now.unwrap_or(0)) >= 5
    }
}

fn bench(toll: Toll) -> Bench<Toll> {
    let mut bench = Bench::extended(config(), toll);
    bench.join(ETH0, 1);
    bench.join(ETH1, 2);
    bench
}

fn tolled(bench: &mut Bench<Toll>, toll: u8) {
    bench.announce_with(ETH0, 1, Announce::of(P).lasting(600), &[KIND, 1, toll]);
}

/// When neighbour 2 was told which toll.
fn told(bench: &Bench<Toll>, since: Instant) -> Vec<(Instant, u8)> {
    let on_eth1 = |sent: &&Sent| sent.link == ETH1;
    bench
        .said_since(
            since,
            |said| matches!(said, Said::Update { key: k, .. } if *k == key(P)),
        )
        .into_iter()
        .filter(on_eth1)
        .map(|sent| {
            let Said::Update { extra, .. } = &sent.said else {
                unreachable!()
            };
            (sent.at, extra[0][0])
        })
        .collect()
}

#[test]
fn an_attribute_is_passed_on_as_the_extension_makes_it() {
    let mut bench = bench(Toll { fee: 7 });
    tolled(&mut bench, 10);
    bench.run(seconds(0.5));
    assert_eq!(
        told(&bench, Instant::ZERO).first().map(|(_, toll)| *toll),
        Some(17)
    );
    assert_eq!(
        bench.node.routes(bench.now).next().expect("one route").attr,
        Some(10)
    );
}

// P-14
#[test]
fn an_attribute_goes_with_the_update_that_brought_it_or_not_at_all() {
    let mut bench = bench(Toll::default());
    let held = |bench: &Bench<Toll>| bench.node.routes(bench.now).next().expect("a route").attr;
    tolled(&mut bench, 10);
    bench.run(seconds(0.5));
    let unfeasible = Announce::of(P).metric(500).lasting(600);
    bench.announce_with(ETH0, 1, unfeasible, &[KIND, 1, 99]);
    assert_eq!(held(&bench), Some(10), "an ignored Update changes nothing");
    bench.announce(ETH0, 1, Announce::of(P).lasting(600));
    assert_eq!(held(&bench), None, "one without replaces it by nothing");
}

// P-24
#[test]
fn an_answer_carries_the_attribute_as_a_periodic_update_does() {
    let mut bench = bench(Toll { fee: 7 });
    tolled(&mut bench, 10);
    bench.run(seconds(2.0));
    let at = bench.now;
    let mut packet = writer();
    packet.route_request(Some(&key(P))).expect("fits");
    packet
        .seqno_request(&key(P), SeqNo(1), 64, rid(9))
        .expect("fits");
    bench.packet(ETH1, fake(2), false, packet);
    bench.run(seconds(0.2));
    let tolls: Vec<u8> = told(&bench, at).iter().map(|(_, toll)| *toll).collect();
    assert_eq!(tolls, [17]);
}

#[test]
fn a_change_worth_telling_is_told_at_once() {
    let mut bench = bench(Toll::default());
    tolled(&mut bench, 10);
    bench.run(seconds(11.0));
    let at = bench.now;
    tolled(&mut bench, 20);
    bench.run(seconds(0.2));
    assert_eq!(told(&bench, at).first().map(|(_, toll)| *toll), Some(20));
}

#[test]
fn a_change_not_worth_telling_waits_for_the_periodic_update() {
    let mut bench = bench(Toll::default());
    tolled(&mut bench, 10);
    bench.run(seconds(11.0));
    let at = bench.now;
    tolled(&mut bench, 12);
    bench.run(seconds(17.0));
    let told = told(&bench, at);
    assert!(
        told.iter().all(|(when, _)| when.since(at) > seconds(1.0)),
        "{told:?}"
    );
    assert_eq!(told.last().map(|(_, toll)| *toll), Some(12));
}

#[test]
fn an_attribute_that_flaps_is_told_once_in_ten_seconds_and_its_last_value_is_not_lost() {
    let mut bench = bench(Toll::default());
    tolled(&mut bench, 10);
    bench.run(seconds(11.0));
    let at = bench.now;
    for n in 0..200 {
        tolled(&mut bench, if n % 2 == 0 { 100 } else { 50 });
        bench.run(seconds(0.02));
    }
    tolled(&mut bench, 77);
    let last = bench.now;
    bench.run(seconds(11.0));
    let told = told(&bench, at);
    assert_eq!(told.last().map(|(_, toll)| *toll), Some(77));
    assert!(
        told.last()
            .is_some_and(|(when, _)| when.since(last) < seconds(11.0))
    );
    assert!(
        told.len() <= 4,
        "two told ahead of time, and what the periodic update says: {told:?}"
    );
}

#[test]
fn a_change_of_the_extensions_settings_reaches_the_neighbours_at_once() {
    let mut bench = bench(Toll::default());
    tolled(&mut bench, 10);
    bench.run(seconds(11.0));
    let at = bench.now;
    bench.node.update_extension(bench.now, |toll| toll.fee = 30);
    bench.drain();
    bench.run(seconds(0.2));
    assert_eq!(told(&bench, at).first().map(|(_, toll)| *toll), Some(40));
}

#[test]
fn an_extension_that_writes_nothing_leaves_every_octet_as_stock() {
    fn story<X: Extension>(mut bench: Bench<X>) -> (Vec<Sent>, Vec<(Instant, usize)>) {
        bench.join(ETH0, 1);
        bench.join(ETH1, 2);
        bench.announce_with(ETH0, 1, Announce::of(P), &[KIND, 1, 200]);
        bench.xroute("10.0.0.0/8");
        bench.run(seconds(60.0));
        bench.retract(ETH0, 1, P);
        bench.event(Event::XRouteDown {
            key: key("10.0.0.0/8"),
        });
        bench.run(seconds(60.0));
        (bench.sent, bench.packets)
    }
    /// Says nothing and finds nothing worth telling.
    #[derive(Clone, Copy, Debug)]
    struct Off;
    impl Extension for Off {
        type Attr = Option<u8>;
        fn decode(&self, _: SubTlvs<'_>) -> Option<u8> {
            None
        }
        fn learned(&self, _: Option<u8>, _: NeighbourId, _: u32) -> Option<u8> {
            None
        }
        fn originated(&self, _: Origin, _: Option<u32>) -> Option<u8> {
            None
        }
        fn advertised(&self, _: Option<u8>, _: Origin, _: LinkId, _: u32) -> Option<u8> {
            None
        }
        fn encode(&self, _: Option<u8>, _: &mut SubTlvWriter<'_>) {}
        fn worth_telling(&self, _: Option<u8>, _: Option<u8>) -> bool {
            false
        }
    }
    assert_eq!(story(Bench::new()), story(Bench::extended(config(), Off)));
}
