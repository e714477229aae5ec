//! Links between namespaces, made inside them so that the host never sees them.

use crate::namespace::{Lab, Namespace};
use anyhow::{Context, Result};
use babel_netlink::{DuplicateDetection, NetnsRef, RouteSocket};
use std::net::IpAddr;

/// Joins two namespaces by a veth pair, both ends up.
pub fn link(a: &Namespace, a_interface: &str, b: &Namespace, b_interface: &str) -> Result<()> {
    let peer = Some(NetnsRef::Pid(b.pid()));
    a.routes(|socket| Ok(socket.create_veth(a_interface, b_interface, peer)?))
        .with_context(|| format!("linking it with namespace {}", b.name()))?;
    a.set_up(a_interface)?;
    b.set_up(b_interface)
}

/// A shared LAN: a bridge in a namespace of its own.
#[derive(Debug)]
pub struct Switch {
    namespace: Namespace,
    ports: u32,
}

impl Switch {
    /// A switch without ports.
    pub fn new(lab: &Lab, name: &str) -> Result<Self> {
        let namespace = lab.namespace(name)?;
        namespace.routes(|socket| Ok(socket.create_bridge("bridge")?))?;
        namespace.set_up("bridge")?;
        Ok(Self {
            namespace,
            ports: 0,
        })
    }

    /// Plugs a new interface of `namespace` into the switch.
    pub fn attach(&mut self, namespace: &Namespace, interface: &str) -> Result<()> {
        let port = format!("port{}", self.ports);
        self.ports += 1;
        link(&self.namespace, &port, namespace, interface)?;
        self.namespace.routes(|socket| {
            let bridge = socket.link_by_name("bridge")?.index;
            let port = socket.link_by_name(&port)?.index;
            Ok(socket.set_master(port, Some(bridge))?)
        })
    }
}

impl Namespace {
    /// Brings an interface up.
    pub fn set_up(&self, interface: &str) -> Result<()> {
        self.set_state(interface, true)
    }

    /// Takes an interface down; the other end of a veth pair loses its carrier.
    pub fn set_down(&self, interface: &str) -> Result<()> {
        self.set_state(interface, false)
    }

    /// Deletes an interface, and with it the other end of a veth pair.
    pub fn delete_link(&self, interface: &str) -> Result<()> {
        self.routes(|socket| {
            let index = socket.link_by_name(interface)?.index;
            Ok(socket.delete_link(index)?)
        })
    }

    /// Gives an interface an address, such as `10.0.0.1/24`, usable at once.
    pub fn add_address(&self, interface: &str, address: &str) -> Result<()> {
        let (address, plen) = parse_address(address)?;
        self.routes(|socket| {
            let index = socket.link_by_name(interface)?.index;
            Ok(socket.add_address(index, address, plen, DuplicateDetection::Skip)?)
        })
    }

    /// Takes an address away.
    pub fn delete_address(&self, interface: &str, address: &str) -> Result<()> {
        let (address, plen) = parse_address(address)?;
        self.routes(|socket| {
            let index = socket.link_by_name(interface)?.index;
            Ok(socket.delete_address(index, address, plen)?)
        })
    }

    /// Does something with a route netlink socket of this namespace.
    pub fn routes<T: Send>(
        &self,
        action: impl FnOnce(&mut RouteSocket) -> Result<T> + Send,
    ) -> Result<T> {
        self.with(|| action(&mut RouteSocket::new()?))?
            .with_context(|| format!("namespace {}", self.name()))
    }

    fn set_state(&self, interface: &str, up: bool) -> Result<()> {
        self.routes(|socket| {
            let index = socket.link_by_name(interface)?.index;
            Ok(socket.set_up(index, up)?)
        })
    }
}

/// Brings up `lo` of the namespace the caller is in.
pub(crate) fn set_loopback_up() -> Result<()> {
    let mut socket = RouteSocket::new()?;
    let index = socket.link_by_name("lo")?.index;
    Ok(socket.set_up(index, true)?)
}

fn parse_address(text: &str) -> Result<(IpAddr, u8)> {
    let malformed = || format!("{text:?} is not an address with a prefix length");
    let (address, plen) = text.split_once('/').with_context(malformed)?;
    let address: IpAddr = address.parse().with_context(malformed)?;
    let plen: u8 = plen.parse().with_context(malformed)?;
    Ok((address, plen))
}
