//! Addresses beside netlink-packet-route. Their life in the kernel is in `tests/links.rs`.

use super::{AddressFlags, AddressInfo, DuplicateDetection};
use crate::namespace::isolated;
use crate::scope::Scope;
use crate::socket::RouteSocket;
use netlink_packet_core::{Emitable, NetlinkMessage, NetlinkPayload};
use netlink_packet_route::address::{
    AddressAttribute, AddressFlags as TheirFlags, AddressHeaderFlags, AddressMessage, AddressScope,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use std::net::IpAddr;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn message(address: IpAddr, plen: u8, index: u32) -> AddressMessage {
    let mut message = AddressMessage::default();
    message.header.family = match address {
        IpAddr::V4(_) => AddressFamily::Inet,
        IpAddr::V6(_) => AddressFamily::Inet6,
    };
    message.header.prefix_len = plen;
    message.header.index = index;
    message
}

fn emit(message: &AddressMessage) -> Vec<u8> {
    let mut buffer = vec![0; message.buffer_len()];
    message.emit(&mut buffer);
    buffer
}

#[test]
fn requests_equal_the_other_crates() {
    isolated(|| {
        let mut socket = RouteSocket::new().unwrap();
        let lo = socket.link_by_name("lo").unwrap().index;
        let mut check = |address: IpAddr, plen, duplicates| {
            let mut expected = message(address, plen, lo);
            expected.attributes = vec![
                AddressAttribute::Local(address),
                AddressAttribute::Address(address),
            ];
            let without_flags = expected.clone();
            if duplicates == DuplicateDetection::Skip && address.is_ipv6() {
                expected
                    .attributes
                    .push(AddressAttribute::Flags(TheirFlags::Nodad));
            }
            socket.add_address(lo, address, plen, duplicates).unwrap();
            let sent = socket.last_request();
            assert_eq!(sent[16..], emit(&expected));
            let parsed = NetlinkMessage::<RouteNetlinkMessage>::deserialize(sent).unwrap();
            let new = RouteNetlinkMessage::NewAddress(expected);
            assert_eq!(parsed.payload, NetlinkPayload::InnerMessage(new));

            socket.delete_address(lo, address, plen).unwrap();
            let sent = socket.last_request();
            assert_eq!(sent[16..], emit(&without_flags));
            let parsed = NetlinkMessage::<RouteNetlinkMessage>::deserialize(sent).unwrap();
            let gone = RouteNetlinkMessage::DelAddress(without_flags);
            assert_eq!(parsed.payload, NetlinkPayload::InnerMessage(gone));
        };
        check(ip("192.0.2.1"), 24, DuplicateDetection::Default);
        check(ip("192.0.2.1"), 32, DuplicateDetection::Skip);
        check(ip("2001:db8::1"), 64, DuplicateDetection::Default);
        check(ip("2001:db8::1"), 128, DuplicateDetection::Skip);
    });
}

#[test]
fn flags_scope_and_the_other_end_are_read() {
    let mut theirs = message(ip("2001:db8::1"), 64, 5);
    theirs.header.scope = AddressScope::Link;
    theirs.attributes = vec![
        AddressAttribute::Address(ip("2001:db8::1")),
        AddressAttribute::Flags(TheirFlags::Tentative | TheirFlags::Secondary),
    ];
    let expected = AddressInfo {
        index: 5,
        address: ip("2001:db8::1"),
        plen: 64,
        peer: None,
        scope: Scope::Link,
        flags: AddressFlags {
            tentative: true,
            temporary: true,
            ..AddressFlags::default()
        },
        protocol: 0,
    };
    assert_eq!(AddressInfo::decode(&emit(&theirs)), Ok(Some(expected)));

    let mut theirs = message(ip("192.0.2.1"), 32, 6);
    theirs.header.flags = AddressHeaderFlags::Secondary | AddressHeaderFlags::Permanent;
    theirs.attributes = vec![
        AddressAttribute::Address(ip("192.0.2.2")),
        AddressAttribute::Local(ip("192.0.2.1")),
        AddressAttribute::Label("ppp0".to_owned()),
    ];
    let expected = AddressInfo {
        index: 6,
        address: ip("192.0.2.1"),
        plen: 32,
        peer: Some(ip("192.0.2.2")),
        scope: Scope::Universe,
        flags: AddressFlags {
            permanent: true,
            ..AddressFlags::default()
        },
        protocol: 0,
    };
    assert_eq!(AddressInfo::decode(&emit(&theirs)), Ok(Some(expected)));
}

#[test]
fn addresses_that_lie_are_refused() {
    let bare = message(ip("192.0.2.1"), 24, 5);
    assert!(
        AddressInfo::decode(&emit(&bare)).is_err(),
        "no address at all"
    );
    let mut mixed = bare.clone();
    mixed.attributes = vec![AddressAttribute::Local(ip("2001:db8::1"))];
    assert!(
        AddressInfo::decode(&emit(&mixed)).is_err(),
        "IPv6 in an IPv4 message"
    );
    let mut long = bare;
    long.header.prefix_len = 33;
    long.attributes = vec![AddressAttribute::Local(ip("192.0.2.1"))];
    assert!(
        AddressInfo::decode(&emit(&long)).is_err(),
        "33 bits of IPv4"
    );
    assert_eq!(
        AddressInfo::decode(&[28, 0, 0, 0, 0, 0, 0, 0]),
        Ok(None),
        "another family"
    );
}
