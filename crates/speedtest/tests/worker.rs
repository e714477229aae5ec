//! The worker process: this test program, started again, is one.

mod support;

use speedtest::Message;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
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

fn command() -> Command {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command
        .args(["--exact", "worker_process", "--nocapture"])
        .env(I_AM_ONE, "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    command
}

fn start() -> Child {
    command().spawn().expect("a worker")
}

#[test]
fn a_missing_iperf3_is_said_with_the_way_out() {
    let mut worker = command()
        .env("PATH", "/nonexistent")
        .spawn()
        .expect("a worker");
    let request = request("iperf3://127.0.0.1:9", 5);
    ask(&mut worker, &serde_json::to_string(&request).expect("JSON"));
    let last = messages(&mut worker).last();
    assert!(
        matches!(&last, Some(Message::Failed { why, bytes: 0 })
            if why == "iperf3 is not installed: apt-get install iperf3"),
        "{last:?}"
    );
    assert!(ended(&mut worker, Duration::from_secs(5)).is_some());
}

fn ask(child: &mut Child, line: &str) {
    let input = child.stdin.as_mut().expect("piped");
    writeln!(input, "{line}").expect("written");
}

/// The test harness has its own word to say first, on the same line perhaps.
fn messages(child: &mut Child) -> impl Iterator<Item = Message> {
    BufReader::new(child.stdout.take().expect("piped"))
        .lines()
        .map_while(Result::ok)
        .filter_map(|line| serde_json::from_str(line.get(line.find('{')?..)?).ok())
}

fn ended(child: &mut Child, within: Duration) -> Option<i32> {
    let begun = Instant::now();
    while begun.elapsed() < within {
        if let Some(status) = child.try_wait().expect("waiting") {
            return status.code();
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let _ = child.kill();
    let _ = child.wait();
    None
}

#[test]
fn a_request_line_brings_progress_and_one_outcome() {
    let responder = Responder::start(options());
    let mut worker = start();
    let line = serde_json::to_string(&request(&responder.url(), 5)).expect("JSON");
    ask(&mut worker, &line);
    let all: Vec<Message> = messages(&mut worker).collect();
    assert!(all.len() > 10, "{all:?}");
    assert!(matches!(all.last(), Some(Message::Done(_))), "{all:?}");
    assert_eq!(ended(&mut worker, Duration::from_secs(5)), Some(0));
}

#[test]
fn nonsense_is_answered_and_ends_it() {
    let mut worker = start();
    ask(&mut worker, "speed, please");
    let all: Vec<Message> = messages(&mut worker).collect();
    assert!(
        matches!(&all[..], [Message::Failed { why, .. }] if why.contains("not understood")),
        "{all:?}"
    );
    assert_eq!(ended(&mut worker, Duration::from_secs(5)), Some(1));
}

#[test]
fn it_ends_at_once_when_nobody_holds_its_input() {
    // A server that accepts and says nothing.
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("listening");
    let url = format!("babel://{}", silent.local_addr().expect("bound"));
    let mut worker = start();
    let line = serde_json::to_string(&request(&url, 60)).expect("JSON");
    ask(&mut worker, &line);
    let _held = silent.accept().expect("the worker connects");
    drop(worker.stdin.take());
    let begun = Instant::now();
    assert_eq!(ended(&mut worker, Duration::from_secs(5)), Some(1));
    assert!(begun.elapsed() < Duration::from_secs(2));
}
