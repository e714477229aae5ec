//! Datagrams of our own, to see whether packets really pass.

use crate::network::{Id, Network};
use anyhow::{Context, Result, ensure};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

const PORT: u16 = 7777;
/// How long an echo may take.
const ECHO_LIMIT: Duration = Duration::from_millis(50);
/// So many echoes in a row mean that traffic flows again.
const IN_A_ROW: u32 = 20;

/// Echoes datagrams sent to a node's own addresses, as long as it lives.
#[derive(Debug)]
pub struct Echo {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

/// Sends datagrams from one node's own address to another's, which echoes them.
#[derive(Debug)]
pub struct Sender {
    socket: UdpSocket,
    destination: SocketAddr,
    sequence: u32,
}

impl Network {
    /// Starts to echo at `node`.
    pub fn echo(&self, node: Id) -> Result<Echo> {
        let mut echo = Echo {
            stop: Arc::default(),
            threads: Vec::new(),
        };
        for address in [IpAddr::V4(node.ipv4()), IpAddr::V6(node.ipv6())] {
            let socket = self
                .namespace(node)
                .with(|| UdpSocket::bind((address, PORT)))?
                .with_context(|| format!("{}: echo at {address}", self.name(node)))?;
            socket.set_read_timeout(Some(ECHO_LIMIT))?;
            let stop = Arc::clone(&echo.stop);
            echo.threads
                .push(thread::spawn(move || serve(&socket, &stop)));
        }
        Ok(echo)
    }

    /// A sender from one node to another, in both families.
    pub fn senders(&self, from: Id, to: Id) -> Result<[Sender; 2]> {
        let open = |own: IpAddr, other: IpAddr| -> Result<Sender> {
            let socket = self.namespace(from).with(|| UdpSocket::bind((own, 0)))?;
            let socket = socket.with_context(|| format!("{}: from {own}", self.name(from)))?;
            socket.set_read_timeout(Some(ECHO_LIMIT))?;
            Ok(Sender {
                socket,
                destination: (other, PORT).into(),
                sequence: 0,
            })
        };
        Ok([
            open(from.ipv4().into(), to.ipv4().into())?,
            open(from.ipv6().into(), to.ipv6().into())?,
        ])
    }
}

impl Sender {
    /// Sends one datagram; whether its echo came back.
    pub fn probe(&mut self) -> bool {
        self.sequence += 1;
        let probe = self.sequence.to_be_bytes();
        if self.socket.send_to(&probe, self.destination).is_err() {
            // No route; do not spin.
            thread::sleep(ECHO_LIMIT);
            return false;
        }
        let deadline = Instant::now() + ECHO_LIMIT;
        let mut buffer = [0; 4];
        while Instant::now() < deadline {
            match self.socket.recv_from(&mut buffer) {
                Ok((_, from)) if from == self.destination && buffer == probe => return true,
                // An echo that came too late, or an ICMP error that waited to be told.
                Ok(_) => (),
                Err(_) => return false,
            }
        }
        false
    }

    /// Probes until traffic flows steadily; how long, from now, the last failure was.
    pub fn outage(&mut self, limit: Duration) -> Result<Duration> {
        let begun = Instant::now();
        let (mut last_failure, mut in_a_row) = (Duration::ZERO, 0);
        while in_a_row < IN_A_ROW {
            if self.probe() {
                in_a_row += 1;
                thread::sleep(Duration::from_millis(5));
            } else {
                in_a_row = 0;
                last_failure = begun.elapsed();
            }
            ensure!(
                begun.elapsed() < limit,
                "no steady traffic to {} within {} s",
                self.destination,
                limit.as_secs_f64()
            );
        }
        Ok(last_failure)
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

fn serve(socket: &UdpSocket, stop: &AtomicBool) {
    let mut buffer = [0; 64];
    while !stop.load(Ordering::Relaxed) {
        if let Ok((length, from)) = socket.recv_from(&mut buffer) {
            let _ = socket.send_to(buffer.get(..length).unwrap_or_default(), from);
        }
    }
}
