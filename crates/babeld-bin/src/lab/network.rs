//! A scenario come alive: namespaces, links, and one daemon in each node.
//!
//! Invariant: dropping the network ends its daemons, then its namespaces. It says nothing to the
//! reader; whoever drives it does.

use super::client::{Client, Route};
use super::scenario::{LinkKind, Node, Scenario, interface_to};
use super::{responder, uplink};
use anyhow::{Context, Result, bail, ensure};
use netns::{Daemon, Lab, Namespace};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a daemon may take from its start to its control socket.
const START_LIMIT: Duration = Duration::from_secs(10);
/// How long a daemon may take to withdraw its routes and end.
const STOP_LIMIT: Duration = Duration::from_secs(5);

/// How to run the nodes.
#[derive(Clone, Debug)]
pub(super) struct Options {
    /// The daemon's program.
    pub(super) daemon: PathBuf,
    /// Whether its configuration may speak of prices; stock babeld knows none.
    pub(super) prices: bool,
}

/// The nodes of a scenario.
#[derive(Debug)]
pub(super) struct Network {
    scenario: &'static Scenario,
    options: Options,
    directory: PathBuf,
    nodes: Vec<Member>,
}

/// A node of a network. The order of the fields is the order in which they go.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) node: &'static Node,
    pub(super) daemon: Option<Daemon>,
    /// What a host answers speed tests with.
    pub(super) responder: Option<Daemon>,
    pub(super) namespace: Namespace,
}

impl Network {
    /// Makes namespaces, links and addresses. The daemons are started one by one.
    pub(super) fn build(
        scenario: &'static Scenario,
        directory: &Path,
        options: Options,
    ) -> Result<Self> {
        let lab = Lab::new(directory)?;
        let mut network = Self {
            scenario,
            options,
            directory: directory.to_owned(),
            nodes: Vec::new(),
        };
        for node in scenario.nodes {
            let namespace = lab.namespace(node.name)?;
            namespace.add_address("lo", &format!("{}/32", node.ipv4()))?;
            namespace.add_address("lo", &format!("{}/128", node.ipv6()))?;
            network.nodes.push(Member {
                node,
                daemon: None,
                responder: None,
                namespace,
            });
        }
        for link in scenario.links {
            let [a, b] = link.ends;
            let (a, b) = (network.member(a)?, network.member(b)?);
            let (to_b, to_a) = (interface_to(b.node.name), interface_to(a.node.name));
            netns::link(&a.namespace, &to_b, &b.namespace, &to_a)?;
            // The node's own address once more: a link needs no subnet, only a next hop.
            a.namespace
                .add_address(&to_b, &format!("{}/32", a.node.ipv4()))?;
            b.namespace
                .add_address(&to_a, &format!("{}/32", b.node.ipv4()))?;
            if let LinkKind::Uplink { rate } = link.kind {
                uplink::limit([a, b], rate)?;
            }
        }
        for (node, host) in scenario.hosts() {
            let (router, member) = (network.member(host.behind)?, network.member(node.name)?);
            uplink::connect(router, member, host)?;
        }
        Ok(network)
    }

    /// Starts what the hosts answer with.
    pub(super) fn start_hosts(&mut self) -> Result<()> {
        for (node, host) in self.scenario.hosts() {
            let responder = responder::start(self.member(node.name)?, host)
                .with_context(|| format!("starting {}", node.name))?;
            self.member_mut(node.name)?.responder = Some(responder);
        }
        Ok(())
    }

    /// Starts a node's daemon and waits until it answers.
    pub(super) fn start(&mut self, name: &str) -> Result<()> {
        self.start_with(name, &self.options.clone())
    }

    /// The same with a daemon of its own.
    pub(super) fn start_with(&mut self, name: &str, options: &Options) -> Result<()> {
        let Options { daemon, prices } = options.clone();
        let program = daemon;
        let (scenario, directory) = (self.scenario, self.directory.clone());
        let member = self.member_mut(name)?;
        let path = directory.join(format!("{name}.conf"));
        let text = scenario.configuration(member.node, &directory, prices);
        fs::write(&path, text).with_context(|| format!("writing {}", path.display()))?;
        let mut command = member.namespace.command(&program);
        command.arg("-c").arg(&path);
        let daemon = member
            .daemon
            .insert(member.namespace.spawn("babeld", command)?);
        let socket = socket_path(&directory, name);
        let mut last = None;
        let answers = netns::wait_for(START_LIMIT, || {
            if daemon.exited().is_some() {
                return Some(false);
            }
            last = Client::connect(&socket).err();
            last.is_none().then_some(true)
        });
        match answers {
            Some(true) => Ok(()),
            Some(false) => bail!("{} ended at once: {}", tell(daemon), daemon.log_tail(5)),
            None => {
                let why = last.map(|error| format!("{error:#}")).unwrap_or_default();
                bail!("{} does not answer: {why}", tell(daemon))
            }
        }
    }

