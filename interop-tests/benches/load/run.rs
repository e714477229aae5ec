//! One run: a daemon between two fake neighbours takes in a table, is told it again, and loses it.

use crate::neighbour::{self, Neighbour};
use crate::process::Usage;
use anyhow::{Context, Result, bail};
use babel_core::types::Metric;
use babel_netlink::{DumpItem, Family, MAIN_TABLE, RouteFilter, RouteKind};
use netns::{Daemon, Lab, Namespace, link};
use std::net::{Ipv6Addr, UdpSocket};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

/// How long anything may take before the run is given up.
const LIMIT: Duration = Duration::from_secs(120);
/// After the last effect was seen, so that what trails behind is counted too.
const AFTERMATH: Duration = Duration::from_secs(1);
/// The same for retractions, which are repeated for some seconds.
const LONG_AFTERMATH: Duration = Duration::from_secs(4);
/// Prefixes looked at to see whether all are gone, twice.
const SAMPLES: u64 = 32;
/// Routes to one originator come eight in a row.
const ORIGINATORS: u64 = u64::MAX;

/// What one phase took.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub(crate) struct Phase {
    /// Seconds until the kernel was as it should be.
    pub(crate) kernel: f64,
    /// Seconds until the neighbour on the other side knew.
    pub(crate) told: f64,
    /// Updates to the other side for each prefix, some time afterwards included.
    pub(crate) copies: f64,
    /// What the daemon used, some time afterwards included.
    pub(crate) usage: Usage,
}

/// What a run measured.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub(crate) struct Measured {
    pub(crate) load: Phase,
    /// The same updates again, as each neighbour sends them periodically.
    pub(crate) refresh: Phase,
    pub(crate) withdrawal: Phase,
    /// Memory when the links were up and nothing was learned.
    pub(crate) idle_rss: u64,
    /// Packets that the daemon's socket lost.
    pub(crate) drops: u64,
}

impl Measured {
    /// Octets of peak memory for each route of `size`.
    pub(crate) fn per_route(&self, size: u64) -> f64 {
        self.load.usage.peak_rss.saturating_sub(self.idle_rss) as f64 / size as f64
    }
}

/// The daemon's place: `west` announces, `east` listens.
struct Scene {
    daemon: Daemon,
    west: Neighbour,
    east: Neighbour,
    node: Namespace,
    /// Held for as long as their ends are needed.
    _others: [Namespace; 2],
}

/// Measures `program` with `size` prefixes.
pub(crate) fn run(program: &Path, size: u64, directory: &Path) -> Result<Measured> {
    // Each life has its own files: the last one was ended without a chance to clean up.
    let directory = tempfile::tempdir_in(directory).context("a directory for a run")?;
    let mut scene = Scene::set_up(program, directory.path())?;
    let outcome = scene.measure(size);
    outcome.with_context(|| {
        let tail = scene.daemon.log_tail(5);
        format!("{} with {size} prefixes: {tail}", program.display())
    })
}

impl Scene {
    fn set_up(program: &Path, directory: &Path) -> Result<Self> {
        let lab = Lab::new(directory)?;
        let name = |part: &str| format!("load-{part}-{}", std::process::id());
        let node = lab.namespace(&name("node"))?;
        let (west, east) = (lab.namespace(&name("west"))?, lab.namespace(&name("east"))?);
        link(&node, "d0", &west, "e0")?;
        link(&node, "d1", &east, "e0")?;
        let mut command = node.command(program);
        command
            .arg("-I")
            .arg(directory.join("pid"))
            .arg("-S")
            .arg(directory.join("state"))
            .args(["d0", "d1"]);
        let daemon = node.spawn("babeld", command)?;
        let scene = Self {
            west: Neighbour::join(&west, "e0")?,
            east: Neighbour::join(&east, "e0")?,
            daemon,
            node,
            _others: [west, east],
        };
        for neighbour in [&scene.west, &scene.east] {
            neighbour
                .wait_usable(Duration::from_secs(20))
                .with_context(|| scene.daemon.log_tail(5))?;
        }
        // What follows from a new neighbour, first dumps included, is over by then.
        thread::sleep(Duration::from_secs(2));
        Ok(scene)
    }

