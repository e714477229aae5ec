//! What every lab's script does: build, wait with visible progress, show, put away.
//!
//! A script is a function over a [`Stage`]; each of its steps either happens within its limit or is
//! an error that says which one did not.

use super::client::Route;
use super::interrupt::Interrupt;
use super::network::{Network, prefixes};
use super::ping::{Hop, Prober};
use super::scenario::{Scenario, peer_on};
use super::show::{Screen, Style, spoken};
use anyhow::{Context, Result, bail};
use std::net::IpAddr;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

/// Between looks at the network while waiting.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// From the start of the nodes to full tables.
const CONVERGE_LIMIT: Duration = Duration::from_secs(60);
/// For one ping.
const PING_LIMIT: Duration = Duration::from_secs(1);

/// The network, its audience, and who may interrupt.
#[derive(Debug)]
pub(super) struct Stage {
    pub(super) network: Network,
    pub(super) screen: Screen,
    pub(super) interrupt: Interrupt,
}

/// What a look at the network found.
#[derive(Debug)]
pub(super) enum Seen<T> {
    /// What we wait for.
    There(T),
    /// Not yet; how far things are.
    NotYet(String),
}

impl Stage {
    /// Looks again and again until it is there; shows how far things are.
    pub(super) fn wait<T>(
        &mut self,
        what: &str,
        limit: Duration,
        mut look: impl FnMut(&mut Network) -> Result<Seen<T>>,
    ) -> Result<T> {
        let deadline = Instant::now() + limit;
        let mut progress = self.screen.progress(what);
        loop {
            self.interrupt.check()?;
            let so_far = match look(&mut self.network).with_context(|| what.to_owned())? {
                Seen::There(found) => return Ok(found),
                Seen::NotYet(so_far) => so_far,
            };
            if Instant::now() >= deadline {
                bail!("{what}: did not happen within {} ({so_far})", spoken(limit));
            }
            progress.say(&so_far);
            thread::sleep(LOOK_EVERY);
        }
    }

    /// Starts nodes and waits until every running node has a route to every other one.
    pub(super) fn start_nodes(&mut self, late: bool) -> Result<()> {
        let started = Instant::now();
        let scenario = self.network.scenario();
        let names: Vec<_> = scenario
            .routers()
            .filter(|node| node.joins_late == late)
            .map(|n| n.name)
            .collect();
        for name in &names {
            self.interrupt.check()?;
            self.network
                .start(name)
                .with_context(|| format!("starting {name}"))?;
        }
        let (installed, _) = self.wait("waiting for routes", CONVERGE_LIMIT, |network| {
            Ok(match network.convergence()? {
                (installed, wanted) if installed == wanted => Seen::There((installed, wanted)),
                (installed, wanted) => Seen::NotYet(format!("{installed} of {wanted} installed")),
            })
        })?;
        self.screen.good(&format!(
            "{} started; all {installed} routes installed after {}",
            names.join(", "),
            spoken(started.elapsed())
        ));
        Ok(())
    }

    /// An error where the story needs daemons that know prices and quality.
    pub(super) fn need_prices(&self) -> Result<()> {
        if !self.network.options().prices {
            bail!(
                "plain Babel knows nothing of what this lab is about: run it without --no-prices"
            );
        }
        Ok(())
    }

    /// Says a statement to a node's daemon, as its operator would, and shows it.
    pub(super) fn state(&self, node: &str, statement: &str) -> Result<()> {
        let mut client = self.network.client(node)?;
        client.ask(statement).with_context(|| node.to_owned())?;
        self.screen.block(&format!("{node}: {statement}"));
        Ok(())
    }

    /// Every node's installed routes.
    pub(super) fn show_routes(&self) -> Result<()> {
        let titles = ["node", "to", "IPv4", "IPv6", "via", "price", "metric"];
        let mut rows = vec![titles.map(str::to_owned).to_vec()];
        let mut detours = Vec::new();
        let running: Vec<_> = self.network.running().collect();
        for node in &running {
            let routes = self.network.routes(node.name)?;
            let mut first = node.name;
            for other in running.iter().filter(|other| other.name != node.name) {
                let [ipv4, ipv6] = prefixes(other).map(|prefix| installed(&routes, &prefix));
                let both = |cell: fn(&Route) -> String| match (ipv4.map(cell), ipv6.map(cell)) {
                    (Some(a), Some(b)) if a != b => format!("{a} / {b}"),
                    (Some(cell), _) | (None, Some(cell)) => cell,
                    (None, None) => "none".to_owned(),
                };
                let via = ipv4.map_or(other.name, |route| peer_on(&route.interface));
                if via != other.name && self.network.scenario().are_linked(node.name, other.name) {
                    detours.push(format!("{} to {} via {via}", node.name, other.name));
                }
                rows.push(vec![
                    std::mem::take(&mut first).to_owned(),
                    other.name.to_owned(),
                    other.ipv4().to_string(),
                    other.ipv6().to_string(),
                    both(|route| peer_on(&route.interface).to_owned()),
                    both(price_of),
                    both(|route| route.metric.to_string()),
                ]);
            }
        }
        self.screen.table(&rows);
        if !detours.is_empty() {
            self.screen.block(&format!(
                "Found first and not left yet, for a better way must have stood a while: {}.",
                detours.join(", ")
            ));
        }
        Ok(())
    }

