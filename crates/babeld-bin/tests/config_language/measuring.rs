//! Requests of the control socket about measuring neighbours.

use crate::{good, refuses};
use babeld::config::{
    Command, FilterKind, Measure, Origin, Parsed, Peer, Place, Statement, parse_statement,
};
use qos_ranker::Quality;
use std::time::Duration;

/// What a line means on the control socket.
fn on_socket(line: &str) -> Statement {
    let place = Place::new(Origin::Socket, 1);
    match parse_statement(line, &place) {
        Ok(Parsed {
            statement,
            warnings,
        }) => {
            assert_eq!(warnings, [], "{line}");
            statement
        }
        Err(error) => panic!("{line:?} was refused:\n{error}"),
    }
}

fn rate(text: &str) -> Option<qos_ranker::Rate> {
    Some(text.parse().expect("a rate"))
}

#[test]
fn a_measurement_names_its_neighbour_in_any_order_of_words() {
    let measure = Measure {
        peer: Peer {
            interface: "eth0".into(),
            address: "fe80::1".parse().expect("an address"),
        },
        prefix: "10.0.0.0/8".parse().ok(),
        quality: Quality {
            download: rate("48M"),
            latency: Some(Duration::from_millis(20)),
            ..Quality::NONE
        },
        valid: Duration::from_secs(60),
    };
    for line in [
        "measure neighbour fe80::1 if eth0 ip 10.0.0.0/8 download 48M latency 20 valid 60",
        "measure download 48M valid 60 if \"eth0\" latency 20 neighbor fe80::1 ip 10.0.0.0/8",
    ] {
        let wanted = Statement::Command(Command::Measure(measure.clone()));
        assert_eq!(on_socket(line), wanted, "{line}");
    }
    let line = "measure neighbour fe80::1 if eth0 upload 0";
    let Statement::Command(Command::Measure(least)) = on_socket(line) else {
        panic!("{line}");
    };
    assert_eq!(
        (least.prefix, least.valid),
        (None, Duration::from_secs(3600))
    );
    refuses(&[
        (
            "measure",
            8,
            "the neighbour ('neighbour ADDRESS') of 'measure' is missing",
        ),
        (
            "measure neighbour fe80::1 upload 5",
            35,
            "interface ('if NAME') of 'measure' is missing",
        ),
        (
            "measure neighbour fe80::1 if e",
            31,
            "a result ('download', 'upload', 'latency' or",
        ),
        (
            "measure neighbour 10.0.0.1 if e",
            19,
            "'10.0.0.1' is not link-local",
        ),
        (
            "measure neighbour 2001:db8::1 if e",
            19,
            "is not link-local",
        ),
        (
            "measure neighbour fe80::1 if e loss 5%",
            37,
            "is not a percentage",
        ),
        (
            "measure neighbour fe80::1 if e speed 5",
            32,
            "'speed' is not a word of 'measure'",
        ),
        (
            "measure neighbour fe80::1 if e upload 5 valid 0",
            47,
            "out of range",
        ),
        (
            "measure neighbour fe80::1 if e upload 5",
            1,
            "for the control socket only",
        ),
    ]);
}

#[test]
fn tests_and_forgetting_are_asked_for_on_the_socket() {
    let peer = || Peer {
        interface: "eth0".into(),
        address: "fe80::1".parse().expect("an address"),
    };
    let speedtest = |target: Option<&str>| Command::Speedtest {
        peer: peer(),
        target: target.map(str::to_owned),
    };
    for (line, wanted) in [
        ("speedtest neighbour fe80::1 if eth0", speedtest(None)),
        (
            "speedtest if eth0 target paris neighbour fe80::1",
            speedtest(Some("paris")),
        ),
        ("flush measurements", Command::FlushMeasurements(None)),
        (
            "flush measurements neighbour fe80::1 if eth0",
            Command::FlushMeasurements(Some(peer())),
        ),
    ] {
        assert_eq!(on_socket(line), Statement::Command(wanted), "{line}");
    }
    refuses(&[
        (
            "speedtest",
            10,
            "the neighbour ('neighbour ADDRESS') of 'speedtest' is missing",
        ),
        (
            "speedtest neighbour fe80::1",
            28,
            "interface ('if NAME') of 'speedtest' is missing",
        ),
        (
            "speedtest neighbour fe80::1 if e target",
            40,
            "the target's name for 'target'",
        ),
        (
            "speedtest neighbour fe80::1 if e now",
            34,
            "'now' is not a word of 'speedtest'",
        ),
        (
            "speedtest neighbour fe80::1 if e",
            1,
            "'speedtest' is for the control socket only",
        ),
        (
            "flush measurements if e",
            24,
            "the neighbour ('neighbour ADDRESS')",
        ),
        (
            "flush measurements target x",
            20,
            "'target' is not a word of 'flush measurements'",
        ),
    ]);
    assert_eq!(good("flush measurements"), Statement::Nothing);
    assert_eq!(on_socket("flush filters in"), {
        Statement::Command(Command::FlushFilters(Some(FilterKind::In)))
    });
}
