//! The responder: our own protocol, plain or in TLS, and ndt7, all on one port.
//!
//! Told apart by the first octet. Every client is a stranger: connections, tests at once, octets
//! per client and hour, and the time of each step are bounded; one client's fault ends that
//! client's connection and nothing else.

mod echo;
mod key;
mod quota;
mod session;

use crate::ours::Token;
use quota::{Client, Quota};
use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// How often a thread that waits looks whether it shall end.
const LOOK: Duration = Duration::from_millis(200);
/// After an error of `accept`: descriptors are short, for example.
const BACK_OFF: Duration = Duration::from_millis(10);
const MOST_BACK_OFF: Duration = Duration::from_secs(2);

/// What to serve, and to whom.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where to listen. With port 0 the system chooses.
    pub listen: Vec<SocketAddr>,
    /// Serve our protocol in the clear.
    pub plain: bool,
    /// Serve it in TLS, with the key in this file; made, readable by its owner only, where it is
    /// missing.
    pub key: Option<PathBuf>,
    /// Serve ndt7 without TLS.
    pub ndt7: bool,
    /// How much.
    pub limits: Limits,
}

/// What strangers may use.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Connections at once.
    pub connections: usize,
    /// Connections at once of one client: an IPv4 address, or an IPv6 /64.
    pub client_connections: usize,
    /// Tests at once; the next one is told that the server is busy.
    pub tests: usize,
    /// Octets that one client may use in an hour, both directions.
    pub client_octets_per_hour: u64,
    /// How long one test may take.
    pub test_time: Duration,
    /// How long a client may keep silent.
    pub patience: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 64,
            client_connections: 16,
            tests: 8,
            client_octets_per_hour: 20_000_000_000,
            test_time: Duration::from_secs(60),
            patience: Duration::from_secs(15),
        }
    }
}

/// A line for the log, one for each connection.
pub type Log = Arc<dyn Fn(&str) + Send + Sync>;

/// A running responder; ends when dropped.
#[derive(Debug)]
pub struct Server {
    shared: Arc<Shared>,
    addresses: Vec<SocketAddr>,
    threads: Vec<JoinHandle<()>>,
}

impl Server {
    /// Binds and starts to serve. Errors name the address or the file.
    pub fn start(options: Options, log: Log) -> io::Result<Self> {
        #[cfg(feature = "tls")]
        let identity = identity(&options)?;
        #[cfg(not(feature = "tls"))]
        refuse_key(&options)?;
        let mut sockets = Vec::new();
        for &address in &options.listen {
            sockets.push(listen(address).map_err(|error| {
                io::Error::new(error.kind(), format!("listening on {address}: {error}"))
            })?);
        }
        let shared = Arc::new(Shared {
            plain: options.plain,
            ndt7: options.ndt7,
            #[cfg(feature = "tls")]
            identity,
            limits: options.limits,
            quota: Mutex::new(Quota::new(options.limits.client_octets_per_hour)),
            sessions: Mutex::default(),
            connections: Mutex::default(),
            tests: AtomicUsize::new(0),
            stop: AtomicBool::new(false),
            log,
        });
        let mut server = Self {
            shared,
            addresses: Vec::new(),
            threads: Vec::new(),
        };
        for (listener, datagrams) in sockets {
            server.addresses.push(listener.local_addr()?);
            let echo_port = match datagrams {
                Some(socket) => {
                    let port = socket.local_addr()?.port();
                    let shared = server.shared.clone();
                    server.spawn("echo", move || echo::serve(&socket, &shared))?;
                    port
                }
                None => 0,
            };
            let shared = server.shared.clone();
            server.spawn("accept", move || accept(&listener, echo_port, &shared))?;
        }
        Ok(server)
    }

    /// Where it listens.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// The pin of the TLS key, where there is one.
    pub fn pin(&self) -> Option<crate::Pin> {
        #[cfg(feature = "tls")]
        return self.shared.identity.as_ref().map(crate::tls::Identity::pin);
        #[cfg(not(feature = "tls"))]
        None
    }

