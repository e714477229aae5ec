//! Coarse timers: routes that expire, holds that end, sources that are forgotten.

use super::Engine;
use crate::event::Change;
use crate::ext::Extension;
use crate::policy::SelectionPolicy;
use crate::table::PrefixId;
use crate::time::Instant;
use crate::timer::{Chore, Tick};
use crate::txqueue::Request;
use crate::types::{Metric, NeighbourId};

impl<X: Extension, P: SelectionPolicy<X::Attr>> Engine<X, P> {
    pub(super) fn do_chore(&mut self, now: Instant, due: Instant, chore: Chore) {
        match chore {
            Chore::Route(id, neighbour) => self.check_route(now, due, id, neighbour),
            Chore::Source(id) => self.collect_sources(now, id),
            Chore::Hold(id) => self.check_hold(now, id),
            Chore::Select(id) => self.mark_dirty(id),
            Chore::Repeat(id) => self.repeat(now, id),
            Chore::Tell(id) => self.tell_again(now, id),
            Chore::Request(id, router_id) => self.request_expired(now, id, router_id),
        }
    }

    /// A route's life (RFC 8966 §3.5.3, §3.8.2.3): refreshed; else asked for shortly before its
    /// end if it is in use; else retracted; and when that has been held as long again, flushed.
    fn check_route(&mut self, now: Instant, due: Instant, id: PrefixId, neighbour: NeighbourId) {
        let Some(entry) = self.table.get_mut(id) else {
            return;
        };
        let (key, selected) = (entry.key, entry.selected == Some(neighbour));
        let Some(route) = entry.route_mut(neighbour) else {
            return;
        };
        if route.chore_at.start() != due {
            return;
        }
        let (Some(refresh), Some(expires)) = (route.refresh_at(), route.expires()) else {
            return;
        };
        if now < refresh && !route.is_retracted() {
            return self.check_route_again(id, neighbour, refresh);
        }
        if now < expires {
            let ask = selected && !route.refresh_asked && !route.is_retracted();
            route.refresh_asked = true;
            self.check_route_again(id, neighbour, expires);
            if ask {
                self.send_request(now, neighbour, Request::Route(key));
            }
            return;
        }
        if route.is_retracted() {
            self.notify_route_flush(id, neighbour);
            return self.remove_route(id, neighbour);
        }
        route.refmetric = Metric::INFINITY;
        route.updated = Tick::of(now);
        if let Some(flush) = route.expires() {
            self.check_route_again(id, neighbour, flush);
        }
        self.mark_dirty(id);
        self.notify_route(now, Change::Change, id, neighbour);
    }

    fn check_route_again(&mut self, id: PrefixId, neighbour: NeighbourId, at: Instant) {
        let route = self
            .table
            .get_mut(id)
            .and_then(|entry| entry.route_mut(neighbour));
        if let Some(route) = route {
            route.chore_at = Tick::not_before(at);
            self.timers.chore(Chore::Route(id, neighbour), at);
        }
    }

    fn collect_sources(&mut self, now: Instant, id: PrefixId) {
        let Some(entry) = self.table.get_mut(id) else {
            return;
        };
        if let Some(next) = entry.sources.collect(Tick::of(now)) {
            self.timers.chore(Chore::Source(id), next.start());
        }
        if entry.is_idle() {
            self.idle.push(id);
        }
        // What was unfeasible may be feasible now.
        self.mark_dirty(id);
    }
}
