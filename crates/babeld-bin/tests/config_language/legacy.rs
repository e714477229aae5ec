//! Keys, requests of the control socket, and words of other versions.

use crate::{bad, refuses, settings};
use babeld::config::{Command, FilterKind, Origin, Place, Statement, parse_statement};

#[test]
fn keys_are_kept_and_the_last_of_an_id_wins() {
    let s = settings(
        "key id one type hmac-sha256 value 00ff\nkey value a0 type blake2s128 id two\n\
         key id one type hmac-sha256 value 01",
    );
    let keys: Vec<_> = s
        .keys
        .iter()
        .map(|k| (k.id.as_str(), k.value.clone()))
        .collect();
    assert_eq!(keys, [("one", vec![1]), ("two", vec![0xa0])]);
    assert!(!format!("{:?}", s.keys).contains("160"));
}

#[test]
fn a_bad_key_is_refused_without_being_shown() {
    let long = format!("key id x type hmac-sha256 value {}", "00".repeat(65));
    let longer = format!("key id x type blake2s128 value {}", "00".repeat(33));
    for (line, column, words) in [
        ("key", 4, "No key id was given"),
        (
            "key type hmac-sha256 value 5ec4e7",
            34,
            "No key id was given",
        ),
        (
            "key id x value 5ec4e7",
            22,
            "Key type 'none' isn't supported",
        ),
        (
            "key id x type none value 5ec4e7",
            15,
            "Key type 'none' isn't supported",
        ),
        (
            "key id x type md5 value 5ec4e7",
            15,
            "Key type 'md5' isn't supported",
        ),
        (
            "key id x type hmac-sha256 value 5ec4e7z",
            33,
            "Couldn't parse key value",
        ),
        (
            "key id x type hmac-sha256 value 5ec4e",
            33,
            "Couldn't parse key value",
        ),
        (
            "key id x type hmac-sha256 5ec4e7",
            27,
            "Unrecognized keyword",
        ),
        (
            "key id x type hmac-sha256 value \"5ec4e7\"",
            33,
            "quotes are not allowed",
        ),
        ("key id x type hmac-sha256", 26, "the key's value"),
        (&long, 33, "Key length is 65"),
        (&longer, 32, "Key length is 33"),
    ] {
        let error = bad(line);
        assert_eq!(error.column, column, "{line}: {error}");
        assert!(error.headline().contains(words), "{error}");
        assert!(!format!("{error} {error:?}").contains("5ec4e"), "{error}");
    }
}

#[test]
fn what_other_versions_accept_is_accepted_with_one_warning_for_each_word() {
    let s = settings(
        "diversity true\ndiversity 3\ndiversity-factor 128\nfirst-rule-priority 100\n\
         first-table-number 10\nubus-bindings true\nmetric-factor 1900\n\
         interface a channel 5\ninterface b channel interfering faraway true wired yes\n\
         flush interface a\nrouter-id 2:1:2:3:4:5:6:7:8",
    );
    let words: Vec<_> = s
        .warnings
        .iter()
        .map(|w| (w.place.line, w.word.as_str()))
        .collect();
    assert_eq!(
        words,
        [
            (1, "diversity"),
            (3, "diversity-factor"),
            (4, "first-rule-priority"),
            (5, "first-table-number"),
            (6, "ubus-bindings"),
            (7, "metric-factor"),
            (8, "channel"),
            (9, "faraway"),
            (9, "wired"),
            (10, "flush"),
            (11, "router-id"),
        ]
    );
    let wired = s.warnings.iter().find(|w| w.word == "wired");
    assert_eq!(
        wired.map(ToString::to_string).as_deref(),
        Some("Warning: keyword \"wired\" is deprecated -- please use \"type\" instead. (test:9)")
    );
    refuses(&[
        ("diversity 4", 11, "'4' is not a kind of diversity"),
        ("diversity-factor 257", 18, "from 0 to 256"),
        ("ubus-bindings maybe", 15, "not a truth value"),
        ("interface eth0 channel 300", 24, "'300' is not a channel"),
        ("interface eth0 wired maybe", 22, "not a truth value"),
    ]);
}

#[test]
fn requests_of_the_control_socket_are_for_it_alone() {
    let socket = Place::new(Origin::Socket, 1);
    for (line, command) in [
        ("dump", Command::Dump),
        ("monitor # x", Command::Monitor),
        (" unmonitor", Command::Unmonitor),
        ("quit", Command::Quit),
        ("reopen-logfile", Command::ReopenLogfile),
        (
            "flush interface eth0",
            Command::FlushInterface("eth0".into()),
        ),
        ("reload", Command::Reload { dry_run: false }),
        ("reload dry-run", Command::Reload { dry_run: true }),
        ("flush filters", Command::FlushFilters(None)),
        (
            "flush filters out",
            Command::FlushFilters(Some(FilterKind::Out)),
        ),
    ] {
        let parsed = parse_statement(line, &socket).expect("a command");
        assert_eq!(parsed.statement, Statement::Command(command), "{line}");
        let argument = Place::new(Origin::CommandLine, 1);
        assert!(parse_statement(line, &argument).is_err(), "{line}");
    }
    refuses(&[
        ("dump", 1, "'dump' is for the control socket only"),
        ("quit", 1, "'quit' is for the control socket only"),
        ("reopen-logfile", 1, "is for the control socket only"),
        ("dump x", 6, "'x' is too much"),
        (
            "flush",
            6,
            "'interface', 'filters' or 'measurements' after 'flush' is missing",
        ),
        ("flush everything", 7, "'everything' cannot be flushed"),
        ("flush interface", 16, "is missing"),
        ("flush filters both", 15, "'both'"),
        ("reload", 1, "'reload' is for the control socket only"),
        ("reload dryrun", 8, "is not one of dry-run"),
    ]);
}
