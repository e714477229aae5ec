//! Which of this host's addresses and kernel routes are announced, and how.
//!
//! Every address and every importable route is a *contribution* to its prefix. The best one that
//! a `redistribute` rule allows is what the prefix offers; `src-prefix` may turn several prefixes
//! into one announcement. So a prefix is withdrawn only when its last contribution is gone, and
//! everything is worked out at once, for the prefixes concerned only.

mod source;
#[cfg(test)]
mod tests;

pub use source::{Source, importable, key_of};

use babel_core::event::{Event, XRoute};
use babel_core::ext::Origin;
use babel_core::filter::{KernelOrigin, Rule, Subject, first_match};
use babel_core::prefix::{Prefix, RouteKey};
use babel_core::types::Metric;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// Something to tell the engine.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum XRouteChange {
    /// Announce it, or announce it differently.
    Up(RouteKey, XRoute),
    /// Withdraw it.
    Down(RouteKey),
}

impl XRouteChange {
    /// As the engine takes it.
    pub const fn event(self) -> Event<'static> {
        match self {
            Self::Up(key, xroute) => Event::XRouteUp { key, xroute },
            Self::Down(key) => Event::XRouteDown { key },
        }
    }
}

/// What is there, what is announced, and the rules between.
#[derive(Debug)]
pub struct XRoutes {
    rules: Vec<Rule>,
    /// By the kernel's prefix.
    contributions: BTreeMap<RouteKey, Vec<Source>>,
    /// What each of them offers, under its announced key.
    offers: BTreeMap<RouteKey, (RouteKey, XRoute)>,
    /// By announced key: the other prefixes of the kernel that offer it, by `src-prefix`.
    rewritten: BTreeMap<RouteKey, Vec<RouteKey>>,
    /// What the engine was told.
    announced: BTreeMap<RouteKey, XRoute>,
    /// Kernel prefixes to look at again.
    dirty: BTreeSet<RouteKey>,
    /// Kernel prefixes that are somebody else's to announce: never ours, whatever the rules say.
    private: BTreeSet<RouteKey>,
}

impl XRoutes {
    /// With these `redistribute` rules, the implicit ones included.
    pub const fn new(rules: Vec<Rule>) -> Self {
        Self {
            rules,
            contributions: BTreeMap::new(),
            offers: BTreeMap::new(),
            rewritten: BTreeMap::new(),
            announced: BTreeMap::new(),
            dirty: BTreeSet::new(),
            private: BTreeSet::new(),
        }
    }

    /// Other `redistribute` rules. Returns whether they are other than before: then everything
    /// must be read again, for what no rule allowed was not kept.
    pub fn set_rules(&mut self, rules: &[Rule]) -> bool {
        let other = self.rules != rules;
        if other {
            self.rules = rules.to_vec();
            self.judge_again();
        }
        other
    }

    /// The prefixes that are announced by others than the rules: what the kernel has of them is
    /// not looked at from now on.
    pub fn set_private(&mut self, keys: impl IntoIterator<Item = RouteKey>) {
        self.private = keys.into_iter().collect();
        for key in &self.private {
            if self.contributions.remove(key).is_some() {
                self.dirty.insert(*key);
            }
        }
    }

    /// An address is there.
    pub fn address_up(&mut self, ifindex: u32, address: IpAddr) {
        self.add(host(address), Source::Address { ifindex });
    }

    /// An address is gone.
    pub fn address_down(&mut self, ifindex: u32, address: IpAddr) {
        let gone = Source::Address { ifindex };
        self.remove_if(host(address), |source| *source == gone);
    }

    /// A route of an import table is there. `replaces`: it took the place of what held its slot.
    pub fn route_up(&mut self, key: RouteKey, route: Source, replaces: bool) {
        if replaces {
            self.slot_taken(key, route);
        }
        self.add(key, route);
    }

    /// A route that is not for us took the place of what held its slot.
    pub fn slot_taken(&mut self, key: RouteKey, route: Source) {
        self.remove_if(key, |source| source.same_slot(&route));
    }

    /// A route of an import table is gone.
    pub fn route_down(&mut self, key: RouteKey, route: Source) {
        self.remove_if(key, |source| *source == route);
    }

    /// Everything was read again: all addresses and all routes. Returns how many prefixes
    /// were not as we had thought.
    pub fn reset(&mut self, all: impl IntoIterator<Item = (RouteKey, Source)>) -> usize {
        let mut fresh: BTreeMap<RouteKey, Vec<Source>> = BTreeMap::new();
        for (key, source) in all {
            if self.is_wanted(&key, &source) {
                fresh.entry(key).or_insert_with(one).push(source);
            }
        }
        fresh
            .values_mut()
            .for_each(|sources| sources.sort_unstable());
        let known = self.dirty.len();
        for (key, sources) in &fresh {
            if self.contributions.get(key) != Some(sources) {
                self.dirty.insert(*key);
            }
        }
        let gone = self
            .contributions
            .keys()
            .filter(|key| !fresh.contains_key(key));
        self.dirty.extend(gone.copied());
        self.contributions = fresh;
        self.dirty.len() - known
    }

    /// A device has another name: rules that name interfaces may match differently.
    pub fn judge_again(&mut self) {
        self.dirty.extend(self.contributions.keys().copied());
    }

