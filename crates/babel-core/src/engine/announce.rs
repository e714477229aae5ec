//! What neighbours are told ahead of the periodic update (RFC 8966 §3.7.2), and routes of our own.
//!
//! A change of originator and a loss are urgent and repeated; a new route is urgent; a metric that
//! moved a good deal is told soon; everything else waits for the periodic update.

use super::Engine;
use super::private::only;
use crate::event::{Change, XRoute};
use crate::ext::{Extension, Origin};
use crate::filter::{self, Action, Subject};
use crate::policy::SelectionPolicy;
use crate::prefix::RouteKey;
use crate::table::{Announced, Entry, PrefixId};
use crate::time::Instant;
use crate::timer::{Chore, Tick, TimerId};
use crate::types::{LinkId, Metric};
use core::time::Duration;

/// Further copies of an urgent update; with the first well below the five of RFC 8966 §3.7.2.
const REPEATS: u8 = 2;
/// Between the copies.
pub(super) const REPEAT_GAP: Duration = Duration::from_millis(500);
/// A metric worse by this is told at once, as in stock babeld.
const MUCH_WORSE: u16 = 512;
/// A metric that moved by less is not news.
const MINOR: u16 = 96;
/// Between two updates for one prefix that tell of nothing but its attribute.
const TELL_GAP: Duration = Duration::from_secs(10);

/// When an attribute was last told ahead of the periodic update.
#[derive(Clone, Copy, Debug)]
pub(super) struct Told {
    last: Instant,
    /// A chore will look again.
    again: bool,
}

/// How soon an update must leave.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Urgency {
    /// Within a few milliseconds; well within the 200 ms of RFC 8966 appendix B.
    Urgent,
    /// Within half a Hello interval, or a second.
    Soon,
}

impl<X: Extension, P: SelectionPolicy<X::Attr>> Engine<X, P> {
    pub(super) fn xroute_up(&mut self, key: RouteKey, xroute: XRoute) {
        let Some(id) = self.table.find_or_insert(key, self.config.limits.prefixes) else {
            self.counters.limited += 1;
            return;
        };
        let Some(entry) = self.table.get_mut(id) else {
            return;
        };
        let change = match entry.xroute.replace(Box::new(xroute)) {
            None => Change::Add,
            Some(old) if *old == xroute => return,
            Some(_) => Change::Change,
        };
        if change == Change::Add && entry.in_fib {
            self.mark_fib(id);
        }
        self.mark_dirty(id);
        self.notify_xroute(change, key, &xroute);
    }

    pub(super) fn xroute_down(&mut self, key: RouteKey) {
        let Some(id) = self.table.find(&key) else {
            return;
        };
        let Some(xroute) = self.table.get_mut(id).and_then(|entry| entry.xroute.take()) else {
            return;
        };
        self.mark_dirty(id);
        self.notify_xroute(Change::Flush, key, &xroute);
    }

    /// Compares what the neighbours were told with what is true now, and acts on the difference.
    pub(super) fn announce(&mut self, now: Instant, id: PrefixId) {
        let Some(entry) = self.table.get(id) else {
            return;
        };
        let own = own_route(entry).is_some();
        let copies = if only(entry).is_some() { REPEATS } else { 0 };
        let current = self.current(entry);
        let told = entry.announced;
        let moved = self.follow_audience(now, id);
        let urgency = match (told, current) {
            (None, None) => return,
            (None, Some(_)) => {
                self.end_hold(id);
                Some((Urgency::Urgent, copies))
            }
            (Some(told), None) => {
                if told.router_id != self.config.router_id {
                    self.begin_hold(now, id);
                }
                Some((Urgency::Urgent, REPEATS))
            }
            (Some(told), Some(current)) if moved || told.router_id != current.router_id => {
                Some((Urgency::Urgent, REPEATS))
            }
            (Some(told), Some(current)) => {
                metric_urgency(told.metric, current.metric, own).map(|urgency| (urgency, 0))
            }
        };
        match urgency {
            Some((urgency, repeats)) => {
                let Some(entry) = self.table.get_mut(id) else {
                    return;
                };
                entry.announced = current;
                if repeats > 0 {
                    if entry.repeats == 0 {
                        self.timers.chore(Chore::Repeat(id), now + REPEAT_GAP);
                    }
                    entry.repeats = repeats;
                }
                self.trigger(now, id, urgency);
            }
            None => self.tell(now, id),
        }
    }

