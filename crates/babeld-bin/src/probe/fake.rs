//! A kernel made of vectors, which can be told to fail.

use super::kernel::{Kernel, host_plen};
use babel_netlink::{AddressFlags, AddressInfo, Errno, Error, Family, Refusal, Route, Rule, Scope};
use std::net::IpAddr;

#[derive(Default, Debug)]
pub(super) struct Fake {
    pub(super) rules: Vec<Rule>,
    pub(super) routes: Vec<Route>,
    pub(super) addresses: Vec<AddressInfo>,
    /// Additions of routes for which this says so are refused.
    pub(super) refuse: Option<fn(&Route) -> bool>,
    /// Whatever is asked, a packet leaves by this interface.
    pub(super) astray: Option<u32>,
    /// What was done, in order.
    pub(super) log: Vec<String>,
}

fn refused(errno: Errno) -> Error {
    Error::Refused {
        action: "testing".into(),
        refusal: Refusal {
            errno,
            message: None,
        },
    }
}

impl Fake {
    pub(super) fn put_address(&mut self, index: u32, address: IpAddr, protocol: u8) {
        self.addresses.push(AddressInfo {
            index,
            address,
            plen: host_plen(address),
            peer: None,
            scope: Scope::Universe,
            flags: AddressFlags::default(),
            protocol,
        });
    }
}

impl Kernel for Fake {
    fn rules(&mut self, family: Family) -> Result<Vec<Rule>, Error> {
        let of_family = self.rules.iter().filter(|rule| rule.family == family);
        Ok(of_family.copied().collect())
    }

    fn add_rule(&mut self, rule: &Rule) -> Result<(), Error> {
        if self.rules.contains(rule) {
            return Err(refused(Errno::EEXIST));
        }
        self.log.push(format!("+{rule}"));
        self.rules.push(*rule);
        Ok(())
    }

    fn delete_rule(&mut self, rule: &Rule) -> Result<(), Error> {
        let place = self.rules.iter().position(|known| known == rule);
        let place = place.ok_or_else(|| refused(Errno::ENOENT))?;
        self.log.push(format!("-{rule}"));
        self.rules.remove(place);
        Ok(())
    }

    fn table(&mut self, family: Family, table: u32) -> Result<Vec<Route>, Error> {
        let inside = |route: &&Route| route.table == table && route.family() == family;
        Ok(self.routes.iter().filter(inside).cloned().collect())
    }

    fn add_route(&mut self, route: &Route) -> Result<(), Error> {
        if self.refuse.is_some_and(|refuse| refuse(route)) {
            return Err(refused(Errno::EINVAL));
        }
        let slot = |r: &Route| (r.table, r.destination, r.effective_priority());
        if self.routes.iter().any(|known| slot(known) == slot(route)) {
            return Err(refused(Errno::EEXIST));
        }
        self.log.push(format!("+{route}"));
        self.routes.push(route.clone());
        Ok(())
    }

    fn delete_route(&mut self, route: &Route) -> Result<(), Error> {
        let place = self.routes.iter().position(|known| known == route);
        let place = place.ok_or_else(|| refused(Errno::ESRCH))?;
        self.log.push(format!("-{route}"));
        self.routes.remove(place);
        Ok(())
    }

    fn route_for(&mut self, destination: IpAddr, mark: u32) -> Result<Route, Error> {
        let family = Family::of(destination);
        let rule = self.rules.iter().find(|rule| {
            let fits = |fw: babel_netlink::FirewallMark| mark & fw.mask == fw.value;
            rule.family == family && rule.mark.is_none_or(fits)
        });
        let rule = rule.ok_or_else(|| refused(Errno::ENETUNREACH))?;
        let routes = self
            .routes
            .iter()
            .filter(|route| route.table == rule.table && route.family() == family);
        let best = routes.min_by_key(|route| route.effective_priority());
        let mut best = best.cloned().ok_or_else(|| refused(Errno::ENETUNREACH))?;
        best.oif = self.astray.or(best.oif);
        Ok(best)
    }

    fn addresses(&mut self) -> Result<Vec<AddressInfo>, Error> {
        Ok(self.addresses.clone())
    }

    fn add_address(&mut self, ifindex: u32, address: IpAddr, protocol: u8) -> Result<(), Error> {
        let known = |found: &AddressInfo| (found.index, found.address) == (ifindex, address);
        if self.addresses.iter().any(known) {
            return Err(refused(Errno::EEXIST));
        }
        self.put_address(ifindex, address, protocol);
        Ok(())
    }

    fn delete_address(&mut self, ifindex: u32, address: IpAddr) -> Result<(), Error> {
        let before = self.addresses.len();
        self.addresses
            .retain(|found| (found.index, found.address) != (ifindex, address));
        if self.addresses.len() == before {
            return Err(refused(Errno::EADDRNOTAVAIL));
        }
        Ok(())
    }
}
