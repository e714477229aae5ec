//! The ranks that a policy decides by: an unchanging picture of what the ranker knew.

use crate::by_prefix::longest_first;
use crate::estimate::Estimate;
use babel_core::prefix::Prefix;
use babel_core::types::LinkId;
use core::net::Ipv6Addr;

/// For each neighbour, what is known of it by scope. Two are equal if every route would be
/// chosen alike by them.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Ranks {
    /// Sorted by link and address.
    neighbours: Vec<NeighbourRanks>,
}

/// What is known of one neighbour.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct NeighbourRanks {
    pub(crate) link: LinkId,
    pub(crate) address: Ipv6Addr,
    /// What is sent to it does not come back: failing, whatever was measured.
    pub(crate) black_hole: bool,
    /// Longest scope first, the one for all destinations last.
    pub(crate) estimates: Vec<Estimate>,
}

impl NeighbourRanks {
    fn party(&self) -> (LinkId, Ipv6Addr) {
        (self.link, self.address)
    }
}

impl Ranks {
    pub(crate) fn new(mut neighbours: Vec<NeighbourRanks>) -> Self {
        for neighbour in &mut neighbours {
            neighbour
                .estimates
                .sort_by_key(|estimate| longest_first(estimate.scope));
        }
        neighbours.sort_by_key(NeighbourRanks::party);
        Self { neighbours }
    }

    /// Whether nothing is known of anybody.
    pub fn is_empty(&self) -> bool {
        self.neighbours.is_empty()
    }

    /// The neighbours of which one knows other things than the other.
    pub fn changed_peers(&self, other: &Self) -> Vec<(LinkId, Ipv6Addr)> {
        let unlike = |one: &Self, two: &Self| {
            let changed = one.neighbours.iter().filter(|neighbour| {
                two.neighbour(neighbour.link, neighbour.address) != Some(*neighbour)
            });
            changed.map(NeighbourRanks::party).collect::<Vec<_>>()
        };
        let mut changed = unlike(self, other);
        changed.extend(unlike(other, self));
        changed.sort_unstable();
        changed.dedup();
        changed
    }

    /// What is known of a neighbour.
    pub(crate) fn neighbour(&self, link: LinkId, address: Ipv6Addr) -> Option<&NeighbourRanks> {
        self.at(self.place(link, address)?)
    }

    /// Where a neighbour stands in the picture.
    pub(crate) fn place(&self, link: LinkId, address: Ipv6Addr) -> Option<usize> {
        let party = (link, address);
        let found = self
            .neighbours
            .binary_search_by_key(&party, NeighbourRanks::party);
        found.ok()
    }

    pub(crate) fn at(&self, place: usize) -> Option<&NeighbourRanks> {
        self.neighbours.get(place)
    }
}

impl NeighbourRanks {
    /// The most specific estimate that covers a destination, and its place.
    pub(crate) fn estimate(&self, destination: &Prefix) -> Option<(usize, &Estimate)> {
        let covers =
            |estimate: &Estimate| estimate.scope.is_none_or(|scope| scope.covers(destination));
        let mut all = self.estimates.iter().enumerate();
        all.find(|(_, estimate)| covers(estimate))
    }
}
