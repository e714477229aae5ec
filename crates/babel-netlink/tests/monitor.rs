//! Notifications from the real kernel.

#![expect(clippy::unwrap_used, reason = "helpers of tests may fail as tests do")]

mod namespace;

use babel_netlink::{
    Batch, DuplicateDetection, Groups, MAIN_TABLE, Monitor, Notification, ReadOutcome, Route,
    RouteSocket,
};
use namespace::isolated;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::net::{IpAddr, Ipv6Addr};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

const ALL: Groups = Groups {
    links: true,
    addresses: true,
    ipv4_routes: true,
    ipv6_routes: true,
};

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// A link with carrier. The kernel's own reactions to that come some time later.
fn link_up(socket: &mut RouteSocket) -> u32 {
    // Without any IPv4 address at all the kernel takes every IPv4 gateway for invalid.
    let lo = socket.link_by_name("lo").unwrap().index;
    socket.set_up(lo, true).unwrap();
    socket.create_veth("a", "b", None).unwrap();
    for name in ["a", "b"] {
        let index = socket.link_by_name(name).unwrap().index;
        socket.set_up(index, true).unwrap();
    }
    socket.link_by_name("a").unwrap().index
}

fn numbered(number: u16, oif: u32) -> Route {
    let destination = Ipv6Addr::new(0x2001, 0xdb8, 1, number, 0, 0, 0, 0);
    let route = Route::new((destination.into(), 64), MAIN_TABLE, 42).via(ip("fe80::9"), oif);
    Route {
        onlink: true,
        ..route
    }
}

/// Reads until something fits, within two seconds.
fn wait_for(monitor: &mut Monitor, what: &str, fits: impl Fn(&Notification) -> bool) {
    let deadline = Instant::now() + Duration::from_secs(2);
    let mut seen = Vec::new();
    while Instant::now() < deadline {
        let mut found = false;
        let outcome = monitor.read(|notification| {
            found |= fits(&notification);
            seen.push(notification);
        });
        assert_eq!(outcome.unwrap(), ReadOutcome::Drained);
        if found {
            assert_eq!(monitor.malformed(), 0);
            return;
        }
        let readable = PollFd::new(monitor.as_fd(), PollFlags::POLLIN);
        poll(&mut [readable], PollTimeout::from(100_u8)).unwrap();
    }
    panic!("not seen: {what}; seen: {seen:#?}");
}

fn numbered_v4(number: u8, oif: u32) -> Route {
    let destination = IpAddr::from([10, 0, number, 0]);
    let route = Route::new((destination, 24), MAIN_TABLE, 42).via(ip("192.0.2.1"), oif);
    Route {
        onlink: true,
        ..route
    }
}

/// What is there now. Changes that a request makes are announced before it is answered.
fn pending(monitor: &mut Monitor) -> Vec<Notification> {
    let mut seen = Vec::new();
    assert_eq!(
        monitor.read(|one| seen.push(one)).unwrap(),
        ReadOutcome::Drained
    );
    seen
}

/// What is there now about routes of ours; the kernel makes some, too, and at its own time.
fn pending_routes(monitor: &mut Monitor) -> Vec<Notification> {
    let mut seen = pending(monitor);
    seen.retain(|one| match one {
        Notification::Route { route, .. } | Notification::RouteGone(route) => route.protocol == 42,
        _ => false,
    });
    seen
}

#[test]
fn links_appear_flap_and_vanish() {
    isolated(|| {
        let mut socket = RouteSocket::new().unwrap();
        let mut monitor = Monitor::new(ALL).unwrap();
        let index = link_up(&mut socket);
        let is_a = move |notification: &Notification, running: bool| {
            matches!(notification, Notification::Link(link)
                if link.index == index && link.name == "a" && link.flags.running == running)
        };
        wait_for(&mut monitor, "a runs", |one| is_a(one, true));
        let peer = socket.link_by_name("b").unwrap().index;
        socket.set_up(peer, false).unwrap();
        wait_for(&mut monitor, "a stops when its peer goes down", |one| {
            is_a(one, false)
        });
        socket.delete_link(index).unwrap();
        wait_for(
            &mut monitor,
            "a is gone",
            |one| matches!(one, Notification::LinkGone(link) if link.name == "a"),
        );
    });
}

#[test]
fn a_port_that_leaves_its_bridge_is_not_a_link_that_vanished() {
    isolated(|| {
        let mut socket = RouteSocket::new().unwrap();
        let index = link_up(&mut socket);
        socket.create_bridge("br").unwrap();
        let bridge = socket.link_by_name("br").unwrap().index;
        socket.set_master(index, Some(bridge)).unwrap();
        let mut monitor = Monitor::new(ALL).unwrap();
        socket.set_master(index, None).unwrap();
        let seen = pending(&mut monitor);
        assert!(!seen.is_empty());
        assert!(
            !seen
                .iter()
                .any(|one| matches!(one, Notification::LinkGone(_))),
            "{seen:?}"
        );
    });
}

