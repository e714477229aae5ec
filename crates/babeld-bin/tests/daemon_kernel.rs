//! The daemon among real kernel routes, with stock babeld as its neighbour.

mod daemon_support;

use anyhow::{Context, Result, anyhow, ensure};
use babel_netlink::{Route, RouteKind};
use daemon_support::{
    AT_ONCE, BABELD, Pair, SOON, babel_routes, expect_no_route, expect_route, route_to, routes,
    start,
};
use netns::{Namespace, wait_for};
use std::net::IpAddr;
use std::time::{Duration, Instant};

const THEIRS_V4: &str = "10.2.2.2/32";
const THEIRS_V6: &str = "2001:db8:2::2/128";
const OURS_V4: &str = "10.1.1.1/32";
const OURS_V6: &str = "2001:db8:1::1/128";
const STATIC: u8 = 4;

fn prefix(text: &str) -> Result<(IpAddr, u8)> {
    let (address, plen) = text.split_once('/').context("no length")?;
    Ok((address.parse()?, plen.parse()?))
}

/// A static route over `lo`, as an administrator might have it.
fn static_route(text: &str, metric: u32) -> Result<Route> {
    let mut route = Route::new(prefix(text)?, 254, STATIC);
    route.kind = RouteKind::Unreachable;
    route.priority = Some(metric);
    Ok(route)
}

fn add(namespace: &Namespace, route: &Route) -> Result<()> {
    namespace.routes(|socket| Ok(socket.add_route(route)?))
}

fn delete(namespace: &Namespace, route: &Route) -> Result<()> {
    namespace.routes(|socket| Ok(socket.delete_route(route)?))
}

#[test]
fn routes_go_both_ways_with_stock_babeld_and_a_clean_exit_takes_them_along() -> Result<()> {
    let pair = Pair::new()?;
    let stock = pair.stock(&[])?;
    let mut ours = pair.ours(&[])?;
    let v4 = expect_route(&pair.a, THEIRS_V4, &ours)?;
    ensure!(v4.gateway == Some("10.9.0.2".parse()?) && v4.onlink, "{v4}");
    let v6 = expect_route(&pair.a, THEIRS_V6, &ours)?;
    ensure!(v6.effective_priority() == 1024, "{v6}");
    expect_route(&pair.b, OURS_V4, &stock)?;
    expect_route(&pair.b, OURS_V6, &stock)?;
    let status = ours.stop(SOON)?.context("it does not end")?;
    ensure!(status.success(), "{status}");
    ensure!(babel_routes(&pair.a)?.is_empty(), "routes are left");
    // Retracted, not timed out.
    expect_no_route(&pair.b, OURS_V4, AT_ONCE)?;
    expect_no_route(&pair.b, OURS_V6, AT_ONCE)
}

#[test]
fn a_route_deleted_or_changed_underneath_is_put_back() -> Result<()> {
    let pair = Pair::new()?;
    let _stock = pair.stock(&[])?;
    let ours = pair.ours(&[])?;
    for text in [THEIRS_V4, THEIRS_V6] {
        let route = expect_route(&pair.a, text, &ours)?;
        delete(&pair.a, &route)?;
        let back = wait_for(AT_ONCE, || route_to(&pair.a, text));
        ensure!(back.as_ref() == Some(&route), "{text}: {back:?}");
    }
    // The kernel drops IPv4 routes without a word when the last address goes.
    pair.a.delete_address("va", "10.9.0.1/24")?;
    pair.a.add_address("va", "10.9.0.1/24")?;
    wait_for(AT_ONCE, || route_to(&pair.a, THEIRS_V4)).context("not put back")?;
    Ok(())
}

#[test]
fn another_protocols_route_is_respected_until_it_goes() -> Result<()> {
    let pair = Pair::new()?;
    let foreign = static_route(THEIRS_V4, 0)?;
    add(&pair.a, &foreign)?;
    let _stock = pair.stock(&[])?;
    let mut ours = pair.ours(&[])?;
    expect_route(&pair.a, THEIRS_V6, &ours)?;
    ensure!(route_to(&pair.a, THEIRS_V4).is_none());
    ensure!(
        routes(&pair.a, STATIC)?.len() == 1,
        "the foreign route is gone"
    );
    delete(&pair.a, &foreign)?;
    wait_for(AT_ONCE, || route_to(&pair.a, THEIRS_V4)).context("the slot is not taken")?;
    ensure!(ours.stop(SOON)?.context("it does not end")?.success());
    ensure!(babel_routes(&pair.a)?.is_empty());
    Ok(())
}

