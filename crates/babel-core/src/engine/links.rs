//! Links going up and down, and their own timers: Hellos, IHUs, full updates.

use super::Engine;
use super::private::only;
use crate::config::{LinkConfig, LinkState};
use crate::ext::Extension;
use crate::link::Link;
use crate::policy::SelectionPolicy;
use crate::time::Instant;
use crate::timer::TimerId;
use crate::types::{LinkId, NeighbourId, SeqNo};
use core::time::Duration;

/// IHUs to neighbours on a clean link go with each third Hello (RFC 8966 appendix B).
const HELLOS_PER_IHU: u32 = 3;
/// Between full updates on one link, however many neighbours ask for them.
const DUMP_GAP: Duration = Duration::from_secs(1);
/// Between Hellos brought forward for new neighbours.
const HELLO_GAP: Duration = Duration::from_millis(200);

impl<X: Extension, P: SelectionPolicy<X::Attr>> Engine<X, P> {
    pub(super) fn link_up(
        &mut self,
        now: Instant,
        id: LinkId,
        config: LinkConfig,
        state: LinkState,
    ) {
        let seed = self.rng.u64(..);
        let link = self
            .links
            .entry(id)
            .or_insert_with(|| Link::new(id, config.clone(), seed));
        match link.state {
            Some(old) if old.address == state.address => {
                let paced = config.hello_interval != link.config.hello_interval;
                let says_other = old.ipv4 != state.ipv4
                    || config.v4_via_v6 != link.config.v4_via_v6
                    || config.split_horizon != link.config.split_horizon
                    || config.update_interval != link.config.update_interval;
                link.config = config;
                link.state = Some(state);
                link.follow_auth(&mut self.generator);
                // Longer intervals may only be promised by a Hello and IHUs sent at once (§3.4.1,
                // §3.4.2), and a shorter one is wanted now, not when the old one is over.
                if paced {
                    link.queue.ihus.extend(&link.neighbours);
                    self.hello_due(now, id);
                }
                self.recost_link(now, id);
                if says_other {
                    self.request_dump(now, id);
                }
            }
            Some(_) => {
                self.link_down(now, id);
                self.start_link(now, id, config, state);
            }
            None => self.start_link(now, id, config, state),
        }
    }

    fn start_link(&mut self, now: Instant, id: LinkId, config: LinkConfig, state: LinkState) {
        let hello_seqno = SeqNo(self.rng.u16(..));
        let second_hello = now + Duration::from_millis(self.rng.u64(100..300));
        let first_dump = now + jittered(&mut self.rng, config.update_interval);
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        link.config = config;
        link.state = Some(state);
        link.hello_seqno = hello_seqno;
        link.hellos_sent = 0;
        link.unicast_seqnos.clear();
        // What a former life announced is void, and the neighbours' tables are wanted. Two Hellos
        // in quick succession make the link usable at once by the two-out-of-three rule.
        link.queue_hello();
        link.queue.wildcard_retraction = true;
        link.queue.wildcard_request = true;
        link.follow_auth(&mut self.generator);
        self.timers
            .set(&mut link.hello_alarm, TimerId::Hello(id), second_hello);
        self.timers
            .set(&mut link.update_alarm, TimerId::Update(id), first_dump);
        self.ready.insert(id);
    }

    pub(super) fn link_down(&mut self, now: Instant, id: LinkId) {
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        self.idle.extend(link.take_down());
        self.ready.remove(&id);
        for neighbour in link.neighbours.clone() {
            self.flush_routes(neighbour);
            self.txcost_lost(now, neighbour);
        }
    }

    pub(super) fn link_removed(&mut self, now: Instant, id: LinkId) {
        self.link_down(now, id);
        let Some(link) = self.links.get(&id) else {
            return;
        };
        for neighbour in link.neighbours.clone() {
            self.remove_neighbour(now, neighbour);
        }
        self.links.remove(&id);
    }

