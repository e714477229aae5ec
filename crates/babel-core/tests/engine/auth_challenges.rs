//! Challenges, replies and counters: what is new, and what is replayed (RFC 8967 §4.3, RFC 9467).

use crate::auth_support::*;
use crate::support::{fake, seconds};
use babel_core::auth::AuthFailure;
use babel_core::config::{Config, Limits};
use babel_core::wire::Destination;
use core::time::Duration;
use std::collections::BTreeSet;

const KEY: Secret = (SHA, SECRET);

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

#[test]
fn senders_that_sign_rightly_but_never_answer_are_bounded_and_forgotten() {
    let limits = Limits {
        neighbours_per_link: 8,
        ..Limits::default()
    };
    let config = Config {
        limits,
        ..crate::support::config()
    };
    let mut rig = Rig::with(config, Some(auth(&[KEY])));
    let hear = |rig: &mut Rig, n| {
        let hello = Sender::new(n, KEY).hello();
        rig.hear(fake(n), true, &hello);
    };
    for n in 0..100 {
        hear(&mut rig, n);
    }
    assert_eq!(dropped(&rig, AuthFailure::UnknownIndex), 8);
    assert_eq!(dropped(&rig, AuthFailure::TooManyPeers), 92);
    assert!(rig.log_lines() <= 64);
    rig.run(seconds(40.0));
    rig.take();
    hear(&mut rig, 200);
    assert!(rig.challenge(fake(200)).is_some(), "there is room again");
}
