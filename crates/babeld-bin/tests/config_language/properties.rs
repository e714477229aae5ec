//! Whatever is read, nothing panics, and an error points into its line.

use babeld::config::{Origin, Place, Settings, parse_statement};
use proptest::prelude::*;

/// Words of the language and values that sit on its edges.
const WORDS: [&str; 80] = [
    "interface",
    "default",
    "in",
    "out",
    "redistribute",
    "install",
    "key",
    "flush",
    "rxcost",
    "hello-interval",
    "type",
    "wired",
    "auto",
    "channel",
    "link-quality",
    "true",
    "ip",
    "src-ip",
    "eq",
    "le",
    "ge",
    "src-le",
    "neigh",
    "id",
    "proto",
    "local",
    "if",
    "allow",
    "deny",
    "metric",
    "price",
    "max-price",
    "none",
    "src-prefix",
    "table",
    "pref-src",
    "value",
    "hmac-sha256",
    "router-id",
    "metrics-port",
    "state-file",
    "debug",
    "fee",
    "qos-goal",
    "speedtest-target",
    "unproven-penalty",
    "probe-prefix",
    "probe-mark",
    "probe-table",
    "measure",
    "speedtest",
    "measurements",
    "neighbour",
    "target",
    "download",
    "latency",
    "loss",
    "interval",
    "daily-budget",
    "20M",
    "5G",
    "babel://[2001:db8::1]",
    "0xf0/0xff",
    "10.0.0.0/8",
    "::/0",
    "2001:db8::/200",
    "fe80::1",
    "0",
    "-1",
    "65535",
    "65536",
    "0x",
    "08",
    "1.5",
    "99999999999999999999999",
    "02:11:22:ff:fe:33:44:55",
    "\"a b\"",
    "\"",
    "#",
    "\\",
];

fn hostile_line() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        6 => proptest::sample::select(WORDS.as_slice()).prop_map(str::to_owned),
        1 => any::<String>(),
    ];
    proptest::collection::vec(word, 0..9).prop_map(|words| words.join(" "))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2000) })]

    #[test]
    fn any_line_is_understood_or_refused_within_itself(line in hostile_line()) {
        for origin in [Origin::file("f"), Origin::CommandLine, Origin::Socket] {
            if let Err(error) = parse_statement(&line, &Place::new(origin, 1)) {
                let length = u32::try_from(line.chars().count()).expect("short");
                prop_assert!((1..=length + 1).contains(&error.column), "{error}");
                prop_assert!(!error.reason.is_empty());
                prop_assert!(!error.headline().chars().any(|c| c.is_control()), "{error:?}");
                prop_assert!(error.to_string().len() < 4000);
            }
        }
    }

    #[test]
    fn any_file_is_read_or_refused_at_one_of_its_lines(octets in proptest::collection::vec(any::<u8>(), 0..200)) {
        let text = String::from_utf8_lossy(&octets);
        let mut settings = Settings::default();
        if let Err(error) = settings.read_text(&text, Origin::file("f")) {
            let lines = u32::try_from(text.split('\n').count()).expect("short");
            prop_assert!((1..=lines).contains(&error.place.line), "{error}");
        }
    }

    #[test]
    fn what_is_accepted_resolves_to_a_link_that_can_run(line in hostile_line()) {
        let mut settings = Settings::default();
        if settings.read_text(&line, Origin::file("f")).is_ok() {
            let link = settings.link_config("eth0", babeld::config::Medium::Unknown);
            prop_assert!(link.rxcost.0 > 0);
            prop_assert!(link.hello_interval.as_millis() >= 5);
            prop_assert!(link.update_interval.as_millis() <= 655_350);
        }
    }
}
