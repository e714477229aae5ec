//! Measurements in the network: each node has a ranker of its own, as each daemon has.

use super::world::World;
use babel_core::prefix::Prefix;
use babel_core::types::{LinkId, NeighbourId};
use babel_price_tlv::PriceExtension;
use core::time::Duration;
use qos_ranker::{Peer, QosPolicy, Quality, Ranker, Ranks, Rate, Report, Source};

/// A network whose nodes rank their neighbours.
pub type Ranked = World<PriceExtension, QosPolicy>;

/// The rankers of all nodes.
#[derive(Debug, Default)]
pub struct Rankers {
    nodes: Vec<(Ranker, Ranks)>,
}

/// Quality as a test finds it: a rate both ways.
pub fn rate(bps: u64) -> Quality {
    Quality {
        download: Some(Rate::from_bps(bps)),
        upload: Some(Rate::from_bps(bps)),
        ..Quality::default()
    }
}

impl Rankers {
    /// Nothing measured yet.
    pub fn new(nodes: usize) -> Self {
        Self {
            nodes: vec![Default::default(); nodes],
        }
    }

    /// Node `n` has measured, through the neighbour at the other end of a wire.
    pub fn measure(
        &mut self,
        world: &mut Ranked,
        n: usize,
        wire: usize,
        scope: Option<Prefix>,
        quality: Quality,
    ) {
        let mut others = world.topology().links[wire].others(n);
        let other = others.next().expect("a wire has two ends");
        drop(others);
        let report = Report {
            peer: Peer {
                interface: format!("wire{wire}"),
                address: world.address(other, wire),
            },
            scope,
            source: Source::Outside,
            quality,
            valid: Duration::from_secs(100_000),
            pinned: None,
        };
        let (ranker, _) = &mut self.nodes[n];
        ranker.record(world.now(), &report);
        self.publish(world, n);
    }

    /// The node's policy sees what its ranker knows now; only what changed is judged again.
    fn publish(&mut self, world: &mut Ranked, n: usize) {
        let (ranker, known) = &mut self.nodes[n];
        let ranks = ranker.ranks(world.now(), &link_of);
        let changed = known.changed_peers(&ranks);
        if changed.is_empty() {
            return;
        }
        *known = ranks.clone();
        world.change(n, |engine, now| {
            let all: Vec<NeighbourId> = engine
                .neighbours(now)
                .filter(|view| changed.contains(&(view.link, view.address)))
                .map(|view| view.id)
                .collect();
            engine.update_policy_of(now, &all, |policy| policy.set_ranks(ranks));
        });
    }

    /// Lets time pass, while what was measured ages.
    pub fn run(&mut self, world: &mut Ranked, duration: Duration) {
        let end = world.now() + duration;
        loop {
            let due = self.nodes.iter().zip(0..);
            let due = due.filter_map(|((ranker, _), n)| Some((ranker.next_change()?, n)));
            let Some((at, n)) = due.min().filter(|(at, _)| *at < end) else {
                break;
            };
            world.run(at.since(world.now()));
            self.publish(world, n);
        }
        world.run(end.since(world.now()));
    }
}

fn link_of(name: &str) -> Option<LinkId> {
    let wire: u32 = name.strip_prefix("wire")?.parse().ok()?;
    Some(LinkId(wire + 1))
}
