//! What the daemon's tests share: namespaces, our babeld and stock babeld inside them.
//!
//! Needs root and stock babeld; fails without.

#![allow(dead_code)] // each test binary uses a part

use anyhow::{Context, Result, anyhow, ensure};
use babel_netlink::{Family, Route, RouteFilter};
use netns::{Daemon, Lab, Namespace, wait_for};
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub(crate) const BABELD: &str = env!("CARGO_BIN_EXE_babeld");
pub(crate) const STOCK: &str = "/usr/sbin/babeld";
const HELPER: &str = env!("CARGO_BIN_EXE_babelctl");

/// Long enough for two fast nodes to meet and agree, on a busy machine.
pub(crate) const SOON: Duration = Duration::from_secs(15);
/// For what should take milliseconds.
pub(crate) const AT_ONCE: Duration = Duration::from_secs(3);

/// Fast Hellos and no smoothing.
pub(crate) const FAST: [&str; 6] = ["-h", "0.5", "-H", "0.5", "-M", "0"];

/// A directory for logs and files that goes with the test.
#[derive(Debug)]
pub(crate) struct Place(tempfile::TempDir);

impl Place {
    pub(crate) fn new() -> Result<Self> {
        Ok(Self(tempfile::tempdir().context("a directory")?))
    }

    pub(crate) fn lab(&self) -> Lab {
        Lab::with_helper(HELPER, self.0.path())
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

/// Two namespaces, `va` of one joined to `vb` of the other, with an address each on `lo`.
#[derive(Debug)]
pub(crate) struct Pair {
    pub(crate) a: Namespace,
    pub(crate) b: Namespace,
    pub(crate) place: Place,
}

impl Pair {
    pub(crate) fn new() -> Result<Self> {
        let place = Place::new()?;
        let lab = place.lab();
        let pair = Self {
            a: lab.namespace("a")?,
            b: lab.namespace("b")?,
            place,
        };
        pair.connect()?;
        for (namespace, n) in [(&pair.a, 1), (&pair.b, 2)] {
            namespace.add_address("lo", &format!("10.{n}.{n}.{n}/32"))?;
            namespace.add_address("lo", &format!("2001:db8:{n}::{n}/128"))?;
        }
        Ok(pair)
    }

    /// Makes the link, with IPv4 on it.
    pub(crate) fn connect(&self) -> Result<()> {
        netns::link(&self.a, "va", &self.b, "vb")?;
        self.a.add_address("va", "10.9.0.1/24")?;
        self.b.add_address("vb", "10.9.0.2/24")
    }

    /// Our babeld on `va`.
    pub(crate) fn ours(&self, more: &[&str]) -> Result<Daemon> {
        start(&self.a, &self.place, BABELD, "va", more)
    }

    /// Stock babeld on `vb`.
    pub(crate) fn stock(&self, more: &[&str]) -> Result<Daemon> {
        ensure!(Path::new(STOCK).exists(), "{STOCK}: apt-get install babeld");
        start(&self.b, &self.place, STOCK, "vb", more)
    }
}

/// Starts a babeld with fast timers, without a pidfile.
pub(crate) fn start(
    namespace: &Namespace,
    place: &Place,
    program: &str,
    interface: &str,
    more: &[&str],
) -> Result<Daemon> {
    let state = place.file(&format!("{}-state", namespace.name()));
    let mut command = namespace.command(program);
    command.args(FAST).args(["-d1", "-I", "", "-S"]).arg(state);
    command.args(more).arg(interface);
    namespace.spawn("babeld", command)
}

/// The routes of Babel in the main table.
pub(crate) fn babel_routes(namespace: &Namespace) -> Result<Vec<Route>> {
    routes(namespace, 42)
}

/// The routes of one protocol in the main table.
pub(crate) fn routes(namespace: &Namespace, protocol: u8) -> Result<Vec<Route>> {
    namespace.routes(|socket| {
        let mut all = Vec::new();
        for family in Family::BOTH {
            let filter = RouteFilter::new(family).table(254).protocol(protocol);
            all.extend(socket.routes(&filter)?.0);
        }
        Ok(all)
    })
}

/// The usable route of Babel to a prefix, if there is one.
pub(crate) fn route_to(namespace: &Namespace, prefix: &str) -> Option<Route> {
    let (address, plen) = prefix.split_once('/')?;
    let wanted: (IpAddr, u8) = (address.parse().ok()?, plen.parse().ok()?);
    let routes = babel_routes(namespace).ok()?;
    routes
        .into_iter()
        .find(|route| route.destination == wanted && route.gateway.is_some())
}

/// Waits for a usable route of Babel.
pub(crate) fn expect_route(namespace: &Namespace, prefix: &str, daemon: &Daemon) -> Result<Route> {
    wait_for(SOON, || route_to(namespace, prefix)).ok_or_else(|| {
        let routes = babel_routes(namespace);
        let log = daemon.log_tail(40);
        anyhow!(
            "{}: no route to {prefix}; there are {routes:?}; log:\n{log}",
            namespace.name()
        )
    })
}

/// Waits until there is no usable route of Babel any more.
pub(crate) fn expect_no_route(namespace: &Namespace, prefix: &str, limit: Duration) -> Result<()> {
    let gone = wait_for(limit, || {
        route_to(namespace, prefix).is_none().then_some(())
    });
    gone.ok_or_else(|| anyhow!("{}: still a route to {prefix}", namespace.name()))
}

/// A kernel parameter of a namespace.
pub(crate) fn sysctl(namespace: &Namespace, name: &str) -> Result<String> {
    let path = format!("/proc/sys/net/{name}");
    let value = namespace.with(|| fs::read_to_string(&path))?;
    Ok(value.context(path)?.trim().to_owned())
}