    /// What is to be announced for a prefix: originator and metric, the policy's
    /// penalty in it, before `out` filters.
    pub(super) fn current(&self, entry: &Entry<X::Attr>) -> Option<Announced> {
        if let Some(xroute) = own_route(entry) {
            let router_id = self.config.router_id;
            return Some(Announced {
                router_id,
                metric: xroute.metric,
            });
        }
        let route = entry.selected_route()?;
        Some(Announced {
            router_id: route.router_id,
            metric: self.metric_of(route).plus(entry.penalty),
        })
    }

    /// Sends an update on every link that has somebody to hear it.
    fn trigger(&mut self, now: Instant, id: PrefixId, urgency: Urgency) {
        if self.trigger_private(now, id) {
            return;
        }
        for link in self.links.values_mut().filter(|link| link.has_audience()) {
            link.queue.triggered.insert(id);
            let at = match urgency {
                Urgency::Urgent => {
                    let quiet = link
                        .last_urgent_flush
                        .is_none_or(|last| now.since(last) > Duration::from_millis(200));
                    let range = if quiet { 0..=5 } else { 20..=60 };
                    link.last_urgent_flush = Some(now);
                    now + Duration::from_millis(self.rng.u64(range))
                }
                Urgency::Soon => {
                    let patience = u64::try_from(link.patience().as_millis()).unwrap_or(1000);
                    now + Duration::from_millis(self.rng.u64(patience / 4..=patience))
                }
            };
            self.timers
                .set_earlier(&mut link.flush_alarm, TimerId::Flush(link.id), at);
        }
    }

    /// Another copy of an urgent update.
    pub(super) fn repeat(&mut self, now: Instant, id: PrefixId) {
        let Some(entry) = self.table.get_mut(id) else {
            return;
        };
        let Some(left) = entry.repeats.checked_sub(1) else {
            return;
        };
        entry.repeats = left;
        if left > 0 {
            self.timers.chore(Chore::Repeat(id), now + REPEAT_GAP * 2);
        }
        if entry.is_idle() {
            self.idle.push(id);
        }
        self.trigger(now, id, Urgency::Urgent);
        if left == 0 {
            self.end_private_repeats(id);
        }
    }

    /// Tells neighbours of a changed attribute, if it is worth it. A change that comes too soon is
    /// told later, not dropped.
    ///
    /// DEVIATION(RFC 8966 §3.7.2): an attribute is no reason for a triggered update there; without
    /// one, neighbours would go on paying, or asking, the old price. Limited in rate.
    pub(super) fn tell(&mut self, now: Instant, id: PrefixId) {
        let Some(entry) = self.table.get(id) else {
            return;
        };
        let worth = self
            .links
            .values()
            .filter(|link| link.has_audience())
            .filter(|link| only(entry).is_none_or(|only| only.link == link.id))
            .any(|link| {
                let sent = link.sent.get(&id).copied().unwrap_or_default();
                !link.queue.mentions(id)
                    && self
                        .advertisement(entry, link.id)
                        .is_some_and(|(_, attr)| self.extension.worth_telling(sent, attr))
            });
        if !worth {
            return;
        }
        match self.told.get_mut(&id) {
            Some(told) if told.last + TELL_GAP > now => {
                if !told.again {
                    told.again = true;
                    let jitter = Duration::from_millis(self.rng.u64(0..=500));
                    self.timers
                        .chore(Chore::Tell(id), told.last + TELL_GAP + jitter);
                }
            }
            _ => {
                self.told.insert(
                    id,
                    Told {
                        last: now,
                        again: false,
                    },
                );
                self.trigger(now, id, Urgency::Urgent);
            }
        }
    }

    /// The time has come to tell what could not be told before.
    pub(super) fn tell_again(&mut self, now: Instant, id: PrefixId) {
        if let Some(told) = self.told.get_mut(&id) {
            told.again = false;
        }
        self.tell(now, id);
    }

    /// The extension's settings changed: every announced prefix may have a new attribute.
    pub(super) fn tell_all(&mut self, now: Instant) {
        let ids: Vec<PrefixId> = self
            .table
            .iter()
            .filter(|(_, entry)| entry.is_announceable())
            .map(|(id, _)| id)
            .collect();
        ids.into_iter().for_each(|id| self.tell(now, id));
    }

