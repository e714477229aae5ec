//! The prefix table: one entry per (destination, source), found by hash, addressed by id.
//!
//! An entry holds everything known about its prefix: the candidate routes, the sources, the route
//! of our own, what is selected. Ids index an arena, so every other structure (dirty sets, per
//! neighbour lists, send queues) is a list of small integers. The hash index is never iterated:
//! its order must not reach the wire.

use crate::event::XRoute;
use crate::prefix::RouteKey;
use crate::route::Route;
use crate::source::Sources;
use crate::timer::Tick;
use crate::types::{Metric, NeighbourId, RouterId};
use core::hash::BuildHasher;
use foldhash::fast::FixedState;
use hashbrown::HashTable;
use smallvec::SmallVec;

/// Index of an entry; reused after the entry is freed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct PrefixId(pub(crate) u32);

/// What we last told, or decided to tell, our neighbours.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Announced {
    pub(crate) router_id: RouterId,
    pub(crate) metric: Metric,
}

/// Everything known about one prefix.
#[derive(Debug)]
pub(crate) struct Entry<A> {
    pub(crate) key: RouteKey,
    pub(crate) routes: SmallVec<[Route<A>; 1]>,
    pub(crate) sources: Sources,
    /// The neighbour whose route is in use.
    pub(crate) selected: Option<NeighbourId>,
    /// A route of our own takes precedence over learned ones. Boxed: few prefixes have one.
    pub(crate) xroute: Option<Box<XRoute>>,
    /// The kernel refuses packets until then, so that they follow no shorter prefix.
    pub(crate) unreachable_until: Option<Tick>,
    /// A chore will look at the hold.
    pub(crate) hold_watched: bool,
    pub(crate) announced: Option<Announced>,
    /// What the policy adds to the metric of the selected route when it is announced.
    pub(crate) penalty: Metric,
    /// Copies of the last urgent update still to be sent.
    pub(crate) repeats: u8,
    /// The selected neighbour is not the eligible one of the best metric.
    pub(crate) overridden: bool,
    /// Selection is to be run.
    pub(crate) dirty: bool,
    /// The kernel is to be told.
    pub(crate) fib_dirty: bool,
    /// The kernel was told to hold something.
    pub(crate) in_fib: bool,
}

impl<A: Copy> Entry<A> {
    fn new(key: RouteKey) -> Self {
        Self {
            key,
            routes: SmallVec::new(),
            sources: Sources::default(),
            selected: None,
            xroute: None,
            unreachable_until: None,
            hold_watched: false,
            announced: None,
            penalty: Metric::ZERO,
            repeats: 0,
            overridden: false,
            dirty: false,
            fib_dirty: false,
            in_fib: false,
        }
    }

    /// The route that `neighbour` announced.
    pub(crate) fn route(&self, neighbour: NeighbourId) -> Option<&Route<A>> {
        self.routes
            .iter()
            .find(|route| route.neighbour == neighbour)
    }

    /// The route that `neighbour` announced.
    pub(crate) fn route_mut(&mut self, neighbour: NeighbourId) -> Option<&mut Route<A>> {
        self.routes
            .iter_mut()
            .find(|route| route.neighbour == neighbour)
    }

    /// The route in use.
    pub(crate) fn selected_route(&self) -> Option<&Route<A>> {
        self.selected.and_then(|neighbour| self.route(neighbour))
    }

    /// Whether there is something to announce.
    pub(crate) fn is_announceable(&self) -> bool {
        self.xroute.is_some() || self.selected.is_some()
    }

    /// Whether nothing is known any more.
    pub(crate) fn is_idle(&self) -> bool {
        self.routes.is_empty()
            && self.xroute.is_none()
            && self.sources.is_empty()
            && self.unreachable_until.is_none()
            && !(self.dirty || self.fib_dirty || self.in_fib)
            && self.repeats == 0
    }
}

const CHUNK_BITS: u32 = 10;
const CHUNK: usize = 1 << CHUNK_BITS;

/// All prefixes.
#[derive(Debug)]
pub(crate) struct Table<A> {
    /// Chunked, so that growing never copies and costs at most one chunk of slack.
    chunks: Vec<Vec<Option<Entry<A>>>>,
    index: HashTable<PrefixId>,
    free: Vec<PrefixId>,
    hasher: FixedState,
}

