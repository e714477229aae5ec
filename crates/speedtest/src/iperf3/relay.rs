//! Loopback on one side, marked and counted sockets on the other.
//!
//! Two connections are relayed, as many as the program makes for a test: its control connection,
//! then the payload's. Nobody else on this machine gets in, and the relay ends with the test.

use crate::budget::Budget;
use crate::socket::Dialer;
use crate::tcpinfo::{Asker, TcpInfo};
use crate::why::Why;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const CONNECTIONS: usize = 2;
const LOOK: Duration = Duration::from_millis(20);
const BUFFER: usize = 64 * 1024;
/// What may wait on loopback: little, so that the program feels the link.
const LOOPBACK_BUFFER: usize = 256 * 1024;

/// A running relay; ends when dropped.
pub(super) struct Relay {
    port: u16,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    dialer: Dialer,
    addresses: Vec<SocketAddr>,
    budget: Arc<Budget>,
    until: Instant,
    stop: AtomicBool,
    down: AtomicU64,
    up: AtomicU64,
    begun: Instant,
    /// When the last octet passed, in microseconds since it began.
    last_us: AtomicU64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    failure: Option<Why>,
    dialled_us: Option<u64>,
    /// The payload's connection, once there is one, and since when.
    payload: Option<Asker>,
    payload_since: Option<Instant>,
}

/// What a relay carries.
pub(super) struct Load {
    /// Octets that came from the server.
    pub(super) down: u64,
    /// Octets that the server's kernel acknowledged; where ours does not tell, that were sent.
    pub(super) up: u64,
    /// How long it took to connect: one round trip.
    pub(super) dialled_us: Option<u64>,
    pub(super) failure: Option<Why>,
    /// Since when there is a connection for payload.
    pub(super) since: Option<Instant>,
    /// When the last octet passed.
    pub(super) last: Instant,
    /// The payload's connection.
    pub(super) kernel: Option<TcpInfo>,
}

impl Relay {
    pub(super) fn start(
        dialer: Dialer,
        addresses: Vec<SocketAddr>,
        budget: Arc<Budget>,
        until: Instant,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        listener.set_nonblocking(true)?;
        let shared = Arc::new(Shared {
            dialer,
            addresses,
            budget,
            until,
            stop: AtomicBool::new(false),
            down: AtomicU64::new(0),
            up: AtomicU64::new(0),
            begun: Instant::now(),
            last_us: AtomicU64::new(0),
            state: Mutex::default(),
        });
        let thread = std::thread::Builder::new().name("relay".into()).spawn({
            let shared = shared.clone();
            move || shared.accept(&listener)
        })?;
        Ok(Self {
            port,
            shared,
            thread: Some(thread),
        })
    }

    pub(super) const fn port(&self) -> u16 {
        self.port
    }

    pub(super) fn load(&self) -> Load {
        let state = self.shared.state();
        let kernel = state.payload.as_ref().and_then(Asker::ask);
        let sent = self.shared.up.load(Ordering::Relaxed);
        Load {
            down: self.shared.down.load(Ordering::Relaxed),
            up: kernel.map_or(sent, |tcp| tcp.bytes_acked.min(sent)),
            dialled_us: state.dialled_us,
            failure: state.failure.clone(),
            since: state.payload_since,
            last: self.shared.begun
                + Duration::from_micros(self.shared.last_us.load(Ordering::Relaxed)),
            kernel,
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ended(&self) -> bool {
        self.stop.load(Ordering::Relaxed) || Instant::now() >= self.until
    }

    fn fail(&self, why: Why) {
        self.state().failure.get_or_insert(why);
    }

    fn accept(self: Arc<Self>, listener: &TcpListener) {
        let mut threads = Vec::new();
        while !self.ended() && threads.len() < 2 * CONNECTIONS {
            match listener.accept() {
                Ok((near, _)) => match self.connect(near, threads.is_empty()) {
                    Ok(pair) => threads.extend(pair),
                    Err(why) => {
                        self.fail(why);
                        break;
                    }
                },
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    std::thread::sleep(LOOK / 4);
                }
                Err(error) => {
                    self.fail(error.into());
                    break;
                }
            }
        }
        for thread in threads {
            let _ = thread.join();
        }
    }

    /// The other half, and the two threads that carry octets.
    fn connect(self: &Arc<Self>, near: TcpStream, first: bool) -> Result<[JoinHandle<()>; 2], Why> {
        let begun = Instant::now();
        let far = self.dialer.connect_any(&self.addresses, self.until)?;
        {
            let mut state = self.state();
            if first {
                state.dialled_us = u64::try_from(begun.elapsed().as_micros()).ok();
            } else {
                state.payload = Asker::new(&far).ok();
                state.payload_since = Some(Instant::now());
            }
        }
        let narrow = socket2::SockRef::from(&near);
        narrow.set_recv_buffer_size(LOOPBACK_BUFFER)?;
        for socket in [&near, &far] {
            socket.set_nonblocking(false)?;
            socket.set_nodelay(true)?;
            socket.set_read_timeout(Some(LOOK))?;
            socket.set_write_timeout(Some(LOOK))?;
        }
        let (near_too, far_too) = (near.try_clone()?, far.try_clone()?);
        let (up, down) = (self.clone(), self.clone());
        let spawn = |name: &str| std::thread::Builder::new().name(name.into());
        Ok([
            spawn("up").spawn(move || up.carry(near, far, Way::Up))?,
            spawn("down").spawn(move || down.carry(far_too, near_too, Way::Down))?,
        ])
    }

    fn carry(&self, mut from: TcpStream, mut to: TcpStream, way: Way) {
        let mut buffer = vec![0; BUFFER];
        while !self.ended() {
            let Ok(most) = self.budget.allow(buffer.len()) else {
                break;
            };
            let octets = match from.read(buffer.get_mut(..most).unwrap_or_default()) {
                Ok(0) => break,
                Ok(octets) => octets,
                Err(error) if is_patient(&error) => continue,
                Err(_) => break,
            };
            self.budget.spend(octets);
            let passed = u64::try_from(self.begun.elapsed().as_micros()).unwrap_or(u64::MAX);
            self.last_us.store(passed, Ordering::Relaxed);
            if way == Way::Down {
                self.down.fetch_add(octets as u64, Ordering::Relaxed);
            }
            if !self.pass_on(&mut to, buffer.get(..octets).unwrap_or_default(), way) {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Write);
        let _ = from.shutdown(Shutdown::Read);
    }

    fn pass_on(&self, to: &mut TcpStream, mut octets: &[u8], way: Way) -> bool {
        while !octets.is_empty() {
            match to.write(octets) {
                Ok(count) => {
                    if way == Way::Up {
                        self.up.fetch_add(count as u64, Ordering::Relaxed);
                    }
                    octets = octets.get(count..).unwrap_or_default();
                }
                Err(error) if is_patient(&error) && !self.ended() => {}
                Err(_) => return false,
            }
        }
        true
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Up,
    Down,
}

fn is_patient(error: &io::Error) -> bool {
    use io::ErrorKind::{Interrupted, TimedOut, WouldBlock};
    matches!(error.kind(), Interrupted | TimedOut | WouldBlock)
}
