//! The installed iperf3 against a real iperf3 server on loopback.

mod support;

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use support::relay::Relay;
use support::{about, done, failed, request};

struct Server(Child, SocketAddr);

impl Server {
    fn start() -> Self {
        // A port that was free a moment ago.
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("listening");
        let address = free.local_addr().expect("bound");
        drop(free);
        let child = Command::new("iperf3")
            .args(["-s", "-B", "127.0.0.1", "-p", &address.port().to_string()])
            .stdout(Stdio::null())
            .spawn()
            .expect("iperf3 is installed");
        let server = Self(child, address);
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(5) {
            if std::fs::read_to_string("/proc/net/tcp").is_ok_and(|table| {
                // Connecting would be taken for a test.
                table.contains(&format!("0100007F:{:04X} 00000000:0000 0A", address.port()))
            }) {
                return server;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("iperf3 does not listen");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn both_directions_are_measured_over_a_narrow_path() {
    let server = Server::start();
    let relay = Relay::start(server.1, 20_000_000, 8_000_000);
    let outcome = done(&request(&format!("iperf3://{}", relay.address()), 12));
    println!("{outcome:?}");
    assert!(about(outcome.download_bps, 20_000_000, 12), "{outcome:?}");
    assert!(about(outcome.upload_bps, 8_000_000, 12), "{outcome:?}");
    assert!(outcome.idle_latency_us.is_some(), "{outcome:?}");
    assert!(outcome.loss.is_some(), "{outcome:?}");
}

#[test]
fn the_byte_limit_holds() {
    let server = Server::start();
    let mut request = request(&format!("iperf3://{}", server.1), 8);
    request.bytes_limit = 400_000_000;
    let outcome = done(&request);
    println!("{outcome:?}");
    assert!(outcome.bytes <= 400_000_000, "{outcome:?}");
}

#[test]
fn nobody_there_and_somebody_else_there() {
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("listening");
    let address = free.local_addr().expect("bound");
    // Accepts and says nothing.
    let begun = Instant::now();
    let (why, _) = failed(&request(&format!("iperf3://{address}"), 5));
    assert!(why.contains("did not begin"), "{why}");
    assert!(begun.elapsed() < Duration::from_secs(6));
    drop(free);
    assert!(TcpStream::connect(address).is_err());
    let (why, bytes) = failed(&request(&format!("iperf3://{address}"), 5));
    assert!(why.starts_with("download: 127.0.0.1:"), "{why}");
    assert_eq!(bytes, 0);
}
