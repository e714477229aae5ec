//! What the engine shows of itself: views, notifications, diagnostics.

use super::Engine;
use crate::event::{Change, Diagnostic, DiagnosticKind, Notification, XRoute};
use crate::ext::Extension;
use crate::policy::SelectionPolicy;
use crate::prefix::RouteKey;
use crate::route::Route;
use crate::table::{Entry, PrefixId};
use crate::time::Instant;
use crate::types::{LinkId, NeighbourId};
use crate::view::{NeighbourView, RouteCounts, RouteView, XRouteView};
use core::net::{IpAddr, Ipv6Addr};

/// Notifications kept for a reader that is slow to ask.
const MAX_NOTIFICATIONS: usize = 65_536;
/// Log lines kept for a reader that is slow to ask.
const MAX_DIAGNOSTICS: usize = 64;

impl<X: Extension, P: SelectionPolicy<X::Attr>> Engine<X, P> {
    /// Whether to keep notifications; off until asked for.
    pub fn set_notify(&mut self, notify: bool) {
        if notify != self.notifications.is_some() {
            self.notifications = notify.then(Default::default);
        }
    }

    /// The next thing a monitor wants to know.
    pub fn poll_notification(&mut self) -> Option<Notification<X::Attr>> {
        self.notifications.as_mut()?.pop_front()
    }

    /// The next thing for the log.
    pub fn poll_diagnostic(&mut self) -> Option<Diagnostic> {
        self.diagnostics.pop_front()
    }

    /// All neighbours, newest first.
    pub fn neighbours(&self, now: Instant) -> impl Iterator<Item = NeighbourView> {
        let mut ids: Vec<NeighbourId> = self
            .links
            .values()
            .flat_map(|link| link.neighbours.iter().copied())
            .collect();
        ids.sort_unstable_by_key(|id| core::cmp::Reverse(*id));
        ids.into_iter()
            .filter_map(move |id| self.neighbour_view(now, id))
    }

    /// One neighbour.
    pub fn neighbour(&self, now: Instant, id: NeighbourId) -> Option<NeighbourView> {
        self.neighbour_view(now, id)
    }

    /// All routes: source-specific first, then by prefix; the selected one first in each.
    /// Sorted, hence O(n log n): for dumps.
    pub fn routes(&self, now: Instant) -> impl Iterator<Item = RouteView<X::Attr>> {
        let mut entries: Vec<(PrefixId, &Entry<X::Attr>)> = self
            .table
            .iter()
            .filter(|(_, entry)| !entry.routes.is_empty())
            .collect();
        entries.sort_unstable_by_key(|(_, entry)| dump_order(&entry.key));
        entries.into_iter().flat_map(move |(id, entry)| {
            let mut routes: Vec<&Route<X::Attr>> = entry.routes.iter().collect();
            routes.sort_by_key(|r| (entry.selected != Some(r.neighbour), r.neighbour));
            routes
                .into_iter()
                .filter_map(move |route| self.route_view(now, id, entry, route))
        })
    }

    /// All routes of our own, by prefix length, then prefix.
    pub fn xroutes(&self) -> impl Iterator<Item = XRouteView> {
        let mut xroutes: Vec<XRouteView> = self
            .table
            .iter()
            .filter_map(|(_, entry)| Some(xroute_view(entry.key, entry.xroute.as_deref()?)))
            .collect();
        xroutes.sort_unstable_by_key(|xroute| (xroute.key.dst().plen(), xroute.key));
        xroutes.into_iter()
    }

    /// How many routes are in which state. Walks the table: for scrapes, not for every packet.
    pub fn route_counts(&self) -> RouteCounts {
        let mut counts = RouteCounts {
            selected: self.selected,
            overridden: self.overridden,
            ..RouteCounts::default()
        };
        for (_, entry) in self.table.iter() {
            for route in &entry.routes {
                if route.is_retracted() {
                    counts.retracted += 1;
                } else if entry.selected == Some(route.neighbour) {
                } else if entry
                    .sources
                    .feasible(route.router_id, route.seqno, route.refmetric)
                {
                    counts.feasible += 1;
                } else {
                    counts.unfeasible += 1;
                }
            }
        }
        counts
    }

    fn neighbour_view(&self, now: Instant, id: NeighbourId) -> Option<NeighbourView> {
        let neighbour = self.neighbours.get(&id)?;
        Some(NeighbourView {
            id,
            link: neighbour.link,
            address: neighbour.address,
            reach: neighbour.multicast.reach.0,
            ureach: neighbour.unicast.reach.0,
            rxcost: neighbour.rxcost,
            txcost: neighbour.txcost,
            rtt: neighbour.rtt.smoothed(now),
            rttcost: neighbour.rtt.penalty(now),
            cost: neighbour.cost,
            routes: neighbour.routes.len(),
            hello_age: neighbour.last_hello.map(|at| now.since(at)),
            ihu_age: neighbour.last_ihu.map(|at| now.since(at)),
        })
    }

