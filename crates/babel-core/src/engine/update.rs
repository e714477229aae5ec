//! Updates received: the route table (RFC 8966 §3.5.3).

use super::Engine;
use crate::event::{Change, DiagnosticKind};
use crate::ext::Extension;
use crate::filter::{self, Action, Subject};
use crate::policy::SelectionPolicy;
use crate::prefix::RouteKey;
use crate::route::{Route, Smoothed};
use crate::table::{Entry, PrefixId};
use crate::time::{Instant, Interval};
use crate::timer::{Chore, Tick};
use crate::types::{LinkId, Metric, NeighbourId, RouterId, SeqNo};
use crate::wire::{Update, UpdateTarget};
use core::net::IpAddr;

/// A finite Update that passed the filters.
struct Accepted<A> {
    key: RouteKey,
    router_id: RouterId,
    seqno: SeqNo,
    refmetric: Metric,
    filter_metric: Metric,
    interval: Interval,
    next_hop: u16,
    attr: A,
}

impl<X: Extension, P: SelectionPolicy<X::Attr>> Engine<X, P> {
    pub(super) fn update_received(
        &mut self,
        now: Instant,
        link: LinkId,
        id: NeighbourId,
        update: &Update<'_>,
    ) {
        let key = match update.target {
            UpdateTarget::Wildcard => return self.retract_all(now, id),
            UpdateTarget::Route(key) => key,
        };
        if key.dst().is_martian() {
            if let Some(source) = self.neighbours.get(&id).map(|n| n.address) {
                self.diagnose(now, link, source, DiagnosticKind::Martian(key));
            }
            return;
        }
        let (Some(router_id), Some(next_hop)) = (update.router_id, update.next_hop) else {
            return self.retract(now, id, key);
        };
        // A neighbour that reaches our own prefix through us has no other way to it.
        if update.metric.is_infinite() || router_id == self.config.router_id {
            return self.retract(now, id, key);
        }
        match self.accept(link, id, key, router_id, next_hop, update) {
            Some(accepted) => self.apply(now, link, id, &accepted),
            None => self.retract(now, id, key),
        }
    }

    /// Runs the `in` filters and the extension; `None` if the route is refused.
    fn accept(
        &mut self,
        link: LinkId,
        id: NeighbourId,
        key: RouteKey,
        router_id: RouterId,
        next_hop: IpAddr,
        update: &Update<'_>,
    ) -> Option<Accepted<X::Attr>> {
        let neighbour = self.neighbours.get_mut(&id)?;
        let action = if self.config.filters.input.is_empty() {
            Action::default()
        } else {
            let subject = Subject {
                key,
                router_id: Some(router_id),
                neighbour: Some(neighbour.address),
                interface: self.links.get(&link).map(|link| link.config.name.as_str()),
                kernel: None,
            };
            filter::first_match(&self.config.filters.input, &subject)
                .copied()
                .unwrap_or_default()
        };
        let filter_metric = Metric(action.metric);
        if action.deny || filter_metric.is_infinite() {
            return None;
        }
        let Some(next_hop) = neighbour.intern_next_hop(next_hop) else {
            self.counters.limited += 1;
            return None;
        };
        let received = self.extension.decode(update.sub_tlvs);
        Some(Accepted {
            key,
            router_id,
            seqno: update.seqno,
            refmetric: update.metric,
            filter_metric,
            interval: update.interval,
            next_hop,
            attr: self
                .extension
                .learned(received, id, action.price.unwrap_or(0)),
        })
    }

    fn apply(&mut self, now: Instant, link: LinkId, id: NeighbourId, accepted: &Accepted<X::Attr>) {
        let Some(prefix) = self.table.find(&accepted.key) else {
            return self.add_route(now, link, id, accepted);
        };
        let Some(entry) = self.table.get_mut(prefix) else {
            return;
        };
        let feasible =
            entry
                .sources
                .feasible(accepted.router_id, accepted.seqno, accepted.refmetric);
        self.counters.updates_unfeasible += u64::from(!feasible);
        let selected = entry.selected == Some(id);
        let Some(route) = entry.route_mut(id) else {
            return self.add_route(now, link, id, accepted);
        };
        if is_refresh(route, accepted) {
            route.updated = Tick::of(now);
            route.refresh_asked = false;
            return;
        }
        // §3.5.3: an unfeasible update for the selected route may be ignored if it names the same
        // originator. Ignoring it keeps a loop-free route in use while a new seqno is asked for.
        if selected && !feasible && route.router_id == accepted.router_id {
            return self.want_seqno(now, prefix, id);
        }
        self.replace_route(now, prefix, id, accepted);
    }

