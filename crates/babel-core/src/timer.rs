//! Deadlines: a heap for the few precise ones, buckets for the many coarse ones.
//!
//! Precise timers (a handful per link and neighbour) live in their objects as an [`Alarm`]; the
//! heap only says when to look. Postponing writes the object; the heap entry finds out when it
//! pops. Coarse ones ([`Chore`], one or two per prefix) sit in buckets of 131 ms, so that a
//! hundred thousand routes cost one push each per hold time and nothing ever scans them all.

use crate::table::PrefixId;
use crate::time::Instant;
use crate::types::{LinkId, NeighbourId, RouterId};
use core::cmp::Reverse;
use core::time::Duration;
use std::collections::{BTreeMap, BinaryHeap};

/// A precise timer of one link or neighbour.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum TimerId {
    /// The next Multicast Hello is due.
    Hello(LinkId),
    /// The next full update is due.
    Update(LinkId),
    /// Buffered TLVs are due.
    Flush(LinkId),
    /// A Multicast Hello did not come.
    MulticastHello(NeighbourId),
    /// A Unicast Hello did not come.
    UnicastHello(NeighbourId),
    /// No IHU came.
    Ihu(NeighbourId),
    /// The neighbour may have said nothing at all.
    Idle(NeighbourId),
}

/// Something to look at when its time has come; whether there is anything to do is decided then.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Chore {
    /// A route may have to be refreshed, retracted or flushed.
    Route(PrefixId, NeighbourId),
    /// Sources of a prefix may be forgotten.
    Source(PrefixId),
    /// An unreachable hold may end.
    Hold(PrefixId),
    /// A better route may have waited long enough.
    Select(PrefixId),
    /// An urgent update is repeated.
    Repeat(PrefixId),
    /// An extension attribute may be told now.
    Tell(PrefixId),
    /// A seqno request is resent or given up.
    Request(PrefixId, RouterId),
}

/// Coarse time: units of 2^17 µs (131 ms) since the origin. Wraps after 17 years.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub(crate) struct Tick(u32);

impl Tick {
    const SHIFT: u32 = 17;

    /// The tick that `at` lies in.
    pub(crate) fn of(at: Instant) -> Self {
        Self(u32::try_from(at.as_micros() >> Self::SHIFT).unwrap_or(u32::MAX))
    }

    /// The first tick not before `at`.
    pub(crate) fn not_before(at: Instant) -> Self {
        Self::of(Instant::from_micros(
            at.as_micros().saturating_add((1 << Self::SHIFT) - 1),
        ))
    }

    /// Its beginning.
    pub(crate) const fn start(self) -> Instant {
        Instant::from_micros((self.0 as u64) << Self::SHIFT)
    }

    /// `duration` later, rounded up.
    pub(crate) fn after(self, duration: Duration) -> Self {
        Self::not_before(self.start() + duration)
    }
}

/// A deadline kept in the object that it concerns.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Alarm {
    at: Option<Instant>,
    queued: Option<Instant>,
}

/// All deadlines.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    heap: BinaryHeap<Reverse<(Instant, TimerId)>>,
    buckets: BTreeMap<Tick, Vec<Chore>>,
}

impl Timers {
    /// Sets `alarm` to go off at `at`, whatever it was set to.
    pub(crate) fn set(&mut self, alarm: &mut Alarm, id: TimerId, at: Instant) {
        alarm.at = Some(at);
        if alarm.queued.is_none_or(|queued| queued > at) {
            alarm.queued = Some(at);
            self.heap.push(Reverse((at, id)));
        }
    }

    /// Sets `alarm` to go off at `at` unless it goes off earlier already.
    pub(crate) fn set_earlier(&mut self, alarm: &mut Alarm, id: TimerId, at: Instant) {
        if alarm.at.is_none_or(|set| set > at) {
            self.set(alarm, id, at);
        }
    }

    /// Puts a chore into the bucket of `at`.
    pub(crate) fn chore(&mut self, chore: Chore, at: Instant) {
        self.buckets
            .entry(Tick::not_before(at))
            .or_default()
            .push(chore);
    }

