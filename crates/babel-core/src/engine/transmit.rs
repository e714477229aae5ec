//! Packets out: made when they are sent, from the newest state, as full as the link allows.
//!
//! The feasibility distance is lowered here and nowhere else, before the packet leaves
//! (RFC 8966 §3.7.3).

use super::Engine;
use crate::event::Transmit;
use crate::ext::Extension;
use crate::link::Link;
use crate::policy::SelectionPolicy;
use crate::prefix::{Family, RouteKey};
use crate::rtt;
use crate::source::SOURCE_GC_TIME;
use crate::table::PrefixId;
use crate::time::{Instant, Interval};
use crate::timer::{Chore, Tick, TimerId};
use crate::txqueue::{Request, TxQueue, UnicastTlv};
use crate::types::{LinkId, Metric, RouterId};
use crate::wire::{Destination, Full, Ihu, NextHopOut, PacketWriter, SubTlvWriter, UpdateOut};
use core::net::{IpAddr, Ipv6Addr};

/// The Hello interval of a goodbye: the neighbours notice at once (as stock babeld).
const FAREWELL: Interval = Interval::from_centis(10);

impl<X: Extension, P: SelectionPolicy<X::Attr>> Engine<X, P> {
    /// The next packet to send, written into `buffer`; call until `None`. Content is made now,
    /// from the newest state.
    pub fn poll_transmit(&mut self, now: Instant, buffer: &mut Vec<u8>) -> Option<Transmit> {
        while let Some(id) = self.ready.first().copied() {
            let Some(link) = self.links.get(&id).filter(|link| link.state.is_some()) else {
                self.ready.remove(&id);
                continue;
            };
            let mut packet = PacketWriter::new(core::mem::take(buffer), link.max_packet_len());
            let unicast = self.write_unicast(now, id, &mut packet);
            if unicast.is_none() {
                self.write_multicast(now, id, &mut packet);
            }
            let empty = packet.is_empty();
            for (total, sent) in self.counters.tlvs_sent.iter_mut().zip(packet.counts()) {
                *total += u64::from(*sent);
            }
            *buffer = packet.finish();
            if !empty {
                self.counters.packets_sent += 1;
                let destination = unicast.map_or(Destination::Multicast, Destination::Unicast);
                self.seal(id, destination, buffer);
                return Some(Transmit {
                    link: id,
                    destination,
                });
            }
            self.ready.remove(&id);
            self.await_challenges(now, id);
        }
        self.free_idle();
        None
    }

    /// All that waits for the neighbour that has waited longest, if anything waits for one.
    /// Replies to challenges come before everything else (RFC 8967 §4.3.1.2).
    fn write_unicast(
        &mut self,
        now: Instant,
        id: LinkId,
        packet: &mut PacketWriter,
    ) -> Option<Ipv6Addr> {
        if let Some(to) = self.write_challenges(now, id, packet) {
            return Some(to);
        }
        let link = self.links.get_mut(&id)?;
        let (neighbour, _) = *link.queue.unicast.front()?;
        let mut full = false;
        link.queue.unicast.retain(|(to, tlv)| {
            if *to != neighbour || full {
                return true;
            }
            let written = match tlv {
                UnicastTlv::Ack(opaque) => packet.ack(*opaque),
                UnicastTlv::Request(request) => write_request(packet, request),
            };
            full = written.is_err();
            full
        });
        self.neighbours.get(&neighbour).map(|n| n.address)
    }

    fn write_multicast(&mut self, now: Instant, id: LinkId, packet: &mut PacketWriter) {
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        let stopping = self.stopping;
        // IHUs echo timestamps only beside a timestamped Hello (RFC 9616 §3.2).
        let stamped = link.queue.hello && link.config.timestamps;
        if link.queue.hello && !stopping {
            self.write_hello(now, id, packet);
        }
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        if core::mem::take(&mut link.queue.wildcard_retraction) {
            // With at most a Hello before it in a packet of at least 512 octets, it always fits.
            let _ = packet.wildcard_retraction();
        }
        if link.queue.hello && stopping {
            self.write_hello(now, id, packet);
        }
        self.write_ihus(now, id, stamped, packet);
        self.write_requests(id, packet);
        self.write_updates(now, id, packet);
    }

