//! The helper's side: the same program, started again with a private marker.
//!
//! `hold NAME` makes the namespaces and keeps them until its standard input ends, then kills
//! whatever still runs inside. `enter PID -- PROGRAM ARGUMENT…` goes into them and becomes the program.
//! Both run before the program's own `main` has done anything, on a single thread.

use crate::link;
use anyhow::{Context, Result, bail};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::signal::{SigSet, Signal, kill};
use nix::unistd::Pid;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{self, Command};
use std::thread;
use std::time::{Duration, Instant};

/// First argument of a helper. It starts with two dashes so that a program that is not one refuses it.
const MARKER: &str = "--netns-helper";
/// What a holder says once its namespace can be used.
pub(crate) const READY: &str = "ready";
/// How long a holder tries to kill what still runs inside.
const LAST_RITES: Duration = Duration::from_secs(2);

/// Kernel settings of a new namespace, set before it has interfaces. Addresses are usable at once,
/// nothing is learned from routers, and probes get every answer. What a kernel lacks is skipped.
const SETTINGS: [(&str, &str); 10] = [
    ("ipv6/conf/all/disable_ipv6", "0"),
    ("ipv6/conf/default/disable_ipv6", "0"),
    ("ipv6/conf/all/accept_dad", "0"),
    ("ipv6/conf/default/accept_dad", "0"),
    ("ipv6/conf/all/accept_ra", "0"),
    ("ipv6/conf/default/accept_ra", "0"),
    ("ipv6/conf/default/router_solicitations", "0"),
    ("ipv6/icmp/ratelimit", "0"),
    ("ipv4/icmp_ratelimit", "0"),
    ("ipv4/icmp_msgs_per_sec", "100000"),
];

/// Acts as the helper, and does not return, if this process was started as one.
///
/// Call it first in `main`, before any thread is started.
pub fn init() {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().as_deref() != Some(OsStr::new(MARKER)) {
        return;
    }
    let role = arguments.next().unwrap_or_default();
    let outcome = match role.to_str() {
        Some("hold") => hold(),
        Some("enter") => enter(arguments),
        _ => Err(anyhow::anyhow!("unknown role {}", role.display())),
    };
    if let Err(error) = outcome {
        // A holder's creator reads its output; whoever enters reads errors.
        let _ = writeln!(std::io::stdout(), "{error:#}");
        let _ = writeln!(std::io::stderr(), "netns: {error:#}");
        process::exit(126);
    }
    process::exit(0);
}

/// How to go into a namespace that another process holds: for `exec`-like commands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Entry {
    /// The process that holds the namespace.
    pub holder: u32,
}

impl Entry {
    /// A command that runs `program` inside, through `helper`. Add its arguments as usual.
    pub fn command(self, helper: &Path, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(helper);
        command
            .args([MARKER, "enter", &self.holder.to_string(), "--"])
            .arg(program);
        command
    }
}

/// The command that starts a holder; `name` is for people who look at the process list.
pub(crate) fn hold_command(helper: &Path, name: &str) -> Command {
    let mut command = Command::new(helper);
    command.args([MARKER, "hold", name]);
    command
}

fn hold() -> Result<()> {
    // Only the end of the input ends us: a signal must not leave programs running inside.
    SigSet::all().thread_block().context("blocking signals")?;
    unshare(CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS)
        .context("making a network namespace; this system lets user namespaces do nothing, so run it as root")?;
    mount_sys()?;
    for (setting, value) in SETTINGS {
        let _ = fs::write(format!("/proc/sys/net/{setting}"), value);
    }
    link::set_loopback_up().context("bringing up lo")?;
    let mut output = std::io::stdout();
    writeln!(output, "{READY}")
        .and_then(|()| output.flush())
        .context("telling the creator")?;
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
    kill_residents();
    Ok(())
}

/// A `/sys` that shows this namespace's interfaces, where the kernel allows it; nothing we need.
fn mount_sys() -> Result<()> {
    let nothing: Option<&str> = None;
    mount(
        nothing,
        "/",
        nothing,
        MsFlags::MS_REC | MsFlags::MS_PRIVATE,
        nothing,
    )
    .context("making the mounts private")?;
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    let _ = mount(Some("sysfs"), "/sys", Some("sysfs"), flags, nothing);
    Ok(())
}

/// Kills every other process in our network namespace, daemons that detached themselves included.
fn kill_residents() {
    let Ok(ours) = fs::read_link("/proc/self/ns/net") else {
        return;
    };
    let deadline = Instant::now() + LAST_RITES;
    loop {
        let mut found = false;
        for pid in process_ids() {
            let there = fs::read_link(format!("/proc/{pid}/ns/net"));
            if there.is_ok_and(|there| there == ours) {
                found = true;
                let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
            }
        }
        if !found || Instant::now() >= deadline {
            return;
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// All processes but ourselves.
fn process_ids() -> Vec<i32> {
    let own = i64::from(process::id());
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    let ids = entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    ids.filter(|&pid: &i32| i64::from(pid) != own).collect()
}

fn enter(mut arguments: impl Iterator<Item = OsString>) -> Result<()> {
    let pid = arguments.next().unwrap_or_default();
    let pid: u32 = pid
        .to_str()
        .and_then(|pid| pid.parse().ok())
        .context("no process id given")?;
    if arguments.next().as_deref() != Some(OsStr::new("--")) {
        bail!("no -- before the program");
    }
    let program = arguments.next().context("no program given")?;
    join(pid).with_context(|| format!("entering the namespaces of process {pid}"))?;
    // Our starter may have signals blocked for its own purposes; the program must not inherit that.
    SigSet::empty()
        .thread_set_mask()
        .context("unblocking signals")?;
    let error = Command::new(&program).args(arguments).exec();
    eprintln!("netns: cannot run {}: {error}", program.display());
    process::exit(127);
}

/// Joins the user (if it is another), network and mount namespaces of a process.
fn join(pid: u32) -> Result<()> {
    let open = |kind: &str| {
        let path = format!("/proc/{pid}/ns/{kind}");
        File::open(&path).with_context(|| format!("opening {path}"))
    };
    let (user, net, mounts) = (open("user")?, open("net")?, open("mnt")?);
    let directory = std::env::current_dir();
    if user.metadata()?.ino() != fs::metadata("/proc/self/ns/user")?.ino() {
        setns(&user, CloneFlags::CLONE_NEWUSER).context("joining its user namespace")?;
    }
    setns(&net, CloneFlags::CLONE_NEWNET).context("joining its network namespace")?;
    setns(&mounts, CloneFlags::CLONE_NEWNS).context("joining its mount namespace")?;
    if let Ok(directory) = directory {
        let _ = std::env::set_current_dir(directory);
    }
    Ok(())
}