    /// Ends all daemons in the orderly way; an error names the first that did not go well.
    pub(super) fn stop(&mut self) -> Result<()> {
        let all = self.nodes.iter_mut();
        let both = all.flat_map(|member| [&mut member.daemon, &mut member.responder]);
        let ends = both.map(end);
        // All of them, and only then what went wrong.
        let ends: Vec<_> = ends.collect();
        ends.into_iter().collect()
    }

    /// Ends one node's daemon in the orderly way.
    pub(super) fn stop_one(&mut self, name: &str) -> Result<()> {
        end(&mut self.member_mut(name)?.daemon)
    }

    /// As when a node loses its power while its links stay up, as seen through a switch or by
    /// radio: the daemon is killed, and the kernel carries nothing any more.
    pub(super) fn crash(&mut self, name: &str) -> Result<()> {
        let member = self.member_mut(name)?;
        let mut daemon = member
            .daemon
            .take()
            .with_context(|| format!("{name} is not running"))?;
        member.namespace.set("ipv4/ip_forward", "0")?;
        member.namespace.set("ipv6/conf/all/forwarding", "0")?;
        daemon.kill();
        // A stock daemon does not start over a socket that it left behind.
        let _ = fs::remove_file(socket_path(&self.directory, name));
        Ok(())
    }

    /// An error if a daemon ended that should be running.
    pub(super) fn check(&mut self) -> Result<()> {
        let all = self.nodes.iter_mut();
        let both = all.flat_map(|member| [&mut member.daemon, &mut member.responder]);
        for daemon in both.flatten() {
            if let Some(status) = daemon.exited() {
                bail!("{} ended: {status}\n{}", tell(daemon), daemon.log_tail(5));
            }
        }
        Ok(())
    }

    /// Opens a conversation with a node's daemon.
    pub(super) fn client(&self, name: &str) -> Result<Client> {
        Client::connect(&socket_path(&self.directory, name)).with_context(|| name.to_owned())
    }

    /// The routes a node knows.
    pub(super) fn routes(&self, name: &str) -> Result<Vec<Route>> {
        self.client(name)?.routes().with_context(|| name.to_owned())
    }

    pub(super) fn member(&self, name: &str) -> Result<&Member> {
        let mut nodes = self.nodes.iter();
        nodes
            .find(|member| member.node.name == name)
            .with_context(|| format!("no node {name}"))
    }

    pub(super) fn members(&self) -> &[Member] {
        &self.nodes
    }

    /// The nodes whose daemon runs.
    pub(super) fn running(&self) -> impl Iterator<Item = &'static Node> {
        self.nodes
            .iter()
            .filter(|member| member.daemon.is_some())
            .map(|member| member.node)
    }

    pub(super) fn scenario(&self) -> &'static Scenario {
        self.scenario
    }

    pub(super) fn options(&self) -> &Options {
        &self.options
    }

    /// A node's control socket.
    pub(super) fn socket(&self, name: &str) -> PathBuf {
        socket_path(&self.directory, name)
    }

    /// How many routes to other running nodes are installed, and how many there should be.
    pub(super) fn convergence(&mut self) -> Result<(usize, usize)> {
        self.check()?;
        let running: Vec<_> = self.running().collect();
        let (mut installed, mut wanted) = (0, 0);
        for node in &running {
            let routes = self.routes(node.name)?;
            for prefix in running
                .iter()
                .filter(|other| other.name != node.name)
                .flat_map(|other| prefixes(other))
            {
                wanted += 1;
                let found = routes
                    .iter()
                    .any(|route| route.installed && route.prefix == prefix);
                installed += usize::from(found);
            }
        }
        ensure!(wanted > 0, "fewer than two nodes run");
        Ok((installed, wanted))
    }

    fn member_mut(&mut self, name: &str) -> Result<&mut Member> {
        let mut nodes = self.nodes.iter_mut();
        nodes
            .find(|member| member.node.name == name)
            .with_context(|| format!("no node {name}"))
    }
}

/// A node's addresses as `dump` prints them.
pub(super) fn prefixes(node: &Node) -> [String; 2] {
    [
        format!("{}/32", node.ipv4()),
        format!("{}/128", node.ipv6()),
    ]
}

/// A node's control socket in a lab's directory.
pub(super) fn socket_path(directory: &Path, name: &str) -> PathBuf {
    directory.join(format!("{name}.sock"))
}

/// Asks a daemon to end, if there is one, and waits for it.
fn end(daemon: &mut Option<Daemon>) -> Result<()> {
    let Some(mut daemon) = daemon.take() else {
        return Ok(());
    };
    match daemon.stop(STOP_LIMIT)? {
        Some(status) if status.success() => Ok(()),
        Some(status) => bail!("{}: {status}", tell(&daemon)),
        None => bail!("{} did not end on TERM", tell(&daemon)),
    }
}

/// A daemon, for an error message.
pub(super) fn tell(daemon: &Daemon) -> String {
    format!("{} (log: {})", daemon.name(), daemon.log().display())
}