impl<A: Copy> Table<A> {
    /// An empty table. A seed that the network cannot guess keeps it from filling one bucket.
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            chunks: Vec::new(),
            index: HashTable::new(),
            free: Vec::new(),
            hasher: FixedState::with_seed(seed),
        }
    }

    /// Prefixes held.
    pub(crate) fn len(&self) -> usize {
        self.index.len()
    }

    /// The id of a prefix.
    pub(crate) fn find(&self, key: &RouteKey) -> Option<PrefixId> {
        self.find_hashed(self.hasher.hash_one(key), key)
    }

    /// The id of a prefix, which is entered unless `limit` prefixes are held.
    pub(crate) fn find_or_insert(&mut self, key: RouteKey, limit: usize) -> Option<PrefixId> {
        let hash = self.hasher.hash_one(key);
        if let Some(id) = self.find_hashed(hash, &key) {
            return Some(id);
        }
        if self.len() >= limit {
            return None;
        }
        let id = self.allocate(Entry::new(key))?;
        let (chunks, hasher) = (&self.chunks, &self.hasher);
        self.index.insert_unique(hash, id, |id| {
            slot(chunks, *id).map_or(0, |entry| hasher.hash_one(entry.key))
        });
        Some(id)
    }

    /// Frees an entry about which nothing is known any more.
    pub(crate) fn remove(&mut self, id: PrefixId) {
        let Some(key) = self.get(id).map(|entry| entry.key) else {
            return;
        };
        let hash = self.hasher.hash_one(key);
        if let Ok(occupied) = self.index.find_entry(hash, |other| *other == id) {
            occupied.remove();
        }
        if let Some(slot) = slot_mut(&mut self.chunks, id) {
            *slot = None;
            self.free.push(id);
        }
    }

    /// An entry.
    pub(crate) fn get(&self, id: PrefixId) -> Option<&Entry<A>> {
        slot(&self.chunks, id)
    }

    /// An entry.
    pub(crate) fn get_mut(&mut self, id: PrefixId) -> Option<&mut Entry<A>> {
        slot_mut(&mut self.chunks, id)?.as_mut()
    }

    /// All entries, in the order of their ids.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (PrefixId, &Entry<A>)> {
        self.chunks.iter().enumerate().flat_map(|(chunk, slots)| {
            slots.iter().enumerate().filter_map(move |(slot, entry)| {
                let id = u32::try_from((chunk << CHUNK_BITS) | slot).ok()?;
                Some((PrefixId(id), entry.as_ref()?))
            })
        })
    }

    fn find_hashed(&self, hash: u64, key: &RouteKey) -> Option<PrefixId> {
        let found = self.index.find(hash, |id| {
            slot(&self.chunks, *id).is_some_and(|entry| entry.key == *key)
        });
        found.copied()
    }

    fn allocate(&mut self, entry: Entry<A>) -> Option<PrefixId> {
        if let Some(id) = self.free.pop() {
            *slot_mut(&mut self.chunks, id)? = Some(entry);
            return Some(id);
        }
        if self.chunks.last().is_none_or(|chunk| chunk.len() == CHUNK) {
            self.chunks.push(Vec::with_capacity(CHUNK));
        }
        let chunk = self.chunks.len() - 1;
        let slots = self.chunks.last_mut()?;
        let id = u32::try_from((chunk << CHUNK_BITS) | slots.len()).ok()?;
        slots.push(Some(entry));
        Some(PrefixId(id))
    }
}

fn slot<A>(chunks: &[Vec<Option<Entry<A>>>], id: PrefixId) -> Option<&Entry<A>> {
    chunks
        .get(id.0 as usize >> CHUNK_BITS)?
        .get(id.0 as usize & (CHUNK - 1))?
        .as_ref()
}

fn slot_mut<A>(
    chunks: &mut [Vec<Option<Entry<A>>>],
    id: PrefixId,
) -> Option<&mut Option<Entry<A>>> {
    chunks
        .get_mut(id.0 as usize >> CHUNK_BITS)?
        .get_mut(id.0 as usize & (CHUNK - 1))
}

/// A set of prefixes with an order to leave in; membership is one bit.
///
/// Members leave in sorted runs: what is inserted while a run leaves waits for the next one. So
/// each member is sorted once however many come while others go, and none waits for ever.
#[derive(Debug, Default)]
pub(crate) struct PrefixSet {
    bits: Vec<u64>,
    /// Sorted, the next one to leave last.
    run: Vec<PrefixId>,
    fresh: Vec<PrefixId>,
}

impl PrefixSet {
    /// Adds a prefix; false if it was in.
    pub(crate) fn insert(&mut self, id: PrefixId) -> bool {
        let new = self.mark(id);
        if new {
            self.fresh.push(id);
        }
        new
    }

    /// Whether a prefix is in.
    pub(crate) fn contains(&self, id: PrefixId) -> bool {
        self.bits
            .get(id.0 as usize / 64)
            .is_some_and(|bits| bits & (1 << (id.0 % 64)) != 0)
    }

    /// Removes the first member of the present run; if it is over, the rest becomes the next
    /// run, by ascending key.
    pub(crate) fn pop_by_cached_key<K: Ord>(
        &mut self,
        key: impl FnMut(&PrefixId) -> K,
    ) -> Option<PrefixId> {
        if self.run.is_empty() {
            core::mem::swap(&mut self.run, &mut self.fresh);
            self.run.sort_by_cached_key(key);
            self.run.reverse();
        }
        let id = self.run.pop()?;
        if let Some(bits) = self.bits.get_mut(id.0 as usize / 64) {
            *bits &= !(1 << (id.0 % 64));
        }
        Some(id)
    }

