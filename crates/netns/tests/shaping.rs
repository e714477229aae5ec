//! Shaped links, measured. Needs root; fails without.

use anyhow::{Context, Result, ensure};
use netns::{BitRate, Lab, Namespace, link};
use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const HELPER: &str = env!("CARGO_BIN_EXE_netns-helper");
const ADDRESS: &str = "10.0.0.2:5001";
/// What is in the socket's buffers and the queue when the clock starts does not count.
const WARM_UP: Duration = Duration::from_secs(1);
const SPAN: Duration = Duration::from_secs(4);

struct Pair {
    west: Namespace,
    east: Namespace,
    logs: PathBuf,
}

impl Drop for Pair {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.logs);
    }
}

fn pair(test: &str) -> Result<Pair> {
    let logs = std::env::temp_dir().join(format!("netns-{test}-{}", std::process::id()));
    fs::create_dir_all(&logs)?;
    let lab = Lab::with_helper(HELPER, &logs);
    let (west, east) = (lab.namespace("west")?, lab.namespace("east")?);
    link(&west, "east", &east, "west")?;
    west.add_address("east", "10.0.0.1/24")?;
    east.add_address("west", "10.0.0.2/24")?;
    Ok(Pair { west, east, logs })
}

/// Bits per second that arrive of a TCP stream from west to east.
fn throughput(pair: &Pair) -> Result<f64> {
    let listener = pair.east.with(|| TcpListener::bind(ADDRESS))??;
    let mut sender = pair.west.with(|| TcpStream::connect(ADDRESS))??;
    let (mut receiver, _) = listener.accept()?;
    sender.set_write_timeout(Some(Duration::from_millis(200)))?;
    receiver.set_read_timeout(Some(Duration::from_secs(5)))?;
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let block = [0x5a; 16 * 1024];
            while !stop.load(Ordering::Relaxed) {
                match sender.write(&block) {
                    Ok(_) => (),
                    Err(error) if error.kind() == ErrorKind::WouldBlock => (),
                    Err(_) => break,
                }
            }
        });
        let counted = count(&mut receiver);
        stop.store(true, Ordering::Relaxed);
        drop(receiver);
        counted
    })
}

fn count(receiver: &mut TcpStream) -> Result<f64> {
    let mut buffer = [0; 64 * 1024];
    let started = Instant::now();
    let (mut octets, mut counting_since) = (0, None);
    loop {
        let read = receiver.read(&mut buffer)?;
        ensure!(read > 0, "the stream ended");
        match counting_since {
            None if started.elapsed() >= WARM_UP => counting_since = Some(Instant::now()),
            None => (),
            Some(since) => {
                octets += read;
                let elapsed = Instant::now().duration_since(since);
                if elapsed >= SPAN {
                    return Ok(octets as f64 * 8.0 / elapsed.as_secs_f64());
                }
            }
        }
    }
}

#[test]
fn a_tcp_stream_gets_the_shaped_rate_and_no_more() -> Result<()> {
    let pair = pair("shaped")?;
    pair.west.shape("east", BitRate::from_bps(1_000_000))?;
    let rate = throughput(&pair)?;
    ensure!(
        (0.8e6..=1.1e6).contains(&rate),
        "{rate:.0} bit/s at 1 Mbit/s"
    );
    pair.west.shape("east", BitRate::from_bps(10_000_000))?;
    let rate = throughput(&pair)?;
    ensure!((8e6..=11e6).contains(&rate), "{rate:.0} bit/s at 10 Mbit/s");
    pair.west.unshape("east")?;
    let rate = throughput(&pair)?;
    ensure!(rate > 50e6, "{rate:.0} bit/s when no longer shaped");
    pair.west.unshape("east").context("twice")
}

#[test]
fn an_interface_that_is_not_there_is_named() -> Result<()> {
    let pair = pair("noif")?;
    let error = pair.west.shape("nowhere", BitRate::from_bps(1_000_000));
    let text = format!("{:#}", error.err().context("it was shaped")?);
    ensure!(text.contains("nowhere") && text.contains("west"), "{text}");
    Ok(())
}
