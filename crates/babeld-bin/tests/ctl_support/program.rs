//! Running `babelctl` against a socket.

use std::path::Path;
use std::process::{Command, Output, Stdio};

/// Runs `babelctl -s SOCKET ARGUMENTS`.
pub(crate) fn babelctl(socket: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_babelctl"))
        .arg("-s")
        .arg(socket)
        .args(arguments)
        .env_remove("BABEL_SOCKET")
        .stdin(Stdio::null())
        .output()
        .expect("babelctl runs")
}

/// What it prints when all goes well.
pub(crate) fn shown(socket: &Path, arguments: &[&str]) -> String {
    let output = babelctl(socket, arguments);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && said.is_empty(),
        "{arguments:?}: {said}"
    );
    String::from_utf8(output.stdout).expect("text")
}

/// The same as one JSON document.
pub(crate) fn json(socket: &Path, arguments: &[&str]) -> serde_json::Value {
    let text = shown(socket, &[arguments, &["-j"]].concat());
    serde_json::from_str(&text).expect("JSON")
}

/// Without what aligns the columns.
pub(crate) fn squeezed(text: &str) -> String {
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ") + "\n";
    text.lines().map(words).collect()
}

/// The neighbour of this number, as the ranker knows it.
pub(crate) fn peer(number: u32) -> qos_ranker::Peer {
    qos_ranker::Peer {
        interface: format!("eth{}", number - 2),
        address: format!("fe80::{number:x}").parse().expect("an address"),
    }
}
