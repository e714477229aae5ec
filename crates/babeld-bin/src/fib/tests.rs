use super::fake::Fake;
use super::*;
use nix::errno::Errno;
use std::net::IpAddr;
use std::time::Duration;

const SETTINGS: Settings = Settings {
    table: 254,
    priority: 0,
    reflect_metric: false,
};

fn key(text: &str) -> RouteKey {
    RouteKey::new(text.parse().expect("a prefix"))
}

fn hop(n: u8) -> IpAddr {
    format!("fe80::{n:x}").parse().expect("an address")
}

fn via(key_text: &str, next_hop: u8) -> FibChange {
    FibChange {
        key: key(key_text),
        target: Some(FibTarget::Via {
            link: LinkId(1),
            next_hop: hop(next_hop),
            metric: Metric(96),
            table: None,
            pref_src: None,
        }),
    }
}

fn unreachable(key_text: &str) -> FibChange {
    FibChange {
        key: key(key_text),
        target: Some(FibTarget::Unreachable),
    }
}

fn nothing(key_text: &str) -> FibChange {
    FibChange {
        key: key(key_text),
        target: None,
    }
}

fn action(next_hop: u8) -> Action {
    Action::Via {
        ifindex: 7,
        next_hop: hop(next_hop),
        pref_src: None,
    }
}

fn route(key_text: &str, next_hop: u8) -> KernelRoute {
    KernelRoute {
        key: key(key_text),
        table: 254,
        priority: 1024,
        action: action(next_hop),
    }
}

fn at(seconds: u64) -> Instant {
    Instant::ZERO + Duration::from_secs(seconds)
}

fn apply(fib: &mut Fib, kernel: &mut Fake, second: u64, changes: &[FibChange]) {
    fib.apply(
        at(second),
        changes,
        |link| (link == LinkId(1)).then_some(7),
        kernel,
    );
}

fn deleted(route: KernelRoute, protocol: u8) -> Observation {
    Observation {
        route,
        protocol,
        what: Seen::Deleted,
    }
}

const P: &str = "2001:db8:1::/48";

#[test]
fn a_batch_is_sorted_by_prefix_and_first_installations_are_exclusive() {
    let (mut fib, mut kernel) = (Fib::new(SETTINGS), Fake::default());
    let changes = [via("2001:db8:2::/48", 1), via(P, 1), via("10.0.0.0/8", 1)];
    apply(&mut fib, &mut kernel, 0, &changes);
    let first = kernel.batches.first().expect("a batch");
    let keys: Vec<_> = first.iter().map(|write| write.route.key).collect();
    assert_eq!(keys, [key("10.0.0.0/8"), key(P), key("2001:db8:2::/48")]);
    assert!(first.iter().all(|write| write.verb == Verb::Add));
    assert_eq!(fib.len(), 3);
    assert_eq!(fib.counters().routes_written, 3);
}

#[test]
fn a_new_next_hop_replaces_in_place_and_the_same_one_writes_nothing() {
    let (mut fib, mut kernel) = (Fib::new(SETTINGS), Fake::default());
    for next_hop in [1, 2, 2] {
        apply(&mut fib, &mut kernel, 0, &[via(P, next_hop)]);
    }
    assert_eq!(kernel.verbs(), [Verb::Add, Verb::Replace]);
    assert_eq!(kernel.held(key(P)), [(254, 1024, PROTO_BABEL, action(2))]);
    assert!(kernel.holes.is_empty());
}

#[test]
fn becoming_unreachable_and_back_never_leaves_a_hole() {
    let (mut fib, mut kernel) = (Fib::new(SETTINGS), Fake::default());
    for change in [via(P, 1), unreachable(P), via(P, 2)] {
        apply(&mut fib, &mut kernel, 0, &[change]);
        assert_eq!(kernel.held(key(P)).len(), 1);
    }
    assert!(kernel.holes.is_empty());
    apply(&mut fib, &mut kernel, 0, &[unreachable(P)]);
    let expected = (254, UNREACHABLE_PRIORITY, PROTO_BABEL, Action::Unreachable);
    assert_eq!(kernel.held(key(P)), [expected]);
    apply(&mut fib, &mut kernel, 0, &[nothing(P)]);
    assert!(kernel.slots.is_empty() && fib.is_empty());
}

#[test]
fn a_default_route_is_removed_rather_than_refused() {
    let (mut fib, mut kernel) = (Fib::new(SETTINGS), Fake::default());
    apply(&mut fib, &mut kernel, 0, &[via("::/0", 1)]);
    assert_eq!(kernel.slots.len(), 1);
    apply(&mut fib, &mut kernel, 0, &[unreachable("::/0")]);
    assert!(kernel.slots.is_empty());
}

