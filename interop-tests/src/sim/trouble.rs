//! What befalls the network from outside.

use super::lie::Lie;
use super::medium::Medium;
use super::node::{self, Node};
use super::world::World;
use babel_core::Engine;
use babel_core::config::LinkConfig;
use babel_core::event::Event;
use babel_core::ext::Extension;
use babel_core::policy::SelectionPolicy;
use babel_core::prefix::RouteKey;
use babel_core::time::Instant;
use babel_core::types::SeqNo;

impl<X: Extension, P: SelectionPolicy<X::Attr>> World<X, P> {
    /// Starts a node that is down, with empty tables and a seqno of its own.
    pub fn start(&mut self, n: usize) {
        let (extension, policy) = (self.plugins)(n);
        let seed = self.rng.u64(..);
        let config = self.settings.node(n, seed, SeqNo(self.rng.u16(..)));
        let mut engine = Engine::new(config, extension, policy);
        engine.set_notify(true);
        self.nodes[n].engine = Some(engine);
        for (key, xroute) in node::announces(n) {
            self.tell(n, Event::XRouteUp { key, xroute });
        }
        for wire in self.wires_of(n) {
            if self.wires[wire].up {
                self.link_up(n, wire);
            }
        }
    }

    /// Stops a node without a word to anyone. Its kernel forgets its routes.
    pub fn crash(&mut self, n: usize) {
        let before = self.traffic().requests;
        self.nodes[n] = Node::down();
        self.traffic.requests += before - self.traffic().requests;
    }

    /// Stops a node in good order: it takes its routes back and says goodbye.
    pub fn shut_down(&mut self, n: usize) {
        self.tell(n, Event::Shutdown);
        self.crash(n);
    }

    /// A node announces a prefix no longer, or again.
    pub fn set_announced(&mut self, key: RouteKey, announced: bool) {
        let Some(&n) = self.origins.get(&key) else {
            return;
        };
        let xroute = node::announces(n).into_iter().find(|(k, _)| *k == key);
        match xroute.filter(|_| announced) {
            Some((key, xroute)) => self.tell(n, Event::XRouteUp { key, xroute }),
            None => self.tell(n, Event::XRouteDown { key }),
        }
    }

    /// A prefix is nobody's any more, for good.
    pub fn withdraw(&mut self, key: RouteKey) {
        self.set_announced(key, false);
        self.origins.remove(&key);
    }

    /// Takes a wire down; both ends notice.
    pub fn wire_down(&mut self, wire: usize) {
        self.wires[wire].up = false;
        let link = node::link_id(wire);
        for n in self.topology.links[wire].ends.clone() {
            self.tell(n, Event::LinkDown { link });
        }
    }

    /// Puts a wire up again.
    pub fn wire_up(&mut self, wire: usize) {
        self.wires[wire].up = true;
        self.judge_all();
        for n in self.topology.links[wire].ends.clone() {
            self.link_up(n, wire);
        }
    }

    /// Cuts a wire, or mends it, without either end noticing.
    pub fn set_whole(&mut self, wire: usize, whole: bool) {
        self.wires[wire].whole = whole;
        self.judge_all();
    }

    /// Changes the nominal cost of a wire at both ends.
    pub fn set_cost(&mut self, wire: usize, cost: u16) {
        self.topology.links[wire].cost = cost;
        if self.wires[wire].up {
            self.wire_up(wire);
        }
    }

    /// A node tells lies from now on.
    pub fn set_liar(&mut self, n: usize, lie: Lie) {
        self.liars.insert(n, lie);
    }

    /// Changes the settings of a node's end of a wire.
    pub fn configure(&mut self, n: usize, wire: usize, change: impl FnOnce(&mut LinkConfig)) {
        let mut config = self.settings.link(wire, self.topology.links[wire].cost);
        change(&mut config);
        let (link, state) = (node::link_id(wire), node::link_state(n, wire));
        self.tell(
            n,
            Event::LinkUp {
                link,
                config,
                state,
            },
        );
    }

    /// Changes what one wire does to packets.
    pub fn set_medium_of(&mut self, wire: usize, medium: Medium) {
        self.topology.links[wire].medium = medium;
    }

    /// Changes what all wires do to packets.
    pub fn set_medium(&mut self, medium: Medium) {
        let links = self.topology.links.iter_mut();
        links.for_each(|link| link.medium = medium);
    }

    /// Changes a node's extension or policy, if it is running.
    pub fn change(&mut self, n: usize, change: impl FnOnce(&mut Engine<X, P>, Instant)) {
        let now = self.now;
        if let Some(engine) = &mut self.nodes[n].engine {
            change(engine, now);
            self.drain(n);
        }
    }
}
