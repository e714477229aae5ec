//! What the control socket, the metrics and `babelctl` may see and do of a running node.
//!
//! The runtime implements [`Node`]; everything that answers questions is written against it, so
//! that it can be tested without sockets or a kernel.

use babel_core::Engine;
use babel_core::time::Instant;
use babel_core::types::LinkId;
use babel_price_tlv::PriceExtension;
use qos_ranker::QosPolicy;
use std::net::{Ipv4Addr, Ipv6Addr};

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
    /// Reads the configuration files again and applies the difference, unless `dry_run`; a line
    /// for each thing that changed, or would.
    fn reload(&mut self, dry_run: bool) -> Result<Vec<String>, Refused> {
        let _ = dry_run;
        Err(Refused::No("there are no files to read again".into()))
    }
}
