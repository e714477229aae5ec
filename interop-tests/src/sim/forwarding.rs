//! What happens to a packet at each node, as the forwarding tables have it.

use babel_core::prefix::RouteKey;

/// What one node does with a packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Hop {
    /// It is the destination.
    Here,
    /// Hands it to this node.
    To(usize),
    /// No route, an unreachable route, a broken wire, or the node is down.
    Dropped,
}

/// The forwarding tables of all nodes together.
pub trait Forwarding {
    /// How many nodes there are.
    fn nodes(&self) -> usize;
    /// What `node` does with a packet for `key`.
    fn hop(&self, node: usize, key: &RouteKey) -> Hop;
}
