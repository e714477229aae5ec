//! MAC authentication as its neighbours and attackers see it (RFC 8967, RFC 9467).

use crate::auth_support::*;
use crate::support::{Announce, ETH0, ETH1, fake, key, seconds};
use babel_core::auth::{AuthFailure, Entropy};
use babel_core::config::{Config, LinkConfig};
use babel_core::event::{Event, XRoute};
use babel_core::ext::Origin;
use babel_core::types::{Metric, SeqNo};
use babel_core::wire::{Destination, PacketWriter};
use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::BTreeSet;

const KEY: Secret = (SHA, SECRET);
const OTHER: Secret = (BLAKE, b"another secret");

fn dropped(rig: &Rig, failure: AuthFailure) -> u64 {
    rig.node.counters().auth_dropped[failure.index()]
}

// 8967-3.1-1, 8967-4.2-2, 8967-4.2-3, 8967-4.2-5, 8967-4.2-6
#[test]
fn every_packet_is_counted_and_signed_with_every_key() {
    let keys = [KEY, OTHER];
    let mut rig = Rig::keyed(&keys);
    let mut packets = rig.take();
    for mut sender in [Sender::new(1, KEY), Sender::new(2, OTHER)] {
        let request = sender.request(false, b"nonce");
        rig.hear(sender.address, false, &request);
    }
    rig.run(seconds(60.0));
    rig.event(Event::Shutdown);
    packets.extend(rig.take());
    assert!(packets.iter().any(|p| p.to != Destination::Multicast));
    let (first, index) = packets[0].pair();
    assert_eq!((first, index.len()), (1, 8));
    let mut last = 0;
    for packet in &packets {
        let (pc, same) = packet.pair();
        assert!(pc > last, "strictly rising, to one or to all");
        assert_eq!(same, index);
        last = pc;
        assert!(packet.is_signed_with(&keys), "{packet:?}");
    }
    assert!(packets.len() > 20);
}

// 8967-3.1-3
#[test]
fn each_link_and_each_start_has_an_index_of_its_own() {
    let mut indices = BTreeSet::new();
    for entropy in 0..3 {
        let config = Config {
            entropy: Entropy::new([entropy; 32]),
            ..crate::support::config()
        };
        let mut rig = Rig::with(config, Some(auth(&[KEY])));
        rig.link_up(ETH1, Some(auth(&[KEY])), 1500);
        rig.event(Event::LinkRemoved { link: ETH1 });
        rig.link_up(ETH1, Some(auth(&[KEY])), 1500);
        indices.extend(rig.take().iter().map(|packet| packet.pair().1));
    }
    assert_eq!(indices.len(), 9);
}

// 8967-4.3-1, 8967-4.3-2, 8967-4.3-3
#[test]
fn ten_thousand_forgers_leave_no_neighbour_no_answer_and_little_log() {
    let mut rig = Rig::keyed(&[KEY]);
    rig.take();
    for n in 0..10_000 {
        let mut forger = Sender::new(n, (SHA, b"a guess"));
        let unsigned = forger.hello();
        let unsigned = &unsigned[..unsigned.len() - 34];
        rig.hear(forger.address, true, unsigned);
        let hello = forger.hello();
        rig.hear(forger.address, true, &hello);
        let request = forger.request(false, b"nonce");
        rig.hear(forger.address, false, &request);
        let reply = forger.reply(&[n.to_be_bytes()[1]; 16]);
        rig.hear(forger.address, false, &reply);
    }
    assert_eq!(rig.neighbours(), 0);
    assert_eq!(rig.take().len(), 0, "nobody is challenged or answered");
    assert_eq!(dropped(&rig, AuthFailure::MissingMac), 10_000);
    assert_eq!(dropped(&rig, AuthFailure::WrongMac), 30_000);
    assert!(rig.log_lines() <= 64);
    rig.run(seconds(30.0));
    let sent = rig.take();
    assert!(sent.iter().all(|p| p.to == Destination::Multicast));
}

#[test]
fn a_flipped_bit_anywhere_is_a_wrong_mac_and_one_log_line_a_minute() {
    let mut rig = Rig::keyed(&[KEY]);
    let mut sender = rig.acquaint(1, KEY);
    let hello = sender.hello();
    let good_len = hello.len();
    for bit in 32..(good_len - 34) * 8 {
        let mut flipped = hello.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        rig.hear(sender.address, true, &flipped);
    }
    let flips = u64::try_from((good_len - 34) * 8 - 32).expect("few");
    assert_eq!(dropped(&rig, AuthFailure::WrongMac), flips);
    assert_eq!(rig.log_lines(), 1);
    rig.run(seconds(61.0));
    rig.hear(sender.address, true, &[&hello[..4], &[0; 40]].concat());
    let wrong = Sender::new(1, OTHER).hello();
    rig.hear(sender.address, true, &wrong);
    rig.hear(sender.address, true, &wrong);
    assert_eq!(rig.log_lines(), 2, "one for each kind");
}