    /// Why a node sends traffic for an address the way it does, in the node's own words.
    pub(super) fn show_explanation(&self, node: &str, prefix: &str) -> Result<()> {
        if !self.network.options().prices {
            // Stock babeld explains nothing: its candidates have to do.
            for route in self
                .network
                .routes(node)?
                .iter()
                .filter(|r| r.prefix == prefix)
            {
                let chosen = if route.installed {
                    "chosen"
                } else {
                    "not chosen"
                };
                let via = peer_on(&route.interface);
                self.screen
                    .block(&format!("via {via}: metric {}, {chosen}", route.metric));
            }
            return Ok(());
        }
        let own = std::env::current_exe().context("finding babelctl")?;
        let mut command = Command::new(own);
        command
            .arg("-s")
            .arg(self.network.socket(node))
            .args(["explain", prefix]);
        let output = netns::output(&mut command, Duration::from_secs(5))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            bail!("babelctl explain {prefix} at {node}: {}", said.trim());
        }
        self.screen.block(&String::from_utf8_lossy(&output.stdout));
        Ok(())
    }

    /// Sends pings and finds the way they take; returns the first hop's name.
    pub(super) fn show_pings(&self, from: &str, to: &str) -> Result<&'static str> {
        let scenario = self.network.scenario();
        let inside = &self.network.member(from)?.namespace;
        let destination = scenario.node(to).with_context(|| format!("no node {to}"))?;
        let mut first_hops = Vec::new();
        for address in destination.addresses() {
            let prober = Prober::open(inside, address, 0x5ab0)?;
            let times: Vec<_> = (1..=5).filter_map(|n| prober.ping(n, PING_LIMIT)).collect();
            let hops = prober.path(8, PING_LIMIT);
            let way = tell_path(scenario, from, &hops);
            if times.len() < 5 || hops.last().map(|hop| hop.address) != Some(address) {
                bail!(
                    "pings from {from} to {address}: {} of 5 came back; way: {way}",
                    times.len()
                );
            }
            let (best, worst) = (times.iter().min(), times.iter().max());
            let times = best
                .zip(worst)
                .map(|(best, worst)| (spoken(*best), spoken(*worst)));
            let (best, worst) = times.unwrap_or_default();
            self.screen.line(&format!(
                "  ping {address:<12} 5 of 5 came back in {best} to {worst}"
            ));
            self.screen.line(&format!("       {way}"));
            first_hops.extend(hops.first().and_then(|hop| scenario.owner(hop.address)));
        }
        match first_hops.as_slice() {
            [ipv4, ipv6] if ipv4.name == ipv6.name => Ok(ipv4.name),
            _ => bail!("IPv4 and IPv6 from {from} to {to} do not take the same way"),
        }
    }

    /// Shows whether traffic goes the way it should.
    pub(super) fn expect_way(&self, seen: &str, expected: &str) -> Result<()> {
        if seen != expected {
            bail!("traffic goes via {seen}, not via {expected}");
        }
        let via = self.screen.paint(Style::Bold, expected);
        self.screen.good(&format!("traffic really goes via {via}"));
        Ok(())
    }
}

/// The route in use for a prefix.
pub(super) fn installed<'a>(routes: &'a [Route], prefix: &str) -> Option<&'a Route> {
    routes
        .iter()
        .find(|route| route.installed && route.prefix == prefix)
}

/// A route's price, for people.
pub(super) fn price_of(route: &Route) -> String {
    route
        .price
        .map_or_else(|| "-".to_owned(), |price| price.to_string())
}

/// `alice > bob (10.99.0.2, 0.04 ms) > dave (…)`.
fn tell_path(scenario: &Scenario, from: &str, hops: &[Hop]) -> String {
    let mut text = from.to_owned();
    for Hop {
        address,
        round_trip,
    } in hops
    {
        let name = name_of(scenario, *address);
        text += &format!(" -> {name} ({address}, {})", spoken(*round_trip));
    }
    text
}

/// The node of an address, or the address.
pub(super) fn name_of(scenario: &Scenario, address: IpAddr) -> String {
    scenario
        .owner(address)
        .map_or_else(|| address.to_string(), |node| node.name.to_owned())
}
