//! Requests: for a route, and for a new seqno (RFC 8966 §3.8).

use super::Engine;
use super::announce::own_route;
use super::private::only;
use crate::ext::Extension;
use crate::policy::SelectionPolicy;
use crate::prefix::RouteKey;
use crate::table::PrefixId;
use crate::time::Instant;
use crate::timer::{Chore, TimerId};
use crate::txqueue::{Request, UnicastTlv};
use crate::types::{LinkId, NeighbourId, RouterId, SeqNo};
use core::time::Duration;
use smallvec::SmallVec;

/// Above the diameter of any Babel network (RFC 8966 §3.8.2.1 suggests 64).
const HOP_COUNT: u8 = 64;
/// A request just like one passed on this recently is redundant. Shorter than the two seconds
/// after which the first request is resent, so that resending works.
const REDUNDANT_TIME: Duration = Duration::from_secs(1);
/// How long the answer to a request passed on is waited for.
const PENDING_TIME: Duration = Duration::from_secs(16);
/// Requesters remembered for one request.
const MAX_REQUESTERS: usize = 8;

/// A request passed on for others, whose answer they are to be told at once.
#[derive(Clone, Debug)]
pub(super) struct PendingRequest {
    router_id: RouterId,
    seqno: SeqNo,
    forwarded: Instant,
    requesters: SmallVec<[NeighbourId; 2]>,
}

impl PendingRequest {
    fn add_requester(&mut self, neighbour: NeighbourId) {
        if self.requesters.len() < MAX_REQUESTERS && !self.requesters.contains(&neighbour) {
            self.requesters.push(neighbour);
        }
    }
}

/// All requests pending for one prefix.
pub(super) type PendingRequests = SmallVec<[PendingRequest; 1]>;

impl<X: Extension, P: SelectionPolicy<X::Attr>> Engine<X, P> {
    /// §3.8.1.1: an update, split horizon or not; a retraction if we have no such route.
    pub(super) fn route_requested(
        &mut self,
        now: Instant,
        link: LinkId,
        from: NeighbourId,
        key: RouteKey,
    ) {
        match self.table.find(&key) {
            Some(id) => self.answer(now, link, from, id),
            None => {
                if let Some(link) = self.links.get_mut(&link) {
                    link.queue.push_unknown(key);
                }
                self.flush_soon(now, link);
            }
        }
    }

