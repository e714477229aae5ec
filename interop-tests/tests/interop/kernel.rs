//! What the kernel holds is what we want it to hold, whoever meddles and however we end.

use crate::{AT_ONCE, await_loss, await_routes, pair};
use anyhow::{Context, Result, ensure};
use babel_netlink::{MAIN_TABLE, Route};
use interop_tests::network::{Id, Network};
use interop_tests::observe::parse;
use interop_tests::peers::Kind;
use std::fs;
use std::time::Duration;

const KEPT: [&str; 2] = ["10.99.1.0/24", "fd00:99:1::/48"];
const WITHDRAWN: [&str; 2] = ["10.99.2.0/24", "fd00:99:2::/48"];
/// Until routes of an earlier life that nobody announces any more are given up.
const ADOPTION: Duration = Duration::from_secs(60);

#[test]
fn a_route_deleted_underneath_is_put_back() -> Result<()> {
    let (network, us, them) = pair("deleted", Kind::Ours)?;
    await_routes(&network, us, &them.prefixes(), them, Kind::Ours.patience())?;
    for prefix in them.prefixes() {
        let route = network.learned(us, &prefix)?.context("gone")?;
        network
            .namespace(us)
            .routes(|socket| Ok(socket.delete_route(&route)?))?;
        let took = await_routes(&network, us, &[&prefix], them, AT_ONCE)?;
        println!("{prefix} was back after {took:?}");
    }
    Ok(())
}

#[test]
fn routes_survive_a_crash_and_stale_ones_go_after_the_restart() -> Result<()> {
    let (mut network, us, them) = pair("crash", Kind::Ours)?;
    for prefix in KEPT.iter().chain(&WITHDRAWN) {
        network.add_static(them, prefix)?;
    }
    await_routes(&network, us, &KEPT, them, Kind::Ours.patience())?;
    await_routes(&network, us, &WITHDRAWN, them, Kind::Ours.patience())?;
    network.kill(us);
    for prefix in WITHDRAWN {
        network.delete_static(them, prefix)?;
    }
    network.start(us, Kind::Ours, &[])?;
    ensure!(
        all_led(&network, us, them, &WITHDRAWN)?,
        "the crash itself, or the start, removed routes"
    );
    let kept = "routes that are announced again stay all the time";
    network.wait("stale routes go", ADOPTION, |network| {
        ensure!(
            all_led(network, us, them, &KEPT)?,
            "{kept}\n{}",
            network.report()
        );
        for prefix in WITHDRAWN {
            if !network.lacks(us, prefix)? {
                return Ok(false);
            }
        }
        Ok(true)
    })?;
    network.stays(kept, Duration::from_secs(2), |network| {
        all_led(network, us, them, &KEPT)
    })
}

fn all_led(network: &Network, us: Id, them: Id, prefixes: &[&str]) -> Result<bool> {
    for prefix in prefixes {
        if !network.leads(us, prefix, them)? {
            return Ok(false);
        }
    }
    Ok(true)
}

#[test]
fn a_clean_exit_leaves_the_kernel_as_it_was() -> Result<()> {
    let mut network = Network::new("clean")?;
    let (us, them) = (network.node("us")?, network.node("them")?);
    network.link(us, them)?;
    network.start(them, Kind::Ours, &[])?;
    let settings = [
        "ipv4/conf/all/forwarding",
        "ipv6/conf/all/forwarding",
        "ipv6/conf/all/accept_redirects",
        "ipv4/conf/all/rp_filter",
        "ipv4/conf/to-them/rp_filter",
    ];
    network
        .namespace(us)
        .set("ipv4/conf/to-them/rp_filter", "2")?;
    let before = (read(&network, us, &settings)?, network.kernel_routes(us)?);
    network.start(us, Kind::Ours, &[])?;
    await_routes(&network, us, &them.prefixes(), them, Kind::Ours.patience())?;
    let during = read(&network, us, &settings)?;
    ensure!(
        during == ["1", "1", "0", "0", "0"],
        "{settings:?}: {during:?}"
    );
    network.stop(us)?;
    let after = (read(&network, us, &settings)?, network.kernel_routes(us)?);
    ensure!(before == after, "before {before:?}\nafter {after:?}");
    Ok(())
}

fn read(network: &Network, node: Id, settings: &[&str]) -> Result<Vec<String>> {
    let one = |setting: &&str| {
        let text = network
            .namespace(node)
            .with(|| fs::read_to_string(format!("/proc/sys/net/{setting}")))??;
        Ok(text.trim().to_owned())
    };
    settings.iter().map(one).collect()
}

#[test]
fn an_administrators_route_is_left_alone() -> Result<()> {
    let (network, us, them) = pair("admin", Kind::Ours)?;
    await_routes(&network, us, &them.prefixes(), them, Kind::Ours.patience())?;
    // RTPROT_BOOT: typed by hand, not to be redistributed.
    let stub = network
        .namespace(us)
        .routes(|socket| Ok(socket.link_by_name("stub")?.index))?;
    for prefix in KEPT {
        let mut route = Route::new(parse(prefix)?, MAIN_TABLE, 3);
        route.oif = Some(stub);
        network
            .namespace(us)
            .routes(|socket| Ok(socket.add_route(&route)?))?;
        network.add_static(them, prefix)?;
    }
    let marker = ["10.99.9.0/24", "fd00:99:9::/48"];
    for prefix in marker {
        network.add_static(them, prefix)?;
    }
    await_routes(&network, us, &marker, them, AT_ONCE)?;
    let theirs = |network: &Network| -> Result<bool> {
        let routes = network.kernel_routes(us)?;
        let mut kept = KEPT.iter().map(|prefix| parse(prefix));
        kept.try_fold(true, |all, prefix| {
            let prefix = prefix?;
            let found = |route: &Route| {
                route.destination == prefix && route.protocol == 3 && route.oif == Some(stub)
            };
            Ok(all && routes.iter().any(found))
        })
    };
    network.stays("the administrator's routes", Duration::from_secs(2), theirs)
}

#[test]
fn local_addresses_are_announced_and_withdrawn_as_they_come_and_go() -> Result<()> {
    let (network, us, them) = pair("addresses", Kind::Ours)?;
    await_routes(&network, them, &us.prefixes(), us, Kind::Ours.patience())?;
    let addresses = ["10.0.5.5/32", "fd00:5::5/128"];
    for address in addresses {
        network.namespace(us).add_address("lo", address)?;
    }
    let came = await_routes(&network, them, &addresses, us, AT_ONCE)?;
    for address in addresses {
        network.namespace(us).delete_address("lo", address)?;
    }
    let went = await_loss(&network, them, &addresses, AT_ONCE)?;
    println!("addresses: announced after {came:?}, withdrawn after {went:?}");
    Ok(())
}
