//! A worker process: it runs one speed test, so that a crash, a stall or the work of encryption
//! cannot touch routing.
//!
//! It is our own program under another name, told what it is by its first argument. The request
//! goes to its standard input, which stays open: when it closes, because we let go or died, the
//! worker ends. What it says is read without ever waiting for it, and bounded.

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use speedtest::{Message, Request};
use std::env;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, ExitCode, Stdio};
use std::task::{Context, Poll};
use tokio::net::unix::pipe::Receiver;

/// First argument of a worker. No configuration file or interface is called so.
const WORKER_ARGUMENT: &str = "--babel-speedtest-worker";
/// What process lists show: `pidof babeld` must not find it.
const PROCESS_NAME: &str = "babel-speedtest";
/// Ourselves, even when the file was replaced meanwhile.
const PROGRAM: &str = "/proc/self/exe";
/// Longest line of a worker.
const MAX_LINE: usize = 64 * 1024;
/// Octets read at one wake-up.
const READ_BUDGET: usize = 16 * 1024;

/// Acts as a worker if this process was started as one; call it before anything else.
pub fn become_worker() -> Option<ExitCode> {
    let first = env::args_os().nth(1)?;
    if first != WORKER_ARGUMENT {
        return None;
    }
    // Cosmetic: a kernel that refuses costs nothing.
    let _ = nix::sys::prctl::set_name(c"babel-speedtest");
    Some(speedtest::worker())
}

/// A worker that was started. Dropping it kills it; whoever holds it should [`Worker::end`] it.
#[derive(Debug)]
pub struct Worker {
    child: Child,
    /// Open as long as the worker should live.
    _lifeline: ChildStdin,
    output: Receiver,
    line: Vec<u8>,
}

/// What a worker had to say.
#[derive(Debug, Default)]
pub struct Heard {
    /// In order.
    pub messages: Vec<Message>,
    /// Why there will be nothing more.
    pub ended: Option<String>,
}

impl Worker {
    /// Starts one on a request.
    pub fn start(request: &Request) -> io::Result<Self> {
        let mut line = serde_json::to_vec(request)?;
        line.push(b'\n');
        let mut child = Command::new(PROGRAM)
            .arg0(PROCESS_NAME)
            .arg(WORKER_ARGUMENT)
            .env_clear()
            // For the programs it may run.
            .envs(env::vars_os().filter(|(name, _)| name == "PATH"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            // What it starts ends with it, and a terminal's Ctrl-C is ours to act on.
            .process_group(0)
            .spawn()?;
        let pipes = (child.stdin.take(), child.stdout.take());
        let (Some(mut lifeline), Some(output)) = pipes else {
            kill(&mut child);
            return Err(io::Error::other("no pipes"));
        };
        // A request is shorter than a pipe is long, so this does not wait.
        let ready = lifeline
            .write_all(&line)
            .and_then(|()| Receiver::from_owned_fd(OwnedFd::from(output)));
        match ready {
            Ok(output) => Ok(Self {
                child,
                _lifeline: lifeline,
                output,
                line: Vec::new(),
            }),
            Err(error) => {
                kill(&mut child);
                Err(error)
            }
        }
    }

    /// Ready when there is something to [`Worker::hear`].
    pub fn poll_ready(&self, context: &mut Context<'_>) -> Poll<()> {
        self.output.poll_read_ready(context).map(drop)
    }

    /// What it has said since the last call. Never waits.
    pub fn hear(&mut self) -> Heard {
        let mut heard = Heard::default();
        let mut buffer = [0; READ_BUDGET];
        match self.output.try_read(&mut buffer) {
            Ok(0) => heard.ended = Some(self.obituary()),
            Ok(length) => self.take_in(buffer.get(..length).unwrap_or_default(), &mut heard),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => heard.ended = Some(format!("cannot hear the worker: {error}")),
        }
        heard
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Kills it, if it has not ended; what is left is to be reaped.
    pub fn end(mut self) -> Corpse {
        kill(&mut self.child);
        Corpse(self.child)
    }

    fn take_in(&mut self, octets: &[u8], heard: &mut Heard) {
        for octet in octets {
            if *octet != b'\n' {
                self.line.push(*octet);
                if self.line.len() > MAX_LINE {
                    heard.ended = Some("the worker talks nonsense".into());
                    self.line.clear();
                    return;
                }
                continue;
            }
            match serde_json::from_slice(&self.line) {
                Ok(message) => heard.messages.push(message),
                Err(error) => heard.ended = Some(format!("the worker talks nonsense: {error}")),
            }
            self.line.clear();
        }
    }

    fn obituary(&mut self) -> String {
        match self.child.try_wait() {
            Ok(Some(status)) => format!("the worker ended early: {status}"),
            Ok(None) | Err(_) => "the worker ended early".into(),
        }
    }
}

/// A killed worker whose exit status nobody has taken yet.
#[derive(Debug)]
pub struct Corpse(Child);

impl Corpse {
    /// Takes its status if it is dead by now; true when there is nothing left to do.
    pub fn reap(&mut self) -> bool {
        !matches!(self.0.try_wait(), Ok(None))
    }
}

/// Its whole process group, and without waiting.
fn kill(child: &mut Child) {
    if let Ok(pid) = i32::try_from(child.id())
        && matches!(child.try_wait(), Ok(None))
    {
        // Gone a moment ago is as good.
        let _ = killpg(Pid::from_raw(pid), Signal::SIGKILL);
        let _ = child.kill();
    }
}