    fn measure(&mut self, size: u64) -> Result<Measured> {
        let idle_rss = self.usage()?.peak_rss;
        let finite = neighbour::updates(0..size, ORIGINATORS, Metric(100));
        let infinite = neighbour::updates(0..size, ORIGINATORS, Metric::INFINITY);
        let before = entries(&self.node)?;
        let load = self.phase(&finite, AFTERMATH, size, size, |node| {
            Ok(entries(node)? >= before + size)
        })?;
        if unicast_routes(&self.node)? != size {
            bail!("the kernel does not hold what was announced");
        }
        let refresh = self.phase(&finite, AFTERMATH, size, size, |_| Ok(true))?;
        let withdrawal = self.phase(&infinite, LONG_AFTERMATH, size, 0, |node| {
            Ok(node.with(|| nothing_leads(size))?? && unicast_routes(node)? == 0)
        })?;
        Ok(Measured {
            load,
            refresh,
            withdrawal,
            idle_rss,
            drops: neighbour::drops(&self.node)?,
        })
    }

    /// Sends packets and waits until the kernel has taken their effect and `held` prefixes are
    /// announced in the east.
    fn phase(
        &mut self,
        packets: &[Vec<u8>],
        aftermath: Duration,
        size: u64,
        held: u64,
        settled: impl Fn(&Namespace) -> Result<bool> + Sync,
    ) -> Result<Phase> {
        let (before, heard) = (self.usage()?, self.east.updates());
        let start = Instant::now();
        let (kernel, told) = thread::scope(|scope| -> Result<_> {
            let sender = scope.spawn(|| self.west.send(packets, &self.node));
            let (mut kernel, mut told) = (None, None);
            while kernel.is_none() || told.is_none() {
                if kernel.is_none() && settled(&self.node)? {
                    kernel = Some(start.elapsed());
                }
                if told.is_none() && self.east.held() == held {
                    told = Some(start.elapsed());
                }
                if start.elapsed() > LIMIT {
                    bail!(
                        "kernel {kernel:?}, told {told:?}, {} held in the east",
                        self.east.held()
                    );
                }
                thread::sleep(Duration::from_millis(1));
            }
            sender
                .join()
                .map_err(|_| anyhow::anyhow!("the sender panicked"))??;
            Ok((kernel.unwrap_or_default(), told.unwrap_or_default()))
        })?;
        thread::sleep(aftermath);
        Ok(Phase {
            kernel: kernel.as_secs_f64(),
            told: told.as_secs_f64(),
            copies: (self.east.updates() - heard) as f64 / size as f64,
            usage: self.usage()?.since(before),
        })
    }

    fn usage(&mut self) -> Result<Usage> {
        if let Some(status) = self.daemon.exited() {
            bail!("the daemon has ended: {status}");
        }
        Usage::of(self.daemon.pid())
    }
}

/// Entries in all the IPv6 routing tables of a namespace, by the kernel's own count.
fn entries(namespace: &Namespace) -> Result<u64> {
    let path = "/proc/thread-self/net/rt6_stats";
    let stats = namespace
        .with(|| std::fs::read_to_string(path))?
        .with_context(|| format!("reading {path}"))?;
    let entries = stats.split_whitespace().nth(3).context("rt6_stats")?;
    u64::from_str_radix(entries, 16).context("rt6_stats")
}

/// Whether the kernel knows no way to any of some prefixes, the last ones announced among them.
/// Reading the whole table time and again would hold up whoever writes it.
fn nothing_leads(size: u64) -> Result<bool> {
    let socket = UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0)).context("a socket to probe with")?;
    let spread = (0..size).rev().step_by((size / SAMPLES).max(1) as usize);
    let last = (0..size).rev().take(SAMPLES as usize);
    Ok(last.chain(spread).all(|n| {
        let destination = neighbour::prefix(n).dst().address();
        socket.connect((destination, 9)).is_err()
    }))
}

/// Routes among ours that lead somewhere.
fn unicast_routes(namespace: &Namespace) -> Result<u64> {
    let filter = RouteFilter::new(Family::V6).table(MAIN_TABLE);
    let mut count = 0;
    namespace.routes(|socket| {
        let _ = socket.dump_routes(&filter, |item| match item {
            DumpItem::Route(route) => {
                let leads = route.kind == RouteKind::Unicast && route.gateway.is_some();
                count += u64::from(leads);
            }
            DumpItem::Restart => count = 0,
        })?;
        Ok(())
    })?;
    Ok(count)
}