    /// The next precise timer that is due at `now`, with the instant it was queued for. Its
    /// alarm must be asked with [`Self::fires`].
    pub(crate) fn pop(&mut self, now: Instant) -> Option<(Instant, TimerId)> {
        let Reverse((at, _)) = self.heap.peek()?;
        if *at > now {
            return None;
        }
        self.heap.pop().map(|Reverse(entry)| entry)
    }

    /// Whether `alarm` really goes off now, given what [`Self::pop`] said; requeues it if it was
    /// postponed.
    pub(crate) fn fires(
        &mut self,
        alarm: &mut Alarm,
        id: TimerId,
        popped: Instant,
        now: Instant,
    ) -> bool {
        if alarm.queued != Some(popped) {
            return false;
        }
        alarm.queued = None;
        match alarm.at {
            Some(at) if at <= now => {
                alarm.at = None;
                true
            }
            Some(at) => {
                alarm.queued = Some(at);
                self.heap.push(Reverse((at, id)));
                false
            }
            None => false,
        }
    }

    /// The next bucket of chores that is due at `now`.
    pub(crate) fn pop_chores(&mut self, now: Instant) -> Option<(Instant, Vec<Chore>)> {
        let bucket = self.buckets.first_entry()?;
        if bucket.key().start() > now {
            return None;
        }
        Some((bucket.key().start(), bucket.remove()))
    }

    /// Deadlines queued, stale ones included.
    pub(crate) fn len(&self) -> usize {
        self.heap.len() + self.buckets.values().map(Vec::len).sum::<usize>()
    }

    /// When to look again.
    pub(crate) fn next(&self) -> Option<Instant> {
        let precise = self.heap.peek().map(|Reverse((at, _))| *at);
        let coarse = self.buckets.first_key_value().map(|(tick, _)| tick.start());
        match (precise, coarse) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }
}

impl Alarm {
    /// Never goes off, until set again.
    pub(crate) fn clear(&mut self) {
        self.at = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: TimerId = TimerId::Hello(LinkId(1));

    fn at(ms: u64) -> Instant {
        Instant::from_micros(ms * 1000)
    }

    #[test]
    fn a_postponed_alarm_goes_off_once_and_at_the_later_time() {
        let (mut timers, mut alarm) = (Timers::default(), Alarm::default());
        timers.set(&mut alarm, ID, at(10));
        timers.set(&mut alarm, ID, at(20));
        let (popped, id) = timers
            .pop(at(10))
            .expect("the heap looks at the first time");
        assert!(!timers.fires(&mut alarm, id, popped, at(10)));
        let (popped, id) = timers.pop(at(20)).expect("requeued");
        assert!(timers.fires(&mut alarm, id, popped, at(20)));
        assert_eq!(timers.next(), None);
    }

    #[test]
    fn an_alarm_brought_forward_goes_off_once() {
        let (mut timers, mut alarm) = (Timers::default(), Alarm::default());
        timers.set(&mut alarm, ID, at(20));
        timers.set(&mut alarm, ID, at(10));
        let mut fired = 0;
        while let Some((popped, id)) = timers.pop(at(30)) {
            fired += usize::from(timers.fires(&mut alarm, id, popped, at(30)));
        }
        assert_eq!(fired, 1);
    }

    #[test]
    fn a_cleared_alarm_never_goes_off() {
        let (mut timers, mut alarm) = (Timers::default(), Alarm::default());
        timers.set(&mut alarm, ID, at(10));
        alarm.clear();
        let (popped, id) = timers.pop(at(10)).expect("queued");
        assert!(!timers.fires(&mut alarm, id, popped, at(10)));
        assert_eq!(timers.next(), None);
    }

    #[test]
    fn a_chore_is_never_early() {
        let mut timers = Timers::default();
        let chore = Chore::Source(PrefixId(7));
        timers.chore(chore, at(1000));
        assert!(timers.pop_chores(at(999)).is_none());
        let due = timers.next().expect("one bucket");
        assert!(due >= at(1000) && due.since(at(1000)) < Duration::from_millis(132));
        assert_eq!(
            timers.pop_chores(due).map(|(_, chores)| chores),
            Some(vec![chore])
        );
    }
}
