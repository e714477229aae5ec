//! What waits to be sent on one link: intents, not octets.
//!
//! An intent names a prefix or a neighbour; its content is looked up when the packet is made, so
//! a queue never holds stale news and is bounded by the number of prefixes and neighbours. Full
//! dumps are paced: most receivers' sockets hold fewer than a hundred packets.

use crate::prefix::{Prefix, RouteKey};
use crate::table::PrefixSet;
use crate::time::Instant;
use crate::types::{NeighbourId, RouterId, SeqNo};
use crate::wire::Full;
use core::net::Ipv6Addr;
use core::time::Duration;
use foldhash::fast::RandomState;
use hashbrown::HashSet;
use std::collections::{BTreeSet, VecDeque};

/// Packets of updates that may leave back to back: less than the default socket buffer of any
/// peer holds (about 90).
const BURST: u32 = 64;
/// After a burst, one packet of updates in this time.
const PACE: Duration = Duration::from_millis(1);
/// Unicast TLVs waiting on one link; beyond it the oldest are dropped (all are retried).
const MAX_UNICAST: usize = 4096;
/// Requested prefixes that we know nothing of.
const MAX_UNKNOWN: usize = 1024;

/// A request to send.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Request {
    /// For everything.
    Wildcard,
    /// For one route.
    Route(RouteKey),
    /// For a new seqno.
    Seqno {
        key: RouteKey,
        seqno: SeqNo,
        hop_count: u8,
        router_id: RouterId,
    },
}

impl Request {
    /// Whether it is for a source-specific route.
    pub(crate) const fn is_source_specific(&self) -> bool {
        match self {
            Self::Wildcard => false,
            Self::Route(key) | Self::Seqno { key, .. } => key.is_source_specific(),
        }
    }
}

/// A TLV for one neighbour.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum UnicastTlv {
    /// RFC 8966 §4.6.4.
    Ack(u16),
    /// Any request.
    Request(Request),
}

/// Everything waiting on one link.
#[derive(Debug, Default)]
pub(crate) struct TxQueue {
    /// A Multicast Hello.
    pub(crate) hello: bool,
    /// A Unicast Hello to each of these.
    pub(crate) static_hellos: BTreeSet<Ipv6Addr>,
    /// "Forget what I said before": sent when a link comes up.
    pub(crate) wildcard_retraction: bool,
    /// "Tell me everything": sent when a link comes up.
    pub(crate) wildcard_request: bool,
    /// IHUs to these, in one multicast packet.
    pub(crate) ihus: BTreeSet<NeighbourId>,
    unicast: VecDeque<(NeighbourId, UnicastTlv)>,
    /// The same, to know what is in.
    unicast_members: HashSet<(NeighbourId, UnicastTlv), RandomState>,
    /// Routes of which one neighbour alone is to be told.
    alone: BTreeSet<(NeighbourId, RouteKey)>,
    /// Prefixes that somebody asked for and we know nothing of.
    pub(crate) unknown: BTreeSet<RouteKey>,
    /// Answers to requests: sent despite split horizon.
    pub(crate) replies: PrefixSet,
    /// Triggered updates.
    pub(crate) triggered: PrefixSet,
    /// The full dump.
    pub(crate) dump: PrefixSet,
    pace: Pace,
}

/// A token bucket over packets of updates.
#[derive(Clone, Copy, Debug)]
struct Pace {
    tokens: u32,
    refilled: Instant,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            tokens: BURST,
            refilled: Instant::ZERO,
        }
    }
}

impl TxQueue {
    /// Queues a TLV for one neighbour.
    pub(crate) fn push_unicast(&mut self, neighbour: NeighbourId, tlv: UnicastTlv) {
        if !self.unicast_members.insert((neighbour, tlv)) {
            return;
        }
        if self.unicast.len() >= MAX_UNICAST
            && let Some(oldest) = self.unicast.pop_front()
        {
            self.unicast_members.remove(&oldest);
        }
        self.unicast.push_back((neighbour, tlv));
    }

    /// Queues an Update for one neighbour alone.
    pub(crate) fn push_alone(&mut self, neighbour: NeighbourId, key: RouteKey) {
        self.alone.insert((neighbour, key));
    }

    /// The neighbour that has waited longest for a TLV of its own, else one for which an Update
    /// waits.
    pub(crate) fn first_unicast(&self) -> Option<NeighbourId> {
        let longest = self.unicast.front().map(|(to, _)| *to);
        longest.or_else(|| Some(self.alone.first()?.0))
    }

    /// The next route of which a neighbour is to be told.
    pub(crate) fn first_alone(&self, neighbour: NeighbourId) -> Option<RouteKey> {
        let from = RouteKey::new(Prefix::V4_DEFAULT);
        let mut rest = self.alone.range((neighbour, from)..);
        rest.next()
            .filter(|(to, _)| *to == neighbour)
            .map(|(_, key)| *key)
    }

