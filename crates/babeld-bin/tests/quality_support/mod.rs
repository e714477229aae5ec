//! A diamond for tests of ranking: we, two neighbours on one LAN or on links of their own, and a
//! far node behind both.
//!
//! The first neighbour advertises the better metric: without measurements it is chosen.

#![allow(dead_code)] // each test binary uses a part

use crate::daemon_support::{BABELD, FAST, Place, SOON, route_to};
use anyhow::{Context, Result, anyhow, ensure};
use netns::{Daemon, Namespace, Switch, wait_for};
use std::io::{BufRead, BufReader, Write};
use std::net::{IpAddr, Ipv6Addr, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub(crate) const PORT: &str = "33123";
/// Behind both neighbours.
pub(crate) const FAR: &str = "2001:db8:fa::1/128";

pub(crate) struct Diamond {
    pub(crate) me: Namespace,
    pub(crate) liar: Namespace,
    pub(crate) honest: Namespace,
    pub(crate) far: Namespace,
    pub(crate) place: Place,
    _lan: Option<Switch>,
    /// Our interfaces, the liar's and the honest one's.
    links: [&'static str; 2],
    others: Mutex<Vec<Daemon>>,
}

impl Diamond {
    /// On one LAN.
    pub(crate) fn new() -> Result<Self> {
        let mut net = Self::nodes(["lan", "lan"])?;
        let mut lan = Switch::new(&net.place.lab(), "lan")?;
        for node in [&net.me, &net.liar, &net.honest] {
            lan.attach(node, "lan")?;
        }
        net._lan = Some(lan);
        Ok(net)
    }

    /// Each neighbour on a link of its own, `lan` for the liar and `own` for the honest one.
    pub(crate) fn apart() -> Result<Self> {
        let net = Self::nodes(["lan", "own"])?;
        netns::link(&net.me, "lan", &net.liar, "lan")?;
        netns::link(&net.me, "own", &net.honest, "lan")?;
        Ok(net)
    }

    fn nodes(links: [&'static str; 2]) -> Result<Self> {
        let place = Place::new()?;
        let lab = place.lab();
        let (me, far) = (lab.namespace("me")?, lab.namespace("far")?);
        let (liar, honest) = (lab.namespace("liar")?, lab.namespace("honest")?);
        for (node, n) in [(&me, 1), (&liar, 2), (&honest, 3)] {
            node.add_address("lo", &format!("2001:db8:{n}::{n}/128"))?;
        }
        netns::link(&liar, "up", &far, "l")?;
        netns::link(&honest, "up", &far, "h")?;
        far.add_address("lo", FAR)?;
        far.add_address("lo", "10.250.0.1/32")?;
        me.add_address("lo", "10.1.1.1/32")?;
        Ok(Self {
            me,
            liar,
            honest,
            far,
            place,
            _lan: None,
            links,
            others: Mutex::new(Vec::new()),
        })
    }

    /// Link-local addresses of the liar and the honest one, as we see them.
    pub(crate) fn neighbours(&self) -> Result<[Ipv6Addr; 2]> {
        Ok([
            link_local(&self.liar, "lan")?,
            link_local(&self.honest, "lan")?,
        ])
    }

    /// Starts a babeld everywhere; ours.
    pub(crate) fn start_all(&self, options: &[&str]) -> Result<Daemon> {
        self.start_all_with(&[], options)
    }

    /// The same, with options for the liar.
    pub(crate) fn start_all_with(&self, liar: &[&str], options: &[&str]) -> Result<Daemon> {
        // What the far node says of its links decides what the others' cost. The honest one still
        // prefers its own uplink to the liar's.
        let costs = [
            "-C",
            "interface l rxcost 16",
            "-C",
            "interface h rxcost 100",
        ];
        let far = self.babeld(&self.far, &["l", "h"], &costs)?;
        let liar = self.babeld(&self.liar, &["lan", "up"], liar)?;
        let honest = self.babeld(&self.honest, &["lan", "up"], &[])?;
        let others = self.others.lock();
        let mut others = others.map_err(|_| anyhow!("a test panicked"))?;
        others.extend([far, liar, honest]);
        self.start_me(options)
    }

    /// Starts ours.
    pub(crate) fn start_me(&self, options: &[&str]) -> Result<Daemon> {
        let own_file = format!(
            "quality-file \"{}\"",
            self.place.file("quality-of-me").display()
        );
        let mut more = vec!["-G", PORT];
        if !options
            .iter()
            .any(|option| option.starts_with("quality-file"))
        {
            more.extend(["-C", &own_file]);
        }
        more.extend(options);
        let [first, second] = self.links;
        let interfaces = if first == second {
            &self.links[..1]
        } else {
            &self.links
        };
        self.babeld(&self.me, interfaces, &more)
    }

    fn babeld(&self, node: &Namespace, interfaces: &[&str], more: &[&str]) -> Result<Daemon> {
        let state = self.place.file(&format!("{}-state", node.name()));
        let mut command = node.command(BABELD);
        command.args(FAST).args(["-d1", "-I", "", "-S"]).arg(state);
        command.args(["-C", "default update-interval 2"]);
        command.args(more).args(interfaces);
        node.spawn("babeld", command)
    }

    /// Waits until we have a route through this neighbour.
    pub(crate) fn expect_via(
        &self,
        prefix: &str,
        neighbour: Ipv6Addr,
        limit: Duration,
        me: &Daemon,
    ) -> Result<()> {
        let wanted = Some(IpAddr::from(neighbour));
        let found = wait_for(limit, || {
            let route = route_to(&self.me, prefix)?;
            (route.gateway == wanted).then_some(())
        });
        found.ok_or_else(|| {
            let route = route_to(&self.me, prefix);
            let why = Client::connect(&self.me)
                .and_then(|mut client| client.ask(&format!("json explain {prefix}")));
            anyhow!(
                "{prefix} is not via {neighbour} but {route:?}; {why:?}; log:\n{}",
                me.log_tail(40)
            )
        })
    }
}

/// The link-local address of an interface.
pub(crate) fn link_local(node: &Namespace, interface: &str) -> Result<Ipv6Addr> {
    let found = wait_for(Duration::from_secs(5), || {
        let addresses = node.routes(|socket| {
            let index = socket.link_by_name(interface)?.index;
            Ok((index, socket.addresses()?))
        });
        let (index, addresses) = addresses.ok()?;
        let mut here = addresses.into_iter().filter(|found| found.index == index);
        here.find_map(|found| match found.address {
            IpAddr::V6(v6) if v6.is_unicast_link_local() && !found.flags.tentative => Some(v6),
            _ => None,
        })
    });
    found.with_context(|| format!("{}: no link-local address", node.name()))
}

/// A client of the read-write socket.
pub(crate) struct Client(BufReader<TcpStream>);

impl Client {
    pub(crate) fn connect(namespace: &Namespace) -> Result<Self> {
        let connect = || namespace.with(|| TcpStream::connect(format!("[::1]:{PORT}")).ok());
        let stream = wait_for(SOON, || connect().ok().flatten()).context("no control socket")?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        let mut client = Self(BufReader::new(stream));
        ensure!(client.answer()?.last().is_some_and(|line| line == "ok"));
        Ok(client)
    }

    /// Asks, and returns all lines up to the one that ends the answer.
    pub(crate) fn ask(&mut self, request: &str) -> Result<Vec<String>> {
        writeln!(self.0.get_mut(), "{request}")?;
        self.answer()
    }

    pub(crate) fn last(&mut self, request: &str) -> Result<String> {
        self.ask(request)?.pop().context("no answer")
    }

    /// Asks until it is granted: a neighbour has to be met first.
    pub(crate) fn until_ok(&mut self, request: &str) -> Result<()> {
        let mut last = String::new();
        let granted = wait_for(SOON, || {
            last = self.last(request).ok()?;
            (last == "ok").then_some(())
        });
        granted.with_context(|| format!("{request}: {last}"))
    }

    /// Waits for the newest test to end.
    pub(crate) fn ended(&mut self, limit: Duration) -> Result<Test> {
        let mut last = None;
        let ended = wait_for(limit, || {
            let lines = self.ask("json tests").ok()?;
            let newest = lines.iter().find(|line| line.starts_with('{'))?;
            let test = Test::read(newest)?;
            let over = test.state != "running";
            last = Some(test);
            over.then_some(())
        });
        ended.with_context(|| format!("still {last:?}"))?;
        last.context("no test")
    }

    fn answer(&mut self) -> Result<Vec<String>> {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            ensure!(self.0.read_line(&mut line)? > 0, "closed after {lines:?}");
            let line = line.trim_end().to_owned();
            let ends = line == "ok" || line == "bad" || line == "no" || line.starts_with("no ");
            lines.push(line);
            if ends {
                return Ok(lines);
            }
        }
    }
}

/// A test as `json tests` shows it.
#[derive(Debug)]
pub(crate) struct Test {
    pub(crate) state: String,
    pub(crate) pinned: String,
    pub(crate) bytes: u64,
    pub(crate) download: u64,
    pub(crate) upload: u64,
    pub(crate) why: String,
}

impl Test {
    fn read(line: &str) -> Option<Self> {
        let document: serde_json::Value = serde_json::from_str(line).ok()?;
        let text = |name: &str| document.get(name).and_then(|value| value.as_str());
        let number = |name: &str| document.get(name).and_then(serde_json::Value::as_u64);
        Some(Self {
            state: text("state")?.to_owned(),
            pinned: text("pinned")?.to_owned(),
            bytes: number("bytes")?,
            download: number("download_bits_per_second").unwrap_or(0),
            upload: number("upload_bits_per_second").unwrap_or(0),
            why: text("why").unwrap_or_default().to_owned(),
        })
    }
}

/// Our own responder inside a namespace.
pub(crate) struct Serving(speedtest::server::Server);

impl Serving {
    pub(crate) fn start(node: &Namespace) -> Result<Self> {
        let options = speedtest::server::Options {
            listen: vec!["[2001:db8:fa::1]:6698".parse()?, "10.250.0.1:6698".parse()?],
            plain: true,
            ndt7: false,
            key: None,
            limits: speedtest::server::Limits::default(),
        };
        let server = node.with(|| {
            speedtest::server::Server::start(options, Arc::new(|line: &str| println!("{line}")))
        })??;
        Ok(Self(server))
    }
}
