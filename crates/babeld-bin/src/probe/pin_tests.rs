//! Pins against a kernel made of vectors; `tests/daemon_quality_pins.rs` has the real one.

use super::fake::Fake;
use super::*;
use babel_netlink::{Family, FirewallMark, Route, RouteKind, Rule};
use std::net::Ipv6Addr;

const SETTINGS: PinSettings = PinSettings {
    mark: FirewallMark {
        value: 0xb000_0000,
        mask: 0xf000_0000,
    },
    table: 47600,
    priority: 1000,
};

fn way(n: u16) -> Way {
    Way {
        ifindex: u32::from(n),
        neighbour: Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, n),
        ipv4: Some([192, 0, 2, 9].into()),
    }
}

fn foreign(rule: Rule) -> Fake {
    let mut kernel = Fake::default();
    kernel.rules.push(rule);
    kernel
}

fn conflict(kernel: &mut Fake) -> Conflict {
    let before = format!("{:?}{:?}", kernel.rules, kernel.routes);
    let error = Pins::new(SETTINGS).make(way(1), &[], kernel);
    assert_eq!(format!("{:?}{:?}", kernel.rules, kernel.routes), before);
    match error {
        Err(PinError::Conflict(conflict)) => conflict,
        other => panic!("{other:?}"),
    }
}

#[test]
fn four_pins_have_four_marks_and_tables_and_leave_nothing_behind() {
    let mut kernel = Fake::default();
    let mut pins = Pins::new(SETTINGS);
    let held: Vec<_> = (1..=4)
        .map(|n| pins.make(way(n), &[], &mut kernel).expect("a pin"))
        .collect();
    let marks: Vec<_> = held.iter().map(|pin| pin.mark).collect();
    // One more than the last would be a bit of somebody else's.
    assert_eq!(marks, [0xb000_0000, 0xc000_0000, 0xd000_0000, 0xe000_0000]);
    assert!(matches!(
        pins.make(way(5), &[], &mut kernel),
        Err(PinError::Full)
    ));
    assert_eq!((kernel.rules.len(), kernel.routes.len()), (8, 16));
    for pin in held {
        pins.release(pin, &mut kernel);
    }
    assert_eq!((kernel.rules.len(), kernel.routes.len()), (0, 0));
}

#[test]
fn the_way_is_there_before_the_rule_and_goes_after_it() {
    let mut kernel = Fake::default();
    let mut pins = Pins::new(SETTINGS);
    let pin = pins.make(way(1), &[], &mut kernel).expect("a pin");
    pins.release(pin, &mut kernel);
    for family in ["IPv4", "IPv6"] {
        let rule = |sign| format!("{sign}{family} priority 1000 fwmark 0xb0000000");
        let any = if family == "IPv4" {
            "0.0.0.0/0"
        } else {
            "::/0"
        };
        let at = |start: String| {
            let place = kernel.log.iter().position(|line| line.starts_with(&start));
            place.unwrap_or_else(|| panic!("{start}: {:?}", kernel.log))
        };
        assert!(at(format!("+unreachable {any}")) < at(rule('+')));
        assert!(at(format!("+{any}")) < at(rule('+')));
        assert!(at(rule('-')) < at(format!("-{any}")));
        assert!(at(rule('-')) < at(format!("-unreachable {any}")));
    }
}

#[test]
fn what_a_former_life_left_is_swept_and_what_is_not_ours_stays() {
    let mut kernel = Fake::default();
    let pin = Pins::new(SETTINGS).make(way(1), &[], &mut kernel);
    assert!(pin.is_ok());
    let others = [
        Rule {
            protocol: 42,
            priority: Some(900),
            ..Rule::new(Family::V6, 47601)
        },
        Rule {
            priority: Some(1000),
            ..Rule::new(Family::V4, 100)
        },
    ];
    kernel.rules.extend(others);
    kernel.routes.push(Route::new(([0; 4].into(), 0), 47600, 4));
    let mut next = Pins::new(SETTINGS);
    assert_eq!(next.sweep(&mut kernel).expect("swept"), 6);
    assert_eq!(kernel.rules, others);
    assert_eq!(kernel.routes.len(), 1);
}

#[test]
fn somebody_elses_priority_table_mark_and_route_are_told_and_left_alone() {
    let rule = Rule::new(Family::V4, 100);
    let priority = Rule {
        priority: Some(1000),
        ..rule
    };
    assert!(matches!(
        conflict(&mut foreign(priority)),
        Conflict::Priority(_)
    ));
    let table = Rule {
        priority: Some(5),
        ..Rule::new(Family::V6, 47603)
    };
    assert!(matches!(conflict(&mut foreign(table)), Conflict::Table(_)));
    let mark = |value, mask| Rule {
        priority: Some(5),
        mark: Some(FirewallMark { value, mask }),
        ..rule
    };
    for (value, mask) in [(0xb000_0000, 0xf000_0000), (0x8000_0000, 0x8000_0000)] {
        let said = conflict(&mut foreign(mark(value, mask))).to_string();
        assert!(said.contains("probe-mark"), "{said}");
    }
    let mut kernel = Fake::default();
    let mut route = Route::new(([0; 4].into(), 0), 47600, 4);
    route.kind = RouteKind::Blackhole;
    kernel.routes.push(route);
    assert!(matches!(conflict(&mut kernel), Conflict::Route(_)));
    // Other bits, or other values of the same, are nobody's trouble.
    for (value, mask) in [(0x10, 0xff), (0xca6c, u32::MAX), (0x1000_0000, 0xf000_0000)] {
        let mut kernel = foreign(mark(value, mask));
        let pin = Pins::new(SETTINGS).make(way(1), &[], &mut kernel);
        assert!(pin.is_ok(), "{pin:?}");
    }
}

#[test]
fn a_pin_that_the_kernel_does_not_obey_is_not_given_out() {
    let mut kernel = Fake {
        astray: Some(7),
        ..Fake::default()
    };
    let mut pins = Pins::new(SETTINGS);
    let error = pins.make(way(1), &[], &mut kernel).expect_err("astray");
    assert!(matches!(error, PinError::Astray { .. }), "{error}");
    assert!(kernel.rules.is_empty() && kernel.routes.is_empty());
}

#[test]
fn a_kernel_without_a_way_for_ipv4_pins_ipv6_alone_and_refuses_ipv4() {
    let mut kernel = Fake {
        refuse: Some(|route| route.kind == RouteKind::Unicast && route.family() == Family::V4),
        ..Fake::default()
    };
    let mut pins = Pins::new(SETTINGS);
    let pin = pins.make(way(1), &[], &mut kernel).expect("a pin");
    assert!(pin.ipv6 && !pin.ipv4);
    let ipv4 = kernel.routes.iter().filter(|r| r.family() == Family::V4);
    assert!(ipv4.map(|route| route.kind).eq([RouteKind::Unreachable]));
    pins.release(pin, &mut kernel);
    kernel.refuse = Some(|route| route.family() == Family::V6);
    let error = pins.make(way(1), &[], &mut kernel).expect_err("no IPv6");
    assert!(matches!(error, PinError::Kernel(_)), "{error}");
    assert!(kernel.rules.is_empty() && kernel.routes.is_empty());
}
