//! Statements at run time, through the control socket of a running daemon.

mod daemon_support;

use anyhow::{Context, Result, ensure};
use daemon_support::{AT_ONCE, Pair, SOON, expect_no_route, expect_route, sysctl};
use netns::{Namespace, wait_for};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::Duration;

const PORT: &str = "33123";

/// A client of the read-write socket.
struct Client(BufReader<TcpStream>);

impl Client {
    fn connect(namespace: &Namespace) -> Result<Self> {
        let connect = || namespace.with(|| TcpStream::connect(format!("[::1]:{PORT}")).ok());
        let stream = wait_for(SOON, || connect().ok().flatten()).context("no control socket")?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        let mut client = Self(BufReader::new(stream));
        ensure!(client.answer()?.last().is_some_and(|line| line == "ok"));
        Ok(client)
    }

    /// Asks, and returns all lines up to the one that ends the answer.
    fn ask(&mut self, request: &str) -> Result<Vec<String>> {
        writeln!(self.0.get_mut(), "{request}")?;
        self.answer()
    }

    fn answer(&mut self) -> Result<Vec<String>> {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            ensure!(self.0.read_line(&mut line)? > 0, "closed after {lines:?}");
            let line = line.trim_end().to_owned();
            let ends = line == "ok" || line == "bad" || line == "no" || line.starts_with("no ");
            lines.push(line);
            if ends {
                return Ok(lines);
            }
        }
    }

    fn last(&mut self, request: &str) -> Result<String> {
        self.ask(request)?.pop().context("no answer")
    }
}

#[test]
fn an_interface_is_flushed_and_added_again_while_running() -> Result<()> {
    let pair = Pair::new()?;
    let _stock = pair.stock(&[])?;
    let ours = pair.ours(&["-G", PORT])?;
    expect_route(&pair.a, "2001:db8:2::2/128", &ours)?;
    let mut client = Client::connect(&pair.a)?;
    let dump = client.ask("dump")?;
    ensure!(
        dump.iter()
            .any(|l| l.starts_with("add interface va up true ipv6 fe80:")),
        "{dump:?}"
    );
    pair.a.set("ipv4/conf/default/rp_filter", "0")?;
    ensure!(client.last("flush interface nosuch")? == "no No such interface");
    ensure!(client.last("flush interface va")? == "ok");
    expect_no_route(&pair.a, "2001:db8:2::2/128", AT_ONCE)?;
    let dump = client.ask("dump")?;
    ensure!(
        !dump
            .iter()
            .any(|l| l.contains("interface") || l.contains("neighbour")),
        "{dump:?}"
    );
    ensure!(client.last("interface va hello-interval 0.5")? == "ok");
    expect_route(&pair.a, "2001:db8:2::2/128", &ours)?;
    ensure!(sysctl(&pair.a, "ipv4/conf/va/rp_filter")? == "0");
    Ok(())
}

#[test]
fn a_monitor_sees_an_interface_go_down_and_up() -> Result<()> {
    let pair = Pair::new()?;
    let _ours = pair.ours(&["-G", PORT])?;
    let mut client = Client::connect(&pair.a)?;
    client.ask("monitor")?;
    pair.a.set_down("va")?;
    let mut seen = Vec::new();
    let mut wait = |wanted: &str| -> Result<()> {
        loop {
            let mut line = String::new();
            ensure!(client.0.read_line(&mut line)? > 0, "closed after {seen:?}");
            let found = line.starts_with(wanted);
            seen.push(line);
            if found {
                return Ok(());
            }
        }
    };
    wait("change interface va up false")?;
    pair.a.set_up("va")?;
    wait("change interface va up true")
}

#[test]
fn what_cannot_change_at_run_time_is_refused_and_changes_nothing() -> Result<()> {
    let pair = Pair::new()?;
    let ours = pair.ours(&["-G", PORT])?;
    let mut client = Client::connect(&pair.a)?;
    for refused in [
        "no such statement",
        "in ip 10.0.0.0/8 le 64 deny nonsense",
        "flush filters nonsense",
        "interface va rxcost nonsense",
        "kernel-check-interval -1",
    ] {
        ensure!(client.last(refused)? == "bad", "{refused}");
    }
    for fixed in [
        "export-table 7",
        "router-id 02:11:22:33:44:55:66:77",
        "local-port 33124",
    ] {
        let word = fixed.split(' ').next().unwrap_or_default();
        let wanted = format!("no '{word}' cannot be changed at run time");
        let answer = client.last(fixed)?;
        ensure!(answer.starts_with(&wanted), "{fixed}: {answer}");
    }
    for accepted in [
        "smoothing-half-life 2",
        "link-detect true",
        "kernel-check-interval 0",
        "kernel-check-interval 60",
        "shutdown-delay-ms 1",
        "import-table 254",
        "price 5",
        "price-unit 7",
        "interface va price 7",
        "max-price 100",
        "require-price false",
        "prefer price",
        "in ip 10.0.0.0/8 metric 10",
        "redistribute proto 4",
        "flush filters install",
        "flush filters",
        "default rxcost 100",
        "reopen-logfile",
        "# a comment",
    ] {
        ensure!(
            client.last(accepted)? == "ok",
            "{accepted}: {}",
            ours.log_tail(5)
        );
    }
    Ok(())
}

