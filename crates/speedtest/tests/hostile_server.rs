//! Servers that lie, stall, flood or leave: a clean failure that names the phase, in time, within
//! the byte limit.

mod support;

use speedtest::{Message, Request};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use support::{failed, request, run};

const LIMIT: Duration = Duration::from_secs(6);
const OCTETS: u64 = 20_000_000;

/// A server with a will of its own for each connection; ends when dropped.
struct Villain {
    url: String,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Villain {
    /// `act` is told the kind of connection: 1 test, 2 pings; 0 before anything was read.
    fn start(act: impl Fn(TcpStream) + Send + Sync + Clone + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("listening");
        let url = format!("babel://{}", listener.local_addr().expect("bound"));
        listener.set_nonblocking(true).expect("an option");
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = std::thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                let Ok((stream, _)) = listener.accept() else {
                    std::thread::sleep(Duration::from_millis(5));
                    continue;
                };
                let act = act.clone();
                stream.set_nonblocking(false).expect("an option");
                let patience = Some(Duration::from_secs(20));
                stream.set_read_timeout(patience).expect("an option");
                stream.set_write_timeout(patience).expect("an option");
                std::thread::spawn(move || act(stream));
            }
        });
        Self {
            url,
            stop,
            thread: Some(thread),
        }
    }

    /// Greets as it should and answers pings, then `act`s on the first command.
    fn polite(act: impl Fn(TcpStream, [u8; 16]) + Send + Sync + Clone + 'static) -> Self {
        Self::start(move |mut stream| {
            let mut hello = [0; 32];
            if stream.read_exact(&mut hello).is_err() {
                return;
            }
            if hello[8] == 2 {
                let mut ping = [0; 16];
                while stream.read_exact(&mut ping).is_ok() && stream.write_all(&ping).is_ok() {}
                return;
            }
            let mut welcome = [0; 72];
            welcome[..8].copy_from_slice(b"babelst1");
            // No echoes, sixty seconds, no end of octets.
            welcome[12..16].copy_from_slice(&60_000_u32.to_be_bytes());
            welcome[16..24].copy_from_slice(&u64::MAX.to_be_bytes());
            let mut command = [0; 16];
            if stream.write_all(&welcome).is_ok() && stream.read_exact(&mut command).is_ok() {
                act(stream, command);
            }
        })
    }

    fn request(&self) -> Request {
        let mut request = request(&self.url, LIMIT.as_secs());
        request.bytes_limit = OCTETS;
        request
    }

    /// The test fails, in time, within the limit, and says this.
    fn fails(&self, phase: &str, what: &str) {
        let begun = Instant::now();
        let (why, bytes) = failed(&self.request());
        println!("{why} ({bytes} octets, {:?})", begun.elapsed());
        assert!(why.starts_with(&format!("{phase}: ")), "{why}");
        assert!(why.contains(what), "{why}");
        assert!(begun.elapsed() < LIMIT + Duration::from_secs(1), "{why}");
        assert!(bytes <= OCTETS, "{bytes}");
    }
}

impl Drop for Villain {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn chunk(payload: &[u8]) -> Vec<u8> {
    let mut chunk = u32::try_from(payload.len())
        .expect("short")
        .to_be_bytes()
        .to_vec();
    chunk.extend(payload);
    chunk
}

#[test]
fn nobody_there() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("listening");
    let url = format!("babel://{}", listener.local_addr().expect("bound"));
    drop(listener);
    let (why, bytes) = failed(&request(&url, 5));
    assert!(why.starts_with("connect: 127.0.0.1:"), "{why}");
    assert_eq!(bytes, 0);
}

#[test]
fn it_accepts_and_says_nothing() {
    Villain::start(|_stream| std::thread::sleep(Duration::from_secs(8)))
        .fails("connect", "no answer in time");
}

#[test]
fn it_closes_at_once() {
    Villain::start(drop).fails("connect", "the other side");
}

#[test]
fn it_speaks_something_else() {
    Villain::start(|mut stream| {
        let _ = stream.write_all(&b"HTTP/1.1 400 Bad Request\r\n".repeat(10));
        std::thread::sleep(Duration::from_secs(1));
    })
    .fails("connect", "no speed-test server of ours");
}

#[test]
fn it_stalls_in_the_download() {
    Villain::polite(|mut stream, _| {
        let _ = stream.write_all(&chunk(&[7; 1000]));
        std::thread::sleep(Duration::from_secs(8));
    })
    .fails("download", "could not be ended in time");
}

#[test]
fn it_closes_half_way() {
    Villain::polite(|mut stream, _| {
        let _ = stream.write_all(&chunk(&[7; 1000])[..500]);
    })
    .fails("download", "the other side");
}

