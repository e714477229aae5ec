//! Updates out (RFC 8966 §3.7): which, in which order, and what each says on its link.
//!
//! The feasibility distance is lowered here and nowhere else, before the packet leaves
//! (RFC 8966 §3.7.3).

use super::Engine;
use super::private::only;
use crate::ext::Extension;
use crate::link::Link;
use crate::policy::SelectionPolicy;
use crate::prefix::{Family, RouteKey};
use crate::source::SOURCE_GC_TIME;
use crate::table::PrefixId;
use crate::time::Instant;
use crate::timer::{Chore, Tick, TimerId};
use crate::txqueue::TxQueue;
use crate::types::{LinkId, Metric, NeighbourId, RouterId};
use crate::wire::{Full, NextHopOut, PacketWriter, SubTlvWriter, UpdateOut};

impl<X: Extension, P: SelectionPolicy<X::Attr>> Engine<X, P> {
    /// Updates, most wanted first: answers, triggered ones, then the dump.
    pub(super) fn write_updates(&mut self, now: Instant, id: LinkId, packet: &mut PacketWriter) {
        if !self.may_send_updates(now, id) {
            return;
        }
        if self.write_unknown(id, packet).is_err() {
            return;
        }
        for pick in [replies, triggered, dump] {
            while let Some(prefix) = self.next_update(id, pick) {
                let forced = core::ptr::fn_addr_eq(pick, replies as Pick);
                if self
                    .write_update(now, id, prefix, (None, forced), packet)
                    .is_err()
                {
                    if let Some(link) = self.links.get_mut(&id) {
                        pick(&mut link.queue).unpop(prefix);
                    }
                    return;
                }
                self.idle.push(prefix);
            }
        }
    }

    /// Whether the link's pace allows another packet of updates; if not, it is looked at later.
    fn may_send_updates(&mut self, now: Instant, id: LinkId) -> bool {
        let Some(link) = self.links.get_mut(&id) else {
            return false;
        };
        if link.queue.unknown.is_empty() && !link.queue.has_updates() {
            return false;
        }
        match link.queue.take_token(now) {
            Ok(()) => true,
            Err(at) => {
                self.timers
                    .set_earlier(&mut link.flush_alarm, TimerId::Flush(id), at);
                false
            }
        }
    }

    /// The next prefix to tell of. Sorted by originator, then prefix, a Router-Id TLV serves many
    /// Updates and prefixes compress best.
    fn next_update(&mut self, id: LinkId, pick: Pick) -> Option<PrefixId> {
        let link = self.links.get_mut(&id)?;
        let (table, own) = (&self.table, self.config.router_id);
        pick(&mut link.queue).pop_by_cached_key(|prefix| {
            table.get(*prefix).map(|entry| -> (RouterId, RouteKey) {
                let route = entry.selected_route();
                (route.map_or(own, |route| route.router_id), entry.key)
            })
        })
    }

    fn write_unknown(&mut self, id: LinkId, packet: &mut PacketWriter) -> Result<(), Full> {
        let router_id = self.config.router_id;
        let Some(link) = self.links.get_mut(&id) else {
            return Ok(());
        };
        while let Some(key) = link.queue.unknown.pop_first() {
            let entry = self.table.find(&key).and_then(|id| self.table.get(id));
            // Since it was asked for it has become one neighbour's route; that one listens, too.
            let private = entry.and_then(only).is_some();
            if private || link.may_not_hear_of(&key) {
                continue;
            }
            let update = retraction(link, key, router_id, self.seqno);
            if packet.update(&update).is_err() {
                link.queue.unknown.insert(key);
                return Err(Full);
            }
        }
        Ok(())
    }

    /// Updates for one neighbour alone, until the packet is full: what it may hear of each
    /// route, and a retraction of what it may not.
    pub(super) fn write_alone(
        &mut self,
        now: Instant,
        id: LinkId,
        to: NeighbourId,
        packet: &mut PacketWriter,
    ) -> Result<(), Full> {
        let next = |engine: &Self| engine.links.get(&id)?.queue.first_alone(to);
        while let Some(key) = next(self) {
            let prefix = self.table.find(&key);
            let entry = prefix.and_then(|id| self.table.get(id));
            match prefix.filter(|_| entry.is_some_and(|entry| self.may_hear(entry, Some(to)))) {
                Some(prefix) => self.write_update(now, id, prefix, (Some(to), true), packet)?,
                None => self.write_denial(id, key, packet)?,
            }
            if let Some(link) = self.links.get_mut(&id) {
                link.queue.remove_alone(to, key);
            }
        }
        Ok(())
    }

