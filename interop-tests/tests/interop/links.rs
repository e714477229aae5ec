//! Interfaces that appear, flap, vanish and change their address while the daemon runs.

use crate::{AT_ONCE, await_loss, await_routes, facing, pair, with_each};
use anyhow::Result;
use interop_tests::network::Network;
use interop_tests::peers::Kind;

#[test]
fn an_interface_that_appears_later_is_used() -> Result<()> {
    let mut network = Network::new("late")?;
    let (us, them) = (network.node("us")?, network.node("them")?);
    network.start_on(us, Kind::Ours, &["to-them"], &[])?;
    network.start_on(them, Kind::Ours, &["to-us"], &[])?;
    network.link(us, them)?;
    let took = await_routes(&network, us, &them.prefixes(), them, Kind::Ours.patience())?;
    println!("routes {took:?} after the link was made");
    await_routes(&network, them, &us.prefixes(), us, Kind::Ours.patience())?;
    Ok(())
}

#[test]
fn an_interface_that_vanishes_and_returns_is_used_again() -> Result<()> {
    let (mut network, us, them) = pair("vanish", Kind::Ours)?;
    await_routes(&network, us, &them.prefixes(), them, Kind::Ours.patience())?;
    network.unlink(us, them)?;
    await_loss(&network, us, &them.prefixes(), AT_ONCE)?;
    await_loss(&network, them, &us.prefixes(), AT_ONCE)?;
    network.link(us, them)?;
    await_routes(&network, us, &them.prefixes(), them, Kind::Ours.patience())?;
    await_routes(&network, them, &us.prefixes(), us, Kind::Ours.patience())?;
    Ok(())
}

/// FRR 8.4 is not asked: when its carrier is lost for a moment it joins the Babel group before it has
/// left it, fails, and stays mute. That it is found again after a longer cut is seen in the diamond.
fn flap(kind: Kind) -> Result<()> {
    let (network, us, them) = pair("flap", kind)?;
    await_routes(&network, us, &them.prefixes(), them, kind.patience())?;
    await_routes(&network, them, &us.prefixes(), us, kind.patience())?;
    for _ in 0..3 {
        network.namespace(us).set_down("to-them")?;
        await_loss(&network, us, &them.prefixes(), AT_ONCE)?;
        network.namespace(us).set_up("to-them")?;
        let took = await_routes(&network, us, &them.prefixes(), them, 2 * kind.patience())?;
        println!("{kind}: routes again {took:?} after our interface came back");
    }
    await_routes(&network, them, &us.prefixes(), us, 2 * kind.patience())?;
    Ok(())
}

with_each!(flap:
    routes_return_when_an_interface_flaps_before_ours => Ours,
    routes_return_when_an_interface_flaps_before_stock => Stock,
    routes_return_when_an_interface_flaps_before_bird => Bird,
);

/// Our IPv4 address on the link changes: the other side follows. Stock babeld and FRR keep the
/// first next hop that they learned, so they are not asked.
fn our_address_changes(kind: Kind) -> Result<()> {
    let (mut network, us, them) = pair("readdress", kind)?;
    await_routes(&network, them, &us.prefixes(), us, kind.patience())?;
    network.set_ipv4(0, us, "10.1.1.77".parse()?)?;
    let took = await_routes(&network, them, &us.prefixes(), us, kind.patience())?;
    println!("{kind} followed our new address after {took:?}");
    await_routes(&network, us, &them.prefixes(), them, kind.patience())?;
    Ok(())
}

with_each!(our_address_changes:
    our_new_ipv4_address_is_followed_by_ours => Ours,
    our_new_ipv4_address_is_followed_by_bird => Bird,
);

fn their_address_changes(kind: Kind) -> Result<()> {
    let (mut network, us, them) = pair("theirs", kind)?;
    await_routes(&network, us, &them.prefixes(), them, kind.patience())?;
    network.set_ipv4(0, them, "10.1.1.78".parse()?)?;
    let took = await_routes(&network, us, &them.prefixes(), them, 2 * kind.patience())?;
    println!("we followed the new address of {kind} after {took:?}");
    Ok(())
}

with_each!(their_address_changes:
    we_follow_the_new_ipv4_address_of_stock => Stock,
    we_follow_the_new_ipv4_address_of_bird => Bird,
);

/// A node with IPv6 only on its link gains IPv4, and our daemon at once announces by it.
#[test]
fn an_interface_that_gains_ipv4_offers_it_as_next_hop() -> Result<()> {
    let mut network = Network::new("gain")?;
    let (us, them) = (network.node("us")?, network.node("them")?);
    network.link_without_ipv4(us, them)?;
    network.start(them, Kind::Ours, facing(Kind::Ours))?;
    network.start(us, Kind::Ours, facing(Kind::Ours))?;
    await_routes(&network, them, &us.prefixes(), us, Kind::Ours.patience())?;
    network.set_ipv4(0, them, "10.1.1.2".parse()?)?;
    network.set_ipv4(0, us, "10.1.1.1".parse()?)?;
    await_routes(&network, them, &us.prefixes(), us, Kind::Ours.patience())?;
    Ok(())
}
