//! Two ways from west to east: when one fails, packets take the other.

use crate::{AT_ONCE, await_routes, facing, with_each};
use anyhow::{Context, Result, anyhow};
use interop_tests::network::{Id, Network};
use interop_tests::peers::Kind;
use interop_tests::traffic::{Echo, Sender};
use std::thread;
use std::time::Duration;

struct Diamond {
    // Before the network, in which it has sockets.
    _echo: Echo,
    senders: [Sender; 2],
    network: Network,
    west: Id,
    ways: [Id; 2],
    east: Id,
}

/// A diamond in which traffic flows and west knows both ways.
fn diamond(test: &str, middle: Kind, ends: Kind) -> Result<Diamond> {
    let mut network = Network::new(test)?;
    let (west, east) = (network.node("west")?, network.node("east")?);
    let ways = [network.node("north")?, network.node("south")?];
    for way in ways {
        network.link(west, way)?;
        network.link(way, east)?;
    }
    for way in ways {
        network.start(way, middle, facing(ends))?;
    }
    network.start(west, ends, facing(middle))?;
    network.start(east, ends, facing(middle))?;
    let limit = 2 * middle.patience().max(ends.patience());
    network.wait("traffic can flow both ways", limit, |network| {
        let there = way_taken(network, west, east, &ways)?.is_some();
        Ok(there && way_taken(network, east, west, &ways)?.is_some())
    })?;
    if matches!(ends, Kind::Ours | Kind::Stock) {
        network.wait("west knows both ways", limit, |network| {
            let peer = network.peer(west)?;
            let [prefix, _] = east.prefixes();
            let metrics = peer.route_words(&prefix, "metric")?;
            let finite = metrics.iter().flatten().filter(|word| *word != "65535");
            Ok(finite.count() == 2)
        })?;
    }
    let echo = network.echo(east)?;
    let mut senders = network.senders(west, east)?;
    for sender in &mut senders {
        sender.outage(Duration::from_secs(10))?;
    }
    Ok(Diamond {
        _echo: echo,
        senders,
        network,
        west,
        ways,
        east,
    })
}

/// By which of `ways` the node reaches both addresses of `to`.
fn way_taken(network: &Network, node: Id, to: Id, ways: &[Id]) -> Result<Option<Id>> {
    let [ipv4, ipv6] = to.prefixes();
    for &way in ways {
        if network.leads(node, &ipv4, way)? && network.leads(node, &ipv6, way)? {
            return Ok(Some(way));
        }
    }
    Ok(None)
}

impl Diamond {
    /// The way that west takes, and the other.
    fn taken(&self) -> Result<[Id; 2]> {
        let taken = way_taken(&self.network, self.west, self.east, &self.ways)?;
        let taken = taken.context("west reaches east by two ways at once")?;
        let [north, south] = self.ways;
        Ok(if taken == north {
            [north, south]
        } else {
            [south, north]
        })
    }

    /// Waits for traffic in both families at the same time.
    fn await_recovery(&mut self, what: &str, limit: Duration) -> Result<()> {
        let outages: Vec<_> = thread::scope(|scope| {
            let all = self.senders.iter_mut();
            let all: Vec<_> = all
                .map(|sender| scope.spawn(move || sender.outage(limit)))
                .collect();
            all.into_iter().map(|probing| probing.join()).collect()
        });
        for (family, outage) in ["IPv4", "IPv6"].iter().zip(outages) {
            let outage = outage.map_err(|_| anyhow!("the {family} sender panicked"))?;
            let outage = outage.with_context(|| format!("{what}\n{}", self.network.report()))?;
            println!("{what}: {family} flowed again after {outage:?}");
        }
        Ok(())
    }
}

fn a_node_dies(middle: Kind, ends: Kind) -> Result<()> {
    let mut diamond = diamond("diamond", middle, ends)?;
    let [taken, other] = diamond.taken()?;
    diamond.network.crash(taken)?;
    let limit = middle.patience().max(ends.patience());
    diamond.await_recovery(&format!("{middle} died between {ends}"), limit)?;
    let (west, east) = (diamond.west, diamond.east);
    await_routes(&diamond.network, west, &east.prefixes(), other, AT_ONCE)?;
    Ok(())
}

fn other_dies(kind: Kind) -> Result<()> {
    a_node_dies(kind, Kind::Ours)
}

fn ours_dies(kind: Kind) -> Result<()> {
    a_node_dies(Kind::Ours, kind)
}

with_each!(other_dies:
    ours_survive_the_death_of_ours => Ours,
    ours_survive_the_death_of_stock => Stock,
    ours_survive_the_death_of_bird => Bird,
    ours_survive_the_death_of_frr => Frr,
);

with_each!(ours_dies:
    stock_survive_the_death_of_ours => Stock,
    bird_survive_the_death_of_ours => Bird,
    frr_survive_the_death_of_ours => Frr,
);

fn an_interface_goes_down(middle: Kind) -> Result<()> {
    let mut diamond = diamond("cut", middle, Kind::Ours)?;
    let [taken, other] = diamond.taken()?;
    let (west, east) = (diamond.west, diamond.east);
    let interface = diamond.network.interface(west, taken)?.to_owned();
    diamond.network.namespace(west).set_down(&interface)?;
    let took = await_routes(&diamond.network, west, &east.prefixes(), other, AT_ONCE)?;
    println!("{middle} between: west took the other way {took:?} after its interface went down");
    // The way back may lead over the cut link until its other end notices.
    diamond.await_recovery(&format!("cut before {middle}"), middle.patience())?;
    diamond.network.namespace(west).set_up(&interface)?;
    let network = &diamond.network;
    network.wait(
        "west knows both ways again",
        2 * middle.patience(),
        |network| {
            let metrics = network
                .peer(west)?
                .route_words(&east.prefixes()[0], "metric")?;
            let finite = metrics.iter().flatten().filter(|word| *word != "65535");
            Ok(finite.count() == 2)
        },
    )?;
    Ok(())
}

with_each!(an_interface_goes_down:
    traffic_survives_a_cut_before_ours => Ours,
    traffic_survives_a_cut_before_stock => Stock,
    traffic_survives_a_cut_before_bird => Bird,
    traffic_survives_a_cut_before_frr => Frr,
);
