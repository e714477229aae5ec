//! What users' own traffic says of a neighbour: black holes, and honest ones that look like it.

mod daemon_support;
mod quality_support;

use anyhow::{Context, Result, ensure};
use babel_netlink::{Family, Route, RouteKind, Rule};
use daemon_support::{SOON, expect_route};
use netns::{Namespace, wait_for};
use quality_support::{Client, Diamond, FAR, Serving};
use std::net::{Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

const TARGET: &str = "speedtest-target far babel://[2001:db8:fa::1]:6698 daily-budget 24M";
const PORT: u16 = 7;
/// Newcomers' tests, a window or two of counters, and a check with a witness.
const LONG: Duration = Duration::from_secs(110);

/// A user: asks the far node something all the time, and counts the answers.
struct User {
    over: Arc<AtomicBool>,
    sent: Arc<AtomicU32>,
    answered: Arc<AtomicU32>,
    threads: Vec<JoinHandle<()>>,
}

impl User {
    fn start(me: &Namespace, far: &Namespace, gap: Duration) -> Result<Self> {
        let echo = far.with(|| UdpSocket::bind("[2001:db8:fa::1]:7"))??;
        let user = me.with(|| UdpSocket::bind("[2001:db8:1::1]:0"))??;
        for socket in [&echo, &user] {
            socket.set_read_timeout(Some(Duration::from_millis(50)))?;
        }
        let over = Arc::new(AtomicBool::new(false));
        let (sent, answered) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
        let mut threads = Vec::new();
        let told = over.clone();
        threads.push(thread::spawn(move || {
            let mut buffer = [0; 64];
            while !told.load(Ordering::Relaxed) {
                if let Ok((length, from)) = echo.recv_from(&mut buffer) {
                    let _ = echo.send_to(buffer.get(..length).unwrap_or_default(), from);
                }
            }
        }));
        let listens = user.try_clone()?;
        let (told, count) = (over.clone(), answered.clone());
        threads.push(thread::spawn(move || {
            while !told.load(Ordering::Relaxed) {
                if listens.recv(&mut [0; 64]).is_ok() {
                    count.fetch_add(1, Ordering::Relaxed);
                }
            }
        }));
        let (told, count) = (over.clone(), sent.clone());
        let far: SocketAddr = "[2001:db8:fa::1]:7".parse()?;
        ensure!(far.port() == PORT);
        threads.push(thread::spawn(move || {
            while !told.load(Ordering::Relaxed) {
                // Refused by the kernel is lost, as on the way.
                let _ = user.send_to(b"hello", far);
                count.fetch_add(1, Ordering::Relaxed);
                thread::sleep(gap);
            }
        }));
        Ok(Self {
            over,
            sent,
            answered,
            threads,
        })
    }

    fn counts(&self) -> (u32, u32) {
        let answered = self.answered.load(Ordering::Relaxed);
        (self.sent.load(Ordering::Relaxed), answered)
    }
}

impl Drop for User {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

/// Whether a neighbour is in this band.
fn is_in_band(client: &mut Client, neighbour: Ipv6Addr, band: &str) -> bool {
    let band = format!("\"band\":\"{band}\"");
    let address = format!("\"{neighbour}\"");
    let lines = client.ask("json quality").unwrap_or_default();
    let mut lines = lines.iter();
    lines.any(|line| line.contains(&band) && line.contains(&address))
}

/// Takes packets to the far node and says nothing, before any route of Babel.
fn black_hole() -> Result<Route> {
    let (address, plen) = FAR.split_once('/').context("no length")?;
    let mut route = Route::new((address.parse()?, plen.parse()?), 254, 4);
    route.kind = RouteKind::Blackhole;
    route.priority = Some(1);
    Ok(route)
}

#[test]
fn a_neighbour_that_swallows_everything_but_babel_is_left_and_may_come_back() -> Result<()> {
    let net = Diamond::apart()?;
    let _server = Serving::start(&net.far)?;
    // Without probe addresses what comes back through a witness may come by the suspect, and be
    // lost: then nobody is convicted.
    let options = ["-C", TARGET, "-C", "probe-prefix 2001:db8:77::/64"];
    let me = net.start_all(&options)?;
    let [liar, honest] = net.neighbours()?;
    let mut client = Client::connect(&net.me)?;
    // Both are good, by measurements as well: only what users get tells them apart.
    for (neighbour, interface) in [(liar, "lan"), (honest, "own")] {
        wait_for(LONG, || {
            is_in_band(&mut client, neighbour, "proven").then_some(())
        })
        .with_context(|| format!("{neighbour} on {interface}: {}", me.log_tail(60)))?;
    }
    let user = User::start(&net.me, &net.far, Duration::from_millis(100))?;
    wait_for(SOON, || (user.counts().1 > 0).then_some(())).context("no answers at all")?;
    let used = daemon_support::route_to(&net.me, FAR).and_then(|route| route.gateway);
    let (node, hole, interface, other) = match used == Some(liar.into()) {
        true => (&net.liar, liar, "lan", honest),
        false => (&net.honest, honest, "own", liar),
    };
    // Babel goes on, and so does what comes back; packets to the far node end here.
    let hidden = black_hole()?;
    node.routes(|socket| Ok(socket.add_route(&hidden)?))?;
    let begin = Instant::now();
    net.expect_via(FAR, other, LONG, &me)?;
    println!("left after {:?}", begin.elapsed());
    let log = me.log_tail(1000);
    ensure!(log.contains("a black hole"), "{log}");
    ensure!(is_in_band(&mut client, hole, "failing"));
    let before = user.counts();
    wait_for(SOON, || (user.counts().1 > before.1 + 20).then_some(())).context("no answers")?;
    node.routes(|socket| Ok(socket.delete_route(&hidden)?))?;
    client.until_ok(&format!("speedtest neighbour {hole} if {interface}"))?;
    wait_for(LONG, || {
        is_in_band(&mut client, hole, "proven").then_some(())
    })
    .with_context(|| me.log_tail(60))?;
    Ok(())
}

#[test]
fn answers_that_come_by_another_way_are_held_against_nobody() -> Result<()> {
    let net = Diamond::apart()?;
    let _server = Serving::start(&net.far)?;
    // What comes back prefers the honest one's uplink.
    let dear = ["-C", "interface up rxcost 400"];
    let me = net.start_all_with(&dear, &["-C", TARGET])?;
    let [liar, _] = net.neighbours()?;
    net.expect_via(FAR, liar, SOON, &me)?;
    expect_route(&net.far, "2001:db8:1::1/128", &me)?;
    let user = User::start(&net.me, &net.far, Duration::from_millis(100))?;
    let suspected = wait_for(LONG, || {
        let log = me.log_tail(1000);
        log.contains("Nothing comes back").then_some(log)
    });
    suspected.with_context(|| format!("never suspected: {}", me.log_tail(60)))?;
    let mut client = Client::connect(&net.me)?;
    let ended = wait_for(SOON, || {
        let lines = client.ask("json tests").ok()?;
        let running = lines.iter().any(|line| line.contains("\"running\""));
        (!running).then_some(())
    });
    ended.context("tests go on")?;
    let log = me.log_tail(1000);
    ensure!(!log.contains("a black hole"), "{log}");
    ensure!(!is_in_band(&mut client, liar, "failing"));
    let (sent, answered) = user.counts();
    println!("{answered} of {sent} answered");
    ensure!(answered + 5 >= sent, "{answered} of {sent}");
    Ok(())
}

#[test]
fn somebody_elses_rule_is_told_of_and_users_notice_nothing() -> Result<()> {
    let net = Diamond::new()?;
    let foreign = Rule {
        priority: Some(1000),
        ..Rule::new(Family::V4, 100)
    };
    net.me.routes(|socket| Ok(socket.add_rule(&foreign)?))?;
    let me = net.start_all(&["-C", TARGET])?;
    let [liar, _] = net.neighbours()?;
    net.expect_via(FAR, liar, SOON, &me)?;
    let user = User::start(&net.me, &net.far, Duration::from_millis(5))?;
    wait_for(SOON, || (user.counts().1 > 0).then_some(())).context("no answers at all")?;
    let before = user.counts();
    let mut client = Client::connect(&net.me)?;
    for _ in 0..3 {
        let answer = client.last(&format!("speedtest neighbour {liar} if lan"))?;
        ensure!(
            answer.starts_with("no ") && answer.contains("probe-priority"),
            "{answer}"
        );
    }
    // Another priority, and it works.
    ensure!(client.last("probe-priority 1001")? == "ok");
    let _server = Serving::start(&net.far)?;
    client.until_ok(&format!("speedtest neighbour {liar} if lan"))?;
    let test = client.ended(LONG)?;
    ensure!(test.state == "done" && test.pinned == "upload", "{test:?}");
    let rules = net.me.routes(|socket| Ok(socket.rules(Family::V4)?))?;
    ensure!(rules.iter().any(|rule| rule.table == 100), "{rules:?}");
    // The last ones are on their way.
    let (sent, _) = user.counts();
    let all = wait_for(SOON, || {
        (user.counts().1 - before.1 + 2 >= sent - before.0).then_some(())
    });
    all.with_context(|| format!("lost: {before:?}, then {:?}", user.counts()))?;
    println!("of {} nothing lost", sent - before.0);
    let log = me.log_tail(1000);
    ensure!(log.matches("against far failed").count() == 1, "{log}");
    Ok(())
}