    /// Enters a route that the neighbour did not announce before.
    fn add_route(
        &mut self,
        now: Instant,
        link: LinkId,
        id: NeighbourId,
        accepted: &Accepted<X::Attr>,
    ) {
        let limits = self.config.limits;
        let Some(neighbour) = self.neighbours.get_mut(&id) else {
            return;
        };
        let address = neighbour.address;
        let room = if neighbour.routes.len() >= limits.routes_per_neighbour {
            Err(("routes per neighbour", limits.routes_per_neighbour))
        } else if self.routes >= limits.routes {
            Err(("routes", limits.routes))
        } else {
            let prefix = self.table.find_or_insert(accepted.key, limits.prefixes);
            prefix.ok_or(("prefixes", limits.prefixes))
        };
        let prefix = match room {
            Ok(prefix) => prefix,
            Err((limit, count)) => {
                self.counters.limited += 1;
                let kind = DiagnosticKind::Limit(limit, count);
                return self.diagnose(now, link, address, kind);
            }
        };
        let Ok(slot) = u32::try_from(neighbour.routes.len()) else {
            return;
        };
        let metric = accepted
            .refmetric
            .plus(accepted.filter_metric)
            .plus(neighbour.cost);
        let Some(entry) = self.table.get_mut(prefix) else {
            return;
        };
        neighbour.routes.push(prefix);
        let mut route = Route {
            neighbour: id,
            router_id: accepted.router_id,
            seqno: accepted.seqno,
            refmetric: accepted.refmetric,
            filter_metric: accepted.filter_metric,
            next_hop: accepted.next_hop,
            interval: accepted.interval,
            updated: Tick::of(now),
            smoothed: Smoothed::newcomer(metric, self.config.smoothing_half_life, now),
            chore_at: Tick::default(),
            slot,
            refused: false,
            refresh_asked: false,
            attr: accepted.attr,
        };
        if let Some(at) = route.refresh_at() {
            route.chore_at = Tick::not_before(at);
            self.timers.chore(Chore::Route(prefix, id), at);
        }
        let feasible =
            entry
                .sources
                .feasible(accepted.router_id, accepted.seqno, accepted.refmetric);
        let starving = entry.selected.is_none() && entry.xroute.is_none();
        entry.routes.push(route);
        self.routes += 1;
        self.judge_install(prefix, id);
        self.mark_dirty(prefix);
        self.notify_route(now, Change::Add, prefix, id);
        // §3.8.2.2: where there is no route at all a newcomer is asked at once, however long the
        // others have been asked in vain.
        if starving && !feasible && !metric.is_infinite() {
            self.originate_request(now, prefix, id);
        }
    }

    fn replace_route(
        &mut self,
        now: Instant,
        prefix: PrefixId,
        id: NeighbourId,
        accepted: &Accepted<X::Attr>,
    ) {
        let cost = self
            .neighbours
            .get(&id)
            .map_or(Metric::INFINITY, |n| n.cost);
        let half_life = self.config.smoothing_half_life;
        let Some(entry) = self.table.get_mut(prefix) else {
            return;
        };
        let in_use = entry.selected == Some(id);
        let Some(route) = entry.route_mut(id) else {
            return;
        };
        let old_metric = route.refmetric.plus(route.filter_metric).plus(cost);
        route.smoothed.fix(old_metric, half_life, now);
        let moved = route.next_hop != accepted.next_hop;
        route.router_id = accepted.router_id;
        route.seqno = accepted.seqno;
        route.refmetric = accepted.refmetric;
        route.filter_metric = accepted.filter_metric;
        route.next_hop = accepted.next_hop;
        route.interval = accepted.interval;
        route.attr = accepted.attr;
        route.updated = Tick::of(now);
        route.refresh_asked = false;
        // Only if the route expires sooner than expected must its chore be queued anew.
        if let Some(at) = route.refresh_at() {
            let due = Tick::not_before(at);
            if due < route.chore_at || route.chore_at.start() <= now {
                route.chore_at = due;
                self.timers.chore(Chore::Route(prefix, id), at);
            }
        }
        if in_use && moved {
            self.mark_fib(prefix);
        }
        self.judge_install(prefix, id);
        self.mark_dirty(prefix);
        self.notify_route(now, Change::Change, prefix, id);
    }

    /// A retraction. Its timer is not re-armed: repeated retractions do not extend life.
    pub(super) fn retract(&mut self, now: Instant, id: NeighbourId, key: RouteKey) {
        let Some(prefix) = self.table.find(&key) else {
            return;
        };
        let Some(entry) = self.table.get_mut(prefix) else {
            return;
        };
        let Some(route) = entry.route_mut(id).filter(|route| !route.is_retracted()) else {
            return;
        };
        route.refmetric = Metric::INFINITY;
        // A route that was never to expire by time has no chore yet.
        if route.interval == Interval::INFINITE {
            let at = now + core::time::Duration::from_secs(60);
            route.interval = Interval::from_duration(core::time::Duration::from_secs(17));
            route.chore_at = Tick::not_before(at);
            self.timers.chore(Chore::Route(prefix, id), at);
        }
        self.mark_dirty(prefix);
        self.notify_route(now, Change::Change, prefix, id);
    }