    /// A Hello is due, with the IHUs that ride on it.
    pub(super) fn hello_due(&mut self, now: Instant, id: LinkId) {
        let Some(link) = self.links.get_mut(&id).filter(|link| link.state.is_some()) else {
            return;
        };
        link.expire_auth(now);
        link.queue_hello();
        link.hellos_sent = link.hellos_sent.wrapping_add(1);
        let all = link.hellos_sent % HELLOS_PER_IHU == 0;
        for neighbour in &link.neighbours {
            if all
                || self
                    .neighbours
                    .get(neighbour)
                    .is_some_and(|n| n.is_marginal())
            {
                link.queue.ihus.insert(*neighbour);
            }
        }
        let gap = match link.hurried_hellos.checked_sub(1) {
            Some(left) => {
                link.hurried_hellos = left;
                HELLO_GAP.min(link.config.hello_interval / 2)
            }
            None => jittered(&mut self.rng, link.config.hello_interval),
        };
        self.timers
            .set(&mut link.hello_alarm, TimerId::Hello(id), now + gap);
        self.ready.insert(id);
    }

    /// A neighbour was just met: let it hear us soon, by an IHU and two early Hellos, which make
    /// the link usable for it by the two-out-of-three rule.
    pub(super) fn greet(&mut self, now: Instant, id: LinkId, neighbour: NeighbourId) {
        let soon = now + Duration::from_millis(self.rng.u64(20..=100));
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        link.queue.ihus.insert(neighbour);
        self.timers
            .set_earlier(&mut link.flush_alarm, TimerId::Flush(id), soon);
        link.hurried_hellos = 1;
        let hello = now + HELLO_GAP.min(link.config.hello_interval / 2);
        self.timers
            .set_earlier(&mut link.hello_alarm, TimerId::Hello(id), hello);
    }

    /// The periodic full update is due.
    pub(super) fn update_due(&mut self, now: Instant, id: LinkId) {
        let Some(link) = self.links.get_mut(&id).filter(|link| link.state.is_some()) else {
            return;
        };
        let next = now + jittered(&mut self.rng, link.config.update_interval);
        self.timers
            .set(&mut link.update_alarm, TimerId::Update(id), next);
        self.start_dump(now, id);
    }

    /// Somebody needs a full update: at most one in [`DUMP_GAP`], deferred and never dropped.
    pub(super) fn request_dump(&mut self, now: Instant, id: LinkId) {
        let Some(link) = self.links.get_mut(&id).filter(|link| link.state.is_some()) else {
            return;
        };
        let soon = now + Duration::from_millis(self.rng.u64(5..=30));
        let at = link
            .last_dump
            .map_or(soon, |last| soon.max(last + DUMP_GAP));
        self.timers
            .set_earlier(&mut link.update_alarm, TimerId::Update(id), at);
    }

    fn start_dump(&mut self, now: Instant, id: LinkId) {
        let Some(link) = self.links.get_mut(&id).filter(|link| link.has_audience()) else {
            return;
        };
        link.last_dump = Some(now);
        for (prefix, entry) in self.table.iter() {
            if let Some(only) = only(entry) {
                let there = only.link == id;
                if let Some(to) = link.by_address.get(&only.address).filter(|_| there) {
                    link.queue.push_alone(*to, entry.key);
                }
            } else if entry.is_announceable() {
                link.queue.dump.insert(prefix);
            }
        }
        self.ready.insert(id);
    }

    /// Settings changed: costs of all neighbours on the link may have.
    fn recost_link(&mut self, now: Instant, id: LinkId) {
        let Some(link) = self.links.get(&id) else {
            return;
        };
        for neighbour in link.neighbours.clone() {
            self.recost(now, neighbour);
        }
    }

    /// Says goodbye: a wildcard retraction and a Hello of 100 ms on every link.
    pub(super) fn shut_down(&mut self) {
        self.stopping = true;
        for link in self.links.values_mut().filter(|link| link.state.is_some()) {
            let _ = link.queue.clear();
            link.queue.wildcard_retraction = true;
            link.queue_hello();
            self.ready.insert(link.id);
        }
    }
}

/// A little less than `interval`, never more: intervals are promises.
fn jittered(rng: &mut fastrand::Rng, interval: Duration) -> Duration {
    interval * rng.u32(880..=980) / 1000
}
