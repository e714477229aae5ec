//! Our own protocol on loopback: client against responder.

mod support;

use speedtest::{LossSource, Message, Phase};
use support::relay::Relay;
use support::{Responder, about, done, options, request, run};

#[test]
fn a_test_measures_everything_and_tells_each_phase() {
    let responder = Responder::start(options());
    let (progress, end) = run(&request(&responder.url(), 8));
    let Message::Done(outcome) = end else {
        panic!("{end:?}");
    };
    println!("{outcome:?}");
    assert!(outcome.download_bps > Some(50_000_000), "{outcome:?}");
    assert!(outcome.upload_bps > Some(50_000_000), "{outcome:?}");
    assert!(
        outcome.idle_latency_us.is_some_and(|us| us < 50_000),
        "{outcome:?}"
    );
    assert!(outcome.loaded_latency_us.is_some(), "{outcome:?}");
    let loss = outcome.loss.expect("echoes came back");
    assert_eq!(loss.by, LossSource::Echo);
    let mut phases: Vec<Phase> = Vec::new();
    let mut last = (0, 0);
    for message in progress {
        let Message::Progress {
            phase,
            bytes,
            elapsed_ms,
            ..
        } = message
        else {
            panic!("{message:?}");
        };
        if phases.last() != Some(&phase) {
            phases.push(phase);
        }
        assert!((bytes, elapsed_ms) >= last);
        last = (bytes, elapsed_ms);
    }
    use Phase::{Connect, Download, Idle, Loss, Upload};
    assert_eq!(phases, [Connect, Idle, Loss, Download, Upload]);
    assert!(outcome.bytes >= last.0);
}

#[test]
fn the_byte_limit_holds_and_a_measurement_comes_out_of_it() {
    let responder = Responder::start(options());
    let mut request = request(&responder.url(), 8);
    request.bytes_limit = 40_000_000;
    let outcome = done(&request);
    assert!(outcome.bytes <= 40_000_000, "{outcome:?}");
    assert!(outcome.bytes > 4_000_000, "{outcome:?}");
}

#[test]
fn a_narrow_path_is_measured_for_what_it_is_in_each_direction() {
    let responder = Responder::start(options());
    for (down, up) in [(20_000_000, 4_000_000), (1_000_000, 60_000_000)] {
        let relay = Relay::start(responder.address(), down, up);
        let outcome = done(&request(&format!("babel://{}", relay.address()), 12));
        println!("{down} down, {up} up: {outcome:?}");
        assert!(about(outcome.download_bps, down, 10), "{outcome:?}");
        assert!(about(outcome.upload_bps, up, 10), "{outcome:?}");
    }
}

#[test]
fn a_steady_path_is_left_early() {
    let responder = Responder::start(options());
    let relay = Relay::start(responder.address(), 30_000_000, 30_000_000);
    let outcome = done(&request(&format!("babel://{}", relay.address()), 30));
    println!("{outcome:?}");
    assert!(outcome.early_stop, "{outcome:?}");
    assert!(outcome.elapsed_ms < 20_000, "{outcome:?}");
    assert!(outcome.confidence.percent() > 80, "{outcome:?}");
}
