//! Statements that set an option of the node, and how bad ones are reported.

use crate::{bad, good, refuses, settings};
use babeld::config::{Global, InterfaceOptions, InterfaceSettings, Prefer, Statement};
use std::time::Duration;

/// Checks lines that set one option of the node.
fn sets(cases: &[(&str, Global)]) {
    for (line, expected) in cases {
        assert_eq!(good(line), Statement::Global(expected.clone()), "{line}");
    }
}

#[test]
fn blanks_and_comments_are_nothing() {
    for line in ["", " ", "\t\r", "# x", "  #", "#interface eth0"] {
        assert_eq!(good(line), Statement::Nothing, "{line:?}");
    }
    assert_eq!(good("debug 3#x"), Statement::Global(Global::Debug(3)));
    assert_eq!(good("\tdebug\t 3 \r"), Statement::Global(Global::Debug(3)));
    assert_eq!(
        good("interface eth0#rxcost 5"),
        Statement::Interface(InterfaceSettings {
            name: "eth0".into(),
            options: InterfaceOptions::default(),
        })
    );
}

#[test]
fn options_of_the_node_that_take_numbers() {
    let half_life = |seconds| Global::SmoothingHalfLife(Duration::from_secs(seconds));
    let check = |seconds| Global::KernelCheckInterval(Some(Duration::from_secs(seconds)));
    let delay = |millis| Global::ShutdownDelay(Duration::from_millis(millis));
    sets(&[
        ("protocol-port 1", Global::ProtocolPort(1)),
        ("protocol-port 0x1a28", Global::ProtocolPort(6696)),
        ("protocol-port 65535", Global::ProtocolPort(65535)),
        ("kernel-priority 0", Global::KernelPriority(0)),
        ("kernel-priority 010", Global::KernelPriority(8)),
        ("allow-duplicates 5", Global::AllowDuplicates(5)),
        ("export-table 254", Global::ExportTable(254)),
        ("import-table 0", Global::ImportTable(0)),
        ("kernel-check-interval 0", Global::KernelCheckInterval(None)),
        ("kernel-check-interval 30", check(30)),
        ("shutdown-delay-ms 0", delay(0)),
        ("shutdown-delay-ms 250", delay(250)),
        ("debug 0", Global::Debug(0)),
        ("smoothing-half-life 0", half_life(0)),
        ("smoothing-half-life 70000", half_life(70_000)),
    ]);
    refuses(&[
        (
            "protocol-port",
            14,
            "the number for 'protocol-port' is missing",
        ),
        ("protocol-port # 5", 14, "is missing"),
        ("protocol-port 0", 15, "'0' is out of range"),
        ("protocol-port 65536", 15, "from 1 to 65535"),
        ("protocol-port -1", 15, "'-1' is out of range"),
        ("protocol-port 99999999999999999999", 15, "out of range"),
        ("protocol-port abc", 15, "'abc' is not a whole number"),
        ("protocol-port 5x", 15, "'5x' is not a whole number"),
        ("protocol-port 08", 15, "a leading 0 means octal"),
        ("protocol-port 0x", 15, "'0x' is not a whole number"),
        ("protocol-port 6696 7", 20, "'7' is too much"),
        ("protocol-port \"6696\"", 15, "quotes are not allowed here"),
        ("kernel-priority 65536", 17, "from 0 to 65535"),
        ("allow-duplicates -1", 18, "from 0 to 65535"),
        ("export-table 65536", 14, "from 0 to 65535"),
        ("import-table x", 14, "not a whole number"),
        ("kernel-check-interval 1.5", 23, "not a whole number"),
        ("shutdown-delay-ms 99999", 19, "from 0 to 65535"),
        ("debug -1", 7, "from 0 to 2147483647"),
        ("smoothing-half-life 1.5", 21, "not a whole number"),
    ]);
}

#[test]
fn options_of_the_node_that_are_on_or_off() {
    type Make = fn(bool) -> Global;
    let all: [(&str, Make); 7] = [
        ("link-detect", Global::LinkDetect),
        ("random-id", Global::RandomId),
        ("daemonise", Global::Daemonise),
        ("skip-kernel-setup", Global::SkipKernelSetup),
        ("ipv6-subtrees", Global::Ipv6Subtrees),
        ("reflect-kernel-metric", Global::ReflectKernelMetric),
        ("require-price", Global::RequirePrice),
    ];
    for (name, make) in all {
        for word in ["true", "yes"] {
            sets(&[(&format!("{name} {word}"), make(true))]);
        }
        for word in ["false", "no", "auto", "default"] {
            sets(&[(&format!("{name} {word}"), make(false))]);
        }
        let column = u32::try_from(name.len()).expect("short") + 2;
        refuses(&[
            (&format!("{name} 1"), column, "'1' is not a truth value"),
            (&format!("{name} True"), column, "is not a truth value"),
            (name, column - 1, "is missing"),
            (&format!("{name} true x"), column + 5, "'x' is too much"),
        ]);
    }
}

