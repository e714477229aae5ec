//! What happens next.

use babel_core::time::Instant;
use core::cmp::Reverse;
use std::collections::BinaryHeap;

/// Where a packet is going.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Delivery {
    pub(super) wire: usize,
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) multicast: bool,
    pub(super) payload: Vec<u8>,
}

/// Something that happens at an instant.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Happening {
    /// A packet comes out of a wire.
    Arrives(Delivery),
    /// A node's next timer is due.
    Wake(usize),
}

/// Time first, then packets before timers, then in order of scheduling.
type Entry = (Instant, bool, u64, Happening);

/// All that is to happen.
#[derive(Debug, Default)]
pub(super) struct Queue {
    heap: BinaryHeap<Reverse<Entry>>,
    count: u64,
}

impl Queue {
    pub(super) fn push(&mut self, at: Instant, happening: Happening) {
        let timer = matches!(happening, Happening::Wake(_));
        self.count += 1;
        self.heap.push(Reverse((at, timer, self.count, happening)));
    }

    /// The next thing, if it happens by `end`.
    pub(super) fn pop_until(&mut self, end: Instant) -> Option<(Instant, Happening)> {
        let Reverse((at, ..)) = self.heap.peek()?;
        if *at > end {
            return None;
        }
        let Reverse((at, _, _, happening)) = self.heap.pop()?;
        Some((at, happening))
    }
}
