//! ndt7 on loopback: our client against our responder.

mod support;

use support::relay::Relay;
use support::{Responder, about, done, failed, options, request};

#[test]
fn both_directions_are_measured_over_a_narrow_path() {
    let responder = Responder::start(options());
    let relay = Relay::start(responder.address(), 20_000_000, 8_000_000);
    let outcome = done(&request(&format!("ndt7+ws://{}", relay.address()), 20));
    println!("{outcome:?}");
    assert!(about(outcome.download_bps, 20_000_000, 10), "{outcome:?}");
    assert!(about(outcome.upload_bps, 8_000_000, 15), "{outcome:?}");
    assert!(outcome.idle_latency_us.is_some(), "{outcome:?}");
}

#[test]
fn a_fast_path_is_fast() {
    let responder = Responder::start(options());
    let outcome = done(&request(&format!("ndt7+ws://{}", responder.address()), 10));
    println!("{outcome:?}");
    assert!(outcome.download_bps > Some(50_000_000), "{outcome:?}");
    assert!(outcome.upload_bps > Some(50_000_000), "{outcome:?}");
    assert!(outcome.loaded_latency_us.is_some(), "{outcome:?}");
    assert!(outcome.loss.is_some(), "{outcome:?}");
}

#[test]
fn where_it_is_not_served_that_is_said() {
    let mut options = options();
    options.ndt7 = false;
    let responder = Responder::start(options);
    let (why, _) = failed(&request(&format!("ndt7+ws://{}", responder.address()), 10));
    assert!(why.starts_with("connect: the other side"), "{why}");
}
