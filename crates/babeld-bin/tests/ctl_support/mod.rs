//! A node with a real engine and neighbours that are engines too, no kernel, and a main loop that
//! serves its control socket: what the tests of the socket and of `babelctl` talk to.

#![allow(dead_code, reason = "each test program uses its part")]

pub(crate) mod program;

use babel_core::Engine;
use babel_core::config::{Config, Limits, LinkConfig, LinkState};
use babel_core::event::{Change, Event, XRoute};
use babel_core::ext::Origin;
use babel_core::filter::Filters;
use babel_core::prefix::RouteKey;
use babel_core::time::Instant;
use babel_core::types::{LinkId, Metric, RouterId, SeqNo};
use babel_price_tlv::{Price, PriceExtension};
use babeld::local::{Access, Address, Endpoint, Identity, Server};
use babeld::node::{
    InterfaceView, KernelCounters, Node, NodeEngine, Refused, TestCounters, TestView,
};
use qos_ranker::{Goals, QosPolicy, Ranker, Report, Standing};
use std::collections::VecDeque;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::task::LocalSet;

/// A neighbour's settings.
#[derive(Clone)]
pub(crate) struct Peer {
    /// The link's cost.
    pub(crate) rxcost: u16,
    /// Its fee, if it prices.
    pub(crate) fee: Option<u32>,
    /// What it announces, and at which metric.
    pub(crate) prefixes: Vec<(RouteKey, u16)>,
}

/// The node under test.
pub(crate) struct TestNode {
    engine: NodeEngine,
    peers: Vec<NodeEngine>,
    now: Instant,
    interfaces: Vec<InterfaceView>,
    /// What was executed.
    pub(crate) statements: Vec<String>,
    /// What it knows of its neighbours' quality.
    pub(crate) standings: Vec<Standing>,
    /// Its speed tests; the first of those to come begins with `speedtest`.
    pub(crate) tests: Vec<TestView>,
    /// What the first of `tests` becomes, one with each question.
    pub(crate) to_come: VecDeque<TestView>,
    /// What its speed tests did.
    pub(crate) test_counters: TestCounters,
}

fn engine(seed: u8, prices: bool, fee: Option<u32>) -> NodeEngine {
    let mut extension = PriceExtension::new();
    extension.set_enabled(prices);
    if let Some(fee) = fee {
        extension.set_fee(Price::new(fee).expect("a price"));
    }
    let config = Config {
        router_id: RouterId([2, 0, 0, 0, 0, 0, 0, seed]),
        seqno: SeqNo(7),
        smoothing_half_life: Duration::from_secs(4),
        filters: Filters::default(),
        limits: Limits::default(),
        seed: u64::from(seed),
        entropy: babel_core::auth::Entropy::new([seed; 32]),
    };
    Engine::new(config, extension, QosPolicy::default())
}

fn address(seed: usize) -> Ipv6Addr {
    Ipv6Addr::new(
        0xFE80,
        0,
        0,
        0,
        0,
        0,
        0,
        u16::try_from(seed).expect("small"),
    )
}

fn up(link: u32, rxcost: u16, address: Ipv6Addr) -> Event<'static> {
    Event::LinkUp {
        link: LinkId(link),
        config: LinkConfig {
            rxcost: Metric(rxcost),
            ..LinkConfig::new(format!("eth{}", link - 1))
        },
        state: LinkState {
            address,
            ipv4: Some(Ipv4Addr::new(192, 0, 2, 1)),
            mtu: 1500,
        },
    }
}

