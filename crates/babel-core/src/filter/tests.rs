use super::*;
use core::net::Ipv4Addr;

fn key(dst: &str) -> RouteKey {
    RouteKey::new(dst.parse().expect("a prefix"))
}

fn from(dst: &str, src: &str) -> RouteKey {
    let (dst, src) = (
        dst.parse().expect("a prefix"),
        src.parse().expect("a prefix"),
    );
    RouteKey::source_specific(dst, src).expect("one family")
}

/// A route, of which nothing but the prefix is known.
fn bare(key: RouteKey) -> Subject<'static> {
    Subject {
        key,
        router_id: None,
        neighbour: None,
        interface: None,
        kernel: None,
    }
}

fn kernel(origin: KernelOrigin) -> Subject<'static> {
    Subject {
        kernel: Some(origin),
        ..bare(key("10.0.0.0/8"))
    }
}

fn ip(prefix: &str) -> Rule {
    Rule {
        ip: Some(prefix.parse().expect("a prefix")),
        ..Rule::default()
    }
}

fn plen(min: u8, max: u8) -> Option<PlenRange> {
    Some(PlenRange { min, max })
}

#[test]
fn a_rule_without_selectors_matches_every_route_of_both_families() {
    let rule = Rule::default();
    for route in [
        key("0.0.0.0/0"),
        key("::/0"),
        key("10.1.2.3/32"),
        from("2001:db8::/32", "2001:db8::/48"),
    ] {
        assert!(rule.matches(&bare(route)), "{route}");
    }
}

#[test]
fn ip_matches_the_prefix_and_what_lies_within() {
    let rule = ip("10.0.0.0/8");
    for (route, expected) in [
        ("10.0.0.0/8", true),
        ("10.1.0.0/16", true),
        ("10.1.2.3/32", true),
        ("0.0.0.0/0", false),
        ("10.0.0.0/7", false),
        ("11.0.0.0/16", false),
        ("::/0", false),
        ("::ffff:10.0.0.0/104", false),
    ] {
        assert_eq!(rule.matches(&bare(key(route))), expected, "{route}");
    }
    assert!(!ip("::/0").matches(&bare(key("10.0.0.0/8"))));
}

#[test]
fn length_bounds_are_inclusive() {
    let rule = Rule {
        plen: plen(16, 24),
        ..ip("10.0.0.0/8")
    };
    for (route, expected) in [
        ("10.0.0.0/15", false),
        ("10.0.0.0/16", true),
        ("10.0.0.0/24", true),
        ("10.0.0.0/25", false),
    ] {
        assert_eq!(rule.matches(&bare(key(route))), expected, "{route}");
    }
}

#[test]
fn family_restricts_a_rule_that_has_only_lengths() {
    // With no prefix that implies a family, stock babeld takes lengths for IPv6 ones; the parser
    // says so by `family`.
    let rule = Rule {
        plen: plen(0, 24),
        family: Some(Family::V6),
        ..Rule::default()
    };
    assert!(rule.matches(&bare(key("2000::/3"))));
    assert!(!rule.matches(&bare(key("10.0.0.0/8"))));
}

#[test]
fn src_ip_and_src_lengths_look_at_the_source_prefix() {
    let rule = Rule {
        src_ip: Some("2001:db8::/32".parse().expect("a prefix")),
        src_plen: plen(48, 64),
        ..Rule::default()
    };
    assert!(rule.matches(&bare(from("::/0", "2001:db8:1::/48"))));
    assert!(
        !rule.matches(&bare(from("::/0", "2001:db8::/32"))),
        "too short"
    );
    assert!(
        !rule.matches(&bare(from("::/0", "2001:dff:1::/48"))),
        "outside"
    );
    assert!(
        !rule.matches(&bare(key("2001:db8:1::/48"))),
        "no source prefix"
    );
}

#[test]
fn src_eq_0_selects_ordinary_routes() {
    let rule = Rule {
        src_plen: plen(0, 0),
        ..Rule::default()
    };
    assert!(rule.matches(&bare(key("2001:db8::/32"))));
    assert!(!rule.matches(&bare(from("::/0", "2001:db8::/32"))));
}

#[test]
fn neigh_matches_the_announcing_neighbour_only() {
    let address: Ipv6Addr = "fe80::1".parse().expect("an address");
    let rule = Rule {
        neigh: Some(IpAddr::V6(address)),
        ..Rule::default()
    };
    let said_by = |neighbour| Subject {
        neighbour,
        ..bare(key("::/0"))
    };
    assert!(rule.matches(&said_by(Some(address))));
    assert!(!rule.matches(&said_by("fe80::2".parse().ok())));
    assert!(!rule.matches(&said_by(None)));
}

