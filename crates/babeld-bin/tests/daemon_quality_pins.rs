//! Pins on the real kernel: what leaves by whom, counted on both ends.

mod daemon_support;

use anyhow::{Context, Result, ensure};
use babel_netlink::{Errno, Family, FirewallMark, Route, RouteSocket, Rule};
use babeld::probe::{Kernel, Pin, PinError, PinSettings, Pins, Way};
use daemon_support::Place;
use netns::{Namespace, Switch, wait_for};
use socket2::{Domain, Socket, Type};
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::time::Duration;

const SETTINGS: PinSettings = PinSettings {
    mark: FirewallMark {
        value: 0xb000_0000,
        mask: 0xf000_0000,
    },
    table: 47600,
    priority: 1000,
};
const FAR: [&str; 2] = ["198.51.100.7:9", "[2001:db8:ffff::7]:9"];
const PACKETS: u64 = 200;
/// What a quiet link carries by itself: neighbour discovery, group membership.
const NOISE: u64 = 40;

/// We, `b` and `c` on one LAN, and `d` on a link of its own.
struct Net {
    me: Namespace,
    b: Namespace,
    c: Namespace,
    d: Namespace,
    _lan: Switch,
    _place: Place,
}

fn connected() -> Result<Net> {
    let place = Place::new()?;
    let lab = place.lab();
    let mut lan = Switch::new(&lab, "lan")?;
    let (me, b) = (lab.namespace("me")?, lab.namespace("b")?);
    let (c, d) = (lab.namespace("c")?, lab.namespace("d")?);
    for (node, n) in [(&me, 1), (&b, 2), (&c, 3)] {
        lan.attach(node, "eth")?;
        node.add_address("eth", &format!("10.9.0.{n}/24"))?;
        node.add_address("eth", &format!("2001:db8:9::{n}/64"))?;
    }
    netns::link(&me, "own", &d, "eth")?;
    me.add_address("own", "10.8.0.1/24")?;
    me.add_address("own", "2001:db8:8::1/64")?;
    d.add_address("eth", "10.8.0.2/24")?;
    d.add_address("eth", "2001:db8:8::2/64")?;
    Ok(Net {
        me,
        b,
        c,
        d,
        _lan: lan,
        _place: place,
    })
}

fn link_local(node: &Namespace, interface: &str) -> Result<Ipv6Addr> {
    let found = wait_for(Duration::from_secs(5), || {
        let addresses = node.routes(|socket| {
            let index = socket.link_by_name(interface)?.index;
            let all = socket.addresses()?;
            Ok(all
                .into_iter()
                .filter(|found| found.index == index)
                .collect::<Vec<_>>())
        });
        addresses
            .ok()?
            .into_iter()
            .find_map(|found| match found.address {
                IpAddr::V6(v6) if v6.is_unicast_link_local() && !found.flags.tentative => Some(v6),
                _ => None,
            })
    });
    found.with_context(|| format!("{}: no link-local address", node.name()))
}

fn index(node: &Namespace, interface: &str) -> Result<u32> {
    node.routes(|socket| Ok(socket.link_by_name(interface)?.index))
}

/// Routes everything by `d`, whatever is pinned.
fn default_by_d(me: &Namespace) -> Result<()> {
    let oif = index(me, "own")?;
    for (any, next) in [("0.0.0.0", "10.8.0.2"), ("::", "2001:db8:8::2")] {
        let route = Route::new((any.parse()?, 0), 254, 4).via(next.parse()?, oif);
        me.routes(|socket| Ok(socket.add_route(&route)?))?;
    }
    Ok(())
}

fn received(node: &Namespace) -> Result<u64> {
    node.routes(|socket| {
        let index = socket.link_by_name("eth")?.index;
        Ok(socket.link_counters(index)?.received_packets)
    })
}

/// Sends packets of both families to far away, marked; the last error, if there was one.
fn send_marked(me: &Namespace, mark: u32) -> Result<Option<io::Error>> {
    me.with(|| {
        let mut trouble = None;
        for far in FAR {
            let far: SocketAddr = far.parse()?;
            let socket = Socket::new(Domain::for_address(far), Type::DGRAM, None)?;
            socket.set_mark(mark)?;
            for _ in 0..PACKETS {
                trouble = socket.send_to(&[0; 100], &far.into()).err().or(trouble);
                // Room in the queue that waits for the neighbour's hardware address.
                std::thread::sleep(Duration::from_micros(200));
            }
        }
        Ok(trouble)
    })?
}

fn make(me: &Namespace, pins: &mut Pins, way: Way) -> Result<Pin> {
    me.routes(|socket| Ok(pins.make(way, &[], socket)?))
}

