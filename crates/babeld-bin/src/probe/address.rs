//! Probe addresses: one for each neighbour, so that what comes back shows which way it took.
//!
//! An address is made from `probe-prefix`, the interface and the neighbour's address, so it is the
//! same after a restart; where two fall together the later one takes the next that is free. It is
//! a host address on `lo` that the kernel gives to no socket unasked, and the caller announces it
//! to its neighbour only. Addresses of ours are told by the kernel's mark of their owner, so that
//! an operator's own address inside the prefix is never taken away.

use super::kernel::{Kernel, host_plen};
use crate::fib::PROTO_BABEL;
use babel_core::prefix::Prefix;
use babel_netlink::{AddressInfo, Errno, Error};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// No more than this many neighbours have probe addresses.
pub const MAX_ADDRESSES: usize = 64;

/// Who an address is for: its interface's name and its link-local address.
pub type Whose = (String, Ipv6Addr);

/// An address that is there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProbeAddress {
    /// Announced to this neighbour only.
    pub whose: Whose,
    /// The address.
    pub address: IpAddr,
}

/// What the caller has to announce or withdraw.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum AddressChange {
    /// Announce it.
    Up(ProbeAddress),
    /// Withdraw it.
    Down(ProbeAddress),
}

/// The addresses of one prefix.
#[derive(Debug)]
pub struct Addresses {
    prefix: Prefix,
    held: BTreeMap<Whose, IpAddr>,
    /// Too many neighbours, or too small a prefix: said once.
    complained: bool,
}

impl Addresses {
    /// None yet.
    pub const fn new(prefix: Prefix) -> Self {
        Self {
            prefix,
            held: BTreeMap::new(),
            complained: false,
        }
    }

    /// The prefix they are in.
    pub const fn prefix(&self) -> &Prefix {
        &self.prefix
    }

    /// The address for a neighbour.
    pub fn of(&self, whose: &Whose) -> Option<IpAddr> {
        self.held.get(whose).copied()
    }

    /// All that are there.
    pub fn all(&self) -> impl Iterator<Item = IpAddr> {
        self.held.values().copied()
    }

    /// Brings the addresses to those of `wanted`, on the device `lo`. What the kernel refuses is
    /// logged and missing.
    pub fn become_those_of(
        &mut self,
        wanted: &BTreeSet<Whose>,
        lo: u32,
        kernel: &mut impl Kernel,
    ) -> Vec<AddressChange> {
        let mut changes = Vec::new();
        let gone = self.held.keys().filter(|whose| !wanted.contains(*whose));
        for whose in gone.cloned().collect::<Vec<_>>() {
            changes.extend(self.remove(whose, lo, kernel));
        }
        let missing = wanted
            .iter()
            .filter(|whose| !self.held.contains_key(*whose));
        let missing: Vec<_> = missing.cloned().collect();
        if missing.is_empty() {
            return changes;
        }
        let foreign = match kernel.addresses() {
            Ok(all) => all.into_iter().filter(|address| !is_ours(address, lo)),
            Err(error) => {
                tracing::warn!("{error}");
                return changes;
            }
        };
        let foreign: BTreeSet<_> = foreign.map(|found| found.address).collect();
        for whose in missing {
            changes.extend(self.add(whose, &foreign, lo, kernel));
        }
        changes
    }

    fn add(
        &mut self,
        whose: Whose,
        foreign: &BTreeSet<IpAddr>,
        lo: u32,
        kernel: &mut impl Kernel,
    ) -> Option<AddressChange> {
        let room = self.held.len() < MAX_ADDRESSES;
        let Some(address) = room.then(|| self.choose(&whose, foreign)).flatten() else {
            if !std::mem::replace(&mut self.complained, true) {
                tracing::warn!(
                    "no probe address for neighbour {} on {}: {} are in use, at most \
                     {MAX_ADDRESSES} and what fits in probe-prefix {}; downloads through it are \
                     not pinned",
                    whose.1,
                    whose.0,
                    self.held.len(),
                    self.prefix,
                );
            }
            return None;
        };
        match kernel.add_address(lo, address, PROTO_BABEL) {
            Err(error) if error.errno() != Some(Errno::EEXIST) => {
                tracing::warn!("probe address: {error}");
                None
            }
            _ => {
                self.held.insert(whose.clone(), address);
                Some(AddressChange::Up(ProbeAddress { whose, address }))
            }
        }
    }

    fn remove(&mut self, whose: Whose, lo: u32, kernel: &mut impl Kernel) -> Option<AddressChange> {
        let address = self.held.remove(&whose)?;
        report(kernel.delete_address(lo, address));
        Some(AddressChange::Down(ProbeAddress { whose, address }))
    }

    /// The first that is free, from the neighbour's own place on.
    fn choose(&self, whose: &Whose, foreign: &BTreeSet<IpAddr>) -> Option<IpAddr> {
        let used: BTreeSet<_> = self.held.values().copied().collect();
        let first = place(whose);
        // One more than could be in the way, and the two that are nobody's.
        let tries = u64::try_from(used.len() + foreign.len() + 3).unwrap_or(u64::MAX);
        (0..tries)
            .filter_map(|step| host_in(&self.prefix, first.wrapping_add(step)))
            .find(|address| !used.contains(address) && !foreign.contains(address))
    }
}

/// Removes every address of ours from `lo`: those of a former life. Returns how many there were.
pub fn sweep(lo: u32, kernel: &mut impl Kernel) -> Result<usize, Error> {
    let all = kernel.addresses()?;
    let ours = all.iter().filter(|found| is_ours(found, lo));
    Ok(ours
        .map(|found| report(kernel.delete_address(lo, found.address)))
        .count())
}

