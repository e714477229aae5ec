//! Speed tests in a live daemon: through whom they go, what becomes of them, what they leave.

mod daemon_support;
mod quality_support;

use anyhow::{Context, Result, ensure};
use babel_netlink::{Family, Route, Rule};
use babeld::probe::Kernel;
use daemon_support::{BABELD, SOON};
use netns::{BitRate, Namespace, wait_for};
use quality_support::{Client, Diamond, FAR, Serving, link_local};
use std::net::TcpListener;
use std::time::{Duration, Instant};

/// A test is over by then, on a busy machine.
const TEST: Duration = Duration::from_secs(60);
/// What routing carries meanwhile, in octets: packets of Babel, and neighbour discovery.
const NOISE: u64 = 100_000;
const TARGET: &str = "speedtest-target far babel://[2001:db8:fa::1]:6698 daily-budget 24M";

/// Octets received and sent.
fn carried(node: &Namespace, interface: &str) -> Result<(u64, u64)> {
    node.routes(|socket| {
        let index = socket.link_by_name(interface)?.index;
        let counters = socket.link_counters(index)?;
        Ok((counters.received_octets, counters.sent_octets))
    })
}

/// Rules and routes of pins.
fn pins(me: &Namespace) -> Result<(Vec<Rule>, Vec<Route>)> {
    me.routes(|socket| {
        let (mut rules, mut routes) = (Vec::new(), Vec::new());
        for family in Family::BOTH {
            rules.extend(
                socket
                    .rules(family)?
                    .into_iter()
                    .filter(|r| r.protocol == 42),
            );
            for table in 47600..47604 {
                routes.extend(Kernel::table(socket, family, table)?);
            }
        }
        Ok((rules, routes))
    })
}

/// Waits until nothing of a test is left in the kernel.
fn expect_no_pins(me: &Namespace) -> Result<()> {
    wait_for(SOON, || {
        let (rules, routes) = pins(me).ok()?;
        (rules.is_empty() && routes.is_empty()).then_some(())
    })
    .with_context(|| format!("left: {:?}", pins(me)))
}

/// Both uplinks at this rate, both ways.
fn shape(net: &Diamond, bps: u64) -> Result<()> {
    let rate = BitRate::from_bps(bps);
    for (node, interface) in [
        (&net.liar, "up"),
        (&net.honest, "up"),
        (&net.far, "l"),
        (&net.far, "h"),
    ] {
        node.shape(interface, rate)?;
    }
    Ok(())
}

#[test]
fn a_test_goes_through_its_neighbour_and_comes_back_through_it() -> Result<()> {
    // Enough for seconds of measuring.
    let target = "speedtest-target far babel://[2001:db8:fa::1]:6698 daily-budget 400M";
    goes_and_comes_back(target, "probe-prefix 2001:db8:77::/64")
}

/// On a LAN without IPv4 addresses: by the neighbours' link-local addresses (RFC 9229).
#[test]
fn so_does_a_test_over_ipv4() -> Result<()> {
    let target = "speedtest-target far babel://10.250.0.1:6698 daily-budget 400M";
    goes_and_comes_back(target, "probe-prefix 10.77.0.0/24")
}

fn goes_and_comes_back(target: &str, prefix: &str) -> Result<()> {
    let net = Diamond::new()?;
    shape(&net, 20_000_000)?;
    let server = Serving::start(&net.far)?;
    let me = net.start_all(&["-C", target, "-C", prefix])?;
    let [liar, honest] = net.neighbours()?;
    daemon_support::expect_route(&net.me, FAR, &me)?;
    let mut client = Client::connect(&net.me)?;
    // The schedule tests newcomers as well: what counts is what is carried during this one.
    let mut before = ((0, 0), (0, 0));
    wait_for(TEST, || {
        before = (
            carried(&net.liar, "up").ok()?,
            carried(&net.honest, "up").ok()?,
        );
        let answer = client.last(&format!("speedtest neighbour {honest} if lan target far"));
        (answer.ok()? == "ok").then_some(())
    })
    .with_context(|| format!("no test: {}", me.log_tail(60)))?;
    ensure!(
        client
            .last(&format!("speedtest neighbour {liar} if lan"))?
            .starts_with("no ")
    );
    let test = client.ended(TEST).with_context(|| me.log_tail(60))?;
    println!("{test:?}");
    ensure!(
        test.state == "done" && test.pinned == "both",
        "{test:?}\n{}",
        me.log_tail(60)
    );
    let through = |before: (u64, u64), after: (u64, u64)| (after.0 - before.0, after.1 - before.1);
    let by_liar = through(before.0, carried(&net.liar, "up")?);
    let by_honest = through(before.1, carried(&net.honest, "up")?);
    println!("by the liar {by_liar:?}, by the honest one {by_honest:?} octets");
    ensure!(by_liar.0 < NOISE && by_liar.1 < NOISE, "{by_liar:?} astray");
    ensure!(
        by_honest.0 + by_honest.1 >= test.bytes,
        "{by_honest:?} for {test:?}"
    );
    for rate in [test.download, test.upload] {
        ensure!((10_000_000..=21_000_000).contains(&rate), "{test:?}");
    }
    expect_no_pins(&net.me)?;
    let quality = client.ask("json quality")?;
    ensure!(
        quality
            .iter()
            .any(|line| line.contains("\"band\":\"proven\"")),
        "{quality:?}"
    );
    drop(server);
    Ok(())
}

