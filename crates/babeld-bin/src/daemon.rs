//! From a configuration to a running node and to a clean end, in stock babeld's order.
//!
//! What fails at start is told on standard error and undone; the exit status is 1. What fails
//! later never ends the process.

mod clients;
mod leftovers;

use crate::config::Settings;
use crate::identity::{self, PidFile};
use crate::links::Links;
use crate::log;
use crate::net::BabelSocket;
use crate::runtime::{NetlinkKernel, Parts, Running, Source};
use crate::signals::{Signal, Signals};
use crate::sysctl::Sysctls;
use crate::watchdog::{self, Watchdog};
use anyhow::{Context, anyhow, bail};
use babel_core::config::{Config, Limits};
use babel_core::types::RouterId;
use babel_netlink::{Groups, Monitor};
use clients::{Clients, Wish};
use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

/// How often the goodbye is tried while the socket has no room.
const GOODBYE_ATTEMPTS: usize = 20;
/// Between the attempts.
const GOODBYE_PAUSE: Duration = Duration::from_millis(5);
/// The highest index of a device whose address may make our router-id.
const LAST_IDENTITY_INDEX: u32 = 255;

/// Runs a node until a signal ends it. `arguments` are the command line that the settings came
/// of, for `reload`.
pub fn run(settings: Settings, arguments: Vec<OsString>) -> anyhow::Result<()> {
    for warning in &settings.warnings {
        log::complain(warning);
    }
    for doubt in settings.doubts() {
        log::complain(format_args!("Warning: {doubt}"));
    }
    if let Some(path) = settings.log_file_in_use() {
        log::redirect(path).with_context(|| format!("open({})", path.display()))?;
    }
    log::detach_input().context("open(/dev/null)")?;
    if settings.daemonise && !watchdog::supervised() {
        // Before tokio, whose threads and descriptors would not survive.
        nix::unistd::daemon(true, true).context("daemonise")?;
    }
    log::start(settings.debug);
    let tokio = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("starting tokio")?;
    let local = tokio::task::LocalSet::new();
    let source = Source::new(arguments, &settings);
    local.block_on(&tokio, live(settings, source))
}

/// The life of a node.
async fn live(settings: Settings, source: Source) -> anyhow::Result<()> {
    // From here on a signal finds us able to undo what we do.
    let mut signals = Signals::install().context("signal")?;
    if watchdog::supervised() {
        leftovers::remove(&settings);
    }
    let _pidfile = match &settings.pid_file {
        Some(path) => Some(create_pidfile(path)?),
        None => None,
    };
    let mut sysctls = Sysctls::default();
    let (kernel, monitor) = kernel_setup(&settings, &mut sysctls)?;
    let kernel = sweep(&settings, kernel);
    let (kernel, links) = read_devices(&settings, kernel)?;
    if settings.interfaces.is_empty() {
        bail!("Eek... asked to run on no interfaces!");
    }
    let config = configure(&settings, &links)?;
    let socket = BabelSocket::bind(settings.protocol_port, settings.protocol_group)
        .map_err(|error| anyhow!("Couldn't create link local socket: {error}"))?;
    let mut clients = Clients::bind(&settings, config.router_id)?;
    let mut node = Running::start(Parts {
        settings,
        config,
        socket,
        kernel,
        monitor,
        links,
        sysctls,
        source,
    })
    .context("starting")?;
    let mut watchdog = Watchdog::from_environment();
    watchdog.ready();
    serve(&mut node, &mut clients, &mut signals, &mut watchdog).await;
    watchdog.stopping();
    for _ in 0..GOODBYE_ATTEMPTS {
        if node.retract() {
            break;
        }
        tokio::time::sleep(GOODBYE_PAUSE).await;
    }
    let shutdown_delay = node.settings().shutdown_delay;
    let state_file = node.settings().state_file.clone();
    tokio::select! {
        biased;
        () = second_exit(&mut signals) => tracing::warn!("leaving at once"),
        () = tokio::time::sleep(shutdown_delay) => {}
    }
    let seqno = node.clean_up();
    if let Some(path) = &state_file
        && let Err(error) = identity::save_seqno(path, seqno)
    {
        tracing::warn!("creat({}): {error}", path.display());
    }
    Ok(())
}

