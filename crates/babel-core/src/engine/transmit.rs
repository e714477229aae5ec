//! Packets out: made when they are sent, from the newest state, as full as the link allows.
//!
//! To the group or, on links that are said to be `unicast`, to each neighbour by itself.

use super::Engine;
use crate::event::Transmit;
use crate::ext::Extension;
use crate::link::Link;
use crate::policy::SelectionPolicy;
use crate::rtt;
use crate::time::{Instant, Interval};
use crate::txqueue::{Request, UnicastTlv};
use crate::types::{LinkId, NeighbourId};
use crate::wire::{self, Destination, Full, Ihu, PacketWriter, TlvKind};
use core::net::{IpAddr, Ipv6Addr};
use std::collections::VecDeque;

/// The Hello interval of a goodbye: the neighbours notice at once (as stock babeld).
const FAREWELL: Interval = Interval::from_centis(10);

/// For whom a packet is.
enum Target {
    Group,
    One(Ipv6Addr),
    Each(VecDeque<Ipv6Addr>),
}

impl<X: Extension, P: SelectionPolicy<X::Attr>> Engine<X, P> {
    /// The next packet to send, written into `buffer`; call until `None`. Content is made now,
    /// from the newest state.
    pub fn poll_transmit(&mut self, now: Instant, buffer: &mut Vec<u8>) -> Option<Transmit> {
        while let Some(id) = self.ready.first().copied() {
            let Some(link) = self.links.get_mut(&id).filter(|link| link.state.is_some()) else {
                self.ready.remove(&id);
                continue;
            };
            if !link.owes_challenges(now)
                && let Some(to) = link.copies.to.pop_front()
            {
                buffer.clone_from(&link.copies.packet);
                return Some(self.dispatch(id, Destination::Unicast(to), false, buffer));
            }
            let mut packet = PacketWriter::new(core::mem::take(buffer), link.max_packet_len());
            let target = self.write_packet(now, id, &mut packet);
            if packet.is_empty() {
                *buffer = packet.finish();
                self.ready.remove(&id);
                self.await_challenges(now, id);
                continue;
            }
            for (total, sent) in self.counters.tlvs_sent.iter_mut().zip(packet.counts()) {
                *total += u64::from(*sent);
            }
            let hello = packet.counts()[TlvKind::Hello.index()] > 0;
            *buffer = packet.finish();
            match target {
                Target::Group => {
                    return Some(self.dispatch(id, Destination::Multicast, hello, buffer));
                }
                Target::One(to) => {
                    return Some(self.dispatch(id, Destination::Unicast(to), hello, buffer));
                }
                Target::Each(to) => {
                    if let Some(link) = self.links.get_mut(&id) {
                        link.copies.packet.clone_from(buffer);
                        link.copies.to = to;
                    }
                }
            }
        }
        self.free_idle();
        None
    }

    /// Makes a finished packet ready to leave: signed, and padded if it is to probe the MTU.
    fn dispatch(
        &mut self,
        id: LinkId,
        destination: Destination,
        hello: bool,
        packet: &mut Vec<u8>,
    ) -> Transmit {
        self.counters.packets_sent += 1;
        self.seal(id, destination, packet);
        if let Some(link) = self.links.get(&id)
            && link.config.probe_mtu
            && hello
        {
            wire::pad_trailer(packet, link.whole_packet_len());
        }
        Transmit {
            link: id,
            destination,
        }
    }

    /// The most urgent of what waits; nothing is written if nothing waits.
    fn write_packet(&mut self, now: Instant, id: LinkId, packet: &mut PacketWriter) -> Target {
        if let Some(to) = self.write_unicast(now, id, packet) {
            return Target::One(to);
        }
        if let Some(to) = self.write_static_hello(now, id, packet) {
            return Target::One(to);
        }
        let audience = self.audience(id);
        if audience.is_empty() {
            self.write_multicast(now, id, packet);
            return Target::Group;
        }
        // The last Hello comes after the retraction that says goodbye.
        let waits = |link: &Link<X::Attr>| {
            link.queue.hello && !(self.stopping && link.queue.wildcard_retraction)
        };
        if self.links.get(&id).is_some_and(waits) {
            let stamped = self.links.get(&id).is_some_and(|l| l.config.timestamps);
            self.write_hello(now, id, packet);
            // Timestamps mean nothing without those of a Hello beside them (RFC 9616 §3.2).
            if stamped {
                self.write_ihus(now, id, stamped, packet);
            }
            return Target::Group;
        }
        self.write_announcements(now, id, packet);
        Target::Each(audience)
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
        let old_fashioned = link.config.rfc6126_compatible;
        // With timestamps, IHUs wait for the Hello that is about to leave.
        let stays = link.config.timestamps && link.queue.hello;
        let single_ihus = link.config.unicast && !stays && link.queue.static_hellos.is_empty();
        let waiting = link.queue.first_unicast();
        let with_ihu = || link.queue.ihus.first().copied().filter(|_| single_ihus);
        let neighbour = waiting.or_else(with_ihu)?;
        let taken = link.queue.take_unicast(neighbour, |tlv| match tlv {
            UnicastTlv::Ack(opaque) => packet.ack(*opaque),
            UnicastTlv::Request(request) if old_fashioned && request.is_source_specific() => Ok(()),
            UnicastTlv::Request(request) => write_request(packet, request),
        });
        let taken = taken.and_then(|()| self.write_alone(now, id, neighbour, packet));
        if single_ihus && taken.is_ok() {
            self.write_ihu(now, id, neighbour, false, packet);
        }
        let address = self.neighbours.get(&neighbour).map(|n| n.address);
        address.filter(|_| !packet.is_empty())
    }