#[test]
fn filters_added_at_run_time_apply_to_what_is_there() -> Result<()> {
    let pair = Pair::new()?;
    let _stock = pair.stock(&[])?;
    let ours = pair.ours(&["-G", PORT])?;
    let theirs = "2001:db8:2::2/128";
    expect_route(&pair.a, theirs, &ours)?;
    let mut client = Client::connect(&pair.a)?;
    ensure!(client.last(&format!("in ip {theirs} deny"))? == "ok");
    expect_no_route(&pair.a, theirs, AT_ONCE)?;
    ensure!(client.last("flush filters in")? == "ok");
    expect_route(&pair.a, theirs, &ours)?;
    ensure!(client.last(&format!("install ip {theirs} deny"))? == "ok");
    expect_no_route(&pair.a, theirs, AT_ONCE)?;
    ensure!(client.last("flush filters")? == "ok");
    expect_route(&pair.a, theirs, &ours)?;

    // What we announce follows too, the kernel's routes among it.
    let mut route = babel_netlink::Route::new(("2001:db8:70::".parse()?, 48), 254, 4);
    route.kind = babel_netlink::RouteKind::Unreachable;
    pair.a.routes(|socket| Ok(socket.add_route(&route)?))?;
    ensure!(client.last("redistribute proto 4 metric 10")? == "ok");
    expect_route(&pair.b, "2001:db8:70::/48", &ours)?;
    ensure!(client.last("out ip 2001:db8:70::/48 deny")? == "ok");
    expect_no_route(&pair.b, "2001:db8:70::/48", AT_ONCE)?;
    ensure!(client.last("flush filters out")? == "ok");
    expect_route(&pair.b, "2001:db8:70::/48", &ours)?;
    ensure!(client.last("flush filters redistribute")? == "ok");
    expect_no_route(&pair.b, "2001:db8:70::/48", AT_ONCE)
}

#[test]
fn options_of_a_running_interface_change_and_default_is_for_later_ones() -> Result<()> {
    let pair = Pair::new()?;
    let _stock = pair.stock(&[])?;
    let ours = pair.ours(&["-G", PORT])?;
    expect_route(&pair.a, "2001:db8:2::2/128", &ours)?;
    let mut client = Client::connect(&pair.a)?;
    let rxcost = |client: &mut Client| -> Result<String> {
        let dump = client.ask("dump")?;
        let line = dump.iter().find(|line| line.contains("neighbour"));
        let (_, rest) = line
            .and_then(|line| line.split_once(" rxcost "))
            .with_context(|| format!("{dump:?}"))?;
        Ok(rest.split(' ').next().unwrap_or_default().to_owned())
    };
    ensure!(rxcost(&mut client)? == "96");
    ensure!(client.last("interface va rxcost 200")? == "ok");
    ensure!(rxcost(&mut client)? == "200");
    // Once more, and without options: nothing changes, nothing is lost.
    ensure!(client.last("interface va rxcost 200")? == "ok");
    ensure!(client.last("interface va")? == "ok");
    ensure!(rxcost(&mut client)? == "200");
    let changes = ours.log_tail(200).matches("has other options now").count();
    ensure!(changes == 1, "{}", ours.log_tail(20));
    ensure!(client.last("default rxcost 300")? == "ok");
    ensure!(client.last("interface va hello-interval 0.4")? == "ok");
    ensure!(rxcost(&mut client)? == "200");
    ensure!(client.last("flush interface va")? == "ok");
    ensure!(client.last("interface va hello-interval 0.5")? == "ok");
    let after = wait_for(SOON, || {
        rxcost(&mut client).ok().filter(|cost| cost == "300")
    });
    after.with_context(|| ours.log_tail(20))?;
    Ok(())
}

#[test]
fn a_price_set_at_run_time_reaches_the_neighbours() -> Result<()> {
    let pair = Pair::new()?;
    let priced = ["-G", PORT, "-C", "price-unit 1000"];
    let theirs = daemon_support::start(
        &pair.b,
        &pair.place,
        daemon_support::BABELD,
        "vb",
        &[
            "-G",
            PORT,
            "-C",
            "price-unit 1000",
            "-C",
            "redistribute proto 4 price 3",
        ],
    )?;
    let mut route = babel_netlink::Route::new(("2001:db8:70::".parse()?, 48), 254, 4);
    route.kind = babel_netlink::RouteKind::Unreachable;
    pair.b.routes(|socket| Ok(socket.add_route(&route)?))?;
    let ours = pair.ours(&priced)?;
    expect_route(&pair.a, "2001:db8:70::/48", &ours)?;
    let mut client = Client::connect(&pair.a)?;
    let mut price = || -> Option<String> {
        let dump = client.ask("dump").ok()?;
        let line = dump
            .iter()
            .find(|l| l.contains("route") && l.contains("2001:db8:70::/48"))?;
        let (_, rest) = line.split_once(" price ")?;
        rest.split_whitespace().next().map(str::to_owned)
    };
    ensure!(
        price().as_deref() == Some("3"),
        "{:?}: {}",
        price(),
        theirs.log_tail(10)
    );
    let mut other = Client::connect(&pair.b)?;
    ensure!(other.last("price 40")? == "ok");
    let changed = wait_for(SOON, || price().filter(|price| price == "43"));
    changed.with_context(|| format!("still {:?}", price()))?;
    ensure!(other.last("interface vb price 50")? == "ok");
    let changed = wait_for(SOON, || price().filter(|price| price == "53"));
    changed.with_context(|| format!("still {:?}", price()))?;
    Ok(())
}