    /// Undoes a [`Self::pop_by_cached_key`]: the member will be the next one again.
    pub(crate) fn unpop(&mut self, id: PrefixId) {
        if self.mark(id) {
            self.run.push(id);
        }
    }

    /// All members, in no order.
    pub(crate) fn into_members(self) -> impl Iterator<Item = PrefixId> {
        self.run.into_iter().chain(self.fresh)
    }

    /// Whether there is no member.
    pub(crate) fn is_empty(&self) -> bool {
        self.run.is_empty() && self.fresh.is_empty()
    }

    /// Sets the bit of a prefix; false if it was set.
    fn mark(&mut self, id: PrefixId) -> bool {
        let (word, bit) = (id.0 as usize / 64, 1 << (id.0 % 64));
        if word >= self.bits.len() {
            self.bits.resize(word + 1, 0);
        }
        let Some(bits) = self.bits.get_mut(word) else {
            return false;
        };
        let new = *bits & bit == 0;
        *bits |= bit;
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prefix::Prefix;

    fn key(text: &str) -> RouteKey {
        RouteKey::new(text.parse::<Prefix>().expect("a prefix"))
    }

    #[test]
    fn prefixes_are_found_by_key_and_their_slots_reused() {
        let mut table = Table::<()>::new(1);
        let a = table.find_or_insert(key("10.0.0.0/8"), 10).expect("room");
        let b = table
            .find_or_insert(key("2001:db8::/32"), 10)
            .expect("room");
        assert_ne!(a, b);
        assert_eq!(table.find_or_insert(key("10.0.0.0/8"), 10), Some(a));
        table.remove(a);
        assert_eq!(table.find(&key("10.0.0.0/8")), None);
        assert_eq!(table.find_or_insert(key("10.0.0.0/9"), 10), Some(a));
        assert_eq!(table.len(), 2);
    }

    #[test]
    fn a_full_table_refuses_new_prefixes_and_keeps_old_ones() {
        let mut table = Table::<()>::new(1);
        let a = table.find_or_insert(key("10.0.0.0/8"), 1);
        assert_eq!(table.find_or_insert(key("11.0.0.0/8"), 1), None);
        assert_eq!(table.find_or_insert(key("10.0.0.0/8"), 1), a);
    }

    #[test]
    fn a_source_specific_route_is_another_prefix() {
        let mut table = Table::<()>::new(1);
        let dst = "::/0".parse().expect("a prefix");
        let src = "2001:db8::/32".parse().expect("a prefix");
        let plain = table.find_or_insert(RouteKey::new(dst), 10);
        let specific = RouteKey::source_specific(dst, src).expect("one family");
        assert_ne!(table.find_or_insert(specific, 10), plain);
    }

    #[test]
    fn memory_per_route_and_prefix_stays_within_its_budget() {
        // 12 octets is what a price attribute takes. Stock babeld needs 178 octets a route.
        assert!(
            size_of::<Route<[u32; 3]>>() <= 56,
            "route {}",
            size_of::<Route<[u32; 3]>>()
        );
        assert!(
            size_of::<Entry<[u32; 3]>>() <= 176,
            "entry {}",
            size_of::<Entry<[u32; 3]>>()
        );
        assert!(
            size_of::<Option<Entry<()>>>() <= 160,
            "{}",
            size_of::<Option<Entry<()>>>()
        );
    }

    #[test]
    fn a_prefix_set_holds_each_member_once() {
        let mut set = PrefixSet::default();
        assert!(set.insert(PrefixId(70)));
        assert!(!set.insert(PrefixId(70)));
        assert!(set.insert(PrefixId(3)));
        assert!(set.contains(PrefixId(70)) && !set.contains(PrefixId(4)));
        let mut pop = || set.pop_by_cached_key(|id| id.0);
        assert_eq!((pop(), pop()), (Some(PrefixId(3)), Some(PrefixId(70))));
        assert_eq!(pop(), None);
        assert!(set.is_empty() && set.insert(PrefixId(70)));
    }

    #[test]
    fn what_comes_while_a_run_leaves_waits_for_the_next_run() {
        let mut set = PrefixSet::default();
        for id in [5, 7, 6] {
            set.insert(PrefixId(id));
        }
        let pop = |set: &mut PrefixSet| set.pop_by_cached_key(|id| id.0).map(|id| id.0);
        assert_eq!(pop(&mut set), Some(5));
        for id in [2, 1, 5] {
            set.insert(PrefixId(id));
        }
        assert_eq!(pop(&mut set), Some(6));
        set.unpop(PrefixId(6));
        let rest: Vec<u32> = core::iter::from_fn(|| pop(&mut set)).collect();
        assert_eq!(rest, [6, 7, 1, 2, 5]);
    }
}
