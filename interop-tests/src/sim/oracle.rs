//! What must hold, whatever the protocol does: judged from the outside.

use super::forwarding::{Forwarding, Hop};
use super::topology::Topology;
use babel_core::prefix::RouteKey;
use core::cmp::Reverse;
use std::collections::BinaryHeap;

/// Where a packet ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Fate {
    /// At its destination, by way of these nodes.
    Delivered(Vec<usize>),
    /// Nowhere, after these nodes.
    Dropped(Vec<usize>),
    /// Never: it came back to the last of these nodes.
    Loop(Vec<usize>),
}

/// Follows the next hops for `key` from `start`.
pub fn walk(forwarding: &impl Forwarding, start: usize, key: &RouteKey) -> Fate {
    let mut path = vec![start];
    let mut at = start;
    loop {
        match forwarding.hop(at, key) {
            Hop::Here => return Fate::Delivered(path),
            Hop::Dropped => return Fate::Dropped(path),
            Hop::To(next) => {
                let seen = path.contains(&next);
                path.push(next);
                if seen {
                    return Fate::Loop(path);
                }
                at = next;
            }
        }
    }
}

/// The first forwarding loop for `key`, from wherever it can be entered.
pub fn find_loop(forwarding: &impl Forwarding, key: &RouteKey) -> Option<Vec<usize>> {
    (0..forwarding.nodes()).find_map(|start| match walk(forwarding, start, key) {
        Fate::Loop(path) => Some(path),
        Fate::Delivered(_) | Fate::Dropped(_) => None,
    })
}

/// The least cost from every node to `origin` over the wires that `usable` admits; `None` where
/// there is no way.
pub fn dijkstra(
    topology: &Topology,
    origin: usize,
    usable: impl Fn(usize) -> bool,
) -> Vec<Option<u32>> {
    let mut least: Vec<Option<u32>> = vec![None; topology.nodes];
    let mut queue = BinaryHeap::from([Reverse((0u32, origin))]);
    while let Some(Reverse((cost, node))) = queue.pop() {
        if least[node].is_some() {
            continue;
        }
        least[node] = Some(cost);
        let wires = topology.links.iter().enumerate();
        for (_, link) in wires.filter(|&(wire, _)| usable(wire)) {
            if link.ends.contains(&node) {
                let next = cost + u32::from(link.cost);
                queue.extend(link.others(node).map(|other| Reverse((next, other))));
            }
        }
    }
    least
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Table(Vec<Hop>);

    impl Forwarding for Table {
        fn nodes(&self) -> usize {
            self.0.len()
        }
        fn hop(&self, node: usize, _: &RouteKey) -> Hop {
            self.0[node]
        }
    }

    fn key() -> RouteKey {
        RouteKey::new("::/0".parse().expect("a prefix"))
    }

    #[test]
    fn a_loop_is_found_even_if_no_packet_starts_in_it() {
        let looping = Table(vec![Hop::To(1), Hop::To(2), Hop::To(1), Hop::Here]);
        assert_eq!(find_loop(&looping, &key()), Some(vec![0, 1, 2, 1]));
        assert_eq!(walk(&looping, 3, &key()), Fate::Delivered(vec![3]));
    }

    #[test]
    fn a_dead_end_is_no_loop() {
        let dead_end = Table(vec![Hop::To(1), Hop::Dropped, Hop::To(0)]);
        assert_eq!(find_loop(&dead_end, &key()), None);
        assert_eq!(walk(&dead_end, 2, &key()), Fate::Dropped(vec![2, 0, 1]));
    }

    #[test]
    fn the_least_cost_goes_round_a_broken_wire() {
        let diamond = Topology::diamond();
        let whole = dijkstra(&diamond, 3, |_| true);
        assert_eq!(whole, [Some(192), Some(96), Some(128), Some(0)]);
        let broken = dijkstra(&diamond, 3, |wire| wire != 2);
        assert_eq!(broken, [Some(256), Some(352), Some(128), Some(0)]);
        let alone = dijkstra(&diamond, 3, |_| false);
        assert_eq!(alone, [None, None, None, Some(0)]);
    }
}