#[test]
fn probe_addresses_are_announced_to_their_neighbour_alone_and_go_with_the_daemon() -> Result<()> {
    let net = Diamond::new()?;
    let options = [
        "-C",
        TARGET,
        "-C",
        "probe-prefix 2001:db8:77::/64",
        "-C",
        "redistribute ip 2001:db8::/16",
    ];
    let mut me = net.start_all(&options)?;
    let of_ours = |node: &Namespace| -> Result<Vec<String>> {
        let all = node.routes(|socket| Ok(socket.addresses()?))?;
        let probes = all.iter().filter(|found| found.protocol == 42);
        Ok(probes.map(|found| found.address.to_string()).collect())
    };
    let two = wait_for(SOON, || of_ours(&net.me).ok().filter(|all| all.len() == 2));
    let two = two.context("not two probe addresses")?;
    let ours = link_local(&net.me, "lan")?;
    // Each neighbour has a route to one of them by us, and to the other by the other.
    for node in [&net.liar, &net.honest] {
        let mut direct = Vec::new();
        let settled = wait_for(SOON, || {
            direct = two
                .iter()
                .filter_map(|address| {
                    let route = daemon_support::route_to(node, &format!("{address}/128"))?;
                    (route.gateway == Some(ours.into())).then_some(address)
                })
                .collect();
            (direct.len() == 1).then_some(())
        });
        settled.with_context(|| format!("{}: {direct:?} by us", node.name()))?;
    }
    me.kill();
    ensure!(of_ours(&net.me)?.len() == 2);
    let mut me = net.start_me(&options)?;
    let _client = Client::connect(&net.me)?;
    let again = wait_for(SOON, || of_ours(&net.me).ok().filter(|all| all.len() == 2));
    let mut again = again.context("not two again")?;
    let mut two = two;
    again.sort();
    two.sort();
    ensure!(again == two, "{again:?} after {two:?}");
    ensure!(me.stop(SOON)?.context("it does not end")?.success());
    ensure!(of_ours(&net.me)?.is_empty());
    Ok(())
}

#[test]
fn a_killed_daemon_leaves_no_worker_and_the_next_one_sweeps_its_pins() -> Result<()> {
    let net = Diamond::new()?;
    shape(&net, 2_000_000)?;
    let _server = Serving::start(&net.far)?;
    let mut me = net.start_all(&["-C", TARGET])?;
    let [liar, _] = net.neighbours()?;
    net.expect_via(FAR, liar, SOON, &me)?;
    let mut client = Client::connect(&net.me)?;
    client.until_ok(&format!("speedtest neighbour {liar} if lan"))?;
    let (rules, routes) = pins(&net.me)?;
    ensure!(
        (rules.len(), routes.len()) == (2, 4),
        "{rules:?} {routes:?}"
    );
    let one = wait_for(SOON, || workers(&net.me).ok().filter(|count| *count == 1));
    one.context("no worker")?;
    // Found under its own name, not the daemon's.
    let names = names(&net.me)?;
    ensure!(
        names.iter().filter(|name| *name == "babeld").count() == 1,
        "{names:?}"
    );
    me.kill();
    wait_for(SOON, || workers(&net.me).ok().filter(|count| *count == 0)).context("still there")?;
    let (rules, _) = pins(&net.me)?;
    ensure!(rules.len() == 2, "a crash cleans up?");
    // Ranking is off in the next life: what is ours goes all the same.
    let mut command = net.me.command(BABELD);
    command
        .args(["-I", "", "-S"])
        .arg(net.place.file("state"))
        .arg("lan");
    let _me = net.me.spawn("again", command)?;
    expect_no_pins(&net.me)
}

#[test]
fn a_neighbour_or_link_that_goes_ends_its_test_and_its_pin() -> Result<()> {
    let net = Diamond::new()?;
    shape(&net, 1_000_000)?;
    let _server = Serving::start(&net.far)?;
    let me = net.start_all(&["-C", TARGET])?;
    let [liar, _] = net.neighbours()?;
    net.expect_via(FAR, liar, SOON, &me)?;
    let mut client = Client::connect(&net.me)?;
    client.until_ok(&format!("speedtest neighbour {liar} if lan"))?;
    net.me.set_down("lan")?;
    let test = client.ended(SOON)?;
    ensure!(
        test.state == "failed" && test.why.contains("down"),
        "{test:?}"
    );
    expect_no_pins(&net.me)?;
    wait_for(SOON, || workers(&net.me).ok().filter(|count| *count == 0)).context("a worker")?;
    Ok(())
}

