//! Interface options, the same on both sides: whatever stock babeld does with one, we do too.

use crate::{await_routes, with_each};
use anyhow::{Context, Result};
use interop_tests::control::word_after;
use interop_tests::network::{Id, Network};
use interop_tests::peers::Kind;
use std::time::Duration;

/// Statements that change how packets are sent or what a link costs.
const STATEMENTS: [&str; 6] = [
    "default unicast true",
    "default rfc6126-compatible true",
    "default link-quality true",
    "default split-horizon false",
    "default type wireless",
    "default type tunnel",
];

fn with_statement(test: &str, kind: Kind, statement: &str) -> Result<(Network, Id, Id)> {
    let mut network = Network::new(test)?;
    let (us, them) = (network.node("us")?, network.node("them")?);
    network.link(us, them)?;
    network.start(them, kind, &[statement])?;
    network.start(us, Kind::Ours, &[statement])?;
    Ok((network, us, them))
}

fn options(kind: Kind) -> Result<()> {
    for statement in STATEMENTS {
        let (network, us, them) = with_statement("options", kind, statement)?;
        for prefix in ["10.99.2.0/24", "fd00:99:2::/48"] {
            network.add_static(them, prefix)?;
        }
        let exchange = || -> Result<Duration> {
            let took = await_routes(&network, us, &them.prefixes(), them, kind.patience())?;
            await_routes(&network, them, &us.prefixes(), us, kind.patience())?;
            let late = ["10.99.2.0/24", "fd00:99:2::/48"];
            await_routes(&network, us, &late, them, kind.patience())?;
            Ok(took)
        };
        let took = exchange().with_context(|| format!("{kind}, with {statement:?}"))?;
        println!("{kind}, with {statement:?}: routes after {took:?}");
    }
    Ok(())
}

with_each!(options:
    routes_are_exchanged_under_any_option_with_ours => Ours,
    routes_are_exchanged_under_any_option_with_stock => Stock,
);

/// The round-trip time is measured from timestamps on both sides (RFC 9616).
fn round_trip(kind: Kind) -> Result<()> {
    let (network, us, them) = with_statement("rtt", kind, "default type tunnel")?;
    for node in [us, them] {
        let what = format!(
            "{} knows its neighbour's round-trip time",
            network.name(node)
        );
        network.wait(&what, kind.patience(), |network| {
            let lines = network.peer(node)?.ask("dump")?;
            let neighbour = lines.iter().find(|line| line.starts_with("add neighbour "));
            let rtt = neighbour.and_then(|line| word_after(line, "rtt"));
            // Milliseconds; a veth pair takes far less than one, a busy machine some.
            Ok(rtt.is_some_and(|rtt| rtt.parse().is_ok_and(|rtt: f64| rtt < 500.0)))
        })?;
    }
    Ok(())
}

with_each!(round_trip:
    round_trip_times_are_measured_with_ours => Ours,
    round_trip_times_are_measured_with_stock => Stock,
);
