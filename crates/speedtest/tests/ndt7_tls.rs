//! ndt7 in TLS: our client against our responder behind a terminator with a certificate.
//!
//! In worker processes, because the trusted certificates are named by the environment.
#![cfg(feature = "tls")]

mod support;

use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection};
use speedtest::Message;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;
use support::{Responder, options, request};

const I_AM_ONE: &str = "SPEEDTEST_TEST_WORKER";

/// Not a test of its own: what the others start.
#[test]
fn worker_process() {
    if std::env::var_os(I_AM_ONE).is_some() {
        let code = speedtest::worker();
        std::process::exit(i32::from(code != std::process::ExitCode::SUCCESS));
    }
}

/// A terminator in front of `to` with a certificate for `localhost`, which is written to `trust`.
fn terminator(to: SocketAddr, trust: &Path) -> u16 {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("made");
    std::fs::write(trust, pem(made.cert.der())).expect("written");
    let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .expect("a certificate");
    let config = Arc::new(config);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("listening");
    let port = listener.local_addr().expect("bound").port();
    std::thread::spawn(move || {
        // Ends with the test program.
        while let Ok((client, _)) = listener.accept() {
            let tls = ServerConnection::new(config.clone()).expect("a connection");
            let server = TcpStream::connect(to).expect("the responder");
            std::thread::spawn(move || drop(carry(client, server, tls)));
        }
    });
    port
}

fn pem(der: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::from("-----BEGIN CERTIFICATE-----\n");
    for line in der.chunks(48) {
        for three in line.chunks(3) {
            let mut bits = 0_u32;
            for index in 0..3 {
                bits = bits << 8 | u32::from(three.get(index).copied().unwrap_or(0));
            }
            for index in 0..4 {
                let digit = DIGITS[(bits >> (18 - 6 * index)) as usize & 63];
                text.push(if index > three.len() {
                    '='
                } else {
                    digit.into()
                });
            }
        }
        text.push('\n');
    }
    text + "-----END CERTIFICATE-----\n"
}

/// Both directions in one thread, until one end closes.
fn carry(
    mut client: TcpStream,
    mut server: TcpStream,
    mut tls: ServerConnection,
) -> std::io::Result<()> {
    client.set_nonblocking(true)?;
    server.set_nonblocking(true)?;
    let mut buffer = vec![0; 16 * 1024];
    let (mut inward, mut outward) = (Vec::new(), Vec::new());
    loop {
        let mut idle = true;
        let mut tried = |result: std::io::Result<usize>| match result {
            Ok(0) => Err(ErrorKind::UnexpectedEof.into()),
            Ok(count) => {
                idle = false;
                Ok(count)
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(0),
            Err(error) => Err(error),
        };
        if inward.is_empty() {
            let count = tried(tls.reader().read(&mut buffer))?;
            inward.extend(&buffer[..count]);
        }
        // Only when all is read that was there: its buffer is bounded, and full is an error.
        if inward.is_empty() && tried(tls.read_tls(&mut client))? > 0 {
            tls.process_new_packets().map_err(std::io::Error::other)?;
        }
        if !inward.is_empty() {
            let count = tried(server.write(&inward))?;
            inward.drain(..count);
        }
        if outward.is_empty() {
            let count = tried(server.read(&mut buffer))?;
            outward.extend(&buffer[..count]);
        }
        if !outward.is_empty() && !tls.wants_write() {
            let count = tls.writer().write(&outward)?;
            outward.drain(..count);
        }
        if tls.wants_write() {
            tried(tls.write_tls(&mut client))?;
        }
        if idle {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// The worker's last word.
fn measure(url: &str, trust: &Path) -> Message {
    let mut worker = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "worker_process", "--nocapture"])
        .env(I_AM_ONE, "1")
        .env("SSL_CERT_FILE", trust)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a worker");
    let mut input = worker.stdin.take().expect("piped");
    let line = serde_json::to_string(&request(url, 10)).expect("JSON");
    writeln!(input, "{line}").expect("written");
    let last = BufReader::new(worker.stdout.take().expect("piped"))
        .lines()
        .map_while(Result::ok)
        .filter_map(|line| serde_json::from_str(line.get(line.find('{')?..)?).ok())
        .last();
    drop(input);
    let _ = worker.wait();
    last.expect("a last word")
}

#[test]
fn a_server_with_a_trusted_certificate_is_measured() {
    let folder = tempfile::tempdir().expect("a folder");
    let trust = folder.path().join("trust.pem");
    let responder = Responder::start(options());
    let port = terminator(responder.address(), &trust);
    let last = measure(&format!("ndt7://localhost:{port}"), &trust);
    let Message::Done(outcome) = last else {
        panic!("{last:?}");
    };
    println!("{outcome:?}");
    assert!(outcome.download_bps > Some(5_000_000), "{outcome:?}");
    assert!(outcome.upload_bps > Some(5_000_000), "{outcome:?}");
}

#[test]
fn another_name_or_an_untrusted_certificate_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let (trust, other) = (
        folder.path().join("trust.pem"),
        folder.path().join("other.pem"),
    );
    let responder = Responder::start(options());
    let port = terminator(responder.address(), &trust);
    terminator(responder.address(), &other);
    let nothing = folder.path().join("nothing.pem");
    std::fs::write(&nothing, "").expect("written");
    for (host, trust, what) in [
        ("127.0.0.1", &trust, "TLS: "),
        ("localhost", &other, "TLS: "),
        ("localhost", &nothing, "no certificate in it"),
    ] {
        let last = measure(&format!("ndt7://{host}:{port}"), trust);
        assert!(
            matches!(&last, Message::Failed { why, bytes }
                if why.starts_with("connect: ") && why.contains(what) && *bytes < 20_000),
            "{last:?}"
        );
    }
}