    /// The Unicast Hello of one static neighbour, with an IHU if one is due: on a link without
    /// multicast the two are what keeps it alive.
    fn write_static_hello(
        &mut self,
        now: Instant,
        id: LinkId,
        packet: &mut PacketWriter,
    ) -> Option<Ipv6Addr> {
        let link = self.links.get_mut(&id)?;
        if self.stopping && link.queue.wildcard_retraction {
            return None;
        }
        let to = link.queue.static_hellos.pop_first()?;
        let interval = if self.stopping {
            FAREWELL
        } else {
            link.hello_interval()
        };
        let first = link.hello_seqno;
        let seqno = link.unicast_seqnos.entry(to).or_insert(first);
        *seqno = seqno.plus(1);
        let timestamp = link.config.timestamps.then(|| rtt::timestamp(now));
        // It is the first TLV of a packet of at least 512 octets: it fits.
        let _ = packet.hello(true, *seqno, interval, timestamp);
        if let Some(neighbour) = link.by_address.get(&to).copied() {
            self.write_ihu(now, id, neighbour, timestamp.is_some(), packet);
        }
        Some(to)
    }

    /// Those who get copies of what is otherwise sent to the group; nobody if the group gets it.
    fn audience(&self, id: LinkId) -> VecDeque<Ipv6Addr> {
        let Some(link) = self.links.get(&id).filter(|link| link.config.unicast) else {
            return VecDeque::new();
        };
        let mut audience: VecDeque<Ipv6Addr> = link
            .neighbours
            .iter()
            .filter_map(|id| self.neighbours.get(id))
            .filter(|neighbour| !neighbour.is_silent())
            .map(|neighbour| neighbour.address)
            .collect();
        let strangers = link.config.static_neighbours.iter();
        audience.extend(strangers.filter(|a| !link.by_address.contains_key(*a)));
        audience
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
        self.write_farewell(id, packet);
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        if link.queue.hello && stopping {
            self.write_hello(now, id, packet);
        }
        self.write_ihus(now, id, stamped, packet);
        self.write_requests(id, packet);
        self.write_updates(now, id, packet);
    }

    /// What a multicast holds besides Hellos.
    fn write_announcements(&mut self, now: Instant, id: LinkId, packet: &mut PacketWriter) {
        self.write_farewell(id, packet);
        self.write_ihus(now, id, false, packet);
        self.write_requests(id, packet);
        self.write_updates(now, id, packet);
    }

    /// "Forget what I said before", at the beginning and at the end.
    fn write_farewell(&mut self, id: LinkId, packet: &mut PacketWriter) {
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        if core::mem::take(&mut link.queue.wildcard_retraction) {
            // With at most a Hello before it in a packet of at least 512 octets, it always fits.
            let _ = packet.wildcard_retraction();
        }
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
        let next = |engine: &Self| Some(*engine.links.get(&id)?.queue.ihus.first()?);
        while let Some(to) = next(self) {
            if !self.write_ihu(now, id, to, stamped, packet) {
                return;
            }
        }
    }

    /// The IHU that waits for one neighbour, if one does; whether it fitted.
    fn write_ihu(
        &mut self,
        now: Instant,
        id: LinkId,
        to: NeighbourId,
        stamped: bool,
        packet: &mut PacketWriter,
    ) -> bool {
        let Some(link) = self.links.get_mut(&id) else {
            return true;
        };
        if !link.queue.ihus.remove(&to) {
            return true;
        }
        let Some(neighbour) = self.neighbours.get(&to) else {
            return true;
        };
        let ihu = Ihu {
            address: Some(IpAddr::V6(neighbour.address)),
            rxcost: neighbour.rxcost,
            interval: link.ihu_interval(),
            timestamps: neighbour.rtt.echo(now).filter(|_| stamped),
        };
        let fits = packet.ihu(&ihu).is_ok();
        if !fits {
            link.queue.ihus.insert(to);
        }
        fits
    }

    fn write_requests(&mut self, id: LinkId, packet: &mut PacketWriter) {
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        if link.queue.wildcard_request && packet.route_request(None).is_ok() {
            link.queue.wildcard_request = false;
        }
    }
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
