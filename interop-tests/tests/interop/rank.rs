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
const GOOD_UPLINK: &str = "100mbit burst 100kb";
const BAD_UPLINK: &str = "1mbit burst 5kb";
const RTPROT_STATIC: u8 = 4;
const SHORT: Duration = Duration::from_secs(10);
/// The honest neighbour is worth this many times the liar; on an idle machine it is a hundred.
const RATIO: f64 = 10.0;
/// A test ends within half a minute.
const TEST_LIMIT: Duration = Duration::from_secs(60);
/// What the smallest test sends, in octets; and what Babel alone sends meanwhile, at most.
const MUCH: u64 = 200_000;
const LITTLE: u64 = 20_000;

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
        let (carols, mallorys) = (Ipv4Addr::new(10, 1, 3, 1), Ipv4Addr::new(10, 1, 4, 1));
        let home = format!("{}/32", bob.ipv4());
        add_route(&network, exit, &home, carols, "to-carol")?;
        // A test has the address that bob has on the neighbour's link.
        add_route(&network, exit, "10.1.1.1/32", carols, "to-carol")?;
        add_route(&network, exit, "10.1.2.1/32", mallorys, "to-mallory")?;
        shape(&network, carol, GOOD_UPLINK)?;
        shape(&network, mallory, BAD_UPLINK)?;

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
        let mut report = Value::Null;
        // The server may still be busy with what was on its way when the last client left.
        self.network.wait("iperf3 has time", 2 * SHORT, |network| {
            let output = network.namespace(self.bob).run(&argv, 2 * SHORT)?;
            report = serde_json::from_slice(&output.stdout)
                .with_context(|| format!("iperf3 said {output:?}"))?;
            let busy = report["error"]
                .as_str()
                .is_some_and(|why| why.contains("busy"));
            Ok(!busy)
        })?;
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

    /// Has bob's daemon test its way through a neighbour, and returns what `json tests` says of it.
    fn test(&self, through: Id) -> Result<Value> {
        let (network, name) = (&self.network, self.network.name(through));
        let interface = format!("to-{name}");
        let address = network.link_local(through, "to-bob")?;
        let bob = network.peer(self.bob)?;
        let statement = format!("speedtest neighbour {address} if {interface}");
        let what = format!("the test through {name} begins");
        network.wait(&what, SHORT, |_| Ok(bob.ask(&statement).is_ok()))?;
        let mut last = None;
        network.wait(&format!("the test through {name} ends"), TEST_LIMIT, |_| {
            for line in bob.ask("json tests")? {
                let test: Value = serde_json::from_str(&line)?;
                if test["if"] == *interface && test["state"] != "running" {
                    last = Some(test);
                }
            }
            Ok(last.is_some())
        })?;
        let test = last.context("it has ended")?;
        ensure!(test["state"] == "done", "{test}");
        Ok(test)
    }

    /// Octets that bob has sent to carol and to mallory.
    fn sent(&self) -> Result<[u64; 2]> {
        self.network.namespace(self.bob).routes(|socket| {
            let mut sent = |interface| -> Result<u64> {
                let index = socket.link_by_name(interface)?.index;
                Ok(socket.link_counters(index)?.sent_octets)
            };
            Ok([sent("to-carol")?, sent("to-mallory")?])
        })
    }

    /// Waits until bob's kernel sends the internet's packets through `next`.
    fn await_way(&self, next: Id, limit: Duration) -> Result<Duration> {
        let what = format!("bob leads {DEFAULT} to {}", self.network.name(next));
        self.network.wait(&what, limit, |network| {
            network.leads(self.bob, DEFAULT, next)
        })
    }
}

/// Makes a node's uplink as slow as that.
fn shape(network: &Network, node: Id, rate: &str) -> Result<()> {
    let command = format!("tc qdisc add dev to-exit root tbf latency 100ms rate {rate}");
    let argv: Vec<&str> = command.split(' ').collect();
    let output = network.namespace(node).run(&argv, SHORT)?;
    ensure!(output.status.success(), "{command}: {output:?}");
    Ok(())
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
    let status = story.network.peer(story.bob)?.ask("json status")?.concat();
    let status: Value = serde_json::from_str(&status)?;
    let counts = [
        &status["routes"]["overridden"],
        &status["route_changes"]["goal"],
    ];
    let counted = counts.iter().all(|count| count.as_u64() >= Some(1));
    ensure!(counted, "{status}");
    Ok(())
}

with_each!(the_liar_loses_its_traffic:
    the_liar_loses_beside_stock_babeld => Stock,
    the_liar_loses_beside_bird => Bird,
    the_liar_loses_beside_ours => Ours,
);

/// The daemon's own tests, against the iperf3 server: whichever way its routes lead, each leaves by
/// the neighbour that is tested. Both are honest at first sight, and one lies.
#[test]
fn tests_leave_by_their_neighbour_and_the_liar_loses_by_them() -> Result<()> {
    let target = format!("speedtest-target exit iperf3://{INTERNET}");
    let statements = ["qos-goal upload 5M", "quality-file \"\"", &target];
    let story = Story::begin("tests", Kind::Stock, Kind::Stock, &statements)?;
    for (place, through) in [story.carol, story.mallory].into_iter().enumerate() {
        let before = story.sent()?;
        let test = story.test(through)?;
        let after = story.sent()?;
        let sent = |place: usize| after[place] - before[place];
        let (own, other) = (sent(place), sent(1 - place));
        let name = story.network.name(through);
        println!("{name}: {own} octets sent to it, {other} to the other: {test}");
        ensure!(test["pinned"] == "upload", "{test}");
        // Hellos and updates of some seconds, and no more.
        ensure!(own > MUCH && other < LITTLE, "{own} and {other} octets");
    }
    story.await_way(story.carol, AT_ONCE)?;
    Ok(())
}

#[test]
fn with_nothing_measured_the_liar_is_believed_as_stock_babeld_believes_it() -> Result<()> {
    let story = Story::begin("believed", Kind::Stock, Kind::Stock, &[])?;
    story
        .network
        .stays("bob leads to mallory", AT_ONCE, |network| {
            network.leads(story.bob, DEFAULT, story.mallory)
        })
}