#[test]
fn addresses_come_and_go() {
    isolated(|| {
        let mut socket = RouteSocket::new().unwrap();
        let index = link_up(&mut socket);
        let mut monitor = Monitor::new(ALL).unwrap();
        for (address, plen) in [(ip("192.0.2.1"), 24), (ip("2001:db8::1"), 64)] {
            socket
                .add_address(index, address, plen, DuplicateDetection::Skip)
                .unwrap();
            wait_for(
                &mut monitor,
                "added",
                |one| matches!(one, Notification::Address(found) if found.address == address),
            );
            socket.delete_address(index, address, plen).unwrap();
            wait_for(
                &mut monitor,
                "deleted",
                |one| matches!(one, Notification::AddressGone(found) if found.address == address),
            );
        }
    });
}

#[test]
fn replacement_is_one_step_without_a_hole() {
    isolated(|| {
        let mut socket = RouteSocket::new().unwrap();
        let oif = link_up(&mut socket);
        let v4 = Route::new((ip("10.0.0.0"), 8), MAIN_TABLE, 42).via(ip("192.0.2.1"), oif);
        for route in [numbered(1, oif), Route { onlink: true, ..v4 }] {
            let last = if route.gateway == Some(ip("fe80::9")) {
                "fe80::a"
            } else {
                "192.0.2.2"
            };
            let moved = route.clone().via(ip(last), oif);
            let mut monitor = Monitor::new(ALL).unwrap();
            socket.add_route(&route).unwrap();
            socket.replace_route(&moved).unwrap();
            socket.delete_route(&moved).unwrap();
            let seen = pending_routes(&mut monitor);
            assert!(
                matches!(&seen[..], [
                Notification::Route { route: first, replaced: false },
                Notification::Route { route: second, replaced: true },
                Notification::RouteGone(third),
            ] if first.fulfils(&route) && second.fulfils(&moved) && third.fulfils(&moved)),
                "{seen:#?}"
            );
        }
    });
}

#[test]
fn own_writes_are_not_heard_and_others_are() {
    isolated(|| {
        let mut ours = RouteSocket::new().unwrap();
        let mut other = RouteSocket::new().unwrap();
        let oif = link_up(&mut ours);
        let groups = Groups {
            ipv4_routes: true,
            ..Groups::default()
        };
        let mut monitor = Monitor::new(groups).unwrap();
        monitor.ignore_port(ours.port_id());
        let mut batch = Batch::new();
        (0..10).for_each(|number| batch.add(&numbered_v4(number, oif)));
        assert!(ours.execute(&mut batch).iter().all(Result::is_ok));
        let readable = PollFd::new(monitor.as_fd(), PollFlags::POLLIN);
        assert_eq!(
            poll(&mut [readable], PollTimeout::ZERO).unwrap(),
            0,
            "not even woken"
        );

        other.delete_route(&numbered_v4(3, oif)).unwrap();
        let seen = pending(&mut monitor);
        let [Notification::RouteGone(gone)] = &seen[..] else {
            panic!("{seen:#?}")
        };
        assert!(gone.fulfils(&numbered_v4(3, oif)));
    });
}

#[test]
fn groups_are_left_and_joined_while_running() {
    isolated(|| {
        let mut socket = RouteSocket::new().unwrap();
        let oif = link_up(&mut socket);
        let mut monitor = Monitor::new(Groups {
            links: true,
            ..Groups::default()
        })
        .unwrap();
        socket.add_route(&numbered(1, oif)).unwrap();
        assert_eq!(pending_routes(&mut monitor), []);
        monitor
            .set_groups(Groups {
                ipv6_routes: true,
                ..Groups::default()
            })
            .unwrap();
        socket.add_route(&numbered(2, oif)).unwrap();
        assert_eq!(pending_routes(&mut monitor).len(), 1);
        monitor.set_groups(Groups::default()).unwrap();
        socket.add_route(&numbered(3, oif)).unwrap();
        assert_eq!(pending_routes(&mut monitor), []);
    });
}

#[test]
fn overrun_is_told_once_and_leaves_nothing_stale() {
    isolated(|| {
        let mut socket = RouteSocket::new().unwrap();
        let oif = link_up(&mut socket);
        let mut monitor = Monitor::with_receive_buffer(ALL, 1).unwrap();
        let mut batch = Batch::new();
        (0..1000).for_each(|number| batch.add(&numbered(number, oif)));
        assert!(
            socket.execute(&mut batch).iter().all(Result::is_ok),
            "writers do not suffer"
        );
        let mut seen = 0;
        assert_eq!(monitor.read(|_| seen += 1).unwrap(), ReadOutcome::Overrun);
        assert!(seen < 1000);
        assert_eq!(pending_routes(&mut monitor), []);
        socket.delete_route(&numbered(1, oif)).unwrap();
        assert!(matches!(
            &pending_routes(&mut monitor)[..],
            [Notification::RouteGone(_)]
        ));
    });
}

#[test]
fn a_flood_is_read_in_portions() {
    isolated(|| {
        let mut socket = RouteSocket::new().unwrap();
        let oif = link_up(&mut socket);
        let mut monitor = Monitor::new(ALL).unwrap();
        let mut batch = Batch::new();
        (0..1500).for_each(|number| batch.add(&numbered(number, oif)));
        assert!(socket.execute(&mut batch).iter().all(Result::is_ok));
        let mut seen = 0;
        assert_eq!(monitor.read(|_| seen += 1).unwrap(), ReadOutcome::More);
        assert_eq!(monitor.read(|_| seen += 1).unwrap(), ReadOutcome::Drained);
        assert!(seen >= 1500);
    });
}
