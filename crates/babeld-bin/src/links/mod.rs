//! The interfaces Babel was asked to run on, matched by name to the kernel's devices.
//!
//! An interface is up when its device exists, is up (and running, with `link-detect`) and has a
//! link-local address that is not tentative. Everything follows the kernel's notifications;
//! nothing is polled. This module decides; joining groups and telling the engine is the caller's.

mod classes;
mod devices;
mod examine;
mod medium;
#[cfg(test)]
mod tests;

pub use devices::{Device, Devices, is_global};
pub use medium::of as medium_of;

use crate::node::InterfaceView;
use babel_core::config::LinkState;
use babel_core::time::Instant;
use babel_core::types::LinkId;
use babel_netlink::{AddressInfo, LinkInfo};
use classes::Classes;
use examine::{NO_LINK_LOCAL, examine};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

/// How long a link may be without a link-local address before the operator is told: duplicate
/// address detection takes a second or two.
const PATIENCE: Duration = Duration::from_secs(4);

/// What the caller must do about an interface.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LinkChange {
    /// It came up, or is up and changed its addresses or MTU.
    Up {
        /// Which.
        link: LinkId,
        /// Its name.
        name: String,
        /// The device behind it.
        ifindex: u32,
        /// It was down before, so the group is not joined yet.
        fresh: bool,
    },
    /// It went down.
    Down {
        /// Which.
        link: LinkId,
        /// Its name.
        name: String,
        /// The device that was behind it; it may be gone.
        ifindex: u32,
    },
}

/// One interface that Babel was asked to run on.
#[derive(Clone, Debug)]
struct Interface {
    name: String,
    state: State,
    /// Since when it lacks a link-local address, until the operator was told.
    complaint: Option<Instant>,
}

/// Whether it works.
#[derive(Clone, PartialEq, Eq, Debug)]
enum State {
    Down(String),
    /// It could not be set up; it stays down until its device changes.
    Refused(String, Option<Device>),
    Up(u32, LinkState),
}

/// All interfaces, with the devices they may be on.
#[derive(Debug)]
pub struct Links {
    link_detect: bool,
    devices: Devices,
    /// In order of configuration, for ids only grow.
    interfaces: BTreeMap<LinkId, Interface>,
    by_name: BTreeMap<String, LinkId>,
    by_index: BTreeMap<u32, LinkId>,
    /// Names whose device changed.
    dirty: BTreeSet<String>,
    /// Interfaces whose device was down for a moment: the kernel dropped its routes.
    bounced: BTreeSet<LinkId>,
    classes: Classes,
    next_id: u32,
}

impl Links {
    /// No interfaces; with `link_detect` a device without carrier is down.
    pub fn new(link_detect: bool) -> Self {
        Self {
            link_detect,
            devices: Devices::default(),
            interfaces: BTreeMap::new(),
            by_name: BTreeMap::new(),
            by_index: BTreeMap::new(),
            dirty: BTreeSet::new(),
            bounced: BTreeSet::new(),
            classes: Classes::default(),
            next_id: 1,
        }
    }

    /// Runs Babel on `name`, when it exists; `None` if it does already.
    pub fn add(&mut self, name: &str) -> Option<LinkId> {
        if self.by_name.contains_key(name) {
            return None;
        }
        let link = LinkId(self.next_id);
        self.next_id = self.next_id.saturating_add(1);
        let interface = Interface {
            name: name.to_owned(),
            state: State::Down("not looked at yet".into()),
            complaint: None,
        };
        self.interfaces.insert(link, interface);
        self.by_name.insert(name.to_owned(), link);
        self.dirty.insert(name.to_owned());
        Some(link)
    }

    /// Stops running Babel on `name`; its id and, if it was up, its device.
    pub fn flush(&mut self, name: &str) -> Option<(LinkId, Option<u32>)> {
        let link = self.by_name.remove(name)?;
        self.leave_class(name);
        let interface = self.interfaces.remove(&link)?;
        let State::Up(ifindex, _) = interface.state else {
            return Some((link, None));
        };
        self.by_index.remove(&ifindex);
        Some((link, Some(ifindex)))
    }

