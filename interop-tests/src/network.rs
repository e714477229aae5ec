//! A network of namespaces with a routing daemon in each.
//!
//! Node number N owns 10.0.0.N/32 and fd00::N/128 on `lo`, and a device `stub` that leads nowhere, for
//! routes to redistribute. An interface is called after the node at its other end. Invariant: all of
//! it is gone when the [`Network`] is.

use crate::peers::{Kind, Peer, Place};
use anyhow::{Context, Result, bail, ensure};
use netns::{Daemon, Lab, Namespace, Switch};
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::unix::fs::PermissionsExt;
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Between two looks at the same thing.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How long a daemon may take to end when asked to.
const EXIT_LIMIT: Duration = Duration::from_secs(5);
/// A device for routes that lead nowhere.
pub const STUB: &str = "stub";

/// A node of a [`Network`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Id(pub(crate) usize);

/// Nodes, links and daemons.
#[derive(Debug)]
pub struct Network {
    pub(crate) nodes: Vec<Node>,
    /// Each link: who is on it, by which interface.
    links: Vec<Vec<End>>,
    switches: Vec<Switch>,
    lab: Lab,
    directory: TempDir,
    starts: u32,
}

/// One namespace, and what runs in it.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) name: String,
    pub(crate) peer: Option<Peer>,
    pub(crate) namespace: Namespace,
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct End {
    node: Id,
    interface: String,
    ipv4: Option<Ipv4Addr>,
}

