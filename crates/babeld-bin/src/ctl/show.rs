//! `babelctl show`: the tables, for people.

use super::output::{Output, Style};
use super::table::{Cell, Column, Table, cell};
use crate::figures::age;
use crate::local::json::{Interface, Neighbour, Route, Status, XRoute};
use anyhow::Result;
use std::io::Write;

/// The node in a few lines.
pub(super) fn status<W: Write>(status: &Status, output: &mut Output<W>) -> Result<()> {
    let routes = &status.routes;
    let prices = match (status.fee, status.price_unit) {
        (Some(fee), Some(unit)) => format!("on: our fee is {fee} per MB, unit {unit}"),
        _ => "off".into(),
    };
    let ranking = match (status.ranking, routes.overridden) {
        (false, _) => "off".into(),
        (true, overridden) => format!("on: {overridden} prefixes not by the best metric"),
    };
    let lines = [
        ("version", status.version.clone()),
        ("host", status.host.clone()),
        (
            "router-id",
            format!("{}, seqno {}", status.router_id, status.seqno),
        ),
        (
            "interfaces",
            format!("{} of {} up", status.interfaces_up, status.interfaces),
        ),
        ("neighbours", status.neighbours.to_string()),
        (
            "routes",
            format!(
                "{} in use, {} more feasible, {} unfeasible, {} retracted",
                routes.selected, routes.feasible, routes.unfeasible, routes.retracted
            ),
        ),
        ("our routes", status.xroutes.to_string()),
        ("prices", prices),
        ("ranking", ranking),
    ];
    for (name, value) in lines {
        output.styled(Style::Bold, &format!("{name:<11}"))?;
        output.text(&format!(" {value}\n"))?;
    }
    Ok(())
}

pub(super) fn neighbours<W: Write>(all: &[Neighbour], output: &mut Output<W>) -> Result<()> {
    if all.is_empty() {
        return output.text("no neighbours\n");
    }
    let table = Table {
        columns: vec![
            Column::text("ADDRESS", 0),
            Column::text("IF", 0),
            Column::text("REACH", 3),
            Column::number("RXCOST", 2),
            Column::number("TXCOST", 2),
            Column::number("RTT", 3),
            Column::number("COST", 0),
            Column::number("ROUTES", 1),
            Column::number("HELLO", 4),
            Column::number("IHU", 5),
        ],
        rows: all
            .iter()
            .map(|one| {
                vec![
                    cell(one.address.to_string()),
                    cell(&one.interface),
                    cell(reach(one)),
                    metric(one.rxcost),
                    metric(one.txcost),
                    cell(
                        one.rtt_ms
                            .map(|ms| format!("{ms:.1}ms"))
                            .unwrap_or_default(),
                    ),
                    metric(one.cost),
                    cell(one.routes.to_string()),
                    cell(one.hello_age_seconds.map(age).unwrap_or_default()),
                    cell(one.ihu_age_seconds.map(age).unwrap_or_default()),
                ]
            })
            .collect(),
    };
    table.show(0, output)
}

pub(super) fn routes<W: Write>(all: &[Route], output: &mut Output<W>) -> Result<()> {
    if all.is_empty() {
        return output.text("no routes\n");
    }
    let table = Table {
        columns: vec![
            Column::text("PREFIX", 0),
            Column::text("FROM", 0),
            Column::text("STATE", 0),
            Column::number("METRIC", 0),
            Column::number("SMOOTHED", 4),
            Column::number("REFMETRIC", 3),
            Column::number("PRICE", 0),
            Column::text("VIA", 0),
            Column::text("IF", 0),
            Column::text("NEXT HOP", 2),
            Column::number("AGE", 5),
            Column::text("ROUTER-ID", 6),
        ],
        rows: all.iter().map(route).collect(),
    };
    table.show(0, output)
}

pub(super) fn xroutes<W: Write>(all: &[XRoute], output: &mut Output<W>) -> Result<()> {
    if all.is_empty() {
        return output.text("no routes of our own\n");
    }
    let table = Table {
        columns: vec![
            Column::text("PREFIX", 0),
            Column::text("FROM", 0),
            Column::number("METRIC", 0),
            Column::text("ORIGIN", 1),
        ],
        rows: all
            .iter()
            .map(|one| {
                vec![
                    cell(&one.prefix),
                    cell(one.from.clone().unwrap_or_default()),
                    metric(one.metric),
                    cell(&one.origin),
                ]
            })
            .collect(),
    };
    table.show(0, output)
}

pub(super) fn interfaces<W: Write>(all: &[Interface], output: &mut Output<W>) -> Result<()> {
    if all.is_empty() {
        return output.text("no interfaces\n");
    }
    let table = Table {
        columns: vec![
            Column::text("NAME", 0),
            Column::text("STATE", 0),
            Column::text("IPV6", 1),
            Column::text("IPV4", 2),
            Column::text("WHY", 0),
        ],
        rows: all
            .iter()
            .map(|one| {
                vec![
                    cell(&one.name),
                    if one.up {
                        (Style::Good, "up".into())
                    } else {
                        (Style::Bad, "down".into())
                    },
                    cell(
                        one.ipv6
                            .map(|address| address.to_string())
                            .unwrap_or_default(),
                    ),
                    cell(
                        one.ipv4
                            .map(|address| address.to_string())
                            .unwrap_or_default(),
                    ),
                    cell(one.down_reason.clone().unwrap_or_default()),
                ]
            })
            .collect(),
    };
    table.show(0, output)
}

fn route(one: &Route) -> Vec<Cell> {
    let (style, state) = state(one);
    let next_hop = one.next_hop.map(|address| address.to_string());
    vec![
        (
            if one.installed {
                Style::Good
            } else {
                Style::Plain
            },
            one.prefix.clone(),
        ),
        cell(one.from.clone().unwrap_or_default()),
        (style, state.into()),
        metric(one.metric),
        if one.smoothed_metric == one.metric {
            cell("")
        } else {
            metric(one.smoothed_metric)
        },
        metric(one.refmetric),
        cell(one.price.map(price).unwrap_or_default()),
        cell(one.via.to_string()),
        cell(&one.interface),
        cell(next_hop.unwrap_or_default()),
        cell(age(one.age_seconds)),
        cell(&one.router_id),
    ]
}

/// A route's state in a word.
const fn state(one: &Route) -> (Style, &'static str) {
    if one.installed {
        (Style::Good, "in use")
    } else if one.metric == u16::MAX {
        (Style::Dim, "retracted")
    } else if !one.eligible {
        (Style::Bad, "ineligible")
    } else if !one.feasible {
        (Style::Bad, "unfeasible")
    } else {
        (Style::Plain, "spare")
    }
}

/// 65535 is infinite.
pub(super) fn metric(value: u16) -> Cell {
    if value == u16::MAX {
        (Style::Dim, "inf".into())
    } else {
        cell(value.to_string())
    }
}

/// 4294967295 is "not for sale".
pub(super) fn price(value: u32) -> String {
    if value == u32::MAX {
        "no sale".into()
    } else {
        value.to_string()
    }
}

/// Hellos that arrived, of the last 16; unicast ones too if there are any.
fn reach(one: &Neighbour) -> String {
    let arrived = |bits: &str| u16::from_str_radix(bits, 16).map_or(0, u16::count_ones);
    match arrived(&one.ureach) {
        0 => format!("{}/16", arrived(&one.reach)),
        unicast => format!("{}/16 + {unicast}/16", arrived(&one.reach)),
    }
}