    fn retract_all(&mut self, now: Instant, id: NeighbourId) {
        let Some(neighbour) = self.neighbours.get(&id) else {
            return;
        };
        let keys: Vec<RouteKey> = neighbour
            .routes
            .iter()
            .filter_map(|prefix| self.table.get(*prefix).map(|entry| entry.key))
            .collect();
        keys.into_iter().for_each(|key| self.retract(now, id, key));
    }

    /// Removes a route altogether.
    pub(super) fn remove_route(&mut self, prefix: PrefixId, id: NeighbourId) {
        let Some(entry) = self.table.get_mut(prefix) else {
            return;
        };
        let Some(index) = entry.routes.iter().position(|route| route.neighbour == id) else {
            return;
        };
        let route = entry.routes.swap_remove(index);
        self.routes -= 1;
        let Some(neighbour) = self.neighbours.get_mut(&id) else {
            return;
        };
        let slot = route.slot as usize;
        if slot < neighbour.routes.len() {
            neighbour.routes.swap_remove(slot);
        }
        // The list's last member took the free place.
        if let Some(moved) = neighbour.routes.get(slot).copied()
            && let Some(entry) = self.table.get_mut(moved)
            && let Some(moved) = entry.route_mut(id)
        {
            moved.slot = route.slot;
        }
        self.mark_dirty(prefix);
    }

    /// Removes all routes of a neighbour, in time proportional to their number.
    pub(super) fn flush_routes(&mut self, id: NeighbourId) {
        let Some(neighbour) = self.neighbours.get_mut(&id) else {
            return;
        };
        let prefixes = core::mem::take(&mut neighbour.routes);
        self.routes -= prefixes.len();
        for prefix in prefixes {
            self.notify_route_flush(prefix, id);
            if let Some(entry) = self.table.get_mut(prefix) {
                entry.routes.retain(|route| route.neighbour != id);
            }
            self.mark_dirty(prefix);
        }
    }

    /// Asks the `install` filters about a route.
    fn judge_install(&mut self, prefix: PrefixId, id: NeighbourId) {
        if self.config.filters.install.is_empty() {
            return;
        }
        let Some(entry) = self.table.get(prefix) else {
            return;
        };
        let Some(route) = entry.route(id) else { return };
        let refused = self
            .install_action(entry, route)
            .is_some_and(|action| action.deny || Metric(action.metric).is_infinite());
        if let Some(route) = self
            .table
            .get_mut(prefix)
            .and_then(|entry| entry.route_mut(id))
        {
            route.refused = refused;
        }
    }

    fn install_action(&self, entry: &Entry<X::Attr>, route: &Route<X::Attr>) -> Option<&Action> {
        let neighbour = self.neighbours.get(&route.neighbour)?;
        let subject = Subject {
            key: entry.key,
            router_id: Some(route.router_id),
            neighbour: Some(neighbour.address),
            interface: self
                .links
                .get(&neighbour.link)
                .map(|link| link.config.name.as_str()),
            kernel: None,
        };
        filter::first_match(&self.config.filters.install, &subject)
    }

    /// Table and preferred source that the `install` filters ask for.
    pub(super) fn install_options(
        &self,
        entry: &Entry<X::Attr>,
        route: &Route<X::Attr>,
    ) -> (Option<u32>, Option<IpAddr>) {
        self.install_action(entry, route)
            .map_or((None, None), |action| (action.table, action.pref_src))
    }

    /// Total metric: as advertised, plus the filters', plus the neighbour's present cost.
    pub(super) fn metric_of(&self, route: &Route<X::Attr>) -> Metric {
        let cost = self
            .neighbours
            .get(&route.neighbour)
            .map_or(Metric::INFINITY, |n| n.cost);
        route.refmetric.plus(route.filter_metric).plus(cost)
    }
}

/// The common case: the same again. Only the deadline moves.
fn is_refresh<A: Eq>(route: &Route<A>, accepted: &Accepted<A>) -> bool {
    route.refmetric == accepted.refmetric
        && route.seqno == accepted.seqno
        && route.router_id == accepted.router_id
        && route.filter_metric == accepted.filter_metric
        && route.next_hop == accepted.next_hop
        && route.interval == accepted.interval
        && route.attr == accepted.attr
}
