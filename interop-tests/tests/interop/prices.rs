//! Prices on the wire: they add up between nodes that know them, and disturb nobody else.

use crate::{AT_ONCE, await_routes};
use anyhow::{Result, ensure};
use interop_tests::capture::{Listener, Packet};
use interop_tests::network::{Id, Network};
use interop_tests::peers::Kind;
use std::time::Duration;

/// The price sub-TLV's type.
const PRICE: u8 = 112;

/// Waits until `node` has one route to each own prefix of `to`, at this price or unpriced.
fn await_price(network: &Network, node: Id, to: Id, price: Option<u32>) -> Result<()> {
    let what = format!(
        "{} sees {} at {price:?}",
        network.name(node),
        network.name(to)
    );
    let wanted = [price.map(|price| price.to_string())];
    network.wait(&what, 2 * AT_ONCE, |network| {
        for prefix in to.prefixes() {
            if network.peer(node)?.route_words(&prefix, "price")? != wanted {
                return Ok(false);
            }
        }
        Ok(true)
    })?;
    Ok(())
}

/// A line of nodes with these daemons and statements.
fn line(test: &str, daemons: &[(Kind, &[&str])]) -> Result<(Network, Vec<Id>)> {
    let mut network = Network::new(test)?;
    let mut nodes = Vec::new();
    for number in 1..=daemons.len() {
        nodes.push(network.node(&format!("n{number}"))?);
    }
    for neighbours in nodes.windows(2) {
        network.link(neighbours[0], neighbours[1])?;
    }
    for (&node, (kind, statements)) in nodes.iter().zip(daemons) {
        network.start(node, *kind, statements)?;
    }
    let (first, last) = (nodes[0], nodes[nodes.len() - 1]);
    let limit = 2 * Kind::Stock.patience();
    await_routes(&network, first, &last.prefixes(), nodes[1], limit)?;
    await_routes(
        &network,
        last,
        &first.prefixes(),
        nodes[nodes.len() - 2],
        limit,
    )?;
    Ok((network, nodes))
}

#[test]
fn fees_add_up_along_priced_nodes() -> Result<()> {
    let (network, nodes) = line(
        "fees",
        &[
            (Kind::Ours, &["price 7"]),
            (Kind::Ours, &["price 100"]),
            (Kind::Ours, &["price 50"]),
            (Kind::Ours, &["price 3"]),
        ],
    )?;
    // Each node in between takes its fee; the destination itself takes none.
    await_price(&network, nodes[0], nodes[1], Some(0))?;
    await_price(&network, nodes[0], nodes[2], Some(100))?;
    await_price(&network, nodes[0], nodes[3], Some(150))?;
    await_price(&network, nodes[3], nodes[0], Some(150))?;
    await_price(&network, nodes[3], nodes[1], Some(50))?;
    Ok(())
}

#[test]
fn a_fee_changed_at_the_socket_reaches_the_others() -> Result<()> {
    let (network, nodes) = line(
        "raise",
        &[
            (Kind::Ours, &["price 7"]),
            (Kind::Ours, &["price 100"]),
            (Kind::Ours, &["price 3"]),
        ],
    )?;
    await_price(&network, nodes[0], nodes[2], Some(100))?;
    network.peer(nodes[1])?.ask("price 400")?;
    let prefix = &nodes[2].prefixes()[0];
    let took = network.wait("the new price", Duration::from_secs(15), |network| {
        let prices = network.peer(nodes[0])?.route_words(prefix, "price")?;
        Ok(prices == [Some("400".to_owned())])
    })?;
    println!("the new price was seen after {took:?}");
    Ok(())
}

#[test]
fn routes_are_unpriced_beyond_a_stock_node() -> Result<()> {
    let (network, nodes) = line(
        "between",
        &[
            (Kind::Ours, &["price 7"]),
            (Kind::Ours, &["price 100"]),
            (Kind::Stock, &[]),
            (Kind::Ours, &["price 50"]),
        ],
    )?;
    // Stock babeld drops the price of n4; n2 pays nothing to it and takes its own fee from n1.
    await_price(&network, nodes[1], nodes[3], None)?;
    await_price(&network, nodes[3], nodes[1], None)?;
    await_price(&network, nodes[0], nodes[3], Some(100))?;
    let _echo = network.echo(nodes[3])?;
    for mut sender in network.senders(nodes[0], nodes[3])? {
        sender.outage(Duration::from_secs(5))?;
    }
    Ok(())
}