    /// A device is new or changed. Returns whether it was up and is no more.
    pub fn device_changed(&mut self, info: LinkInfo) -> bool {
        let (index, up) = (info.index, info.flags.up);
        let went_down = !up && self.devices.is_up(index);
        if went_down {
            self.bounced.extend(self.by_index.get(&index));
        }
        let name = info.name.clone();
        let is_new = self.devices.named(&name).is_none();
        let names = self.devices.put(info);
        if is_new {
            self.device_appeared(&name);
        }
        for old in names.iter().filter(|other| **other != name) {
            self.device_departed(old);
        }
        self.dirty.extend(names);
        went_down
    }

    /// A device is gone. Returns the addresses that could be announced and went with it.
    pub fn device_gone(&mut self, index: u32) -> Vec<(u32, IpAddr)> {
        let Some(device) = self.devices.remove(index) else {
            return Vec::new();
        };
        self.device_departed(&device.info.name);
        self.dirty.insert(device.info.name);
        let global = device.addresses.iter().filter(|a| is_global(a));
        global.map(|a| (index, a.address)).collect()
    }

    /// Changes `link-detect`.
    pub fn set_link_detect(&mut self, link_detect: bool) {
        if self.link_detect != link_detect {
            self.link_detect = link_detect;
            self.dirty.extend(self.by_name.keys().cloned());
        }
    }

    /// An address is new or changed.
    pub fn address_changed(&mut self, address: AddressInfo) {
        if let Some(name) = self.devices.put_address(address) {
            self.dirty.insert(name.to_owned());
        }
    }

    /// An address is gone.
    pub fn address_gone(&mut self, address: &AddressInfo) {
        if let Some(name) = self.devices.remove_address(address) {
            self.dirty.insert(name.to_owned());
        }
    }

    /// Everything was read again: notifications were lost.
    pub fn reset(&mut self, links: Vec<LinkInfo>, addresses: Vec<AddressInfo>) {
        self.devices = Devices::default();
        for link in links {
            self.devices.put(link);
        }
        for address in addresses {
            self.devices.put_address(address);
        }
        self.devices_read();
        self.dirty.extend(self.by_name.keys().cloned());
    }

    /// Tries the interfaces that could not be set up once more.
    pub fn forgive(&mut self) {
        for interface in self.interfaces.values_mut() {
            if let State::Refused(why, _) = &interface.state {
                interface.state = State::Down(why.clone());
                self.dirty.insert(interface.name.clone());
            }
        }
    }

    /// The interface could not be set up: it is down until its device changes.
    pub fn refuse(&mut self, link: LinkId, why: String) {
        let Some(interface) = self.interfaces.get_mut(&link) else {
            return;
        };
        if let State::Up(ifindex, _) = interface.state {
            self.by_index.remove(&ifindex);
        }
        let device = self.devices.named(&interface.name).cloned();
        interface.state = State::Refused(why, device);
    }

    /// Works out what changed since the last call. Downs come before ups.
    pub fn reconcile(&mut self, now: Instant) -> Vec<LinkChange> {
        let (mut downs, mut ups) = (Vec::new(), Vec::new());
        for name in std::mem::take(&mut self.dirty) {
            let Some(&link) = self.by_name.get(&name) else {
                continue;
            };
            self.reconcile_one(now, link, &name, &mut downs, &mut ups);
        }
        downs.append(&mut ups);
        downs
    }

    /// The names of the interfaces that lack a link-local address for too long: once each time.
    pub fn complaints(&mut self, now: Instant) -> Vec<String> {
        let mut names = Vec::new();
        for interface in self.interfaces.values_mut() {
            let due = interface
                .complaint
                .is_some_and(|since| now.since(since) >= PATIENCE);
            if due {
                interface.complaint = None;
                names.push(interface.name.clone());
            }
        }
        names
    }

