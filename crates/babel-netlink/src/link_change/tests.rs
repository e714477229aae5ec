//! Links beside netlink-packet-route. Their life in the kernel is in `tests/links.rs`.

use super::NetnsRef;
use crate::abi;
use crate::link::{LinkFlags, LinkInfo};
use crate::namespace::{enter_new, isolated};
use crate::socket::RouteSocket;
use netlink_packet_core::{Emitable, NetlinkMessage, NetlinkPayload};
use netlink_packet_route::AddressFamily;
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{
    InfoData, InfoKind, InfoVeth, LinkAttribute, LinkExtentMask, LinkFlags as TheirFlags,
    LinkInfo as TheirInfo, LinkLayerType, LinkMessage,
};
use std::os::fd::{AsFd, AsRawFd};

fn message(index: u32, attributes: Vec<LinkAttribute>) -> LinkMessage {
    let mut message = LinkMessage::default();
    message.header.index = index;
    message.attributes = attributes;
    message
}

fn emit(message: &LinkMessage) -> Vec<u8> {
    let mut buffer = vec![0; message.buffer_len()];
    message.emit(&mut buffer);
    buffer
}

/// What was last sent has these octets, and means this to the other crate.
fn assert_sent(socket: &RouteSocket, expected: RouteNetlinkMessage) {
    let sent = socket.last_request();
    let (RouteNetlinkMessage::NewLink(link)
    | RouteNetlinkMessage::DelLink(link)
    | RouteNetlinkMessage::GetLink(link)) = &expected
    else {
        panic!("not about a link: {expected:?}");
    };
    assert_eq!(sent[16..], emit(link));
    let parsed = NetlinkMessage::<RouteNetlinkMessage>::deserialize(sent).unwrap();
    assert_eq!(parsed.payload, NetlinkPayload::InnerMessage(expected));
}

#[test]
fn creation_equals_the_other_crates() {
    isolated(|| {
        use RouteNetlinkMessage::NewLink;
        let mut socket = RouteSocket::new().unwrap();
        let other = enter_new();
        let name = |name: &str| LinkAttribute::IfName(name.to_owned());
        let kind = |kind| TheirInfo::Kind(kind);
        let veth = |peer| TheirInfo::Data(InfoData::Veth(InfoVeth::Peer(message(0, peer))));

        socket.create_bridge("br").unwrap();
        let info = LinkAttribute::LinkInfo(vec![kind(InfoKind::Bridge)]);
        assert_sent(&socket, NewLink(message(0, vec![name("br"), info])));

        socket.create_veth("a", "b", None).unwrap();
        let info = LinkAttribute::LinkInfo(vec![kind(InfoKind::Veth), veth(vec![name("b")])]);
        assert_sent(&socket, NewLink(message(0, vec![name("a"), info])));

        socket
            .create_veth("c", "d", Some(NetnsRef::Fd(other.as_fd())))
            .unwrap();
        let peer = vec![name("d"), LinkAttribute::NetNsFd(other.as_raw_fd())];
        let info = LinkAttribute::LinkInfo(vec![kind(InfoKind::Veth), veth(peer)]);
        assert_sent(&socket, NewLink(message(0, vec![name("c"), info])));
    });
}

#[test]
fn changes_equal_the_other_crates() {
    isolated(|| {
        use RouteNetlinkMessage::{DelLink, GetLink, NewLink};
        let mut socket = RouteSocket::new().unwrap();
        socket.create_bridge("br").unwrap();
        socket.create_veth("a", "b", None).unwrap();
        let bridge = socket.link_by_name("br").unwrap().index;
        let index = socket.link_by_name("a").unwrap().index;
        let skip_stats = LinkAttribute::ExtMask(vec![LinkExtentMask::SkipStats]);
        let by_name = vec![LinkAttribute::IfName("a".to_owned()), skip_stats.clone()];
        assert_sent(&socket, GetLink(message(0, by_name)));
        let _ = socket.links().unwrap();
        assert_sent(&socket, GetLink(message(0, vec![skip_stats])));

        for up in [true, false] {
            socket.set_up(index, up).unwrap();
            let mut expected = message(index, vec![]);
            expected.header.flags = if up {
                TheirFlags::Up
            } else {
                TheirFlags::empty()
            };
            expected.header.change_mask = TheirFlags::Up;
            assert_sent(&socket, NewLink(expected));
        }
        socket.set_mtu(index, 1400).unwrap();
        assert_sent(
            &socket,
            NewLink(message(index, vec![LinkAttribute::Mtu(1400)])),
        );
        for master in [Some(bridge), None] {
            socket.set_master(index, master).unwrap();
            let master = LinkAttribute::Controller(master.unwrap_or(0));
            assert_sent(&socket, NewLink(message(index, vec![master])));
        }
        // Of the thread: the process as a whole is elsewhere.
        let here = nix::unistd::gettid().as_raw().unsigned_abs();
        socket.set_link_netns(index, NetnsRef::Pid(here)).unwrap();
        let netns = LinkAttribute::NetNsPid(here);
        assert_sent(&socket, NewLink(message(index, vec![netns])));
        socket.delete_link(bridge).unwrap();
        assert_sent(&socket, DelLink(message(bridge, vec![])));
    });
}

fn described() -> LinkMessage {
    let mut theirs = message(
        7,
        vec![
            LinkAttribute::IfName("wg0".to_owned()),
            LinkAttribute::Mtu(1420),
            LinkAttribute::Address(vec![2, 0, 0, 0, 0, 1]),
            LinkAttribute::Controller(3),
            LinkAttribute::LinkInfo(vec![TheirInfo::Kind(InfoKind::Wireguard)]),
        ],
    );
    theirs.header.link_layer_type = LinkLayerType::Ether;
    theirs.header.flags =
        TheirFlags::Up | TheirFlags::Running | TheirFlags::LowerUp | TheirFlags::Multicast;
    theirs
}

#[test]
fn the_other_crates_description_is_understood() {
    let expected = LinkInfo {
        index: 7,
        name: "wg0".to_owned(),
        flags: LinkFlags {
            up: true,
            running: true,
            lower_up: true,
            multicast: true,
            ..LinkFlags::default()
        },
        mtu: 1420,
        kind: Some("wireguard".to_owned()),
        hardware_type: 1,
        hardware_address: vec![2, 0, 0, 0, 0, 1],
        master: Some(3),
    };
    assert_eq!(LinkInfo::decode(&emit(&described())), Ok(Some(expected)));
}

#[test]
fn messages_that_are_not_about_the_link_itself_are_passed_over() {
    let mut bridge_port = described();
    bridge_port.header.interface_family = AddressFamily::Bridge;
    assert_eq!(LinkInfo::decode(&emit(&bridge_port)), Ok(None));
    assert_eq!(
        LinkInfo::decode(&emit(&message(7, vec![]))),
        Ok(None),
        "a wireless event"
    );
    assert!(LinkInfo::decode(&[abi::AF_UNSPEC; 15]).is_err());
}
