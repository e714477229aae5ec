//! What the tables and counters say at the moment of a scrape: plain numbers, no names.

use crate::local::{Identity, LinkNames, LocalCounters, standing};
use crate::node::{InterfaceView, KernelCounters, Node, TestCounters};
use babel_core::view::{Counters, NeighbourView, RouteCounts};
use qos_ranker::Standing;
use std::time::SystemTime;

/// Neighbours with series of their own. More are counted and left out: what strangers on a link
/// send must not decide how much a Prometheus server stores.
pub const MAX_NEIGHBOURS: usize = 1024;

/// Where the numbers come from.
#[derive(Clone, Copy)]
pub struct Sources<'a> {
    /// The node.
    pub node: &'a dyn Node,
    /// Who it is.
    pub identity: &'a Identity,
    /// What the control sockets did, and how many clients they have now.
    pub local: (LocalCounters, usize),
    /// When this process began.
    pub started: SystemTime,
}

impl std::fmt::Debug for Sources<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sources")
            .field("identity", self.identity)
            .finish_non_exhaustive()
    }
}

/// All numbers of one scrape.
#[derive(Clone, PartialEq, Debug)]
pub struct Numbers {
    /// Who this node is.
    pub identity: Identity,
    /// Interfaces, in order of configuration.
    pub interfaces: Vec<InterfaceView>,
    /// Up to [`MAX_NEIGHBOURS`] neighbours with the names of their interfaces, oldest first.
    pub neighbours: Vec<(String, NeighbourView)>,
    /// All neighbours.
    pub neighbour_count: usize,
    /// How up to [`MAX_NEIGHBOURS`] neighbours stand for all destinations.
    pub standings: Vec<Standing>,
    /// What speed tests did.
    pub tests: TestCounters,
    /// Routes by state.
    pub routes: RouteCounts,
    /// Routes of our own.
    pub xroutes: usize,
    /// The engine's counters.
    pub counters: Counters,
    /// The kernel side's counters.
    pub kernel: KernelCounters,
    /// The control sockets' counters.
    pub local: LocalCounters,
    /// Clients of the control sockets now.
    pub local_clients: usize,
    /// When this process began, in seconds since 1970.
    pub started_seconds: f64,
}

impl Numbers {
    /// Copies them.
    pub fn of(sources: &Sources<'_>) -> Self {
        let Sources {
            node,
            identity,
            local: (local, local_clients),
            started,
        } = *sources;
        let (engine, interfaces) = (node.engine(), node.interfaces());
        let names = LinkNames::of(&interfaces);
        let mut neighbours: Vec<NeighbourView> = engine.neighbours(node.now()).collect();
        let neighbour_count = neighbours.len();
        // Oldest first: a flood of new ones does not push out those that were there before.
        neighbours.sort_by_key(|neighbour| neighbour.id);
        neighbours.truncate(MAX_NEIGHBOURS);
        Self {
            identity: identity.clone(),
            neighbours: neighbours
                .into_iter()
                .map(|view| (names.get(view.link).to_owned(), view))
                .collect(),
            interfaces,
            neighbour_count,
            standings: standings(node),
            tests: node.test_counters(),
            routes: engine.route_counts(),
            xroutes: engine.xroutes().count(),
            counters: engine.counters().clone(),
            kernel: node.kernel_counters(),
            local,
            local_clients,
            started_seconds: started
                .duration_since(SystemTime::UNIX_EPOCH)
                .unwrap_or_default()
                .as_secs_f64(),
        }
    }
}

/// One for each neighbour: not what is known for one prefix or of a link alone.
fn standings(node: &dyn Node) -> Vec<Standing> {
    let mut all = standing::all(node);
    all.retain(|one| one.scope.is_none() && standing::ranks(one));
    // Two of one neighbour would make the whole scrape invalid.
    all.dedup_by(|one, other| one.peer == other.peer);
    all.truncate(MAX_NEIGHBOURS);
    all
}
