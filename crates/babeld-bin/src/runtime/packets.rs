//! Packets in and out of the engine, each round with a budget.

use super::Running;
use super::chores::take;
use crate::clock;
use crate::net::{Refused, Sent};
use babel_core::event::Event;
use babel_core::time::Instant;
use babel_core::types::LinkId;
use babel_core::wire::Destination;
use nix::errno::Errno;
use std::time::Duration;

/// Packets taken in at one wake-up.
const RECEIVE_BUDGET: usize = 256;
/// Packets sent at one wake-up.
const SEND_BUDGET: usize = 64;
/// After the socket had no room, or reported an error.
const SOCKET_BACKOFF: Duration = Duration::from_millis(5);
/// A link's trouble with sending is logged this often.
const COMPLAINT_GAP: Duration = Duration::from_secs(60);

impl Running {
    /// Gives the engine what has arrived. Returns whether there may be more.
    pub(super) fn receive(&mut self) -> bool {
        let now = clock::now();
        take(&mut self.chores.receive, now);
        if self.chores.receive.is_some() {
            return false;
        }
        for _ in 0..RECEIVE_BUDGET {
            let datagram = match self.socket.receive() {
                None => return false,
                Some(Err(Refused::Foreign)) => continue,
                Some(Err(Refused::Error)) => {
                    self.chores.receive = Some(now + SOCKET_BACKOFF);
                    return false;
                }
                Some(Ok(datagram)) => datagram,
            };
            let Some(link) = self.links.link_on(datagram.ifindex) else {
                continue;
            };
            // A switch that sends our own packets back is no neighbour.
            let ours = self.links.up(link).map(|(_, state)| state.address);
            if ours == Some(datagram.source) {
                continue;
            }
            let packet = Event::Packet {
                link,
                source: datagram.source,
                multicast: datagram.multicast,
                payload: datagram.payload,
            };
            if let Some(quality) = &mut self.quality {
                quality.heard(link);
            }
            // Looked at anew for each: round-trip times are measured by it (RFC 9616 §3.2).
            self.engine.handle_event(clock::now(), packet);
        }
        true
    }

    /// Sends what the engine has to say. Returns whether there may be more.
    pub(super) fn transmit(&mut self, now: Instant) -> bool {
        take(&mut self.chores.send, now);
        if self.chores.send.is_some() {
            return false;
        }
        for _ in 0..SEND_BUDGET {
            let next = match self.unsent.take() {
                Some(transmit) => Some(transmit),
                None => self.engine.poll_transmit(clock::now(), &mut self.packet),
            };
            let Some(transmit) = next else {
                return false;
            };
            let Some((ifindex, state)) = self.links.up(transmit.link) else {
                continue;
            };
            let to = match transmit.destination {
                Destination::Multicast => None,
                Destination::Unicast(address) => Some(address),
            };
            match self.socket.send(ifindex, state.address, to, &self.packet) {
                Sent::Yes => {
                    if let Some(quality) = &mut self.quality {
                        quality.said(transmit.link);
                    }
                }
                Sent::Later => {
                    self.unsent = Some(transmit);
                    self.chores.send = Some(now + SOCKET_BACKOFF);
                    return false;
                }
                Sent::Never(errno) => self.complain_of_sending(now, transmit.link, errno),
            }
        }
        true
    }

    /// A packet is lost, as it might have been on the way: the protocol copes.
    fn complain_of_sending(&mut self, now: Instant, link: LinkId, errno: Errno) {
        let last = self.send_complaints.get(&link);
        if last.is_none_or(|last| now.since(*last) >= COMPLAINT_GAP) {
            self.send_complaints.insert(link, now);
            let name = self.links.name(link).unwrap_or("?");
            tracing::warn!("send: {} (on {name})", errno.desc());
        }
    }
}
