//! Links and addresses against the real kernel.

mod namespace;

use babel_netlink::{DuplicateDetection, Errno, Error, LinkInfo, NetnsRef, RouteSocket, Scope};
use namespace::{enter_new, isolated};
use std::net::IpAddr;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

fn ip(text: &str) -> IpAddr {
    text.parse().expect("a test address")
}

/// The link once it runs: the kernel notices that a moment after the carrier comes.
fn until_running(socket: &mut RouteSocket, index: u32) -> LinkInfo {
    let deadline = Instant::now() + Duration::from_secs(2);
    loop {
        let link = socket.link(index).expect("the link is there");
        if link.flags.running {
            return link;
        }
        assert!(Instant::now() < deadline, "does not run: {link:?}");
        std::thread::yield_now();
    }
}

#[test]
fn veth_has_two_ends_with_the_properties_asked_for() {
    isolated(|| {
        let mut socket = RouteSocket::new().unwrap();
        socket.create_veth("left", "right", None).unwrap();
        let left = socket.link_by_name("left").unwrap();
        assert_eq!(left.kind.as_deref(), Some("veth"));
        assert_eq!((left.hardware_type, left.hardware_address.len()), (1, 6));
        assert_eq!((left.mtu, left.master), (1500, None));
        assert!(left.flags.multicast && !left.flags.up && !left.flags.running);

        let right = socket.link_by_name("right").unwrap();
        socket.set_mtu(left.index, 1280).unwrap();
        socket.set_up(left.index, true).unwrap();
        assert!(
            !socket.link(left.index).unwrap().flags.running,
            "the peer is down"
        );
        socket.set_up(right.index, true).unwrap();
        let left = until_running(&mut socket, left.index);
        assert!(left.flags.up && left.flags.lower_up);
        assert_eq!(left.mtu, 1280);

        socket.set_up(left.index, false).unwrap();
        assert!(!socket.link(left.index).unwrap().flags.up);
        socket.delete_link(left.index).unwrap();
        let names: Vec<_> = socket
            .links()
            .unwrap()
            .into_iter()
            .map(|link| link.name)
            .collect();
        assert!(!names.contains(&"left".to_owned()) && !names.contains(&"right".to_owned()));
    });
}

#[test]
fn links_are_listed_by_index_and_loopback_is_told() {
    isolated(|| {
        let mut socket = RouteSocket::new().unwrap();
        socket.create_bridge("br").unwrap();
        let links = socket.links().unwrap();
        assert!(links.is_sorted_by_key(|link| link.index));
        let lo = links.iter().find(|link| link.name == "lo").unwrap();
        assert!(lo.flags.loopback && !lo.flags.up);
        assert_eq!((lo.kind.as_deref(), lo.hardware_type), (None, 772));
        let bridge = links.iter().find(|link| link.name == "br").unwrap();
        assert_eq!(bridge.kind.as_deref(), Some("bridge"));
        assert_eq!(socket.malformed(), 0);
    });
}

#[test]
fn ports_join_and_leave_a_bridge() {
    isolated(|| {
        let mut socket = RouteSocket::new().unwrap();
        socket.create_bridge("br").unwrap();
        socket.create_veth("a", "b", None).unwrap();
        let bridge = socket.link_by_name("br").unwrap().index;
        let port = socket.link_by_name("a").unwrap().index;
        socket.set_master(port, Some(bridge)).unwrap();
        assert_eq!(socket.link(port).unwrap().master, Some(bridge));
        socket.set_master(port, None).unwrap();
        assert_eq!(socket.link(port).unwrap().master, None);
    });
}

#[test]
fn veth_peer_is_born_in_another_namespace() {
    isolated(|| {
        let mut here = RouteSocket::new().unwrap();
        let other = enter_new();
        let mut there = RouteSocket::new().unwrap();
        here.create_veth("near", "far", Some(NetnsRef::Fd(other.as_fd())))
            .unwrap();
        assert!(here.link_by_name("near").is_ok());
        assert_eq!(
            here.link_by_name("far").unwrap_err().errno(),
            Some(Errno::ENODEV)
        );
        assert_eq!(
            there.link_by_name("far").unwrap().kind.as_deref(),
            Some("veth")
        );
    });
}

