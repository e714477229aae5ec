//! Two nodes: routes both ways in both families, withdrawn and back, and a clean exit.

use crate::{AT_ONCE, await_loss, await_routes, pair, with_each};
use anyhow::{Result, ensure};
use interop_tests::network::{Id, Network};
use interop_tests::peers::Kind;
use std::time::Duration;

const OURS: [&str; 2] = ["10.99.1.0/24", "fd00:99:1::/48"];
const THEIRS: [&str; 2] = ["10.99.2.0/24", "fd00:99:2::/48"];
const DEFAULTS: [&str; 2] = ["0.0.0.0/0", "::/0"];

/// How long until a daemon's withdrawal of a static route is seen at its neighbour. Stock babeld
/// retracts another prefix than the one that went, FRR none, so their routes go by expiry.
fn withdrawal(kind: Kind) -> Duration {
    match kind {
        Kind::Ours => AT_ONCE,
        Kind::Stock | Kind::Bird | Kind::Frr => kind.patience(),
    }
}

fn exchange(kind: Kind) -> Result<()> {
    let (network, us, them) = pair("pair", kind)?;
    let limit = kind.patience();
    for (prefixes, node) in [(OURS, us), (THEIRS, them)] {
        for prefix in prefixes {
            network.add_static(node, prefix)?;
        }
    }
    let took = await_routes(&network, us, &them.prefixes(), them, limit)?;
    println!("{kind}: our first routes after {took:?}");
    await_routes(&network, us, &THEIRS, them, limit)?;
    await_routes(&network, them, &us.prefixes(), us, limit)?;
    await_routes(&network, them, &OURS, us, limit)?;
    traffic(&network, us, them)?;

    // Gone and back, first theirs, then ours.
    for (prefixes, owner, other, from) in [(THEIRS, them, us, kind), (OURS, us, them, Kind::Ours)] {
        for prefix in prefixes {
            network.delete_static(owner, prefix)?;
        }
        let took = await_loss(&network, other, &prefixes, withdrawal(from))?;
        println!("{kind}: {from} withdrew, seen after {took:?}");
        for prefix in prefixes {
            network.add_static(owner, prefix)?;
        }
        let took = await_routes(&network, other, &prefixes, owner, limit)?;
        println!("{kind}: {from} announced again, seen after {took:?}");
    }
    Ok(())
}

with_each!(exchange:
    routes_are_exchanged_with_ours => Ours,
    routes_are_exchanged_with_stock => Stock,
    routes_are_exchanged_with_bird => Bird,
    routes_are_exchanged_with_frr => Frr,
);

fn defaults(kind: Kind) -> Result<()> {
    let (network, us, them) = pair("defaults", kind)?;
    let limit = kind.patience();
    for (owner, other, from) in [(us, them, Kind::Ours), (them, us, kind)] {
        for prefix in DEFAULTS {
            network.add_static(owner, prefix)?;
        }
        await_routes(&network, other, &DEFAULTS, owner, limit)?;
        for prefix in DEFAULTS {
            network.delete_static(owner, prefix)?;
        }
        await_loss(&network, other, &DEFAULTS, withdrawal(from))?;
    }
    Ok(())
}

with_each!(defaults:
    default_routes_are_exchanged_with_ours => Ours,
    default_routes_are_exchanged_with_stock => Stock,
    default_routes_are_exchanged_with_bird => Bird,
    default_routes_are_exchanged_with_frr => Frr,
);

fn clean_exit(kind: Kind) -> Result<()> {
    let (mut network, us, them) = pair("exit", kind)?;
    await_routes(&network, us, &them.prefixes(), them, kind.patience())?;
    await_routes(&network, them, &us.prefixes(), us, kind.patience())?;
    network.stop(us)?;
    let left = network.kernel_routes(us)?;
    ensure!(
        !left.iter().any(|route| route.protocol == 42),
        "left in the kernel after a clean exit: {left:?}"
    );
    let took = await_loss(&network, them, &us.prefixes(), AT_ONCE)?;
    println!("{kind}: lost our routes {took:?} after our exit");
    Ok(())
}

with_each!(clean_exit:
    our_exit_is_seen_at_once_by_ours => Ours,
    our_exit_is_seen_at_once_by_stock => Stock,
    our_exit_is_seen_at_once_by_bird => Bird,
    our_exit_is_seen_at_once_by_frr => Frr,
);

fn clean_exit_of_others(kind: Kind) -> Result<()> {
    let (mut network, us, them) = pair("bye", kind)?;
    await_routes(&network, us, &them.prefixes(), them, kind.patience())?;
    network.stop(them)?;
    let took = await_loss(&network, us, &them.prefixes(), kind.patience())?;
    println!("{kind}: its exit seen after {took:?}");
    Ok(())
}

with_each!(clean_exit_of_others:
    the_exit_of_ours_loses_its_routes => Ours,
    the_exit_of_stock_loses_its_routes => Stock,
    the_exit_of_bird_loses_its_routes => Bird,
    the_exit_of_frr_loses_its_routes => Frr,
);

fn traffic(network: &Network, a: Id, b: Id) -> Result<()> {
    let _echo = network.echo(b)?;
    for mut sender in network.senders(a, b)? {
        sender.outage(Duration::from_secs(5))?;
    }
    Ok(())
}