impl TestNode {
    /// A node and its neighbours, each on a link of its own, after `warmup` of protocol time.
    pub(crate) fn new(prices: bool, peers: &[Peer], warmup: Duration) -> Self {
        let mut node = Self {
            engine: engine(1, prices, None),
            peers: Vec::new(),
            now: Instant::from_micros(1_000_000),
            interfaces: Vec::new(),
            statements: Vec::new(),
            standings: Vec::new(),
            tests: Vec::new(),
            to_come: VecDeque::new(),
            test_counters: TestCounters::default(),
        };
        for (index, peer) in peers.iter().enumerate() {
            let link = u32::try_from(index + 1).expect("small");
            node.engine
                .handle_event(node.now, up(link, peer.rxcost, address(1)));
            let seed = u8::try_from(index + 2).expect("small");
            let mut other = engine(seed, peer.fee.is_some(), peer.fee);
            other.handle_event(node.now, up(1, peer.rxcost, address(index + 2)));
            for (key, metric) in &peer.prefixes {
                let xroute = XRoute {
                    metric: Metric(*metric),
                    origin: Origin::Redistributed,
                    price: None,
                    only: None,
                };
                other.handle_event(node.now, Event::XRouteUp { key: *key, xroute });
            }
            node.peers.push(other);
            node.interfaces.push(InterfaceView {
                link: LinkId(link),
                name: format!("eth{index}"),
                up: true,
                ipv6: Some(address(1)),
                ipv4: Some(Ipv4Addr::new(192, 0, 2, 1)),
                down_reason: None,
            });
        }
        node.interfaces.push(InterfaceView {
            link: LinkId(99),
            name: "wlan0".into(),
            up: false,
            ipv6: None,
            ipv4: None,
            down_reason: Some("no such interface".into()),
        });
        node.run(warmup);
        node
    }

    /// One neighbour that announces `count` prefixes.
    pub(crate) fn with_prefixes(count: u32) -> Self {
        let prefixes = (0..count)
            .map(|n| {
                let [_, a, b, c] = n.to_be_bytes();
                let prefix = format!("2001:db8:{a:x}:{:x}::/64", u16::from_be_bytes([b, c]));
                (RouteKey::new(prefix.parse().expect("a prefix")), 0)
            })
            .collect();
        let peer = Peer {
            rxcost: 96,
            fee: None,
            prefixes,
        };
        Self::new(false, &[peer], Duration::from_secs(25))
    }

    /// An own route.
    pub(crate) fn announce(&mut self, prefix: &str) {
        let xroute = XRoute {
            metric: Metric::ZERO,
            origin: Origin::Local,
            price: None,
            only: None,
        };
        let key = RouteKey::new(prefix.parse().expect("a prefix"));
        self.engine
            .handle_event(self.now, Event::XRouteUp { key, xroute });
    }

    /// Lets the protocol run for `span`.
    pub(crate) fn run(&mut self, span: Duration) {
        let end = self.now + span;
        let mut packet = Vec::new();
        let mut changes = Vec::new();
        while self.now < end {
            self.now = self.now + Duration::from_millis(50);
            self.engine.handle_timeout(self.now);
            for (index, peer) in self.peers.iter_mut().enumerate() {
                let link = LinkId(u32::try_from(index + 1).expect("small"));
                peer.handle_timeout(self.now);
                while peer.poll_transmit(self.now, &mut packet).is_some() {
                    let event = Event::Packet {
                        link,
                        source: address(index + 2),
                        multicast: true,
                        payload: &packet,
                    };
                    self.engine.handle_event(self.now, event);
                    packet.clear();
                }
                changes.clear();
                peer.poll_fib(usize::MAX, &mut changes);
            }
            while let Some(transmit) = self.engine.poll_transmit(self.now, &mut packet) {
                let index = usize::try_from(transmit.link.0 - 1).expect("small");
                if let Some(peer) = self.peers.get_mut(index) {
                    let event = Event::Packet {
                        link: LinkId(1),
                        source: address(1),
                        multicast: true,
                        payload: &packet,
                    };
                    peer.handle_event(self.now, event);
                }
                packet.clear();
            }
            changes.clear();
            self.engine.poll_fib(usize::MAX, &mut changes);
        }
    }

    /// Ranks its neighbours by these measurements, wanting `goals`.
    pub(crate) fn rank_by(&mut self, goals: &Goals, reports: &[Report]) {
        let mut ranker = Ranker::new();
        ranker.set_goals(goals.clone());
        for report in reports {
            ranker.record(self.now, report);
        }
        let links: Vec<(String, LinkId)> = self
            .interfaces
            .iter()
            .map(|one| (one.name.clone(), one.link))
            .collect();
        let link = |name: &str| {
            let found = links.iter().find(|(known, _)| known == name);
            found.map(|(_, link)| *link)
        };
        let ranks = ranker.ranks(self.now, &link);
        self.standings = ranker.standings(self.now);
        self.engine.update_policy(self.now, |policy| {
            policy.set_ranking(true);
            policy.set_goals(goals.clone());
            policy.set_ranks(ranks);
        });
    }

