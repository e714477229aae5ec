//! Source-specific routes with stock babeld, and IPv4 over links that have only IPv6.

use crate::{AT_ONCE, await_routes, pair, with_each};
use anyhow::Result;
use interop_tests::network::{Id, Network};
use interop_tests::peers::Kind;
use std::time::Duration;

const SOURCE: &str = "fd00:5:5::/48";
/// A site, and the way out for one provider's addresses.
const PREFIXES: [&str; 2] = ["fd00:99:7::/48", "::/0"];

fn source_specific(kind: Kind) -> Result<()> {
    let (network, us, them) = pair("source", kind)?;
    for (owner, other) in [(them, us), (us, them)] {
        for prefix in PREFIXES {
            network.add_static_from(owner, prefix, SOURCE)?;
        }
        await_specific(&network, other, owner, kind.patience(), true)?;
        for prefix in PREFIXES {
            network.delete_static_from(owner, prefix, SOURCE)?;
        }
        let limit = if owner == us {
            AT_ONCE
        } else {
            kind.patience()
        };
        await_specific(&network, other, owner, limit, false)?;
    }
    Ok(())
}

with_each!(source_specific:
    source_specific_routes_are_exchanged_with_ours => Ours,
    source_specific_routes_are_exchanged_with_stock => Stock,
);

fn await_specific(
    network: &Network,
    node: Id,
    next: Id,
    limit: Duration,
    wanted: bool,
) -> Result<()> {
    let what = format!("source-specific routes there: {wanted}");
    network.wait(&what, limit, |network| {
        for prefix in PREFIXES {
            let route = network.learned_from(node, prefix, Some(SOURCE))?;
            if network.is_through(node, route.as_ref(), next)? != wanted {
                return Ok(false);
            }
        }
        Ok(true)
    })?;
    Ok(())
}

#[test]
fn ipv4_crosses_links_without_ipv4_addresses() -> Result<()> {
    let mut network = Network::new("via-v6")?;
    let nodes = [
        network.node("west")?,
        network.node("middle")?,
        network.node("east")?,
    ];
    let [west, middle, east] = nodes;
    network.link_without_ipv4(west, middle)?;
    network.link_without_ipv4(middle, east)?;
    for node in nodes {
        network.start(node, Kind::Ours, &[])?;
    }
    let limit = Kind::Ours.patience();
    await_routes(&network, west, &east.prefixes(), middle, limit)?;
    await_routes(&network, east, &west.prefixes(), middle, limit)?;
    let _echo = network.echo(east)?;
    for mut sender in network.senders(west, east)? {
        sender.outage(Duration::from_secs(5))?;
    }
    Ok(())
}
