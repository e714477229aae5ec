//! A LAN with a node that means harm: our daemons live on, in bounded memory, and route on.

use crate::await_routes;
use anyhow::{Context, Result, ensure};
use interop_tests::capture::{Listener, Packet};
use interop_tests::network::{Id, Network};
use interop_tests::peers::Kind;
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Resident memory no attack may push a daemon over.
const MEMORY_LIMIT_KIB: u64 = 256 << 10;
/// Lines of log that an attack of some seconds may cause.
const LOG_LINES: usize = 100;
/// Routes that one neighbour may announce (`Limits::routes_per_neighbour`).
const ROUTES_PER_NEIGHBOUR: u32 = 131_072;
/// More than that.
const FLOOD: u32 = 200_000;
const PER_PACKET: u32 = 45;
/// 15,000 updates a second: a daemon built without optimisation keeps up on a busy machine. One
/// built for release was seen to keep up without any pause.
const PACE: Duration = Duration::from_millis(3);

/// Two of our nodes that route to each other, and the ear of a third without a daemon.
fn lan(test: &str) -> Result<(Network, [Id; 2], Listener)> {
    let mut network = Network::new(test)?;
    let (a, b, ear) = (network.node("a")?, network.node("b")?, network.node("ear")?);
    network.lan(&[a, b, ear])?;
    let listener = Listener::open(&network, ear, "lan")?;
    for node in [a, b] {
        network.start(node, Kind::Ours, &[])?;
    }
    let limit = Kind::Ours.patience();
    await_routes(&network, a, &b.prefixes(), b, limit)?;
    await_routes(&network, b, &a.prefixes(), a, limit)?;
    Ok((network, [a, b], listener))
}

/// Whether the two still route to each other, and answer, in bounded memory.
fn undisturbed(network: &Network, [a, b]: [Id; 2]) -> Result<bool> {
    for (node, other) in [(a, b), (b, a)] {
        for prefix in other.prefixes() {
            if !network.leads(node, &prefix, other)? {
                return Ok(false);
            }
        }
        let memory = resident_kib(network, node)?;
        ensure!(memory < MEMORY_LIMIT_KIB, "{memory} KiB resident");
        network.peer(node)?.ask("json status")?;
    }
    Ok(true)
}

fn resident_kib(network: &Network, node: Id) -> Result<u64> {
    let daemon = network.peer(node)?.daemons.first().context("no process")?;
    let status = fs::read_to_string(format!("/proc/{}/status", daemon.pid()))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    number.context("no VmRSS")?.parse().context("VmRSS")
}

#[test]
fn random_truncated_and_mutated_packets_disturb_nobody() -> Result<()> {
    let (network, pair, listener) = lan("garbage")?;
    let mut real = listener.collect(Duration::from_secs(5), |packets| packets.len() >= 20);
    ensure!(!real.is_empty(), "no packet to mutate");
    real.iter_mut().for_each(forget_who_is_heard);
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let sending = scope.spawn(|| {
            let mut random = fastrand::Rng::with_seed(seed);
            let mut sent = 0_u32;
            while !done.load(Ordering::Relaxed) {
                let datagram = bad_datagram(&mut random, &real);
                sent += u32::from(listener.send(&datagram));
                if sent.is_multiple_of(16) {
                    thread::sleep(Duration::from_millis(1));
                }
            }
            sent
        });
        let outcome = network.stays("routes under fire", Duration::from_secs(8), |network| {
            undisturbed(network, pair)
        });
        done.store(true, Ordering::Relaxed);
        println!("{} bad packets sent", sending.join().unwrap_or(0));
        outcome
    })?;
    for node in pair {
        let daemon = network.peer(node)?.daemons.first().context("no process")?;
        let log = fs::read_to_string(daemon.log())?;
        let (lines, last) = (log.lines().count(), daemon.log_tail(40));
        println!("{lines} lines of log");
        ensure!(lines <= LOG_LINES, "{lines} lines of log, such as:\n{last}");
    }
    Ok(())
}

/// Makes padding of each IHU: a packet with one would make its sender a neighbour with whom routes
/// can be exchanged, and who may then, without authentication, say what it likes about anyone's.
fn forget_who_is_heard(packet: &mut Packet) {
    let mut at = 4;
    while let Some(&length) = packet.octets.get(at + 1) {
        if packet.octets[at] == 5 {
            packet.octets[at] = 1;
        }
        at += 2 + usize::from(length);
    }
}

