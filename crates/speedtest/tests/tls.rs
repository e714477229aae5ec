//! Our own protocol in TLS with a pinned key.
#![cfg(feature = "tls")]

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use support::{Responder, done, failed, options, request};

fn responder(folder: &std::path::Path) -> Responder {
    let mut options = options();
    options.plain = false;
    options.key = Some(folder.join("sub/key"));
    Responder::start(options)
}

fn url(responder: &Responder, pin: &str) -> String {
    format!("babels://{}?pin={pin}", responder.address())
}

#[test]
fn the_owner_of_the_pinned_key_is_measured() {
    let folder = tempfile::tempdir().expect("a folder");
    let responder = responder(folder.path());
    let pin = responder.server.pin().expect("a pin").to_string();
    let outcome = done(&request(&url(&responder, &pin), 8));
    println!("{outcome:?}");
    assert!(outcome.download_bps > Some(20_000_000), "{outcome:?}");
    assert!(outcome.upload_bps > Some(20_000_000), "{outcome:?}");
    assert!(outcome.loss.is_some(), "{outcome:?}");
}

#[test]
fn another_key_is_refused_and_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let responder = responder(folder.path());
    let other = format!("sha256:{}", "00".repeat(32));
    let (why, bytes) = failed(&request(&url(&responder, &other), 8));
    let pin = responder.server.pin().expect("a pin").to_string();
    assert!(why.starts_with("connect: ") && why.contains(&pin), "{why}");
    assert!(bytes < 10_000, "{bytes}");
    // Nor does it answer in the clear.
    let (why, _) = failed(&request(&responder.url(), 8));
    assert!(why.starts_with("connect: "), "{why}");
}

#[test]
fn the_key_is_kept_and_is_its_owners_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let first = responder(folder.path()).server.pin();
    let key = folder.path().join("sub/key");
    let mode = fs::metadata(&key).expect("the key").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(responder(folder.path()).server.pin(), first);
    // What is no key is neither used nor overwritten.
    fs::write(&key, "hello").expect("written");
    let mut options = options();
    options.key = Some(key.clone());
    let error = speedtest::server::Server::start(options, std::sync::Arc::new(|_| ()))
        .expect_err("no key")
        .to_string();
    assert!(error.contains("sub/key"), "{error}");
    assert_eq!(fs::read(&key).expect("the file"), b"hello");
}
