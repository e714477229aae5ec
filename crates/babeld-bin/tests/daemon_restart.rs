//! What a restart costs: streams of packets through and from a node whose babeld starts anew.

mod daemon_support;

use anyhow::{Context, Result, ensure};
use daemon_support::{BABELD, FAST, Place, expect_route, start};
use netns::{Daemon, Namespace};
use std::net::{Ipv6Addr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const PORT: u16 = 7777;
const GAP: Duration = Duration::from_millis(5);
const FAR: &str = "2001:db8:3::3";

/// Three nodes in a row, each with an address of its own.
struct Row {
    nodes: [Namespace; 3],
    place: Place,
}

impl Row {
    fn new() -> Result<Self> {
        let place = Place::new()?;
        let lab = place.lab();
        let nodes = [
            lab.namespace("a")?,
            lab.namespace("m")?,
            lab.namespace("b")?,
        ];
        let [a, m, b] = &nodes;
        netns::link(a, "am", m, "ma")?;
        netns::link(m, "mb", b, "bm")?;
        for (node, n) in nodes.iter().zip(1..) {
            node.add_address("lo", &format!("2001:db8:{n}::{n}/128"))?;
            node.set("ipv6/conf/all/forwarding", "1")?;
        }
        Ok(Self { nodes, place })
    }

    fn middle(&self, more: &[&str]) -> Result<Daemon> {
        let mut command = self.nodes[1].command(BABELD);
        command.args(FAST).args(["-d1", "-I", "", "-S"]);
        command
            .arg(self.place.file("m-state"))
            .args(more)
            .args(["ma", "mb"]);
        self.nodes[1].spawn("babeld", command)
    }
}

/// Sent and arrived.
#[derive(Debug, Clone, Copy)]
struct Count {
    sent: u32,
    arrived: u32,
}

impl Count {
    fn lost(self) -> u32 {
        self.sent.saturating_sub(self.arrived)
    }
}

/// Sends from `from` to the far node while `meanwhile` runs, and a little longer.
fn stream(
    from: &[&Namespace],
    to: &Namespace,
    meanwhile: impl FnOnce() -> Result<()>,
) -> Result<Vec<Count>> {
    let sink = to.with(|| UdpSocket::bind((Ipv6Addr::UNSPECIFIED, PORT)))??;
    sink.set_read_timeout(Some(Duration::from_millis(200)))?;
    let mut sources = Vec::new();
    for (index, namespace) in from.iter().enumerate() {
        let socket = namespace.with(|| UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0)))??;
        sources.push((u8::try_from(index)?, socket));
    }
    let far: Ipv6Addr = FAR.parse()?;
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let senders: Vec<_> = sources
            .iter()
            .map(|(index, socket)| {
                let over = &over;
                scope.spawn(move || {
                    let mut sent = 0u32;
                    while !over.load(Ordering::Relaxed) {
                        // Refused by the kernel is lost, as on the way.
                        let _ = socket.send_to(&[*index], (far, PORT));
                        sent += 1;
                        thread::sleep(GAP);
                    }
                    sent
                })
            })
            .collect();
        let counter = scope.spawn(|| {
            let mut arrived = vec![0u32; sources.len()];
            let mut buffer = [0; 8];
            loop {
                match sink.recv(&mut buffer) {
                    Ok(_) => {
                        if let Some(count) = arrived.get_mut(usize::from(buffer[0])) {
                            *count += 1;
                        }
                    }
                    Err(_) if over.load(Ordering::Relaxed) => return arrived,
                    Err(_) => {}
                }
            }
        });
        let result = meanwhile();
        over.store(true, Ordering::Relaxed);
        let sent = senders.into_iter().map(|sender| sender.join().unwrap_or(0));
        let sent: Vec<u32> = sent.collect();
        let arrived = counter.join().unwrap_or_default();
        result?;
        let counts = sent.into_iter().zip(arrived);
        Ok(counts
            .map(|(sent, arrived)| Count { sent, arrived })
            .collect())
    })
}

/// Until the new daemon has certainly done what it does with the routes of the former one.
fn wait_for_settling(daemon: &Daemon, begin: Instant) -> Result<()> {
    while begin.elapsed() < Duration::from_secs(5) {
        thread::sleep(GAP);
    }
    ensure!(
        daemon.log_tail(200).contains("Upped interface"),
        "{}",
        daemon.log_tail(20)
    );
    Ok(())
}

fn restarted(clean: bool) -> Result<Vec<Count>> {
    let row = Row::new()?;
    let [a, m, b] = &row.nodes;
    let at_a = start(a, &row.place, BABELD, "am", &[])?;
    let _at_b = start(b, &row.place, BABELD, "bm", &[])?;
    let options = [
        "-C",
        "shutdown-delay-ms 300",
        "-C",
        "default update-interval 2",
    ];
    let mut middle = row.middle(&options)?;
    expect_route(a, "2001:db8:3::3/128", &at_a)?;
    expect_route(m, "2001:db8:3::3/128", &middle)?;
    stream(&[a, m], b, || {
        let begin = Instant::now();
        if clean {
            let status = middle.stop(Duration::from_secs(5))?;
            ensure!(status.context("it does not end")?.success());
        } else {
            middle.kill();
        }
        let again = row.middle(&options)?;
        wait_for_settling(&again, begin)?;
        expect_route(a, "2001:db8:3::3/128", &at_a)?;
        Ok(())
    })
}

/// The routes stay in the kernel and are taken over: what the node itself sends loses nothing.
/// Its neighbours forget a node that begins anew (RFC 8966 appendix A.1), for it may have lost the
/// feasibility distances that keep routes free of loops: through traffic waits until they know it
/// again.
#[test]
fn a_crash_and_restart_costs_the_node_nothing_and_through_traffic_a_moment() -> Result<()> {
    let counts = restarted(false)?;
    println!("crash: through {:?}, own {:?}", counts[0], counts[1]);
    ensure!(counts[1].lost() == 0, "{counts:?}");
    let lost = GAP * counts[0].lost();
    ensure!(
        lost < Duration::from_secs(2),
        "{lost:?} of through traffic lost"
    );
    Ok(())
}

/// A clean end withdraws everything, so both wait until the new daemon has met its neighbours.
#[test]
fn a_clean_restart_costs_what_it_takes_to_meet_the_neighbours() -> Result<()> {
    let counts = restarted(true)?;
    println!("clean: through {:?}, own {:?}", counts[0], counts[1]);
    for count in counts {
        let lost = GAP * count.lost();
        ensure!(lost < Duration::from_secs(3), "{lost:?} lost");
    }
    Ok(())
}
