//! New filter rules at run time: what is held, announced and installed follows them.
//!
//! One walk of the table for each kind of rule that changed, O(routes × rules) once; nothing is
//! kept for it in between. What was received before an `in` filter touched it is not kept either,
//! so neighbours are asked to say it again: routes that were refused come back with their answers
//! within a second, and a route whose `in … price` changed costs what it did until then.

use super::Engine;
use super::private::only;
use crate::event::Change;
use crate::ext::Extension;
use crate::filter::{self, Action, Filters, Rule, Subject};
use crate::policy::SelectionPolicy;
use crate::route::Route;
use crate::table::{Entry, PrefixId};
use crate::time::Instant;
use crate::timer::TimerId;
use crate::types::{LinkId, Metric, NeighbourId};
use core::time::Duration;

/// What new `in` rules say of a route that is held.
enum Ruling {
    /// Refused: as if the neighbour had retracted it.
    Refuse,
    /// Still allowed, with this added to its metric.
    Add(Metric),
}

impl<X: Extension, P: SelectionPolicy<X::Attr>> Engine<X, P> {
    /// Changes the filters and applies them to all that is held. The walk costs as much as
    /// selecting every route again; several changes are best made in one call.
    pub fn update_filters(&mut self, now: Instant, change: impl FnOnce(&mut Filters)) {
        let old = self.config.filters.clone();
        change(&mut self.config.filters);
        if self.config.filters.input != old.input {
            self.refilter_input(now);
        }
        if self.config.filters.install != old.install {
            self.refilter_install(now, &old.install);
        }
        self.settle(now);
        if self.config.filters.output != old.output {
            self.refilter_output(now, &old.output);
        }
    }

    /// Asks all neighbours for all their routes, because what they said before was read by
    /// other rules.
    pub fn ask_again(&mut self) {
        for link in self.links.values_mut().filter(|link| link.has_audience()) {
            link.queue.wildcard_request = true;
            self.ready.insert(link.id);
        }
    }

    fn refilter_input(&mut self, now: Instant) {
        let rules = &self.config.filters.input;
        let mut rulings: Vec<(PrefixId, NeighbourId, Ruling)> = Vec::new();
        for (id, entry) in self.table.iter() {
            for route in entry.routes.iter().filter(|route| !route.is_retracted()) {
                let action = self.rule_for(rules, entry, route);
                let metric = Metric(action.metric);
                if action.deny || metric.is_infinite() {
                    rulings.push((id, route.neighbour, Ruling::Refuse));
                } else if metric != route.filter_metric {
                    rulings.push((id, route.neighbour, Ruling::Add(metric)));
                }
            }
        }
        for (id, neighbour, ruling) in rulings {
            let Some(key) = self.table.get(id).map(|entry| entry.key) else {
                continue;
            };
            match ruling {
                Ruling::Refuse => self.retract(now, neighbour, key),
                Ruling::Add(metric) => self.change_filter_metric(now, id, neighbour, metric),
            }
        }
        self.ask_again();
    }

    fn change_filter_metric(
        &mut self,
        now: Instant,
        id: PrefixId,
        neighbour: NeighbourId,
        metric: Metric,
    ) {
        let half_life = self.config.smoothing_half_life;
        let route = self.table.get(id).and_then(|entry| entry.route(neighbour));
        let Some(old) = route.map(|route| self.metric_of(route)) else {
            return;
        };
        let entry = self.table.get_mut(id);
        let Some(route) = entry.and_then(|entry| entry.route_mut(neighbour)) else {
            return;
        };
        route.smoothed.fix(old, half_life, now);
        route.filter_metric = metric;
        self.mark_dirty(id);
        self.notify_route(now, Change::Change, id, neighbour);
    }

    fn refilter_install(&mut self, now: Instant, old: &[Rule]) {
        let rules = &self.config.filters.install;
        let mut judged: Vec<(PrefixId, NeighbourId, bool)> = Vec::new();
        let mut moved: Vec<PrefixId> = Vec::new();
        for (id, entry) in self.table.iter() {
            for route in &entry.routes {
                let action = self.rule_for(rules, entry, route);
                let refused = action.deny || Metric(action.metric).is_infinite();
                if refused != route.refused {
                    judged.push((id, route.neighbour, refused));
                }
                let place = |action: Action| (action.table, action.pref_src);
                if entry.selected == Some(route.neighbour)
                    && place(action) != place(self.rule_for(old, entry, route))
                {
                    moved.push(id);
                }
            }
        }
        for (id, neighbour, refused) in judged {
            let entry = self.table.get_mut(id);
            if let Some(route) = entry.and_then(|entry| entry.route_mut(neighbour)) {
                route.refused = refused;
            }
            self.mark_dirty(id);
            self.notify_route(now, Change::Change, id, neighbour);
        }
        moved.into_iter().for_each(|id| self.mark_fib(id));
    }

    /// Tells each link of what it may know now and of what it may not, and of what counts more
    /// or less than before. A refused prefix is retracted when its turn comes.
    fn refilter_output(&mut self, now: Instant, old: &[Rule]) {
        let rules = &self.config.filters.output;
        let mut changed: Vec<(LinkId, PrefixId, bool)> = Vec::new();
        for link in self.links.values().filter(|link| link.has_audience()) {
            for (id, entry) in self.table.iter() {
                let Some(current) = self.current(entry) else {
                    continue;
                };
                let subject = Subject {
                    key: entry.key,
                    router_id: Some(current.router_id),
                    neighbour: None,
                    interface: Some(&link.config.name),
                    kernel: None,
                };
                let effect = effect(rules, &subject);
                if effect != self::effect(old, &subject) {
                    changed.push((link.id, id, effect.is_none()));
                }
            }
        }
        for (link, id, denied) in changed {
            if let Some(entry) = self.table.get(id)
                && let Some(only) = only(entry)
            {
                let key = entry.key;
                if only.link == link {
                    self.tell_party(now, only, key);
                }
                continue;
            }
            let Some(link) = self.links.get_mut(&link) else {
                continue;
            };
            // What is denied is mentioned in answers only; this answers what was said before.
            let queue = &mut link.queue;
            let set = if denied {
                &mut queue.replies
            } else {
                &mut queue.triggered
            };
            set.insert(id);
            let at = now + Duration::from_millis(20);
            self.timers
                .set_earlier(&mut link.flush_alarm, TimerId::Flush(link.id), at);
        }
    }

    /// What `in` or `install` rules say of a route that is held.
    fn rule_for(&self, rules: &[Rule], entry: &Entry<X::Attr>, route: &Route<X::Attr>) -> Action {
        if rules.is_empty() {
            return Action::default();
        }
        let neighbour = self.neighbours.get(&route.neighbour);
        let link = neighbour.and_then(|neighbour| self.links.get(&neighbour.link));
        let subject = Subject {
            key: entry.key,
            router_id: Some(route.router_id),
            neighbour: neighbour.map(|neighbour| neighbour.address),
            interface: link.map(|link| link.config.name.as_str()),
            kernel: None,
        };
        action(rules, &subject)
    }
}

/// What the first rule that matches says; allow if none does.
fn action(rules: &[Rule], subject: &Subject<'_>) -> Action {
    filter::first_match(rules, subject)
        .copied()
        .unwrap_or_default()
}

/// What matters of an `out` rule: metric and price to add; `None` if it denies.
fn effect(rules: &[Rule], subject: &Subject<'_>) -> Option<(u16, Option<u32>)> {
    let action = action(rules, subject);
    let denied = action.deny || Metric(action.metric).is_infinite();
    (!denied).then_some((action.metric, action.price))
}
