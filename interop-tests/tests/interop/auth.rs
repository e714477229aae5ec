//! MAC authentication beside stock babeld and BIRD, and keys that change between two of ours.

use crate::{await_loss, await_routes, with_each};
use anyhow::{Context, Result, ensure};
use interop_tests::control::word_after;
use interop_tests::network::{Id, Network};
use interop_tests::peers::Kind;
use std::time::Duration;

/// For both to find each other, with Hellos each half second.
const SOON: Duration = Duration::from_secs(10);
/// Echoes in a row that may be late on a busy machine, some 50 ms each.
const LATE: u32 = 5;
const FAR: [&str; 2] = ["10.99.1.0/24", "fd00:99:1::/48"];

/// What MACs are made with, in the words of babeld and of BIRD.
#[derive(Clone, Copy)]
struct Algorithm(&'static str, &'static str);

const HMAC_SHA256: Algorithm = Algorithm("hmac-sha256", "hmac sha256");
const BLAKE2S128: Algorithm = Algorithm("blake2s128", "blake2s128");

/// 32 characters, which suits both algorithms and BIRD.
const OURS: &str = "a key that only these nodes know";
const OTHERS: &str = "another key, for all who ask it.";

/// What a daemon is told to use one key on all its links.
fn keyed(kind: Kind, algorithm: Algorithm, secret: &str) -> Vec<String> {
    if kind == Kind::Bird {
        let Algorithm(_, name) = algorithm;
        return vec![format!(
            "authentication mac; password \"{secret}\" {{ algorithm {name}; }};"
        )];
    }
    vec![define("k", algorithm, secret), "default key k".to_owned()]
}

fn define(id: &str, Algorithm(name, _): Algorithm, secret: &str) -> String {
    let hex: String = secret.bytes().map(|octet| format!("{octet:02x}")).collect();
    format!("key id {id} type {name} value {hex}")
}

/// Starts a daemon with a key. Interfaces take what `default` says wherever it stands.
fn start(network: &mut Network, node: Id, kind: Kind, statements: &[String]) -> Result<()> {
    let statements: Vec<&str> = statements.iter().map(String::as_str).collect();
    network.start(node, kind, &statements)
}

/// Two linked nodes with keys, ours and another daemon's.
fn pair(kind: Kind, algorithm: Algorithm, theirs: &str) -> Result<(Network, Id, Id)> {
    let mut network = Network::new("auth")?;
    let (us, them) = (network.node("us")?, network.node("them")?);
    network.link(us, them)?;
    start(&mut network, them, kind, &keyed(kind, algorithm, theirs))?;
    let own = keyed(Kind::Ours, algorithm, OURS);
    start(&mut network, us, Kind::Ours, &own)?;
    Ok((network, us, them))
}

/// Waits until each routes to the other.
fn both_ways(network: &Network, us: Id, them: Id) -> Result<Duration> {
    let took = await_routes(network, us, &them.prefixes(), them, SOON)?;
    Ok(took + await_routes(network, them, &us.prefixes(), us, SOON)?)
}

fn neighbours(network: &Network, node: Id) -> Result<Vec<String>> {
    let lines = network.peer(node)?.ask("dump")?;
    let words = lines.iter().map(|line| word_after(line, "neighbour"));
    Ok(words.flatten().map(str::to_owned).collect())
}

fn routes(kind: Kind, algorithm: Algorithm) -> Result<()> {
    let (network, us, them) = pair(kind, algorithm, OURS)?;
    let took = both_ways(&network, us, them)?;
    println!("{kind}: routes both ways after {took:?}");
    for (owner, other) in [(us, them), (them, us)] {
        for prefix in FAR {
            network.add_static(owner, prefix)?;
        }
        await_routes(&network, other, &FAR, owner, SOON)?;
        for prefix in FAR {
            network.delete_static(owner, prefix)?;
        }
        await_loss(&network, other, &FAR, SOON)?;
    }
    Ok(())
}

fn hmac_sha256(kind: Kind) -> Result<()> {
    routes(kind, HMAC_SHA256)
}

fn blake2s128(kind: Kind) -> Result<()> {
    routes(kind, BLAKE2S128)
}

with_each!(hmac_sha256:
    signed_with_hmac_sha256_we_route_with_ours => Ours,
    signed_with_hmac_sha256_we_route_with_stock => Stock,
    signed_with_hmac_sha256_we_route_with_bird => Bird,
);

with_each!(blake2s128:
    signed_with_blake2s128_we_route_with_ours => Ours,
    signed_with_blake2s128_we_route_with_stock => Stock,
    signed_with_blake2s128_we_route_with_bird => Bird,
);

