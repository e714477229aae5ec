//! Options whose effect is in the kernel: the same tests for our babeld and for stock's.

mod daemon_support;

use anyhow::{Context, Result, ensure};
use babel_netlink::{Family, Route, RouteFilter, RouteKind};
use daemon_support::{
    AT_ONCE, BABELD, Pair, SOON, STOCK, expect_no_route, expect_route, route_to, start,
};
use netns::{Daemon, Namespace, wait_for};
use std::net::IpAddr;
use std::time::{Duration, Instant};

const THEIRS_V4: &str = "10.2.2.2/32";
const THEIRS: &str = "2001:db8:2::2/128";
const STATIC: u8 = 4;

/// Each babeld in turn, with these options on `va`; ours is the neighbour on `vb`.
fn with_each(
    options: &[&str],
    check: impl Fn(&Pair, &mut Daemon, &mut Daemon) -> Result<()>,
) -> Result<()> {
    for program in [BABELD, STOCK] {
        let pair = Pair::new()?;
        let mut neighbour = start(&pair.b, &pair.place, BABELD, "vb", &[])?;
        let mut tested = start(&pair.a, &pair.place, program, "va", options)?;
        check(&pair, &mut tested, &mut neighbour)
            .with_context(|| format!("{program} {options:?}; its log:\n{}", tested.log_tail(30)))?;
    }
    Ok(())
}

fn prefix(text: &str) -> Result<(IpAddr, u8)> {
    let (address, plen) = text.split_once('/').context("no length")?;
    Ok((address.parse()?, plen.parse()?))
}

fn static_route(text: &str, table: u32, metric: u32) -> Result<Route> {
    let mut route = Route::new(prefix(text)?, table, STATIC);
    route.kind = RouteKind::Unreachable;
    route.priority = Some(metric);
    Ok(route)
}

fn add(namespace: &Namespace, route: &Route) -> Result<()> {
    namespace.routes(|socket| Ok(socket.add_route(route)?))
}

fn in_table(namespace: &Namespace, table: u32, text: &str) -> Result<Option<Route>> {
    let wanted = prefix(text)?;
    namespace.routes(|socket| {
        let filter = RouteFilter::new(Family::V6).table(table).protocol(42);
        let routes = socket.routes(&filter)?.0;
        Ok(routes.into_iter().find(|route| route.destination == wanted))
    })
}

#[test]
fn kernel_priority_is_the_priority_of_our_routes() -> Result<()> {
    with_each(&["-k", "77"], |pair, tested, _| {
        for text in [THEIRS, THEIRS_V4] {
            let route = expect_route(&pair.a, text, tested)?;
            ensure!(route.effective_priority() == 77, "{route}");
        }
        Ok(())
    })
}

#[test]
fn a_reflected_metric_is_added_to_the_priority() -> Result<()> {
    let option = ["-C", "reflect-kernel-metric true", "-k", "1000"];
    with_each(&option, |pair, tested, _| {
        let settled = || Some(route_to(&pair.a, THEIRS)?.effective_priority() == 1096);
        let reached = wait_for(SOON, || settled().filter(|is| *is));
        ensure!(reached.is_some(), "{:?}", route_to(&pair.a, THEIRS));
        expect_route(&pair.a, THEIRS, tested)?;
        Ok(())
    })
}

#[test]
fn install_rules_choose_table_and_preferred_source() -> Result<()> {
    // Stock 1.12.1 keeps eight bits of a table: 300 would be 44.
    let rule = "install ip 2001:db8:2::/48 table 200 pref-src 2001:db8:1::1";
    with_each(&["-C", rule], |pair, tested, _| {
        expect_route(&pair.a, THEIRS_V4, tested)?;
        let find = || in_table(&pair.a, 200, THEIRS).ok().flatten();
        let route = wait_for(SOON, find).context("nothing in table 200")?;
        ensure!(route.pref_src == Some("2001:db8:1::1".parse()?), "{route}");
        ensure!(route_to(&pair.a, THEIRS).is_none(), "it is in main, too");
        ensure!(tested.stop(SOON)?.context("it does not end")?.success());
        ensure!(find().is_none(), "it is left in table 200");
        Ok(())
    })
}

#[test]
fn routes_of_all_import_tables_are_announced_and_of_no_other() -> Result<()> {
    let options = ["-T", "301", "-T", "302", "-C", "redistribute proto 4"];
    with_each(&options, |pair, _, neighbour| {
        add(&pair.a, &static_route("2001:db8:a::/48", 301, 100)?)?;
        add(&pair.a, &static_route("2001:db8:b::/48", 302, 100)?)?;
        add(&pair.a, &static_route("2001:db8:c::/48", 254, 100)?)?;
        expect_route(&pair.b, "2001:db8:a::/48", neighbour)?;
        expect_route(&pair.b, "2001:db8:b::/48", neighbour)?;
        ensure!(route_to(&pair.b, "2001:db8:c::/48").is_none());
        Ok(())
    })
}

#[test]
fn link_detect_makes_a_link_without_carrier_down() -> Result<()> {
    with_each(&["-l"], |pair, tested, _| {
        expect_route(&pair.a, THEIRS, tested)?;
        pair.b.set_down("vb")?;
        // Hellos would be missed much later.
        expect_no_route(&pair.a, THEIRS, AT_ONCE)?;
        pair.b.set_up("vb")?;
        expect_route(&pair.a, THEIRS, tested)?;
        Ok(())
    })
}

#[test]
fn duplicates_are_allowed_from_the_metric_said() -> Result<()> {
    for (from, metric, used) in [("64", "64", true), ("65", "64", false)] {
        let rule = format!("redistribute proto 4 metric {metric}");
        let pair = Pair::new()?;
        add(&pair.a, &static_route(THEIRS, 254, 2000)?)?;
        let tested = pair.ours(&["-A", from, "-C", &rule])?;
        let neighbour = start(&pair.b, &pair.place, BABELD, "vb", &[])?;
        expect_route(&pair.a, THEIRS_V4, &tested)?;
        expect_route(&pair.b, "2001:db8:1::1/128", &neighbour)?;
        if used {
            expect_route(&pair.a, THEIRS, &tested)?;
        } else {
            ensure!(
                route_to(&pair.a, THEIRS).is_none(),
                "the kernel's route is shadowed"
            );
        }
    }
    Ok(())
}

/// New in 1.13: stock 1.12.1 does not know it.
#[test]
fn a_shutdown_delay_lets_packets_through_while_neighbours_turn_away() -> Result<()> {
    let pair = Pair::new()?;
    let neighbour = start(&pair.b, &pair.place, BABELD, "vb", &[])?;
    let mut ours = pair.ours(&["-C", "shutdown-delay-ms 1500"])?;
    expect_route(&pair.a, THEIRS, &ours)?;
    expect_route(&pair.b, "2001:db8:1::1/128", &neighbour)?;
    let begin = Instant::now();
    ours.signal(nix::sys::signal::Signal::SIGTERM)?;
    expect_no_route(&pair.b, "2001:db8:1::1/128", Duration::from_secs(1))?;
    ensure!(route_to(&pair.a, THEIRS).is_some(), "our route went first");
    let status = wait_for(SOON, || ours.exited()).context("it does not end")?;
    ensure!(status.success() && begin.elapsed() >= Duration::from_millis(1400));
    ensure!(route_to(&pair.a, THEIRS).is_none());
    Ok(())
}
