//! The real daemon under neighbours that mean harm: more prefixes than any limit allows, requests
//! and garbage as fast as the link carries them. A decent neighbour's routes must survive it, and
//! memory must stay below what docs/limits.md promises. Needs root; all of it is in namespaces.

// The bench's neighbour and meter; not all of what they can do is needed here.
#[allow(dead_code)]
#[path = "../benches/load/neighbour.rs"]
mod neighbour;
#[allow(dead_code)]
#[path = "../benches/load/process.rs"]
mod process;

use anyhow::{Context, Result, bail, ensure};
use babel_core::config::Limits;
use babel_core::types::{Metric, RouterId, SeqNo};
use babel_core::wire::PacketWriter;
use neighbour::Neighbour;
use netns::{Daemon, Lab, Namespace, link, wait_for};
use process::Usage;
use std::io::{Read, Write};
use std::net::{Ipv6Addr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

/// What docs/limits.md promises, in octets.
const MEMORY: u64 = 256 << 20;
/// Enough to meet the limit on all prefixes, each alone enough to meet its own.
const HOSTILES: u64 = 4;
const EACH: u64 = 200_000;
const ORIGINATORS: u64 = 10_000;
/// What the decent neighbour announces: numbers far from the others'.
const DECENT: core::ops::Range<u64> = 10_000_000..10_000_100;
const SOON: Duration = Duration::from_secs(20);
const METRICS_PORT: u16 = 33_125;

/// A daemon, a decent neighbour, and others, each on a link of its own.
struct Scene {
    daemon: Daemon,
    decent: Neighbour,
    hostile: Vec<Neighbour>,
    node: Namespace,
    _others: Vec<Namespace>,
    _directory: tempfile::TempDir,
}

impl Scene {
    fn set_up() -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let lab = Lab::with_helper(netns::sibling("babelctl")?, directory.path());
        let node = lab.namespace(&format!("hostile-node-{}", std::process::id()))?;
        let interfaces: Vec<String> = (0..=HOSTILES).map(|n| format!("d{n}")).collect();
        let mut others = Vec::new();
        for interface in &interfaces {
            let name = format!("hostile-{interface}-{}", std::process::id());
            let other = lab.namespace(&name)?;
            link(&node, interface, &other, "e0")?;
            others.push(other);
        }
        let mut command = node.command(netns::sibling("babeld")?);
        command
            .arg("-I")
            .arg(directory.path().join("pid"))
            .arg("-S")
            .arg(directory.path().join("state"))
            .args(["-C", &format!("metrics-port {METRICS_PORT}")])
            .args(&interfaces);
        let daemon = node.spawn("babeld", command)?;
        let mut neighbours = others
            .iter()
            .map(|other| Neighbour::join(other, "e0"))
            .collect::<Result<Vec<_>>>()?;
        for neighbour in &neighbours {
            neighbour
                .wait_usable(SOON)
                .with_context(|| daemon.log_tail(5))?;
        }
        Ok(Self {
            decent: neighbours.remove(0),
            hostile: neighbours,
            daemon,
            node,
            _others: others,
            _directory: directory,
        })
    }

    /// The daemon runs, its memory is bounded, and the decent neighbour's routes are in the kernel.
    fn check(&mut self, when: &str) -> Result<()> {
        if let Some(status) = self.daemon.exited() {
            bail!(
                "{when}: it has ended, {status}: {}",
                self.daemon.log_tail(20)
            );
        }
        let peak = Usage::of(self.daemon.pid())?.peak_rss;
        println!(
            "{when}: at most {:.1} MiB",
            peak as f64 / f64::from(1 << 20)
        );
        ensure!(peak < MEMORY, "{when}: {peak} octets");
        self.installed()?.with_context(|| format!("{when}: lost"))
    }

    /// The first of the decent neighbour's prefixes that the kernel has no route for, if any.
    fn installed(&self) -> Result<Result<()>> {
        self.node.with(|| {
            let socket = UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0))?;
            for n in DECENT {
                let destination = neighbour::prefix(n).dst().address();
                if let Err(error) = socket.connect((destination, 9)) {
                    return Ok(Err(error).with_context(|| destination.to_string()));
                }
            }
            Ok(Ok(()))
        })?
    }

    fn wait_installed(&self) -> Result<()> {
        let installed = || matches!(self.installed(), Ok(Ok(()))).then_some(());
        wait_for(SOON, installed).context("the decent neighbour's routes are not installed")
    }

    /// The sum of a metric over its labels.
    fn metric(&self, name: &str) -> Result<f64> {
        let text = self.node.with(scrape)??;
        let values = text
            .lines()
            .filter(|line| {
                line.starts_with(&format!("{name} ")) || line.starts_with(&format!("{name}{{"))
            })
            .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
        Ok(values.sum())
    }
}

