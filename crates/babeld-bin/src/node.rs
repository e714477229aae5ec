//! What the control socket, the metrics and `babelctl` may see and do of a running node.
//!
//! The runtime implements [`Node`]; everything that answers questions is written against it, so
//! that it can be tested without sockets or a kernel.

use babel_core::Engine;
use babel_core::time::Instant;
use babel_core::types::LinkId;
use babel_price_tlv::PriceExtension;
use qos_ranker::{Peer, Pinned, QosPolicy, Rate, Standing};
use speedtest::{Outcome, Phase};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

/// The engine with our extension and policy: the one place that names both.
pub type NodeEngine = Engine<PriceExtension, QosPolicy>;

/// A Babel interface as operators see it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InterfaceView {
    /// The engine's handle.
    pub link: LinkId,
    /// The kernel's name.
    pub name: String,
    /// Whether Babel runs on it now.
    pub up: bool,
    /// Our link-local address, when up.
    pub ipv6: Option<Ipv6Addr>,
    /// Our IPv4 address there, when up.
    pub ipv4: Option<Ipv4Addr>,
    /// Why it is down, for people ("no link-local address").
    pub down_reason: Option<String>,
}

/// What the kernel side has done since start.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct KernelCounters {
    /// Routes written or replaced.
    pub routes_written: u64,
    /// Routes deleted.
    pub routes_deleted: u64,
    /// Operations the kernel refused.
    pub errors: u64,
    /// Routes of ours that vanished underneath and were put back.
    pub repaired: u64,
    /// Times the kernel's notifications overran and everything was read again.
    pub overruns: u64,
}

/// A speed test through one neighbour, running or ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TestView {
    /// Counts tests since start, from 1.
    pub id: u64,
    /// Through whom.
    pub peer: Peer,
    /// The name of the target.
    pub target: String,
    /// Which directions surely go through the neighbour.
    pub pinned: Pinned,
    /// Octets it has spent.
    pub bytes: u64,
    /// Octets it may spend.
    pub bytes_limit: u64,
    /// How long it has run, or ran.
    pub elapsed: Duration,
    /// Since it ended; `None` while it runs.
    pub ended_ago: Option<Duration>,
    /// How it stands.
    pub state: TestState,
}

/// How a speed test stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TestState {
    /// At work.
    Running {
        /// On this.
        phase: Phase,
        /// At this rate just now.
        rate: Rate,
    },
    /// Ended well.
    Done(Outcome),
    /// Ended without a result, and why.
    Failed(String),
}

/// What speed tests did since start.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct TestCounters {
    /// Tests that ended with a result.
    pub run: u64,
    /// Tests that were due and not begun: a busy link, a spent budget.
    pub skipped: u64,
    /// Tests that ended without a result.
    pub failed: u64,
    /// Octets spent, of all tests.
    pub bytes: u64,
}

/// A statement was not carried out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Refused {
    /// Not understood, or not allowed at run time: `bad`.
    Bad(String),
    /// Understood, but impossible now: `no MESSAGE`.
    No(String),
}

/// A running node.
pub trait Node {
    /// The engine's present.
    fn now(&self) -> Instant;
    /// The protocol's tables.
    fn engine(&self) -> &NodeEngine;
    /// All configured interfaces, in order of configuration.
    fn interfaces(&self) -> Vec<InterfaceView>;
    /// What the kernel side has done.
    fn kernel_counters(&self) -> KernelCounters;
    /// Carries out a configuration statement at run time.
    fn execute(&mut self, statement: &str) -> Result<(), Refused>;
    /// `metric-factor`, for Althea's clients.
    fn metric_factor(&self) -> u32 {
        crate::config::DEFAULT_METRIC_FACTOR
    }
    /// What is known of the neighbours' quality; empty where they are not ranked.
    fn quality(&self) -> Vec<Standing> {
        Vec::new()
    }
    /// The speed tests that run, then the last that ended, newest first.
    fn tests(&self) -> Vec<TestView> {
        Vec::new()
    }
    /// What speed tests did since start.
    fn test_counters(&self) -> TestCounters {
        TestCounters::default()
    }
    /// Reads the configuration files again and applies the difference, unless `dry_run`; a line
    /// for each thing that changed, or would.
    fn reload(&mut self, dry_run: bool) -> Result<Vec<String>, Refused> {
        let _ = dry_run;
        Err(Refused::No("there are no files to read again".into()))
    }
}
