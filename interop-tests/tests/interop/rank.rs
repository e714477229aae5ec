//! A liar loses: measured rank overrides what neighbours advertise, with real traffic and with
//! neighbours that know nothing of it.
//!
//! bob hears a default route from carol (honest, a good uplink, a worse metric) and from mallory
//! (metric 0, an uplink of 1 Mbit/s). Behind both is exit, which speaks no Babel.

use crate::{AT_ONCE, with_each};
use anyhow::{Context, Result, ensure};
use babel_netlink::{MAIN_TABLE, Route};
use interop_tests::network::{Id, Network};
use interop_tests::observe::parse;
use interop_tests::peers::Kind;
use netns::Daemon;
use serde_json::Value;
use std::net::Ipv4Addr;
use std::time::Duration;

const DEFAULT: &str = "0.0.0.0/0";
/// An address that only the default route leads to.
const INTERNET: &str = "198.51.100.1";
const UPLINK: &str = "1mbit";
const RTPROT_STATIC: u8 = 4;
const SHORT: Duration = Duration::from_secs(10);
/// The honest neighbour is worth this many times the liar; it was measured at several hundred.
const RATIO: f64 = 5.0;

struct Story {
    // Before the network, in which it runs.
    _server: Daemon,
    network: Network,
    bob: Id,
    carol: Id,
    mallory: Id,
}

impl Story {
    /// Tells it up to where bob believes mallory.
    fn begin(test: &str, honest: Kind, liar: Kind, bobs: &[&str]) -> Result<Self> {
        let mut network = Network::new(test)?;
        let bob = network.node("bob")?;
        let (carol, mallory) = (network.node("carol")?, network.node("mallory")?);
        let exit = network.node("exit")?;
        for (a, b) in [(bob, carol), (bob, mallory), (carol, exit), (mallory, exit)] {
            network.link(a, b)?;
        }
        network
            .namespace(exit)
            .add_address("lo", &format!("{INTERNET}/32"))?;
        let (to_carol, to_mallory) = (Ipv4Addr::new(10, 1, 3, 2), Ipv4Addr::new(10, 1, 4, 2));
        add_route(&network, carol, DEFAULT, to_carol, "to-exit")?;
        add_route(&network, mallory, DEFAULT, to_mallory, "to-exit")?;
        let home = format!("{}/32", bob.ipv4());
        add_route(
            &network,
            exit,
            &home,
            Ipv4Addr::new(10, 1, 3, 1),
            "to-carol",
        )?;
        let shape = "tc qdisc add dev to-exit root tbf burst 5kb latency 100ms rate";
        let shape: Vec<&str> = shape.split(' ').chain([UPLINK]).collect();
        let output = network.namespace(mallory).run(&shape, SHORT)?;
        ensure!(output.status.success(), "tc: {output:?}");

        network.start_on(carol, honest, &["to-bob"], &[])?;
        network.start_on(mallory, liar, &["to-bob"], &[])?;
        let statements = [&["in if to-carol metric 300"], bobs].concat();
        network.start_on(bob, Kind::Ours, &["to-carol", "to-mallory"], &statements)?;
        let limit = 2 * honest.patience().max(liar.patience());
        network.wait(
            "bob knows both ways and takes mallory's",
            limit,
            |network| {
                let ways = network.peer(bob)?.route_words(DEFAULT, "metric")?;
                Ok(ways.len() == 2 && network.leads(bob, DEFAULT, mallory)?)
            },
        )?;
        let mut command = network.namespace(exit).command("iperf3");
        command.args(["--server", "--forceflush", "--bind", INTERNET]);
        let server = network.namespace(exit).spawn("iperf3", command)?;
        network.wait("iperf3 listens", SHORT, |_| {
            Ok(server.log_tail(5).contains("Server listening"))
        })?;
        Ok(Self {
            _server: server,
            network,
            bob,
            carol,
            mallory,
        })
    }

    /// What bob's traffic to the internet gets now, in bits per second, as iperf3 measures it.
    fn throughput(&self) -> Result<f64> {
        let own = self.bob.ipv4().to_string();
        let argv = [
            "iperf3", "--client", INTERNET, "--bind", &own, "--time", "3", "--json",
        ];
        let output = self.network.namespace(self.bob).run(&argv, 2 * SHORT)?;
        let report: Value = serde_json::from_slice(&output.stdout)
            .with_context(|| format!("iperf3 said {output:?}"))?;
        let received = report.pointer("/end/sum_received/bits_per_second");
        let received = received.and_then(Value::as_f64);
        received.with_context(|| format!("no figure in {report}"))
    }

    /// Tells bob's daemon what a test through a neighbour gave.
    fn measure(&self, through: Id, result: &str) -> Result<()> {
        let (network, name) = (&self.network, self.network.name(through));
        let address = network.link_local(through, "to-bob")?;
        let statement = format!("measure neighbour {address} if to-{name} {result}");
        network.peer(self.bob)?.ask(&statement).map(drop)
    }

    /// Waits until bob's kernel sends the internet's packets through `next`.
    fn await_way(&self, next: Id, limit: Duration) -> Result<Duration> {
        let what = format!("bob leads {DEFAULT} to {}", self.network.name(next));
        self.network.wait(&what, limit, |network| {
            network.leads(self.bob, DEFAULT, next)
        })
    }
}

/// A route as an operator adds it.
fn add_route(network: &Network, node: Id, to: &str, via: Ipv4Addr, interface: &str) -> Result<()> {
    network.namespace(node).routes(|socket| {
        let mut route = Route::new(parse(to)?, MAIN_TABLE, RTPROT_STATIC);
        route.gateway = Some(via.into());
        route.oif = Some(socket.link_by_name(interface)?.index);
        Ok(socket.add_route(&route)?)
    })
}

/// One measurement of each, and the promise counts no more.
fn the_liar_loses_its_traffic(neighbours: Kind) -> Result<()> {
    let story = Story::begin("liar", neighbours, neighbours, &["qos-goal download 5M"])?;
    let before = story.throughput()?;
    story.measure(story.mallory, "download 1M upload 1M latency 20")?;
    story.measure(story.carol, "download 100M upload 100M latency 5")?;
    let took = story.await_way(story.carol, AT_ONCE)?;
    let after = story.throughput()?;
    let ratio = after / before;
    println!(
        "{neighbours}: {:.2} Mbit/s through mallory, {:.2} through carol: {ratio:.0} times as much; \
         moved {} ms after the second measurement",
        before / 1e6,
        after / 1e6,
        took.as_millis()
    );
    ensure!(ratio > RATIO, "only {ratio:.1} times as much");
    let overridden = story.network.peer(story.bob)?.ask("json status")?.concat();
    ensure!(overridden.contains("\"routes\""), "{overridden}");
    Ok(())
}

with_each!(the_liar_loses_its_traffic:
    the_liar_loses_beside_stock_babeld => Stock,
    the_liar_loses_beside_bird => Bird,
    the_liar_loses_beside_ours => Ours,
);

#[test]
fn with_nothing_measured_the_liar_is_believed_as_stock_babeld_believes_it() -> Result<()> {
    let story = Story::begin("believed", Kind::Stock, Kind::Stock, &[])?;
    story
        .network
        .stays("bob leads to mallory", AT_ONCE, |network| {
            network.leads(story.bob, DEFAULT, story.mallory)
        })
}