#[test]
fn it_sends_for_ever() {
    Villain::polite(|mut stream, _| while stream.write_all(&chunk(&[7; 50_000])).is_ok() {})
        .fails("download", "more than it was asked for");
}

#[test]
fn it_sends_for_ever_but_slowly() {
    Villain::polite(|mut stream, _| {
        while stream.write_all(&chunk(&[7; 100])).is_ok() {
            std::thread::sleep(Duration::from_millis(10));
        }
    })
    .fails("download", "goes on");
}

#[test]
fn it_sends_garbage() {
    Villain::polite(|mut stream, _| while stream.write_all(&[0xff; 4096]).is_ok() {})
        .fails("download", "no chunk");
}

#[test]
fn it_lies_about_how_much_it_sent() {
    Villain::polite(|mut stream, _| {
        let mut lie = chunk(&[7; 1000]);
        lie.extend([0; 4]);
        lie.extend(1_000_000_000_u64.to_be_bytes());
        lie.extend([0; 32]);
        let _ = stream.write_all(&lie);
        std::thread::sleep(Duration::from_secs(1));
    })
    .fails("download", "1000 octets came");
}

/// Serves the download honestly, as short as can be, then `act`s on the upload.
fn in_the_upload(act: impl Fn(TcpStream) + Send + Sync + Clone + 'static) -> Villain {
    use sha2::{Digest, Sha256};
    Villain::polite(move |mut stream, _| {
        let mut hash = Sha256::new();
        let begun = Instant::now();
        let mut octets = 0_u64;
        while begun.elapsed() < Duration::from_millis(500) {
            if stream.write_all(&chunk(&[7; 1000])).is_err() {
                return;
            }
            hash.update([7; 1000]);
            octets += 1000;
            std::thread::sleep(Duration::from_millis(5));
        }
        let mut end = vec![0; 4];
        end.extend(octets.to_be_bytes());
        end.extend(hash.finalize());
        let _ = stream.write_all(&end);
        // Reports, the last one of 48 octets; then the next command.
        loop {
            let mut report = [0; 16];
            if stream.read_exact(&mut report).is_err() {
                return;
            }
            if report[0] == 3 {
                break;
            }
        }
        let mut rest = [0; 32 + 16];
        if stream.read_exact(&mut rest).is_ok() {
            assert_eq!(rest[32], b'U');
            act(stream);
        }
    })
}

#[test]
fn it_does_not_read_the_upload() {
    in_the_upload(|_stream| std::thread::sleep(Duration::from_secs(8))).fails("upload", "stalls");
}

#[test]
fn it_acknowledges_what_it_never_received() {
    let villain = in_the_upload(|mut stream| {
        // "All of it, and more", ten times a second; the socket's buffer takes what it can.
        for _ in 0..200 {
            let mut report = vec![1, 0, 0, 0, 0, 0, 0, 0];
            report.extend(u64::MAX.to_be_bytes());
            if stream.write_all(&report).is_err() {
                return;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    });
    let begun = Instant::now();
    let (progress, end) = run(&villain.request());
    let Message::Failed { why, bytes } = end else {
        panic!("{end:?}");
    };
    assert!(why.starts_with("upload: "), "{why}");
    assert!(bytes <= OCTETS && begun.elapsed() < LIMIT + Duration::from_secs(1));
    // Never was more believed than was sent.
    let most = progress.iter().map(|message| match message {
        Message::Progress { rate_bps, .. } => *rate_bps,
        _ => 0,
    });
    assert!(most.max() < Some(OCTETS * 8 * 10));
}

#[test]
fn it_confirms_other_octets() {
    in_the_upload(|mut stream| {
        let mut sink = vec![0; 1 << 16];
        let mut count = 0_u64;
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_millis(300) {
            match stream.read(&mut sink) {
                Ok(octets) if octets > 0 => count += octets as u64,
                _ => return,
            }
        }
        let mut stop = vec![2, 0, 0, 0, 0, 0, 0, 0];
        stop.extend(count.to_be_bytes());
        let _ = stream.write_all(&stop);
        stream
            .set_read_timeout(Some(Duration::from_millis(300)))
            .expect("an option");
        while matches!(stream.read(&mut sink), Ok(octets) if octets > 0) {}
        let mut last = vec![3, 0, 0, 0, 0, 0, 0, 0];
        last.extend(count.to_be_bytes());
        last.extend([9; 32]);
        let _ = stream.write_all(&last);
        std::thread::sleep(Duration::from_secs(1));
    })
    .fails("upload", "the other side");
}
