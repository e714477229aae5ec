//! Our octets beside those of netlink-packet-route, both ways.

use super::{decode, encode};
use crate::abi;
use crate::route::{Family, MAIN_TABLE, Route, RouteKind};
use crate::route_dump::RouteFilter;
use crate::scope::Scope;
use crate::wire::{Encoder, Messages, stamp};
use netlink_packet_core::{Emitable, NLM_F_REQUEST, NetlinkMessage, NetlinkPayload};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteFlags, RouteHeader, RouteMessage, RouteNextHop,
    RouteProtocol, RouteScope, RouteType, RouteVia,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use proptest::prelude::*;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

fn octets(route: &Route) -> Vec<u8> {
    let mut buffer = Vec::new();
    let mut encoder = Encoder::begin(&mut buffer, abi::RTM_NEWROUTE, abi::NLM_F_CREATE);
    encode(&mut encoder, route);
    encoder.finish();
    stamp(&mut buffer, 0, 7, abi::NLM_F_ACK);
    buffer
}

fn route_address(address: IpAddr) -> RouteAddress {
    match address {
        IpAddr::V4(v4) => RouteAddress::Inet(v4),
        IpAddr::V6(v6) => RouteAddress::Inet6(v6),
    }
}

fn via(address: IpAddr) -> RouteVia {
    match address {
        IpAddr::V4(v4) => RouteVia::Inet(v4),
        IpAddr::V6(v6) => RouteVia::Inet6(v6),
    }
}

fn route_scope(scope: Scope) -> RouteScope {
    RouteScope::from(scope.to_kernel())
}

fn family(family: Family) -> AddressFamily {
    match family {
        Family::V4 => AddressFamily::Inet,
        Family::V6 => AddressFamily::Inet6,
    }
}

/// The same route in the other crate's words, attributes in our order.
fn theirs(route: &Route) -> RouteMessage {
    let mut message = RouteMessage::default();
    let source = route.source.filter(|(_, plen)| *plen > 0);
    message.header = RouteHeader {
        address_family: family(route.family()),
        destination_prefix_length: route.destination.1,
        source_prefix_length: source.map_or(0, |(_, plen)| plen),
        tos: route.tos,
        table: u8::try_from(route.table).unwrap_or(252),
        protocol: RouteProtocol::from(route.protocol),
        scope: route_scope(route.scope),
        kind: RouteType::from(route.kind.to_kernel()),
        flags: if route.onlink {
            RouteFlags::Onlink
        } else {
            RouteFlags::empty()
        },
    };
    let mut push = |attribute| message.attributes.push(attribute);
    if route.destination.1 > 0 {
        push(RouteAttribute::Destination(route_address(
            route.destination.0,
        )));
    }
    if let Some((address, _)) = source {
        push(RouteAttribute::Source(route_address(address)));
    }
    if route.table > 255 {
        push(RouteAttribute::Table(route.table));
    }
    if let Some(priority) = route.priority {
        push(RouteAttribute::Priority(priority));
    }
    if let Some(oif) = route.oif {
        push(RouteAttribute::Oif(oif));
    }
    match route.gateway {
        Some(gateway) if Family::of(gateway) == route.family() => {
            push(RouteAttribute::Gateway(route_address(gateway)));
        }
        Some(gateway) => push(RouteAttribute::Via(via(gateway))),
        None => (),
    }
    if let Some(pref_src) = route.pref_src {
        push(RouteAttribute::PrefSource(route_address(pref_src)));
    }
    message
}

fn emit(message: &RouteMessage) -> Vec<u8> {
    let mut buffer = vec![0; message.buffer_len()];
    message.emit(&mut buffer);
    buffer
}

fn any_v4() -> impl Strategy<Value = IpAddr> {
    any::<u32>().prop_map(|bits| Ipv4Addr::from(bits).into())
}

fn any_v6() -> impl Strategy<Value = IpAddr> {
    any::<u128>().prop_map(|bits| Ipv6Addr::from(bits).into())
}

fn any_kind() -> impl Strategy<Value = RouteKind> {
    prop_oneof![
        Just(RouteKind::Unicast),
        Just(RouteKind::Local),
        Just(RouteKind::Other(5)),
        Just(RouteKind::Unreachable),
        Just(RouteKind::Blackhole),
        Just(RouteKind::Prohibit),
    ]
}

prop_compose! {
    fn any_route()(is_ipv6 in any::<bool>())(
        destination in if is_ipv6 { any_v6().boxed() } else { any_v4().boxed() },
        plen in 1..=if is_ipv6 { 128_u8 } else { 32 },
        source in prop::option::of(any_v6()),
        source_plen in 1..=128_u8,
        table in prop_oneof![0..300_u32, any::<u32>()],
        (protocol, scope, tos, kind) in (any::<u8>(), any::<u8>(), any::<u8>(), any_kind()),
        priority in prop::option::of(any::<u32>()),
        oif in prop::option::of(any::<u32>()),
        gateway in prop::option::of(prop_oneof![any_v4(), any_v6()]),
        pref_src in prop::option::of(if is_ipv6 { any_v6().boxed() } else { any_v4().boxed() }),
        onlink in any::<bool>(),
    ) -> Route {
        Route {
            source: source.filter(|_| destination.is_ipv6()).map(|source| (source, source_plen)),
            priority,
            kind,
            scope: Scope::from_kernel(scope),
            tos,
            oif: oif.filter(|_| !kind.refuses()),
            gateway: gateway.filter(|_| !kind.refuses()),
            pref_src,
            onlink,
            ..Route::new((destination, plen), table, protocol)
        }
    }
}