    /// The metric and attribute to announce on a link; `None` if there is no route or an `out`
    /// rule denies it.
    pub(super) fn advertisement(
        &self,
        entry: &Entry<X::Attr>,
        link: LinkId,
    ) -> Option<(Metric, X::Attr)> {
        let current = self.current(entry)?;
        let link = self.links.get(&link)?;
        let action = self.out_action(entry, current.router_id, &link.config.name);
        let metric = current.metric.plus(Metric(action.metric));
        if action.deny {
            return None;
        }
        let (held, origin) = match (own_route(entry), entry.selected_route()) {
            (Some(xroute), _) => (
                self.extension.originated(xroute.origin, xroute.price),
                xroute.origin,
            ),
            (None, Some(route)) => (route.attr, Origin::Learned),
            (None, None) => return None,
        };
        let filter = action.price.unwrap_or(0);
        Some((
            metric,
            self.extension.advertised(held, origin, link.id, filter),
        ))
    }

    fn out_action(
        &self,
        entry: &Entry<X::Attr>,
        router_id: crate::types::RouterId,
        interface: &str,
    ) -> Action {
        if self.config.filters.output.is_empty() {
            return Action::default();
        }
        let subject = Subject {
            key: entry.key,
            router_id: Some(router_id),
            neighbour: None,
            interface: Some(interface),
            kernel: None,
        };
        filter::first_match(&self.config.filters.output, &subject)
            .copied()
            .unwrap_or_default()
    }

    /// Packets for a lost prefix must not follow a shorter one while a neighbour may still have
    /// us as its next hop (RFC 8966 §3.5.4): as long as our last update is believed.
    ///
    /// DEVIATION(RFC 8966 §3.5.4): the hold ends by time alone, not earlier by acknowledgments:
    /// urgent updates are repeated instead of acknowledged, as in stock babeld.
    fn begin_hold(&mut self, now: Instant, id: PrefixId) {
        let longest = self
            .links
            .values()
            .map(|link| link.config.update_interval)
            .max();
        let until = now + longest.unwrap_or_default() * 7 / 2;
        let Some(entry) = self.table.get_mut(id) else {
            return;
        };
        // There is no prefix shorter than the default.
        if entry.key.dst().is_default() && !entry.key.is_source_specific() {
            return;
        }
        entry.unreachable_until = Some(Tick::not_before(until));
        // A prefix that flaps keeps the chore of its first hold, which then looks again.
        if !core::mem::replace(&mut entry.hold_watched, true) {
            self.timers.chore(Chore::Hold(id), until);
        }
        self.mark_fib(id);
    }

    /// Ends a hold whose time is over, or looks again when it will be.
    pub(super) fn check_hold(&mut self, now: Instant, id: PrefixId) {
        let Some(entry) = self.table.get_mut(id) else {
            return;
        };
        entry.hold_watched = false;
        match entry.unreachable_until.map(Tick::start) {
            Some(until) if until > now => {
                entry.hold_watched = true;
                self.timers.chore(Chore::Hold(id), until);
            }
            _ => self.end_hold(id),
        }
    }

    fn end_hold(&mut self, id: PrefixId) {
        let Some(entry) = self.table.get_mut(id) else {
            return;
        };
        if entry.unreachable_until.take().is_some() {
            if entry.is_idle() {
                self.idle.push(id);
            }
            self.mark_fib(id);
        }
    }
}

/// A route of our own that is announced: it is, unless it let a learned one be selected
/// (`allow-duplicates`).
pub(super) fn own_route<A>(entry: &Entry<A>) -> Option<&XRoute> {
    entry.xroute.as_deref().filter(|_| entry.selected.is_none())
}

fn metric_urgency(told: Metric, current: Metric, own: bool) -> Option<Urgency> {
    let moved = told.0.abs_diff(current.0);
    if current.0 >= told.0.saturating_add(MUCH_WORSE) {
        Some(Urgency::Urgent)
    } else if moved >= MINOR.max(told.0 / 8) || (own && moved > 0) {
        Some(Urgency::Soon)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_metrics_that_moved_a_good_deal_are_news() {
        let urgency = |told, current| metric_urgency(Metric(told), Metric(current), false);
        assert_eq!(urgency(96, 96), None);
        assert_eq!(urgency(96, 191), None);
        assert_eq!(urgency(96, 192), Some(Urgency::Soon));
        assert_eq!(urgency(4000, 4400), None, "a tenth is a fluctuation");
        assert_eq!(urgency(4000, 3500), Some(Urgency::Soon));
        assert_eq!(urgency(96, 608), Some(Urgency::Urgent));
        assert_eq!(
            metric_urgency(Metric(0), Metric(1), true),
            Some(Urgency::Soon)
        );
    }
}
