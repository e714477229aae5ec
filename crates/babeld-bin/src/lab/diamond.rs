//! The diamond's story: two ways, a price rises, a node dies.

use super::client::Route;
use super::figures::Figures;
use super::network::prefixes;
use super::scenario::{Node, peer_on};
use super::show::{Style, spoken};
use super::story::{Seen, Stage, installed, name_of};
use super::stream::{EVERY, GRACE, Losses, Stream};
use anyhow::{Context, Result, ensure};
use std::net::IpAddr;
use std::thread;
use std::time::{Duration, Instant};

const FROM: &str = "alice";
const TO: &str = "dave";
/// The cheap way, until its price rises.
const CHEAP: &str = "bob";
/// The way with the better metric.
const SHORT: &str = "carol";
/// What the cheap way asks then.
const RAISED: u32 = 900;
/// A better price must stand for this long before traffic moves, at these update intervals.
const HOLD: Duration = Duration::from_secs(30);
/// The hold, jittered timers, and a slow machine.
const MOVE_LIMIT: Duration = Duration::from_secs(75);
/// From a neighbour's death to traffic on the other way.
const RECOVER_LIMIT: Duration = Duration::from_secs(20);

/// Tells the story; an error says what did not happen.
pub(super) fn tell(stage: &mut Stage) -> Result<()> {
    let mut figures = Figures::default();
    let prices = stage.network.options().prices;
    let chosen = if prices { CHEAP } else { SHORT };
    first_act(stage, chosen, &mut figures)?;
    stage.screen.heading("Traffic");
    let seen = stage.show_pings(FROM, TO)?;
    stage.expect_way(seen, chosen)?;

    let stream = steady_stream(stage)?;
    if prices {
        price_rises(stage, &stream, &mut figures)?;
    }
    node_dies(stage, &stream, SHORT, CHEAP, &mut figures)?;
    drop(stream);
    let seen = stage.show_pings(FROM, TO)?;
    stage.expect_way(seen, CHEAP)?;

    figures.show(&stage.screen);
    Ok(())
}

/// A stream of pings from end to end, flowing.
fn steady_stream(stage: &mut Stage) -> Result<Stream> {
    let inside = &stage.network.member(FROM)?.namespace;
    let stream = Stream::start(inside, target(stage)?.ipv4().into())?;
    let started = Instant::now();
    stage.wait("starting a stream of pings", RECOVER_LIMIT, |_| {
        let flows = stream.answered_after(started).is_some() && stream.first_hop().is_some();
        Ok(if flows {
            Seen::There(())
        } else {
            Seen::NotYet("no answer yet".into())
        })
    })?;
    Ok(stream)
}

/// Nodes start, and alice chooses.
fn first_act(stage: &mut Stage, chosen: &str, figures: &mut Figures) -> Result<()> {
    let started = Instant::now();
    stage.screen.heading("The nodes start, carol last");
    stage.start_nodes(false)?;
    figures.add(
        "three nodes started to all routes installed",
        &spoken(started.elapsed()),
    );
    stage.start_nodes(true)?;
    let [prefix, prefix6] = prefixes(target(stage)?);
    stage.wait(
        &format!("waiting for {FROM} to know both ways"),
        MOVE_LIMIT,
        |network| {
            let routes = network.routes(FROM)?;
            let usable = |route: &&Route, prefix: &str| route.prefix == prefix && route.is_usable();
            let known = |prefix: &str| routes.iter().filter(|route| usable(route, prefix)).count();
            let via =
                |prefix: &str| installed(&routes, prefix).map(|route| peer_on(&route.interface));
            let right = [&prefix, &prefix6]
                .iter()
                .all(|p| known(p) == 2 && via(p) == Some(chosen));
            let so_far = format!(
                "{} ways, via {}",
                known(&prefix),
                via(&prefix).unwrap_or("nobody")
            );
            Ok(if right {
                Seen::There(())
            } else {
                Seen::NotYet(so_far)
            })
        },
    )?;
    stage
        .screen
        .heading("Each node's routes (price: what the node pays per megabyte)");
    stage.show_routes()?;
    stage
        .screen
        .heading(&format!("Why {FROM} reaches {TO} via {chosen}"));
    stage.show_explanation(FROM, &prefix)
}

