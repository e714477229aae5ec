//! One Babel interface: settings, neighbours, timers, and what waits to be sent.

use crate::auth::{Auth, Generator, LinkAuth};
use crate::config::{LinkConfig, LinkState};
use crate::prefix::RouteKey;
use crate::table::PrefixId;
use crate::time::{Instant, Interval};
use crate::timer::Alarm;
use crate::txqueue::TxQueue;
use crate::types::{LinkId, NeighbourId, SeqNo};
use crate::wire::{IPV6_UDP_LEN, MIN_PACKET_LEN};
use core::net::Ipv6Addr;
use core::time::Duration;
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use std::collections::{BTreeMap, VecDeque};

/// The largest UDP payload without jumbograms.
const MAX_PACKET_LEN: usize = 65535 - 48;

/// A link. Its state is `None` while it is down.
#[derive(Debug)]
pub(crate) struct Link<A> {
    pub(crate) id: LinkId,
    pub(crate) config: LinkConfig,
    pub(crate) state: Option<LinkState>,
    pub(crate) hello_seqno: SeqNo,
    pub(crate) hellos_sent: u32,
    /// Of the last Unicast Hello to each static neighbour.
    pub(crate) unicast_seqnos: BTreeMap<Ipv6Addr, SeqNo>,
    /// Hellos still to be sent in quick succession, for a neighbour just met.
    pub(crate) hurried_hellos: u8,
    pub(crate) hello_alarm: Alarm,
    pub(crate) update_alarm: Alarm,
    pub(crate) flush_alarm: Alarm,
    pub(crate) last_urgent_flush: Option<Instant>,
    pub(crate) last_dump: Option<Instant>,
    /// In order of appearance.
    pub(crate) neighbours: Vec<NeighbourId>,
    pub(crate) by_address: HashMap<Ipv6Addr, NeighbourId, FixedState>,
    pub(crate) queue: TxQueue,
    /// A finished packet, and those who have not got theirs yet.
    pub(crate) copies: Copies,
    /// There if, and only if, the settings ask for authentication.
    pub(crate) auth: Option<LinkAuth>,
    /// The extension's attribute as last sent, where it was not the default.
    pub(crate) sent: HashMap<PrefixId, A, FixedState>,
}

/// One packet for several neighbours, each by unicast.
#[derive(Debug, Default)]
pub(crate) struct Copies {
    pub(crate) packet: Vec<u8>,
    pub(crate) to: VecDeque<Ipv6Addr>,
}

impl<A> Link<A> {
    /// A link that is down.
    pub(crate) fn new(id: LinkId, config: LinkConfig, seed: u64) -> Self {
        let hasher = || FixedState::with_seed(seed);
        Self {
            id,
            config,
            state: None,
            hello_seqno: SeqNo(0),
            hellos_sent: 0,
            unicast_seqnos: BTreeMap::new(),
            hurried_hellos: 0,
            hello_alarm: Alarm::default(),
            update_alarm: Alarm::default(),
            flush_alarm: Alarm::default(),
            last_urgent_flush: None,
            last_dump: None,
            neighbours: Vec::new(),
            by_address: HashMap::with_hasher(hasher()),
            queue: TxQueue::default(),
            copies: Copies::default(),
            auth: None,
            sent: HashMap::with_hasher(hasher()),
        }
    }

    /// Takes the link down: what waited is dropped, timers stop. Neighbours stay until silent.
    /// Answers the prefixes of which something was still to be said.
    pub(crate) fn take_down(&mut self) -> Vec<PrefixId> {
        self.state = None;
        self.hello_alarm.clear();
        self.update_alarm.clear();
        self.flush_alarm.clear();
        self.sent.clear();
        if let Some(auth) = &mut self.auth {
            auth.take_down();
        }
        self.copies.to.clear();
        self.queue.clear()
    }

    /// Octets of the largest packet to write here (RFC 8966 §4), without what authentication will
    /// add to it (RFC 8967 §4.2).
    pub(crate) fn max_packet_len(&self) -> usize {
        self.whole_packet_len()
            .saturating_sub(self.config.auth.as_ref().map_or(0, Auth::overhead))
    }

    /// Octets of the largest packet to send here.
    pub(crate) fn whole_packet_len(&self) -> usize {
        let mtu = self
            .state
            .map_or(0, |state| state.mtu.saturating_sub(IPV6_UDP_LEN));
        usize::try_from(mtu)
            .unwrap_or(MAX_PACKET_LEN)
            .clamp(MIN_PACKET_LEN, MAX_PACKET_LEN)
    }

    /// A Hello is to be sent: to the group, and to each static neighbour.
    pub(crate) fn queue_hello(&mut self) {
        self.queue.hello = true;
        if !self.config.rfc6126_compatible {
            let to = self.config.static_neighbours.iter().copied();
            self.queue.static_hellos.extend(to);
        }
    }

    /// Whether the neighbours here may not understand a prefix, and take it for another.
    pub(crate) const fn may_not_hear_of(&self, key: &RouteKey) -> bool {
        self.config.rfc6126_compatible && key.is_source_specific()
    }

    /// The interval our Hellos promise.
    pub(crate) fn hello_interval(&self) -> Interval {
        Interval::from_duration(self.config.hello_interval)
    }

    /// The interval our IHUs promise: three Hellos (RFC 8966 appendix B).
    pub(crate) fn ihu_interval(&self) -> Interval {
        Interval::from_duration(self.config.hello_interval * 3)
    }

    /// The interval our Updates promise.
    pub(crate) fn update_interval(&self) -> Interval {
        Interval::from_duration(self.config.update_interval)
    }

    /// The longest a TLV that is not urgent may wait (RFC 8966 §3.1).
    pub(crate) fn patience(&self) -> Duration {
        (self.config.hello_interval / 2).min(Duration::from_secs(1))
    }

    /// Begins or ends authentication as the settings say. A change of keys alone changes nothing
    /// else, so that keys can be rolled.
    pub(crate) fn follow_auth(&mut self, generator: &mut Generator) {
        match self.config.auth {
            Some(_) => _ = self.auth.get_or_insert_with(|| LinkAuth::new(generator)),
            None => self.auth = None,
        }
    }

    /// Whether a reply or a challenge is due, which goes before anything else.
    pub(crate) fn owes_challenges(&mut self, now: Instant) -> bool {
        self.auth.as_mut().is_some_and(|auth| auth.owes(now))
    }

    /// Forgets senders that are no neighbours and do not become any.
    pub(crate) fn expire_auth(&mut self, now: Instant) {
        if let Some(auth) = &mut self.auth {
            auth.expire(now, |address| self.by_address.contains_key(address));
        }
    }

    /// Whether anybody is there to hear a multicast.
    pub(crate) fn has_audience(&self) -> bool {
        self.state.is_some() && !self.neighbours.is_empty()
    }
}
