//! Links as users have them: of a class, with many peers, without multicast, with a small MTU.

mod daemon_support;

use anyhow::{Context, Result, anyhow, ensure};
use daemon_support::{BABELD, FAST, Pair, Place, SOON, expect_route, route_to, start};
use netns::{Daemon, Namespace, Switch, wait_for};
use std::net::{IpAddr, Ipv6Addr};

const THEIRS: &str = "2001:db8:2::2/128";
const PORT: &str = "33123";
const OURS: &str = "2001:db8:1::1/128";

/// A node for each number, with an address of its own.
fn nodes(place: &Place, count: u16) -> Result<Vec<Namespace>> {
    let lab = place.lab();
    (1..=count)
        .map(|n| {
            let node = lab.namespace(&format!("n{n}"))?;
            node.add_address("lo", &format!("2001:db8:{n}::{n}/128"))?;
            Ok(node)
        })
        .collect()
}

fn link_local(namespace: &Namespace, interface: &str) -> Result<Ipv6Addr> {
    let find = || {
        let addresses = namespace.routes(|socket| {
            let index = socket.link_by_name(interface)?.index;
            let mut all = socket.addresses()?;
            all.retain(|a| a.index == index && !a.flags.tentative);
            Ok(all)
        });
        addresses.ok()?.into_iter().find_map(|a| match a.address {
            IpAddr::V6(v6) if v6.is_unicast_link_local() => Some(v6),
            _ => None,
        })
    };
    wait_for(SOON, find).with_context(|| format!("{interface} has no link-local address"))
}

fn logged(daemon: &Daemon, words: &str) -> Result<()> {
    let find = || daemon.log_tail(500).contains(words).then_some(());
    wait_for(SOON, find).ok_or_else(|| anyhow!("no {words:?} in:\n{}", daemon.log_tail(40)))
}

/// Runs nftables inside a namespace.
fn nft(namespace: &Namespace, rules: &str) -> Result<()> {
    let output = namespace.run(&["nft", rules], SOON)?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.success(), "nft: {said}");
    Ok(())
}

#[test]
fn a_class_of_interfaces_is_followed_as_they_come_and_go() -> Result<()> {
    let pair = Pair::new()?;
    let _stock = pair.stock(&[])?;
    let state = pair.place.file("state");
    let mut command = pair.a.command(BABELD);
    command.args(FAST).args(["-d1", "-I", "", "-S"]).arg(state);
    // A rule for a class, too: what comes by any `v` costs more.
    command.args(["-C", "in if v* metric 100", "v*"]);
    let ours = pair.a.spawn("babeld", command)?;
    expect_route(&pair.a, THEIRS, &ours)?;
    pair.a.delete_link("va")?;
    logged(&ours, "Interface va is down.")?;
    pair.connect()?;
    expect_route(&pair.a, THEIRS, &ours)?;
    expect_route(&pair.b, OURS, &ours)?;
    Ok(())
}

#[test]
fn five_nodes_on_one_link_all_know_each_other() -> Result<()> {
    let place = Place::new()?;
    let nodes = nodes(&place, 5)?;
    let mut switch = Switch::new(&place.lab(), "switch")?;
    let mut daemons = Vec::new();
    for node in &nodes {
        switch.attach(node, "mesh")?;
        daemons.push(start(node, &place, BABELD, "mesh", &[])?);
    }
    for (node, daemon) in nodes.iter().zip(&daemons) {
        for n in 1..=5 {
            if node.name() != format!("n{n}") {
                expect_route(node, &format!("2001:db8:{n}::{n}/128"), daemon)?;
            }
        }
    }
    Ok(())
}

/// As WireGuard without `ff02::/16` in `allowed-ips`: multicast leaves and arrives nowhere.
#[test]
fn a_link_without_multicast_works_between_nodes_that_name_each_other() -> Result<()> {
    let pair = Pair::new()?;
    let rules = "add table ip6 t; add chain ip6 t in { type filter hook input priority 0; }; \
                 add rule ip6 t in ip6 daddr ff02::1:6 drop";
    nft(&pair.a, rules)?;
    nft(&pair.b, rules)?;
    let (a, b) = (link_local(&pair.a, "va")?, link_local(&pair.b, "vb")?);
    let at_a = format!("interface va unicast-neighbour {b}");
    let at_b = format!("interface vb unicast-neighbour {a}");
    let ours = start(&pair.a, &pair.place, BABELD, "va", &["-C", &at_a])?;
    let theirs = start(&pair.b, &pair.place, BABELD, "vb", &["-C", &at_b])?;
    expect_route(&pair.a, THEIRS, &ours)?;
    expect_route(&pair.b, OURS, &theirs)?;
    Ok(())
}