/// Rules and routes of ours.
fn left(me: &Namespace) -> Result<(Vec<Rule>, Vec<Route>)> {
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

#[test]
fn every_marked_packet_leaves_by_its_neighbour_whatever_the_main_table_says() -> Result<()> {
    let net = connected()?;
    default_by_d(&net.me)?;
    let mut pins = Pins::new(SETTINGS);
    let on_lan = index(&net.me, "eth")?;
    let way = |node: &Namespace, ipv4: Option<&str>| -> Result<Way> {
        Ok(Way {
            ifindex: on_lan,
            neighbour: link_local(node, "eth")?,
            ipv4: ipv4.map(str::parse).transpose()?,
        })
    };
    // By its IPv4 address, and by its IPv6 address alone.
    let by_b = make(&net.me, &mut pins, way(&net.b, Some("10.9.0.2"))?)?;
    let by_c = make(&net.me, &mut pins, way(&net.c, None)?)?;
    ensure!(by_b.ipv4 && by_b.ipv6 && by_c.ipv4 && by_c.ipv6);
    let all = [&net.b, &net.c, &net.d];
    for (mark, node) in [(by_b.mark, 0), (by_c.mark, 1), (0, 2)] {
        let before: Vec<_> = all
            .iter()
            .map(|node| received(node))
            .collect::<Result<_>>()?;
        let trouble = send_marked(&net.me, mark)?;
        ensure!(trouble.is_none(), "{trouble:?}");
        for (at, (node_of, before)) in all.iter().zip(before).enumerate() {
            let got = received(node_of)? - before;
            println!("mark {mark:#x}: {} received {got} packets", node_of.name());
            if at == node {
                ensure!(got >= 2 * PACKETS, "{}: only {got}", node_of.name());
            } else {
                ensure!(got < NOISE, "{}: {got} astray", node_of.name());
            }
        }
    }
    for pin in [by_b, by_c] {
        net.me.routes(|socket| {
            pins.release(pin, socket);
            Ok(())
        })?;
    }
    let (rules, routes) = left(&net.me)?;
    ensure!(
        rules.is_empty() && routes.is_empty(),
        "{rules:?} {routes:?}"
    );
    Ok(())
}

#[test]
fn a_pin_whose_link_goes_down_lets_nothing_out_another_way() -> Result<()> {
    let net = connected()?;
    default_by_d(&net.me)?;
    let mut pins = Pins::new(SETTINGS);
    let way = Way {
        ifindex: index(&net.me, "eth")?,
        neighbour: link_local(&net.b, "eth")?,
        ipv4: None,
    };
    let pin = make(&net.me, &mut pins, way)?;
    net.me.set_down("eth")?;
    let before = received(&net.d)?;
    let trouble = send_marked(&net.me, pin.mark)?.context("packets were sent")?;
    let code = trouble.raw_os_error();
    ensure!(code == Some(Errno::EHOSTUNREACH as i32), "{trouble}");
    let astray = received(&net.d)? - before;
    ensure!(astray < NOISE, "{astray} packets went astray");
    net.me.routes(|socket| {
        pins.release(pin, socket);
        Ok(())
    })?;
    let (rules, routes) = left(&net.me)?;
    ensure!(
        rules.is_empty() && routes.is_empty(),
        "{rules:?} {routes:?}"
    );
    Ok(())
}

#[test]
fn an_earlier_rule_of_the_operators_is_noticed_and_kept() -> Result<()> {
    let net = connected()?;
    default_by_d(&net.me)?;
    let way = Way {
        ifindex: index(&net.me, "eth")?,
        neighbour: link_local(&net.b, "eth")?,
        ipv4: None,
    };
    // Not in our numbers, but it takes every packet to the main table first.
    let rule = Rule {
        priority: Some(500),
        ..Rule::new(Family::V6, 254)
    };
    let mut pins = Pins::new(SETTINGS);
    net.me.routes(|socket: &mut RouteSocket| {
        socket.add_rule(&rule)?;
        let error = pins.make(way, &[], socket).err().context("a pin")?;
        ensure!(matches!(error, PinError::Astray { .. }), "{error}");
        ensure!(
            socket
                .rules(Family::V6)?
                .iter()
                .any(|r| r.priority == Some(500))
        );
        // And what a crash leaves is swept, that rule not.
        socket.delete_rule(&rule)?;
        let lost = Pins::new(SETTINGS).make(way, &[], socket)?;
        ensure!(lost.ipv6);
        socket.add_rule(&rule)?;
        ensure!(Pins::new(SETTINGS).sweep(socket)? == 6);
        ensure!(
            socket
                .rules(Family::V6)?
                .iter()
                .any(|r| r.priority == Some(500))
        );
        Ok(())
    })?;
    let (rules, routes) = left(&net.me)?;
    ensure!(
        rules.is_empty() && routes.is_empty(),
        "{rules:?} {routes:?}"
    );
    Ok(())
}
