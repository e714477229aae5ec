//! Packets in, TLV by TLV; neighbours met, heard and lost.

use super::Engine;
use crate::event::{Change, DiagnosticKind};
use crate::ext::Extension;
use crate::neighbour::{HelloNews, Neighbour};
use crate::policy::SelectionPolicy;
use crate::rtt;
use crate::time::{Instant, Interval};
use crate::timer::TimerId;
use crate::txqueue::{Request, UnicastTlv};
use crate::types::{LinkId, Metric, NeighbourId, SeqNo};
use crate::wire::{Ihu, PacketReader, Tlv, TlvKind};
use core::net::{IpAddr, Ipv6Addr};
use core::time::Duration;

/// A neighbour that never sent a Hello is forgotten after this.
const IDLE_TIME: Duration = Duration::from_secs(60);

/// Timestamps of one packet: only together do they give a round-trip time (RFC 9616 §3.2).
#[derive(Clone, Copy, Debug, Default)]
struct Timestamps {
    /// When its Hello left.
    hello: Option<u32>,
    /// Of its IHU for us: when our Hello left, and when it arrived there.
    ihu: Option<(u32, u32)>,
}

impl<X: Extension, P: SelectionPolicy<X::Attr>> Engine<X, P> {
    pub(super) fn receive_packet(
        &mut self,
        now: Instant,
        link: LinkId,
        source: Ipv6Addr,
        multicast: bool,
        payload: &[u8],
    ) {
        self.counters.packets_received += 1;
        let ours = self
            .links
            .get(&link)
            .and_then(|link| link.state)
            .map(|state| state.address);
        if ours.is_none() || ours == Some(source) || self.stopping {
            self.counters.packets_dropped += 1;
            return;
        }
        if source.segments()[0] & 0xFFC0 != 0xFE80 {
            self.counters.packets_dropped += 1;
            self.diagnose_stranger(now, link, source, DiagnosticKind::NotLinkLocal);
            return;
        }
        let mut packet = match PacketReader::new(payload, source) {
            Ok(packet) => packet,
            Err(error) => {
                self.counters.packets_dropped += 1;
                self.diagnose(now, link, source, DiagnosticKind::Packet(error));
                return;
            }
        };
        if !self.is_authentic(now, link, source, multicast, payload) {
            return;
        }
        let Some(mut neighbour) = self.meet(now, link, source) else {
            self.counters.packets_dropped += 1;
            return;
        };
        let mut stamps = Timestamps::default();
        for tlv in packet.by_ref() {
            self.receive_tlv(now, link, &mut neighbour, multicast, tlv, &mut stamps);
        }
        self.timestamps_received(now, link, neighbour, &stamps);
        if packet.overrun() {
            self.diagnose(now, link, source, DiagnosticKind::Overrun);
        }
    }

    /// The neighbour behind an address, new if need be; `None` if the link is full.
    fn meet(&mut self, now: Instant, link_id: LinkId, address: Ipv6Addr) -> Option<NeighbourId> {
        let link = self.links.get_mut(&link_id)?;
        if let Some(id) = link.by_address.get(&address) {
            return Some(*id);
        }
        let limit = self.config.limits.neighbours_per_link;
        if link.neighbours.len() >= limit {
            self.counters.limited += 1;
            let kind = DiagnosticKind::Limit("neighbours per link", limit);
            self.diagnose_stranger(now, link_id, address, kind);
            return None;
        }
        let id = NeighbourId(self.next_neighbour);
        self.next_neighbour = self.next_neighbour.wrapping_add(1);
        let mut neighbour = Neighbour::new(link_id, address);
        self.timers.set(
            &mut neighbour.idle_alarm,
            TimerId::Idle(id),
            now + IDLE_TIME,
        );
        link.neighbours.push(id);
        link.by_address.insert(address, id);
        self.neighbours.insert(id, neighbour);
        self.notify_neighbour(now, Change::Add, id);
        Some(id)
    }

    fn receive_tlv(
        &mut self,
        now: Instant,
        link: LinkId,
        neighbour: &mut NeighbourId,
        multicast: bool,
        tlv: Tlv<'_>,
        stamps: &mut Timestamps,
    ) {
        self.count_received(&tlv);
        match tlv {
            Tlv::AckRequest { opaque, interval } => {
                self.ack_requested(now, link, *neighbour, opaque, interval);
            }
            Tlv::Hello {
                unicast,
                seqno,
                interval,
                timestamp,
            } => {
                stamps.hello = timestamp;
                *neighbour = self.hello_received(now, *neighbour, unicast, seqno, interval);
            }
            Tlv::Ihu(ihu) => {
                if self.ihu_received(now, link, *neighbour, multicast, &ihu) {
                    stamps.ihu = ihu.timestamps;
                }
            }
            Tlv::Update(update) => self.update_received(now, link, *neighbour, &update),
            Tlv::RouteRequest(None) => self.request_dump(now, link),
            Tlv::RouteRequest(Some(key)) => self.route_requested(now, link, *neighbour, key),
            Tlv::SeqnoRequest {
                key,
                seqno,
                hop_count,
                router_id,
            } => {
                self.seqno_requested(now, link, *neighbour, key, seqno, hop_count, router_id);
            }
            Tlv::Ignored(reason) => {
                if let Some(source) = self.neighbours.get(neighbour).map(|n| n.address) {
                    self.diagnose(now, link, source, DiagnosticKind::Tlv(reason));
                }
            }
            // Applied by the reader, without effect here, or looked at already if the link has
            // keys (RFC 8967 §4.3).
            Tlv::RouterId(_)
            | Tlv::NextHop(_)
            | Tlv::Ack { .. }
            | Tlv::Pc { .. }
            | Tlv::ChallengeRequest { .. }
            | Tlv::ChallengeReply { .. } => {}
        }
    }

