//! Everything a node needs to know before it starts.

use super::error::{ConfigError, Place, Warning};
use super::interface::{InterfaceOptions, InterfaceSettings};
use super::key::Key;
use super::parse::Parsed;
use super::quality::QualitySettings;
use super::statement::{FilterKind, Global, LocalSocket, MaxPrice, Statement};
use babel_core::filter::{Action, Filters, Rule};
use babel_core::types::RouterId;
use qos_ranker::Prefer;
use std::net::{Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Import tables are at most this many, as in stock babeld.
pub const MAX_IMPORT_TABLES: usize = 10;
/// The kernel's main table: where routes go to and come from by default.
pub const MAIN_TABLE: u32 = 254;
/// `metric-factor` of Althea's babeld, unless it is set.
pub const DEFAULT_METRIC_FACTOR: u32 = 1900;
/// At most this many different warnings are kept.
const MAX_WARNINGS: usize = 100;

/// The configuration of a node; [`Settings::default`] is stock babeld's.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settings {
    /// Interfaces in order of first mention, without `default` merged in.
    pub interfaces: Vec<InterfaceSettings>,
    /// What `default` lines have said so far; see [`Settings::interface_options`].
    pub defaults: InterfaceOptions,
    /// Filter rules as given; see [`Settings::effective_filters`].
    pub filters: Filters,
    /// Keys in order of first mention, one for each id.
    pub keys: Vec<Key>,
    /// UDP port, ours and the peers'.
    pub protocol_port: u16,
    /// Multicast group.
    pub protocol_group: Ipv6Addr,
    /// Priority of our routes in the kernel.
    pub kernel_priority: u16,
    /// Add the metric to the priority.
    pub reflect_kernel_metric: bool,
    /// Kernel routes of at least this metric do not shadow ours; `None`: all do.
    pub allow_duplicates: Option<u16>,
    /// The control socket.
    pub local_socket: Option<LocalSocket>,
    /// Table our routes go to.
    pub export_table: u32,
    /// Tables named by `import-table`; see [`Settings::import_tables`].
    pub import_tables: Vec<u32>,
    /// Between full reads of the kernel's routes; `None`: never.
    pub kernel_check_interval: Option<Duration>,
    /// Between saying goodbye and removing routes.
    pub shutdown_delay: Duration,
    /// An interface without carrier is down.
    pub link_detect: bool,
    /// Draw the router-id at random.
    pub random_id: bool,
    /// Go into the background.
    pub daemonise: bool,
    /// Leave the sysctls alone.
    pub skip_kernel_setup: bool,
    /// Accepted; source-specific IPv6 routes always use the kernel's subtrees.
    pub ipv6_subtrees: Option<bool>,
    /// Where the seqno is kept between runs.
    pub state_file: Option<PathBuf>,
    /// Log file as given; see [`Settings::log_file_in_use`].
    pub log_file: Option<PathBuf>,
    /// Where the process id is written.
    pub pid_file: Option<PathBuf>,
    /// Debug level: 1 dumps tables, 2 traces packets, 3 the kernel.
    pub debug: u32,
    /// Half-life of the metric's smoothing; zero turns it off.
    pub smoothing_half_life: Duration,
    /// Router-id as given.
    pub router_id: Option<RouterId>,
    /// Where Prometheus text is served.
    pub metrics_listen: Option<SocketAddr>,
    /// `-h`: between Hellos on wireless interfaces.
    pub wireless_hello_interval: Duration,
    /// `-H`: between Hellos on all others.
    pub wired_hello_interval: Duration,
    /// `-w`: interfaces of no given type are wireless.
    pub all_wireless: bool,
    /// Our fee per megabyte.
    pub price: Option<u32>,
    /// The unit of account.
    pub price_unit: Option<u16>,
    /// The sub-TLV's type.
    pub price_sub_tlv: Option<u8>,
    /// Limits on what routes may cost, one for each prefix.
    pub max_price: Vec<MaxPrice>,
    /// Unpriced routes are ineligible.
    pub require_price: Option<bool>,
    /// Which of rank and price comes first.
    pub prefer: Prefer,
    /// Measuring neighbours, and ranking by it.
    pub quality: QualitySettings,
    /// The control socket speaks as Althea's babeld does.
    pub althea_compat: bool,
    /// What Althea's babeld would weigh prices with, in 1/1000: shown to its clients.
    pub metric_factor: u32,
    /// What the operator should be told, one for each word.
    pub warnings: Vec<Warning>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            interfaces: Vec::new(),
            defaults: InterfaceOptions::default(),
            filters: Filters::default(),
            keys: Vec::new(),
            protocol_port: 6696,
            protocol_group: Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 1, 6),
            kernel_priority: 0,
            reflect_kernel_metric: false,
            allow_duplicates: None,
            local_socket: None,
            export_table: MAIN_TABLE,
            import_tables: Vec::new(),
            kernel_check_interval: Some(Duration::from_secs(300)),
            shutdown_delay: Duration::ZERO,
            link_detect: false,
            random_id: false,
            daemonise: false,
            skip_kernel_setup: false,
            ipv6_subtrees: None,
            state_file: Some(PathBuf::from("/var/lib/babel-state")),
            log_file: None,
            pid_file: Some(PathBuf::from("/var/run/babeld.pid")),
            debug: 0,
            smoothing_half_life: Duration::from_secs(4),
            router_id: None,
            metrics_listen: None,
            wireless_hello_interval: Duration::from_secs(4),
            wired_hello_interval: Duration::from_secs(4),
            all_wireless: false,
            price: None,
            price_unit: None,
            price_sub_tlv: None,
            max_price: Vec::new(),
            require_price: None,
            prefer: Prefer::Quality,
            quality: QualitySettings::default(),
            althea_compat: false,
            metric_factor: DEFAULT_METRIC_FACTOR,
            warnings: Vec::new(),
        }
    }
}