#[test]
fn a_reflected_metric_moves_the_route_without_a_hole() {
    let settings = Settings {
        reflect_metric: true,
        priority: 100,
        ..SETTINGS
    };
    let (mut fib, mut kernel) = (Fib::new(settings), Fake::default());
    apply(&mut fib, &mut kernel, 0, &[via(P, 1)]);
    let mut worse = via(P, 1);
    if let Some(FibTarget::Via { metric, .. }) = &mut worse.target {
        *metric = Metric(65_500);
    }
    apply(&mut fib, &mut kernel, 0, &[worse]);
    assert_eq!(kernel.held(key(P)), [(254, 65_535, PROTO_BABEL, action(1))]);
    assert!(kernel.holes.is_empty());
}

#[test]
fn a_route_of_another_protocol_is_left_alone_until_it_goes() {
    let (mut fib, mut kernel) = (Fib::new(SETTINGS), Fake::default());
    kernel.put(route(P, 9), 4);
    apply(&mut fib, &mut kernel, 0, &[via(P, 1)]);
    fib.retry(at(0), &mut kernel);
    assert_eq!(kernel.held(key(P)), [(254, 1024, 4, action(9))]);
    assert!(fib.is_empty());
    // Nothing is tried in a tight loop.
    assert!(fib.next_retry() > Some(at(30)));
    kernel.slots.clear();
    fib.observe(at(1), deleted(route(P, 9), 4));
    fib.retry(at(1), &mut kernel);
    assert_eq!(kernel.held(key(P)), [(254, 1024, PROTO_BABEL, action(1))]);
    fib.remove_all(&mut kernel);
    assert!(kernel.slots.is_empty());
}

#[test]
fn an_unknown_route_with_our_mark_is_replaced() {
    let (mut fib, mut kernel) = (Fib::new(SETTINGS), Fake::default());
    kernel.put(route(P, 9), PROTO_BABEL);
    apply(&mut fib, &mut kernel, 0, &[via(P, 1)]);
    fib.retry(at(0), &mut kernel);
    assert_eq!(kernel.held(key(P)), [(254, 1024, PROTO_BABEL, action(1))]);
    assert_eq!(kernel.verbs(), [Verb::Add, Verb::Replace]);
}

#[test]
fn one_refusal_leaves_the_rest_of_the_batch_and_is_tried_again_later() {
    let (mut fib, mut kernel) = (Fib::new(SETTINGS), Fake::default());
    kernel.refuse.insert(key(P), Errno::ENETUNREACH);
    apply(
        &mut fib,
        &mut kernel,
        0,
        &[via("2001:db8:2::/48", 1), via(P, 1)],
    );
    assert_eq!(fib.len(), 1);
    assert_eq!(fib.counters().errors, 1);
    let first = fib.next_retry().expect("a retry");
    fib.retry(first, &mut kernel);
    let second = fib.next_retry().expect("another");
    assert!(second.since(first) > first.since(at(0)));
    kernel.refuse.clear();
    fib.retry(second, &mut kernel);
    assert_eq!(fib.len(), 2);
    assert_eq!(fib.next_retry(), None);
}

#[test]
fn a_refused_replacement_does_not_keep_the_old_route() {
    let (mut fib, mut kernel) = (Fib::new(SETTINGS), Fake::default());
    apply(&mut fib, &mut kernel, 0, &[via(P, 1)]);
    kernel.refuse.insert(key(P), Errno::EINVAL);
    apply(&mut fib, &mut kernel, 0, &[via(P, 2)]);
    assert!(kernel.slots.is_empty() && fib.is_empty());
    apply(&mut fib, &mut kernel, 0, &[nothing(P)]);
    assert_eq!(fib.next_retry(), None);
}

#[test]
fn a_deleted_route_is_put_back_at_once_and_a_fight_slows_down() {
    let (mut fib, mut kernel) = (Fib::new(SETTINGS), Fake::default());
    apply(&mut fib, &mut kernel, 0, &[via(P, 1)]);
    kernel.slots.clear();
    fib.observe(at(1), deleted(route(P, 1), PROTO_BABEL));
    assert_eq!(fib.next_retry(), Some(at(1)));
    fib.retry(at(1), &mut kernel);
    assert_eq!(kernel.slots.len(), 1);
    let mut now = at(1);
    for _ in 0..10 {
        kernel.slots.clear();
        fib.observe(now, deleted(route(P, 1), PROTO_BABEL));
        let due = fib.next_retry().expect("a retry");
        assert!(due > now);
        now = due;
        fib.retry(now, &mut kernel);
        assert_eq!(kernel.slots.len(), 1);
    }
    assert!(now > at(100), "ten rounds took only until {now:?}");
    assert_eq!(fib.counters().repaired, 11);
}

