use super::*;
use crate::fib::PROTO_BABEL;
use babel_netlink::Route;

const STATIC: u8 = 4;

fn key(text: &str) -> RouteKey {
    RouteKey::new(text.parse().expect("a prefix"))
}

fn route(priority: u32, protocol: u8, ifindex: u32) -> Source {
    Source::Route {
        priority,
        table: 254,
        tos: 0,
        protocol,
        ifindex: Some(ifindex),
        gateway: None,
    }
}

fn up(text: &str, metric: u16, origin: Origin) -> XRouteChange {
    let xroute = XRoute {
        metric: Metric(metric),
        origin,
        price: None,
        only: None,
    };
    XRouteChange::Up(key(text), xroute)
}

/// `redistribute proto 4 metric 7`, then the implicit rule.
fn rules() -> Vec<Rule> {
    let mut of_static = Rule {
        proto: Some(STATIC),
        ..Rule::default()
    };
    of_static.action.metric = 7;
    let local = Rule {
        local: true,
        ..Rule::default()
    };
    vec![of_static, local]
}

fn name(ifindex: u32) -> Option<&'static str> {
    (ifindex == 1).then_some("lan")
}

const P: &str = "2001:db8:1::/48";

#[test]
fn addresses_are_announced_as_hosts_and_withdrawn_with_the_last_device_that_has_them() {
    let mut xroutes = XRoutes::new(rules());
    let address: IpAddr = "192.0.2.1".parse().expect("an address");
    xroutes.address_up(1, address);
    xroutes.address_up(2, address);
    xroutes.address_up(1, "127.0.0.1".parse().expect("an address"));
    let expected = up("192.0.2.1/32", 0, Origin::Local);
    assert_eq!(xroutes.reconcile(name), [expected]);
    xroutes.address_down(1, address);
    assert_eq!(xroutes.reconcile(name), []);
    xroutes.address_down(2, address);
    assert_eq!(
        xroutes.reconcile(name),
        [XRouteChange::Down(key("192.0.2.1/32"))]
    );
}

#[test]
fn a_prefix_is_withdrawn_only_when_its_last_route_is_gone() {
    let mut xroutes = XRoutes::new(rules());
    xroutes.route_up(key(P), route(1024, STATIC, 1), false);
    xroutes.route_up(key(P), route(2048, STATIC, 1), false);
    assert_eq!(xroutes.reconcile(name), [up(P, 7, Origin::Redistributed)]);
    xroutes.route_down(key(P), route(1024, STATIC, 1));
    assert_eq!(xroutes.reconcile(name), []);
    xroutes.route_down(key(P), route(2048, STATIC, 1));
    assert_eq!(xroutes.reconcile(name), [XRouteChange::Down(key(P))]);
    assert!(xroutes.contributions.is_empty() && xroutes.rewritten.is_empty());
}

#[test]
fn a_route_that_takes_anothers_slot_takes_its_place() {
    let mut xroutes = XRoutes::new(rules());
    xroutes.route_up(key(P), route(1024, STATIC, 1), false);
    assert_eq!(xroutes.reconcile(name).len(), 1);
    xroutes.route_up(key(P), route(1024, 3, 1), true);
    assert_eq!(xroutes.reconcile(name), [XRouteChange::Down(key(P))]);
}

#[test]
fn unmatched_routes_are_not_announced_and_a_change_back_and_forth_says_nothing() {
    let mut xroutes = XRoutes::new(rules());
    xroutes.route_up(key(P), route(1024, 3, 1), false);
    assert_eq!(xroutes.reconcile(name), []);
    xroutes.route_up(key(P), route(512, STATIC, 1), false);
    xroutes.route_down(key(P), route(512, STATIC, 1));
    assert_eq!(xroutes.reconcile(name), []);
}

#[test]
fn src_prefix_joins_several_prefixes_into_one_announcement() {
    let mut rule = Rule {
        proto: Some(STATIC),
        ..Rule::default()
    };
    rule.action.src_prefix = "2001:db8::/32".parse().ok();
    let mut xroutes = XRoutes::new(vec![rule]);
    let specific = |src: &str| {
        let (dst, src) = (P.parse().expect("a prefix"), src.parse().expect("a prefix"));
        RouteKey::source_specific(dst, src).expect("one family")
    };
    xroutes.route_up(key(P), route(1, STATIC, 1), false);
    xroutes.route_up(specific("2001:db8:5::/48"), route(1, STATIC, 1), false);
    let announced = specific("2001:db8::/32");
    let changes = xroutes.reconcile(name);
    assert!(matches!(changes[..], [XRouteChange::Up(k, _)] if k == announced));
    xroutes.route_down(key(P), route(1, STATIC, 1));
    assert_eq!(xroutes.reconcile(name), []);
    xroutes.route_down(specific("2001:db8:5::/48"), route(1, STATIC, 1));
    assert_eq!(xroutes.reconcile(name), [XRouteChange::Down(announced)]);
}

#[test]
fn a_rule_may_name_an_interface_and_a_new_name_is_looked_at() {
    let rule = Rule {
        interface: Some("lan".into()),
        proto: Some(STATIC),
        ..Rule::default()
    };
    let mut xroutes = XRoutes::new(vec![rule]);
    xroutes.route_up(key(P), route(1, STATIC, 2), false);
    assert_eq!(xroutes.reconcile(name), []);
    xroutes.judge_again();
    let renamed = |ifindex| (ifindex == 2).then_some("lan");
    assert_eq!(
        xroutes.reconcile(renamed),
        [up(P, 0, Origin::Redistributed)]
    );
}

#[test]
fn reading_everything_again_finds_what_was_missed() {
    let mut xroutes = XRoutes::new(rules());
    xroutes.route_up(key(P), route(1024, STATIC, 1), false);
    xroutes.route_up(key("10.0.0.0/8"), route(0, STATIC, 1), false);
    xroutes.reconcile(name);
    let now = [
        (key("10.0.0.0/8"), route(0, STATIC, 1)),
        (key("192.0.2.1/32"), Source::Address { ifindex: 1 }),
    ];
    assert_eq!(xroutes.reset(now), 2);
    let expected = [
        up("192.0.2.1/32", 0, Origin::Local),
        XRouteChange::Down(key(P)),
    ];
    assert_eq!(xroutes.reconcile(name), expected);
    assert_eq!(xroutes.reset(now), 0);
}

#[test]
fn our_own_routes_placeholders_and_martians_are_not_imported() {
    let new = |text: &str, plen, protocol| {
        let address: IpAddr = text.parse().expect("an address");
        Route::new((address, plen), 254, protocol)
    };
    assert!(importable(&new("10.0.0.0", 8, STATIC)).is_some());
    assert!(importable(&new("10.0.0.0", 8, PROTO_BABEL)).is_none());
    assert!(importable(&new("fe80::", 64, 2)).is_none());
    assert!(importable(&new("::", 0, STATIC)).is_some());
    let mut placeholder = new("::", 0, STATIC);
    placeholder.priority = Some(u32::MAX);
    assert!(importable(&placeholder).is_none());
    let mut cloned = new("10.0.0.0", 8, STATIC);
    cloned.cloned = true;
    assert!(importable(&cloned).is_none());
}

#[test]
fn kernel_routes_are_of_no_interest_without_a_rule_for_them() {
    assert!(XRoutes::new(rules()).wants_routes());
    let local = Rule {
        local: true,
        ..Rule::default()
    };
    assert!(!XRoutes::new(vec![local]).wants_routes());
}
