//! Clients that flood, stall, lie or take too much: they cost the responder their own connection
//! and nothing else.

mod support;

use speedtest::server::Limits;
use std::io::{Read, Write};
use std::net::{TcpStream, UdpSocket};
use std::time::{Duration, Instant};
use support::{Responder, done, failed, options, request};

fn connect(responder: &Responder) -> TcpStream {
    let stream = TcpStream::connect(responder.address()).expect("connected");
    let patience = Some(Duration::from_secs(10));
    stream.set_read_timeout(patience).expect("an option");
    stream.set_write_timeout(patience).expect("an option");
    stream
}

fn hello(kind: u8, rest: [u8; 16]) -> Vec<u8> {
    let mut hello = b"babelst1".to_vec();
    hello.extend([kind, 0, 0, 0, 0, 0, 0, 0]);
    hello.extend(rest);
    hello
}

/// A session that stands, and the server's welcome.
fn session(responder: &Responder) -> (TcpStream, [u8; 72]) {
    let mut stream = connect(responder);
    stream.write_all(&hello(1, [1; 16])).expect("written");
    let mut welcome = [0; 72];
    stream.read_exact(&mut welcome).expect("a welcome");
    assert_eq!(welcome[8], 0, "ready");
    (stream, welcome)
}

fn command(direction: u8, milliseconds: u32, octets: u64) -> Vec<u8> {
    let mut command = vec![direction, 0, 0, 0];
    command.extend(milliseconds.to_be_bytes());
    command.extend(octets.to_be_bytes());
    command
}

/// Reads until the other side closes.
fn drain(stream: &mut TcpStream) -> usize {
    let mut sink = vec![0; 1 << 16];
    let mut count = 0;
    while let Ok(octets @ 1..) = stream.read(&mut sink) {
        count += octets;
    }
    count
}

/// Until it is logged.
fn logged(responder: &Responder, what: &str) {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(10) {
        let log = responder.log.lock().expect("a log");
        if log.iter().any(|line| line.contains(what)) {
            return;
        }
        drop(log);
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("{what}: {:?}", responder.log.lock().expect("a log"));
}

fn impatient() -> Responder {
    let mut options = options();
    options.limits.patience = Duration::from_millis(1500);
    Responder::start(options)
}

#[test]
fn silence_nonsense_and_a_wrong_token_end_their_connection_only() {
    let responder = impatient();
    let begun = Instant::now();
    let silent = connect(&responder);
    let mut nonsense = connect(&responder);
    let _ = nonsense.write_all(&[0; 1000]);
    let mut half = connect(&responder);
    half.write_all(b"babelst1").expect("written");
    let mut stranger = connect(&responder);
    stranger.write_all(&hello(2, [9; 16])).expect("written");
    stranger.write_all(&[0; 16]).expect("written");
    let (idle, _) = session(&responder);
    let (mut unknown, _) = session(&responder);
    unknown.write_all(&command(b'X', 1, 1)).expect("written");
    for mut stream in [silent, nonsense, half, stranger, idle, unknown] {
        assert_eq!(drain(&mut stream), 0);
    }
    assert!(begun.elapsed() < Duration::from_secs(5));
    assert!(done(&request(&responder.url(), 4)).download_bps.is_some());
}

#[test]
fn a_download_that_is_not_read_and_an_upload_that_never_ends_are_cut_off() {
    let responder = Responder::start(options());
    let (mut deaf, _) = session(&responder);
    deaf.write_all(&command(b'D', 300, u64::MAX))
        .expect("written");
    // Reports that claim everything make it send faster, and no more than it has.
    let mut report = vec![1, 0, 0, 0, 0, 0, 0, 0];
    report.extend(u64::MAX.to_be_bytes());
    deaf.write_all(&report).expect("written");
    let (mut endless, _) = session(&responder);
    endless
        .write_all(&command(b'U', 300, 1_000_000))
        .expect("written");
    let chunk = [&[0, 0, 16, 0][..], &[7; 4096]].concat();
    let begun = Instant::now();
    while endless.write_all(&chunk).is_ok() {}
    logged(&responder, "more than it was asked for");
    logged(&responder, "stalls");
    assert!(begun.elapsed() < Duration::from_secs(9));
    drop(deaf);
}

#[test]
fn an_hour_has_its_octets_and_no_more() {
    let mut options = options();
    options.limits.client_octets_per_hour = 30_000_000;
    let responder = Responder::start(options);
    let mut small = request(&responder.url(), 6);
    small.bytes_limit = 1 << 30;
    // Whatever it comes to, it is not much more than the hour's.
    let mut spent = 0;
    speedtest::run(&small, &mut |message| {
        if let speedtest::Message::Done(outcome) = &message {
            spent = outcome.bytes;
        } else if let speedtest::Message::Failed { bytes, .. } = &message {
            spent = *bytes;
        }
    });
    assert!((1_000_000..60_000_000).contains(&spent), "{spent}");
    for _ in 0..20 {
        let mut last = String::new();
        speedtest::run(&small, &mut |message| {
            if let speedtest::Message::Failed { why, .. } = message {
                last = why;
            }
        });
        if last.contains("share for this hour") {
            return;
        }
    }
    panic!("it never ran out");
}

#[test]
fn too_many_tests_are_told_and_too_many_connections_closed() {
    let mut options = options();
    options.limits = Limits {
        tests: 1,
        client_connections: 3,
        ..options.limits
    };
    let responder = Responder::start(options);
    let (held, _) = session(&responder);
    let (why, _) = failed(&request(&responder.url(), 4));
    assert_eq!(why, "connect: the server is busy with other tests");
    let more: Vec<TcpStream> = (0..3).map(|_| connect(&responder)).collect();
    logged(&responder, "too many connections");
    drop((held, more));
    // And then there is room again.
    let begun = Instant::now();
    loop {
        let mut good = false;
        speedtest::run(&request(&responder.url(), 4), &mut |message| {
            good |= matches!(message, speedtest::Message::Done(_));
        });
        if good {
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(10), "no room");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn datagrams_are_echoed_to_their_session_only_and_never_longer() {
    let responder = Responder::start(options());
    let (held, welcome) = session(&responder);
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    socket.connect(responder.address()).expect("connected");
    let patience = Some(Duration::from_millis(200));
    socket.set_read_timeout(patience).expect("an option");
    let mut answer = [0; 2000];
    let mut datagram = [0; 200];
    datagram[..8].copy_from_slice(b"babelst1");
    // Without a token; with the right one and no proof; too short; too long.
    for length in [200, 199, 201, 1400, 0] {
        let mut octets = datagram.to_vec();
        octets.resize(length, 0);
        let _ = socket.send(&octets);
        assert!(socket.recv(&mut answer).is_err(), "{length}");
    }
    datagram[8..24].copy_from_slice(&welcome[40..56]);
    let _ = socket.send(&datagram);
    assert!(socket.recv(&mut answer).is_err());
    drop(held);
}

#[test]
fn ndt7_without_its_subprotocol_or_on_another_path_is_a_bad_request() {
    let responder = Responder::start(options());
    let upgrade = "Host: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                   Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: DOdm+5/Cm3WwvhfcAlhJoQ==\r\n";
    for (path, protocol) in [
        ("/ndt/v7/download", "chat"),
        ("/etc/passwd", "net.measurementlab.ndt.v7"),
    ] {
        let mut stream = connect(&responder);
        let line =
            format!("GET {path} HTTP/1.1\r\n{upgrade}Sec-WebSocket-Protocol: {protocol}\r\n\r\n");
        stream.write_all(line.as_bytes()).expect("written");
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer);
        assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    }
}