fn scrape() -> Result<String> {
    let mut stream = TcpStream::connect((Ipv6Addr::LOCALHOST, METRICS_PORT)).context("metrics")?;
    stream.set_read_timeout(Some(SOON))?;
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text)
}

/// Packets full of requests: for everything, for routes known and unknown, for new seqnos.
fn requests() -> Vec<Vec<u8>> {
    (0..200)
        .map(|n| {
            let mut packet = PacketWriter::new(Vec::new(), 1400);
            let _ = packet.route_request(None);
            for n in n * 100..n * 100 + 100 {
                let key = neighbour::prefix(if n % 2 == 0 {
                    DECENT.start + n % 100
                } else {
                    n
                });
                let _ = packet.route_request(Some(&key));
                let router_id = RouterId((0x0200_0000_0001_0000 + n % 3).to_be_bytes());
                let _ = packet.seqno_request(&key, SeqNo(n as u16), 64, router_id);
            }
            packet.finish()
        })
        .collect()
}

/// Packets that were good until somebody changed some octets, and packets that never were.
fn garbage() -> Vec<Vec<u8>> {
    let mut rng = fastrand::Rng::with_seed(9);
    let mut good = requests();
    good.extend(neighbour::updates(0..20_000, 3, Metric(50)));
    let mutated = good.into_iter().map(|mut packet| {
        for _ in 0..rng.usize(1..12) {
            let place = rng.usize(4..packet.len());
            if let Some(octet) = packet.get_mut(place) {
                *octet = rng.u8(..);
            }
        }
        packet
    });
    let mutated: Vec<Vec<u8>> = mutated.collect();
    let random = (0..400).map(|_| {
        let length = rng.usize(0..1400);
        let mut packet = vec![42, 2, (length >> 8) as u8, length as u8];
        packet.extend((0..length).map(|_| rng.u8(..)));
        packet
    });
    random.chain(mutated).collect()
}

#[test]
fn a_decent_neighbour_survives_hostile_ones_and_memory_stays_bounded() -> Result<()> {
    let mut scene = Scene::set_up()?;
    let decent = neighbour::updates(DECENT, 10, Metric(100));
    scene.decent.send(&decent, &scene.node)?;
    scene.wait_installed()?;
    scene.check("before")?;

    for (n, hostile) in scene.hostile.iter().enumerate() {
        let first = n as u64 * EACH;
        let packets = neighbour::updates(first..first + EACH, ORIGINATORS, Metric(100));
        hostile.send(&packets, &scene.node)?;
    }
    let limit = Limits::default();
    let full = || {
        let held = scene.metric("babel_neighbour_routes").ok()?;
        (held >= limit.prefixes as f64).then_some(held)
    };
    let held = wait_for(SOON, full).context("the limits are not reached")?;
    ensure!(held <= limit.prefixes as f64, "{held} routes");
    // Nobody got more than its own limit either.
    let refused = scene.metric("babel_limited_total")?;
    let surplus = (HOSTILES * EACH) as f64 - held;
    ensure!(refused >= surplus, "{refused} refused, not {surplus}");
    scene.check("with full tables")?;

    let hostile = scene.hostile.first().context("a hostile neighbour")?;
    for (packets, what) in [(requests(), "requests"), (garbage(), "garbage")] {
        let end = Instant::now() + Duration::from_secs(3);
        let mut sent = 0;
        while Instant::now() < end {
            hostile.send(&packets, &scene.node)?;
            sent += packets.len();
        }
        println!("{sent} packets of {what}");
    }
    scene.check("after requests and garbage")?;

    // It still learns, for whoever comes.
    let worse = neighbour::updates(DECENT, 10, Metric(300));
    scene.decent.send(&worse, &scene.node)?;
    let told = || (scene.metric("babel_packets_received_total").ok()? > 0.0).then_some(());
    wait_for(SOON, told).context("it does not answer any more")?;
    scene.check("in the end")?;
    let status = scene.daemon.stop(Duration::from_secs(30))?;
    ensure!(
        status.is_some_and(|status| status.success()),
        "{status:?}: {}",
        scene.daemon.log_tail(20)
    );
    Ok(())
}