/// Whether it is one that [`Addresses`] put there, in this life or a former one.
fn is_ours(found: &AddressInfo, lo: u32) -> bool {
    found.index == lo && found.protocol == PROTO_BABEL && found.plen == host_plen(found.address)
}

fn report(result: Result<(), Error>) {
    if let Err(error) = result
        && error.errno() != Some(Errno::EADDRNOTAVAIL)
    {
        tracing::warn!("{error}");
    }
}

/// FNV-1a with a finaliser: any hash would do that never changes.
fn place((interface, address): &Whose) -> u64 {
    let octets = interface.bytes().chain([0]).chain(address.octets());
    let mut hash = octets.fold(0xcbf2_9ce4_8422_2325_u64, |hash, octet| {
        (hash ^ u64::from(octet)).wrapping_mul(0x0100_0000_01b3)
    });
    hash ^= hash >> 32;
    hash = hash.wrapping_mul(0xd6e8_feb8_6659_fd93);
    hash ^ hash >> 32
}

/// The host number `number` of `prefix`, cut to what fits; `None` for those that are nobody's:
/// the network itself, the IPv4 broadcast address.
fn host_in(prefix: &Prefix, number: u64) -> Option<IpAddr> {
    let address = prefix.address();
    let bits = u32::from(host_plen(address) - prefix.plen());
    let mask = if bits >= 64 {
        u64::MAX
    } else {
        (1 << bits) - 1
    };
    let number = number & mask;
    let reserved = match address {
        IpAddr::V4(_) => bits >= 2 && (number == 0 || number == mask),
        IpAddr::V6(_) => bits >= 1 && number == 0,
    };
    if reserved {
        return None;
    }
    Some(match address {
        IpAddr::V4(v4) => Ipv4Addr::from(v4.to_bits() | u32::try_from(number).ok()?).into(),
        IpAddr::V6(v6) => Ipv6Addr::from(v6.to_bits() | u128::from(number)).into(),
    })
}

#[cfg(test)]
mod tests {
    use super::super::fake::Fake;
    use super::*;

    const LO: u32 = 1;

    fn prefix(text: &str) -> Prefix {
        text.parse().expect("a prefix")
    }

    fn neighbour(n: u16) -> Whose {
        let address = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, n);
        ("eth0".into(), address)
    }

    fn all(count: u16) -> BTreeSet<Whose> {
        (1..=count).map(neighbour).collect()
    }

    #[test]
    fn an_address_is_the_same_after_a_restart_and_no_two_are_the_same() {
        for text in [
            "2001:db8:77::/64",
            "10.77.0.0/16",
            "2001:db8:77::/120",
            "10.77.0.0/25",
        ] {
            let mut kernel = Fake::default();
            let mut first = Addresses::new(prefix(text));
            let changes = first.become_those_of(&all(60), LO, &mut kernel);
            assert_eq!(changes.len(), 60, "{text}");
            let distinct: BTreeSet<_> = first.all().collect();
            assert_eq!(distinct.len(), 60);
            let inside = |address: &IpAddr| prefix(text).covers(&Prefix::host(*address));
            assert!(distinct.iter().all(inside), "{distinct:?}");
            // Of a former life, and taken over.
            let mut second = Addresses::new(prefix(text));
            second.become_those_of(&all(60), LO, &mut kernel);
            assert_eq!(first.held, second.held);
            assert_eq!(sweep(LO, &mut kernel).expect("swept"), 60);
        }
    }

    #[test]
    fn they_live_as_long_as_they_are_wanted() {
        let mut kernel = Fake::default();
        let mut addresses = Addresses::new(prefix("2001:db8:77::/64"));
        addresses.become_those_of(&all(3), LO, &mut kernel);
        let kept = addresses.of(&neighbour(1));
        let changes = addresses.become_those_of(&all(1), LO, &mut kernel);
        assert!(changes.iter().all(|c| matches!(c, AddressChange::Down(_))));
        assert_eq!((changes.len(), kernel.addresses.len()), (2, 1));
        assert_eq!(addresses.of(&neighbour(1)), kept);
        assert!(
            addresses
                .become_those_of(&all(1), LO, &mut kernel)
                .is_empty()
        );
    }

    #[test]
    fn a_full_prefix_or_too_many_neighbours_leave_some_without() {
        let mut kernel = Fake::default();
        let mut small = Addresses::new(prefix("10.77.0.0/30"));
        assert_eq!(small.become_those_of(&all(9), LO, &mut kernel).len(), 2);
        let mut one = Addresses::new(prefix("2001:db8::1/128"));
        assert_eq!(one.become_those_of(&all(2), LO, &mut kernel).len(), 1);
        let mut many = Addresses::new(prefix("2001:db8:1::/64"));
        let changes = many.become_those_of(&all(100), LO, &mut kernel);
        assert_eq!(changes.len(), MAX_ADDRESSES);
    }

    #[test]
    fn the_operators_own_addresses_are_neither_taken_nor_removed() {
        let mut kernel = Fake::default();
        let mut addresses = Addresses::new(prefix("10.77.0.0/30"));
        kernel.put_address(LO, "10.77.0.1".parse().expect("an address"), 0);
        let changes = addresses.become_those_of(&all(2), LO, &mut kernel);
        assert_eq!(changes.len(), 1);
        assert_eq!(sweep(LO, &mut kernel).expect("swept"), 1);
        assert_eq!(kernel.addresses.len(), 1);
    }
}