impl Network {
    /// An empty network; `test` names its directory of logs.
    pub fn new(test: &str) -> Result<Self> {
        let own = fs::metadata("/proc/self").context("looking at ourselves")?;
        let user = std::os::unix::fs::MetadataExt::uid(&own);
        ensure!(
            user == 0,
            "these tests make network namespaces and start routing daemons: run them as root, as \
             ./run-tests does"
        );
        let directory = tempfile::Builder::new()
            .prefix(&format!("interop-{test}-"))
            .tempdir()
            .context("making a directory for logs")?;
        // FRR's daemons drop root's privileges and must still get in.
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755))?;
        let lab = Lab::with_helper(netns::sibling("interop-helper")?, directory.path());
        Ok(Self {
            nodes: Vec::new(),
            links: Vec::new(),
            switches: Vec::new(),
            lab,
            directory,
            starts: 0,
        })
    }

    /// Adds a node without links or daemon.
    pub fn node(&mut self, name: &str) -> Result<Id> {
        let id = Id(self.nodes.len());
        let namespace = self.lab.namespace(name)?;
        namespace.add_address("lo", &format!("{}/32", id.ipv4()))?;
        namespace.add_address("lo", &format!("{}/128", id.ipv6()))?;
        namespace.routes(|socket| Ok(socket.create_veth(STUB, "stub-end", None)?))?;
        namespace.set_up(STUB)?;
        namespace.set_up("stub-end")?;
        self.nodes.push(Node {
            name: name.to_owned(),
            peer: None,
            namespace,
        });
        Ok(id)
    }

    /// Links two nodes; both ends get an IPv4 address.
    pub fn link(&mut self, a: Id, b: Id) -> Result<()> {
        let number = self.links.len() + 1;
        self.link_without_ipv4(a, b)?;
        for (node, host) in [(a, 1u8), (b, 2)] {
            let address = format!("10.1.{number}.{host}").parse()?;
            self.set_ipv4(number - 1, node, address)?;
        }
        Ok(())
    }

    /// Links two nodes that have only link-local addresses there.
    pub fn link_without_ipv4(&mut self, a: Id, b: Id) -> Result<()> {
        let (to_b, to_a) = (self.towards(b), self.towards(a));
        let (left, right) = (&self.nodes[a.0].namespace, &self.nodes[b.0].namespace);
        netns::link(left, &to_b, right, &to_a)?;
        self.links.push(vec![End::new(a, to_b), End::new(b, to_a)]);
        Ok(())
    }

    /// Puts nodes on a LAN of their own, by an interface called `lan`.
    pub fn lan(&mut self, members: &[Id]) -> Result<()> {
        let number = self.links.len() + 1;
        let mut switch = Switch::new(&self.lab, &format!("switch{number}"))?;
        let mut ends = Vec::new();
        for &node in members {
            switch.attach(&self.nodes[node.0].namespace, "lan")?;
            ends.push(End::new(node, "lan".to_owned()));
        }
        self.switches.push(switch);
        self.links.push(ends);
        for (&node, host) in members.iter().zip(1u8..) {
            let address = format!("10.1.{number}.{host}").parse()?;
            self.set_ipv4(number - 1, node, address)?;
        }
        Ok(())
    }

    /// Starts a daemon on all links of `node`. The statements are for daemons that read babeld's
    /// language, or options of BIRD's interfaces.
    pub fn start(&mut self, node: Id, kind: Kind, statements: &[&str]) -> Result<()> {
        let interfaces = self.interfaces(node);
        let names: Vec<&str> = interfaces.iter().map(String::as_str).collect();
        self.start_on(node, kind, &names, statements)
    }

    /// Starts a daemon on interfaces that need not exist yet.
    pub fn start_on(
        &mut self,
        node: Id,
        kind: Kind,
        interfaces: &[&str],
        statements: &[&str],
    ) -> Result<()> {
        self.starts += 1;
        let name = format!("{}-{}", self.nodes[node.0].name, self.starts);
        let place = Place {
            directory: self.directory.path().join(name),
            namespace: &self.nodes[node.0].namespace,
            number: node.number(),
            interfaces,
            statements,
        };
        let peer = Peer::start(kind, &place)
            .with_context(|| format!("{}: starting {kind}", self.name(node)))?;
        self.nodes[node.0].peer = Some(peer);
        Ok(())
    }

    /// Kills a node's daemons as `kill -9` does.
    pub fn kill(&mut self, node: Id) {
        self.nodes[node.0].peer = None;
    }

    /// Has a node die: its daemons are killed and it forwards nothing any more.
    pub fn crash(&mut self, node: Id) -> Result<()> {
        self.kill(node);
        let namespace = self.namespace(node);
        namespace.set("ipv4/ip_forward", "0")?;
        namespace.set("ipv6/conf/all/forwarding", "0")
    }

    /// Takes a link away, as when somebody pulls out the adapter.
    pub fn unlink(&mut self, a: Id, b: Id) -> Result<()> {
        let interface = self.interface(a, b)?;
        self.namespace(a).delete_link(interface)?;
        self.links.retain(|link| {
            let on = |node: Id| link.iter().any(|end| end.node == node);
            !(on(a) && on(b))
        });
        Ok(())
    }

    /// Asks a node's daemon to end, and sees that it does so with status 0.
    pub fn stop(&mut self, node: Id) -> Result<()> {
        let name = self.nodes[node.0].name.clone();
        let Some(peer) = &mut self.nodes[node.0].peer else {
            bail!("{name}: no daemon runs");
        };
        for daemon in &mut peer.daemons {
            stop(daemon).with_context(|| name.clone())?;
        }
        self.nodes[node.0].peer = None;
        Ok(())
    }

    /// Gives a node's end of the link number `link` (in the order of making) another address.
    pub fn set_ipv4(&mut self, link: usize, node: Id, address: Ipv4Addr) -> Result<()> {
        let end = self.links.get_mut(link).context("no such link")?;
        let end = end.iter_mut().find(|end| end.node == node);
        let end = end.context("not on that link")?;
        let namespace = &self.nodes[node.0].namespace;
        if let Some(old) = end.ipv4.take() {
            namespace.delete_address(&end.interface, &format!("{old}/24"))?;
        }
        namespace.add_address(&end.interface, &format!("{address}/24"))?;
        end.ipv4 = Some(address);
        Ok(())
    }

    /// Polls until `look` says yes, and returns how long that took; after `limit` an error that
    /// tells what every node had and said.
    pub fn wait(
        &self,
        what: &str,
        limit: Duration,
        mut look: impl FnMut(&Self) -> Result<bool>,
    ) -> Result<Duration> {
        let begun = Instant::now();
        loop {
            if look(self).with_context(|| format!("looking for: {what}"))? {
                return Ok(begun.elapsed());
            }
            if begun.elapsed() >= limit {
                let seconds = limit.as_secs_f64();
                bail!("not within {seconds} s: {what}\n{}", self.report());
            }
            thread::sleep(LOOK_EVERY);
        }
    }

    /// Sees that `look` says yes for the whole of `duration`.
    pub fn stays(
        &self,
        what: &str,
        duration: Duration,
        mut look: impl FnMut(&Self) -> Result<bool>,
    ) -> Result<()> {
        let begun = Instant::now();
        while begun.elapsed() < duration {
            ensure!(look(self)?, "did not stay so: {what}\n{}", self.report());
            thread::sleep(LOOK_EVERY);
        }
        Ok(())
    }

    /// The name of a node.
    pub fn name(&self, node: Id) -> &str {
        &self.nodes[node.0].name
    }

    /// The namespace of a node.
    pub fn namespace(&self, node: Id) -> &Namespace {
        &self.nodes[node.0].namespace
    }

    /// The daemon of a node.
    pub fn peer(&self, node: Id) -> Result<&Peer> {
        let peer = self.nodes[node.0].peer.as_ref();
        peer.with_context(|| format!("{}: no daemon runs", self.name(node)))
    }

    /// The interface of `node` towards `other`.
    pub fn interface(&self, node: Id, other: Id) -> Result<&str> {
        let (own, _) = self.ends(node, other)?;
        Ok(&own.interface)
    }

    /// The addresses of `other` on the link that `node` shares with it.
    pub(crate) fn next_hop(&self, node: Id, other: Id) -> Result<(Option<Ipv4Addr>, Ipv6Addr)> {
        let (_, end) = self.ends(node, other)?;
        Ok((end.ipv4, self.link_local(other, &end.interface)?))
    }

    /// A node's link-local address on one of its interfaces.
    pub fn link_local(&self, node: Id, interface: &str) -> Result<Ipv6Addr> {
        let addresses = self.namespace(node).routes(|socket| {
            let index = socket.link_by_name(interface)?.index;
            let mut all = socket.addresses()?;
            all.retain(|one| one.index == index);
            Ok(all)
        })?;
        let mut addresses = addresses.iter().map(|one| one.address);
        let found = addresses.find_map(|address| match address {
            IpAddr::V6(address) if address.is_unicast_link_local() => Some(address),
            _ => None,
        });
        found.with_context(|| format!("{}: {interface} has no link-local", self.name(node)))
    }

    fn ends(&self, node: Id, other: Id) -> Result<(&End, &End)> {
        for link in &self.links {
            let end = |wanted: Id| link.iter().find(|end| end.node == wanted);
            if let (Some(own), Some(end)) = (end(node), end(other)) {
                return Ok((own, end));
            }
        }
        bail!("{} and {} share no link", self.name(node), self.name(other));
    }

    fn interfaces(&self, node: Id) -> Vec<String> {
        let ends = self.links.iter().flatten().filter(|end| end.node == node);
        ends.map(|end| end.interface.clone()).collect()
    }

    fn towards(&self, node: Id) -> String {
        format!("to-{}", self.name(node))
    }
}

impl End {
    fn new(node: Id, interface: String) -> Self {
        Self {
            node,
            interface,
            ipv4: None,
        }
    }
}

impl Id {
    /// 1 for the first node.
    pub fn number(self) -> u8 {
        u8::try_from(self.0 + 1).unwrap_or(u8::MAX)
    }

    /// The node's own IPv4 address.
    pub fn ipv4(self) -> Ipv4Addr {
        Ipv4Addr::new(10, 0, 0, self.number())
    }

    /// The node's own IPv6 address.
    pub fn ipv6(self) -> Ipv6Addr {
        Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, u16::from(self.number()))
    }

    /// The node's own addresses as prefixes, in both families.
    pub fn prefixes(self) -> [String; 2] {
        [
            format!("{}/32", self.ipv4()),
            format!("{}/128", self.ipv6()),
        ]
    }
}

fn stop(daemon: &mut Daemon) -> Result<()> {
    let status = daemon.stop(EXIT_LIMIT)?;
    let name = daemon.name();
    let status = status
        .with_context(|| format!("{name} did not end when asked to:\n{}", daemon.log_tail(40)))?;
    ensure!(
        status.success(),
        "{name} ended with {status}:\n{}",
        daemon.log_tail(40)
    );
    Ok(())
}
