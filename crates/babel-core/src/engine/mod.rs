//! The engine: four verbs, and the tables behind them. Dispatch only; each concern has a file.
//!
//! | file | concern |
//! |---|---|
//! | `links` | links going up and down, their Hellos and timers |
//! | `receive` | packets in, TLV by TLV; neighbours met, heard and lost |
//! | `update` | Updates: the route table |
//! | `select` | which route is used |
//! | `waiting` | holds, and smoothed metrics that will cross |
//! | `asking` | asking for a new seqno |
//! | `request` | seqno and route requests |
//! | `private` | routes of our own for one neighbour alone |
//! | `announce` | what neighbours are told, how urgently, how often |
//! | `refilter` | new filter rules at run time |
//! | `settings` | other settings at run time |
//! | `advertise` | Updates out |
//! | `transmit` | packets out |
//! | `authenticate` | MACs of packets in and out, challenges |
//! | `chores` | expiry, repeats, collection |
//! | `complaints` | how often what goes to the log |
//! | `decisions` | the last changes of selected routes |
//! | `inspect` | views, notifications, diagnostics |
//! | `explain` | why a prefix is routed as it is |

mod advertise;
mod announce;
mod asking;
mod authenticate;
mod chores;
mod complaints;
mod decisions;
mod explain;
mod inspect;
mod links;
mod private;
mod receive;
mod refilter;
mod request;
mod select;
mod settings;
mod transmit;
mod update;
mod waiting;

use crate::auth::Generator;
use crate::config::{Config, Forwarding};
use crate::event::{Diagnostic, Event, FibChange, FibTarget, Notification};
use crate::ext::Extension;
use crate::link::Link;
use crate::neighbour::Neighbour;
use crate::policy::SelectionPolicy;
use crate::table::{PrefixId, Table};
use crate::time::Instant;
use crate::timer::{TimerId, Timers};
use crate::types::{LinkId, Metric, NeighbourId, SeqNo};
use crate::view::Counters;
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// One Babel node.
#[derive(Debug)]
pub struct Engine<X: Extension, P: SelectionPolicy<X::Attr>> {
    config: Config,
    forwarding: Forwarding,
    extension: X,
    policy: P,
    seqno: SeqNo,
    rng: fastrand::Rng,
    /// Apart from `rng`, so that it can draw without changing what is sent.
    generator: Generator,
    complaints: complaints::Complaints,
    timers: Timers,
    links: BTreeMap<LinkId, Link<X::Attr>>,
    neighbours: HashMap<NeighbourId, Neighbour, FixedState>,
    next_neighbour: u32,
    table: Table<X::Attr>,
    /// Prefixes whose selection is to be run.
    dirty: Vec<PrefixId>,
    /// Prefixes of which the kernel is to be told.
    fib: VecDeque<PrefixId>,
    /// Prefixes that may be freed.
    idle: Vec<PrefixId>,
    /// Links that have something to send now.
    ready: BTreeSet<LinkId>,
    /// Seqno requests passed on for others.
    pending: HashMap<PrefixId, request::PendingRequests, FixedState>,
    pending_len: usize,
    /// Prefixes for which a better route waits, or a new seqno is wanted.
    waiting: HashMap<PrefixId, waiting::Waiting, FixedState>,
    /// When an attribute was last told ahead of time.
    told: HashMap<PrefixId, announce::Told, FixedState>,
    /// Of routes that one neighbour alone may hear of: who is told.
    private: HashMap<PrefixId, private::Private, FixedState>,
    decisions: decisions::Decisions,
    judgement: select::Judgement<X::Attr, P::Key>,
    notifications: Option<VecDeque<Notification<X::Attr>>>,
    diagnostics: VecDeque<Diagnostic>,
    counters: Counters,
    /// Routes in the table.
    routes: usize,
    selected: usize,
    overridden: usize,
    stopping: bool,
    allow_duplicates: Option<Metric>,
}

