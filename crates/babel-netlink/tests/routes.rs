//! Routes against the real kernel.

#![expect(clippy::unwrap_used, reason = "helpers of tests may fail as tests do")]

mod namespace;

use babel_netlink::{
    Batch, DumpEnd, DumpItem, DuplicateDetection, Errno, Family, MAIN_TABLE, Route, RouteFilter,
    RouteKind, RouteSocket,
};
use namespace::isolated;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What Babel uses; any number would do.
const PROTOCOL: u8 = 42;

fn ip(text: &str) -> IpAddr {
    text.parse().expect("a test address")
}

/// A socket, and a link with carrier and addresses of both families.
fn set_up() -> (RouteSocket, u32) {
    let mut socket = RouteSocket::new().unwrap();
    socket.create_veth("a", "b", None).unwrap();
    let index = socket.link_by_name("a").unwrap().index;
    let peer = socket.link_by_name("b").unwrap().index;
    socket.set_up(index, true).unwrap();
    socket.set_up(peer, true).unwrap();
    let skip = DuplicateDetection::Skip;
    socket
        .add_address(index, ip("192.0.2.1"), 24, skip)
        .unwrap();
    socket
        .add_address(index, ip("2001:db8::1"), 64, skip)
        .unwrap();
    (socket, index)
}

fn ours(socket: &mut RouteSocket, family: Family) -> Vec<Route> {
    let filter = RouteFilter::new(family).protocol(PROTOCOL);
    let (mut routes, end) = socket.routes(&filter).unwrap();
    assert_eq!(end, DumpEnd::Consistent);
    assert_eq!(socket.malformed(), 0);
    routes.sort();
    routes
}

fn numbered_v6(number: u16, gateway: &str, oif: u32) -> Route {
    let destination = Ipv6Addr::new(0x2001, 0xdb8, 1, number, 0, 0, 0, 0);
    let route = Route::new((destination.into(), 64), MAIN_TABLE, PROTOCOL);
    Route {
        onlink: true,
        ..route.via(ip(gateway), oif)
    }
}

fn numbered_v4(number: u16, gateway: &str, oif: u32) -> Route {
    let [high, low] = number.to_be_bytes();
    let destination = Ipv4Addr::new(10, high, low, 0);
    let route = Route::new((destination.into(), 24), MAIN_TABLE, PROTOCOL);
    Route {
        onlink: true,
        ..route.via(ip(gateway), oif)
    }
}

#[test]
fn every_shape_of_route_reads_back_as_written() {
    isolated(|| {
        let (mut socket, oif) = set_up();
        let onlink = |route: Route| Route {
            onlink: true,
            ..route
        };
        let new = |prefix: &str, plen| Route::new((ip(prefix), plen), MAIN_TABLE, PROTOCOL);
        let unreachable = |route: Route| Route {
            kind: RouteKind::Unreachable,
            priority: Some(u32::MAX),
            ..route
        };
        let shapes = [
            onlink(new("10.1.0.0", 16).via(ip("192.0.2.9"), oif)),
            onlink(new("10.2.0.0", 16).via(ip("203.0.113.7"), oif)),
            onlink(new("10.3.0.0", 16).via(ip("fe80::9"), oif)),
            onlink(new("0.0.0.0", 0).via(ip("fe80::9"), oif)),
            onlink(new("10.4.4.4", 32).via(ip("10.4.4.4"), oif)),
            Route {
                priority: Some(77),
                ..onlink(new("10.5.0.0", 16).via(ip("192.0.2.9"), oif))
            },
            Route {
                pref_src: Some(ip("192.0.2.1")),
                ..onlink(new("10.6.0.0", 16).via(ip("192.0.2.9"), oif))
            },
            Route {
                table: 7000,
                ..onlink(new("10.7.0.0", 16).via(ip("192.0.2.9"), oif))
            },
            unreachable(new("10.8.0.0", 16)),
            Route {
                kind: RouteKind::Blackhole,
                ..new("10.9.0.0", 16)
            },
            Route {
                kind: RouteKind::Prohibit,
                ..new("10.10.0.0", 16)
            },
            onlink(new("2001:db8:1::", 48).via(ip("fe80::9"), oif)),
            onlink(new("::", 0).via(ip("fe80::9"), oif)),
            Route {
                source: Some((ip("2001:db8:5::"), 48)),
                ..onlink(new("2001:db8:2::", 48).via(ip("fe80::9"), oif))
            },
            Route {
                source: Some((ip("2001:db8:5::"), 48)),
                ..onlink(new("::", 0).via(ip("fe80::9"), oif))
            },
            Route {
                pref_src: Some(ip("2001:db8::1")),
                table: 7000,
                ..onlink(new("2001:db8:3::", 48).via(ip("fe80::9"), oif))
            },
            unreachable(new("2001:db8:4::", 48)),
            Route {
                kind: RouteKind::Blackhole,
                ..new("2001:db8:6::", 48)
            },
        ];
        for shape in &shapes {
            socket.add_route(shape).unwrap();
            let read = ours(&mut socket, shape.family());
            assert_eq!(read.len(), 1, "{shape}");
            assert!(read[0].fulfils(shape), "wrote {shape}, read {}", read[0]);
            socket.delete_route(shape).unwrap();
            assert_eq!(ours(&mut socket, shape.family()), [], "{shape}");
        }
    });
}

