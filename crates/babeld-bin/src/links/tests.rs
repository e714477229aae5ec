use super::*;
use babel_core::time::Instant;
use babel_netlink::{AddressFlags, LinkFlags, Scope};

fn device(index: u32, name: &str, up: bool) -> LinkInfo {
    LinkInfo {
        index,
        name: name.into(),
        flags: LinkFlags {
            up,
            running: up,
            ..LinkFlags::default()
        },
        mtu: 1500,
        ..LinkInfo::default()
    }
}

fn address(index: u32, text: &str) -> AddressInfo {
    AddressInfo {
        index,
        address: text.parse().expect("an address"),
        plen: 64,
        peer: None,
        scope: Scope::Link,
        flags: AddressFlags::default(),
        protocol: 0,
    }
}

fn tentative(index: u32, text: &str) -> AddressInfo {
    let mut address = address(index, text);
    address.flags.tentative = true;
    address
}

fn at(seconds: u64) -> Instant {
    Instant::ZERO + Duration::from_secs(seconds)
}

/// Interface `wan` up on device 5.
fn one_up() -> (Links, LinkId) {
    let mut links = Links::new(false);
    let link = links.add("wan").expect("new");
    links.device_changed(device(5, "wan", true));
    links.address_changed(address(5, "fe80::5"));
    let changes = links.reconcile(at(0));
    assert_eq!(changes, [up(link, "wan", 5, true)]);
    (links, link)
}

fn up(link: LinkId, name: &str, ifindex: u32, fresh: bool) -> LinkChange {
    let name = name.to_owned();
    LinkChange::Up {
        link,
        name,
        ifindex,
        fresh,
    }
}

fn down(link: LinkId, name: &str, ifindex: u32) -> LinkChange {
    let name = name.to_owned();
    LinkChange::Down {
        link,
        name,
        ifindex,
    }
}

#[test]
fn a_link_is_up_only_with_a_usable_link_local_address() {
    let mut links = Links::new(false);
    let link = links.add("wan").expect("new");
    assert_eq!(links.reconcile(at(0)), []);
    assert_eq!(
        links.views()[0].down_reason.as_deref(),
        Some("does not exist")
    );
    links.device_changed(device(5, "wan", false));
    links.address_changed(address(5, "fe80::5"));
    assert_eq!(links.reconcile(at(0)), []);
    assert_eq!(links.views()[0].down_reason.as_deref(), Some("is down"));
    links.address_gone(&address(5, "fe80::5"));
    links.device_changed(device(5, "wan", true));
    links.address_changed(tentative(5, "fe80::5"));
    links.address_changed(address(5, "fe80:1::5"));
    assert_eq!(links.reconcile(at(0)), []);
    assert_eq!(links.link_on(5), None);
    links.address_changed(address(5, "fe80::5"));
    assert_eq!(links.reconcile(at(2)), [up(link, "wan", 5, true)]);
    assert_eq!(links.link_on(5), Some(link));
    let view = &links.views()[0];
    assert_eq!((view.up, view.ipv6), (true, "fe80::5".parse().ok()));
}

#[test]
fn a_missing_link_local_address_is_told_once() {
    let mut links = Links::new(false);
    links.add("wan").expect("new");
    links.device_changed(device(5, "wan", true));
    links.reconcile(at(0));
    assert_eq!(links.next_complaint(), Some(at(4)));
    assert!(links.complaints(at(3)).is_empty());
    assert_eq!(links.complaints(at(4)), ["wan"]);
    links.address_changed(address(5, "192.0.2.1"));
    links.reconcile(at(5));
    assert!(links.complaints(at(60)).is_empty());
    assert_eq!(links.next_complaint(), None);
}

#[test]
fn a_device_made_anew_is_down_and_up_with_the_same_id() {
    let (mut links, link) = one_up();
    links.device_gone(5);
    links.device_changed(device(9, "wan", true));
    links.address_changed(address(9, "fe80::9"));
    let expected = [down(link, "wan", 5), up(link, "wan", 9, true)];
    assert_eq!(links.reconcile(at(1)), expected);
    assert_eq!((links.link_on(5), links.link_on(9)), (None, Some(link)));
}

#[test]
fn a_flap_is_down_and_up_even_if_it_is_over_when_we_look() {
    let (mut links, link) = one_up();
    links.device_changed(device(5, "wan", false));
    links.device_changed(device(5, "wan", true));
    let expected = [down(link, "wan", 5), up(link, "wan", 5, true)];
    assert_eq!(links.reconcile(at(1)), expected);
    links.device_changed(device(5, "wan", false));
    assert_eq!(links.reconcile(at(2)), [down(link, "wan", 5)]);
    links.device_changed(device(5, "wan", true));
    assert_eq!(links.reconcile(at(3)), [up(link, "wan", 5, true)]);
}

#[test]
fn a_new_address_is_told_and_the_one_in_use_is_kept() {
    let (mut links, link) = one_up();
    links.address_changed(address(5, "fe80::1"));
    assert_eq!(links.reconcile(at(1)), []);
    links.address_changed(address(5, "192.0.2.1"));
    assert_eq!(links.reconcile(at(1)), [up(link, "wan", 5, false)]);
    assert_eq!(links.views()[0].ipv4, "192.0.2.1".parse().ok());
    links.address_gone(&address(5, "fe80::5"));
    assert_eq!(links.reconcile(at(1)), [up(link, "wan", 5, false)]);
    assert_eq!(links.views()[0].ipv6, "fe80::1".parse().ok());
}

