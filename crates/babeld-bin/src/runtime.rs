//! The loop that owns everything: engine, sockets, kernel.
//!
//! One thread, one owner, no channel on a packet's way. At each wake-up, in this order and with a
//! budget for each: received packets, what the kernel tells, due timers, packets to send, routes
//! to write, clients. Received packets come before timers, always: a Hello that waits in the
//! socket is not missed yet. What is left when a budget is spent is done in the next round, at
//! once, after others had their turn.

mod apply;
mod chores;
mod kernel;
mod links;
mod listen;
mod packets;
mod prices;
mod quality;
mod reload;
mod report;
mod statement;

pub use kernel::NetlinkKernel;
pub use reload::Source;

use crate::clock;
use crate::config::Settings;
use crate::fib::{self, BATCH, Fib};
use crate::links::Links;
use crate::net::BabelSocket;
use crate::node::{
    InterfaceView, KernelCounters, Node, NodeEngine, Refused, TestCounters, TestView,
};
use crate::sysctl::Sysctls;
use crate::xroutes::XRoutes;
use babel_core::config::Config;
use babel_core::event::{Change, Event, FibChange, Transmit};
use babel_core::time::Instant;
use babel_core::types::{LinkId, Metric};
use babel_netlink::{Monitor, Notification};
use chores::{Chores, take};
use std::collections::BTreeMap;
use std::io;
use std::time::Duration;
use tokio::io::unix::AsyncFd;

/// Batches of routes written at one wake-up: some four milliseconds.
const WRITE_BUDGET: usize = 4;
/// What could not be deleted is tried again this often.
const LEFTOVER_GAP: Duration = Duration::from_secs(60);

/// Everything a running node owns, clients aside.
#[derive(Debug)]
pub struct Running {
    engine: NodeEngine,
    settings: Settings,
    socket: BabelSocket,
    kernel: NetlinkKernel,
    monitor: AsyncFd<Monitor>,
    links: Links,
    xroutes: XRoutes,
    fib: Fib,
    /// While neighbours are ranked.
    quality: Option<Box<quality::Quality>>,
    sysctls: Sysctls,
    chores: Chores,
    import_tables: Vec<u32>,
    inbox: Vec<Notification>,
    packet: Vec<u8>,
    /// `packet` is finished but found no room.
    unsent: Option<Transmit>,
    changes: Vec<FibChange>,
    /// Reads of the kernel's routes in a row that did not hold still.
    restless_reads: u32,
    leaving: bool,
    interface_news: Vec<(Change, InterfaceView)>,
    send_complaints: BTreeMap<LinkId, Instant>,
    source: Source,
}

/// What a node is made of.
#[derive(Debug)]
pub struct Parts {
    /// As configured.
    pub settings: Settings,
    /// For the engine, from the settings and the identity.
    pub config: Config,
    /// Bound.
    pub socket: BabelSocket,
    /// Open.
    pub kernel: NetlinkKernel,
    /// Following everything, deaf to the kernel socket; made before `links` was filled.
    pub monitor: Monitor,
    /// All devices and addresses.
    pub links: Links,
    /// Set up.
    pub sysctls: Sysctls,
    /// Where the settings come from, to read them again.
    pub source: Source,
}

impl Running {
    /// Starts with `parts`: adopts old routes, brings interfaces up, imports routes.
    pub fn start(parts: Parts) -> io::Result<Self> {
        let now = clock::now();
        let Parts {
            settings, config, ..
        } = parts;
        let fib = Fib::new(fib::Settings {
            table: settings.export_table,
            priority: u32::from(settings.kernel_priority),
            reflect_metric: settings.reflect_kernel_metric,
        });
        let extension = prices::extension(&settings, &parts.links);
        let policy = prices::policy(&settings, None);
        let mut running = Self {
            xroutes: XRoutes::new(config.filters.redistribute.clone()),
            engine: NodeEngine::new(config, extension, policy),
            import_tables: settings.import_tables(),
            chores: Chores::start(now, settings.kernel_check_interval),
            settings,
            socket: parts.socket,
            kernel: parts.kernel,
            monitor: register(parts.monitor)?,
            links: parts.links,
            fib,
            quality: None,
            sysctls: parts.sysctls,
            inbox: Vec::new(),
            packet: Vec::new(),
            unsent: None,
            changes: Vec::new(),
            restless_reads: 0,
            leaving: false,
            interface_news: Vec::new(),
            send_complaints: BTreeMap::new(),
            source: parts.source,
        };
        let duplicates = running.settings.allow_duplicates.map(Metric);
        running.engine.set_allow_duplicates(duplicates);
        running.engine.set_forwarding(now, fib::forwarding());
        running.reprice();
        running.adopt(now);
        for interface in running.settings.interfaces.clone() {
            running.start_interface(&interface.name);
        }
        running.read_imports(now);
        Ok(running)
    }

