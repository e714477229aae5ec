//! How the neighbours that are there stand: what is known of them, and of whom nothing is.

use super::LinkNames;
use crate::node::Node;
use qos_ranker::{Peer, Pinned, Source, Standing, rank_among};
use std::collections::BTreeSet;

/// How the neighbours that are there stand, where they are ranked: also those of which nothing is
/// known, and none that has gone, though it is remembered.
pub(crate) fn all(node: &dyn Node) -> Vec<Standing> {
    let mut all = node.quality();
    let names = LinkNames::of(&node.interfaces());
    let peers = node.engine().neighbours(node.now()).map(|view| Peer {
        interface: names.get(view.link).to_owned(),
        address: view.address,
    });
    let peers: BTreeSet<Peer> = peers.collect();
    all.retain(|one| peers.contains(&one.peer));
    rank_among(&mut all);
    if node.engine().policy().ranking() {
        let known: BTreeSet<Peer> = all
            .iter()
            .filter(|one| one.scope.is_none() && ranks(one))
            .map(|one| one.peer.clone())
            .collect();
        all.extend(peers.difference(&known).cloned().map(Standing::unmeasured));
    }
    all.sort_by(|one, other| one.peer.cmp(&other.peer));
    all
}

/// Whether a standing is one that ranks its neighbour: no link test, and none that did not
/// surely go through it.
pub(crate) fn ranks(standing: &Standing) -> bool {
    let source = standing.source.as_ref();
    source.is_none_or(Source::ranks) && standing.pinned != Some(Pinned::No)
}