#[test]
fn batch_applies_all_but_the_bad_one_in_the_middle() {
    isolated(|| {
        let (mut socket, oif) = set_up();
        for (family, bad) in [(Family::V6, numbered_v6(500, "fe80::9", 9999)), {
            (Family::V4, numbered_v4(500, "192.0.2.9", 9999))
        }] {
            let good = |number| match family {
                Family::V4 => numbered_v4(number, "192.0.2.9", oif),
                Family::V6 => numbered_v6(number, "fe80::9", oif),
            };
            let mut batch = Batch::new();
            for number in 0..1000 {
                let route = if number == 500 {
                    bad.clone()
                } else {
                    good(number)
                };
                batch.add(&route);
            }
            assert_eq!(batch.len(), 1000);
            let results = socket.execute(&mut batch);
            assert!(batch.is_empty());
            assert_eq!(results.len(), 1000);
            for (number, result) in results.iter().enumerate() {
                match (number, result) {
                    (500, Err(refusal)) => assert_eq!(refusal.errno, Errno::ENODEV),
                    (500, Ok(())) => panic!("a link that does not exist was accepted"),
                    (_, result) => assert_eq!(*result, Ok(())),
                }
            }
            let read = ours(&mut socket, family);
            assert_eq!(read.len(), 999);

            for number in (0..1000).rev() {
                batch.delete(&good(number));
            }
            let results = socket.execute(&mut batch);
            let failed: Vec<_> = results
                .iter()
                .enumerate()
                .filter(|(_, r)| r.is_err())
                .collect();
            assert_eq!(failed.len(), 1);
            assert_eq!(failed[0].0, 499);
            assert_eq!(failed[0].1.as_ref().unwrap_err().errno, Errno::ESRCH);
            assert_eq!(ours(&mut socket, family), []);
        }
    });
}

#[test]
fn each_refusal_of_a_batch_that_fails_whole_is_reported() {
    isolated(|| {
        let (mut socket, oif) = set_up();
        let mut batch = Batch::new();
        (0..700).for_each(|number| batch.delete(&numbered_v4(number, "192.0.2.9", oif)));
        let results = socket.execute(&mut batch);
        assert_eq!(results.len(), 700);
        assert!(
            results
                .iter()
                .all(|result| result.as_ref().unwrap_err().errno == Errno::ESRCH)
        );
        assert_eq!(
            socket.execute(&mut batch),
            [],
            "an empty batch has no results"
        );
        assert!(socket.links().is_ok());
    });
}

#[test]
fn add_does_not_take_over_what_is_there_but_replace_does() {
    isolated(|| {
        let (mut socket, oif) = set_up();
        for (first, second) in [
            (
                numbered_v4(1, "192.0.2.8", oif),
                numbered_v4(1, "192.0.2.9", oif),
            ),
            (
                numbered_v6(1, "fe80::8", oif),
                numbered_v6(1, "fe80::9", oif),
            ),
        ] {
            let foreign = Route {
                protocol: 4,
                ..first.clone()
            };
            socket.add_route(&foreign).unwrap();
            let refused = socket.add_route(&second).unwrap_err();
            assert_eq!(refused.errno(), Some(Errno::EEXIST));
            assert!(
                refused
                    .to_string()
                    .starts_with(&format!("adding route {second}: "))
            );
            assert_eq!(ours(&mut socket, first.family()), []);

            socket.replace_route(&second).unwrap();
            let read = ours(&mut socket, first.family());
            assert!(read.len() == 1 && read[0].fulfils(&second), "{read:?}");
            let filter = RouteFilter::new(first.family()).protocol(4);
            assert_eq!(
                socket.routes(&filter).unwrap().0,
                [],
                "the kernel ignores the protocol"
            );
        }
    });
}

