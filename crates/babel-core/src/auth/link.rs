//! Authentication on one link: which packets pass, whom to challenge, what to reply.
//!
//! State is kept only for senders whose MACs are right, up to a limit.

use super::counter::Counter;
use super::entropy::Generator;
use super::mac::{self, Endpoints};
use super::peer::{Echo, Nonce, Peer};
use super::{Auth, AuthFailure};
use crate::time::Instant;
use crate::wire::{self, Tlv};
use core::net::Ipv6Addr;
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use std::collections::BTreeSet;

/// The state of a link with keys.
#[derive(Debug)]
pub(crate) struct LinkAuth {
    counter: Counter,
    peers: HashMap<Ipv6Addr, Peer, FixedState>,
    /// Who is to get a reply or a challenge, and when.
    outbox: BTreeSet<(Instant, Ipv6Addr)>,
}

/// A packet that arrived.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Incoming<'a> {
    pub(crate) endpoints: Endpoints,
    pub(crate) multicast: bool,
    /// Header and body.
    pub(crate) signed: &'a [u8],
    pub(crate) trailer: &'a [u8],
}

/// What is to be sent to one address.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) to: Ipv6Addr,
    pub(crate) reply: Option<Echo>,
    pub(crate) challenge: Option<Nonce>,
}

impl LinkAuth {
    /// A fresh index, and nobody known.
    pub(crate) fn new(generator: &mut Generator) -> Self {
        let seed = u64::from_be_bytes(generator.draw());
        Self {
            counter: Counter::new(generator),
            peers: HashMap::with_hasher(FixedState::with_seed(seed)),
            outbox: BTreeSet::new(),
        }
    }

    /// Whether a packet is authentic and new (RFC 8967 §4.3). Notes replies and challenges to be
    /// sent; see [`Self::due`].
    pub(crate) fn receive(
        &mut self,
        now: Instant,
        auth: &Auth,
        packet: &Incoming<'_>,
        generator: &mut Generator,
        max_peers: usize,
    ) -> Result<(), AuthFailure> {
        mac::verify(auth, &packet.endpoints, packet.signed, packet.trailer)?;
        let source = packet.endpoints.source;
        if self.peers.len() >= max_peers && !self.peers.contains_key(&source) {
            return Err(AuthFailure::TooManyPeers);
        }
        let peer = self.peers.entry(source).or_default();
        let (mut pair, mut request, mut answered) = (None, None, false);
        for tlv in wire::auth_tlvs(packet.signed) {
            match tlv {
                // The first PC counts (RFC 8967 §4.3).
                Tlv::Pc { counter, index } => _ = pair.get_or_insert((counter, index)),
                Tlv::ChallengeRequest { nonce } => request = Some(nonce),
                Tlv::ChallengeReply { nonce } => answered |= peer.expects(now, nonce),
                _ => {}
            }
        }
        // §4.3.1.2: a challenge to the group is ignored.
        if let Some(nonce) = request.filter(|_| !packet.multicast) {
            let due = peer.challenged(now, nonce);
            self.outbox.insert((due, source));
        }
        let Some((pc, index)) = pair else {
            return Err(AuthFailure::MissingPc);
        };
        if answered {
            peer.verified(now, index, pc);
            return Ok(());
        }
        let outcome = peer.accepts(now, index, pc, packet.multicast);
        if outcome == Err(AuthFailure::UnknownIndex) && peer.challenge(now, generator) {
            self.outbox.insert((now, source));
        }
        outcome
    }

    /// Forgets a sender that is no neighbour any more (RFC 8967 §4.4).
    pub(crate) fn forget(&mut self, address: &Ipv6Addr) {
        self.peers.remove(address);
    }

    /// Forgets what has expired; `is_neighbour` tells who may stay.
    pub(crate) fn expire(&mut self, now: Instant, is_neighbour: impl Fn(&Ipv6Addr) -> bool) {
        self.peers
            .retain(|address, peer| peer.expire(now, is_neighbour(address)));
    }

    /// The link is down: nothing is sent or awaited. Our counter goes on.
    pub(crate) fn take_down(&mut self) {
        self.outbox.clear();
        self.peers.values_mut().for_each(Peer::calm);
    }

    /// The next reply or challenge that is due.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<Outgoing> {
        if !self.owes(now) {
            return None;
        }
        let (_, to) = self.outbox.pop_first()?;
        let peer = self.peers.get_mut(&to)?;
        Some(Outgoing {
            to,
            reply: peer.take_reply(now),
            challenge: peer.take_challenge(),
        })
    }

    /// Whether [`Self::pop_due`] has something now.
    pub(crate) fn owes(&mut self, now: Instant) -> bool {
        while let Some((_, to)) = self.outbox.first().filter(|(due, _)| *due <= now) {
            if self.peers.get(to).is_some_and(|peer| peer.owes(now)) {
                return true;
            }
            self.outbox.pop_first();
        }
        false
    }

    /// When [`Self::pop_due`] has something next.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.outbox.first().map(|(due, _)| *due)
    }

    /// Finishes a packet: PC TLV last in the body, MACs after it (RFC 8967 §4.2). Room for both
    /// was left; see [`Auth::overhead`].
    pub(crate) fn seal(
        &mut self,
        auth: &Auth,
        endpoints: &Endpoints,
        generator: &mut Generator,
        packet: &mut Vec<u8>,
    ) {
        let (pc, index) = self.counter.next(generator);
        wire::append_pc_tlv(packet, pc, &index);
        mac::sign(auth, endpoints, packet);
    }
}
