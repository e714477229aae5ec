//! What one line of configuration means.

use super::interface::{InterfaceOptions, InterfaceSettings};
use super::key::Key;
use super::quality::{Measure, QualityOption};
use babel_core::filter::Rule;
use babel_core::prefix::Prefix;
use babel_core::types::RouterId;
use qos_ranker::{Peer, Prefer};
use std::net::{Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// One line, understood.
#[derive(Clone, PartialEq, Eq, Debug)]
#[allow(clippy::large_enum_variant)] // one at a time, and never kept
pub enum Statement {
    /// An empty line, a comment, or a word that is accepted without effect.
    Nothing,
    /// `interface NAME …`
    Interface(InterfaceSettings),
    /// `default …`
    Default(InterfaceOptions),
    /// `in …`, `out …`, `redistribute …`, `install …`
    Filter(FilterKind, Rule),
    /// `key …`
    Key(Key),
    /// Any option of the node.
    Global(Global),
    /// What only the control socket can ask for.
    Command(Command),
}

/// Which list a rule goes to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FilterKind {
    /// `in`
    In,
    /// `out`
    Out,
    /// `redistribute`
    Redistribute,
    /// `install`
    Install,
}

impl FilterKind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::In, Self::Out, Self::Redistribute, Self::Install];

    /// The word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::In => "in",
            Self::Out => "out",
            Self::Redistribute => "redistribute",
            Self::Install => "install",
        }
    }
}

/// Requests of the control socket.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Command {
    /// `flush interface NAME`
    FlushInterface(String),
    /// `flush filters [KIND]`: all rules of a kind, or of every kind.
    FlushFilters(Option<FilterKind>),
    /// `flush measurements [neighbour ADDRESS if NAME]`: those of one neighbour, or all.
    FlushMeasurements(Option<Peer>),
    /// `measure …`: somebody else's measurement.
    Measure(Measure),
    /// `speedtest neighbour ADDRESS if NAME [target NAME]`: a test now.
    Speedtest {
        /// Through this neighbour.
        peer: Peer,
        /// Against this target; `None`: the daemon chooses.
        target: Option<String>,
    },
    /// `reload [dry-run]`
    Reload {
        /// Only say what would change.
        dry_run: bool,
    },
    /// `reopen-logfile`
    ReopenLogfile,
    /// `dump`
    Dump,
    /// `monitor`
    Monitor,
    /// `unmonitor`
    Unmonitor,
    /// `quit`
    Quit,
}

/// An option of the node and its value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Global {
    /// `protocol-port`
    ProtocolPort(u16),
    /// `protocol-group`
    ProtocolGroup(Ipv6Addr),
    /// `kernel-priority`
    KernelPriority(u16),
    /// `reflect-kernel-metric`
    ReflectKernelMetric(bool),
    /// `allow-duplicates`
    AllowDuplicates(u16),
    /// `local-port`, `local-path` and their `-readwrite` forms: the last one wins.
    LocalSocket(LocalSocket),
    /// `export-table`
    ExportTable(u32),
    /// `import-table`: each adds one.
    ImportTable(u32),
    /// `kernel-check-interval`; `None` is 0, never.
    KernelCheckInterval(Option<Duration>),
    /// `shutdown-delay-ms`
    ShutdownDelay(Duration),
    /// `link-detect`
    LinkDetect(bool),
    /// `random-id`
    RandomId(bool),
    /// `daemonise`
    Daemonise(bool),
    /// `skip-kernel-setup`
    SkipKernelSetup(bool),
    /// `ipv6-subtrees`
    Ipv6Subtrees(bool),
    /// `state-file`; `None` is `""`, no such file.
    StateFile(Option<PathBuf>),
    /// `log-file`
    LogFile(Option<PathBuf>),
    /// `pid-file`
    PidFile(Option<PathBuf>),
    /// `debug`
    Debug(u32),
    /// `smoothing-half-life`; zero turns smoothing off.
    SmoothingHalfLife(Duration),
    /// `router-id`
    RouterId(RouterId),
    /// `metrics-port`
    MetricsListen(SocketAddr),
    /// `price` and `fee`: our fee per megabyte.
    Price(u32),
    /// `price-unit`
    PriceUnit(u16),
    /// `price-sub-tlv`
    PriceSubTlv(u8),
    /// `max-price`
    MaxPrice(MaxPrice),
    /// `require-price`
    RequirePrice(bool),
    /// `prefer`
    Prefer(Prefer),
    /// Everything about measuring neighbours and ranking by it.
    Quality(QualityOption),
    /// `althea-compat`: the control socket speaks as Althea's babeld does.
    AltheaCompat(bool),
    /// `metric-factor` and `quality-multiplier`, in 1/1000: kept to be shown, and no more.
    MetricFactor(u32),
}

impl Global {
    /// The word, if a running node cannot change it.
    pub const fn fixed(&self) -> Option<&'static str> {
        Some(match self {
            Self::ProtocolPort(_) => "protocol-port",
            Self::ProtocolGroup(_) => "protocol-group",
            Self::KernelPriority(_) => "kernel-priority",
            Self::ReflectKernelMetric(_) => "reflect-kernel-metric",
            Self::AllowDuplicates(_) => "allow-duplicates",
            Self::LocalSocket(LocalSocket {
                address: LocalAddress::Port(_),
                ..
            }) => "local-port",
            Self::LocalSocket(_) => "local-path",
            Self::ExportTable(_) => "export-table",
            Self::RandomId(_) => "random-id",
            Self::Daemonise(_) => "daemonise",
            Self::SkipKernelSetup(_) => "skip-kernel-setup",
            Self::PidFile(_) => "pid-file",
            Self::Debug(_) => "debug",
            Self::RouterId(_) => "router-id",
            Self::MetricsListen(_) => "metrics-port",
            Self::AltheaCompat(_) => "althea-compat",
            Self::ImportTable(_)
            | Self::KernelCheckInterval(_)
            | Self::ShutdownDelay(_)
            | Self::LinkDetect(_)
            | Self::Ipv6Subtrees(_)
            | Self::StateFile(_)
            | Self::LogFile(_)
            | Self::SmoothingHalfLife(_)
            | Self::Price(_)
            | Self::PriceUnit(_)
            | Self::PriceSubTlv(_)
            | Self::MaxPrice(_)
            | Self::RequirePrice(_)
            | Self::Prefer(_)
            | Self::Quality(_)
            | Self::MetricFactor(_) => return None,
        })
    }
}

/// A limit on what a route may cost.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MaxPrice {
    /// For destinations in this prefix; `None` for all.
    pub prefix: Option<Prefix>,
    /// At most this per megabyte; `None` for no limit.
    pub limit: Option<u32>,
}

/// Where and how the control socket listens.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LocalSocket {
    /// Where.
    pub address: LocalAddress,
    /// Whether clients may change things.
    pub read_write: bool,
}

/// Where the control socket listens.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LocalAddress {
    /// This TCP port of `::1`.
    Port(u16),
    /// A Unix socket.
    Path(PathBuf),
}
