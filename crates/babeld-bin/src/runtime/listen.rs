//! What the kernel tells: devices, addresses, routes; and reading it all again.

use super::Running;
use super::kernel::from_netlink;
use crate::clock;
use crate::fib::{Observation, Seen};
use crate::xroutes::{Source, XRouteChange, host, importable, key_of};
use babel_core::time::Instant;
use babel_netlink::{DumpEnd, Notification, ReadOutcome, Route};
use std::io;
use std::time::Duration;
use tokio::io::Interest;

/// After the monitor failed, before everything is read again.
const MONITOR_BACKOFF: Duration = Duration::from_secs(1);
/// Reads in a row that may be put off because the tables kept changing.
const RESTLESS_READS: u32 = 10;

impl Running {
    /// Takes in what the kernel has told. Returns whether there may be more.
    pub(super) fn hear_kernel(&mut self) -> bool {
        let mut outcome = Ok(ReadOutcome::Drained);
        let inbox = &mut self.inbox;
        let _ = self.monitor.try_io_mut(Interest::READABLE, |monitor| {
            outcome = monitor.read(|notification| inbox.push(notification));
            match outcome {
                Ok(ReadOutcome::More) => Ok(()),
                _ => Err(io::Error::from(io::ErrorKind::WouldBlock)),
            }
        });
        let now = clock::now();
        for notification in std::mem::take(&mut self.inbox) {
            self.hear(now, notification);
        }
        match outcome {
            Ok(ReadOutcome::Drained) => false,
            Ok(ReadOutcome::More) => true,
            Ok(ReadOutcome::Overrun) => {
                self.fib.counters_mut().overruns += 1;
                tracing::warn!("kernel notifications were lost; reading everything again");
                self.read_everything(now);
                false
            }
            Err(error) => {
                tracing::warn!("{error}");
                self.chores.check = Some(now + MONITOR_BACKOFF);
                false
            }
        }
    }

    /// Reads devices, addresses and routes again, and compares our own.
    pub(super) fn read_everything(&mut self, now: Instant) {
        match self.kernel.devices() {
            Ok((links, addresses)) => self.links.reset(links, addresses),
            Err(error) => {
                tracing::warn!("{error}");
                self.chores.check = Some(now + MONITOR_BACKOFF);
            }
        }
        self.chores.want_reread(now);
        self.chores.want_resync(now);
    }

    /// Reads the routes to announce again. Returns how many prefixes were not as thought.
    pub(super) fn read_imports(&mut self, now: Instant) -> usize {
        let mut all: Vec<_> = self
            .links
            .devices()
            .global_addresses()
            .map(|(ifindex, address)| (host(address), Source::Address { ifindex }))
            .collect();
        if self.xroutes.wants_routes() {
            match self.kernel.imports(&self.import_tables) {
                // A read that did not hold still may lack routes. Notifications tell of changes
                // anyway, so wait for a quiet moment, but not for ever.
                Ok((_, DumpEnd::Changing)) if self.restless_reads < RESTLESS_READS => {
                    self.restless_reads += 1;
                    self.chores.want_reread(now);
                    return 0;
                }
                Ok((routes, _)) => {
                    self.restless_reads = 0;
                    all.extend(routes);
                }
                Err(error) => {
                    tracing::warn!("{error}");
                    self.chores.want_reread(now);
                    return 0;
                }
            }
        }
        self.xroutes.reset(all)
    }

    /// Tells the engine which of our own routes are new, other, or gone.
    pub(super) fn tell_xroutes(&mut self, now: Instant) {
        let devices = self.links.devices();
        for change in self.xroutes.reconcile(|ifindex| devices.name(ifindex)) {
            match change {
                XRouteChange::Up(key, xroute) => {
                    tracing::debug!("announcing {key} metric {}", xroute.metric);
                }
                XRouteChange::Down(key) => tracing::debug!("withdrawing {key}"),
            }
            self.engine.handle_event(now, change.event());
        }
    }

    fn hear(&mut self, now: Instant, notification: Notification) {
        tracing::trace!("{notification:?}");
        match notification {
            Notification::Link(info) => {
                let known = self.links.devices().name(info.index);
                let renamed = known.is_some_and(|name| name != info.name);
                let went_down = self.links.device_changed(info);
                if renamed {
                    self.xroutes.judge_again();
                }
                if went_down {
                    self.kernel_dropped_routes(now);
                }
            }
            Notification::LinkGone(info) => {
                let gone = self.links.device_gone(info.index);
                for (ifindex, address) in gone {
                    self.xroutes.address_down(ifindex, address);
                }
                self.kernel_dropped_routes(now);
            }
            Notification::Address(address) => {
                self.links.address_changed(address);
                if crate::links::is_global(&address) {
                    self.xroutes.address_up(address.index, address.address);
                } else {
                    self.xroutes.address_down(address.index, address.address);
                }
            }
            Notification::AddressGone(address) => {
                self.links.address_gone(&address);
                let devices = self.links.devices();
                if !devices.holds(address.index, address.address) {
                    self.xroutes.address_down(address.index, address.address);
                }
                if address.address.is_ipv4() {
                    self.kernel_dropped_routes(now);
                }
            }
            Notification::Route { route, replaced } => self.route_seen(now, &route, replaced),
            Notification::RouteGone(route) => self.route_gone(now, &route),
        }
    }

    /// IPv4 routes that go with a device or an address go without a word.
    fn kernel_dropped_routes(&mut self, now: Instant) {
        if self.xroutes.wants_routes() {
            self.chores.want_reread(now);
        }
        if !self.fib.is_empty() {
            self.chores.want_resync(now);
        }
    }

    fn route_seen(&mut self, now: Instant, route: &Route, replaced: bool) {
        let what = if replaced {
            Seen::Replaced
        } else {
            Seen::Added
        };
        self.observe(now, route, what);
        if !self.imports(route) {
            return;
        }
        match (importable(route), key_of(route)) {
            (Some((key, source)), _) => self.xroutes.route_up(key, source, replaced),
            (None, Some(key)) if replaced => {
                self.xroutes.slot_taken(key, Source::of(route));
            }
            _ => {}
        }
    }

    fn route_gone(&mut self, now: Instant, route: &Route) {
        self.observe(now, route, Seen::Deleted);
        if self.imports(route)
            && let Some((key, source)) = importable(route)
        {
            self.xroutes.route_down(key, source);
        }
    }

    fn imports(&self, route: &Route) -> bool {
        self.xroutes.wants_routes() && self.import_tables.contains(&route.table)
    }

    fn observe(&mut self, now: Instant, route: &Route, what: Seen) {
        if let Some(seen) = from_netlink(route) {
            let protocol = route.protocol;
            self.fib.observe(
                now,
                Observation {
                    route: seen,
                    protocol,
                    what,
                },
            );
        }
    }
}