    fn spawn(&mut self, name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
        let thread = std::thread::Builder::new().name(name.into()).spawn(work)?;
        self.threads.push(thread);
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

#[cfg(feature = "tls")]
type Identity = crate::tls::Identity;

/// What all threads share.
struct Shared {
    plain: bool,
    ndt7: bool,
    #[cfg(feature = "tls")]
    identity: Option<Identity>,
    limits: Limits,
    quota: Mutex<Quota>,
    sessions: Mutex<BTreeMap<Token, Live>>,
    connections: Mutex<BTreeMap<Client, usize>>,
    tests: AtomicUsize,
    stop: AtomicBool,
    log: Log,
}

/// A test that is running.
#[derive(Clone, Copy, Debug)]
struct Live {
    client: Client,
    secret: Token,
    /// Datagrams that may still be echoed.
    echoes: u32,
}

impl Shared {
    fn stopping(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn say(&self, text: &str) {
        (self.log)(text);
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

/// A thread that panicked with the lock must not end the others.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(feature = "tls")]
fn identity(options: &Options) -> io::Result<Option<Identity>> {
    options.key.as_deref().map(key::load).transpose()
}

#[cfg(not(feature = "tls"))]
fn refuse_key(options: &Options) -> io::Result<()> {
    match &options.key {
        None => Ok(()),
        Some(_) => Err(io::Error::other("this build has no TLS (feature `tls`)")),
    }
}

/// TCP, and datagrams on the same port where they can be had.
fn listen(address: SocketAddr) -> io::Result<(TcpListener, Option<UdpSocket>)> {
    use socket2::{Domain, Socket, Type};
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        // [::] serves IPv4 as well.
        socket.set_only_v6(false)?;
    }
    socket.bind(&address.into())?;
    socket.listen(128)?;
    let listener: TcpListener = socket.into();
    listener.set_nonblocking(true)?;
    let datagrams = UdpSocket::bind(listener.local_addr()?).ok();
    Ok((listener, datagrams))
}

fn accept(listener: &TcpListener, echo_port: u16, shared: &Arc<Shared>) {
    let mut pause = BACK_OFF;
    while !shared.stopping() {
        match listener.accept() {
            Ok((socket, from)) => {
                pause = BACK_OFF;
                admit(socket, from, echo_port, shared);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => wait(listener),
            Err(error) => {
                shared.say(&format!("accepting a connection: {error}"));
                std::thread::sleep(pause);
                pause = (pause * 2).min(MOST_BACK_OFF);
            }
        }
    }
}

fn wait(listener: &TcpListener) {
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    let mut fds = [PollFd::new(listener.as_fd(), PollFlags::POLLIN)];
    let look = u16::try_from(LOOK.as_millis()).unwrap_or(200);
    let _ = poll(&mut fds, PollTimeout::from(look));
}

/// Starts a thread for the connection, unless there are too many; then it is closed.
fn admit(socket: TcpStream, from: SocketAddr, echo_port: u16, shared: &Arc<Shared>) {
    let client = Client::of(from.ip());
    {
        let mut connections = lock(&shared.connections);
        let all: usize = connections.values().sum();
        let count = connections.entry(client).or_default();
        if all >= shared.limits.connections || *count >= shared.limits.client_connections {
            if *count == 0 {
                connections.remove(&client);
            }
            drop(connections);
            shared.say(&format!("{}: refused, too many connections", from.ip()));
            return;
        }
        *count += 1;
    }
    let admitted = Admitted {
        shared: shared.clone(),
        client,
    };
    let thread = std::thread::Builder::new().name("connection".into());
    let started = thread.spawn(move || {
        let said = session::serve(socket, from, echo_port, &admitted.shared);
        if let Some(line) = said {
            admitted.shared.say(&format!("{}: {line}", from.ip()));
        }
    });
    if let Err(error) = started {
        shared.say(&format!("{}: refused: {error}", from.ip()));
    }
}

/// Counts a connection as long as it lives, even if its thread panics or never starts.
struct Admitted {
    shared: Arc<Shared>,
    client: Client,
}

impl Drop for Admitted {
    fn drop(&mut self) {
        let mut connections = lock(&self.shared.connections);
        if let Some(count) = connections.get_mut(&self.client) {
            *count -= 1;
            if *count == 0 {
                connections.remove(&self.client);
            }
        }
    }
}
