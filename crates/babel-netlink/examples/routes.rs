//! What writing and reading kernel routes costs, by operations per send, in a namespace of its
//! own. As root: `cargo run --release -p babel-netlink --example routes [ROUTES]`.

use babel_netlink::{Batch, DumpItem, Error, Family, MAIN_TABLE, Route, RouteFilter, RouteSocket};
use nix::sched::{CloneFlags, unshare};
use std::net::{IpAddr, Ipv6Addr};
use std::time::Instant;

/// Each figure is the best of this many.
const REPETITIONS: usize = 3;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let count = std::env::args()
        .nth(1)
        .map_or(Ok(10_000), |argument| argument.parse())?;
    unshare(CloneFlags::CLONE_NEWNET)?;
    let mut socket = RouteSocket::new()?;
    socket.create_veth("a", "b", None)?;
    let oif = socket.link_by_name("a")?.index;
    let peer = socket.link_by_name("b")?.index;
    socket.set_up(oif, true)?;
    socket.set_up(peer, true)?;

    println!("{count} IPv6 routes, microseconds a route, best of {REPETITIONS}");
    println!(
        "{:>9} {:>8} {:>8} {:>8}",
        "per send", "add", "replace", "delete"
    );
    let (first, second) = (routes(count, oif, "fe80::8"), routes(count, oif, "fe80::9"));
    for per_send in [1, 16, 64, 256] {
        let mut best = [f64::INFINITY; 3];
        for _ in 0..REPETITIONS {
            let times = [
                write(&mut socket, per_send, &first, Batch::add),
                write(&mut socket, per_send, &second, Batch::replace),
                write(&mut socket, per_send, &second, Batch::delete),
            ];
            best = std::array::from_fn(|at| best[at].min(times[at]));
        }
        println!(
            "{per_send:>9} {:>8.2} {:>8.2} {:>8.2}",
            best[0], best[1], best[2]
        );
    }
    write(&mut socket, 256, &first, Batch::add);
    let mut best = f64::INFINITY;
    for _ in 0..REPETITIONS {
        best = best.min(dump(&mut socket, count)?);
    }
    println!("     dump {best:>8.2}");
    Ok(())
}

fn routes(count: u32, oif: u32, gateway: &str) -> Vec<Route> {
    let gateway = gateway.parse().unwrap_or(IpAddr::V6(Ipv6Addr::LOCALHOST));
    (0..count)
        .map(|number| {
            let destination = Ipv6Addr::from((0x2001_0db8_u128 << 96) | (u128::from(number) << 64));
            let route = Route::new((destination.into(), 64), MAIN_TABLE, 42).via(gateway, oif);
            Route {
                onlink: true,
                ..route
            }
        })
        .collect()
}

fn write(
    socket: &mut RouteSocket,
    per_send: usize,
    routes: &[Route],
    operation: fn(&mut Batch, &Route),
) -> f64 {
    let mut batch = Batch::new();
    let begin = Instant::now();
    for part in routes.chunks(per_send) {
        part.iter().for_each(|route| operation(&mut batch, route));
        for result in socket.execute(&mut batch) {
            result.expect("the namespace is ours alone");
        }
    }
    microseconds_each(begin, routes.len())
}

fn dump(socket: &mut RouteSocket, count: u32) -> Result<f64, Error> {
    let begin = Instant::now();
    let mut seen = 0;
    let filter = RouteFilter::new(Family::V6).table(MAIN_TABLE).protocol(42);
    let _ = socket.dump_routes(&filter, |item| match item {
        DumpItem::Route(_) => seen += 1,
        DumpItem::Restart => seen = 0,
    })?;
    assert_eq!(seen, count, "all routes are read");
    Ok(microseconds_each(begin, count as usize))
}

fn microseconds_each(begin: Instant, count: usize) -> f64 {
    begin.elapsed().as_secs_f64() * 1e6 / count.max(1) as f64
}
