//! MAC authentication in the way of packets (RFC 8967): what passes, what is signed, challenges.

use super::Engine;
use crate::auth::{AuthFailure, Endpoints, Incoming};
use crate::event::DiagnosticKind;
use crate::ext::Extension;
use crate::policy::SelectionPolicy;
use crate::time::Instant;
use crate::timer::TimerId;
use crate::types::{LinkId, NeighbourId};
use crate::wire::{self, Destination, PacketWriter};
use core::net::Ipv6Addr;

impl<X: Extension, P: SelectionPolicy<X::Attr>> Engine<X, P> {
    /// Whether a packet may be looked at any further: always, on a link without keys.
    pub(super) fn is_authentic(
        &mut self,
        now: Instant,
        link_id: LinkId,
        source: Ipv6Addr,
        multicast: bool,
        payload: &[u8],
    ) -> bool {
        let Some(link) = self.links.get_mut(&link_id) else {
            return false;
        };
        let Some(settings) = &link.config.auth else {
            return true;
        };
        let (Some(auth), Some(state)) = (&mut link.auth, link.state) else {
            return false;
        };
        let Ok((signed, trailer)) = wire::split_trailer(payload) else {
            return false;
        };
        let packet = Incoming {
            endpoints: Endpoints {
                source,
                destination: if multicast {
                    settings.group
                } else {
                    state.address
                },
                port: settings.port,
            },
            multicast,
            signed,
            trailer,
        };
        let max_peers = self.config.limits.neighbours_per_link;
        let outcome = auth.receive(now, settings, &packet, &mut self.generator, max_peers);
        let tolerant = settings.accept_bad_signatures;
        self.await_challenges(now, link_id);
        let Err(failure) = outcome else {
            return true;
        };
        if tolerant {
            self.counters.auth_tolerated += 1;
            return true;
        }
        self.reject(now, link_id, source, failure);
        false
    }

    fn reject(&mut self, now: Instant, link: LinkId, source: Ipv6Addr, failure: AuthFailure) {
        self.counters.packets_dropped += 1;
        if let Some(count) = self.counters.auth_dropped.get_mut(failure.index()) {
            *count += 1;
        }
        // A new index is what each start of a neighbour brings.
        if failure != AuthFailure::UnknownIndex {
            self.diagnose_stranger(now, link, source, DiagnosticKind::Auth(failure));
        }
    }

    /// Sees to it that replies and challenges leave when they are due: at once, most of the time.
    pub(super) fn await_challenges(&mut self, now: Instant, link_id: LinkId) {
        let Some(link) = self.links.get_mut(&link_id) else {
            return;
        };
        match link.auth.as_ref().and_then(|auth| auth.due()) {
            Some(due) if due <= now => _ = self.ready.insert(link_id),
            Some(due) => {
                self.timers
                    .set_earlier(&mut link.flush_alarm, TimerId::Flush(link_id), due);
            }
            None => {}
        }
    }

    /// The reply and the challenge that are due for one address; answers that.
    pub(super) fn write_challenges(
        &mut self,
        now: Instant,
        id: LinkId,
        packet: &mut PacketWriter,
    ) -> Option<Ipv6Addr> {
        let out = self.links.get_mut(&id)?.auth.as_mut()?.pop_due(now)?;
        // Both fit into a packet of the least size: 194 and 18 octets at most.
        if let Some(nonce) = &out.reply {
            self.counters.challenge_replies_sent += 1;
            let _ = packet.challenge_reply(nonce);
        }
        if let Some(nonce) = &out.challenge {
            self.counters.challenges_sent += 1;
            let _ = packet.challenge_request(nonce);
        }
        Some(out.to)
    }

    /// Signs a finished packet, if the link has keys.
    pub(super) fn seal(&mut self, id: LinkId, destination: Destination, packet: &mut Vec<u8>) {
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        let (Some(settings), Some(auth), Some(state)) =
            (&link.config.auth, &mut link.auth, link.state)
        else {
            return;
        };
        let endpoints = Endpoints {
            source: state.address,
            destination: match destination {
                Destination::Multicast => settings.group,
                Destination::Unicast(address) => address,
            },
            port: settings.port,
        };
        auth.seal(settings, &endpoints, &mut self.generator, packet);
    }

    /// What authentication knows of a neighbour goes with it.
    pub(super) fn forget_peer(&mut self, id: NeighbourId) {
        let Some(neighbour) = self.neighbours.get(&id) else {
            return;
        };
        if let Some(auth) = self
            .links
            .get_mut(&neighbour.link)
            .and_then(|link| link.auth.as_mut())
        {
            auth.forget(&neighbour.address);
        }
    }
}