fn wrong_key(kind: Kind) -> Result<()> {
    let (network, us, them) = pair(kind, HMAC_SHA256, OTHERS)?;
    let no_neighbours = |network: &Network| -> Result<bool> {
        let ours = neighbours(network, us)?;
        let theirs = match kind {
            Kind::Bird | Kind::Frr => Vec::new(),
            Kind::Ours | Kind::Stock => neighbours(network, them)?,
        };
        let lacking = |node: Id, other: Id| -> Result<bool> {
            let prefixes = other.prefixes();
            let mut lacks = true;
            for prefix in &prefixes {
                lacks &= network.learned(node, prefix)?.is_none();
            }
            Ok(lacks)
        };
        Ok(ours.is_empty() && theirs.is_empty() && lacking(us, them)? && lacking(them, us)?)
    };
    network.stays(
        "neither is the other's neighbour",
        Duration::from_secs(8),
        no_neighbours,
    )?;
    let log = network.peer(us)?.daemons[0].log_tail(1000);
    let lines = log.matches("Received wrong hmac").count();
    ensure!(lines == 1, "{lines} log lines about a wrong key:\n{log}");
    Ok(())
}

with_each!(wrong_key:
    with_another_key_ours_is_no_neighbour => Ours,
    with_another_key_stock_is_no_neighbour => Stock,
    with_another_key_bird_is_no_neighbour => Bird,
);

/// Either side dies and comes back with a new index and counter: it is challenged and heard.
fn restart(kind: Kind) -> Result<()> {
    let (mut network, us, them) = pair(kind, HMAC_SHA256, OURS)?;
    both_ways(&network, us, them)?;
    for (node, kind) in [(them, kind), (us, Kind::Ours), (them, kind)] {
        network.kill(node);
        let statements = keyed(kind, HMAC_SHA256, OURS);
        start(&mut network, node, kind, &statements)?;
        // A route of its former life may still be there; this one cannot be.
        let other = if node == us { them } else { us };
        network.add_static(node, FAR[0])?;
        let took = await_routes(&network, other, &FAR[..1], node, SOON)?;
        println!("{kind}: heard again {took:?} after its restart");
        both_ways(&network, us, them)?;
        network.delete_static(node, FAR[0])?;
        await_loss(&network, other, &FAR[..1], SOON)?;
    }
    Ok(())
}

with_each!(restart:
    after_a_restart_ours_is_authenticated_again => Ours,
    after_a_restart_stock_is_authenticated_again => Stock,
    after_a_restart_bird_is_authenticated_again => Bird,
);

/// The ids of a node's neighbours and routes: another id would be another neighbour.
fn identities(network: &Network, node: Id) -> Result<Vec<String>> {
    let lines = network.peer(node)?.ask("dump")?;
    let words = lines.iter().map(|line| word_after(line, "neighbour"));
    let mut ids: Vec<String> = words.flatten().map(str::to_owned).collect();
    ids.sort();
    Ok(ids)
}

/// A key gives way to another under traffic: added to both, used by both, dropped by both.
#[test]
fn keys_are_rolled_over_the_control_socket_while_traffic_flows() -> Result<()> {
    let (network, us, them) = pair(Kind::Ours, HMAC_SHA256, OURS)?;
    both_ways(&network, us, them)?;
    let before = [identities(&network, us)?, identities(&network, them)?];
    let _echo = network.echo(them)?;
    let mut senders = network.senders(us, them)?;
    for sender in &mut senders {
        sender.outage(SOON)?;
    }
    let steps = ["key k accept-key new", "key new accept-key k", "key new"];
    for node in [us, them] {
        let peer = network.peer(node)?;
        peer.ask(&define("new", BLAKE2S128, OTHERS))?;
    }
    for keys in steps {
        for node in [us, them] {
            let interface = network.interface(node, if node == us { them } else { us })?;
            let peer = network.peer(node)?;
            peer.ask(&format!("interface {interface} {keys}"))
                .with_context(|| format!("{}: {keys}", network.name(node)))?;
            let mut silent = 0;
            network.stays("traffic flows", Duration::from_secs(3), |_| {
                let passes = senders.iter_mut().all(|sender| sender.probe());
                silent = if passes { 0 } else { silent + 1 };
                Ok(silent < LATE)
            })?;
        }
    }
    let after = [identities(&network, us)?, identities(&network, them)?];
    ensure!(
        before == after,
        "other neighbours: {before:?}, then {after:?}"
    );
    for node in [us, them] {
        let log = network.peer(node)?.daemons[0].log_tail(1000);
        ensure!(!log.contains("hmac"), "a packet was refused:\n{log}");
    }
    Ok(())
}
