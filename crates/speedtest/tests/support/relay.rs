//! A TCP relay that is slower than the machine: so many octets a second in each direction, for all
//! its connections together.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Ends when dropped.
pub struct Relay {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    /// Octets that passed: towards the client, from it.
    pub passed: [Arc<AtomicU64>; 2],
}

/// One direction: when the next octets may pass.
struct Pace {
    bps: u64,
    free: Instant,
}

impl Relay {
    /// `down` and `up` are bits per second, as the client sees it.
    pub fn start(to: SocketAddr, down: u64, up: u64) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("listening");
        let address = listener.local_addr().expect("bound");
        listener.set_nonblocking(true).expect("an option");
        let stop = Arc::new(AtomicBool::new(false));
        let passed: [Arc<AtomicU64>; 2] = [Arc::default(), Arc::default()];
        let [down, up] = [down, up].map(|bps| {
            Arc::new(Mutex::new(Pace {
                bps,
                free: Instant::now(),
            }))
        });
        let shared = (stop.clone(), passed.clone());
        let thread = std::thread::spawn(move || {
            let (stop, [passed_down, passed_up]) = shared;
            while !stop.load(Ordering::Relaxed) {
                let Ok((client, _)) = listener.accept() else {
                    std::thread::sleep(Duration::from_millis(2));
                    continue;
                };
                let Ok(server) = TcpStream::connect(to) else {
                    continue;
                };
                for socket in [&client, &server] {
                    socket.set_nonblocking(false).expect("an option");
                    socket.set_nodelay(true).expect("an option");
                    // A narrow link has no deep buffers here.
                    let socket = socket2::SockRef::from(socket);
                    let _ = socket.set_recv_buffer_size(64 * 1024);
                    let _ = socket.set_send_buffer_size(64 * 1024);
                }
                let ends = |a: &TcpStream, b: &TcpStream| {
                    (
                        a.try_clone().expect("cloned"),
                        b.try_clone().expect("cloned"),
                    )
                };
                let (from, to) = ends(&client, &server);
                let (pace, count) = (up.clone(), passed_up.clone());
                std::thread::spawn(move || pass(from, to, &pace, &count));
                let (from, to) = ends(&server, &client);
                let (pace, count) = (down.clone(), passed_down.clone());
                std::thread::spawn(move || pass(from, to, &pace, &count));
            }
        });
        Self {
            address,
            stop,
            thread: Some(thread),
            passed,
        }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, pace: &Mutex<Pace>, count: &AtomicU64) {
    let mut buffer = [0; 4096];
    while let Ok(octets @ 1..) = from.read(&mut buffer) {
        let until = {
            let mut pace = pace.lock().expect("a pace");
            let now = Instant::now();
            // What was not used in the last 20 ms is lost.
            let begin = pace.free.max(now - Duration::from_millis(20));
            pace.free = begin + Duration::from_nanos(octets as u64 * 8_000_000_000 / pace.bps);
            pace.free
        };
        // The pace of the relay, not a wait for something to happen.
        std::thread::sleep(until.saturating_duration_since(Instant::now()));
        if to.write_all(&buffer[..octets]).is_err() {
            break;
        }
        count.fetch_add(octets as u64, Ordering::Relaxed);
    }
    let _ = to.shutdown(Shutdown::Write);
    let _ = from.shutdown(Shutdown::Read);
}