// 8967-6.1-1
#[test]
fn a_mac_in_the_body_does_not_count() {
    let mut rig = Rig::keyed(&[KEY]);
    let mut sender = rig.acquaint(1, KEY);
    let mut octets = sender.hello();
    let len = u16::try_from(octets.len() - 4).expect("short");
    octets[2..4].copy_from_slice(&len.to_be_bytes());
    rig.hear(sender.address, true, &octets);
    assert_eq!(dropped(&rig, AuthFailure::MissingMac), 1);
}

// 8967-4.3-10: what a packet says counts as without authentication, its own TLVs aside.
#[test]
fn an_authentic_packet_is_processed_as_any_other() {
    let mut rig = Rig::keyed(&[OTHER, KEY]);
    let mut sender = rig.acquaint(1, KEY);
    let update = Announce::of("2001:db8::/32");
    let octets = sender.say(true, |packet: &mut PacketWriter| {
        packet.challenge_reply(b"nothing").expect("fits");
        packet.update(&update.out()).expect("fits");
    });
    rig.hear(sender.address, true, &octets);
    assert_eq!(rig.node.routes(rig.now).count(), 1);
    assert_eq!(
        rig.node.counters().tlvs_ignored,
        [0; 9],
        "nothing was strange about it"
    );
}

// 8967-4.2-1
#[test]
fn a_full_dump_with_four_keys_stays_within_the_mtu() {
    let keys: [Secret; 4] = [KEY, OTHER, (SHA, b"three"), (SHA, b"four")];
    for mtu in [1500, 1280, 576, 200] {
        let mut rig = Rig::with(crate::support::config(), None);
        rig.link_up(ETH0, Some(auth(&keys)), mtu);
        rig.acquaint(1, KEY);
        for n in 0..200_u16 {
            let xroute = XRoute {
                metric: Metric::ZERO,
                origin: Origin::Redistributed,
                price: None,
                only: None,
            };
            let key = key(&format!("2001:db8:{n:x}::/48"));
            rig.event(Event::XRouteUp { key, xroute });
        }
        rig.run(seconds(40.0));
        let lengths: Vec<usize> = rig.take().iter().map(|p| p.octets.len()).collect();
        let most = usize::try_from(mtu)
            .expect("small")
            .saturating_sub(48)
            .max(512);
        let longest = lengths.iter().copied().max().expect("packets");
        assert!(longest <= most, "{longest} octets at an MTU of {mtu}");
        assert!(
            longest > most - 40,
            "{longest} octets of {most}: room is wasted"
        );
    }
}

// 8967-3.1-2
#[test]
fn accept_bad_signatures_signs_answers_and_accepts_anything() {
    let mut tolerant = auth(&[KEY]);
    tolerant.accept_bad_signatures = true;
    let mut rig = Rig::with(crate::support::config(), Some(tolerant));
    assert!(rig.take().iter().all(|p| p.is_signed_with(&[KEY])));
    let unsigned = {
        let hello = Sender::new(1, KEY).hello();
        hello[..hello.len() - 34].to_vec()
    };
    rig.hear(fake(1), true, &unsigned);
    let wrong = Sender::new(2, OTHER).hello();
    rig.hear(fake(2), true, &wrong);
    let unknown = Sender::new(3, KEY).hello();
    rig.hear(fake(3), true, &unknown);
    assert_eq!(rig.neighbours(), 3);
    assert_eq!(rig.node.counters().auth_tolerated, 3);
    assert_eq!(rig.node.counters().auth_dropped, [0; 6]);
    // A peer that checks already must be able to verify us.
    let mut strict = Sender::new(4, KEY);
    let request = strict.request(false, b"nonce");
    rig.hear(fake(4), false, &request);
    let sent = rig.take();
    let to = Destination::Unicast(fake(4));
    let reply = sent.iter().find(|packet| packet.to == to);
    assert_eq!(
        reply.and_then(|p| p.tlv(19)).as_deref(),
        Some(&b"nonce"[..])
    );
}