#[test]
fn a_route_beyond_the_limit_is_not_used() -> Result<()> {
    let mut network = Network::new("limit")?;
    let nodes = [
        network.node("n1")?,
        network.node("n2")?,
        network.node("n3")?,
    ];
    let [payer, seller, far] = nodes;
    network.link(payer, seller)?;
    network.link(seller, far)?;
    network.start(payer, Kind::Ours, &["max-price 100"])?;
    network.start(seller, Kind::Ours, &["price 100"])?;
    network.start(far, Kind::Ours, &["price 0"])?;
    await_routes(
        &network,
        payer,
        &far.prefixes(),
        seller,
        Kind::Ours.patience(),
    )?;
    network.peer(seller)?.ask("price 101")?;
    network.wait(
        "the seller is too dear",
        Duration::from_secs(20),
        |network| network.lacks(payer, &far.prefixes()[0]),
    )?;
    // The seller itself is no carrier on the way to itself.
    await_routes(&network, payer, &seller.prefixes(), seller, AT_ONCE)?;
    Ok(())
}

/// Listens to a LAN on which two of our nodes speak until both have announced their addresses in
/// full; all that was heard, and what the second of them thinks of the first.
fn heard_on_a_lan(test: &str, first: &[&str]) -> Result<(Vec<Packet>, Vec<Option<String>>)> {
    let mut network = Network::new(test)?;
    let (a, b, ear) = (network.node("a")?, network.node("b")?, network.node("ear")?);
    network.lan(&[a, b, ear])?;
    let listener = Listener::open(&network, ear, "lan")?;
    network.start(a, Kind::Ours, first)?;
    network.start(b, Kind::Ours, &[])?;
    let wanted: Vec<String> = [a, b].iter().flat_map(|node| node.prefixes()).collect();
    let complete = |packets: &[Packet]| {
        let updates: Vec<_> = packets.iter().flat_map(Packet::updates).collect();
        let times = |prefix: &String| {
            let of = |update: &&_| is_about(update, prefix);
            updates.iter().filter(of).count()
        };
        wanted.iter().all(|prefix| times(prefix) >= 3)
    };
    let packets = listener.collect(Duration::from_secs(20), complete);
    ensure!(
        complete(&packets),
        "not all of {wanted:?} announced thrice\n{}",
        network.report()
    );
    await_routes(&network, b, &a.prefixes(), a, Kind::Ours.patience())?;
    let prices = network.peer(b)?.route_words(&a.prefixes()[0], "price")?;
    Ok((packets, prices))
}

fn is_about(update: &interop_tests::capture::Heard, prefix: &str) -> bool {
    update.prefix.as_deref() == Some(prefix) && update.metric != u16::MAX
}

#[test]
fn with_prices_off_no_update_carries_a_sub_tlv() -> Result<()> {
    let (packets, prices) = heard_on_a_lan("off", &[])?;
    for update in packets.iter().flat_map(Packet::updates) {
        ensure!(update.sub_tlvs.is_empty(), "{update:?}");
    }
    ensure!(prices == [None], "{prices:?}");
    Ok(())
}

#[test]
fn with_prices_on_every_announcement_has_one_and_others_ignore_it() -> Result<()> {
    let (packets, prices) = heard_on_a_lan("on", &["price 9"])?;
    for update in packets.iter().flat_map(Packet::updates) {
        let Some(prefix) = &update.prefix else {
            continue;
        };
        // a's own addresses; b, whose prices are off, announces its own and passes a's on.
        let priced = update.sub_tlvs == [PRICE];
        let direct = prefix.ends_with(".1/32") || prefix.ends_with("::1/128");
        if update.metric == 0 && direct {
            ensure!(priced, "{update:?}");
        } else {
            ensure!(!priced || update.metric == u16::MAX || direct, "{update:?}");
        }
    }
    ensure!(
        prices == [None],
        "b has prices off and shows one: {prices:?}"
    );
    Ok(())
}
