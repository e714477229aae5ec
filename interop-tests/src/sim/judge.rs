//! What must hold when the network is at rest.

use super::forwarding::Forwarding;
use super::oracle::{self, Fate};
use super::world::World;
use babel_core::ext::Extension;
use babel_core::policy::SelectionPolicy;

impl<X: Extension, P: SelectionPolicy<X::Attr>> World<X, P> {
    /// At rest under the stock policy: every running node has the route that Dijkstra's algorithm
    /// finds, its metric is that of the path, and packets arrive; what cannot be reached has no
    /// route.
    pub fn assert_shortest_paths(&self) {
        for (key, &origin) in self.origins() {
            let least = self.least_costs(origin);
            for (n, least) in least.into_iter().enumerate() {
                let Some(engine) = self.engine(n) else {
                    continue;
                };
                if n == origin {
                    continue;
                }
                let metric = engine
                    .routes(self.now())
                    .find(|route| route.installed && route.key == *key)
                    .map(|route| u32::from(route.metric.0));
                assert_eq!(
                    metric,
                    least,
                    "metric at node {n} for {key} of node {origin} at {:?}: {:#?}",
                    self.now(),
                    engine.explain(self.now(), key)
                );
                let arrives = matches!(oracle::walk(self, n, key), Fate::Delivered(_));
                assert_eq!(arrives, least.is_some(), "packets from {n} for {key}");
            }
        }
    }

    /// Every running node that has a way to a prefix over working wires has a route that arrives.
    pub fn assert_all_reachable(&self) {
        for (key, &origin) in self.origins() {
            let way = self.least_costs(origin);
            for n in (0..self.nodes()).filter(|&n| way[n].is_some()) {
                let fate = oracle::walk(self, n, key);
                assert!(
                    matches!(fate, Fate::Delivered(_)),
                    "node {n} to {key} of node {origin} at {:?}: {fate:?}",
                    self.now()
                );
            }
        }
    }

    /// Whatever the state: what is in use is finite, feasible and eligible.
    pub fn assert_only_legal_routes(&self) {
        for engine in (0..self.nodes()).filter_map(|n| self.engine(n)) {
            for route in engine.routes(self.now()).filter(|route| route.installed) {
                let legal = route.feasible && route.eligible && !route.metric.is_infinite();
                assert!(legal, "in use at {:?}: {route:#?}", self.now());
            }
        }
    }

    /// The least cost to a running `origin` over nodes that run and wires that work.
    fn least_costs(&self, origin: usize) -> Vec<Option<u32>> {
        let mut running = self.topology().clone();
        for link in &mut running.links {
            link.ends.retain(|&n| self.engine(n).is_some());
        }
        let mut least = oracle::dijkstra(&running, origin, |wire| self.wire_works(wire));
        if self.engine(origin).is_none() {
            least.fill(None);
        }
        least
    }
}