impl Settings {
    /// Keeps the warnings of a line and applies its statement.
    pub fn absorb(&mut self, parsed: Parsed) {
        for warning in parsed.warnings {
            self.warn(warning);
        }
        self.apply(parsed.statement);
    }

    /// Refuses a statement that does not fit those before it: a key that is not defined by now,
    /// one goal or target too many. `text` is its line.
    pub fn check(
        &self,
        statement: &Statement,
        text: &str,
        place: &Place,
    ) -> Result<(), ConfigError> {
        self.check_keys(statement, text, place)?;
        let Statement::Global(Global::Quality(option)) = statement else {
            return Ok(());
        };
        let Some(reason) = self.quality.refuses(option) else {
            return Ok(());
        };
        Err(ConfigError {
            place: place.clone(),
            column: 1,
            word: Box::default(),
            reason,
            hint: None,
            text: text.into(),
        })
    }

    /// Applies a statement. Commands of the control socket are not settings and change nothing.
    pub fn apply(&mut self, statement: Statement) {
        match statement {
            Statement::Nothing | Statement::Command(_) => {}
            Statement::Interface(interface) => self.apply_interface(interface),
            Statement::Default(options) => self.defaults.merge(&options),
            Statement::Filter(kind, rule) => self.rules_mut(kind).push(rule),
            Statement::Key(key) => match self.keys.iter_mut().find(|k| k.id == key.id) {
                Some(known) => *known = key,
                None => self.keys.push(key),
            },
            Statement::Global(global) => self.apply_global(global),
        }
    }

    /// Adds an interface, or merges options into one that is known.
    pub fn apply_interface(&mut self, interface: InterfaceSettings) {
        match self
            .interfaces
            .iter_mut()
            .find(|known| known.name == interface.name)
        {
            Some(known) => known.options.merge(&interface.options),
            None => self.interfaces.push(interface),
        }
    }