/// Works until a signal says to leave.
async fn serve(
    node: &mut Running,
    clients: &mut Clients,
    signals: &mut Signals,
    watchdog: &mut Watchdog,
) {
    loop {
        let busy = node.turn();
        clients.publish(node);
        watchdog.alive();
        let work = async {
            if busy {
                tokio::task::yield_now().await;
            } else {
                node.idle().await;
            }
        };
        let woken = tokio::select! {
            biased;
            signal = signals.next() => Woken::Signal(signal),
            wish = clients.next() => Woken::Wish(wish),
            () = work => Woken::Work,
            () = watchdog.due() => Woken::Work,
        };
        match woken {
            Woken::Work => {}
            Woken::Signal(Signal::Exit) => return,
            Woken::Signal(Signal::Dump) => node.dump_tables(),
            Woken::Signal(Signal::Check) => {
                if let Err(refused) = node.check() {
                    // As stock: without its log it does not go on.
                    tracing::error!("{refused:?}");
                    return;
                }
            }
            Woken::Wish(wish) => clients.grant(wish, node),
        }
    }
}

enum Woken {
    Signal(Signal),
    Wish(Wish),
    Work,
}

async fn second_exit(signals: &mut Signals) {
    while signals.next().await != Signal::Exit {}
}

fn create_pidfile(path: &Path) -> anyhow::Result<PidFile> {
    PidFile::create(path).map_err(|error| {
        let reason = match error.raw_os_error() {
            Some(code) => nix::errno::Errno::from_raw(code).desc().to_owned(),
            None => error.to_string(),
        };
        anyhow!("creat({}): {reason}", path.display())
    })
}

/// Kernel parameters and sockets.
fn kernel_setup(
    settings: &Settings,
    sysctls: &mut Sysctls,
) -> anyhow::Result<(NetlinkKernel, Monitor)> {
    if !settings.skip_kernel_setup {
        let set_up = sysctls.set_up();
        set_up.map_err(|error| anyhow!("{error}\nkernel_setup failed."))?;
    }
    let open = || -> Result<_, babel_netlink::Error> {
        let kernel = NetlinkKernel::open()?;
        let mut monitor = Monitor::new(Groups {
            links: true,
            addresses: true,
            ipv4_routes: true,
            ipv6_routes: true,
        })?;
        // What we write we know already.
        monitor.ignore_port(kernel.port_id());
        Ok((kernel, monitor))
    };
    open().map_err(|error| anyhow!("{error}\nkernel_setup failed."))
}

/// Removes what a former life left of speed tests, before anything takes it for the operator's.
fn sweep(settings: &Settings, mut kernel: NetlinkKernel) -> NetlinkKernel {
    if let Err(error) = kernel.sweep_probes(&settings.quality) {
        tracing::warn!("cannot look for what a former life left of speed tests: {error}");
    }
    kernel
}

/// All devices there are; the monitor listens already, so nothing is missed.
fn read_devices(
    settings: &Settings,
    mut kernel: NetlinkKernel,
) -> anyhow::Result<(NetlinkKernel, Links)> {
    let (devices, addresses) = kernel.devices()?;
    let mut links = Links::new(settings.link_detect);
    links.reset(devices, addresses);
    Ok((kernel, links))
}

fn configure(settings: &Settings, links: &Links) -> anyhow::Result<Config> {
    let router_id = router_id(settings, links)?;
    let saved = settings
        .state_file
        .as_deref()
        .and_then(identity::take_seqno);
    let seqno = saved.unwrap_or_else(identity::seqno_by_clock);
    Ok(Config {
        router_id,
        seqno,
        smoothing_half_life: settings.smoothing_half_life,
        filters: settings.effective_filters(),
        limits: Limits::default(),
        seed: identity::random_u64().context("random numbers")?,
        entropy: identity::entropy().context("random numbers")?,
    })
}

fn router_id(settings: &Settings, links: &Links) -> anyhow::Result<RouterId> {
    if let Some(id) = settings.router_id {
        return Ok(id);
    }
    if !settings.random_id {
        let devices = links.devices().iter().map(|device| &device.info);
        let mut usable = devices.filter(|info| info.index <= LAST_IDENTITY_INDEX);
        let found = usable.find_map(|info| {
            identity::router_id_of_hardware(info.hardware_type, &info.hardware_address)
        });
        if let Some(id) = found {
            return Ok(id);
        }
        tracing::warn!("Warning: couldn't find router id -- using random value.");
    }
    identity::random_router_id().context("random numbers")
}