#[test]
fn a_link_that_asked_for_protection_but_has_no_key_is_mute_and_deaf_rather_than_open() {
    let mut rig = Rig::keyed(&[]);
    let hello = Sender::new(1, KEY).hello();
    rig.hear(fake(1), true, &hello);
    assert_eq!(rig.neighbours(), 0);
    assert!(rig.take().iter().all(|packet| packet.macs().is_empty()));
}

#[test]
fn a_link_without_keys_takes_signed_packets_as_if_they_were_not_signed() {
    let mut rig = Rig::with(crate::support::config(), None);
    let mut sender = Sender::new(1, KEY);
    let hello = sender.hello();
    rig.hear(sender.address, true, &hello);
    let request = sender.request(false, b"nonce");
    rig.hear(sender.address, false, &request);
    rig.run(seconds(20.0));
    assert_eq!(rig.neighbours(), 1);
    for packet in rig.take() {
        let kinds: Vec<u8> = packet.tlvs().iter().map(|(kind, _)| *kind).collect();
        assert!(kinds.iter().all(|kind| *kind < 16), "{kinds:?}");
        assert!(packet.split().1.is_empty());
    }
}

/// What a node without keys says in a while, as one number (FNV-1a).
fn voice(entropy: u8) -> u64 {
    let config = Config {
        entropy: Entropy::new([entropy; 32]),
        seqno: SeqNo(5),
        ..crate::support::config()
    };
    let mut bench = crate::support::Bench::with(config);
    bench.join(ETH0, 1);
    bench.join(ETH1, 2);
    bench.announce(ETH0, 1, Announce::of("2001:db8::/32"));
    bench.xroute("2001:db8:1::/48");
    bench.run(seconds(120.0));
    let text = format!("{:?} {:?}", bench.sent, bench.packets);
    let fold = |hash: u64, octet: u8| (hash ^ u64::from(octet)).wrapping_mul(0x0100_0000_01b3);
    text.bytes().fold(0xcbf2_9ce4_8422_2325, fold)
}

#[test]
fn without_keys_entropy_changes_nothing_that_is_sent() {
    assert_eq!(voice(1), voice(2));
}

// 8967-4.3.1.2-4, 8967-4.2-3: on a link where everything goes to each neighbour by itself.
#[test]
fn on_a_unicast_link_each_copy_is_counted_and_signed_and_replies_overtake_them() {
    let mut rig = Rig::keyed(&[KEY]);
    let config = LinkConfig {
        auth: Some(auth(&[KEY])),
        unicast: true,
        probe_mtu: true,
        ..LinkConfig::new("eth")
    };
    rig.configure(ETH0, config, 1500);
    let mut senders: Vec<Sender> = (1..5).map(|n| rig.acquaint(n, KEY)).collect();
    for _ in 0..3 {
        for sender in &mut senders {
            let hello = sender.hello();
            rig.hear(sender.address, true, &hello);
        }
        rig.run(seconds(4.0));
    }
    let sent = rig.take();
    let copies = sent.iter().filter(|p| p.to != Destination::Multicast);
    assert!(copies.count() > 12);
    let mut last = 0;
    for packet in &sent {
        let (pc, _) = packet.pair();
        assert!(pc > last);
        last = pc;
        assert!(packet.is_signed_with(&[KEY]), "{packet:?}");
        let probe = packet.to == Destination::Multicast && packet.tlv(4).is_some();
        assert_eq!(packet.octets.len() == 1452, probe, "padded after the MACs");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]
    // 8967-4.3-3
    #[test]
    fn whatever_octets_arrive_nobody_without_the_key_is_heard(
        octets in vec(any::<u8>(), 0..200),
        cut in 0_usize..60,
        flip in 0_usize..400,
    ) {
        let mut rig = Rig::keyed(&[KEY]);
        rig.take();
        let mut framed = vec![42, 2, 0, 0];
        framed.extend(&octets);
        framed[3] = u8::try_from(octets.len() / 2).expect("short");
        let mut bent = Sender::new(1, KEY).hello();
        bent.truncate(60 - cut);
        let bits = bent.len() * 8;
        if bits > 0 {
            bent[flip % bits / 8] ^= 1 << (flip % 8);
        }
        for packet in [&octets, &framed, &bent] {
            rig.hear(fake(1), true, packet);
            rig.hear(fake(1), false, packet);
        }
        prop_assert_eq!(rig.neighbours(), 0);
        prop_assert_eq!(rig.take().len(), 0);
    }
}
