//! FRR: zebra, which writes the kernel's routes, and its babeld.

use super::bird::forward;
use super::{Kind, Peer, Place, START_LIMIT, await_socket, installed};
use anyhow::{Context, Result, ensure};
use netns::Daemon;
use std::fs;
use std::os::unix::fs::PermissionsExt;

pub(super) fn start(place: &Place<'_>) -> Result<Peer> {
    let vtysh = installed("/usr/bin/vtysh")?;
    forward(place)?;
    // Its daemons run as a user of their own and make their sockets here.
    fs::set_permissions(&place.directory, fs::Permissions::from_mode(0o777))?;
    let mut zebra = daemon(place, "zebra", installed("/usr/lib/frr/zebra")?)?;
    await_socket(&mut zebra, &place.file("zserv.api"))?;
    let mut babeld = daemon(place, "babeld", installed("/usr/lib/frr/babeld")?)?;
    await_socket(&mut babeld, &place.file("babeld.vty"))?;
    let mut argv = vec![vtysh.to_owned(), "--vty_socket".to_owned()];
    argv.push(place.directory.display().to_string());
    for command in commands(place) {
        argv.extend(["-c".to_owned(), command]);
    }
    let output = place.namespace.run(&argv, START_LIMIT)?;
    let said = String::from_utf8_lossy(&output.stdout);
    ensure!(
        output.status.success() && !said.contains('%'),
        "vtysh refused the configuration: {said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(Peer {
        kind: Kind::Frr,
        daemons: vec![babeld, zebra],
        control: None,
    })
}

fn daemon(place: &Place<'_>, name: &str, program: &str) -> Result<Daemon> {
    let config = place.write(&format!("{name}.conf"), "log stdout\n")?;
    let mut command = place.namespace.command(program);
    command
        .arg("-f")
        .arg(config)
        .arg("-z")
        .arg(place.file("zserv.api"))
        .arg("-i")
        .arg(place.file(&format!("{name}.pid")))
        .arg("--vty_socket")
        .arg(&place.directory);
    place
        .namespace
        .spawn(name, command)
        .with_context(|| format!("FRR's {name}"))
}

/// An interface enabled by the start-up file stays mute; enabled afterwards it speaks.
fn commands(place: &Place<'_>) -> Vec<String> {
    let mut commands: Vec<String> = ["configure terminal", "router babel"]
        .map(str::to_owned)
        .into();
    for interface in place.interfaces {
        commands.push(format!("network {interface}"));
    }
    for family in ["ipv4", "ipv6"] {
        for origin in ["connected", "kernel"] {
            commands.push(format!("redistribute {family} {origin}"));
        }
    }
    for interface in place.interfaces {
        commands.push(format!("interface {interface}"));
        commands.push("babel wired".to_owned());
        // It retracts nothing that it no longer redistributes: such routes go by expiry.
        commands.push("babel update-interval 4000".to_owned());
    }
    commands
}