    fn count_received(&mut self, tlv: &Tlv<'_>) {
        let kind = match tlv {
            Tlv::AckRequest { .. } => TlvKind::AckRequest,
            Tlv::Ack { .. } => TlvKind::Ack,
            Tlv::Hello { .. } => TlvKind::Hello,
            Tlv::Ihu(_) => TlvKind::Ihu,
            Tlv::RouterId(_) => TlvKind::RouterId,
            Tlv::NextHop(_) => TlvKind::NextHop,
            Tlv::Update(_) => TlvKind::Update,
            Tlv::RouteRequest(_) => TlvKind::RouteRequest,
            Tlv::SeqnoRequest { .. } => TlvKind::SeqnoRequest,
            Tlv::Pc { .. } | Tlv::ChallengeRequest { .. } | Tlv::ChallengeReply { .. } => {
                TlvKind::Other
            }
            Tlv::Ignored(reason) => {
                if let Some(count) = self.counters.tlvs_ignored.get_mut(reason.index()) {
                    *count += 1;
                }
                return;
            }
        };
        if let Some(count) = self.counters.tlvs_received.get_mut(kind.index()) {
            *count += 1;
        }
    }

    /// An Ack must leave before the interval is over, propagation included: half of it is ours.
    fn ack_requested(
        &mut self,
        now: Instant,
        link_id: LinkId,
        neighbour: NeighbourId,
        opaque: u16,
        interval: Interval,
    ) {
        let Some(link) = self.links.get_mut(&link_id) else {
            return;
        };
        link.queue.push_unicast(neighbour, UnicastTlv::Ack(opaque));
        let at = now + (interval.duration() / 2).min(Duration::from_millis(50));
        self.timers
            .set_earlier(&mut link.flush_alarm, TimerId::Flush(link_id), at);
    }

    /// Takes a Hello in. Answers the neighbour's id, which is new if the neighbour restarted.
    fn hello_received(
        &mut self,
        now: Instant,
        id: NeighbourId,
        unicast: bool,
        seqno: SeqNo,
        interval: Interval,
    ) -> NeighbourId {
        let Some(neighbour) = self.neighbours.get_mut(&id) else {
            return id;
        };
        let (link, address) = (neighbour.link, neighbour.address);
        let met = neighbour.is_silent();
        neighbour.last_hello = Some(now);
        let (hellos, timer) = if unicast {
            (&mut neighbour.unicast, TimerId::UnicastHello(id))
        } else {
            (&mut neighbour.multicast, TimerId::MulticastHello(id))
        };
        let (news, due) = hellos.received(seqno, interval, now);
        if let Some(due) = due {
            self.timers.set(&mut hellos.alarm, timer, due);
        }
        if news == HelloNews::Restarted {
            // RFC 8966 appendix A.1: flush the neighbour, and begin anew with this Hello.
            self.remove_neighbour(now, id);
            let Some(id) = self.meet(now, link, address) else {
                return id;
            };
            return self.hello_received(now, id, unicast, seqno, interval);
        }
        let rxcost_was_infinite = neighbour.rxcost.is_infinite();
        self.recost(now, id);
        let heard_again = rxcost_was_infinite
            && self
                .neighbours
                .get(&id)
                .is_some_and(|n| !n.rxcost.is_infinite());
        if met || heard_again {
            self.greet(now, link, id);
        }
        self.notify_neighbour(now, Change::Change, id);
        id
    }

    /// Takes an IHU in; whether it is for us.
    fn ihu_received(
        &mut self,
        now: Instant,
        link: LinkId,
        id: NeighbourId,
        multicast: bool,
        ihu: &Ihu,
    ) -> bool {
        let Some(state) = self.links.get(&link).and_then(|link| link.state) else {
            return false;
        };
        let for_us = match ihu.address {
            None => !multicast,
            Some(IpAddr::V6(address)) => address == state.address,
            Some(IpAddr::V4(address)) => Some(address) == state.ipv4,
        };
        let Some(neighbour) = self.neighbours.get_mut(&id).filter(|_| for_us) else {
            return false;
        };
        neighbour.txcost = ihu.rxcost;
        neighbour.last_ihu = Some(now);
        let expiry = now + ihu.interval.duration() * 7 / 2;
        self.timers
            .set(&mut neighbour.ihu_alarm, TimerId::Ihu(id), expiry);
        self.recost(now, id);
        self.notify_neighbour(now, Change::Change, id);
        true
    }