    /// One round of everything. Returns whether there is more to do at once.
    pub fn turn(&mut self) -> bool {
        let mut busy = self.receive();
        busy |= self.hear_kernel();
        let now = clock::now();
        self.do_chores(now);
        self.follow_links(now);
        self.tell_xroutes(now);
        self.do_quality(now);
        if self.engine.poll_timeout().is_some_and(|due| due <= now) {
            self.engine.handle_timeout(now);
        }
        busy |= self.transmit(now);
        busy |= self.write_routes();
        while let Some(diagnostic) = self.engine.poll_diagnostic() {
            report::log(&diagnostic, &self.links);
        }
        busy
    }

    /// Waits until there is something to do. Dropping the future loses nothing.
    pub async fn idle(&self) {
        let now = clock::now();
        let due = [
            self.engine.poll_timeout(),
            self.fib.next_retry(),
            self.links.next_complaint(),
            self.chores.next(),
            self.next_quality(now),
        ];
        let pause = match due.into_iter().flatten().min() {
            Some(due) => due.since(now),
            None => Duration::from_secs(3600),
        };
        tokio::select! {
            biased;
            _ = self.socket.readable(), if self.chores.receive.is_none() => {}
            _ = self.monitor.readable() => {}
            () = self.quality_news() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }

    /// The protocol's engine, to ask for notifications.
    pub const fn engine_mut(&mut self) -> &mut NodeEngine {
        &mut self.engine
    }

    /// The configuration in effect.
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// What happened to interfaces since the last call.
    pub fn take_interface_news(&mut self) -> Vec<(Change, InterfaceView)> {
        std::mem::take(&mut self.interface_news)
    }

    /// Writes the tables to standard output, where the log goes.
    pub fn dump_tables(&self) {
        use std::io::Write as _;
        let mut out = io::stdout().lock();
        let written = out
            .write_all(self.tables_text().as_bytes())
            .and_then(|()| out.flush());
        if let Err(error) = written {
            tracing::warn!("cannot write the tables: {error}");
        }
    }

    /// `USR2`: looks at the kernel's routes again and opens the log anew.
    pub fn check(&mut self) -> Result<(), Refused> {
        let now = clock::now();
        self.read_everything(now);
        self.links.forgive();
        self.reopen_log()
    }

    /// Says goodbye to the neighbours, or goes on doing so. Routes stay: packets on their way
    /// still arrive. Returns whether all is said.
    pub fn retract(&mut self) -> bool {
        let now = clock::now();
        if !std::mem::replace(&mut self.leaving, true) {
            self.unsent = None;
            self.chores.send = None;
            self.engine.handle_event(now, Event::Shutdown);
        }
        while self.transmit(now) {}
        self.chores.send.is_none()
    }

    /// Leaves the kernel as it was before us. Returns our last seqno.
    pub fn clean_up(mut self) -> babel_core::types::SeqNo {
        self.end_quality(clock::now());
        self.fib.remove_all(&mut self.kernel);
        for link in self.links.all_up() {
            if let Some((ifindex, _)) = self.links.up(link) {
                self.socket.leave(ifindex);
            }
        }
        self.sysctls.restore();
        self.engine.seqno()
    }

    fn write_routes(&mut self) -> bool {
        for _ in 0..WRITE_BUDGET {
            self.changes.clear();
            self.engine.poll_fib(BATCH, &mut self.changes);
            if self.changes.is_empty() {
                break;
            }
            let ifindex = |link| self.links.up(link).map(|(ifindex, _)| ifindex);
            self.fib
                .apply(clock::now(), &self.changes, ifindex, &mut self.kernel);
        }
        let now = clock::now();
        let mut busy = self.engine.has_fib_changes();
        if self.fib.next_retry().is_some_and(|due| due <= now) {
            busy |= self.fib.retry(now, &mut self.kernel);
        }
        busy
    }

    fn do_chores(&mut self, now: Instant) {
        if self
            .chores
            .take_check(now, self.settings.kernel_check_interval)
        {
            self.read_everything(now);
        }
        if self.chores.take_forgive(now) {
            self.links.forgive();
        }
        if self.chores.take_reread(now) {
            let missed = self.read_imports(now);
            tracing::debug!("read the kernel's routes again: {missed} prefixes differ");
        }
        if self.chores.take_resync(now)
            && let Err(error) = self.fib.resync(now, &mut self.kernel)
        {
            tracing::warn!("cannot read our routes: {error}");
            self.chores.want_resync(now);
        }
        if take(&mut self.chores.release, now) && self.fib.release_leftovers(&mut self.kernel) {
            self.chores.release = Some(now);
        } else if self.fib.has_leftovers() {
            self.chores.release.get_or_insert(now + LEFTOVER_GAP);
        }
        for name in self.links.complaints(now) {
            tracing::warn!("{}", report::no_link_local(&name));
        }
    }

    /// The tables our routes may be in.
    fn tables(&self) -> Vec<u32> {
        let rules = &self.engine.config().filters.install;
        let named = rules.iter().filter_map(|rule| rule.action.table);
        let mut tables: Vec<_> = named.chain([self.settings.export_table]).collect();
        tables.sort_unstable();
        tables.dedup();
        tables
    }

    /// Takes over the routes of a former life until the neighbours have told us theirs: by then
    /// each has sent a full update, asked for or periodic.
    fn adopt(&mut self, now: Instant) {
        match self.fib.adopt(&self.tables(), &mut self.kernel) {
            Ok(0) => {}
            Ok(count) => {
                tracing::warn!("taking over {count} routes that a former babeld left");
                let intervals = self.settings.interfaces.iter().map(|interface| {
                    let link = self
                        .settings
                        .link_config(&interface.name, Default::default());
                    link.hello_interval * 3 + link.update_interval
                });
                let patience = intervals.max().unwrap_or_default();
                self.chores.release = Some(now + patience);
            }
            Err(error) => tracing::warn!("cannot look for routes of a former life: {error}"),
        }
    }
}

impl Node for Running {
    fn now(&self) -> Instant {
        clock::now()
    }

    fn engine(&self) -> &NodeEngine {
        &self.engine
    }

    fn interfaces(&self) -> Vec<InterfaceView> {
        self.links.views()
    }

    fn kernel_counters(&self) -> KernelCounters {
        *self.fib.counters()
    }

    fn execute(&mut self, statement: &str) -> Result<(), Refused> {
        self.carry_out(statement)
    }

    fn metric_factor(&self) -> u32 {
        self.settings.metric_factor
    }

    fn quality(&self) -> Vec<qos_ranker::Standing> {
        self.standings(clock::now())
    }

    fn tests(&self) -> Vec<TestView> {
        self.trials(clock::now())
    }

    fn test_counters(&self) -> TestCounters {
        self.trial_counters()
    }

    fn reload(&mut self, dry_run: bool) -> Result<Vec<String>, Refused> {
        self.read_again(dry_run)
    }
}

/// Ties the monitor to tokio.
///
/// The constructor is deprecated for types that may swap their descriptor; a monitor keeps its
/// own for life, and its successor can only be called by unsafe code.
#[allow(deprecated)]
fn register(monitor: Monitor) -> io::Result<AsyncFd<Monitor>> {
    AsyncFd::with_interest(monitor, tokio::io::Interest::READABLE)
}
