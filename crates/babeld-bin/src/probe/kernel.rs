//! The narrow door to the kernel: rules, routes of one table, addresses.
//!
//! A trait, so that what is built on it can be tested against a kernel made of vectors.

use babel_netlink::{AddressInfo, Error, Family, Route, RouteFilter, RouteSocket, Rule};
use std::net::IpAddr;

/// What pins and probe addresses ask of the kernel.
pub trait Kernel {
    /// All policy rules of a family, in the order in which they are tried.
    fn rules(&mut self, family: Family) -> Result<Vec<Rule>, Error>;
    /// Adds a rule; `EEXIST` if the same is there.
    fn add_rule(&mut self, rule: &Rule) -> Result<(), Error>;
    /// Deletes a rule; `ENOENT` if there is none.
    fn delete_rule(&mut self, rule: &Rule) -> Result<(), Error>;
    /// All routes of a family in a table, whoever owns them.
    fn table(&mut self, family: Family, table: u32) -> Result<Vec<Route>, Error>;
    /// Adds a route; `EEXIST` if its slot is taken.
    fn add_route(&mut self, route: &Route) -> Result<(), Error>;
    /// Deletes a route; `ESRCH` if it is not there.
    fn delete_route(&mut self, route: &Route) -> Result<(), Error>;
    /// Which way a marked packet would go.
    fn route_for(&mut self, destination: IpAddr, mark: u32) -> Result<Route, Error>;
    /// All addresses of this host.
    fn addresses(&mut self) -> Result<Vec<AddressInfo>, Error>;
    /// Puts a host address marked as ours on a device.
    fn add_address(&mut self, ifindex: u32, address: IpAddr, protocol: u8) -> Result<(), Error>;
    /// Takes a host address from a device.
    fn delete_address(&mut self, ifindex: u32, address: IpAddr) -> Result<(), Error>;
}

/// Bits of an address.
pub(super) const fn host_plen(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

impl Kernel for RouteSocket {
    fn rules(&mut self, family: Family) -> Result<Vec<Rule>, Error> {
        Self::rules(self, family)
    }

    fn add_rule(&mut self, rule: &Rule) -> Result<(), Error> {
        Self::add_rule(self, rule)
    }

    fn delete_rule(&mut self, rule: &Rule) -> Result<(), Error> {
        Self::delete_rule(self, rule)
    }

    fn table(&mut self, family: Family, table: u32) -> Result<Vec<Route>, Error> {
        // A table that is ours alone does not change while it is read.
        let (routes, _) = self.routes(&RouteFilter::new(family).table(table))?;
        Ok(routes)
    }

    fn add_route(&mut self, route: &Route) -> Result<(), Error> {
        Self::add_route(self, route)
    }

    fn delete_route(&mut self, route: &Route) -> Result<(), Error> {
        Self::delete_route(self, route)
    }

    fn route_for(&mut self, destination: IpAddr, mark: u32) -> Result<Route, Error> {
        Self::route_for(self, destination, mark)
    }

    fn addresses(&mut self) -> Result<Vec<AddressInfo>, Error> {
        Self::addresses(self)
    }

    fn add_address(&mut self, ifindex: u32, address: IpAddr, protocol: u8) -> Result<(), Error> {
        self.add_bound_address(ifindex, address, host_plen(address), protocol)
    }

    fn delete_address(&mut self, ifindex: u32, address: IpAddr) -> Result<(), Error> {
        Self::delete_address(self, ifindex, address, host_plen(address))
    }
}
