//! MAC authentication as its neighbours and attackers see it (RFC 8967, RFC 9467).

use crate::auth_support::*;
use crate::support::{Announce, ETH0, ETH1, fake, key, seconds};
use babel_core::auth::{AuthFailure, Entropy};
use babel_core::config::{Config, LinkConfig};
use babel_core::event::{Event, XRoute};
use babel_core::ext::Origin;
use babel_core::types::{Metric, SeqNo};
use babel_core::wire::{Destination, PacketWriter};
use core::time::Duration;
use std::collections::BTreeSet;

const KEY: Secret = (SHA, SECRET);
const OTHER: Secret = (BLAKE, b"another secret");

fn dropped(rig: &Rig, failure: AuthFailure) -> u64 {
    rig.node.counters().auth_dropped[failure.index()]
}

/// The PC that the node has verified is this one: only greater ones are accepted.
fn accepts(rig: &mut Rig, sender: &Sender, pc: u32, multicast: bool) -> bool {
    let before = rig.node.counters().packets_dropped;
    let octets = sender.say_with(multicast, &[(pc, sender.index.clone())], |_| {});
    rig.hear(sender.address, multicast, &octets);
    rig.node.counters().packets_dropped == before
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

// 8967-4.3-9, 8967-4.3.1.1-2, 8967-4.3.1.1-3, 9467-3.1-1
#[test]
fn an_unknown_sender_is_challenged_and_heard_once_it_answers() {
    let mut rig = Rig::keyed(&[KEY]);
    rig.take();
    let mut sender = Sender::new(1, KEY);
    let hello = sender.hello();
    rig.hear(sender.address, true, &hello);
    let sent = rig.take();
    let [challenge] = sent.as_slice() else {
        panic!("one packet: {sent:?}")
    };
    assert_eq!(challenge.to, Destination::Unicast(sender.address));
    assert_eq!(challenge.at, rig.now, "at once");
    assert_eq!(rig.neighbours(), 0, "the Hello is dropped");
    assert_eq!(dropped(&rig, AuthFailure::UnknownIndex), 1);
    let nonce = challenge.tlv(18).expect("a challenge");
    assert!((8..=192).contains(&nonce.len()));
    let reply = sender.reply(&nonce);
    rig.hear(sender.address, false, &reply);
    assert_eq!(rig.neighbours(), 1, "the reply is accepted");
    let pc = sender.pc;
    assert!(!accepts(&mut rig, &sender, pc, true));
    assert!(!accepts(&mut rig, &sender, pc, false));
    assert!(accepts(&mut rig, &sender, pc + 1, true));
    assert!(accepts(&mut rig, &sender, pc + 1, false));
}

// 8967-4.3-9: another index means a restart, or an attacker.
#[test]
fn a_neighbour_that_restarts_is_challenged_again_and_keeps_its_place() {
    let mut rig = Rig::keyed(&[KEY]);
    let mut sender = rig.acquaint(1, KEY);
    sender.index = vec![9];
    sender.pc = 0;
    let hello = sender.hello();
    rig.hear(sender.address, true, &hello);
    assert_eq!(dropped(&rig, AuthFailure::UnknownIndex), 2);
    rig.run(seconds(0.5));
    let hello = sender.hello();
    rig.hear(sender.address, true, &hello);
    let nonce = rig.challenge(sender.address).expect("a challenge");
    let reply = sender.reply(&nonce);
    rig.hear(sender.address, false, &reply);
    let pc = sender.pc;
    assert!(accepts(&mut rig, &sender, pc + 1, true));
    assert_eq!(rig.neighbours(), 1);
}

// 8967-4.3-8, 8967-4.3.1.2-1, 8967-4.3.1.2-3, 8967-4.3.1.2-4
#[test]
fn a_challenge_is_answered_first_and_at_once_even_in_a_packet_that_is_dropped() {
    let mut rig = Rig::keyed(&[KEY]);
    rig.acquaint(7, KEY);
    // Something else waits to be said, to one and to all.
    rig.run(seconds(3.9));
    rig.take();
    let mut sender = Sender::new(1, KEY);
    let nonce: Vec<u8> = (0..192).collect();
    let octets = sender.say(false, |packet| {
        packet.challenge_request(b"an older one").expect("fits");
        packet.challenge_request(&nonce).expect("fits");
    });
    rig.hear(sender.address, false, &octets);
    let sent = rig.take();
    assert_eq!(sent[0].to, Destination::Unicast(sender.address));
    assert_eq!(sent[0].tlv(19), Some(nonce));
    assert!(sent[0].tlv(18).is_some(), "its index is unknown");
    assert!(sent[0].is_signed_with(&[KEY]));
    assert_eq!(rig.neighbours(), 1);
    // The empty nonce is one, too.
    let mut other = Sender::new(2, KEY);
    let request = other.request(false, b"");
    rig.hear(other.address, false, &request);
    assert_eq!(rig.take()[0].tlv(19), Some(Vec::new()));
}

// 8967-4.3.1.2-2
#[test]
fn a_challenge_to_the_group_is_ignored() {
    let mut rig = Rig::keyed(&[KEY]);
    let mut sender = rig.acquaint(1, KEY);
    let request = sender.request(true, b"nonce");
    rig.hear(sender.address, true, &request);
    rig.run(seconds(2.0));
    assert!(rig.take().iter().all(|packet| packet.tlv(19).is_none()));
    assert_eq!(rig.node.counters().challenge_replies_sent, 0);
}

// 8967-4.3-6, 8967-4.3-7
#[test]
fn the_first_pc_counts_and_a_packet_without_is_dropped() {
    let mut rig = Rig::keyed(&[KEY]);
    let sender = rig.acquaint(1, KEY);
    let index = || sender.index.clone();
    let pc = sender.pc;
    let before = rig.node.counters().packets_dropped;
    let hear = |rig: &mut Rig, pairs: &[(u32, Vec<u8>)]| {
        let octets = sender.say_with(true, pairs, |_| {});
        rig.hear(sender.address, true, &octets);
    };
    hear(&mut rig, &[]);
    assert_eq!(dropped(&rig, AuthFailure::MissingPc), 1);
    hear(&mut rig, &[(pc, index()), (pc + 9, index())]);
    assert_eq!(dropped(&rig, AuthFailure::Replayed), 1);
    hear(&mut rig, &[(pc + 1, index()), (pc, vec![0])]);
    assert_eq!(rig.node.counters().packets_dropped, before + 2);
}

// 9467-3.1-2, 9467-1-1, 8967-4.3-11
#[test]
fn replays_are_dropped_without_a_challenge_and_a_late_multicast_is_none() {
    let mut rig = Rig::keyed(&[KEY]);
    let mut sender = rig.acquaint(1, KEY);
    let late = sender.hello();
    let unicast = sender.say(false, |_| {});
    rig.hear(sender.address, false, &unicast);
    rig.hear(sender.address, true, &late);
    assert_eq!(dropped(&rig, AuthFailure::Replayed), 0);
    rig.run(seconds(1.0));
    rig.take();
    for _ in 0..1000 {
        rig.hear(sender.address, false, &unicast);
        rig.hear(sender.address, true, &late);
    }
    // Nor may a packet to one be replayed to all.
    rig.hear(sender.address, true, &unicast);
    assert_eq!(dropped(&rig, AuthFailure::Replayed), 2000);
    assert_eq!(dropped(&rig, AuthFailure::WrongMac), 1);
    assert!(rig.take().iter().all(|packet| packet.tlv(18).is_none()));
}

// 8967-4.3.1.1-4, 8967-4.3.1.1-5, 8967-4.3.1.2-5, 8967-4.3.1.2-6, 8967-4.3.1.1-1
#[test]
fn recorded_packets_replayed_at_wire_speed_cause_a_few_challenges_and_replies() {
    let mut rig = Rig::keyed(&[KEY]);
    let mut sender = rig.acquaint(1, KEY);
    sender.index = vec![8];
    let request = sender.request(false, b"nonce");
    let mut nonces = Vec::new();
    for _ in 0..30_000 {
        rig.hear(sender.address, false, &request);
        rig.run(Duration::from_micros(100));
    }
    let sent = rig.take();
    let mut replies = Vec::new();
    for packet in sent.iter().filter(|p| p.to != Destination::Multicast) {
        nonces.extend(packet.tlv(18));
        replies.extend(packet.tlv(19).map(|_| packet.at));
    }
    assert!((9..=11).contains(&nonces.len()), "{} in 3 s", nonces.len());
    assert!((9..=11).contains(&replies.len()), "{}", replies.len());
    let gaps = replies.windows(2).map(|pair| pair[1].since(pair[0]));
    assert!(gaps.min() >= Some(Duration::from_millis(300)));
    let different: BTreeSet<_> = nonces.iter().collect();
    assert_eq!(different.len(), nonces.len(), "no nonce twice");
    // Another peer is answered at once all the same.
    let mut other = Sender::new(2, KEY);
    let request = other.request(false, b"other");
    rig.hear(other.address, false, &request);
    assert_eq!(rig.take()[0].tlv(19).as_deref(), Some(&b"other"[..]));
    assert_eq!(rig.neighbours(), 1);
}

// 8967-4.3.1.3-1, 8967-4.3.1.3-2
#[test]
fn a_reply_counts_once_within_thirty_seconds_and_only_if_it_was_asked_for() {
    let mut rig = Rig::keyed(&[KEY]);
    let mut sender = Sender::new(1, KEY);
    for nonce in [&b""[..], b"unsolicited", &[0; 16]] {
        let reply = sender.reply(nonce);
        rig.hear(sender.address, false, &reply);
        assert_eq!(rig.neighbours(), 0);
        rig.run(seconds(0.4));
    }
    rig.run(seconds(31.0));
    rig.take();
    let hello = sender.hello();
    rig.hear(sender.address, true, &hello);
    let nonce = rig.challenge(sender.address).expect("a challenge");
    rig.run(seconds(31.0));
    let late = sender.reply(&nonce);
    rig.hear(sender.address, false, &late);
    assert_eq!(rig.neighbours(), 0, "too late");
    rig.run(seconds(0.4));
    let hello = sender.hello();
    rig.hear(sender.address, true, &hello);
    let nonce = rig.challenge(sender.address).expect("a challenge");
    let wrong = sender.reply(&nonce[1..]);
    rig.hear(sender.address, false, &wrong);
    assert_eq!(rig.neighbours(), 0);
    let reply = sender.reply(&nonce);
    rig.hear(sender.address, false, &reply);
    assert_eq!(rig.neighbours(), 1, "a mismatch does not spoil the nonce");
    // The same nonce proves nothing for another index.
    sender.index = vec![77];
    let again = sender.reply(&nonce);
    rig.hear(sender.address, false, &again);
    let pc = sender.pc;
    assert!(!accepts(&mut rig, &sender, pc + 1, true));
}

// 8967-4.4-1
#[test]
fn the_pair_of_a_neighbour_that_fell_silent_is_forgotten_with_it() {
    let mut rig = Rig::keyed(&[KEY]);
    let mut sender = rig.acquaint(1, KEY);
    for _ in 0..3 {
        let hello = sender.hello();
        rig.hear(sender.address, true, &hello);
        rig.run(seconds(4.0));
    }
    rig.run(seconds(120.0));
    assert_eq!(rig.neighbours(), 0);
    rig.take();
    let hello = sender.hello();
    rig.hear(sender.address, true, &hello);
    assert_eq!(rig.neighbours(), 0);
    assert!(rig.challenge(sender.address).is_some());
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