#[test]
fn kernel_routes_and_addresses_are_announced_and_withdrawn_at_once() -> Result<()> {
    let pair = Pair::new()?;
    let stock = pair.stock(&[])?;
    let ours = pair.ours(&["-C", "redistribute proto 4 metric 64"])?;
    expect_route(&pair.b, OURS_V6, &stock)?;
    let (first, second) = (
        static_route("2001:db8:55::/48", 100)?,
        static_route("2001:db8:55::/48", 200)?,
    );
    let begin = Instant::now();
    add(&pair.a, &first)?;
    expect_route(&pair.b, "2001:db8:55::/48", &stock)?;
    println!("announced and installed after {:?}", begin.elapsed());
    // Withdrawn with the last of two only.
    add(&pair.a, &second)?;
    delete(&pair.a, &first)?;
    let begin = Instant::now();
    delete(&pair.a, &second)?;
    expect_no_route(&pair.b, "2001:db8:55::/48", AT_ONCE)?;
    println!("withdrawn after {:?}", begin.elapsed());
    pair.a.add_address("lo", "10.7.7.7/32")?;
    expect_route(&pair.b, "10.7.7.7/32", &stock)?;
    pair.a.delete_address("lo", "10.7.7.7/32")?;
    expect_no_route(&pair.b, "10.7.7.7/32", AT_ONCE)?;
    ensure!(
        route_to(&pair.b, OURS_V4).is_some(),
        "{}",
        ours.log_tail(20)
    );
    Ok(())
}

#[test]
fn one_of_two_routes_to_a_prefix_may_go_without_a_withdrawal() -> Result<()> {
    let pair = Pair::new()?;
    let stock = pair.stock(&[])?;
    let _ours = pair.ours(&["-C", "redistribute proto 4"])?;
    let text = "2001:db8:56::/48";
    let (first, second) = (static_route(text, 100)?, static_route(text, 200)?);
    add(&pair.a, &first)?;
    add(&pair.a, &second)?;
    expect_route(&pair.b, text, &stock)?;
    delete(&pair.a, &first)?;
    // A withdrawal would take a tenth of this.
    let lost = wait_for(Duration::from_secs(2), || {
        route_to(&pair.b, text).is_none().then_some(())
    });
    ensure!(lost.is_none(), "{text} was withdrawn");
    Ok(())
}

#[test]
fn an_interface_may_flap_vanish_and_come_back() -> Result<()> {
    let pair = Pair::new()?;
    let stock = pair.stock(&[])?;
    let ours = pair.ours(&[])?;
    expect_route(&pair.a, THEIRS_V4, &ours)?;
    pair.a.set_down("va")?;
    expect_no_route(&pair.a, THEIRS_V4, AT_ONCE)?;
    expect_no_route(&pair.a, THEIRS_V6, AT_ONCE)?;
    pair.a.set_up("va")?;
    expect_route(&pair.a, THEIRS_V4, &ours)?;
    expect_route(&pair.a, THEIRS_V6, &ours)?;
    pair.a.delete_link("va")?;
    expect_no_route(&pair.a, THEIRS_V6, AT_ONCE)?;
    pair.connect()?;
    expect_route(&pair.a, THEIRS_V4, &ours)?;
    expect_route(&pair.a, THEIRS_V6, &ours)?;
    expect_route(&pair.b, OURS_V6, &stock)?;
    Ok(())
}

#[test]
fn the_routes_of_a_killed_daemon_serve_on_and_the_stale_ones_go() -> Result<()> {
    let pair = Pair::new()?;
    let _stock = pair.stock(&[])?;
    let mut killed = pair.ours(&[])?;
    expect_route(&pair.a, THEIRS_V4, &killed)?;
    let route = expect_route(&pair.a, THEIRS_V6, &killed)?;
    killed.kill();
    let mut stale = route.clone();
    stale.destination = prefix("2001:db8:dead::/48")?;
    add(&pair.a, &stale)?;
    let ours = pair.ours(&["-C", "default update-interval 2"])?;
    let begin = Instant::now();
    let mut missing = None;
    let gone = wait_for(SOON, || {
        if route_to(&pair.a, THEIRS_V6).is_none() {
            missing = Some(begin.elapsed());
        }
        route_to(&pair.a, "2001:db8:dead::/48")
            .is_none()
            .then_some(())
    });
    gone.ok_or_else(|| anyhow!("the stale route stays:\n{}", ours.log_tail(20)))?;
    ensure!(
        missing.is_none(),
        "a good route was missing after {missing:?}"
    );
    ensure!(route_to(&pair.a, THEIRS_V4).is_some());
    Ok(())
}

#[test]
fn ipv4_goes_over_a_link_without_ipv4_and_source_specific_routes_reach_the_kernel() -> Result<()> {
    let pair = Pair::new()?;
    pair.a.delete_address("va", "10.9.0.1/24")?;
    pair.b.delete_address("vb", "10.9.0.2/24")?;
    let specific = "redistribute ip 2001:db8:60::/48 proto 4 src-prefix 2001:db8:1::/48";
    let theirs = start(&pair.b, &pair.place, BABELD, "vb", &["-C", specific])?;
    add(&pair.b, &static_route("2001:db8:60::/48", 100)?)?;
    let ours = pair.ours(&[])?;
    let v4 = expect_route(&pair.a, THEIRS_V4, &ours)?;
    ensure!(v4.gateway.is_some_and(|gateway| gateway.is_ipv6()), "{v4}");
    let route = expect_route(&pair.a, "2001:db8:60::/48", &theirs)?;
    ensure!(route.source == Some(prefix("2001:db8:1::/48")?), "{route}");
    Ok(())
}