proptest! {
    #[test]
    fn octets_equal_the_other_crates(route in any_route()) {
        let ours = octets(&route);
        let parsed = NetlinkMessage::<RouteNetlinkMessage>::deserialize(&ours).unwrap();
        prop_assert_eq!(parsed.header.length as usize, ours.len());
        prop_assert_eq!(parsed.header.sequence_number, 7);
        prop_assert_eq!(
            parsed.header.flags,
            NLM_F_REQUEST | abi::NLM_F_CREATE | abi::NLM_F_ACK
        );
        let NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewRoute(message)) = parsed.payload
        else {
            panic!("not a new route: {:?}", parsed.payload);
        };
        let expected = theirs(&route);
        prop_assert_eq!(&message, &expected);
        prop_assert_eq!(ours.get(16..).unwrap_or_default(), emit(&expected));
    }

    #[test]
    fn the_other_crates_octets_are_understood(route in any_route()) {
        prop_assert_eq!(decode(&emit(&theirs(&route))), Ok(Some(route)));
    }

    #[test]
    fn random_octets_never_panic(payload in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = decode(&payload);
    }

    #[test]
    fn mutated_routes_never_panic(
        route in any_route(),
        at in any::<prop::sample::Index>(),
        value in any::<u8>(),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut datagram = octets(&route);
        let at = at.index(datagram.len());
        datagram[at] = value;
        datagram.truncate(cut.index(datagram.len()) + 1);
        for message in Messages::new(&datagram).flatten() {
            let _ = decode(message.payload);
        }
    }
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn several_next_hops_show_the_first_and_say_so() {
    let mut first = RouteNextHop::default();
    first.interface_index = 3;
    first.attributes = vec![RouteAttribute::Gateway(route_address(ip("192.0.2.1")))];
    let mut second = first.clone();
    second.interface_index = 4;
    let mut message = theirs(&Route::new((ip("198.51.100.0"), 24), MAIN_TABLE, 3));
    message
        .attributes
        .push(RouteAttribute::MultiPath(vec![first.clone(), second]));

    let route = decode(&emit(&message)).unwrap().unwrap();
    assert_eq!((route.oif, route.gateway), (Some(3), Some(ip("192.0.2.1"))));
    assert!(route.multipath);

    message.attributes.pop();
    message
        .attributes
        .push(RouteAttribute::MultiPath(vec![first]));
    assert!(!decode(&emit(&message)).unwrap().unwrap().multipath);
}

#[test]
fn default_route_has_no_destination_attribute() {
    for default in [ip("0.0.0.0"), ip("::")] {
        let route = Route::new((default, 0), MAIN_TABLE, 42).via(ip("fe80::1"), 2);
        assert!(theirs(&route).attributes.len() == 2);
        assert_eq!(octets(&route).get(16..).unwrap(), emit(&theirs(&route)));
        assert_eq!(decode(&emit(&theirs(&route))), Ok(Some(route)));
    }
}

#[test]
fn cloned_dead_and_lo_of_unreachable_are_read() {
    let mut message = theirs(&Route::new((ip("2001:db8::"), 32), MAIN_TABLE, 42));
    message.header.flags = RouteFlags::Cloned | RouteFlags::Linkdown;
    let route = decode(&emit(&message)).unwrap().unwrap();
    assert!(route.cloned && route.dead);

    message.header.kind = RouteType::Unreachable;
    message.attributes.push(RouteAttribute::Oif(1));
    let route = decode(&emit(&message)).unwrap().unwrap();
    assert_eq!(
        (route.kind, route.oif, route.dead),
        (RouteKind::Unreachable, None, false)
    );
}

#[test]
fn other_families_are_passed_over_and_lies_refused() {
    assert_eq!(decode(&[28, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]), Ok(None));
    assert!(decode(&[2, 33, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]).is_err());
    assert!(decode(&[2, 24, 0, 0, 0, 0, 0, 0, 0, 0, 0]).is_err());
    let mut message = theirs(&Route::new((ip("10.0.0.0"), 8), MAIN_TABLE, 42));
    message
        .attributes
        .push(RouteAttribute::Destination(route_address(ip("::1"))));
    assert!(
        decode(&emit(&message)).is_err(),
        "an IPv6 address in an IPv4 route"
    );
}

#[test]
fn dump_request_names_family_table_and_protocol_and_nothing_else() {
    for table in [MAIN_TABLE, 1000] {
        let mut buffer = Vec::new();
        let mut encoder = Encoder::begin(&mut buffer, abi::RTM_GETROUTE, abi::NLM_F_DUMP);
        RouteFilter::new(Family::V6)
            .table(table)
            .protocol(42)
            .encode(&mut encoder);
        encoder.finish();
        let mut expected = RouteMessage::default();
        expected.header.address_family = AddressFamily::Inet6;
        expected.header.protocol = RouteProtocol::Babel;
        match u8::try_from(table) {
            Ok(table) => expected.header.table = table,
            Err(_) => expected.attributes.push(RouteAttribute::Table(table)),
        }
        assert_eq!(buffer.get(16..).unwrap(), emit(&expected));
    }
}

#[test]
fn installed_priority_is_compared_as_the_kernel_counts_it() {
    let wanted = Route::new((ip("2001:db8::"), 32), MAIN_TABLE, 42).via(ip("fe80::1"), 2);
    let mut read = Route {
        priority: Some(1024),
        dead: true,
        ..wanted.clone()
    };
    assert!(read.fulfils(&wanted));
    read.gateway = Some(ip("fe80::2"));
    assert!(!read.fulfils(&wanted));
    let wanted = Route::new((ip("10.0.0.0"), 8), MAIN_TABLE, 42).via(ip("192.0.2.1"), 2);
    assert!(wanted.fulfils(&Route {
        priority: Some(0),
        ..wanted.clone()
    }));
}
