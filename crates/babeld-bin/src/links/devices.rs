//! The kernel's network devices and their addresses, kept up by notification.
//!
//! Only what the kernel said; nothing here knows which of them run Babel.

use crate::fib::PROTO_BABEL;
use babel_netlink::{AddressInfo, LinkInfo};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// One device.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Device {
    /// What the kernel says of it.
    pub info: LinkInfo,
    /// Its addresses in the kernel's order: the primary one first.
    pub addresses: Vec<AddressInfo>,
}

/// All of them.
#[derive(Debug, Default)]
pub struct Devices {
    by_index: BTreeMap<u32, Device>,
    index_of: BTreeMap<String, u32>,
}

impl Devices {
    /// A device is new or changed. Returns the names concerned: the old one too if it changed.
    pub fn put(&mut self, info: LinkInfo) -> Vec<String> {
        let (index, name) = (info.index, info.name.clone());
        let mut concerned = vec![name.clone()];
        match self.by_index.get_mut(&index) {
            Some(device) if device.info == info => return Vec::new(),
            Some(device) => {
                let old = std::mem::replace(&mut device.info, info).name;
                if old != name {
                    self.index_of.remove(&old);
                    concerned.push(old);
                }
            }
            None => {
                let addresses = Vec::new();
                self.by_index.insert(index, Device { info, addresses });
            }
        }
        self.index_of.insert(name, index);
        concerned
    }

    /// A device is gone, and its addresses with it.
    pub fn remove(&mut self, index: u32) -> Option<Device> {
        let device = self.by_index.remove(&index)?;
        if self.index_of.get(&device.info.name) == Some(&index) {
            self.index_of.remove(&device.info.name);
        }
        Some(device)
    }

    /// An address is new or changed. Returns the name of its device, if anything changed.
    pub fn put_address(&mut self, address: AddressInfo) -> Option<&str> {
        let device = self.by_index.get_mut(&address.index)?;
        match device.addresses.iter_mut().find(|old| same(old, &address)) {
            Some(old) if *old == address => return None,
            Some(old) => *old = address,
            None => device.addresses.push(address),
        }
        Some(&device.info.name)
    }

    /// An address is gone. Returns the name of its device, if it was known.
    pub fn remove_address(&mut self, address: &AddressInfo) -> Option<&str> {
        let device = self.by_index.get_mut(&address.index)?;
        let place = device.addresses.iter().position(|old| same(old, address))?;
        device.addresses.remove(place);
        Some(&device.info.name)
    }

    /// The device of that name.
    pub fn named(&self, name: &str) -> Option<&Device> {
        self.by_index.get(self.index_of.get(name)?)
    }

    /// Whether a device is known and up.
    pub fn is_up(&self, index: u32) -> bool {
        self.by_index
            .get(&index)
            .is_some_and(|device| device.info.flags.up)
    }

    /// Whether a device has an address, with any prefix length, that may be announced.
    pub fn holds(&self, index: u32, address: IpAddr) -> bool {
        let device = self.by_index.get(&index);
        let addresses = device.into_iter().flat_map(|device| &device.addresses);
        addresses
            .into_iter()
            .any(|a| a.address == address && is_global(a))
    }

    /// The name of a device.
    pub fn name(&self, index: u32) -> Option<&str> {
        Some(&self.by_index.get(&index)?.info.name)
    }

    /// All devices, in order of index.
    pub fn iter(&self) -> impl Iterator<Item = &Device> {
        self.by_index.values()
    }

    /// All usable addresses that reach beyond their link, each with its device.
    pub fn global_addresses(&self) -> impl Iterator<Item = (u32, IpAddr)> {
        self.iter().flat_map(|device| {
            let usable = device.addresses.iter().filter(|address| is_global(address));
            usable.map(|address| (device.info.index, address.address))
        })
    }
}

/// Whether an address may be announced: it works, and it means something to others.
pub fn is_global(address: &AddressInfo) -> bool {
    let local = match address.address {
        IpAddr::V4(v4) => v4.is_loopback() || v4.is_link_local() || v4.is_unspecified(),
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unicast_link_local() || v6.is_unspecified(),
    };
    // Babel's own are probe addresses, each announced to one neighbour alone.
    let ours = address.protocol == PROTO_BABEL;
    !local && !ours && !address.flags.tentative && !address.flags.duplicate
}

/// Whether two messages are about one address.
fn same(a: &AddressInfo, b: &AddressInfo) -> bool {
    a.index == b.index && a.address == b.address && a.plen == b.plen && a.peer == b.peer
}