    /// When [`Links::complaints`] is due next.
    pub fn next_complaint(&self) -> Option<Instant> {
        let since = self.interfaces.values().filter_map(|i| i.complaint);
        since.min().map(|since| since + PATIENCE)
    }

    /// The kernel's devices.
    pub const fn devices(&self) -> &Devices {
        &self.devices
    }

    /// The interface that is up on a device.
    pub fn link_on(&self, ifindex: u32) -> Option<LinkId> {
        self.by_index.get(&ifindex).copied()
    }

    /// The interface of that name.
    pub fn named(&self, name: &str) -> Option<LinkId> {
        self.by_name.get(name).copied()
    }

    /// The name of an interface.
    pub fn name(&self, link: LinkId) -> Option<&str> {
        self.interfaces.get(&link).map(|i| i.name.as_str())
    }

    /// The device behind an interface that is up, and what is known of it.
    pub fn up(&self, link: LinkId) -> Option<(u32, LinkState)> {
        match self.interfaces.get(&link)?.state {
            State::Up(ifindex, state) => Some((ifindex, state)),
            State::Down(_) | State::Refused(..) => None,
        }
    }

    /// Whether there are none at all.
    pub fn is_empty(&self) -> bool {
        self.interfaces.is_empty()
    }

    /// All that are up, in order of configuration.
    pub fn all_up(&self) -> Vec<LinkId> {
        let up = |link: &LinkId| self.up(*link).is_some();
        self.interfaces.keys().copied().filter(up).collect()
    }

    /// All interfaces for people, in order of configuration.
    pub fn views(&self) -> Vec<InterfaceView> {
        let view = |(link, interface): (&LinkId, &Interface)| {
            let (state, down_reason) = match &interface.state {
                State::Up(_, state) => (Some(*state), None),
                State::Down(why) | State::Refused(why, _) => (None, Some(why.clone())),
            };
            InterfaceView {
                link: *link,
                name: interface.name.clone(),
                up: state.is_some(),
                ipv6: state.map(|state| state.address),
                ipv4: state.and_then(|state| state.ipv4),
                down_reason,
            }
        };
        self.interfaces.iter().map(view).collect()
    }

    fn reconcile_one(
        &mut self,
        now: Instant,
        link: LinkId,
        name: &str,
        downs: &mut Vec<LinkChange>,
        ups: &mut Vec<LinkChange>,
    ) {
        let device = self.devices.named(name);
        let Some(interface) = self.interfaces.get_mut(&link) else {
            return;
        };
        let before = match &interface.state {
            State::Up(ifindex, state) => Some((*ifindex, *state)),
            State::Refused(_, refused) if refused.as_ref() == device => return,
            State::Down(_) | State::Refused(..) => None,
        };
        let preferred = before.map(|(_, state)| state.address);
        let after = examine(device, self.link_detect, preferred);
        let lacks_address = matches!(after, Err(NO_LINK_LOCAL));
        interface.complaint = match interface.complaint {
            _ if !lacks_address => None,
            None if interface.state == State::Down(NO_LINK_LOCAL.into()) => None,
            None => Some(now),
            since => since,
        };
        let name = || name.to_owned();
        let bounced = self.bounced.remove(&link);
        let index_after = after.as_ref().map(|(ifindex, _)| *ifindex).ok();
        let moved = before.filter(|(ifindex, _)| bounced || index_after != Some(*ifindex));
        if let Some((ifindex, _)) = moved {
            self.by_index.remove(&ifindex);
            let name = name();
            downs.push(LinkChange::Down {
                link,
                name,
                ifindex,
            });
        }
        interface.state = match after {
            Ok((ifindex, state)) => {
                self.by_index.insert(ifindex, link);
                let fresh = before.is_none() || moved.is_some();
                if fresh || before != Some((ifindex, state)) {
                    let name = name();
                    ups.push(LinkChange::Up {
                        link,
                        name,
                        ifindex,
                        fresh,
                    });
                }
                State::Up(ifindex, state)
            }
            Err(why) => State::Down(why.to_owned()),
        };
    }
}