#[test]
fn neigh_with_an_ipv4_address_matches_nothing() {
    let rule = Rule {
        neigh: Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        ..Rule::default()
    };
    assert!(!rule.matches(&bare(key("::/0"))));
    assert!(!rule.matches(&Subject {
        neighbour: Some(Ipv4Addr::LOCALHOST.to_ipv6_mapped()),
        ..bare(key("::/0"))
    }));
}

#[test]
fn id_matches_the_originator_only() {
    let id = RouterId([1; 8]);
    let rule = Rule {
        id: Some(id),
        ..Rule::default()
    };
    let of = |router_id| Subject {
        router_id,
        ..bare(key("::/0"))
    };
    assert!(rule.matches(&of(Some(id))));
    assert!(!rule.matches(&of(Some(RouterId([2; 8])))));
    assert!(!rule.matches(&of(None)));
}

#[test]
fn interface_names_match_whole_and_an_unknown_interface_never() {
    let rule = Rule {
        interface: Some("eth0".to_owned()),
        ..Rule::default()
    };
    let on = |interface| Subject {
        interface,
        ..bare(key("::/0"))
    };
    assert!(rule.matches(&on(Some("eth0"))));
    assert!(!rule.matches(&on(Some("eth01"))));
    assert!(!rule.matches(&on(None)));
}

#[test]
fn local_matches_local_addresses_only() {
    let rule = Rule {
        local: true,
        ..Rule::default()
    };
    assert!(rule.matches(&kernel(KernelOrigin::Local)));
    assert!(!rule.matches(&kernel(KernelOrigin::Protocol(4))));
    assert!(
        !rule.matches(&bare(key("10.0.0.0/8"))),
        "not a kernel route"
    );
}

#[test]
fn proto_matches_that_protocol_only_boot_included() {
    for proto in [0, 3, 4, 42, 255] {
        let rule = Rule {
            proto: Some(proto),
            ..Rule::default()
        };
        assert!(rule.matches(&kernel(KernelOrigin::Protocol(proto))));
        assert!(!rule.matches(&kernel(KernelOrigin::Protocol(proto ^ 1))));
        assert!(!rule.matches(&kernel(KernelOrigin::Local)));
        assert!(
            !rule.matches(&bare(key("10.0.0.0/8"))),
            "not a kernel route"
        );
    }
}

#[test]
fn without_proto_or_local_neither_local_addresses_nor_boot_routes_match() {
    let rule = ip("10.0.0.0/8");
    assert!(!rule.matches(&kernel(KernelOrigin::Local)));
    assert!(!rule.matches(&kernel(KernelOrigin::Protocol(3))), "boot");
    for proto in [2, 4, 9, 186] {
        assert!(
            rule.matches(&kernel(KernelOrigin::Protocol(proto))),
            "{proto}"
        );
    }
}

#[test]
fn local_and_proto_together_contradict_each_other() {
    let rule = Rule {
        local: true,
        proto: Some(4),
        ..Rule::default()
    };
    assert!(!rule.matches(&kernel(KernelOrigin::Local)));
    assert!(!rule.matches(&kernel(KernelOrigin::Protocol(4))));
}

#[test]
fn all_selectors_of_a_rule_must_match() {
    let rule = Rule {
        plen: plen(24, 32),
        interface: Some("eth0".to_owned()),
        proto: Some(4),
        ..ip("10.0.0.0/8")
    };
    let good = Subject {
        key: key("10.0.0.0/24"),
        interface: Some("eth0"),
        kernel: Some(KernelOrigin::Protocol(4)),
        ..bare(key("::/0"))
    };
    assert!(rule.matches(&good));
    for bad in [
        Subject {
            key: key("10.0.0.0/23"),
            ..good
        },
        Subject {
            interface: Some("eth1"),
            ..good
        },
        Subject {
            kernel: Some(KernelOrigin::Protocol(9)),
            ..good
        },
    ] {
        assert!(!rule.matches(&bad));
    }
}

#[test]
fn the_first_match_decides_and_later_rules_are_not_asked() {
    let metric = |prefix, metric| Rule {
        action: Action {
            metric,
            ..Action::default()
        },
        ..ip(prefix)
    };
    let rules = [
        metric("10.1.0.0/16", 1),
        metric("10.0.0.0/8", 2),
        metric("10.1.0.0/16", 3),
    ];
    let chosen = |route| first_match(&rules, &bare(key(route))).map(|action| action.metric);
    assert_eq!(chosen("10.1.0.0/16"), Some(1));
    assert_eq!(chosen("10.2.0.0/16"), Some(2));
    assert_eq!(chosen("11.0.0.0/8"), None);
    assert_eq!(first_match(&[], &bare(key("::/0"))), None);
}