#[test]
fn options_of_the_node_that_take_files_and_addresses() {
    let path = |text: &str| Some(std::path::PathBuf::from(text));
    let listen = |text: &str| Global::MetricsListen(text.parse().expect("an address"));
    let group = "ff02::7".parse().expect("an address");
    sets(&[
        ("state-file /x", Global::StateFile(path("/x"))),
        (
            "state-file \"/a b\\\"c\"",
            Global::StateFile(path("/a b\"c")),
        ),
        ("log-file a\"b", Global::LogFile(path("a\"b"))),
        ("pid-file \"\"", Global::PidFile(None)),
        ("protocol-group ff02::7", Global::ProtocolGroup(group)),
        ("metrics-port 9100", listen("[::1]:9100")),
        ("metrics-port 127.0.0.1:9100", listen("127.0.0.1:9100")),
        ("metrics-port [fd00::1]:9100", listen("[fd00::1]:9100")),
        ("metrics-port fd00::1 9100", listen("[fd00::1]:9100")),
    ]);
    refuses(&[
        (
            "state-file",
            11,
            "the file name for 'state-file' is missing",
        ),
        ("log-file \"x", 10, "the quotes are not closed"),
        ("log-file \"x\\", 10, "the quotes are not closed"),
        ("log-file \"a\"b", 13, "'b' is too much"),
        ("local-path \"\"", 12, "is empty"),
        (
            "protocol-group fe80::1",
            16,
            "'fe80::1' is not a multicast address",
        ),
        ("protocol-group 224.0.0.1", 16, "an IPv6 multicast address"),
        ("metrics-port 0", 14, "'0' is not a port"),
        ("metrics-port [fd00::1]:9100x", 14, "is not a port"),
        (
            "metrics-port 127.0.0.1",
            23,
            "the number for 'metrics-port' is missing",
        ),
    ]);
}

#[test]
fn the_last_of_four_words_says_where_the_control_socket_is() {
    let address = |text: &str| {
        let socket = settings(text).local_socket.expect("a socket");
        (format!("{:?}", socket.address), socket.read_write)
    };
    let all = "local-path /a\nlocal-port-readwrite 5\nlocal-path-readwrite \"/b c\"\nlocal-port 6";
    let expected = [
        ("Path(\"/a\")", false),
        ("Port(5)", true),
        ("Path(\"/b c\")", true),
        ("Port(6)", false),
    ];
    for (lines, (place, read_write)) in (1..).zip(expected) {
        let text: Vec<_> = all.lines().take(lines).collect();
        assert_eq!(address(&text.join("\n")), (place.to_owned(), read_write));
    }
}

#[test]
fn router_ids_and_mac_addresses() {
    let eui = "02:11:22:ff:fe:33:44:55".parse().expect("a router-id");
    for line in [
        "router-id 02:11:22:ff:fe:33:44:55",
        "router-id 02-11-22-ff-fe-33-44-55",
        "router-id 2:11:22:FF:fe:33:44:55",
        "router-id 02:11:22:33:44:55",
        "router-id 02:11:22:ff:fe:33:44:55:66",
    ] {
        sets(&[(line, Global::RouterId(eui))]);
    }
    refuses(&[
        ("router-id 1:2:3", 11, "'1:2:3' is not a router-id"),
        ("router-id 02-11-22-33-44-55", 11, "is not a router-id"),
        ("router-id 02:11:22:33:44:55:66", 11, "is not a router-id"),
        (
            "router-id 02:11-22:33:44:55:66:77",
            11,
            "is not a router-id",
        ),
        ("router-id é:1:2:3:4:5:6:7", 11, "is not a router-id"),
        (
            "router-id 0:0:0:0:0:0:0:0",
            11,
            "neither all zeroes nor all ones",
        ),
        (
            "router-id ff:ff:ff:ff:ff:ff:ff:ff",
            11,
            "neither all zeroes",
        ),
    ]);
}

