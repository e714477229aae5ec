//! Interface options, how lines merge, and what a link's settings come to.

use crate::{good, refuses, settings};
use babeld::config::{InterfaceOptions, LinkType, Medium, Settings, Statement};
use std::time::Duration;

#[test]
fn interface_options_are_read() {
    let s = settings(
        "interface \"e 0\" type wired rxcost 0x60 hello-interval 0.5 update-interval 3.9999 \
         link-quality yes split-horizon no v4-via-v6 false price 12 enable-timestamps true \
         rtt-decay 256 rtt-min 0.5 rtt-max 2147483 max-rtt-penalty 65535 unicast true \
         unicast-neighbour fe80::2 unicast-neighbour fe80::1 unicast-neighbour fe80::2 \
         rfc6126-compatible true probe-mtu true accept-bad-signatures true",
    );
    let [interface] = s.interfaces.as_slice() else {
        panic!("one interface: {:?}", s.interfaces)
    };
    assert_eq!(interface.name, "e 0");
    assert_eq!(
        interface.options,
        InterfaceOptions {
            link_type: Some(LinkType::Wired),
            rxcost: Some(96),
            hello_interval: Some(Duration::from_millis(500)),
            update_interval: Some(Duration::from_millis(3999)),
            link_quality: Some(true),
            split_horizon: Some(false),
            v4_via_v6: Some(false),
            price: Some(12),
            enable_timestamps: Some(true),
            rtt_decay: Some(256),
            rtt_min: Some(Duration::from_micros(500)),
            rtt_max: Some(Duration::from_millis(2_147_483)),
            max_rtt_penalty: Some(65535),
            unicast: Some(true),
            unicast_neighbours: ["fe80::2", "fe80::1"]
                .map(|address| address.parse().expect("an address"))
                .into(),
            rfc6126_compatible: Some(true),
            probe_mtu: Some(true),
            accept_bad_signatures: Some(true),
            keys: Vec::new(),
        }
    );
    assert!(s.warnings.is_empty(), "{:?}", s.warnings);
}

#[test]
fn bad_interface_lines_are_refused() {
    refuses(&[
        (
            "interface",
            10,
            "the interface name for 'interface' is missing",
        ),
        ("interface \"\"", 11, "is empty"),
        (
            "interface eth0 rxcost",
            22,
            "the number for 'rxcost' is missing",
        ),
        ("interface eth0 rxcost 0", 23, "from 1 to 65535"),
        (
            "interface eth0 unicast-neighbour 2001:db8::1",
            34,
            "link-local",
        ),
        (
            "interface eth0 unicast-neighbour 10.0.0.1",
            34,
            "link-local",
        ),
        ("interface eth0 rxcost 65536", 23, "from 1 to 65535"),
        (
            "interface eth0 rxcost ten",
            23,
            "'ten' is not a whole number",
        ),
        ("interface eth0 hello-interval", 30, "is missing"),
        (
            "interface eth0 hello-interval 0",
            31,
            "from 0.001 to 655.350",
        ),
        ("interface eth0 hello-interval 0.0009", 31, "out of range"),
        ("interface eth0 hello-interval 655.351", 31, "out of range"),
        ("interface eth0 hello-interval 9999999", 31, "out of range"),
        (
            "interface eth0 hello-interval -4",
            31,
            "'-4' is not a decimal",
        ),
        (
            "interface eth0 hello-interval 4s",
            31,
            "'4s' is not a decimal",
        ),
        ("interface eth0 update-interval 1e2", 32, "not a decimal"),
        (
            "interface eth0 type ethernet",
            21,
            "wired, wireless, tunnel",
        ),
        ("interface eth0 link-quality 1", 29, "not a truth value"),
        ("interface eth0 rtt-decay 257", 26, "from 1 to 256"),
        ("interface eth0 rtt-min 0", 24, "out of range"),
        ("interface eth0 max-rtt-penalty 0", 32, "from 1 to 65535"),
        (
            "interface eth0 price 4294967295",
            22,
            "from 0 to 4294967294",
        ),
        (
            "interface eth0 \"type\" wired",
            16,
            "quotes are not allowed",
        ),
        (
            "interface eth0 eth1",
            16,
            "'eth1' is not an interface option",
        ),
        (
            "default eth0 rxcost 5",
            9,
            "'eth0' is not an interface option",
        ),
        ("rxcost 96", 1, "'rxcost' is an option of interfaces"),
    ]);
}

#[test]
fn lines_about_one_interface_merge_and_auto_takes_nothing_back() {
    let s = settings(
        "interface a type wired rxcost 5\ninterface b\ninterface a rxcost 7 link-quality true\n\
         interface a type auto link-quality auto",
    );
    let names: Vec<_> = s.interfaces.iter().map(|i| i.name.as_str()).collect();
    assert_eq!(names, ["a", "b"]);
    let a = s.interface_options("a");
    assert_eq!(a.link_type, Some(LinkType::Wired));
    assert_eq!(a.rxcost, Some(7));
    assert_eq!(a.link_quality, Some(true));
}

#[test]
fn on_one_line_the_last_word_wins_even_auto() {
    let Statement::Interface(a) = good("interface a type wired rxcost 5 type auto rxcost 6") else {
        panic!("an interface")
    };
    assert_eq!(a.options.link_type, None);
    assert_eq!(a.options.rxcost, Some(6));
}

