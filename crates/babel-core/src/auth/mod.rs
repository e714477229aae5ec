//! MAC authentication (RFC 8967, with the split packet counters of RFC 9467).
//!
//! A packet on a link with keys carries a packet counter as its last TLV and one MAC for each key
//! after its body. A receiver that does not know the sender's counter yet challenges it, so that
//! nothing recorded earlier is ever taken for new. [`Auth`] is what a link is told to do.
//!
//! Invariant: a packet without a valid MAC changes nothing but counters, and what any packet can
//! make us keep is bounded. Nothing here draws random numbers by itself ([`Entropy`] comes from
//! the caller), sends anything, or shows a key.

mod counter;
mod entropy;
mod key;
mod link;
mod mac;
mod peer;

pub use entropy::Entropy;
pub use key::{Algorithm, Key};

pub(crate) use entropy::Generator;
pub(crate) use link::{Incoming, LinkAuth};
pub(crate) use mac::Endpoints;

use crate::wire::{PORT, mac_tlv_len, pc_tlv_len};
use core::net::Ipv6Addr;

/// Keys on one link. With more, MACs would crowd out what a packet of the least size must hold.
pub const MAX_KEYS: usize = 4;

/// Babel's multicast group: the destination of most packets, which the MAC covers.
pub const GROUP: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 1, 6);

/// How a link is protected. Without a single key it neither signs nor accepts anything: what
/// asked for protection must not run without.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Auth {
    keys: Vec<LinkKey>,
    /// Sign, but accept also what is not signed well (`accept-bad-signatures`): for the time in
    /// which keys are given to one node after the other (RFC 8967 §5).
    pub accept_bad_signatures: bool,
    /// The group that packets are sent to (`protocol-group`).
    pub group: Ipv6Addr,
    /// The port at both ends (`protocol-port`).
    pub port: u16,
}

/// A key and what a link uses it for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LinkKey {
    /// The key.
    pub key: Key,
    /// What it is for.
    pub purpose: Purpose,
}

/// What a link uses a key for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Purpose {
    /// Packets are signed with it, and accepted if they are.
    #[default]
    SignAndAccept,
    /// Packets signed with it are accepted: one that comes or goes.
    AcceptOnly,
}

impl Auth {
    /// On the usual port and group. Of more than [`MAX_KEYS`] keys the first are used.
    pub fn new(keys: impl IntoIterator<Item = LinkKey>) -> Self {
        Self {
            keys: keys.into_iter().take(MAX_KEYS).collect(),
            accept_bad_signatures: false,
            group: GROUP,
            port: PORT,
        }
    }

    /// The keys.
    pub fn keys(&self) -> &[LinkKey] {
        &self.keys
    }

    /// Octets that protection adds to each packet (RFC 8967 §4.2).
    pub(crate) fn overhead(&self) -> usize {
        let macs = self.signing().map(|key| mac_tlv_len(key.mac_len()));
        macs.sum::<usize>() + pc_tlv_len(counter::INDEX_LEN)
    }

    fn signing(&self) -> impl Iterator<Item = &Key> {
        let signs = |key: &&LinkKey| key.purpose == Purpose::SignAndAccept;
        self.keys.iter().filter(signs).map(|key| &key.key)
    }
}

impl LinkKey {
    /// A key to sign with and to accept.
    pub const fn new(key: Key) -> Self {
        Self {
            key,
            purpose: Purpose::SignAndAccept,
        }
    }

    /// A key to accept but not to sign with.
    pub const fn accept_only(key: Key) -> Self {
        Self {
            key,
            purpose: Purpose::AcceptOnly,
        }
    }
}

/// Why a packet was not authentic.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum AuthFailure {
    /// No MAC TLV in its trailer.
    MissingMac,
    /// None of its MACs is made with any of our keys.
    WrongMac,
    /// Rightly signed, but without a packet counter.
    MissingPc,
    /// Rightly signed, but its sender restarted or is new to us: a challenge is on its way.
    UnknownIndex,
    /// Rightly signed, but not newer than what was heard already: replayed or reordered.
    Replayed,
    /// Rightly signed, but by one sender too many.
    TooManyPeers,
}

impl AuthFailure {
    /// All, in the order of [`AuthFailure::index`].
    pub const ALL: [Self; 6] = [
        Self::MissingMac,
        Self::WrongMac,
        Self::MissingPc,
        Self::UnknownIndex,
        Self::Replayed,
        Self::TooManyPeers,
    ];

    /// Position in [`AuthFailure::ALL`].
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The metrics label.
    pub const fn label(self) -> &'static str {
        match self {
            Self::MissingMac => "missing_mac",
            Self::WrongMac => "wrong_mac",
            Self::MissingPc => "missing_pc",
            Self::UnknownIndex => "unknown_index",
            Self::Replayed => "replayed",
            Self::TooManyPeers => "too_many_peers",
        }
    }
}