    /// A packet's timestamps, taken together: a sample of the round trip if both kinds were there.
    fn timestamps_received(
        &mut self,
        now: Instant,
        link: LinkId,
        id: NeighbourId,
        stamps: &Timestamps,
    ) {
        let (Some(link), Some(transmit)) = (self.links.get(&link), stamps.hello) else {
            return;
        };
        let Some(neighbour) = self.neighbours.get_mut(&id) else {
            return;
        };
        neighbour.rtt.hello(transmit, now);
        let Some((origin, receive)) = stamps.ihu.filter(|_| link.config.timestamps) else {
            return;
        };
        if let Some(sample) = rtt::sample(origin, receive, transmit, rtt::timestamp(now)) {
            neighbour.rtt.sampled(sample, &link.config.rtt, now);
            self.recost(now, id);
        }
    }

    pub(super) fn hello_missed(&mut self, now: Instant, id: NeighbourId, unicast: bool) {
        let Some(neighbour) = self.neighbours.get_mut(&id) else {
            return;
        };
        let (hellos, timer) = if unicast {
            (&mut neighbour.unicast, TimerId::UnicastHello(id))
        } else {
            (&mut neighbour.multicast, TimerId::MulticastHello(id))
        };
        let due = hellos.missed(now);
        if !hellos.reach.is_empty() {
            self.timers.set(&mut hellos.alarm, timer, due);
        }
        if neighbour.is_silent() {
            self.lose_neighbour(now, id);
        } else {
            self.recost(now, id);
            self.notify_neighbour(now, Change::Change, id);
        }
    }

    pub(super) fn ihu_missed(&mut self, now: Instant, id: NeighbourId) {
        self.txcost_lost(now, id);
        self.notify_neighbour(now, Change::Change, id);
    }

    /// Whether the neighbour hears us is no longer known.
    pub(super) fn txcost_lost(&mut self, now: Instant, id: NeighbourId) {
        if let Some(neighbour) = self.neighbours.get_mut(&id) {
            neighbour.txcost = Metric::INFINITY;
            neighbour.ihu_alarm.clear();
            self.recost(now, id);
        }
    }

    pub(super) fn neighbour_idle(&mut self, now: Instant, id: NeighbourId) {
        if self.neighbours.get(&id).is_some_and(Neighbour::is_silent) {
            self.lose_neighbour(now, id);
        }
    }

    /// Works the cost out anew; if it changed, the neighbour's own prefixes are judged again.
    pub(super) fn recost(&mut self, now: Instant, id: NeighbourId) {
        let Some(neighbour) = self.neighbours.get_mut(&id) else {
            return;
        };
        let Some(link) = self.links.get_mut(&neighbour.link) else {
            return;
        };
        let old = neighbour.cost;
        if !neighbour.update_cost(&link.config, now) {
            return;
        }
        for prefix in &neighbour.routes {
            let Some(entry) = self.table.get_mut(*prefix) else {
                continue;
            };
            if let Some(route) = entry.route_mut(id) {
                let metric = route.refmetric.plus(route.filter_metric).plus(old);
                route
                    .smoothed
                    .fix(metric, self.config.smoothing_half_life, now);
            }
            if !entry.dirty {
                entry.dirty = true;
                self.dirty.push(*prefix);
            }
        }
        let reachable = old.is_infinite() && !neighbour.cost.is_infinite();
        let link_id = link.id;
        if reachable && link.state.is_some() {
            // The link works in both directions now: exchange tables.
            link.queue
                .push_unicast(id, UnicastTlv::Request(Request::Wildcard));
            self.timers
                .set_earlier(&mut link.flush_alarm, TimerId::Flush(link_id), now);
            self.request_dump(now, link_id);
        }
    }

    /// A neighbour is gone: what authentication knows of it goes, too (RFC 8967 §4.4).
    fn lose_neighbour(&mut self, now: Instant, id: NeighbourId) {
        self.forget_peer(id);
        self.remove_neighbour(now, id);
    }

    pub(super) fn remove_neighbour(&mut self, now: Instant, id: NeighbourId) {
        self.flush_routes(id);
        self.notify_neighbour(now, Change::Flush, id);
        let Some(neighbour) = self.neighbours.remove(&id) else {
            return;
        };
        self.decisions.departed(id, neighbour.party());
        if let Some(link) = self.links.get_mut(&neighbour.link) {
            link.neighbours.retain(|other| *other != id);
            link.by_address.remove(&neighbour.address);
            link.queue.forget(id);
        }
    }
}
