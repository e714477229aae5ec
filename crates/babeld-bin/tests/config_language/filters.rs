//! Filter rules: selectors, actions, families, lengths, and the rules that are always there.

use crate::{bad, good, refuses, settings};
use babel_core::filter::{Action, PlenRange, Rule};
use babel_core::prefix::Family;
use babeld::config::{FilterKind, Statement};

fn rule(line: &str) -> Rule {
    match good(line) {
        Statement::Filter(_, rule) => rule,
        other => panic!("{line}: {other:?}"),
    }
}

const fn between(min: u8, max: u8) -> Option<PlenRange> {
    Some(PlenRange { min, max })
}

#[test]
fn every_selector_and_action_is_read_in_any_order() {
    assert_eq!(
        rule(
            "redistribute metric 300 if \"eth 0\" ge 48 price 9 src-ip 2001:db8::1/32 le 64 \
             proto 0x10 neigh fe80::1 table 7 src-prefix 2001:db8:2::/48 ip default \
             src-eq 40 pref-src 2001:db8::5 id 1:2:3:4:5:6:7:8"
        ),
        Rule {
            ip: Some("::/0".parse().expect("a prefix")),
            plen: between(48, 64),
            src_ip: Some("2001:db8::/32".parse().expect("a prefix")),
            src_plen: between(40, 40),
            family: Some(Family::V6),
            neigh: Some("fe80::1".parse().expect("an address")),
            id: Some("1:2:3:4:5:6:7:8".parse().expect("a router-id")),
            proto: Some(16),
            local: false,
            interface: Some("eth 0".into()),
            action: Action {
                deny: false,
                metric: 300,
                price: Some(9),
                src_prefix: Some("2001:db8:2::/48".parse().expect("a prefix")),
                table: Some(7),
                pref_src: Some("2001:db8::5".parse().expect("an address")),
            },
        }
    );
    assert_eq!(rule("in"), Rule::default());
    assert_eq!(rule("in allow"), Rule::default());
}

#[test]
fn each_kind_goes_to_its_list_in_order() {
    let s = settings("in metric 1\nout metric 2\nin metric 3\ninstall table 4\nredistribute local");
    let metrics = |rules: &[Rule]| rules.iter().map(|r| r.action.metric).collect::<Vec<_>>();
    assert_eq!(metrics(&s.filters.input), [1, 3]);
    assert_eq!(metrics(&s.filters.output), [2]);
    assert_eq!(s.filters.redistribute.len(), 1);
    assert_eq!(s.filters.install.len(), 1);
}

#[test]
fn two_rules_always_come_last() {
    let s = settings("redistribute local deny\ninstall deny");
    let filters = s.effective_filters();
    let local = |deny| Rule {
        local: true,
        action: Action {
            deny,
            ..Action::default()
        },
        ..Rule::default()
    };
    assert_eq!(filters.redistribute, [local(true), local(false)]);
    assert_eq!(filters.install.last(), Some(&Rule::default()));
    assert_eq!(filters.install.len(), 2);
    assert!(filters.input.is_empty() && filters.output.is_empty());
    assert_eq!(
        s.filters.redistribute.len(),
        1,
        "what was given stays as it was given"
    );
}

#[test]
fn lengths_are_those_of_the_family() {
    for (line, family, plen) in [
        ("in ip 10.0.0.0/8 le 24", Some(Family::V4), between(0, 24)),
        ("in le 24 ip 10.0.0.0/8", Some(Family::V4), between(0, 24)),
        ("in ip 10.0.0.0/8 le 32", Some(Family::V4), None),
        ("in ip 10.0.0.0/8 le 64", Some(Family::V4), None),
        ("in ip 10.0.0.0/8 ge 0", Some(Family::V4), None),
        ("in ip 10.0.0.0/8 eq 0", Some(Family::V4), between(0, 0)),
        (
            "in ip 10.0.0.0/8 ge 16 le 24",
            Some(Family::V4),
            between(16, 24),
        ),
        (
            "in ip 10.0.0.0/8 ge 16 ge 8 le 24 le 30",
            Some(Family::V4),
            between(16, 24),
        ),
        (
            "in pref-src 10.0.0.1 ge 16",
            Some(Family::V4),
            between(16, 32),
        ),
        ("in src-ip 10.0.0.0/8", Some(Family::V4), None),
        ("in src-prefix ::/0", Some(Family::V6), None),
        (
            "in ip 2001:db8::/32 ge 48",
            Some(Family::V6),
            between(48, 128),
        ),
        // Stock's trap: lengths alone make a rule for IPv6 only.
        ("in le 24", Some(Family::V6), between(0, 24)),
        ("in src-ge 1", Some(Family::V6), None),
        ("in ge 0", None, None),
        ("in le 128", None, None),
        ("in neigh 10.0.0.1 metric 5", None, None),
    ] {
        let rule = rule(line);
        assert_eq!(rule.family, family, "{line}");
        assert_eq!(rule.plen, plen, "{line}");
    }
    assert_eq!(rule("in src-ge 1").src_plen, between(1, 128));
    let s = settings("in ip 10.0.0.0/8 ge 33");
    assert!(
        s.warnings[0].text.contains("matches nothing"),
        "{:?}",
        s.warnings
    );
}

