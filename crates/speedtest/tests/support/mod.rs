//! What the tests of this crate share: responders, requests, and a relay that throttles.
#![allow(dead_code, unreachable_pub, reason = "each test program uses its part")]
#![allow(missing_debug_implementations, reason = "nobody prints it")]

pub mod relay;

use speedtest::server::{Limits, Options, Server};
use speedtest::{Message, Outcome, Request};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub fn options() -> Options {
    Options {
        listen: vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 0))],
        plain: true,
        key: None,
        ndt7: true,
        limits: Limits::default(),
    }
}

/// A responder, and what it logs.
pub struct Responder {
    pub server: Server,
    pub log: Arc<Mutex<Vec<String>>>,
}

impl Responder {
    pub fn start(options: Options) -> Self {
        let log = Arc::new(Mutex::new(Vec::new()));
        let lines = log.clone();
        let server = Server::start(
            options,
            Arc::new(move |line| lines.lock().expect("a log").push(line.to_owned())),
        );
        Self {
            server: server.expect("a responder"),
            log,
        }
    }

    pub fn address(&self) -> SocketAddr {
        self.server.addresses()[0]
    }

    pub fn url(&self) -> String {
        format!("babel://{}", self.address())
    }
}

pub fn request(url: &str, seconds: u64) -> Request {
    Request {
        url: url.parse().expect("a URL"),
        peer: None,
        mark: None,
        source: None,
        bytes_limit: 8 << 30,
        time_limit: Duration::from_secs(seconds),
        seed: 1,
    }
}

/// All messages but the last, and the last.
pub fn run(request: &Request) -> (Vec<Message>, Message) {
    let mut messages = Vec::new();
    speedtest::run(request, &mut |message| messages.push(message));
    let last = messages.pop().expect("an end");
    assert!(!matches!(last, Message::Progress { .. }), "{last:?}");
    assert!(
        messages
            .iter()
            .all(|message| matches!(message, Message::Progress { .. })),
        "one end only"
    );
    (messages, last)
}

pub fn done(request: &Request) -> Outcome {
    match run(request).1 {
        Message::Done(outcome) => outcome,
        other => panic!("{other:?}"),
    }
}

pub fn failed(request: &Request) -> (String, u64) {
    match run(request).1 {
        Message::Failed { why, bytes } => (why, bytes),
        other => panic!("{other:?}"),
    }
}

/// Within so many percent.
pub fn about(measured: Option<u64>, expected: u64, percent: u64) -> bool {
    measured.is_some_and(|measured| measured.abs_diff(expected) * 100 <= expected * percent)
}