#[test]
fn a_renamed_device_is_no_longer_ours_and_another_may_take_its_name() {
    let (mut links, link) = one_up();
    links.device_changed(device(5, "other", true));
    assert_eq!(links.reconcile(at(1)), [down(link, "wan", 5)]);
    links.device_changed(device(6, "wan", true));
    links.address_changed(address(6, "fe80::6"));
    assert_eq!(links.reconcile(at(2)), [up(link, "wan", 6, true)]);
    links.device_gone(5);
    assert_eq!(links.reconcile(at(3)), []);
}

#[test]
fn carrier_counts_only_with_link_detect() {
    for (link_detect, ups) in [(false, 1), (true, 0)] {
        let mut links = Links::new(link_detect);
        links.add("wan").expect("new");
        let mut info = device(5, "wan", true);
        info.flags.running = false;
        links.device_changed(info);
        links.address_changed(address(5, "fe80::5"));
        assert_eq!(links.reconcile(at(0)).len(), ups);
    }
}

#[test]
fn what_could_not_be_set_up_waits_for_its_device_to_change() {
    let (mut links, link) = one_up();
    links.refuse(link, "no permission".into());
    assert_eq!(links.link_on(5), None);
    links.reset(vec![device(5, "wan", true)], vec![address(5, "fe80::5")]);
    assert_eq!(links.reconcile(at(1)), []);
    assert_eq!(
        links.views()[0].down_reason.as_deref(),
        Some("no permission")
    );
    links.address_changed(address(5, "192.0.2.1"));
    assert_eq!(links.reconcile(at(2)), [up(link, "wan", 5, true)]);
    links.refuse(link, "no permission".into());
    links.forgive();
    assert_eq!(links.reconcile(at(3)), [up(link, "wan", 5, true)]);
}

#[test]
fn lost_notifications_are_made_up_for() {
    let (mut links, link) = one_up();
    links.reset(vec![device(8, "wan", true)], vec![address(8, "fe80::8")]);
    let expected = [down(link, "wan", 5), up(link, "wan", 8, true)];
    assert_eq!(links.reconcile(at(1)), expected);
    links.reset(Vec::new(), Vec::new());
    assert_eq!(links.reconcile(at(2)), [down(link, "wan", 8)]);
}

#[test]
fn a_flushed_interface_may_be_added_again_under_a_new_id() {
    let (mut links, link) = one_up();
    assert_eq!(links.add("wan"), None);
    assert_eq!(links.flush("wan"), Some((link, Some(5))));
    assert_eq!(links.flush("wan"), None);
    assert!(links.is_empty());
    let again = links.add("wan").expect("new");
    assert_ne!(again, link);
    assert_eq!(links.reconcile(at(1)), [up(again, "wan", 5, true)]);
}

#[test]
fn a_class_takes_in_what_is_there_and_what_appears_and_forgets_what_goes() {
    let mut links = Links::new(false);
    links.device_changed(device(5, "wg0", true));
    links.device_changed(device(6, "eth0", true));
    let mut loopback = device(1, "wglo", true);
    loopback.flags.loopback = true;
    links.device_changed(loopback);
    links.add_class("wg*");
    assert_eq!(links.take_arrived(), ["wg0"]);
    links.add("wg0").expect("new");
    // A change is no appearance.
    links.device_changed(device(5, "wg0", false));
    links.device_changed(device(7, "wg1", true));
    assert_eq!(links.take_arrived(), ["wg1"]);
    links.add("wg1").expect("new");
    assert!(links.take_departed().is_empty());
    // Renamed out of the class.
    links.device_changed(device(7, "lan", true));
    assert_eq!(links.take_departed(), ["wg1"]);
    links.flush("wg1").expect("it ran");
    links.device_gone(5);
    assert_eq!(links.take_departed(), ["wg0"]);
}

#[test]
fn a_member_that_comes_back_at_once_is_not_forgotten() {
    let mut links = Links::new(false);
    links.add_class("wg?");
    links.device_changed(device(5, "wg0", true));
    assert_eq!(links.take_arrived(), ["wg0"]);
    links.add("wg0").expect("new");
    links.device_gone(5);
    links.device_changed(device(9, "wg0", true));
    assert!(links.take_departed().is_empty());
    assert!(links.take_arrived().is_empty(), "it runs already");
    // Lost notifications.
    links.reset(vec![device(10, "wg1", true)], Vec::new());
    assert_eq!(links.take_departed(), ["wg0"]);
    assert_eq!(links.take_arrived(), ["wg1"]);
}

#[test]
fn the_end_of_a_class_ends_the_interfaces_no_other_describes() {
    let mut links = Links::new(false);
    links.add("wg9").expect("new");
    for (index, name) in [(5, "wg0"), (6, "wg-a"), (7, "wg9")] {
        links.device_changed(device(index, name, true));
    }
    links.add_class("wg*");
    links.add_class("wg-*");
    assert_eq!(links.take_arrived(), ["wg-a", "wg0"]);
    assert_eq!(links.remove_class("wg*"), Some(vec!["wg0".to_owned()]));
    assert_eq!(links.remove_class("wg*"), None);
}
