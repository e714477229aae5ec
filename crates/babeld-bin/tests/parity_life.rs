//! The life of stock babeld and of ours, side by side: the same steps, and the same to be seen in
//! files, kernel and control socket. What differs on purpose is said where it is left out.

mod daemon_support;

use anyhow::{Context, Result, ensure};
use babel_netlink::Route;
use daemon_support::{
    BABELD, FAST, Pair, SOON, STOCK, babel_routes, expect_route, route_to, start, sysctl,
};
use netns::{Daemon, wait_for};
use nix::sys::signal::Signal;
use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

const SYSCTLS: [(&str, &str); 5] = [
    ("ipv4/conf/all/forwarding", "1"),
    ("ipv6/conf/all/forwarding", "1"),
    ("ipv6/conf/all/accept_redirects", "0"),
    ("ipv4/conf/all/rp_filter", "0"),
    ("ipv4/conf/va/rp_filter", "0"),
];

/// What is to be seen of one life.
#[derive(PartialEq, Eq, Debug)]
struct Seen {
    greeting: Vec<String>,
    /// Lines of a dump, values replaced by `_`.
    grammar: BTreeSet<String>,
    /// Answers to words that are no requests, on a read-only socket.
    answers: Vec<String>,
    routes: Vec<String>,
    left: Vec<String>,
}

/// Reads the answer to one request: all lines up to the last.
fn answer(reader: &mut impl BufRead) -> Result<Vec<String>> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        ensure!(reader.read_line(&mut line)? > 0, "closed after {lines:?}");
        let line = line.trim_end_matches('\n').to_owned();
        let ends = matches!(line.as_str(), "ok" | "bad" | "no") || line.starts_with("no ");
        lines.push(line);
        if ends {
            return Ok(lines);
        }
    }
}