#[test]
fn default_applies_to_all_interfaces_wherever_it_stands() {
    let s = settings(
        "default rxcost 10 type wired\ninterface a rxcost 5\ndefault rxcost 20 price 3\n\
         interface b split-horizon false",
    );
    assert_eq!(s.interface_options("a").rxcost, Some(5));
    assert_eq!(s.interface_options("a").price, Some(3));
    assert_eq!(s.interface_options("b").rxcost, Some(20));
    assert_eq!(s.interface_options("never-named").rxcost, Some(20));
    assert!(s.link_config("a", Medium::Unknown).split_horizon);
    assert!(!s.link_config("b", Medium::Unknown).split_horizon);
}

/// Cost, link quality and split horizon of a link.
fn derived(settings: &Settings, medium: Medium) -> (u16, bool, bool) {
    let link = settings.link_config("a", medium);
    (link.rxcost.0, link.link_quality, link.split_horizon)
}

#[test]
fn defaults_follow_the_type_as_in_stock() {
    let plain = settings("interface a");
    // Ethernet found by itself is not "wired": no split horizon (stock, against its manual).
    for medium in [Medium::Unknown, Medium::Wired, Medium::Tunnel] {
        assert_eq!(derived(&plain, medium), (96, false, false), "{medium:?}");
    }
    assert_eq!(derived(&plain, Medium::Wireless), (256, true, false));
    for (line, expected) in [
        ("interface a type wired", (96, false, true)),
        ("interface a type wireless", (256, true, false)),
        ("interface a type tunnel", (96, false, false)),
        (
            "interface a type wireless rxcost 100 link-quality false",
            (100, false, false),
        ),
        ("interface a split-horizon true", (96, false, true)),
    ] {
        assert_eq!(
            derived(&settings(line), Medium::Unknown),
            expected,
            "{line}"
        );
    }
    let wired = settings("interface a type wired");
    assert_eq!(derived(&wired, Medium::Wireless), (96, false, true));
}

#[test]
fn all_wireless_covers_interfaces_without_a_type_only() {
    let mut s = settings("interface a");
    s.all_wireless = true;
    assert_eq!(derived(&s, Medium::Wired), (256, true, false));
    let mut s = settings("interface a type wired");
    s.all_wireless = true;
    assert_eq!(derived(&s, Medium::Unknown), (96, false, true));
}

#[test]
fn intervals_follow_the_kind_and_each_other() {
    let mut s = settings(
        "interface w type wireless\ninterface h hello-interval 0.001\n\
         interface u hello-interval 600\ninterface x update-interval 7",
    );
    s.wireless_hello_interval = Duration::from_secs(2);
    s.wired_hello_interval = Duration::from_secs(3);
    let intervals = |name| {
        let link = s.link_config(name, Medium::Unknown);
        (
            link.hello_interval.as_millis(),
            link.update_interval.as_millis(),
        )
    };
    assert_eq!(intervals("w"), (2000, 8000));
    assert_eq!(intervals("other"), (3000, 12_000));
    assert_eq!(intervals("h"), (5, 20));
    assert_eq!(intervals("u"), (600_000, 655_350));
    assert_eq!(intervals("x"), (3000, 7000));
}

#[test]
fn the_round_trip_counts_on_tunnels_and_where_a_penalty_is_named() {
    let link = |line: &str| settings(line).link_config("e", Medium::Unknown);
    let plain = link("interface e");
    assert!(!plain.timestamps && plain.rtt.max_penalty.0 == 0);
    let tunnel = link("interface e type tunnel");
    assert!(tunnel.timestamps);
    assert_eq!(tunnel.rtt.max_penalty.0, 96);
    let named = link("interface e max-rtt-penalty 200 rtt-min 20 rtt-max 300 rtt-decay 50");
    assert!(named.timestamps);
    assert_eq!((named.rtt.max_penalty.0, named.rtt.decay), (200, 50));
    assert_eq!(named.rtt.min, Duration::from_millis(20));
    assert_eq!(named.rtt.max, Duration::from_millis(300));
    assert!(!link("interface e type tunnel enable-timestamps false").timestamps);
    assert!(link("interface e enable-timestamps true").timestamps);
}

#[test]
fn static_neighbours_make_a_link_unicast_unless_that_is_denied() {
    let link = |text: &str| settings(text).link_config("a", Medium::Unknown);
    let plain = link("interface a");
    assert!(!plain.unicast && plain.static_neighbours.is_empty());
    let one = link("default unicast-neighbour fe80::1\ninterface a unicast-neighbour fe80::2");
    assert!(one.unicast);
    assert_eq!(one.static_neighbours.len(), 2);
    let denied = link("interface a unicast-neighbour fe80::1 unicast false");
    assert!(!denied.unicast && denied.static_neighbours.len() == 1);
}

#[test]
fn old_peers_get_no_ipv4_over_ipv6_unless_asked_for() {
    let link = |text: &str| settings(text).link_config("a", Medium::Unknown);
    assert!(link("interface a").v4_via_v6);
    assert!(!link("interface a rfc6126-compatible true").v4_via_v6);
    assert!(link("interface a rfc6126-compatible true v4-via-v6 true").v4_via_v6);
}

#[test]
fn options_of_classes_give_way_to_those_of_the_interface_itself() {
    let s = settings(
        "default rxcost 1 update-interval 9\ninterface wg1 rxcost 3\n\
         interface wg* rxcost 2 hello-interval 2\ninterface * hello-interval 5",
    );
    let cost = |name: &str| s.interface_options(name).rxcost;
    assert_eq!(
        (cost("eth0"), cost("wg0"), cost("wg1")),
        (Some(1), Some(2), Some(3))
    );
    let options = s.interface_options("wg0");
    assert_eq!(options.hello_interval, Some(Duration::from_secs(5)));
    assert_eq!(options.update_interval, Some(Duration::from_secs(9)));
}