    /// The newest speed test goes on a step.
    pub(crate) fn follow_test(&mut self) {
        if let (false, Some(newest)) = (self.statements.is_empty(), self.tests.first_mut())
            && let Some(next) = self.to_come.pop_front()
        {
            *newest = next;
        }
    }

    /// Passes on to monitors what happened, as the daemon does.
    pub(crate) fn publish(&mut self, server: &mut Server) {
        self.engine.set_notify(server.has_monitors());
        while let Some(notification) = self.engine.poll_notification() {
            server.publish(&notification, self);
        }
    }

    /// An interface goes down, as monitors are told.
    pub(crate) fn interface_down(&mut self, index: usize, server: &mut Server) {
        if let Some(interface) = self.interfaces.get_mut(index) {
            interface.up = false;
            server.publish_interface(Change::Change, interface);
        }
    }
}

impl Node for TestNode {
    fn now(&self) -> Instant {
        self.now
    }
    fn engine(&self) -> &NodeEngine {
        &self.engine
    }
    fn interfaces(&self) -> Vec<InterfaceView> {
        self.interfaces.clone()
    }
    fn kernel_counters(&self) -> KernelCounters {
        KernelCounters::default()
    }
    fn quality(&self) -> Vec<Standing> {
        self.standings.clone()
    }
    fn tests(&self) -> Vec<TestView> {
        self.tests.clone()
    }
    fn test_counters(&self) -> TestCounters {
        self.test_counters
    }
    fn execute(&mut self, statement: &str) -> Result<(), Refused> {
        self.statements.push(statement.into());
        match statement {
            line if line.starts_with("speedtest ") => match self.to_come.pop_front() {
                Some(first) => {
                    self.tests.insert(0, first);
                    Ok(())
                }
                None => Err(Refused::No("there is no such neighbour".into())),
            },
            "flush interface nosuch" => Err(Refused::No("No such interface".into())),
            "no" => Err(Refused::No(String::new())),
            line if line.starts_with("interface ") => Ok(()),
            other => Err(Refused::Bad(other.into())),
        }
    }
}

/// What the greeting says of the node under test.
pub(crate) fn identity() -> Identity {
    Identity {
        version: "babeld-9.8.7".into(),
        host: "testhost".into(),
        router_id: RouterId([2, 0, 0, 0, 0, 0, 0, 1]),
        althea: false,
    }
}

/// A read-only port and a read-write unix socket.
pub(crate) fn bind(path: PathBuf) -> Server {
    let endpoints = [
        Endpoint {
            address: Address::Port(0),
            access: Access::ReadOnly,
        },
        Endpoint {
            address: Address::Path(path),
            access: Access::ReadWrite,
        },
    ];
    Server::bind(&endpoints, identity()).expect("the sockets open")
}

/// A node that serves its sockets on a thread of its own until this is dropped.
pub(crate) struct Background {
    pub(crate) path: PathBuf,
    pub(crate) port: u16,
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
    _directory: tempfile::TempDir,
}

impl Background {
    /// Starts to serve the node that `make` makes.
    pub(crate) fn serve(make: impl FnOnce() -> TestNode + Send + 'static) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("babel.sock");
        let stop = Arc::new(AtomicBool::new(false));
        let (ready, port) = std::sync::mpsc::channel();
        let (its_path, its_stop) = (path.clone(), stop.clone());
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            LocalSet::new().block_on(&runtime, async {
                let mut node = make();
                let mut server = bind(its_path);
                ready.send(server.addresses().to_vec()).expect("a test");
                while !its_stop.load(Ordering::Relaxed) {
                    node.publish(&mut server);
                    while let Some(request) = server.try_next_request() {
                        server.handle(request, &mut node);
                        node.follow_test();
                    }
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            });
        });
        let addresses = port.recv().expect("the sockets open");
        let Some(Address::Port(port)) = addresses.first() else {
            panic!("no port");
        };
        Self {
            path,
            port: *port,
            stop,
            thread: Some(thread),
            _directory: directory,
        }
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A panic there has been printed already.
            let _ = thread.join();
        }
    }
}