#[test]
fn a_server_that_is_down_silent_or_rude_is_told_once_and_routing_does_not_notice() -> Result<()> {
    let net = Diamond::new()?;
    let me = net.start_all(&["-C", TARGET])?;
    let [liar, _] = net.neighbours()?;
    net.expect_via(FAR, liar, SOON, &me)?;
    let mut client = Client::connect(&net.me)?;
    // Down; then one that accepts and says nothing, or rubbish.
    for rudeness in [None, Some(""), Some("\r\nHTTP/1.1 400 You what\r\n\r\n")] {
        let listener = rudeness
            .map(|words| Rude::start(&net.far, words))
            .transpose()?;
        let begin = Instant::now();
        client.until_ok(&format!("speedtest neighbour {liar} if lan"))?;
        let test = client.ended(TEST)?;
        println!("{rudeness:?}: {} after {:?}", test.why, begin.elapsed());
        ensure!(test.state == "failed" && !test.why.is_empty(), "{test:?}");
        expect_no_pins(&net.me)?;
        drop(listener);
    }
    net.expect_via(FAR, liar, SOON, &me)?;
    let log = me.log_tail(1000);
    ensure!(log.matches("against far failed").count() == 1, "{log}");
    Ok(())
}

#[test]
fn without_ranking_there_is_nothing_of_it() -> Result<()> {
    let net = Diamond::new()?;
    let file = net.place.file("quality-of-me");
    let me = net.start_all(&["-C", "probe-prefix 2001:db8:77::/64"])?;
    let [liar, _] = net.neighbours()?;
    net.expect_via(FAR, liar, SOON, &me)?;
    let (rules, routes) = pins(&net.me)?;
    ensure!(
        rules.is_empty() && routes.is_empty(),
        "{rules:?} {routes:?}"
    );
    let mut client = Client::connect(&net.me)?;
    ensure!(client.ask("json quality")?.len() <= 1);
    drop(me);
    ensure!(!file.exists());
    Ok(())
}

#[test]
fn what_is_switched_on_and_off_at_run_time_is_there_and_gone_at_once() -> Result<()> {
    let net = Diamond::new()?;
    shape(&net, 2_000_000)?;
    let _server = Serving::start(&net.far)?;
    let me = net.start_all(&[])?;
    let [liar, _] = net.neighbours()?;
    net.expect_via(FAR, liar, SOON, &me)?;
    let probes = |wanted: usize| {
        let count = || {
            let all = net.me.routes(|socket| Ok(socket.addresses()?)).ok()?;
            Some(all.iter().filter(|found| found.protocol == 42).count())
        };
        wait_for(SOON, || count().filter(|count| *count == wanted))
    };
    let mut client = Client::connect(&net.me)?;
    ensure!(client.last("probe-prefix 2001:db8:77::/64")? == "ok");
    ensure!(client.last(TARGET)? == "ok");
    probes(2).context("no probe addresses")?;
    client.until_ok(&format!("speedtest neighbour {liar} if lan"))?;
    ensure!(client.last("speedtest-target far none")? == "ok");
    expect_no_pins(&net.me)?;
    probes(0).context("probe addresses are left")?;
    wait_for(SOON, || workers(&net.me).ok().filter(|count| *count == 0)).context("a worker")?;
    // And on again.
    ensure!(client.last(TARGET)? == "ok");
    probes(2).context("no probe addresses")?;
    net.expect_via(FAR, liar, SOON, &me)
}

/// How many workers there are in a namespace.
fn workers(node: &Namespace) -> Result<usize> {
    Ok(names(node)?
        .iter()
        .filter(|name| *name == "babel-speedtest")
        .count())
}

/// The names of all processes in the network namespace of `node`.
fn names(node: &Namespace) -> Result<Vec<String>> {
    let inside = std::fs::read_link(format!("/proc/{}/ns/net", node.pid()))?;
    let mut names = Vec::new();
    for process in std::fs::read_dir("/proc")?.flatten() {
        let path = process.path();
        if std::fs::read_link(path.join("ns/net")).is_ok_and(|ns| ns == inside)
            && let Ok(name) = std::fs::read_to_string(path.join("comm"))
        {
            names.push(name.trim().to_owned());
        }
    }
    Ok(names)
}

/// A server that is none.
struct Rude {
    stop: std::sync::Arc<std::sync::atomic::AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Rude {
    fn start(node: &Namespace, words: &'static str) -> Result<Self> {
        use std::io::Write;
        use std::sync::atomic::Ordering;
        let listener = node.with(|| TcpListener::bind("[2001:db8:fa::1]:6698"))??;
        listener.set_nonblocking(true)?;
        let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
        let told = stop.clone();
        let thread = std::thread::spawn(move || {
            let mut held = Vec::new();
            while !told.load(Ordering::Relaxed) {
                if let Ok((mut stream, _)) = listener.accept() {
                    let _ = stream.write_all(words.as_bytes());
                    held.push(stream);
                }
                std::thread::sleep(Duration::from_millis(5));
            }
        });
        Ok(Self {
            stop,
            thread: Some(thread),
        })
    }
}

impl Drop for Rude {
    fn drop(&mut self) {
        self.stop.store(true, std::sync::atomic::Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