#[test]
fn a_unicast_link_works_with_stock_babeld() -> Result<()> {
    let pair = Pair::new()?;
    let stock = pair.stock(&[])?;
    let ours = pair.ours(&["-C", "default unicast true"])?;
    expect_route(&pair.a, THEIRS, &ours)?;
    expect_route(&pair.b, OURS, &stock)?;
    // Stock does it likewise.
    drop(stock);
    let stock = pair.stock(&["-C", "default unicast true"])?;
    expect_route(&pair.a, THEIRS, &ours)?;
    expect_route(&pair.b, OURS, &stock)?;
    Ok(())
}

#[test]
fn a_link_that_loses_full_packets_is_used_only_if_nobody_probes_it() -> Result<()> {
    for probing in [false, true] {
        let pair = Pair::new()?;
        // The other side takes nothing above 1200 octets.
        nft(
            &pair.b,
            "add table ip6 t; add chain ip6 t in { type filter hook input priority 0; }; \
             add rule ip6 t in udp dport 6696 meta length > 1200 drop",
        )?;
        let stock = pair.stock(&[])?;
        let option = format!("default probe-mtu {probing}");
        let ours = pair.ours(&["-C", &option])?;
        if probing {
            logged(&ours, "Upped interface va")?;
            // Long enough for the link to come up three times over.
            let used = wait_for(std::time::Duration::from_secs(4), || {
                route_to(&pair.b, OURS).or_else(|| route_to(&pair.a, THEIRS))
            });
            ensure!(
                used.is_none(),
                "a link that loses packets is used: {used:?}"
            );
        } else {
            expect_route(&pair.b, OURS, &stock)?;
        }
    }
    Ok(())
}

#[test]
fn a_missing_link_local_address_is_told_with_the_way_out() -> Result<()> {
    let pair = Pair::new()?;
    pair.a.set("ipv6/conf/va/disable_ipv6", "1")?;
    let ours = pair.ours(&[])?;
    logged(
        &ours,
        "Interface va has no link-local address. IPv6 is switched off",
    )?;
    pair.a.set("ipv6/conf/va/disable_ipv6", "0")?;
    logged(&ours, "Upped interface va")?;
    Ok(())
}

/// What `babelctl explain neighbour` says to `ours`.
fn diagnosis(namespace: &Namespace, words: &[&str]) -> Result<String> {
    let mut argv = vec![
        env!("CARGO_BIN_EXE_babelctl"),
        "-s",
        PORT,
        "explain",
        "neighbour",
    ];
    argv.extend(words);
    let output = namespace.run(&argv, SOON)?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn what_ails_a_neighbour_is_told_with_the_way_out() -> Result<()> {
    let pair = Pair::new()?;
    let ours = pair.ours(&["-g", PORT])?;
    let told = |words: &str| {
        let find = || {
            diagnosis(&pair.a, &["all"])
                .ok()
                .filter(|text| text.contains(words))
        };
        wait_for(SOON, find)
            .with_context(|| format!("no {words:?} in {:?}", diagnosis(&pair.a, &["all"])))
    };
    told("There are no neighbours")?;
    // Our Hellos do not reach the other side, as behind a firewall.
    nft(
        &pair.b,
        "add table ip6 t; add chain ip6 t in { type filter hook input priority 0; }; \
         add rule ip6 t in udp dport 6696 drop",
    )?;
    let _stock = pair.stock(&[])?;
    let text = told("One-way: we hear it, but it never said that it hears us")?;
    ensure!(text.contains("%va") && text.contains("firewall"), "{text}");
    nft(&pair.b, "delete table ip6 t")?;
    told("It works both ways, at cost 96")?;
    expect_route(&pair.a, THEIRS, &ours)?;
    let json = diagnosis(&pair.a, &["all", "-j"])?;
    let all: Vec<serde_json::Value> = serde_json::from_str(&json)?;
    let [neighbour] = all.as_slice() else {
        anyhow::bail!("{json}")
    };
    ensure!(neighbour.get("diagnosis").is_none(), "{json}");
    let address = neighbour["address"].as_str().context("no address")?;
    ensure!(diagnosis(&pair.a, &[address])?.contains("both ways"));
    let nobody = diagnosis(&pair.a, &["fe80::dead"])?;
    ensure!(nobody.contains("not a neighbour"), "{nobody}");
    Ok(())
}