/// Half noise, half real packets with something wrong.
fn bad_datagram(random: &mut fastrand::Rng, real: &[Packet]) -> Vec<u8> {
    let mut datagram = if random.bool() {
        let length = random.usize(0..1400);
        let mut noise: Vec<u8> = (0..length).map(|_| random.u8(..)).collect();
        if let Some(header) = noise.first_chunk_mut::<4>() {
            let body = u16::try_from(length - 4).unwrap_or(0).to_be_bytes();
            *header = [42, 2, body[0], body[1]];
        }
        noise
    } else {
        real[random.usize(..real.len())].octets.clone()
    };
    for _ in 0..random.usize(0..4) {
        if !datagram.is_empty() {
            let place = random.usize(..datagram.len());
            datagram[place] = random.u8(..);
        }
    }
    if random.u8(..8) == 0 {
        datagram.truncate(random.usize(..=datagram.len()));
    }
    datagram
}

#[test]
fn a_neighbour_that_announces_far_too_much_is_capped_and_disturbs_nobody() -> Result<()> {
    let (network, pair, listener) = lan("flood")?;
    let done = AtomicBool::new(false);
    let known = thread::scope(|scope| {
        scope.spawn(|| flood(&listener, &done));
        let known = await_flood(&network, pair).and_then(|known| {
            let while_flooded = Duration::from_secs(3);
            network.stays("routes in the flood", while_flooded, |network| {
                undisturbed(network, pair)
            })?;
            Ok(known)
        });
        done.store(true, Ordering::Relaxed);
        known
    })?;
    println!("{known} routes known");
    ensure!(
        known <= ROUTES_PER_NEIGHBOUR + 100,
        "{known} routes: no cap"
    );
    network.wait("it calms down", Duration::from_secs(20), |network| {
        undisturbed(network, pair)
    })?;
    Ok(())
}

/// Watches until the first node knows as many routes as it may, or no more come.
fn await_flood(network: &Network, pair: [Id; 2]) -> Result<u32> {
    let begun = Instant::now();
    let mut known = 0;
    while known < ROUTES_PER_NEIGHBOUR && begun.elapsed() < Duration::from_secs(30) {
        network.stays(
            "routes in the flood",
            Duration::from_millis(200),
            |network| undisturbed(network, pair),
        )?;
        let status = network.peer(pair[0])?.ask("json status")?;
        let status: serde_json::Value = serde_json::from_str(&status.concat())?;
        let count = |state: &str| status["routes"][state].as_u64().unwrap_or(0);
        let states = ["selected", "feasible", "unfeasible", "retracted"];
        known = u32::try_from(states.iter().map(|state| count(state)).sum::<u64>())?;
    }
    ensure!(
        known > 1000,
        "the flood did not arrive: {known} routes known"
    );
    Ok(known)
}

/// Announces [`FLOOD`] prefixes with a router-id for each packet, again and again.
fn flood(listener: &Listener, done: &AtomicBool) {
    let mut first = 0_u32;
    let mut seqno = 0_u16;
    while !done.load(Ordering::Relaxed) {
        let mut body = vec![4, 6, 0, 0];
        body.extend_from_slice(&seqno.to_be_bytes());
        body.extend_from_slice(&100_u16.to_be_bytes());
        body.extend_from_slice(&[6, 10, 0, 0, 2, 0, 0, 0]);
        body.extend_from_slice(&first.to_be_bytes());
        for number in first..first + PER_PACKET {
            // AE 2, no flags, a whole /128, 10 s, seqno 1, metric 10.
            body.extend_from_slice(&[8, 26, 2, 0, 128, 0, 3, 232, 0, 1, 0, 10]);
            body.extend_from_slice(&[0xfd, 0xbb, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
            body.extend_from_slice(&number.to_be_bytes());
        }
        let length = u16::try_from(body.len()).unwrap_or(0).to_be_bytes();
        let mut datagram = vec![42, 2, length[0], length[1]];
        datagram.append(&mut body);
        if !listener.send(&datagram) {
            thread::sleep(Duration::from_millis(5));
            continue;
        }
        seqno = seqno.wrapping_add(1);
        first = (first + PER_PACKET) % FLOOD;
        thread::sleep(PACE);
    }
}
