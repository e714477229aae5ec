//! Stock babeld and ours: one command line and one configuration for both, that is the point.

use super::{Kind, Peer, Place, await_socket, installed};
use anyhow::{Context, Result, ensure};
use std::fmt::Write;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

/// Names the directory of the binaries under test; without it they are built here.
const BINARIES: &str = "BABEL_BINARIES";

pub(super) fn start(kind: Kind, place: &Place<'_>) -> Result<Peer> {
    let program = match kind {
        Kind::Ours => ours()?,
        _ => PathBuf::from(installed("/usr/sbin/babeld")?),
    };
    let mut config = String::from("default type wired update-interval 2\n");
    let _ = writeln!(
        config,
        "router-id 02:00:00:00:00:00:00:{:02x}",
        place.number
    );
    for interface in place.interfaces {
        let _ = writeln!(config, "interface {interface}");
    }
    // Neither the links' own prefixes nor the other daemons' routes.
    config.push_str("redistribute proto 4 allow\n");
    for statement in place.statements {
        let _ = writeln!(config, "{statement}");
    }
    let config = place.write("babeld.conf", &config)?;
    let control = place.file("control");
    let mut command = place.namespace.command(program);
    command
        .args(["-I", "", "-M", "0", "-h", "0.5", "-H", "0.5", "-S"])
        .arg(place.file("state"))
        .arg("-G")
        .arg(&control)
        .arg("-c")
        .arg(config);
    let mut daemon = place.namespace.spawn("babeld", command)?;
    await_socket(&mut daemon, &control)?;
    Ok(Peer {
        kind,
        daemons: vec![daemon],
        control: Some(control),
    })
}

/// The daemon under test: where `./run-tests` says, else built from this tree now.
fn ours() -> Result<PathBuf> {
    static BUILT: OnceLock<Result<(), String>> = OnceLock::new();
    if let Some(directory) = std::env::var_os(BINARIES) {
        let path = PathBuf::from(directory).join("babeld");
        ensure!(path.is_file(), "{BINARIES}: no {}", path.display());
        return Ok(path);
    }
    let built = BUILT.get_or_init(|| build().map_err(|error| format!("{error:#}")));
    built
        .clone()
        .map_err(|error| anyhow::anyhow!("building our babeld: {error}"))?;
    netns::sibling("babeld")
}

fn build() -> Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["build", "--quiet", "--package", "babeld-bin", "--bins"])
        .args([
            "--manifest-path",
            concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml"),
        ])
        .output()
        .context("starting cargo")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{said}");
    Ok(())
}