    pub(super) fn route_view(
        &self,
        now: Instant,
        id: PrefixId,
        entry: &Entry<X::Attr>,
        route: &Route<X::Attr>,
    ) -> Option<RouteView<X::Attr>> {
        let neighbour = self.neighbours.get(&route.neighbour)?;
        let metric = self.metric_of(route);
        Some(RouteView {
            id: u64::from(id.0) << 32 | u64::from(route.neighbour.0),
            key: entry.key,
            installed: entry.selected == Some(route.neighbour),
            feasible: entry
                .sources
                .feasible(route.router_id, route.seqno, route.refmetric),
            eligible: !route.refused,
            router_id: route.router_id,
            seqno: route.seqno,
            metric,
            smoothed: route
                .smoothed
                .value(metric, self.config.smoothing_half_life, now),
            refmetric: route.refmetric,
            neighbour: route.neighbour,
            via: neighbour.address,
            link: neighbour.link,
            next_hop: neighbour.next_hop(route.next_hop),
            age: now.since(route.updated.start()),
            attr: route.attr,
        })
    }

    fn push_notification(&mut self, make: impl FnOnce(&Self) -> Option<Notification<X::Attr>>) {
        let Some(kept) = self.notifications.as_ref().map(|queue| queue.len()) else {
            return;
        };
        if kept > MAX_NOTIFICATIONS {
            return;
        }
        let notification = if kept == MAX_NOTIFICATIONS {
            Some(Notification::Overrun)
        } else {
            make(self)
        };
        if let (Some(queue), Some(notification)) = (&mut self.notifications, notification) {
            queue.push_back(notification);
        }
    }

    pub(super) fn notify_neighbour(&mut self, now: Instant, change: Change, id: NeighbourId) {
        self.push_notification(|engine| {
            Some(Notification::Neighbour(
                change,
                engine.neighbour_view(now, id)?,
            ))
        });
    }

    pub(super) fn notify_route(
        &mut self,
        now: Instant,
        change: Change,
        id: PrefixId,
        neighbour: NeighbourId,
    ) {
        self.push_notification(|engine| {
            let entry = engine.table.get(id)?;
            let route = entry.route(neighbour)?;
            Some(Notification::Route(
                change,
                engine.route_view(now, id, entry, route)?,
            ))
        });
    }

    /// As stock: a route in use is first shown as no longer installed, then as flushed.
    pub(super) fn notify_route_flush(&mut self, id: PrefixId, neighbour: NeighbourId) {
        let view = |engine: &Self| {
            let entry = engine.table.get(id)?;
            engine.route_view(Instant::ZERO, id, entry, entry.route(neighbour)?)
        };
        if self.notifications.is_none() {
            return;
        }
        let Some(mut view) = view(self) else { return };
        let was_installed = core::mem::replace(&mut view.installed, false);
        if was_installed {
            let view = view.clone();
            self.push_notification(|_| Some(Notification::Route(Change::Change, view)));
        }
        self.push_notification(|_| Some(Notification::Route(Change::Flush, view)));
    }

    pub(super) fn notify_xroute(&mut self, change: Change, key: RouteKey, xroute: &XRoute) {
        let view = xroute_view(key, xroute);
        self.push_notification(|_| Some(Notification::XRoute(change, view)));
    }

    /// Something about a neighbour, if nothing like it was said within a minute.
    pub(super) fn diagnose(
        &mut self,
        now: Instant,
        link: LinkId,
        source: Ipv6Addr,
        kind: DiagnosticKind,
    ) {
        let id = self
            .links
            .get(&link)
            .and_then(|link| link.by_address.get(&source))
            .copied();
        match id.and_then(|id| self.neighbours.get_mut(&id)) {
            Some(neighbour) if !neighbour.cost.is_infinite() => {
                if neighbour.may_diagnose(&kind, now) {
                    self.push_diagnostic(link, source, kind);
                }
            }
            // One not heard well may be forgotten after each packet, with what was said about it.
            _ => self.diagnose_stranger(now, link, source, kind),
        }
    }

    /// Something about a node that need not be a neighbour, if nothing like it was said within a
    /// minute and not too much else was.
    pub(super) fn diagnose_stranger(
        &mut self,
        now: Instant,
        link: LinkId,
        source: Ipv6Addr,
        kind: DiagnosticKind,
    ) {
        if self.complaints.may_complain(now, link, source, kind) {
            self.push_diagnostic(link, source, kind);
        }
    }

    fn push_diagnostic(&mut self, link: LinkId, source: Ipv6Addr, kind: DiagnosticKind) {
        if self.diagnostics.len() < MAX_DIAGNOSTICS {
            self.diagnostics
                .push_back(Diagnostic { link, source, kind });
        }
    }
}

pub(super) fn xroute_view(key: RouteKey, xroute: &XRoute) -> XRouteView {
    XRouteView {
        key,
        metric: xroute.metric,
        origin: xroute.origin,
    }
}

/// Stock babeld's order: source-specific first, then by address with IPv4 as mapped IPv6, then
/// by length.
fn dump_order(key: &RouteKey) -> (bool, [u8; 16], u8, RouteKey) {
    let octets = match key.dst().address() {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
        IpAddr::V6(v6) => v6.octets(),
    };
    (!key.is_source_specific(), octets, key.dst().plen(), *key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dump_lists_source_specific_routes_first_and_ipv4_among_ipv6() {
        let key = |text: &str| RouteKey::new(text.parse().expect("a prefix"));
        let specific = RouteKey::source_specific(
            "::/0".parse().expect("a prefix"),
            "2001:db8::/32".parse().expect("a prefix"),
        )
        .expect("one family");
        let mut keys = [
            key("2001:db8::/32"),
            key("10.0.0.0/8"),
            specific,
            key("::/0"),
        ];
        keys.sort_by_key(dump_order);
        assert_eq!(
            keys,
            [
                specific,
                key("::/0"),
                key("10.0.0.0/8"),
                key("2001:db8::/32")
            ]
        );
    }
}
