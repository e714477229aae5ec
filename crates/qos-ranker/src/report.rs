//! What is told to the ranker: who was measured, for which destinations, by whom, with what result.

use crate::measurement::Quality;
use babel_core::prefix::Prefix;
use core::fmt;
use core::net::Ipv6Addr;
use core::time::Duration;

/// A neighbour, named by what survives a restart.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Peer {
    /// The interface's name.
    pub interface: String,
    /// The neighbour's link-local address.
    pub address: Ipv6Addr,
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%{}", self.address, self.interface)
    }
}

/// Where a measurement comes from.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Source {
    /// `measure` on the control socket.
    Outside,
    /// A test against the `speedtest-target` of this name.
    Target(String),
    /// A test against the neighbour itself, by the target of this name. It is shown and does not
    /// rank: a fast link says nothing of the uplink behind it.
    Link(String),
}

impl Source {
    /// Whether its measurements rank the neighbour.
    pub const fn ranks(&self) -> bool {
        !matches!(self, Self::Link(_))
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Outside => f.write_str("outside"),
            Self::Target(name) => write!(f, "target {name}"),
            Self::Link(name) => write!(f, "link test {name}"),
        }
    }
}

/// Which directions of a test surely went through the neighbour.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Pinned {
    /// Both.
    Both,
    /// What we sent; what came back came by the far side's choice.
    Upload,
    /// Neither. Such a test is shown and does not rank.
    No,
}

impl Pinned {
    /// In words: `both`, `upload`, `no`.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Both => "both",
            Self::Upload => "upload",
            Self::No => "no",
        }
    }
}

impl fmt::Display for Pinned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}

/// One measurement of the way through one neighbour.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Report {
    /// Through whom.
    pub peer: Peer,
    /// It speaks for destinations inside this; `None`: for all.
    pub scope: Option<Prefix>,
    /// Who measured.
    pub source: Source,
    /// What came out; components that were not measured are absent.
    pub quality: Quality,
    /// How long it may be believed.
    pub valid: Duration,
    /// How much of it surely went through the neighbour; `None`: its source does not say.
    pub pinned: Option<Pinned>,
}

impl Report {
    /// Whether it ranks the neighbour: what did not surely go through it must not.
    pub fn ranks(&self) -> bool {
        self.source.ranks() && self.pinned != Some(Pinned::No)
    }
}