/// A line with its values blotted out: what a parser must know.
fn blotted(line: &str) -> String {
    const WORDS: [&str; 30] = [
        "add",
        "change",
        "flush",
        "interface",
        "neighbour",
        "xroute",
        "route",
        "up",
        "true",
        "false",
        "ipv6",
        "ipv4",
        "address",
        "if",
        "reach",
        "ureach",
        "rxcost",
        "txcost",
        "rtt",
        "rttcost",
        "cost",
        "prefix",
        "from",
        "metric",
        "installed",
        "id",
        "refmetric",
        "via",
        "yes",
        "no",
    ];
    let word = |word| if WORDS.contains(&word) { word } else { "_" };
    line.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

fn greeting(lines: &[String]) -> Vec<String> {
    let blot = |line: &String| match line.split_once(' ') {
        // The version is the program's own; both begin alike.
        Some(("version", rest)) => format!("version {}", rest.split('-').next().unwrap_or("?")),
        Some((word @ ("host" | "my-id"), rest)) => format!("{word} {}", rest.len().min(2)),
        _ => line.clone(),
    };
    lines.iter().map(blot).collect()
}

fn attributes(route: &Route) -> String {
    format!(
        "{:?} table {} proto {} scope {:?} priority {} onlink {} gateway {:?} src {:?}",
        route.destination,
        route.table,
        route.protocol,
        route.scope,
        route.effective_priority(),
        route.onlink,
        route.gateway.map(|gateway| gateway.is_ipv4()),
        route.pref_src,
    )
}

fn tested(pair: &Pair, program: &str, socket: &Path) -> Result<Daemon> {
    let mut command = pair.a.command(program);
    command.args(FAST).arg("-I").arg(pair.place.file("pid"));
    command
        .arg("-S")
        .arg(pair.place.file("state"))
        .arg("-g")
        .arg(socket);
    command.arg("va");
    pair.a.spawn("tested", command)
}

fn life(program: &str, signal: Signal) -> Result<Seen> {
    let pair = Pair::new()?;
    for (name, wanted) in SYSCTLS {
        pair.a.set(name, if wanted == "1" { "0" } else { "1" })?;
    }
    // Whatever the kernel derives from these is as it was before, too.
    let values = || -> Result<Vec<String>> {
        SYSCTLS
            .iter()
            .map(|(name, _)| sysctl(&pair.a, name))
            .collect()
    };
    let before = values()?;
    let (pid, state, socket) = (
        pair.place.file("pid"),
        pair.place.file("state"),
        pair.place.file("socket"),
    );
    fs::write(&state, "41\n")?;
    let neighbour = start(&pair.b, &pair.place, STOCK, "vb", &[])?;
    let mut daemon = tested(&pair, program, &socket)?;
    expect_route(&pair.a, "10.2.2.2/32", &daemon)?;
    expect_route(&pair.a, "2001:db8:2::2/128", &daemon)?;
    expect_route(&pair.b, "10.1.1.1/32", &neighbour)?;
    expect_route(&pair.b, "2001:db8:1::1/128", &neighbour)?;
    ensure!(fs::read_to_string(&pid)? == daemon.pid().to_string());
    ensure!(!state.exists(), "the state file is there while running");
    for (name, wanted) in SYSCTLS {
        ensure!(sysctl(&pair.a, name)? == wanted, "{name}");
    }

    let mut client = BufReader::new(UnixStream::connect(&socket)?);
    client
        .get_ref()
        .set_read_timeout(Some(Duration::from_secs(5)))?;
    let greeting = greeting(&answer(&mut client)?);
    let mut ask = |request: &str| -> Result<Vec<String>> {
        writeln!(client.get_mut(), "{request}")?;
        answer(&mut client)
    };
    let grammar = ask("dump")?.iter().map(|line| blotted(line)).collect();
    let mut answers = Vec::new();
    for request in [
        "",
        "# x",
        "frobnicate",
        "interface vx",
        "flush interface va",
        "dump x",
        "DUMP",
        "reopen-logfile",
        "unmonitor",
    ] {
        answers.push(format!("{request}: {:?}", ask(request)?.last()));
    }
    let mut routes: Vec<String> = babel_routes(&pair.a)?
        .iter()
        .filter(|route| route.gateway.is_some())
        .map(attributes)
        .collect();
    routes.sort();

    daemon.signal(signal)?;
    let status = wait_for(SOON, || daemon.exited()).context("it does not end")?;
    let mut left = vec![format!("status {:?}", status.code())];
    for (name, path) in [("pidfile", &pid), ("socket", &socket), ("state", &state)] {
        left.push(format!("{name} {}", path.exists()));
    }
    left.push(format!("babel routes {}", babel_routes(&pair.a)?.len()));
    left.push(format!("state {:?}", fs::read_to_string(&state)?));
    ensure!(
        values()? == before,
        "kernel parameters: {:?}, {before:?}",
        values()?
    );
    // Retracted, not timed out.
    let gone = || route_to(&pair.b, "10.1.1.1/32").is_none().then_some(());
    wait_for(Duration::from_secs(3), gone).context("nothing was retracted")?;
    Ok(Seen {
        greeting,
        grammar,
        answers,
        routes,
        left,
    })
}

#[test]
fn a_life_looks_the_same_from_outside() -> Result<()> {
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
        let stock = life(STOCK, signal).context("stock")?;
        let ours = life(BABELD, signal).context("ours")?;
        ensure!(stock == ours, "{signal}:\nstock {stock:#?}\nours {ours:#?}");
        ensure!(stock.grammar.len() >= 5, "{:?}", stock.grammar);
    }
    Ok(())
}

/// After `kill -9` the socket and the pidfile stay, and stop the next start.
#[test]
fn what_a_killed_daemon_leaves_stops_the_next_one() -> Result<()> {
    for program in [STOCK, BABELD] {
        let pair = Pair::new()?;
        let socket = pair.place.file("socket");
        let mut daemon = tested(&pair, program, &socket)?;
        let bound = || UnixStream::connect(&socket).ok().map(drop);
        wait_for(SOON, bound).with_context(|| daemon.log_tail(20))?;
        daemon.kill();
        for (file, words) in [("pid", "creat("), ("socket", "local_server_socket: ")] {
            ensure!(pair.place.file(file).exists(), "{program}: no {file}");
            let mut next = tested(&pair, program, &socket)?;
            let status = wait_for(SOON, || next.exited()).context("it runs")?;
            let log = next.log_tail(5);
            ensure!(
                status.code() == Some(1) && log.contains(words),
                "{program}: {log}"
            );
            fs::remove_file(pair.place.file(file))?;
        }
        ensure!(
            !pair.place.file("state").exists(),
            "{program}: a state file"
        );
    }
    Ok(())
}