    /// One Update, finite or a retraction, or nothing if there is nothing to say on this link:
    /// to one neighbour or to all, and whether it is owed.
    fn write_update(
        &mut self,
        now: Instant,
        id: LinkId,
        prefix: PrefixId,
        (to, forced): (Option<NeighbourId>, bool),
        packet: &mut PacketWriter,
    ) -> Result<(), Full> {
        let (Some(entry), Some(link)) = (self.table.get(prefix), self.links.get(&id)) else {
            return Ok(());
        };
        let key = entry.key;
        if link.may_not_hear_of(&key) || !self.may_hear(entry, to) {
            return Ok(());
        }
        let (metric, attr) = match self.advertisement(entry, id) {
            Some((metric, attr)) if !metric.is_infinite() => (metric, attr),
            // What an `out` rule denies is not mentioned, unless somebody asks.
            None if entry.is_announceable() && !forced => return Ok(()),
            Some(_) | None => return self.write_retraction(id, prefix, key, packet),
        };
        let route = entry.selected_route();
        // DEVIATION(RFC 8966 §3.8.1.2): an answer, too, may wait for up to a second.
        if route.is_some_and(|route| self.is_guarded(now, prefix, entry, route)) {
            self.tell_after_guard(prefix);
            return Ok(());
        }
        // §3.7.4: what was learned on this link is not echoed there, unless asked for.
        if link.config.split_horizon && !forced {
            let learned_on = route
                .and_then(|route| self.neighbours.get(&route.neighbour))
                .map(|n| n.link);
            if learned_on == Some(id) {
                return Ok(());
            }
        }
        let Some(next_hop) = next_hop(link, key.family()) else {
            // Who asked for it is owed an answer: from here it cannot be reached through us.
            return match forced {
                true => self.write_retraction(id, prefix, key, packet),
                false => Ok(()),
            };
        };
        let (router_id, seqno) = route.map_or((self.config.router_id, self.seqno), |route| {
            (route.router_id, route.seqno)
        });
        let learned = route.is_some();
        let interval = link.update_interval();
        let mut sub_tlvs = Vec::new();
        self.extension
            .encode(attr, &mut SubTlvWriter::new(&mut sub_tlvs));
        packet.update(&UpdateOut {
            key,
            router_id,
            seqno,
            metric,
            interval,
            next_hop,
            sub_tlvs: &sub_tlvs,
        })?;
        if learned {
            self.record_distance(now, prefix, router_id, seqno, metric);
        }
        self.record_sent(id, prefix, attr);
        Ok(())
    }

    fn write_retraction(
        &mut self,
        id: LinkId,
        prefix: PrefixId,
        key: RouteKey,
        packet: &mut PacketWriter,
    ) -> Result<(), Full> {
        self.write_denial(id, key, packet)?;
        if let Some(link) = self.links.get_mut(&id) {
            link.sent.remove(&prefix);
        }
        Ok(())
    }

    /// "There is no such route", to one who need not have been told of it.
    fn write_denial(
        &self,
        id: LinkId,
        key: RouteKey,
        packet: &mut PacketWriter,
    ) -> Result<(), Full> {
        let Some(link) = self.links.get(&id) else {
            return Ok(());
        };
        if link.may_not_hear_of(&key) {
            return Ok(());
        }
        packet.update(&retraction(link, key, self.config.router_id, self.seqno))
    }

    /// §3.7.3.
    ///
    /// DEVIATION(RFC 8966 §3.7.3): what we originate ourselves is not recorded. No update with our
    /// own router-id is ever used, so that its distance would never be read.
    fn record_distance(
        &mut self,
        now: Instant,
        prefix: PrefixId,
        router_id: RouterId,
        seqno: crate::types::SeqNo,
        metric: Metric,
    ) {
        let Some(entry) = self.table.get_mut(prefix) else {
            return;
        };
        if entry
            .sources
            .advertise(router_id, seqno, metric, Tick::of(now))
        {
            self.timers
                .chore(Chore::Source(prefix), now + SOURCE_GC_TIME);
        }
    }

    fn record_sent(&mut self, id: LinkId, prefix: PrefixId, attr: X::Attr) {
        let current = self.table.get(prefix).and_then(|entry| self.current(entry));
        if let Some(entry) = self.table.get_mut(prefix) {
            entry.announced = current;
        }
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        if attr == X::Attr::default() {
            link.sent.remove(&prefix);
        } else {
            link.sent.insert(prefix, attr);
        }
    }
}

type Pick = fn(&mut TxQueue) -> &mut crate::table::PrefixSet;

fn replies(queue: &mut TxQueue) -> &mut crate::table::PrefixSet {
    &mut queue.replies
}

fn triggered(queue: &mut TxQueue) -> &mut crate::table::PrefixSet {
    &mut queue.triggered
}

fn dump(queue: &mut TxQueue) -> &mut crate::table::PrefixSet {
    &mut queue.dump
}

/// A retraction names our own router-id, which nobody reads, so as not to need another TLV.
fn retraction<A>(
    link: &Link<A>,
    key: RouteKey,
    router_id: RouterId,
    seqno: crate::types::SeqNo,
) -> UpdateOut<'static> {
    UpdateOut {
        key,
        router_id,
        seqno,
        metric: Metric::INFINITY,
        interval: link.update_interval(),
        next_hop: next_hop(link, key.family()).unwrap_or(NextHopOut::Source),
        sub_tlvs: &[],
    }
}

/// The next hop to name on a link; `None` if the link cannot carry the family.
fn next_hop<A>(link: &Link<A>, family: Family) -> Option<NextHopOut> {
    match (family, link.state.and_then(|state| state.ipv4)) {
        (Family::V6, _) => Some(NextHopOut::Source),
        (Family::V4, Some(address)) => Some(NextHopOut::V4(address)),
        (Family::V4, None) => link.config.v4_via_v6.then_some(NextHopOut::Source),
    }
}