    /// Applies an option of the node.
    pub fn apply_global(&mut self, global: Global) {
        match global {
            Global::ProtocolPort(v) => self.protocol_port = v,
            Global::ProtocolGroup(v) => self.protocol_group = v,
            Global::KernelPriority(v) => self.kernel_priority = v,
            Global::ReflectKernelMetric(v) => self.reflect_kernel_metric = v,
            Global::AllowDuplicates(v) => self.allow_duplicates = Some(v),
            Global::LocalSocket(v) => self.local_socket = Some(v),
            Global::ExportTable(v) => self.export_table = v,
            Global::ImportTable(v) => {
                if !self.import_tables.contains(&v) {
                    self.import_tables.push(v);
                }
            }
            Global::KernelCheckInterval(v) => self.kernel_check_interval = v,
            Global::ShutdownDelay(v) => self.shutdown_delay = v,
            Global::LinkDetect(v) => self.link_detect = v,
            Global::RandomId(v) => self.random_id = v,
            Global::Daemonise(v) => self.daemonise = v,
            Global::SkipKernelSetup(v) => self.skip_kernel_setup = v,
            Global::Ipv6Subtrees(v) => self.ipv6_subtrees = Some(v),
            Global::StateFile(v) => self.state_file = v,
            Global::LogFile(v) => self.log_file = v,
            Global::PidFile(v) => self.pid_file = v,
            Global::Debug(v) => self.debug = v,
            Global::SmoothingHalfLife(v) => self.smoothing_half_life = v,
            Global::RouterId(v) => self.router_id = Some(v),
            Global::MetricsListen(v) => self.metrics_listen = Some(v),
            Global::Price(v) => self.price = Some(v),
            Global::PriceUnit(v) => self.price_unit = Some(v),
            Global::PriceSubTlv(v) => self.price_sub_tlv = Some(v),
            Global::MaxPrice(v) => self.apply_max_price(v),
            Global::RequirePrice(v) => self.require_price = Some(v),
            Global::Prefer(v) => self.prefer = v,
            Global::Quality(option) => self.quality.apply(option),
            Global::AltheaCompat(v) => self.althea_compat = v,
            Global::MetricFactor(v) => self.metric_factor = v,
        }
    }

    /// The rules of one kind, as given.
    pub fn rules(&self, kind: FilterKind) -> &[Rule] {
        match kind {
            FilterKind::In => &self.filters.input,
            FilterKind::Out => &self.filters.output,
            FilterKind::Redistribute => &self.filters.redistribute,
            FilterKind::Install => &self.filters.install,
        }
    }

    /// The rules of one kind, to change.
    pub fn rules_mut(&mut self, kind: FilterKind) -> &mut Vec<Rule> {
        match kind {
            FilterKind::In => &mut self.filters.input,
            FilterKind::Out => &mut self.filters.output,
            FilterKind::Redistribute => &mut self.filters.redistribute,
            FilterKind::Install => &mut self.filters.install,
        }
    }

    /// Keeps a warning unless there is one for the same word.
    pub fn warn(&mut self, warning: Warning) {
        let known = self.warnings.iter().any(|w| w.word == warning.word);
        if !known && self.warnings.len() < MAX_WARNINGS {
            self.warnings.push(warning);
        }
    }

    /// The rules with the two that always come last: `redistribute local allow` and
    /// `install allow`.
    pub fn effective_filters(&self) -> Filters {
        let mut filters = self.filters.clone();
        filters.redistribute.push(Rule {
            local: true,
            action: Action::default(),
            ..Rule::default()
        });
        filters.install.push(Rule::default());
        filters
    }

    /// Tables whose routes may be redistributed: the main one unless others were named.
    pub fn import_tables(&self) -> Vec<u32> {
        if self.import_tables.is_empty() {
            vec![MAIN_TABLE]
        } else {
            self.import_tables.clone()
        }
    }

    /// Where the log goes; `None` for standard error.
    pub fn log_file_in_use(&self) -> Option<&Path> {
        match &self.log_file {
            Some(path) => Some(path),
            None if self.daemonise => Some(Path::new("/var/log/babeld.log")),
            None => None,
        }
    }

    /// Whether prices are on: any word about them was said (design §3).
    pub fn prices_on(&self) -> bool {
        let filters = &self.filters;
        let in_filter = [&filters.input, &filters.output, &filters.redistribute]
            .into_iter()
            .flatten()
            .any(|rule| rule.action.price.is_some());
        let on_interface = self.defaults.price.is_some()
            || self.interfaces.iter().any(|i| i.options.price.is_some());
        in_filter
            || on_interface
            || self.price.is_some()
            || self.price_unit.is_some()
            || self.price_sub_tlv.is_some()
            || !self.max_price.is_empty()
            || self.require_price.is_some()
    }

    /// Whether the configuration asks for ranking: see [`QualitySettings::ranking_on`].
    pub fn ranking_on(&self) -> bool {
        self.quality.ranking_on()
    }

    fn apply_max_price(&mut self, new: MaxPrice) {
        match self
            .max_price
            .iter_mut()
            .find(|known| known.prefix == new.prefix)
        {
            Some(known) => *known = new,
            None => self.max_price.push(new),
        }
    }
}
