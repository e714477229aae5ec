//! What speed tests need of the kernel: where marked packets go, and what links have carried.

mod namespace;

use babel_netlink::{
    DuplicateDetection, Errno, Family, FirewallMark, Route, RouteKind, RouteSocket, Rule, Shaping,
};
use namespace::isolated;
use std::net::{IpAddr, UdpSocket};
use std::time::{Duration, Instant};

fn ip(text: &str) -> IpAddr {
    text.parse().expect("a test address")
}

/// A socket, and a link with carrier and addresses of both families.
fn set_up() -> (RouteSocket, u32) {
    let mut socket = RouteSocket::new().expect("a socket");
    socket.create_veth("a", "b", None).expect("a link");
    let index = socket.link_by_name("a").expect("one end").index;
    let peer = socket.link_by_name("b").expect("the other").index;
    for (end, address) in [(index, "192.0.2.1"), (index, "2001:db8::1"), (peer, "")] {
        socket.set_up(end, true).expect("up");
        if !address.is_empty() {
            let plen = if address.contains(':') { 64 } else { 24 };
            let skip = DuplicateDetection::Skip;
            socket
                .add_address(end, ip(address), plen, skip)
                .expect("an address");
        }
    }
    (socket, index)
}

#[test]
fn a_marked_packet_takes_its_own_table_or_no_way_at_all() {
    isolated(|| {
        let (mut socket, oif) = set_up();
        let mark = FirewallMark {
            value: 0xb000_0000,
            mask: 0xf000_0000,
        };
        for (family, any, next) in [
            (Family::V4, "0.0.0.0", "192.0.2.9"),
            (Family::V4, "0.0.0.0", "fe80::9"),
            (Family::V6, "::", "fe80::9"),
        ] {
            let far = ip(if family == Family::V4 {
                "198.51.100.7"
            } else {
                "2001:db8:ffff::7"
            });
            let rule = Rule {
                priority: Some(1000),
                mark: Some(mark),
                protocol: 42,
                ..Rule::new(family, 47600)
            };
            socket.add_rule(&rule).expect("a rule");
            let none = socket.route_for(far, mark.value).expect_err("no route");
            assert_eq!(none.errno(), Some(Errno::ENETUNREACH), "{none}");
            let mut refuse = Route::new((ip(any), 0), 47600, 42);
            refuse.kind = RouteKind::Unreachable;
            refuse.priority = Some(u32::MAX);
            socket.add_route(&refuse).expect("a last resort");
            let none = socket.route_for(far, mark.value).expect_err("refused");
            assert_eq!(none.errno(), Some(Errno::EHOSTUNREACH), "{none}");
            let mut route = Route::new((ip(any), 0), 47600, 42).via(ip(next), oif);
            route.onlink = true;
            socket.add_route(&route).expect("a route");
            let way = socket.route_for(far, mark.value).expect("a way");
            assert_eq!((way.oif, way.gateway), (Some(oif), Some(ip(next))), "{way}");
            let plain = socket.route_for(far, 0).expect_err("not marked");
            assert_eq!(plain.errno(), Some(Errno::ENETUNREACH), "{plain}");
            socket.delete_rule(&rule).expect("the rule");
            socket.delete_route(&route).expect("the route");
            socket.delete_route(&refuse).expect("the refusal");
        }
    });
}

#[test]
fn links_count_what_they_carry() {
    isolated(|| {
        let (mut socket, index) = set_up();
        let before = socket.link_counters(index).expect("counters");
        let udp = UdpSocket::bind("192.0.2.1:0").expect("a socket");
        udp.set_broadcast(true).expect("broadcast");
        for _ in 0..10 {
            udp.send_to(&[0; 1000], "192.0.2.255:9").expect("sent");
        }
        let deadline = Instant::now() + Duration::from_secs(2);
        loop {
            let after = socket.link_counters(index).expect("counters");
            if after.sent_packets >= before.sent_packets + 10 {
                assert!(after.sent_octets >= before.sent_octets + 10_000);
                break;
            }
            assert!(Instant::now() < deadline, "{before:?} {after:?}");
            std::thread::yield_now();
        }
        let drops = socket.queue_drops().expect("queues");
        assert_eq!(drops.get(&index).copied().unwrap_or(0), 0);
        let peer = socket.link_by_name("b").expect("the other end").index;
        let other = socket.link_counters(peer).expect("counters");
        assert!(other.received_octets >= 10_000, "{other:?}");
        let none = socket.link_counters(9999).expect_err("no such link");
        assert_eq!(none.errno(), Some(Errno::ENODEV));
    });
}

#[test]
fn what_a_full_queue_drops_is_counted() {
    isolated(|| {
        let (mut socket, index) = set_up();
        let slow = Shaping {
            octets_per_second: 10_000,
            burst_octets: 5_000,
            queue_octets: 10_000,
        };
        socket.shape(index, slow).expect("a token bucket");
        let before = socket.queue_drops().expect("queues");
        assert_eq!(before.get(&index), Some(&0));
        let udp = UdpSocket::bind("192.0.2.1:0").expect("a socket");
        udp.set_broadcast(true).expect("broadcast");
        for _ in 0..100 {
            // Refused, when the queue is full, is as good.
            let _ = udp.send_to(&[0; 1000], "192.0.2.255:9");
        }
        let after = socket.queue_drops().expect("queues");
        let dropped = after.get(&index).copied().unwrap_or(0);
        assert!((50..=100).contains(&dropped), "{dropped}");
    });
}

#[test]
fn a_bound_address_knows_its_owner_and_is_nobodys_source() {
    isolated(|| {
        let (mut socket, _) = set_up();
        let lo = socket.link_by_name("lo").expect("lo").index;
        socket.set_up(lo, true).expect("up");
        // Nothing but this address is a better source by RFC 6724 rule 8, or first on `lo`.
        for (address, plen, near, source) in [
            ("2001:db8::2", 128, "[2001:db8::3]:9", "2001:db8::1"),
            ("192.0.2.2", 32, "198.51.100.1:9", "192.0.2.1"),
        ] {
            socket
                .add_bound_address(lo, ip(address), plen, 42)
                .expect("an address");
            let all = socket.addresses().expect("addresses");
            let ours: Vec<_> = all.iter().filter(|found| found.protocol == 42).collect();
            assert_eq!(ours.len(), 1, "{all:?}");
            assert_eq!(ours.first().map(|ours| ours.address), Some(ip(address)));
            if ip(address).is_ipv4() {
                let way = Route::new((ip("0.0.0.0"), 0), 254, 4);
                let gateway = ip("fe80::9");
                let oif = socket.link_by_name("a").expect("a link").index;
                let mut way = way.via(gateway, oif);
                way.onlink = true;
                socket.add_route(&way).expect("a route");
            }
            let any = if ip(address).is_ipv4() {
                "0.0.0.0:0"
            } else {
                "[::]:0"
            };
            let udp = UdpSocket::bind(any).expect("a socket");
            udp.connect(near).expect("connected");
            assert_eq!(udp.local_addr().expect("an address").ip(), ip(source));
            UdpSocket::bind((ip(address), 0)).expect("bound");
            socket
                .delete_address(lo, ip(address), plen)
                .expect("deleted");
        }
    });
}
