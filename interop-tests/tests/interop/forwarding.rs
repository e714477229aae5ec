//! What our routes make the kernel do: which of two crossing source-specific routes it takes
//! (RFC 9079 §4), and that a router without IPv4 addresses on its links still answers by ICMP
//! (RFC 9229 §3).

use crate::{await_routes, pair};
use anyhow::{Context, Result};
use interop_tests::network::{Id, Network};
use interop_tests::peers::Kind;
use std::time::Duration;

const SITE: &str = "fd00:99:7::/48";
const IN_SITE: &str = "fd00:99:7::1";
const SOURCE: &str = "fd00:5:5::/48";
const OF_SOURCE: &str = "fd00:5:5::1";
const SHORT: Duration = Duration::from_secs(10);

/// What a program says in a node's namespace, errors included.
fn says(network: &Network, node: Id, argv: &[&str]) -> Result<String> {
    let output = network.namespace(node).run(argv, SHORT)?;
    let said = [output.stdout, output.stderr].concat();
    Ok(String::from_utf8_lossy(&said).into_owned())
}

// 9079-4-1, 9079-4-2
#[test]
fn a_longer_destination_wins_over_a_longer_source() -> Result<()> {
    let (network, us, them) = pair("crossing", Kind::Ours)?;
    // A way out for one source, and a site for all.
    network.add_static_from(them, "::/0", SOURCE)?;
    network.add_static(them, SITE)?;
    network.wait("both routes are there", SHORT, |network| {
        let out = network.learned_from(us, "::/0", Some(SOURCE))?;
        Ok(out.is_some() && network.learned(us, SITE)?.is_some())
    })?;
    network
        .namespace(us)
        .add_address("lo", &format!("{OF_SOURCE}/128"))?;
    let way = |to: &str, from: &str| {
        let argv = ["ip", "-6", "-o", "route", "get", to, "from", from];
        says(&network, us, &argv)
    };
    let (inside, outside) = (way(IN_SITE, OF_SOURCE)?, way("fd00:88::1", OF_SOURCE)?);
    let interface = network.interface(us, them)?;
    assert!(inside.contains(interface) && outside.contains(interface));
    // The site disappears: were the source compared first, its packets would now take the way
    // out; destination first, they are refused.
    network.delete_static(them, SITE)?;
    network.wait("the site is unreachable", SHORT, |network| {
        network.lacks(us, SITE)
    })?;
    let inside = way(IN_SITE, OF_SOURCE)?;
    assert!(!inside.contains(interface), "{inside}");
    let outside = way("fd00:88::1", OF_SOURCE)?;
    assert!(outside.contains(interface), "{outside}");
    Ok(())
}

// 9229-3-1, 9229-3-2
#[test]
fn a_router_without_ipv4_addresses_still_answers_by_icmp() -> Result<()> {
    let mut network = Network::new("icmp")?;
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
    // It loses the only IPv4 address it has, that of its loopback.
    let address = format!("{}/32", middle.ipv4());
    network.namespace(middle).delete_address("lo", &address)?;
    let (from, to) = (west.ipv4().to_string(), east.ipv4().to_string());
    let argv = [
        "ping", "-4", "-c", "3", "-i", "0.2", "-t", "1", "-W", "1", "-I", &from, &to,
    ];
    let said = says(&network, west, &argv)?;
    let answer = said.lines().find(|line| line.contains("exceeded"));
    let answer = answer.with_context(|| format!("no ICMP error in: {said}"))?;
    assert!(answer.contains("192.0.0.8"), "{answer}");
    Ok(())
}
