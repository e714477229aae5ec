//! BIRD 2.

use super::{Kind, Peer, Place, await_socket, installed};
use anyhow::Result;
use std::fmt::Write;

pub(super) fn start(place: &Place<'_>) -> Result<Peer> {
    let program = installed("/usr/sbin/bird")?;
    forward(place)?;
    let config = place.write("bird.conf", &config(place))?;
    let socket = place.file("bird.ctl");
    let mut command = place.namespace.command(program);
    command
        .arg("-d")
        .arg("-c")
        .arg(config)
        .arg("-s")
        .arg(&socket)
        .arg("-P")
        .arg(place.file("bird.pid"));
    let mut daemon = place.namespace.spawn("bird", command)?;
    await_socket(&mut daemon, &socket)?;
    Ok(Peer {
        kind: Kind::Bird,
        daemons: vec![daemon],
        control: None,
    })
}

/// BIRD and FRR leave forwarding to the administrator.
pub(super) fn forward(place: &Place<'_>) -> Result<()> {
    place.namespace.set("ipv4/ip_forward", "1")?;
    place.namespace.set("ipv6/conf/all/forwarding", "1")?;
    place.namespace.set("ipv4/conf/all/rp_filter", "0")
}

fn config(place: &Place<'_>) -> String {
    let mut text = format!(
        "log stderr all;\n\
         router id 0.0.0.{};\n\
         protocol device {{ scan time 1; }}\n\
         protocol direct {{ ipv4; ipv6; interface \"lo\"; }}\n",
        place.number
    );
    // The administrator's own routes come before learned ones, as in babeld.
    for family in ["ipv4", "ipv6"] {
        let _ = writeln!(
            text,
            "protocol kernel {{ learn; scan time 1; \
             {family} {{ import filter {{ preference = 200; accept; }}; \
             export where source = RTS_BABEL; }}; }}"
        );
    }
    text.push_str("protocol babel {\n");
    for family in ["ipv4", "ipv6"] {
        let _ = writeln!(
            text,
            "  {family} {{ import all; export where source = RTS_BABEL || source = RTS_DEVICE \
             || source = RTS_INHERIT; }};"
        );
    }
    for interface in place.interfaces {
        let _ = writeln!(
            text,
            "  interface \"{interface}\" {{ type wired; hello interval 500 ms; \
             update interval 2 s; {} }};",
            place.statements.join(" ")
        );
    }
    text.push_str("}\n");
    text
}
