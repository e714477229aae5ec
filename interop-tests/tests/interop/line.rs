//! Three nodes in a line: what one learns, it passes on, and packets follow.

use crate::{AT_ONCE, await_loss, await_routes, facing, with_each};
use anyhow::Result;
use babel_netlink::RouteKind;
use interop_tests::network::{Id, Network};
use interop_tests::peers::Kind;
use std::time::Duration;

const FAR: [&str; 2] = ["10.99.3.0/24", "fd00:99:3::/48"];

/// West, middle and east; east announces [`FAR`].
fn line(test: &str, middle: Kind, ends: Kind) -> Result<(Network, [Id; 3])> {
    let mut network = Network::new(test)?;
    let nodes = [
        network.node("west")?,
        network.node("middle")?,
        network.node("east")?,
    ];
    let [west, centre, east] = nodes;
    network.link(west, centre)?;
    network.link(centre, east)?;
    for prefix in FAR {
        network.add_static(east, prefix)?;
    }
    for (node, kind, other) in [
        (centre, middle, ends),
        (west, ends, middle),
        (east, ends, middle),
    ] {
        network.start(node, kind, facing(other))?;
    }
    Ok((network, nodes))
}

fn passes_on(middle: Kind, ends: Kind) -> Result<()> {
    let (network, [west, centre, east]) = line("line", middle, ends)?;
    let limit = 2 * middle.patience().max(ends.patience());
    let took = await_routes(&network, west, &east.prefixes(), centre, limit)?;
    println!("{ends} - {middle} - {ends}: end to end after {took:?}");
    await_routes(&network, west, &FAR, centre, limit)?;
    await_routes(&network, centre, &FAR, east, limit)?;
    await_routes(&network, east, &west.prefixes(), centre, limit)?;
    let _echo = network.echo(east)?;
    for mut sender in network.senders(west, east)? {
        sender.outage(Duration::from_secs(5))?;
    }
    Ok(())
}

fn ours_in_the_middle(kind: Kind) -> Result<()> {
    passes_on(Kind::Ours, kind)
}

fn other_in_the_middle(kind: Kind) -> Result<()> {
    passes_on(kind, Kind::Ours)
}

with_each!(ours_in_the_middle:
    ours_passes_on_routes_of_ours => Ours,
    ours_passes_on_routes_of_stock => Stock,
    ours_passes_on_routes_of_bird => Bird,
    ours_passes_on_routes_of_frr => Frr,
);

with_each!(other_in_the_middle:
    our_routes_are_passed_on_by_stock => Stock,
    our_routes_are_passed_on_by_bird => Bird,
    our_routes_are_passed_on_by_frr => Frr,
);

/// A retraction reaches the far end, which makes the destination unreachable rather than let
/// packets fall through to a less specific route.
fn retraction(middle: Kind) -> Result<()> {
    let (network, [west, centre, east]) = line("retraction", middle, Kind::Ours)?;
    let limit = 2 * middle.patience();
    await_routes(&network, west, &FAR, centre, limit)?;
    for prefix in FAR {
        network.delete_static(east, prefix)?;
    }
    let soon = if middle == Kind::Frr {
        limit
    } else {
        2 * AT_ONCE
    };
    let took = await_loss(&network, west, &FAR, soon)?;
    println!("{middle} in the middle: retraction seen after {took:?}");
    let refused = |network: &Network| -> Result<bool> {
        for prefix in FAR {
            let route = network.learned(west, prefix)?;
            let refused = |kind: RouteKind| kind == RouteKind::Unreachable;
            if !route.is_some_and(|route| refused(route.kind) && route.priority == Some(u32::MAX)) {
                return Ok(false);
            }
        }
        Ok(true)
    };
    network.wait("west refuses what is retracted", AT_ONCE, refused)?;
    for prefix in FAR {
        network.add_static(east, prefix)?;
    }
    let took = await_routes(&network, west, &FAR, centre, limit)?;
    println!("{middle} in the middle: back after {took:?}");
    Ok(())
}

with_each!(retraction:
    retraction_through_ours_makes_unreachable_and_heals => Ours,
    retraction_through_stock_makes_unreachable_and_heals => Stock,
    retraction_through_bird_makes_unreachable_and_heals => Bird,
    retraction_through_frr_makes_unreachable_and_heals => Frr,
);
