//! What must hold when the network is at rest.

use super::forwarding::Forwarding;
use super::oracle::{self, Fate};
use super::world::World;
use babel_core::ext::Extension;
use babel_core::policy::SelectionPolicy;
use babel_core::prefix::RouteKey;
use std::collections::BTreeMap;

impl<X: Extension, P: SelectionPolicy<X::Attr>> World<X, P> {
    /// At rest under the stock policy: every running node has the route that Dijkstra's algorithm
    /// finds, its metric is that of the path, and packets arrive; what cannot be reached has no
    /// route.
    pub fn assert_shortest_paths(&self) {
        let used: Vec<_> = (0..self.nodes()).map(|n| self.metrics_in_use(n)).collect();
        for (key, &origin) in self.origins() {
            for (n, least) in self.least_costs(origin).into_iter().enumerate() {
                let Some(engine) = self.engine(n).filter(|_| n != origin) else {
                    continue;
                };
                assert_eq!(
                    used[n].get(key).copied(),
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

    /// The metrics of the routes that a node uses.
    fn metrics_in_use(&self, n: usize) -> BTreeMap<RouteKey, u32> {
        let routes = self.engine(n).map(|engine| engine.routes(self.now()));
        let used = routes.into_iter().flatten().filter(|route| route.installed);
        used.map(|route| (route.key, route.metric.0.into()))
            .collect()
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
