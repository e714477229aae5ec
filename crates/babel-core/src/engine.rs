//! The engine: four verbs, and the tables behind them.

use crate::config::Config;
use crate::event::{Diagnostic, Event, FibChange, Notification, Transmit};
use crate::ext::Extension;
use crate::policy::SelectionPolicy;
use crate::prefix::RouteKey;
use crate::time::Instant;
use crate::types::SeqNo;
use crate::view::{Counters, Explanation, NeighbourView, RouteCounts, RouteView, XRouteView};

/// One Babel node.
#[derive(Debug)]
pub struct Engine<X: Extension, P: SelectionPolicy<X::Attr>> {
    _todo: (Config, X, P),
}

impl<X: Extension, P: SelectionPolicy<X::Attr>> Engine<X, P> {
    /// A node with no links.
    pub fn new(config: Config, extension: X, policy: P) -> Self {
        Self {
            _todo: (config, extension, policy),
        }
    }

    /// Takes something in. Bad input is counted, never an error.
    pub fn handle_event(&mut self, now: Instant, event: Event<'_>) {
        let _ = (now, event);
        todo!("engine")
    }

    /// Does what is due. Drain received packets first: a Hello that waits in the socket is not
    /// missed yet.
    pub fn handle_timeout(&mut self, now: Instant) {
        let _ = now;
        todo!("engine")
    }

    /// When [`Self::handle_timeout`] is due next.
    pub fn poll_timeout(&self) -> Option<Instant> {
        todo!("engine")
    }

    /// The next packet to send, written into `buffer`; call until `None`. Content is made now,
    /// from the newest state.
    pub fn poll_transmit(&mut self, now: Instant, buffer: &mut Vec<u8>) -> Option<Transmit> {
        let _ = (now, buffer);
        todo!("engine")
    }

    /// Up to `max` changes for the kernel, appended to `out`. Ask again when they are written.
    pub fn poll_fib(&mut self, max: usize, out: &mut Vec<FibChange>) {
        let _ = (max, out);
        todo!("engine")
    }

    /// Whether to keep notifications; off until asked for.
    pub fn set_notify(&mut self, notify: bool) {
        let _ = notify;
        todo!("engine")
    }

    /// The next thing a monitor wants to know.
    pub fn poll_notification(&mut self) -> Option<Notification<X::Attr>> {
        todo!("engine")
    }

    /// The next thing for the log.
    pub fn poll_diagnostic(&mut self) -> Option<Diagnostic> {
        todo!("engine")
    }

    /// Changes the extension's settings; what that changes for neighbours is announced.
    pub fn update_extension(&mut self, now: Instant, change: impl FnOnce(&mut X)) {
        let _ = now;
        change(&mut self._todo.1);
        todo!("engine")
    }

    /// Changes the policy; all prefixes are judged again.
    pub fn update_policy(&mut self, now: Instant, change: impl FnOnce(&mut P)) {
        let _ = now;
        change(&mut self._todo.2);
        todo!("engine")
    }

    /// The extension.
    pub fn extension(&self) -> &X {
        &self._todo.1
    }

    /// The policy.
    pub fn policy(&self) -> &P {
        &self._todo.2
    }

    /// Settings of the node.
    pub fn config(&self) -> &Config {
        &self._todo.0
    }

    /// Our seqno, for the state file.
    pub fn seqno(&self) -> SeqNo {
        todo!("engine")
    }

    /// All neighbours, newest first.
    pub fn neighbours(&self, now: Instant) -> impl Iterator<Item = NeighbourView> {
        let _ = now;
        core::iter::empty()
    }

    /// All routes: source-specific first, then by prefix; the selected one first in each.
    /// Sorted, hence O(n log n): for dumps.
    pub fn routes(&self, now: Instant) -> impl Iterator<Item = RouteView<X::Attr>> {
        let _ = now;
        core::iter::empty()
    }

    /// All routes of our own, by prefix length, then prefix.
    pub fn xroutes(&self) -> impl Iterator<Item = XRouteView> {
        core::iter::empty()
    }

    /// Everything known about `key`; `None` if nothing is.
    pub fn explain(&self, now: Instant, key: &RouteKey) -> Option<Explanation<X::Attr>> {
        let _ = (now, key);
        todo!("engine")
    }

    /// Numbers since start.
    pub fn counters(&self) -> &Counters {
        todo!("engine")
    }

    /// How many routes are in which state; kept up as they change.
    pub fn route_counts(&self) -> RouteCounts {
        todo!("engine")
    }
}
