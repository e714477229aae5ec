//! The daemons under test and beside it, each with a configuration that does the same: speak on the
//! given interfaces, announce the node's own addresses and its static routes, write what is learned
//! into the kernel.

mod babeld;
mod bird;
mod frr;

use anyhow::{Context, Result, ensure};
use babel_netlink::Family;
use netns::{Daemon, Namespace};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a daemon may take until it can be talked to.
const START_LIMIT: Duration = Duration::from_secs(10);

/// Whose daemon.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Ours.
    Ours,
    /// Stock babeld.
    Stock,
    /// BIRD 2.
    Bird,
    /// FRR's zebra and babeld.
    Frr,
}

/// A running daemon.
#[derive(Debug)]
pub struct Peer {
    /// Whose.
    pub kind: Kind,
    /// Its processes.
    pub daemons: Vec<Daemon>,
    /// Its control socket, if it is babeld's.
    pub control: Option<PathBuf>,
}

/// Where and how to run one.
#[derive(Debug)]
pub(crate) struct Place<'a> {
    /// For its files; made by [`Peer::start`].
    pub(crate) directory: PathBuf,
    pub(crate) namespace: &'a Namespace,
    /// The node's number: its router-id.
    pub(crate) number: u8,
    pub(crate) interfaces: &'a [&'a str],
    /// In babeld's language; for BIRD, options of each interface in its own.
    pub(crate) statements: &'a [&'a str],
}

impl Peer {
    /// Starts a daemon and waits until it can be talked to.
    pub(crate) fn start(kind: Kind, place: &Place<'_>) -> Result<Self> {
        fs::create_dir_all(&place.directory).context("making its directory")?;
        match kind {
            Kind::Ours | Kind::Stock => babeld::start(kind, place),
            Kind::Bird => bird::start(place),
            Kind::Frr => frr::start(place),
        }
    }
}

impl Kind {
    /// All of the others.
    pub const OTHERS: [Self; 3] = [Self::Stock, Self::Bird, Self::Frr];

    /// How its routes are marked in the kernel (`RTPROT_*`).
    pub fn protocol(self) -> u8 {
        match self {
            Self::Ours | Self::Stock | Self::Frr => 42,
            Self::Bird => 12,
        }
    }

    /// The metric of its routes in the kernel.
    pub fn priority(self, family: Family) -> u32 {
        match (self, family) {
            (Self::Ours | Self::Stock, Family::V4) => 0,
            (Self::Ours | Self::Stock, Family::V6) => 1024,
            (Self::Bird, _) => 32,
            (Self::Frr, _) => 20,
        }
    }

    /// In how many seconds it is sure to notice that a neighbour fell silent, or to be noticed.
    pub fn patience(self) -> Duration {
        Duration::from_secs(match self {
            Self::Ours | Self::Stock | Self::Bird => 15,
            // 4 s Hellos, timers that come late.
            Self::Frr => 45,
        })
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ours => "our babeld",
            Self::Stock => "stock babeld",
            Self::Bird => "BIRD",
            Self::Frr => "FRR",
        })
    }
}

impl Place<'_> {
    fn file(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    fn write(&self, name: &str, text: &str) -> Result<PathBuf> {
        let path = self.file(name);
        fs::write(&path, text).with_context(|| format!("writing {}", path.display()))?;
        Ok(path)
    }
}

/// Refuses to go on without a program that `./run-tests` installs.
fn installed(program: &'static str) -> Result<&'static str> {
    ensure!(
        Path::new(program).is_file(),
        "{program} is not installed: ./run-tests installs it, or apt-get install babeld bird2 frr"
    );
    Ok(program)
}

/// Waits until a daemon made the socket it is talked to through.
fn await_socket(daemon: &mut Daemon, path: &Path) -> Result<()> {
    let made = netns::wait_for(START_LIMIT, || {
        if let Some(status) = daemon.exited() {
            return Some(Err(status));
        }
        path.exists().then_some(Ok(()))
    });
    let said = || format!("{} said:\n{}", daemon.name(), daemon.log_tail(40));
    match made {
        Some(Ok(())) => Ok(()),
        Some(Err(status)) => Err(anyhow::anyhow!("it ended with {status}")).with_context(said),
        None => Err(anyhow::anyhow!("no {} yet", path.display())).with_context(said),
    }
}