    fn write_hello(&mut self, now: Instant, id: LinkId, packet: &mut PacketWriter) {
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        let interval = if self.stopping {
            FAREWELL
        } else {
            link.hello_interval()
        };
        let seqno = link.hello_seqno.plus(1);
        let timestamp = link.config.timestamps.then(|| rtt::timestamp(now));
        if packet.hello(false, seqno, interval, timestamp).is_ok() {
            link.hello_seqno = seqno;
            link.queue.hello = false;
        }
    }

    fn write_ihus(&mut self, now: Instant, id: LinkId, stamped: bool, packet: &mut PacketWriter) {
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        let interval = link.ihu_interval();
        while let Some(to) = link.queue.ihus.pop_first() {
            let Some(neighbour) = self.neighbours.get(&to) else {
                continue;
            };
            let ihu = Ihu {
                address: Some(IpAddr::V6(neighbour.address)),
                rxcost: neighbour.rxcost,
                interval,
                timestamps: neighbour.rtt.echo(now).filter(|_| stamped),
            };
            if packet.ihu(&ihu).is_err() {
                link.queue.ihus.insert(to);
                return;
            }
        }
    }

    fn write_requests(&mut self, id: LinkId, packet: &mut PacketWriter) {
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        if link.queue.wildcard_request && packet.route_request(None).is_ok() {
            link.queue.wildcard_request = false;
        }
    }

    /// Updates, most wanted first: answers, triggered ones, then the dump.
    fn write_updates(&mut self, now: Instant, id: LinkId, packet: &mut PacketWriter) {
        if !self.may_send_updates(now, id) {
            return;
        }
        if self.write_unknown(id, packet).is_err() {
            return;
        }
        for pick in [replies, triggered, dump] {
            while let Some(prefix) = self.next_update(id, pick) {
                let forced = core::ptr::fn_addr_eq(pick, replies as Pick);
                if self.write_update(now, id, prefix, forced, packet).is_err() {
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
                let route = entry.selected_route().filter(|_| entry.xroute.is_none());
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
            let update = retraction(link, key, router_id, self.seqno);
            if packet.update(&update).is_err() {
                link.queue.unknown.insert(key);
                return Err(Full);
            }
        }
        Ok(())
    }

    /// One Update, finite or a retraction, or nothing if there is nothing to say on this link.
    fn write_update(
        &mut self,
        now: Instant,
        id: LinkId,
        prefix: PrefixId,
        forced: bool,
        packet: &mut PacketWriter,
    ) -> Result<(), Full> {
        let (Some(entry), Some(link)) = (self.table.get(prefix), self.links.get(&id)) else {
            return Ok(());
        };
        let key = entry.key;
        let (metric, attr) = match self.advertisement(entry, id) {
            Some((metric, attr)) if !metric.is_infinite() => (metric, attr),
            // What an `out` rule denies is not mentioned, unless somebody asks.
            None if entry.is_announceable() && !forced => return Ok(()),
            Some(_) | None => return self.write_retraction(id, prefix, key, packet),
        };
        let route = entry.selected_route().filter(|_| entry.xroute.is_none());
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
            return Ok(());
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
        let (router_id, seqno) = (self.config.router_id, self.seqno);
        let Some(link) = self.links.get_mut(&id) else {
            return Ok(());
        };
        packet.update(&retraction(link, key, router_id, seqno))?;
        link.sent.remove(&prefix);
        Ok(())
    }

    /// §3.7.3. Our own originations are not recorded: an update with our router-id is never used.
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

fn write_request(packet: &mut PacketWriter, request: &Request) -> Result<(), Full> {
    match request {
        Request::Wildcard => packet.route_request(None),
        Request::Route(key) => packet.route_request(Some(key)),
        Request::Seqno {
            key,
            seqno,
            hop_count,
            router_id,
        } => packet.seqno_request(key, *seqno, *hop_count, *router_id),
    }
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
