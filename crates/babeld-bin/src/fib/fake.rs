//! A kernel for the tests of reconciliation.

use super::*;
use nix::errno::Errno;

/// A kernel made of a map, which can be told to fail.
#[derive(Default)]
pub(super) struct Fake {
    /// By slot: protocol and action.
    pub(super) slots: BTreeMap<(RouteKey, u32, u32), (u8, Action)>,
    /// Prefixes whose additions and replacements are refused.
    pub(super) refuse: BTreeMap<RouteKey, Errno>,
    /// Prefixes whose deletion is refused.
    pub(super) undeletable: BTreeMap<RouteKey, Errno>,
    pub(super) batches: Vec<Vec<Write>>,
    pub(super) dumps: usize,
    /// Prefixes that were ever left without a route during a batch.
    pub(super) holes: Vec<RouteKey>,
}

impl Fake {
    pub(super) fn slot(route: &KernelRoute) -> (RouteKey, u32, u32) {
        (route.key, route.table, route.priority)
    }

    fn one(&mut self, write: &Write) -> Result<(), Errno> {
        let slot = Self::slot(&write.route);
        match write.verb {
            Verb::Delete => {
                if let Some(error) = self.undeletable.get(&write.route.key) {
                    return Err(*error);
                }
                match self.slots.get(&slot) {
                    Some((PROTO_BABEL, action)) if *action == write.route.action => {
                        self.slots.remove(&slot);
                        if !self.slots.keys().any(|(key, _, _)| *key == write.route.key) {
                            self.holes.push(write.route.key);
                        }
                        Ok(())
                    }
                    _ => Err(Errno::ESRCH),
                }
            }
            Verb::Add | Verb::Replace => {
                if let Some(error) = self.refuse.get(&write.route.key) {
                    return Err(*error);
                }
                if write.verb == Verb::Add && self.slots.contains_key(&slot) {
                    return Err(Errno::EEXIST);
                }
                self.slots.insert(slot, (PROTO_BABEL, write.route.action));
                Ok(())
            }
        }
    }

    pub(super) fn held(&self, key: RouteKey) -> Vec<(u32, u32, u8, Action)> {
        let of_key = self.slots.iter().filter(|((k, _, _), _)| *k == key);
        of_key
            .map(|((_, table, priority), (protocol, action))| {
                (*table, *priority, *protocol, *action)
            })
            .collect()
    }

    pub(super) fn put(&mut self, route: KernelRoute, protocol: u8) {
        self.slots
            .insert(Self::slot(&route), (protocol, route.action));
    }

    pub(super) fn verbs(&self) -> Vec<Verb> {
        self.batches
            .iter()
            .flatten()
            .map(|write| write.verb)
            .collect()
    }
}

impl Kernel for Fake {
    fn write(&mut self, writes: &[Write]) -> io::Result<Vec<Refusal>> {
        self.batches.push(writes.to_vec());
        let mut refusals = Vec::new();
        for (index, write) in writes.iter().enumerate() {
            if let Err(error) = self.one(write) {
                let errno = error as i32;
                refusals.push(Refusal { index, errno });
            }
        }
        Ok(refusals)
    }

    fn own_routes(&mut self, table: u32) -> io::Result<Vec<KernelRoute>> {
        self.dumps += 1;
        let ours = self
            .slots
            .iter()
            .filter(|((_, t, _), (p, _))| *t == table && *p == PROTO_BABEL);
        Ok(ours
            .map(|((key, table, priority), (_, action))| KernelRoute {
                key: *key,
                table: *table,
                priority: *priority,
                action: *action,
            })
            .collect())
    }
}