impl<X: Extension, P: SelectionPolicy<X::Attr>> Engine<X, P> {
    /// A node with no links.
    pub fn new(config: Config, extension: X, policy: P) -> Self {
        let mut rng = fastrand::Rng::with_seed(config.seed);
        let hash_seed = rng.u64(..);
        let hasher = || FixedState::with_seed(hash_seed);
        Self {
            seqno: config.seqno,
            generator: Generator::new(&config.entropy),
            complaints: complaints::Complaints::default(),
            config,
            forwarding: Forwarding::default(),
            extension,
            policy,
            rng,
            timers: Timers::default(),
            links: BTreeMap::new(),
            neighbours: HashMap::with_hasher(hasher()),
            next_neighbour: 1,
            table: Table::new(hash_seed),
            dirty: Vec::new(),
            fib: VecDeque::new(),
            idle: Vec::new(),
            ready: BTreeSet::new(),
            pending: HashMap::with_hasher(hasher()),
            pending_len: 0,
            waiting: HashMap::with_hasher(hasher()),
            told: HashMap::with_hasher(hasher()),
            private: HashMap::with_hasher(hasher()),
            decisions: decisions::Decisions::default(),
            judgement: select::Judgement::default(),
            notifications: None,
            diagnostics: VecDeque::new(),
            counters: Counters::default(),
            routes: 0,
            selected: 0,
            overridden: 0,
            stopping: false,
            allow_duplicates: None,
        }
    }

    /// Takes something in. Bad input is counted, never an error.
    pub fn handle_event(&mut self, now: Instant, event: Event<'_>) {
        match event {
            Event::Packet {
                link,
                source,
                multicast,
                payload,
            } => {
                self.receive_packet(now, link, source, multicast, payload);
            }
            Event::LinkUp {
                link,
                config,
                state,
            } => self.link_up(now, link, config, state),
            Event::LinkDown { link } => self.link_down(now, link),
            Event::LinkRemoved { link } => self.link_removed(now, link),
            Event::XRouteUp { key, xroute } => self.xroute_up(key, xroute),
            Event::XRouteDown { key } => self.xroute_down(key),
            Event::Shutdown => self.shut_down(),
        }
        self.settle(now);
    }