#[test]
fn a_rule_is_of_one_family() {
    refuses(&[
        (
            "in ip 10.0.0.0/8 src-ip ::/0",
            25,
            "'::/0' is IPv6, but this rule is for IPv4",
        ),
        (
            "in src-ip ::/0 ip 10.0.0.0/8",
            19,
            "is IPv4, but this rule is for IPv6",
        ),
        ("in ip default ip 10.0.0.0/8", 18, "write one rule for each"),
        (
            "redistribute ip 10.0.0.0/8 src-prefix 2001:db8::/32",
            39,
            "is IPv6",
        ),
        (
            "install ip ::/0 pref-src 10.0.0.1",
            26,
            "'10.0.0.1' is IPv4",
        ),
    ]);
    assert_eq!(
        rule("in ip 10.0.0.0/8 neigh fe80::1").family,
        Some(Family::V4)
    );
}

#[test]
fn allow_deny_and_metric_replace_each_other() {
    for (line, deny, metric) in [
        ("in deny", true, 0),
        ("in metric 65535", true, 0),
        ("in metric 65534", false, 65534),
        ("in deny allow", false, 0),
        ("in allow deny", true, 0),
        ("in metric 5 allow", false, 0),
        ("in deny metric 5", false, 5),
        ("in metric 5 deny", true, 0),
    ] {
        let action = rule(line).action;
        assert_eq!((action.deny, action.metric), (deny, metric), "{line}");
    }
}

#[test]
fn proto_and_local_replace_each_other() {
    for (line, proto, local) in [
        ("redistribute proto 3", Some(3), false),
        ("redistribute proto 0", None, false),
        ("redistribute local", None, true),
        ("redistribute proto 3 local", None, true),
        ("redistribute local proto 3", Some(3), false),
    ] {
        let rule = rule(line);
        assert_eq!((rule.proto, rule.local), (proto, local), "{line}");
    }
}

#[test]
fn host_bits_and_short_forms_of_prefixes() {
    for (text, expected) in [
        ("10.1.2.3/8", "10.0.0.0/8"),
        ("10.1.2.3", "10.1.2.3/32"),
        ("10.0.0.0/0x8", "10.0.0.0/8"),
        ("2001:db8::1/32", "2001:db8::/32"),
        ("::1", "::1/128"),
        ("default", "::/0"),
    ] {
        let ip = rule(&format!("in ip {text}")).ip.map(|p| p.to_string());
        assert_eq!(ip.as_deref(), Some(expected), "{text}");
    }
}

#[test]
fn bad_rules_are_refused() {
    refuses(&[
        ("in ip", 6, "the prefix for 'ip' is missing"),
        ("in ip 10.0.0", 7, "'10.0.0' is not a prefix"),
        ("in ip 10.0.0.0/33", 7, "at most 32 (IPv4)"),
        ("in ip ::/129", 7, "is not a prefix"),
        ("in ip 10.0.0.0/-1", 7, "is not a prefix"),
        ("in ip 10.0.0.0/", 7, "is not a prefix"),
        ("in ip \"10.0.0.0/8\"", 7, "quotes are not allowed here"),
        ("in eq 129", 7, "from 0 to 128"),
        ("in ge -1", 7, "from 0 to 128"),
        ("in neigh router", 10, "'router' is not an address"),
        ("in id 1:2:3", 7, "'1:2:3' is not a router-id"),
        ("redistribute proto 256", 20, "from 0 to 255"),
        ("redistribute proto boot", 20, "not a whole number"),
        ("in if", 6, "the interface name for 'if' is missing"),
        ("in if \"\"", 7, "is empty"),
        ("in metric 0", 11, "from 1 to 65535"),
        ("in metric 65536", 11, "from 1 to 65535"),
        ("in metric", 10, "is missing"),
        ("in price 4294967295", 10, "from 0 to 4294967294"),
        (
            "install price 5",
            9,
            "'price' has no meaning in an 'install' rule",
        ),
        ("install table 0", 15, "from 1 to 65535"),
        ("install pref-src x", 18, "'x' is not an address"),
        (
            "redistribute everything",
            14,
            "'everything' is neither a selector nor an action",
        ),
    ]);
    assert_eq!(
        bad("in metrik 5").hint.as_deref(),
        Some("did you mean 'metric'?")
    );
}

#[test]
fn what_a_kind_cannot_do_is_warned_of() {
    for (line, words) in [
        ("in proto 4", "an 'in' rule matches nothing"),
        ("out local", "an 'out' rule matches nothing"),
        ("out neigh fe80::1", "matches nothing"),
        ("redistribute id 1:2:3:4:5:6:7:8", "matches nothing"),
        ("in table 5", "only in 'install'"),
        ("redistribute pref-src ::1", "only in 'install'"),
        ("install src-prefix ::/0", "only in 'redistribute'"),
        ("install metric 5", "has no effect"),
    ] {
        let warnings = settings(line).warnings;
        assert_eq!(warnings.len(), 1, "{line}: {warnings:?}");
        assert!(warnings[0].text.contains(words), "{line}: {warnings:?}");
    }
    assert!(matches!(
        good("install metric 65535"),
        Statement::Filter(
            FilterKind::Install,
            Rule {
                action: Action { deny: true, .. },
                ..
            }
        )
    ));
}