/// The cheap way gets dear, and traffic leaves it once the better price has stood for a while.
fn price_rises(stage: &mut Stage, stream: &Stream, figures: &mut Figures) -> Result<()> {
    stage
        .screen
        .heading(&format!("{CHEAP} raises the price to {RAISED}"));
    stage.screen.block(&format!(
        "{SHORT} is now the cheaper way. Traffic moves when that has stood for {} s, so that prices\n\
         that flicker move nothing. A ping every {} ms goes on all the while.",
        HOLD.as_secs(),
        EVERY.as_millis()
    ));
    let [prefix, _] = prefixes(target(stage)?);
    let (cheap, short) = (hop(stage, CHEAP)?, hop(stage, SHORT)?);
    let raised = Instant::now();
    let statement = format!("price {RAISED}");
    stage
        .network
        .client(CHEAP)?
        .ask(&statement)
        .with_context(|| CHEAP.to_owned())?;

    let learned = stage.wait(
        "waiting for the price",
        Duration::from_secs(20),
        |network| {
            network.check()?;
            let routes = network.routes(FROM)?;
            let price = via(&routes, &prefix, CHEAP).and_then(|route| route.price);
            Ok(match price {
                Some(RAISED) => Seen::There(Instant::now()),
                Some(old) => Seen::NotYet(format!("{FROM} still sees {old} via {CHEAP}")),
                None => Seen::NotYet(format!("{FROM} sees no price via {CHEAP}")),
            })
        },
    )?;
    let after = spoken(learned - raised);
    stage
        .screen
        .good(&format!("{FROM} knows the new price after {after}"));

    let scenario = stage.network.scenario();
    let moved = stage.wait("holding", MOVE_LIMIT, |network| {
        network.check()?;
        let routes = network.routes(FROM)?;
        let told = installed(&routes, &prefix).map(|route| peer_on(&route.interface));
        if let (Some(moved), Some(SHORT)) = (stream.moved_to(short, raised), told) {
            return Ok(Seen::There(moved));
        }
        let now = stream
            .first_hop()
            .map_or_else(|| "nobody".into(), |h| name_of(scenario, h));
        let left = HOLD.saturating_sub(learned.elapsed()).as_secs();
        let left = if left > 0 {
            format!("about {left} s to go")
        } else {
            "any moment".into()
        };
        Ok(Seen::NotYet(format!("traffic goes via {now}; {left}")))
    })?;
    ensure!(
        stream
            .moved_to(cheap, raised)
            .is_some_and(|early| early < moved),
        "it moved at once"
    );
    let after = spoken(moved - raised);
    let via = stage.screen.paint(Style::Bold, SHORT);
    stage.screen.good(&format!(
        "traffic moved to {via} {after} after the price rose"
    ));
    let losses = settled(stage, stream, raised, moved + GRACE)?;
    stage.screen.line(&format!("     {}", tell_losses(losses)));
    figures.add(
        "price raised to traffic on the other way",
        &with_losses(&after, losses),
    );
    Ok(())
}

/// The node in use dies without a word.
fn node_dies(
    stage: &mut Stage,
    stream: &Stream,
    victim: &str,
    other: &str,
    figures: &mut Figures,
) -> Result<()> {
    stage
        .screen
        .heading(&format!("{victim}, in use, is killed"));
    stage.screen.block(
        "kill -9, and its kernel forwards nothing any more, while its links stay up: as when a radio\n\
         neighbour loses its power. The others find out by missing Hellos (one every 0.5 s).",
    );
    let rescuer = hop(stage, other)?;
    let killed = Instant::now();
    stage.network.crash(victim)?;
    let back = stage.wait("waiting for the other way", RECOVER_LIMIT, |network| {
        network.check()?;
        let moved = stream.moved_to(rescuer, killed);
        // Both directions have to recover before an answer arrives.
        Ok(match moved.and_then(|moved| stream.answered_after(moved)) {
            Some(answered) => Seen::There(answered),
            None if moved.is_some() => Seen::NotYet("the way back is still dead".into()),
            None => Seen::NotYet("pings are being lost".into()),
        })
    })?;
    let after = spoken(back - killed);
    let via = stage.screen.paint(Style::Bold, other);
    stage
        .screen
        .good(&format!("pings come back via {via} {after} after the kill"));
    let losses = settled(stage, stream, killed, back + GRACE)?;
    stage.screen.line(&format!("     {}", tell_losses(losses)));
    figures.add(
        "node in use killed to pings answered again",
        &with_losses(&after, losses),
    );
    Ok(())
}

/// The pings of a stretch once all of their answers must have come.
fn settled(stage: &Stage, stream: &Stream, from: Instant, to: Instant) -> Result<Losses> {
    while Instant::now() < to + GRACE {
        stage.interrupt.check()?;
        thread::sleep(EVERY);
    }
    Ok(stream.losses(from, to))
}

fn tell_losses(losses: Losses) -> String {
    let Losses {
        sent,
        lost,
        longest_gap,
    } = losses;
    let gap = spoken(longest_gap);
    format!("pings lost: {lost} of {sent}; longest time without an answered ping: {gap}")
}

fn with_losses(time: &str, Losses { sent, lost, .. }: Losses) -> String {
    format!("{time:<8} {lost} of {sent} pings lost")
}

/// The node that traffic goes to.
fn target(stage: &Stage) -> Result<&'static Node> {
    stage
        .network
        .scenario()
        .node(TO)
        .context("the destination is not in the scenario")
}

/// The address under which a node answers probes.
fn hop(stage: &Stage, name: &str) -> Result<IpAddr> {
    let node = stage.network.scenario().node(name);
    node.map(|node| node.ipv4().into())
        .with_context(|| format!("no node {name}"))
}

/// A node's route through one neighbour.
fn via<'a>(routes: &'a [Route], prefix: &str, neighbour: &str) -> Option<&'a Route> {
    let matches = |route: &&Route| route.prefix == prefix && peer_on(&route.interface) == neighbour;
    routes.iter().find(matches)
}