    /// §3.8.1.2.
    #[expect(
        clippy::too_many_arguments,
        reason = "the fields of one TLV, and where it came from"
    )]
    pub(super) fn seqno_requested(
        &mut self,
        now: Instant,
        link: LinkId,
        from: NeighbourId,
        key: RouteKey,
        seqno: SeqNo,
        hop_count: u8,
        router_id: RouterId,
    ) {
        let Some(id) = self.table.find(&key) else {
            return;
        };
        let Some(entry) = self.table.get(id) else {
            return;
        };
        let ours = self.config.router_id;
        if !self.may_hear(entry, Some(from)) {
            return;
        }
        if own_route(entry).is_some() {
            if router_id == ours && seqno.newer_than(self.seqno) {
                // Once per request, by one, however far ahead the request is.
                self.seqno = self.seqno.plus(1);
            }
            self.counters.seqno_requests_answered += 1;
            return self.answer(now, link, from, id);
        }
        let Some(route) = entry.selected_route() else {
            return;
        };
        if route.router_id != router_id || route.seqno.at_least(seqno) {
            self.counters.seqno_requests_answered += 1;
            return self.reply(now, link, id);
        }
        if hop_count >= 2 && router_id != ours {
            self.forward_request(now, id, from, seqno, hop_count - 1, router_id);
        }
    }

    /// Passes a request on, to one neighbour only: by a feasible route, else by any, but never
    /// back to where it came from.
    fn forward_request(
        &mut self,
        now: Instant,
        id: PrefixId,
        from: NeighbourId,
        seqno: SeqNo,
        hop_count: u8,
        router_id: RouterId,
    ) {
        if self.is_redundant(now, id, from, seqno, router_id) {
            self.counters.seqno_requests_suppressed += 1;
            return;
        }
        let Some(entry) = self.table.get(id) else {
            return;
        };
        let key = entry.key;
        let target = entry
            .routes
            .iter()
            .filter(|route| route.neighbour != from && !self.metric_of(route).is_infinite())
            .min_by_key(|route| {
                let feasible =
                    entry
                        .sources
                        .feasible(route.router_id, route.seqno, route.refmetric);
                let selected = entry.selected == Some(route.neighbour);
                (!selected, !feasible, self.metric_of(route), route.neighbour)
            })
            .map(|route| route.neighbour);
        let Some(target) = target else { return };
        self.remember_request(now, id, from, seqno, router_id);
        self.counters.seqno_requests_forwarded += 1;
        let request = Request::Seqno {
            key,
            seqno,
            hop_count,
            router_id,
        };
        self.send_request(now, target, request);
    }

    /// Whether a request at least as demanding was passed on just now; its sender is remembered.
    fn is_redundant(
        &mut self,
        now: Instant,
        id: PrefixId,
        from: NeighbourId,
        seqno: SeqNo,
        router_id: RouterId,
    ) -> bool {
        let Some(pending) = self.pending.get_mut(&id) else {
            return false;
        };
        let recent = pending.iter_mut().find(|request| {
            request.router_id == router_id
                && request.seqno.at_least(seqno)
                && now.since(request.forwarded) < REDUNDANT_TIME
        });
        let Some(request) = recent else {
            return false;
        };
        request.add_requester(from);
        true
    }

    fn remember_request(
        &mut self,
        now: Instant,
        id: PrefixId,
        from: NeighbourId,
        seqno: SeqNo,
        router_id: RouterId,
    ) {
        if self.pending_len >= self.config.limits.pending_requests {
            self.counters.limited += 1;
            return;
        }
        let pending = self.pending.entry(id).or_default();
        match pending
            .iter_mut()
            .find(|request| request.router_id == router_id)
        {
            Some(request) => {
                request.seqno = seqno;
                request.forwarded = now;
                request.add_requester(from);
            }
            None => {
                let requesters = SmallVec::from_elem(from, 1);
                pending.push(PendingRequest {
                    router_id,
                    seqno,
                    forwarded: now,
                    requesters,
                });
                self.pending_len += 1;
                self.timers
                    .chore(Chore::Request(id, router_id), now + PENDING_TIME);
            }
        }
    }

    /// Gives up on a request that was not answered.
    pub(super) fn request_expired(&mut self, now: Instant, id: PrefixId, router_id: RouterId) {
        let Some(pending) = self.pending.get_mut(&id) else {
            return;
        };
        let Some(index) = pending
            .iter()
            .position(|request| request.router_id == router_id)
        else {
            return;
        };
        let expires = pending
            .get(index)
            .map_or(now, |request| request.forwarded + PENDING_TIME);
        if expires > now {
            self.timers.chore(Chore::Request(id, router_id), expires);
            return;
        }
        pending.swap_remove(index);
        self.pending_len -= 1;
        if pending.is_empty() {
            self.pending.remove(&id);
        }
    }

    /// After selection: requesters whose wish is fulfilled are told at once.
    pub(super) fn settle_requests(&mut self, now: Instant, id: PrefixId) {
        let Some(pending) = self.pending.get_mut(&id) else {
            return;
        };
        let Some(route) = self.table.get(id).and_then(|entry| entry.selected_route()) else {
            return;
        };
        let mut told: SmallVec<[NeighbourId; 4]> = SmallVec::new();
        let before = pending.len();
        pending.retain(|request| {
            let done = route.router_id != request.router_id || route.seqno.at_least(request.seqno);
            if done {
                told.extend(request.requesters.iter().copied());
            }
            !done
        });
        self.pending_len -= before - pending.len();
        if pending.is_empty() {
            self.pending.remove(&id);
        }
        for requester in told {
            if let Some(link) = self.neighbours.get(&requester).map(|n| n.link) {
                self.reply(now, link, id);
            }
        }
    }

    /// Asks `neighbour` for a seqno that makes the route it announced feasible: one above that of
    /// our feasibility distance (§3.8.2.1).
    ///
    /// DEVIATION(RFC 8966 §3.8.2.1): it names the originator of that route, not of the one just
    /// lost: only its seqno can make the route feasible. Nearly always they are the same.
    pub(super) fn originate_request(&mut self, now: Instant, id: PrefixId, neighbour: NeighbourId) {
        let Some(entry) = self.table.get(id) else {
            return;
        };
        let Some(route) = entry.route(neighbour) else {
            return;
        };
        let router_id = route.router_id;
        let Some(source) = entry.sources.get(router_id) else {
            return;
        };
        let (key, seqno) = (entry.key, source.seqno.plus(1));
        self.counters.seqno_requests_originated += 1;
        let request = Request::Seqno {
            key,
            seqno,
            hop_count: HOP_COUNT,
            router_id,
        };
        self.send_request(now, neighbour, request);
    }

    /// Sends a request to one neighbour, urgently.
    pub(super) fn send_request(&mut self, now: Instant, to: NeighbourId, request: Request) {
        let Some(link) = self.neighbours.get(&to).map(|n| n.link) else {
            return;
        };
        let Some(queue) = self.links.get_mut(&link).map(|link| &mut link.queue) else {
            return;
        };
        queue.push_unicast(to, UnicastTlv::Request(request));
        self.flush_soon(now, link);
    }

    /// Answers one neighbour: aloud, unless the route is a private one, which others asked for, too.
    fn answer(&mut self, now: Instant, link: LinkId, from: NeighbourId, id: PrefixId) {
        match self.table.get(id) {
            Some(entry) if only(entry).is_some() => {
                let key = entry.key;
                self.tell_alone(now, link, from, key);
            }
            Some(_) | None => self.reply(now, link, id),
        }
    }

    /// Announces a prefix on a link because somebody there asked.
    fn reply(&mut self, now: Instant, link: LinkId, id: PrefixId) {
        if let Some(link) = self
            .links
            .get_mut(&link)
            .filter(|link| link.state.is_some())
        {
            link.queue.replies.insert(id);
        }
        self.flush_soon(now, link);
    }

    /// Urgent TLVs wait at most a few milliseconds, to share a packet.
    pub(super) fn flush_soon(&mut self, now: Instant, id: LinkId) {
        let at = now + Duration::from_millis(self.rng.u64(0..=10));
        if let Some(link) = self.links.get_mut(&id).filter(|link| link.state.is_some()) {
            self.timers
                .set_earlier(&mut link.flush_alarm, TimerId::Flush(id), at);
        }
    }
}
