//! The tests that run: who is in whose way.

use super::PeerState;
use crate::report::Peer;
use babel_core::time::Instant;

/// One test.
#[derive(Clone, Debug)]
pub(super) struct Running {
    pub(super) peer: Peer,
    pub(super) target: String,
    pub(super) since: Instant,
    /// Set aside of the target's budget.
    pub(super) reserved: u64,
}

/// All that this schedule started.
#[derive(Clone, Debug, Default)]
pub(super) struct Occupancy {
    tests: Vec<Running>,
}

impl Occupancy {
    pub(super) fn add(&mut self, test: Running) {
        self.tests.push(test);
    }

    /// Takes out a test that ended.
    pub(super) fn remove(&mut self, peer: &Peer, target: &str) -> Option<Running> {
        let is_it = |one: &Running| &one.peer == peer && one.target == target;
        let at = self.tests.iter().position(is_it)?;
        Some(self.tests.swap_remove(at))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Running> {
        self.tests.iter()
    }

    /// Whether a test uses this interface, ours or another.
    pub(super) fn is_used(&self, peers: &[PeerState], interface: &str) -> bool {
        let ours = self.tests.iter().map(|one| &one.peer);
        ours.chain(others(peers))
            .any(|peer| peer.interface == interface)
    }

    /// Links with tests, ours and others.
    pub(super) fn links(&self, peers: &[PeerState]) -> usize {
        let ours = self.tests.iter().map(|one| &one.peer);
        let mut links: Vec<&str> = ours
            .chain(others(peers))
            .map(|peer| peer.interface.as_str())
            .collect();
        links.sort_unstable();
        links.dedup();
        links.len()
    }
}

fn others(peers: &[PeerState]) -> impl Iterator<Item = &Peer> {
    peers.iter().filter(|one| one.testing).map(|one| &one.peer)
}
