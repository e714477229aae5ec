//! Our ndt7 responder against an independent client: the program of the crate `ndt7-client`,
//! which `./run-tests peers` installs, or `$NDT7_CLIENT`.

mod support;

use serde_json::Value;
use std::path::PathBuf;
use std::process::Command;
use support::relay::Relay;
use support::{Responder, about, options};

fn program() -> PathBuf {
    if let Some(path) = std::env::var_os("NDT7_CLIENT") {
        return path.into();
    }
    // target/debug/deps/this-program
    let mut folder = std::env::current_exe().expect("this program");
    while folder.pop() {
        let found = folder.join("peers/bin/ndt7-client");
        if found.exists() {
            return found;
        }
    }
    panic!("ndt7-client is not installed: run `./run-tests peers`")
}

#[test]
fn an_independent_client_measures_with_our_responder() {
    let responder = Responder::start(options());
    let relay = Relay::start(responder.address(), 40_000_000, 20_000_000);
    let server = relay.address().to_string();
    let output = Command::new(program())
        .args([
            "--no-locate",
            "--no-tls",
            "--format",
            "json",
            "--server",
            &server,
        ])
        .output()
        .expect("the client runs");
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}\n{errors}");
    let lines: Vec<Value> = text
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    let summary = lines.last().expect("a summary");
    println!("{summary}");
    // Megabits a second, over the whole ten seconds, ramp and all.
    let rate = |test: &str| {
        let value = summary["Summary"][test]["ThroughputMbps"].as_f64();
        value.map(|megabits| (megabits * 1e6) as u64)
    };
    assert!(about(rate("Download"), 40_000_000, 15), "{text}");
    assert!(about(rate("Upload"), 20_000_000, 15), "{text}");
    let log = responder.log.lock().expect("a log").join("\n");
    assert!(!log.contains("ended:"), "{log}");
}