#[test]
fn link_moves_to_another_namespace() {
    isolated(|| {
        let mut here = RouteSocket::new().unwrap();
        let other = enter_new();
        let mut there = RouteSocket::new().unwrap();
        here.create_veth("a", "b", None).unwrap();
        let index = here.link_by_name("b").unwrap().index;
        here.set_link_netns(index, NetnsRef::Fd(other.as_fd()))
            .unwrap();
        assert!(here.link_by_name("b").is_err());
        assert!(there.link_by_name("b").is_ok());
    });
}

#[test]
fn addresses_are_added_listed_and_deleted() {
    isolated(|| {
        let mut socket = RouteSocket::new().unwrap();
        socket.create_veth("a", "b", None).unwrap();
        let index = socket.link_by_name("a").unwrap().index;
        // Without a carrier duplicate detection never ends.
        socket.set_up(index, true).unwrap();
        let skip = DuplicateDetection::Skip;
        socket
            .add_address(index, ip("192.0.2.1"), 24, skip)
            .unwrap();
        socket
            .add_address(index, ip("2001:db8::1"), 64, skip)
            .unwrap();
        socket
            .add_address(index, ip("2001:db8::2"), 64, DuplicateDetection::Default)
            .unwrap();

        let find = |socket: &mut RouteSocket, address| {
            let all = socket.addresses().unwrap();
            all.into_iter().find(|found| found.address == address)
        };
        let v4 = find(&mut socket, ip("192.0.2.1")).unwrap();
        assert_eq!(
            (v4.index, v4.plen, v4.scope, v4.peer),
            (index, 24, Scope::Universe, None)
        );
        assert!(v4.flags.permanent && !v4.flags.temporary);
        let v6 = find(&mut socket, ip("2001:db8::1")).unwrap();
        assert!(!v6.flags.tentative && v6.flags.permanent);
        assert!(
            find(&mut socket, ip("2001:db8::2"))
                .unwrap()
                .flags
                .tentative
        );
        socket.add_address(index, ip("fe80::5"), 64, skip).unwrap();
        assert_eq!(find(&mut socket, ip("fe80::5")).unwrap().scope, Scope::Link);

        socket.delete_address(index, ip("192.0.2.1"), 24).unwrap();
        assert_eq!(find(&mut socket, ip("192.0.2.1")), None);
        let again = socket
            .delete_address(index, ip("192.0.2.1"), 24)
            .unwrap_err();
        assert_eq!(again.errno(), Some(Errno::EADDRNOTAVAIL));
    });
}

#[test]
fn refusals_name_the_object_and_carry_the_kernels_words() {
    isolated(|| {
        let mut socket = RouteSocket::new().unwrap();
        socket.create_veth("a", "b", None).unwrap();
        let taken = socket.create_veth("a", "c", None).unwrap_err();
        assert_eq!(taken.errno(), Some(Errno::EEXIST));
        assert!(
            taken
                .to_string()
                .starts_with("creating veth \"a\" with peer \"c\": ")
        );

        let index = socket.link_by_name("a").unwrap().index;
        let Error::Refused { refusal, .. } = socket.set_mtu(index, 10).unwrap_err() else {
            panic!("an MTU of 10 was not refused by the kernel");
        };
        assert_eq!(
            refusal.message.as_deref(),
            Some("mtu less than device minimum")
        );
        assert!(matches!(
            socket.link_by_name("b/c"),
            Err(Error::InterfaceName(_))
        ));
        assert!(matches!(
            socket.create_bridge("sixteen-octets-x"),
            Err(Error::InterfaceName(_))
        ));
        assert!(socket.links().is_ok(), "a refusal leaves the socket usable");
    });
}