#[test]
fn options_about_prices() {
    sets(&[
        ("price 0", Global::Price(0)),
        ("price 4294967294", Global::Price(4_294_967_294)),
        ("fee 7", Global::Price(7)),
        ("price-unit 4096", Global::PriceUnit(4096)),
        ("price-sub-tlv 113", Global::PriceSubTlv(113)),
        ("prefer quality", Global::Prefer(Prefer::Quality)),
        ("prefer price", Global::Prefer(Prefer::Price)),
    ]);
    refuses(&[
        ("price 4294967295", 7, "from 0 to 4294967294"),
        ("price -1", 7, "out of range"),
        ("price 1.5", 7, "not a whole number"),
        ("price-unit 65536", 12, "from 0 to 65535"),
        ("price-sub-tlv 1", 15, "from 4 to 126"),
        ("price-sub-tlv 127", 15, "from 4 to 126"),
        ("max-price", 10, "the limit for 'max-price' is missing"),
        ("max-price free", 11, "'free' is not a price"),
        ("max-price 4294967295", 11, "is not a price"),
        (
            "max-price 5 10.0.0.0/8",
            13,
            "'10.0.0.0/8' is not one of ip",
        ),
        ("max-price 5 ip", 15, "the prefix for 'ip' is missing"),
        ("max-price 5 ip x", 16, "'x' is not a prefix"),
        ("max-price 5 ip ::/0 x", 21, "'x' is too much"),
        ("prefer cheap", 8, "'cheap' is not one of quality, price"),
    ]);
}

#[test]
fn a_price_limit_replaces_the_one_for_the_same_prefix() {
    let s = settings(
        "max-price 100\nmax-price none ip 10.0.0.0/8\nmax-price 7 ip 10.1.0.0/16\nmax-price 200",
    );
    let limits: Vec<_> = s
        .max_price
        .iter()
        .map(|m| (m.prefix.map(|p| p.to_string()), m.limit))
        .collect();
    assert_eq!(
        limits,
        [
            (None, Some(200)),
            (Some("10.0.0.0/8".into()), None),
            (Some("10.1.0.0/16".into()), Some(7)),
        ]
    );
}

#[test]
fn any_word_about_prices_turns_them_on() {
    assert!(!settings("prefer price\nmetric-factor 5\ninterface eth0").prices_on());
    for text in [
        "price 0",
        "fee 0",
        "price-unit 0",
        "price-sub-tlv 112",
        "max-price none",
        "require-price false",
        "interface eth0 price 0",
        "default price 1",
        "in price 0",
        "out price 1",
        "redistribute local price 1",
    ] {
        assert!(settings(text).prices_on(), "{text}");
    }
}

#[test]
fn near_words_are_suggested() {
    for (line, hint) in [
        ("interface eth0 hello-intervall 4", "hello-interval"),
        ("interface eth0 rxcots 5", "rxcost"),
        ("interface eth0 type wierd", "wired"),
        ("intreface eth0", "interface"),
        ("Interface eth0", "interface"),
        ("redistibute local deny", "redistribute"),
        ("local_port 33123", "local-port"),
        ("redistribute local dney", "deny"),
        ("max_price 5", "max-price"),
    ] {
        let hint = format!("did you mean '{hint}'?");
        assert_eq!(bad(line).hint, Some(hint), "{line}");
    }
    assert_eq!(bad("elephant").hint, None);
}

#[test]
fn an_error_shows_the_line_and_knows_stocks_words() {
    let error = bad("interface eth0 hello-intervall 4");
    assert_eq!(
        error.to_string(),
        "/etc/babeld.conf:7:16: 'hello-intervall' is not an interface option; did you mean \
         'hello-interval'?\n\
         interface eth0 hello-intervall 4\n               ^~~~~~~~~~~~~~~"
    );
    assert_eq!(
        error.stock_line(),
        "Couldn't parse configuration from file /etc/babeld.conf (error at line 7)."
    );
}

#[test]
fn hostile_words_are_refused_with_a_short_message() {
    let long = "x".repeat(255);
    let error = bad(&format!("interface {long}"));
    assert!(error.reason.contains("at most 254 octets"), "{error}");
    assert!(error.to_string().len() < 400);
    let longest = &long[1..];
    sets(&[(
        &format!("state-file {longest}"),
        Global::StateFile(Some(longest.into())),
    )]);
    refuses(&[
        ("interface a\u{fffd}", 11, "not valid UTF-8"),
        ("interface a\0b", 11, "NUL"),
        ("\"interface\" eth0", 1, "quotes are not allowed here"),
        ("interface eth0\ninterface eth1", 15, "one line"),
        ("log-file \"a\nb\"", 10, "the quotes are not closed"),
    ]);
}