    /// What changed since the last call. `name` tells the name of a device.
    pub fn reconcile<'n>(&mut self, name: impl Fn(u32) -> Option<&'n str>) -> Vec<XRouteChange> {
        let mut concerned = BTreeSet::new();
        for key in std::mem::take(&mut self.dirty) {
            let offer = self.judge(key, &name);
            let before = match offer {
                Some(offer) => self.offers.insert(key, offer),
                None => self.offers.remove(&key),
            };
            if before == offer {
                continue;
            }
            if let Some((announced, _)) = before {
                concerned.insert(announced);
                self.forget_rewriting(key, announced);
            }
            if let Some((announced, _)) = offer {
                concerned.insert(announced);
                if announced != key {
                    self.rewritten.entry(announced).or_default().push(key);
                }
            }
        }
        concerned
            .into_iter()
            .filter_map(|key| self.announce(key))
            .collect()
    }

    /// Whether a rule might allow a route of the kernel at all; if not there is no need to look
    /// at them.
    pub fn wants_routes(&self) -> bool {
        self.rules
            .iter()
            .any(|rule| !rule.local && !rule.action.deny)
    }

    /// Whether any rule might allow it: a full table of somebody else's routes is not kept for
    /// nothing.
    fn is_wanted(&self, key: &RouteKey, source: &Source) -> bool {
        let may_match = |rule: &Rule| match source {
            Source::Address { .. } => true,
            Source::Route { protocol, .. } => {
                !rule.local && rule.proto.is_none_or(|proto| proto == *protocol)
            }
        };
        if self.private.contains(key) {
            return false;
        }
        let mut allowing = self.rules.iter().filter(|rule| !rule.action.deny);
        !key.dst().is_martian() && allowing.any(may_match)
    }

    fn add(&mut self, key: RouteKey, source: Source) {
        if !self.is_wanted(&key, &source) {
            return;
        }
        let sources = self.contributions.entry(key).or_insert_with(one);
        if let Err(place) = sources.binary_search(&source) {
            sources.insert(place, source);
            self.dirty.insert(key);
        }
    }

    fn remove_if(&mut self, key: RouteKey, gone: impl Fn(&Source) -> bool) {
        let Some(sources) = self.contributions.get_mut(&key) else {
            return;
        };
        // One message is about one route, even where two look alike.
        if let Some(place) = sources.iter().position(gone) {
            sources.remove(place);
            self.dirty.insert(key);
        }
        if sources.is_empty() {
            self.contributions.remove(&key);
        }
    }

    /// What a prefix offers: of what the rules allow, an address before a route, and the route
    /// that the kernel prefers before others.
    fn judge<'n>(
        &self,
        key: RouteKey,
        name: &impl Fn(u32) -> Option<&'n str>,
    ) -> Option<(RouteKey, XRoute)> {
        // Sources are sorted in just that order.
        self.contributions.get(&key)?.iter().find_map(|source| {
            let (origin, kernel) = match source {
                Source::Address { .. } => (Origin::Local, KernelOrigin::Local),
                Source::Route { protocol, .. } => {
                    (Origin::Redistributed, KernelOrigin::Protocol(*protocol))
                }
            };
            let subject = Subject {
                key,
                router_id: None,
                neighbour: None,
                interface: source.ifindex().and_then(name),
                kernel: Some(kernel),
            };
            let action = first_match(&self.rules, &subject).filter(|action| !action.deny)?;
            let announced = with_source(key, action.src_prefix)?;
            let xroute = XRoute {
                metric: Metric(action.metric),
                origin,
                price: action.price,
                only: None,
            };
            Some((announced, xroute))
        })
    }

    fn forget_rewriting(&mut self, key: RouteKey, announced: RouteKey) {
        if let Some(keys) = self.rewritten.get_mut(&announced) {
            keys.retain(|other| *other != key);
            if keys.is_empty() {
                self.rewritten.remove(&announced);
            }
        }
    }

    /// The difference between what is offered under `key` and what the engine was told.
    fn announce(&mut self, key: RouteKey) -> Option<XRouteChange> {
        let others = self.rewritten.get(&key).into_iter().flatten();
        let best = others
            .chain([&key])
            .filter_map(|from| self.offers.get(from))
            .filter(|(announced, _)| *announced == key)
            .map(|(_, xroute)| *xroute)
            .min_by_key(preference);
        let before = match best {
            Some(xroute) => self.announced.insert(key, xroute),
            None => self.announced.remove(&key),
        };
        match best {
            _ if before == best => None,
            Some(xroute) => Some(XRouteChange::Up(key, xroute)),
            None => Some(XRouteChange::Down(key)),
        }
    }
}

/// Room for the one source that nearly every prefix has.
fn one() -> Vec<Source> {
    Vec::with_capacity(1)
}

/// An address as a destination.
pub fn host(address: IpAddr) -> RouteKey {
    RouteKey::new(Prefix::host(address))
}

/// `key` with its source prefix replaced; `None` if the families differ.
fn with_source(key: RouteKey, src: Option<Prefix>) -> Option<RouteKey> {
    match src {
        None => Some(key),
        Some(src) => RouteKey::source_specific(*key.dst(), src),
    }
}

fn preference(xroute: &XRoute) -> (bool, Metric, Option<u32>) {
    (xroute.origin != Origin::Local, xroute.metric, xroute.price)
}
