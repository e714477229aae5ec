//! What the kernel of a node holds, read over netlink.

use crate::network::{Id, Network, STUB};
use anyhow::{Context, Result};
use babel_netlink::{Family, MAIN_TABLE, Prefix, Route, RouteFilter, RouteKind};
use std::net::IpAddr;

/// `RTPROT_STATIC`: what the nodes redistribute.
const STATIC: u8 = 4;

impl Network {
    /// All routes of a node's main table.
    pub fn kernel_routes(&self, node: Id) -> Result<Vec<Route>> {
        self.namespace(node).routes(|socket| {
            let mut all = Vec::new();
            for family in Family::BOTH {
                let filter = RouteFilter::new(family).table(MAIN_TABLE);
                all.extend(socket.routes(&filter)?.0);
            }
            Ok(all)
        })
    }

    /// The route to `prefix` that the node's daemon put into the kernel, from any source.
    pub fn learned(&self, node: Id, prefix: &str) -> Result<Option<Route>> {
        self.learned_from(node, prefix, None)
    }

    /// The same, for packets from `source` only.
    pub fn learned_from(
        &self,
        node: Id,
        prefix: &str,
        source: Option<&str>,
    ) -> Result<Option<Route>> {
        let destination = parse(prefix)?;
        let source = source.map(parse).transpose()?;
        let protocol = self.peer(node)?.kind.protocol();
        let mut routes = self.kernel_routes(node)?;
        routes.retain(|route| {
            route.destination == destination
                && route.protocol == protocol
                && route.source.filter(|&(_, plen)| plen > 0) == source
        });
        Ok(routes.pop())
    }

    /// Whether the node's daemon leads `prefix` to `next`: the right next hop on the right
    /// interface, with the daemon's usual protocol and metric.
    pub fn leads(&self, node: Id, prefix: &str, next: Id) -> Result<bool> {
        let route = self.learned(node, prefix)?;
        self.is_through(node, route.as_ref(), next)
    }

    /// Whether a route of `node` goes through its neighbour `next`.
    pub fn is_through(&self, node: Id, route: Option<&Route>, next: Id) -> Result<bool> {
        let Some(route) = route else {
            return Ok(false);
        };
        let (ipv4, link_local) = self.next_hop(node, next)?;
        let gateway = match (route.destination.0, ipv4) {
            (IpAddr::V4(_), Some(address)) => IpAddr::V4(address),
            _ => IpAddr::V6(link_local),
        };
        let interface = self.interface(node, next)?;
        let index = self
            .namespace(node)
            .routes(|socket| Ok(socket.link_by_name(interface)?.index))?;
        let priority = self.peer(node)?.kind.priority(route.family());
        Ok(route.kind == RouteKind::Unicast
            && route.gateway == Some(gateway)
            && route.oif == Some(index)
            && route.effective_priority() == priority)
    }

    /// Whether the node has no usable route to `prefix` from its daemon: none, or "unreachable".
    pub fn lacks(&self, node: Id, prefix: &str) -> Result<bool> {
        let route = self.learned(node, prefix)?;
        Ok(route.is_none_or(|route| route.kind != RouteKind::Unicast))
    }

    /// Gives the node a static route that leads nowhere, to be redistributed.
    pub fn add_static(&self, node: Id, prefix: &str) -> Result<()> {
        let route = self.static_route(node, prefix, None)?;
        self.namespace(node)
            .routes(|socket| Ok(socket.add_route(&route)?))
    }

    /// The same, for packets from `source` only.
    pub fn add_static_from(&self, node: Id, prefix: &str, source: &str) -> Result<()> {
        let route = self.static_route(node, prefix, Some(source))?;
        self.namespace(node)
            .routes(|socket| Ok(socket.add_route(&route)?))
    }

    /// Takes a static route away.
    pub fn delete_static(&self, node: Id, prefix: &str) -> Result<()> {
        let route = self.static_route(node, prefix, None)?;
        self.namespace(node)
            .routes(|socket| Ok(socket.delete_route(&route)?))
    }

    /// Takes a source-specific static route away.
    pub fn delete_static_from(&self, node: Id, prefix: &str, source: &str) -> Result<()> {
        let route = self.static_route(node, prefix, Some(source))?;
        self.namespace(node)
            .routes(|socket| Ok(socket.delete_route(&route)?))
    }

    fn static_route(&self, node: Id, prefix: &str, source: Option<&str>) -> Result<Route> {
        let stub = self
            .namespace(node)
            .routes(|socket| Ok(socket.link_by_name(STUB)?.index))?;
        let mut route = Route::new(parse(prefix)?, MAIN_TABLE, STATIC);
        route.source = source.map(parse).transpose()?;
        route.oif = Some(stub);
        Ok(route)
    }
}

/// Reads `ADDRESS/LENGTH`.
pub fn parse(text: &str) -> Result<Prefix> {
    let malformed = || format!("{text:?} is not a prefix");
    let (address, plen) = text.split_once('/').with_context(malformed)?;
    Ok((
        address.parse().with_context(malformed)?,
        plen.parse().with_context(malformed)?,
    ))
}