#[test]
fn replacing_one_of_two_metrics_leaves_the_other() {
    isolated(|| {
        let (mut socket, oif) = set_up();
        let low = Route {
            priority: Some(10),
            ..numbered_v6(1, "fe80::8", oif)
        };
        let high = Route {
            priority: Some(20),
            ..numbered_v6(1, "fe80::9", oif)
        };
        let moved = Route {
            priority: Some(20),
            ..numbered_v6(1, "fe80::a", oif)
        };
        let mut batch = Batch::new();
        batch.add(&low);
        batch.add(&high);
        batch.replace(&moved);
        assert!(socket.execute(&mut batch).iter().all(Result::is_ok));
        let read = ours(&mut socket, Family::V6);
        assert_eq!(read.len(), 2);
        assert!(read.iter().any(|route| route.fulfils(&low)));
        assert!(read.iter().any(|route| route.fulfils(&moved)));
    });
}

#[test]
fn several_next_hops_are_recognised() {
    isolated(|| {
        let (mut socket, oif) = set_up();
        let first = Route {
            onlink: false,
            ..numbered_v6(1, "fe80::8", oif)
        };
        let second = Route {
            onlink: false,
            ..numbered_v6(1, "fe80::9", oif)
        };
        let mut batch = Batch::new();
        batch.add(&first);
        batch.append(&second);
        assert!(socket.execute(&mut batch).iter().all(Result::is_ok));
        let read = ours(&mut socket, Family::V6);
        assert!(read.iter().any(|route| route.multipath), "{read:?}");
        assert!(
            !read.iter().any(|route| route.fulfils(&first)),
            "two hops are not one"
        );
    });
}

#[test]
fn dump_filters_by_table_and_protocol() {
    isolated(|| {
        let (mut socket, oif) = set_up();
        let route = numbered_v4(1, "192.0.2.9", oif);
        for (table, protocol) in [(254, 42), (254, 4), (100, 42), (70_000, 42), (70_000, 4)] {
            socket
                .add_route(&Route {
                    table,
                    protocol,
                    priority: Some(protocol.into()),
                    ..route.clone()
                })
                .unwrap();
        }
        let mut count = |filter: RouteFilter| {
            let mut seen = 0;
            let end = socket.dump_routes(&filter, |item| match item {
                DumpItem::Route(route) => {
                    assert!(filter.matches(&route));
                    seen += 1;
                }
                DumpItem::Restart => seen = 0,
            });
            assert_eq!(end.unwrap(), DumpEnd::Consistent);
            seen
        };
        let all = RouteFilter::new(Family::V4);
        assert_eq!(count(all.protocol(42)), 3);
        assert_eq!(count(all.table(70_000)), 2);
        assert_eq!(count(all.table(70_000).protocol(4)), 1);
        assert_eq!(count(all.table(100).protocol(4)), 0);
        assert_eq!(
            count(all.table(12_345)),
            0,
            "a table that does not exist is empty"
        );
        assert_eq!(count(RouteFilter::new(Family::V6).table(12_345)), 0);
        assert!(
            count(all) >= 5 + 3,
            "with those the kernel made for the address"
        );
    });
}

#[test]
fn a_large_table_is_read_whole() {
    isolated(|| {
        let (mut socket, oif) = set_up();
        let mut batch = Batch::new();
        (0..5000).for_each(|number| batch.add(&numbered_v6(number, "fe80::9", oif)));
        assert!(socket.execute(&mut batch).iter().all(Result::is_ok));
        let read = ours(&mut socket, Family::V6);
        assert_eq!(read.len(), 5000);
        for (number, route) in (0..).zip(&read) {
            assert!(route.fulfils(&numbered_v6(number, "fe80::9", oif)));
        }
    });
}