#[test]
fn a_route_changed_underneath_is_changed_back() {
    let (mut fib, mut kernel) = (Fib::new(SETTINGS), Fake::default());
    apply(&mut fib, &mut kernel, 0, &[via(P, 1)]);
    kernel.put(route(P, 5), PROTO_BABEL);
    let seen = Observation {
        route: route(P, 5),
        protocol: PROTO_BABEL,
        what: Seen::Replaced,
    };
    fib.observe(at(1), seen);
    fib.retry(at(1), &mut kernel);
    assert_eq!(kernel.held(key(P)), [(254, 1024, PROTO_BABEL, action(1))]);
}

#[test]
fn leftovers_serve_until_replaced_or_released() {
    let (mut fib, mut kernel) = (Fib::new(SETTINGS), Fake::default());
    kernel.put(route(P, 3), PROTO_BABEL);
    kernel.put(route("2001:db8:2::/48", 3), PROTO_BABEL);
    kernel.put(route("2001:db8:3::/48", 3), PROTO_BABEL);
    kernel.put(route("2001:db8:4::/48", 3), 4);
    assert_eq!(fib.adopt(&[254], &mut kernel).expect("a dump"), 3);
    apply(
        &mut fib,
        &mut kernel,
        0,
        &[via(P, 1), via("2001:db8:2::/48", 3)],
    );
    assert_eq!(
        kernel.verbs(),
        [Verb::Replace],
        "the one that fits is left as it is"
    );
    assert!(fib.has_leftovers());
    while fib.release_leftovers(&mut kernel) {}
    assert!(!fib.has_leftovers());
    assert!(kernel.held(key("2001:db8:3::/48")).is_empty());
    assert_eq!(kernel.held(key("2001:db8:4::/48")).len(), 1);
    fib.remove_all(&mut kernel);
    assert_eq!(kernel.slots.len(), 1, "only the other protocol's is left");
}

#[test]
fn a_resync_finds_what_vanished_without_a_word() {
    let (mut fib, mut kernel) = (Fib::new(SETTINGS), Fake::default());
    apply(
        &mut fib,
        &mut kernel,
        0,
        &[via(P, 1), via("2001:db8:2::/48", 1)],
    );
    kernel.slots.remove(&Fake::slot(&route(P, 1)));
    fib.resync(at(5), &mut kernel).expect("a dump");
    fib.retry(at(5), &mut kernel);
    assert_eq!(kernel.slots.len(), 2);
    assert_eq!(fib.counters().repaired, 1);
}

#[test]
fn what_cannot_be_deleted_is_tried_again() {
    let (mut fib, mut kernel) = (Fib::new(SETTINGS), Fake::default());
    apply(&mut fib, &mut kernel, 0, &[via(P, 1)]);
    kernel.undeletable.insert(key(P), Errno::ENOBUFS);
    apply(&mut fib, &mut kernel, 0, &[nothing(P)]);
    kernel.undeletable.clear();
    let due = fib.next_retry().expect("a retry");
    fib.retry(due, &mut kernel);
    assert!(kernel.slots.is_empty() && fib.is_empty());
}

#[test]
fn a_route_that_the_kernel_dropped_first_counts_as_gone() {
    let (mut fib, mut kernel) = (Fib::new(SETTINGS), Fake::default());
    apply(&mut fib, &mut kernel, 0, &[via(P, 1)]);
    kernel.slots.clear();
    apply(&mut fib, &mut kernel, 0, &[nothing(P)]);
    assert!(fib.is_empty());
    assert_eq!((fib.next_retry(), fib.counters().errors), (None, 0));
}

#[test]
fn source_specific_ipv4_is_not_written() {
    let (mut fib, mut kernel) = (Fib::new(SETTINGS), Fake::default());
    let (dst, src) = ("10.0.0.0/8".parse(), "192.0.2.0/24".parse());
    let key = RouteKey::source_specific(dst.expect("a prefix"), src.expect("a prefix"));
    let change = FibChange {
        key: key.expect("one family"),
        ..via("10.0.0.0/8", 1)
    };
    apply(&mut fib, &mut kernel, 0, &[change]);
    assert!(kernel.batches.iter().all(Vec::is_empty));
}
