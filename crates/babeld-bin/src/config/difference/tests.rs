use super::*;
use crate::config::Origin;

fn settings(text: &str) -> Settings {
    let mut settings = Settings::default();
    settings
        .read_text(text, Origin::file("test"))
        .expect("a good file");
    settings
}

fn lines(old: &str, new: &str) -> Vec<String> {
    let (old, new) = (settings(old), settings(new));
    let from_files = names(&old).collect();
    Difference::between(&old, &new, &from_files).lines
}

#[test]
fn the_same_configuration_differs_in_nothing() {
    let text = "interface eth0 rxcost 10\nin deny\nprice 5\nrouter-id 02:11:22:33:44:55:66:77";
    assert!(lines(text, text).is_empty());
    assert!(lines("", "").is_empty());
}

#[test]
fn interfaces_come_and_go_and_change_by_default_too() {
    assert_eq!(
        lines(
            "interface a\ninterface b rxcost 10\ninterface c",
            "interface b rxcost 20 type wired\ninterface c\ninterface d\ndefault price 3",
        ),
        [
            "interface a: remove",
            "interface b: type default -> wired, rxcost 10 -> 20, price default -> 3",
            "interface c: price default -> 3",
            "interface d: add",
        ]
    );
}

#[test]
fn an_interface_added_at_run_time_stays_until_it_is_flushed() {
    let old = settings("interface a\ninterface hotplugged rxcost 7");
    let from_files = BTreeSet::from(["a".to_owned()]);
    let difference = Difference::between(&old, &settings("interface b"), &from_files);
    assert_eq!(difference.removed, ["a"]);
    assert_eq!(difference.added, ["b"]);
    let kept: Vec<String> = names(&difference.target).collect();
    assert_eq!(kept, ["b", "hotplugged"]);
    assert_eq!(difference.lines.len(), 2);
}

#[test]
fn rules_are_shown_as_they_are_written() {
    assert_eq!(
        lines(
            "in ip 10.0.0.0/8 le 24 deny\nin neigh fe80::1 metric 5\nin allow\n\
             redistribute local if eth0 deny",
            "in ip 10.0.0.0/8 le 24 deny\nin id 02:11:22:33:44:55:66:77 price 9\nin allow\n\
             redistribute proto 4 src-prefix 2001:db8::/32\ninstall ge 20 table 7",
        ),
        [
            "in: remove neigh fe80::1 metric 5",
            "in: add id 02:11:22:33:44:55:66:77 allow price 9",
            "redistribute: remove local if eth0 deny",
            "redistribute: add proto 4 allow src-prefix 2001:db8::/32",
            "install: add ge 20 le 128 allow table 7",
        ]
    );
}

#[test]
fn what_cannot_change_is_said_and_stays_as_it_was() {
    let old = settings("router-id 02:11:22:33:44:55:66:77\nprice 5\nlocal-port 1234");
    let new = settings("router-id 02:11:22:33:44:55:66:88\nprice 6\nlocal-path-readwrite /x");
    let difference = Difference::between(&old, &new, &BTreeSet::new());
    assert_eq!(
        difference.lines,
        [
            "price: 5 -> 6",
            "local-port: 1234 -> /x read-write (needs a restart)",
            "router-id: 02:11:22:33:44:55:66:77 -> 02:11:22:33:44:55:66:88 (needs a restart)",
        ]
    );
    assert_eq!(difference.target.router_id, old.router_id);
    assert_eq!(difference.target.local_socket, old.local_socket);
    assert_eq!(difference.target.price, Some(6));
}

#[test]
fn a_key_is_named_and_its_value_never_shown() {
    let key = |id: &str, value: &str| format!("key id {id} type hmac-sha256 value {value}\n");
    let lines = lines(
        &(key("old", "c0ffee") + &key("same", "aa") + &key("other", "bb")),
        &(key("new", "decaf0") + &key("same", "aa") + &key("other", "cc")),
    );
    assert_eq!(
        lines,
        ["key new: add", "key other: change", "key old: remove"]
    );
}

#[test]
fn goals_and_targets_come_go_and_change() {
    assert_eq!(
        lines(
            "qos-goal download 20M\nqos-goal ip 10.0.0.0/8 loss 1\nqos-goal ip fd00::/8\n\
             speedtest-target a babel://x\nspeedtest-target b ndt7://y\n\
             speedtest-target c iperf3://z",
            "qos-goal ip fd00::/8\nqos-goal download 30M latency 50\n\
             qos-goal ip 10.0.0.0/9 loss 2\nspeedtest-target d babel://neighbour\n\
             speedtest-target b ndt7://y interval 60 ip 10.0.0.0/8\nspeedtest-target c iperf3://z",
        ),
        [
            "qos-goal: remove ip 10.0.0.0/8 loss 1",
            "qos-goal: download 20M -> download 30M latency 50",
            "qos-goal: add ip 10.0.0.0/9 loss 2",
            "speedtest-target a: remove",
            "speedtest-target d: add babel://neighbour:6698 interval 3600 daily-budget 2000000000",
            "speedtest-target b: ndt7://y interval 3600 daily-budget 2000000000 -> \
             ndt7://y ip 10.0.0.0/8 interval 60 daily-budget 2000000000",
        ]
    );
}

#[test]
fn what_tests_use_changes_at_run_time() {
    let (old, new) = (
        settings("probe-prefix fd01::/64"),
        settings(
            "prefer price\nprobe-mark 0x10/0xf0\nprobe-table 9\nprobe-priority 8\n\
             quality-file \"\"\nunproven-penalty 7",
        ),
    );
    let difference = Difference::between(&old, &new, &BTreeSet::new());
    assert_eq!(
        difference.lines,
        [
            "unproven-penalty: 256 -> 7",
            "probe-prefix: fd01::/64 -> default",
            "probe-mark: 0xb0000000/0xf0000000 -> 0x10/0xf0",
            "probe-table: 47600 -> 9",
            "probe-priority: 1000 -> 8",
            "quality-file: /var/lib/babel-quality -> default",
            "prefer: quality -> price",
        ]
    );
    assert_eq!(difference.target.quality, new.quality);
}
