//! What we believe the kernel holds for us, in as few octets a route as possible.
//!
//! Next hops are few and shared, so a route keeps a small number that names one; ordinary routes
//! do not store a source prefix. Iteration is sorted, so no hash order reaches the kernel.

use super::route::{Action, KernelRoute};
use babel_core::prefix::{Prefix, RouteKey};
use hashbrown::HashMap;
use std::collections::BTreeMap;

type Map<K, V> = HashMap<K, V, foldhash::fast::RandomState>;

/// The routes, one for each key.
#[derive(Debug, Default)]
pub(super) struct Installed {
    plain: Map<Prefix, Slot>,
    specific: Map<RouteKey, Slot>,
    hops: Hops,
}

/// A route but for its key.
#[derive(Clone, Copy, Debug)]
struct Slot {
    hop: u32,
    priority: u32,
}

impl Installed {
    pub(super) fn insert(&mut self, route: KernelRoute) {
        let hop = self.hops.acquire(Hop {
            table: route.table,
            action: route.action,
        });
        let slot = Slot {
            hop,
            priority: route.priority,
        };
        let old = if route.key.is_source_specific() {
            self.specific.insert(route.key, slot)
        } else {
            self.plain.insert(*route.key.dst(), slot)
        };
        if let Some(old) = old {
            self.hops.release(old.hop);
        }
    }

    pub(super) fn remove(&mut self, key: &RouteKey) -> Option<KernelRoute> {
        let slot = if key.is_source_specific() {
            self.specific.remove(key)
        } else {
            self.plain.remove(key.dst())
        }?;
        let route = self.route(*key, slot);
        self.hops.release(slot.hop);
        route
    }

    pub(super) fn get(&self, key: &RouteKey) -> Option<KernelRoute> {
        let slot = if key.is_source_specific() {
            self.specific.get(key)
        } else {
            self.plain.get(key.dst())
        }?;
        self.route(*key, *slot)
    }

    pub(super) fn len(&self) -> usize {
        self.plain.len() + self.specific.len()
    }

    /// All keys, sorted.
    pub(super) fn keys(&self) -> Vec<RouteKey> {
        let plain = self.plain.keys().map(|dst| RouteKey::new(*dst));
        let mut keys: Vec<_> = plain.chain(self.specific.keys().copied()).collect();
        keys.sort_unstable();
        keys
    }

    /// The tables that hold anything, sorted.
    pub(super) fn tables(&self) -> Vec<u32> {
        let mut tables: Vec<_> = self.hops.ids.keys().map(|hop| hop.table).collect();
        tables.dedup();
        tables
    }

    fn route(&self, key: RouteKey, slot: Slot) -> Option<KernelRoute> {
        let hop = self.hops.get(slot.hop)?;
        Some(KernelRoute {
            key,
            table: hop.table,
            priority: slot.priority,
            action: hop.action,
        })
    }
}

/// What many routes share. Ordered by table first, which [`Installed::tables`] relies on.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Hop {
    table: u32,
    action: Action,
}

/// Hops by number, with how many routes use each.
#[derive(Debug, Default)]
struct Hops {
    ids: BTreeMap<Hop, u32>,
    hops: Vec<(Hop, usize)>,
    free: Vec<u32>,
}

impl Hops {
    fn acquire(&mut self, hop: Hop) -> u32 {
        if let Some(id) = self.ids.get(&hop) {
            if let Some((_, users)) = self.hops.get_mut(*id as usize) {
                *users += 1;
            }
            return *id;
        }
        let id = match self.free.pop() {
            Some(id) => {
                if let Some(entry) = self.hops.get_mut(id as usize) {
                    *entry = (hop, 1);
                }
                id
            }
            None => {
                self.hops.push((hop, 1));
                u32::try_from(self.hops.len() - 1).unwrap_or(u32::MAX)
            }
        };
        self.ids.insert(hop, id);
        id
    }

    fn release(&mut self, id: u32) {
        let Some((hop, users)) = self.hops.get_mut(id as usize) else {
            return;
        };
        *users = users.saturating_sub(1);
        if *users == 0 {
            self.ids.remove(hop);
            self.free.push(id);
        }
    }

    fn get(&self, id: u32) -> Option<Hop> {
        self.hops.get(id as usize).map(|(hop, _)| *hop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(key: &str, hop: u8) -> KernelRoute {
        KernelRoute {
            key: RouteKey::new(key.parse().expect("a prefix")),
            table: 254,
            priority: 1024,
            action: Action::Via {
                ifindex: 1,
                next_hop: [0xfe80, 0, 0, 0, 0, 0, 0, u16::from(hop)].into(),
                pref_src: None,
            },
        }
    }

    #[test]
    fn hops_are_shared_and_their_numbers_used_again() {
        let mut table = Installed::default();
        for round in 0..100u8 {
            table.insert(route("2001:db8:1::/48", round));
            table.insert(route("2001:db8:2::/48", round));
        }
        assert_eq!(table.hops.ids.len(), 1);
        assert!(table.hops.hops.len() <= 3);
        assert_eq!(
            table.get(&route("2001:db8:2::/48", 0).key),
            Some(route("2001:db8:2::/48", 99))
        );
        for key in table.keys() {
            assert!(table.remove(&key).is_some());
        }
        assert_eq!((table.len(), table.hops.ids.len()), (0, 0));
    }

    #[test]
    fn an_ordinary_route_costs_28_octets_before_hashing() {
        assert!(size_of::<(Prefix, Slot)>() <= 28);
    }
}