    /// The neighbour was told of a route.
    pub(crate) fn remove_alone(&mut self, neighbour: NeighbourId, key: RouteKey) {
        self.alone.remove(&(neighbour, key));
    }

    /// Hands all that waits for a neighbour to `write`, in order, until that has no more room.
    pub(crate) fn take_unicast(
        &mut self,
        neighbour: NeighbourId,
        mut write: impl FnMut(&UnicastTlv) -> Result<(), Full>,
    ) -> Result<(), Full> {
        let members = &mut self.unicast_members;
        let mut outcome = Ok(());
        self.unicast.retain(|waiting| {
            if waiting.0 != neighbour || outcome.is_err() {
                return true;
            }
            outcome = write(&waiting.1);
            if outcome.is_ok() {
                members.remove(waiting);
            }
            outcome.is_err()
        });
        outcome
    }

    /// Queues the answer "I have no such route".
    pub(crate) fn push_unknown(&mut self, key: RouteKey) {
        if self.unknown.len() < MAX_UNKNOWN {
            self.unknown.insert(key);
        }
    }

    /// Drops what is meant for a neighbour that is gone.
    pub(crate) fn forget(&mut self, neighbour: NeighbourId) {
        self.ihus.remove(&neighbour);
        self.unicast.retain(|(to, _)| *to != neighbour);
        self.unicast_members.retain(|(to, _)| *to != neighbour);
        self.alone.retain(|(to, _)| *to != neighbour);
    }

    /// Takes the right to send one packet of updates; otherwise says when to try again.
    pub(crate) fn take_token(&mut self, now: Instant) -> Result<(), Instant> {
        let elapsed = now.since(self.pace.refilled).as_micros() / PACE.as_micros();
        if elapsed > 0 {
            let refill = u32::try_from(elapsed).unwrap_or(u32::MAX);
            self.pace.tokens = self.pace.tokens.saturating_add(refill).min(BURST);
            self.pace.refilled = now;
        }
        match self.pace.tokens.checked_sub(1) {
            Some(tokens) => {
                self.pace.tokens = tokens;
                Ok(())
            }
            // Some packets at a time are cheaper than one wake-up each.
            None => Err(now + PACE * 4),
        }
    }

    /// Drops everything; answers the prefixes that were waiting.
    pub(crate) fn clear(&mut self) -> Vec<crate::table::PrefixId> {
        let Self {
            replies,
            triggered,
            dump,
            ..
        } = core::mem::take(self);
        let sets = [replies, triggered, dump];
        sets.into_iter().flat_map(PrefixSet::into_members).collect()
    }

    /// Whether an update for a prefix waits anywhere.
    pub(crate) fn mentions(&self, id: crate::table::PrefixId) -> bool {
        self.replies.contains(id) || self.triggered.contains(id) || self.dump.contains(id)
    }

    /// Whether updates wait.
    pub(crate) fn has_updates(&self) -> bool {
        !(self.replies.is_empty() && self.triggered.is_empty() && self.dump.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dump_is_paced_after_the_first_burst() {
        let mut queue = TxQueue::default();
        let mut now = Instant::from_micros(1_000_000);
        let mut sent = 0;
        while queue.take_token(now).is_ok() {
            sent += 1;
        }
        assert_eq!(sent, BURST);
        let until = now + Duration::from_secs(1);
        while now < until {
            match queue.take_token(now) {
                Ok(()) => sent += 1,
                Err(again) => now = again,
            }
        }
        assert!(
            (BURST + 990..=BURST + 1000).contains(&sent),
            "{sent} packets in a second"
        );
    }

    #[test]
    fn unicast_tlvs_are_sent_once_and_bounded() {
        let mut queue = TxQueue::default();
        for opaque in 0..5000 {
            queue.push_unicast(NeighbourId(1), UnicastTlv::Ack(opaque));
            queue.push_unicast(NeighbourId(1), UnicastTlv::Ack(opaque));
        }
        assert_eq!(queue.unicast.len(), MAX_UNICAST);
        queue.push_unicast(NeighbourId(2), UnicastTlv::Ack(1));
        let mut room = 3;
        let mut written = Vec::new();
        assert_eq!(queue.first_unicast(), Some(NeighbourId(1)));
        let taken = queue.take_unicast(NeighbourId(1), |tlv| {
            room -= 1;
            written.push(*tlv);
            if room == 0 { Err(Full) } else { Ok(()) }
        });
        assert_eq!(taken, Err(Full));
        assert_eq!(written.first(), Some(&UnicastTlv::Ack(905)));
        assert_eq!(queue.unicast.len(), MAX_UNICAST - 2);
        // What was written may be queued again; what was not is in still.
        queue.push_unicast(NeighbourId(1), UnicastTlv::Ack(905));
        queue.push_unicast(NeighbourId(1), UnicastTlv::Ack(907));
        assert_eq!(queue.unicast.len(), MAX_UNICAST - 1);
        queue.forget(NeighbourId(1));
        assert_eq!(queue.unicast.len(), 1);
        assert_eq!(queue.unicast_members.len(), 1);
    }
}
