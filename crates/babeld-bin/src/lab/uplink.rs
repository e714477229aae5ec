//! Uplinks: what an operator sets up by hand around Babel, with the kernel's own means.
//!
//! A router gets a kernel route for the host's prefix over the uplink, which it may redistribute;
//! the host gets a route for everything back to the router, so that what is sent through a router
//! comes back through it. Both ends send at the uplink's rate.

use super::network::Member;
use super::scenario::{Host, interface_to};
use anyhow::{Context, Result};
use babel_netlink::{MAIN_TABLE, Prefix, Route};
use netns::{BitRate, Namespace};
use std::net::{IpAddr, Ipv4Addr};

/// `RTPROT_STATIC`: added by an administrator.
const BY_HAND: u8 = 4;
const EVERYTHING: (Ipv4Addr, u8) = (Ipv4Addr::UNSPECIFIED, 0);

/// Slows a link down in both directions.
pub(super) fn limit(ends: [&Member; 2], rate: BitRate) -> Result<()> {
    let [a, b] = ends;
    a.namespace.shape(&interface_to(b.node.name), rate)?;
    b.namespace.shape(&interface_to(a.node.name), rate)
}

/// Gives a host its address, and the two routes between it and its router.
pub(super) fn connect(router: &Member, member: &Member, host: Host) -> Result<()> {
    let address = format!("{}/32", host.address);
    member.namespace.add_address("lo", &address)?;
    add_route(&router.namespace, host.prefix, member)?;
    add_route(&member.namespace, EVERYTHING, router)
}

/// A route over the link to a node.
fn add_route(inside: &Namespace, to: (Ipv4Addr, u8), next: &Member) -> Result<()> {
    let (network, plen) = to;
    inside
        .routes(|socket| {
            let index = socket.link_by_name(&interface_to(next.node.name))?.index;
            let destination: Prefix = (IpAddr::from(network), plen);
            let route = Route::new(destination, MAIN_TABLE, BY_HAND);
            let mut route = route.via(next.node.ipv4().into(), index);
            route.onlink = true;
            Ok(socket.add_route(&route)?)
        })
        .with_context(|| format!("{network}/{plen} through {}", next.node.name))
}
