//! Rules beside netlink-packet-route and beside the kernel.

use super::{FirewallMark, Rule};
use crate::namespace::isolated;
use crate::route::Family;
use crate::socket::RouteSocket;
use netlink_packet_core::{Emitable, NetlinkMessage, NetlinkPayload};
use netlink_packet_route::route::RouteProtocol;
use netlink_packet_route::rule::{RuleAction, RuleAttribute, RuleMessage};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use nix::errno::Errno;
use proptest::prelude::*;

fn marked(table: u32) -> Rule {
    Rule {
        priority: Some(100),
        mark: Some(FirewallMark {
            value: 0x10,
            mask: 0xff,
        }),
        protocol: 42,
        ..Rule::new(Family::V6, table)
    }
}

fn theirs(rule: &Rule) -> RuleMessage {
    let mut message = RuleMessage::default();
    message.header.family = AddressFamily::Inet6;
    message.header.action = RuleAction::ToTable;
    message.header.table = u8::try_from(rule.table).unwrap_or(252);
    message.attributes = vec![
        RuleAttribute::Priority(100),
        RuleAttribute::FwMark(0x10),
        RuleAttribute::FwMask(0xff),
    ];
    if rule.table > 255 {
        message.attributes.push(RuleAttribute::Table(rule.table));
    }
    message
        .attributes
        .push(RuleAttribute::Protocol(RouteProtocol::Babel));
    message
}

fn emit(message: &RuleMessage) -> Vec<u8> {
    let mut buffer = vec![0; message.buffer_len()];
    message.emit(&mut buffer);
    buffer
}

#[test]
fn octets_equal_the_other_crates_both_ways() {
    isolated(|| {
        let mut socket = RouteSocket::new().unwrap();
        for table in [100, 7000] {
            let rule = marked(table);
            socket.add_rule(&rule).unwrap();
            let sent = socket.last_request().to_vec();
            let parsed = NetlinkMessage::<RouteNetlinkMessage>::deserialize(&sent).unwrap();
            let NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewRule(message)) =
                parsed.payload
            else {
                panic!("not a new rule: {:?}", parsed.payload);
            };
            assert_eq!(message, theirs(&rule));
            assert_eq!(&sent[16..], emit(&theirs(&rule)));
            assert_eq!(Rule::decode(&emit(&theirs(&rule))), Ok(Some(rule)));
        }
    });
}

#[test]
fn rules_are_added_listed_and_deleted() {
    isolated(|| {
        let mut socket = RouteSocket::new().unwrap();
        let plain = Rule {
            priority: Some(50),
            ..Rule::new(Family::V4, 70_000)
        };
        for rule in [marked(7000), plain] {
            let before = socket.rules(rule.family).unwrap();
            assert!(
                before
                    .iter()
                    .any(|rule| rule.table == 254 && rule.priority == Some(32766))
            );
            socket.add_rule(&rule).unwrap();
            assert_eq!(
                socket.add_rule(&rule).unwrap_err().errno(),
                Some(Errno::EEXIST)
            );
            let rules = socket.rules(rule.family).unwrap();
            assert_eq!(rules.len(), before.len() + 1);
            assert!(rules.contains(&rule), "{rules:?}");
            assert!(rules.is_sorted_by_key(|rule| rule.priority));
            socket.delete_rule(&rule).unwrap();
            assert_eq!(socket.rules(rule.family).unwrap(), before);
            assert_eq!(
                socket.delete_rule(&rule).unwrap_err().errno(),
                Some(Errno::ENOENT)
            );
        }
        assert_eq!(socket.malformed(), 0);
    });
}

#[test]
fn conditions_we_do_not_describe_are_told() {
    let decode = |message: &RuleMessage| Rule::decode(&emit(message)).unwrap().unwrap();
    let rule = marked(100);
    let mut message = theirs(&rule);
    message
        .attributes
        .push(RuleAttribute::SuppressPrefixLen(u32::MAX));
    assert!(!decode(&message).has_more);
    message.attributes.push(RuleAttribute::SuppressPrefixLen(0));
    assert!(decode(&message).has_more);

    let mut message = theirs(&rule);
    message
        .attributes
        .push(RuleAttribute::Iifname("eth0".to_owned()));
    assert!(decode(&message).has_more);

    let mut message = theirs(&rule);
    message.header.action = RuleAction::Blackhole;
    assert!(decode(&message).has_more);
}

proptest! {
    #[test]
    fn random_octets_never_panic(payload in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Rule::decode(&payload);
    }

    #[test]
    fn mutated_rules_never_panic(
        at in any::<prop::sample::Index>(),
        value in any::<u8>(),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut payload = emit(&theirs(&marked(7000)));
        let at = at.index(payload.len());
        payload[at] = value;
        payload.truncate(cut.index(payload.len()) + 1);
        let _ = Rule::decode(&payload);
    }
}