    /// Does what is due. Drain received packets first: a Hello that waits in the socket is not
    /// missed yet.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.stopping {
            return;
        }
        while let Some((popped, id)) = self.timers.pop(now) {
            if self.fires(id, popped, now) {
                let late_us = u64::try_from(now.since(popped).as_micros()).unwrap_or(u64::MAX);
                self.counters.timers_fired += 1;
                self.counters.timer_lateness_us_sum += late_us;
                self.counters.timer_lateness_us_max =
                    self.counters.timer_lateness_us_max.max(late_us);
                self.timer_fired(now, id);
            }
        }
        while let Some((due, chores)) = self.timers.pop_chores(now) {
            for chore in chores {
                self.do_chore(now, due, chore);
            }
        }
        self.settle(now);
    }

    /// When [`Self::handle_timeout`] is due next.
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.stopping {
            None
        } else {
            self.timers.next()
        }
    }

    /// Up to `max` changes for the kernel, appended to `out`. Ask again when they are written.
    pub fn poll_fib(&mut self, max: usize, out: &mut Vec<FibChange>) {
        for _ in 0..max {
            let Some(id) = self.fib.pop_front() else {
                break;
            };
            let target = self.fib_target(id);
            let Some(entry) = self.table.get_mut(id) else {
                continue;
            };
            entry.fib_dirty = false;
            if target.is_some() || entry.in_fib {
                entry.in_fib = target.is_some();
                out.push(FibChange {
                    key: entry.key,
                    target,
                });
            }
            if entry.is_idle() {
                self.idle.push(id);
            }
        }
        self.free_idle();
    }

    /// Whether [`Self::poll_fib`] has something to say.
    pub fn has_fib_changes(&self) -> bool {
        !self.fib.is_empty()
    }

    /// The extension.
    pub fn extension(&self) -> &X {
        &self.extension
    }

    /// The policy.
    pub fn policy(&self) -> &P {
        &self.policy
    }

    /// Settings of the node.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Our seqno, for the state file.
    pub fn seqno(&self) -> SeqNo {
        self.seqno
    }

    /// Deadlines queued: a few for each link, neighbour and prefix, whatever the network does.
    pub fn queued_timers(&self) -> usize {
        self.timers.len()
    }

    /// Numbers since start.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Runs selection where something changed, then frees what is no longer needed. Every verb
    /// ends here, so that outputs never show a half-applied input.
    fn settle(&mut self, now: Instant) {
        while let Some(id) = self.dirty.pop() {
            self.reselect(now, id);
        }
        self.decisions.forget_departed();
        self.free_idle();
    }

    fn mark_dirty(&mut self, id: PrefixId) {
        if let Some(entry) = self.table.get_mut(id)
            && !entry.dirty
        {
            entry.dirty = true;
            self.dirty.push(id);
        }
    }

    fn mark_fib(&mut self, id: PrefixId) {
        if let Some(entry) = self.table.get_mut(id)
            && !entry.fib_dirty
        {
            entry.fib_dirty = true;
            self.fib.push_back(id);
        }
    }

    fn mark_all_dirty(&mut self) {
        let ids: Vec<PrefixId> = self.table.iter().map(|(id, _)| id).collect();
        ids.into_iter().for_each(|id| self.mark_dirty(id));
    }

    /// Frees entries that may be idle, unless a queue still has something to say about them.
    fn free_idle(&mut self) {
        while let Some(id) = self.idle.pop() {
            let idle = self.table.get(id).is_some_and(|entry| entry.is_idle());
            if idle && !self.links.values().any(|link| link.queue.mentions(id)) {
                self.waiting.remove(&id);
                self.told.remove(&id);
                self.private.remove(&id);
                if let Some(pending) = self.pending.remove(&id) {
                    self.pending_len -= pending.len();
                }
                for link in self.links.values_mut() {
                    link.sent.remove(&id);
                }
                self.table.remove(id);
            }
        }
    }

    /// What the kernel should hold for a prefix.
    fn fib_target(&self, id: PrefixId) -> Option<FibTarget> {
        let entry = self.table.get(id)?;
        if announce::own_route(entry).is_some() {
            return None;
        }
        let Some(route) = entry.selected_route() else {
            return entry.unreachable_until.map(|_| FibTarget::Unreachable);
        };
        let neighbour = self.neighbours.get(&route.neighbour)?;
        let (table, pref_src) = self.install_options(entry, route);
        Some(FibTarget::Via {
            link: neighbour.link,
            next_hop: neighbour.next_hop(route.next_hop),
            metric: self.metric_of(route),
            table,
            pref_src,
        })
    }

    /// Whether a timer that the heap popped really goes off.
    fn fires(&mut self, id: TimerId, popped: Instant, now: Instant) -> bool {
        let alarm = match id {
            TimerId::Hello(link) => self.links.get_mut(&link).map(|l| &mut l.hello_alarm),
            TimerId::Update(link) => self.links.get_mut(&link).map(|l| &mut l.update_alarm),
            TimerId::Flush(link) => self.links.get_mut(&link).map(|l| &mut l.flush_alarm),
            TimerId::MulticastHello(n) => {
                self.neighbours.get_mut(&n).map(|n| &mut n.multicast.alarm)
            }
            TimerId::UnicastHello(n) => self.neighbours.get_mut(&n).map(|n| &mut n.unicast.alarm),
            TimerId::Ihu(n) => self.neighbours.get_mut(&n).map(|n| &mut n.ihu_alarm),
            TimerId::Idle(n) => self.neighbours.get_mut(&n).map(|n| &mut n.idle_alarm),
        };
        alarm.is_some_and(|alarm| self.timers.fires(alarm, id, popped, now))
    }

    fn timer_fired(&mut self, now: Instant, id: TimerId) {
        match id {
            TimerId::Hello(link) => self.hello_due(now, link),
            TimerId::Update(link) => self.update_due(now, link),
            TimerId::Flush(link) => {
                self.ready.insert(link);
            }
            TimerId::MulticastHello(neighbour) => self.hello_missed(now, neighbour, false),
            TimerId::UnicastHello(neighbour) => self.hello_missed(now, neighbour, true),
            TimerId::Ihu(neighbour) => self.ihu_missed(now, neighbour),
            TimerId::Idle(neighbour) => self.neighbour_idle(now, neighbour),
        }
    }
}
