//! Keys on interfaces, and what protection of the link they come to.

use crate::{refuses, settings};
use babel_core::auth::{Algorithm, Purpose};
use babeld::config::{Medium, Origin, Settings};

const KEYS: &str = "key id one type hmac-sha256 value 0102\nkey id two type blake2s128 value 03\n";

fn with_keys(lines: &str) -> Settings {
    settings(&format!("{KEYS}{lines}"))
}

/// The keys of `eth0`: their algorithms, and whether packets are signed with them.
fn used(settings: &Settings) -> Option<Vec<(Algorithm, bool)>> {
    let auth = settings.link_config("eth0", Medium::Unknown).auth?;
    let one = |key: &babel_core::auth::LinkKey| {
        let signs = key.purpose == Purpose::SignAndAccept;
        (key.key.algorithm(), signs)
    };
    Some(auth.keys().iter().map(one).collect())
}

const SHA: Algorithm = Algorithm::HmacSha256;
const BLAKE: Algorithm = Algorithm::Blake2s128;

#[test]
fn an_interface_has_the_keys_of_its_last_line_that_names_any() {
    for (lines, expected) in [
        ("interface eth0", None),
        ("interface eth1 key one", None),
        ("interface eth0 key one", Some(vec![(SHA, true)])),
        (
            "interface eth0 key two key one",
            Some(vec![(BLAKE, true), (SHA, true)]),
        ),
        (
            "interface eth0 key two accept-key one",
            Some(vec![(BLAKE, true), (SHA, false)]),
        ),
        (
            "interface eth0 key one accept-key one",
            Some(vec![(SHA, false)]),
        ),
        (
            "interface eth0 key one\ninterface eth0 key two\ninterface eth0 rxcost 9",
            Some(vec![(BLAKE, true)]),
        ),
        ("interface eth0\ndefault key one", Some(vec![(SHA, true)])),
        (
            "default key one\ninterface eth0 key two",
            Some(vec![(BLAKE, true)]),
        ),
    ] {
        assert_eq!(used(&with_keys(lines)), expected, "{lines}");
    }
}

#[test]
fn a_key_redefined_later_counts_with_its_last_value() {
    let s = with_keys("interface eth0 key one\nkey id one type blake2s128 value 05");
    assert_eq!(used(&s), Some(vec![(BLAKE, true)]));
}

#[test]
fn protection_knows_port_group_and_tolerance() {
    let s = with_keys(
        "interface eth0 key one accept-bad-signatures true\n\
         protocol-port 7000\nprotocol-group ff02::7",
    );
    let auth = s.link_config("eth0", Medium::Unknown).auth.expect("keys");
    assert_eq!(auth.port, 7000);
    assert_eq!(auth.group.to_string(), "ff02::7");
    assert!(auth.accept_bad_signatures);
    assert_eq!(s.warnings, []);
    let s = with_keys("interface eth0 key one");
    let auth = s.link_config("eth0", Medium::Unknown).auth.expect("keys");
    assert_eq!((auth.port, auth.accept_bad_signatures), (6696, false));
    assert_eq!(auth.group.to_string(), "ff02::1:6");
}

#[test]
fn a_key_must_be_defined_before_the_line_that_uses_it() {
    for (line, column) in [
        ("interface eth0 key one", 20),
        ("interface one key one", 19),
        ("default rxcost 9 accept-key\tone", 29),
    ] {
        let text = format!("{line}\n{KEYS}");
        let mut settings = Settings::default();
        let error = settings
            .read_text(&text, Origin::file("test"))
            .expect_err("no such key yet");
        assert_eq!((error.place.line, error.column), (1, column), "{error}");
        assert!(error.headline().contains("Couldn't find key 'one'"));
        let mut settings = Settings::default();
        assert!(settings.read_argument(line).is_err(), "{line}");
    }
}

#[test]
fn a_fifth_key_and_a_missing_one_are_refused() {
    refuses(&[
        (
            "interface eth0 key",
            19,
            "the key's id for 'key' is missing",
        ),
        (
            "default accept-key",
            19,
            "the key's id for 'accept-key' is missing",
        ),
        (
            "default key a key b key c key d key e",
            37,
            "4 keys at most",
        ),
    ]);
}
