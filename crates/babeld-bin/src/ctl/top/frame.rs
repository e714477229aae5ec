//! A frame of `top`: a view in, lines out. Pure.

use super::gather::View;
use crate::ctl::output::{Output, Style};
use crate::ctl::show::{metric, price};
use crate::ctl::show_quality::{band, changes, components, party, rank_of};
use crate::ctl::speedtest::bar;
use crate::ctl::table::{Cell, Column, Table, cell};
use crate::figures::{age, milliseconds};
use crate::local::json::Neighbour;
use crate::local::quality::{PartyDocument, StandingDocument};
use crate::local::usage::UsageDocument;
use anyhow::Result;
use std::time::Duration;

/// Lines that decisions get where there is room for them.
const DECISIONS: usize = 12;

/// What neighbours are sorted by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Sort {
    /// Band, rank, then cost.
    Standing,
    /// The link's cost.
    Cost,
    /// Routes in use, most first.
    Routes,
    /// Interface and address.
    Name,
}

impl Sort {
    /// The one after it.
    pub(super) const fn next(self) -> Self {
        match self {
            Self::Standing => Self::Cost,
            Self::Cost => Self::Routes,
            Self::Routes => Self::Name,
            Self::Name => Self::Standing,
        }
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Standing => "rank",
            Self::Cost => "cost",
            Self::Routes => "routes",
            Self::Name => "name",
        }
    }
}

/// What a frame says of the view itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Surround {
    pub(super) refresh: Duration,
    pub(super) sort: Sort,
    pub(super) paused: bool,
    /// Why there is nothing newer.
    pub(super) trouble: Option<String>,
}

impl Surround {
    pub(super) const fn new(refresh: Duration, sort: Sort) -> Self {
        Self {
            refresh,
            sort,
            paused: false,
            trouble: None,
        }
    }
}

/// One neighbour and all that is known of it.
struct Row<'v> {
    neighbour: &'v Neighbour,
    usage: Option<&'v UsageDocument>,
    standing: Option<&'v StandingDocument>,
}

/// The text of a frame, at most `width` by `height` if these are given.
pub(super) fn frame(
    view: &View,
    surround: &Surround,
    colours: bool,
    width: Option<usize>,
    height: Option<usize>,
) -> Result<String> {
    let head = head(view, surround, colours, width)?;
    let mut neighbours = neighbours(view, surround.sort, colours, width)?;
    let mut tests = tests(view);
    let mut decisions = decisions(view, colours, width)?;
    if let Some(height) = height {
        // Neighbours come first, but never push out a test that runs or the last decision.
        let fixed = head.len() + tests.len() + decisions.len().min(2) + 2;
        limit(&mut neighbours, height.saturating_sub(fixed).max(3));
        let left = height.saturating_sub(head.len() + neighbours.len() + 1);
        tests.truncate(left);
        let left = left.saturating_sub(tests.len() + 1);
        decisions.truncate(left);
    }
    let mut lines = head;
    for part in [neighbours, tests, decisions] {
        if !part.is_empty() {
            lines.push(String::new());
            lines.extend(part);
        }
    }
    let limits = (width.unwrap_or(usize::MAX), height.unwrap_or(usize::MAX));
    let lines = lines.iter().take(limits.1).map(|line| clip(line, limits.0));
    Ok(lines.map(|line| line + "\n").collect())
}

/// Who, totals, changes.
fn head(
    view: &View,
    surround: &Surround,
    colours: bool,
    width: Option<usize>,
) -> Result<Vec<String>> {
    let mut out = Output::new(Vec::new(), colours, width);
    let status = &view.status;
    out.styled(
        Style::Bold,
        &format!("{} on {}", status.version, status.host),
    )?;
    let seconds = surround.refresh.as_secs_f64();
    out.text(&format!(
        ", router-id {}; every {seconds} s, by {}",
        status.router_id,
        surround.sort.word()
    ))?;
    if surround.paused {
        out.styled(Style::Middling, ", paused")?;
    }
    out.text("\n")?;
    if let Some(trouble) = &surround.trouble {
        out.styled(Style::Bad, &trouble.replace('\n', " "))?;
        out.text("\n")?;
    }
    let routes = &status.routes;
    out.text(&format!(
        "{} neighbours; routes: {} in use, {} of them overridden, {} spare, {} unfeasible, {} of \
         our own\n",
        view.neighbours.len(),
        routes.selected,
        routes.overridden,
        routes.feasible,
        routes.unfeasible,
        status.xroutes
    ))?;
    let changes: Vec<String> = status
        .route_changes
        .iter()
        .map(|(reason, count)| format!("{reason} {count}"))
        .collect();
    if !changes.is_empty() {
        out.text(&format!("changes of routes: {}\n", changes.join(", ")))?;
    }
    Ok(lines(out))
}

fn neighbours(view: &View, sort: Sort, colours: bool, width: Option<usize>) -> Result<Vec<String>> {
    if view.neighbours.is_empty() {
        return Ok(vec!["no neighbours".into()]);
    }
    let mut rows: Vec<Row<'_>> = view.neighbours.iter().map(|one| row(view, one)).collect();
    rows.sort_by_key(|row| place(row, sort));
    let table = Table {
        columns: vec![
            Column::text("NEIGHBOUR", 0),
            Column::text("IF", 0),
            Column::number("COST", 2),
            Column::number("RTT", 5),
            Column::number("ADVERTISES", 1),
            Column::text("TO", 6),
            Column::number("PRICE", 1),
            Column::number("DOWN", 0),
            Column::number("UP", 0),
            Column::number("LATENCY", 3),
            Column::number("LOSS", 4),
            Column::number("AGE", 3),
            Column::text("BAND", 0),
            Column::text("RANK", 0),
            Column::number("ROUTES", 0),
        ],
        rows: rows.iter().map(cells).collect(),
    };
    let mut out = Output::new(Vec::new(), colours, width);
    table.show(0, &mut out)?;
    Ok(lines(out))
}

fn row<'v>(view: &'v View, neighbour: &'v Neighbour) -> Row<'v> {
    let is_it =
        |address, interface: &str| neighbour.address == address && neighbour.interface == interface;
    Row {
        neighbour,
        usage: view
            .usage
            .iter()
            .find(|one| is_it(one.address, &one.interface)),
        standing: view.quality.iter().find(|one| {
            let for_all = one.prefix.is_none()
                && one.source.as_deref() != Some("link")
                && one.pinned.as_deref() != Some("no");
            for_all && is_it(one.address, &one.interface)
        }),
    }
}

/// Smaller stands higher; the name makes it total, so that rows do not dance.
fn place(row: &Row<'_>, sort: Sort) -> (u64, u64, String) {
    let cost = u64::from(row.neighbour.cost);
    let band = match row.standing.map(|one| one.band.as_str()) {
        Some("proven") => 0,
        Some("failing") => 2,
        _ => 1,
    };
    let rank = row.standing.and_then(|one| one.rank).unwrap_or(u8::MAX);
    let standing = band << 8 | u64::from(rank);
    let in_use = row.usage.map_or(0, |one| one.routes_in_use);
    let name = format!("{} {}", row.neighbour.interface, row.neighbour.address);
    match sort {
        Sort::Standing => (standing, cost, name),
        Sort::Cost => (cost, 0, name),
        Sort::Routes => (u64::MAX - u64::try_from(in_use).unwrap_or(0), cost, name),
        Sort::Name => (0, 0, name),
    }
}

fn cells(row: &Row<'_>) -> Vec<Cell> {
    let neighbour = row.neighbour;
    let promise = row.usage.and_then(|one| one.promise.as_ref());
    let quality = row.standing.map(|one| one.quality).unwrap_or_default();
    let plain = |text: Option<String>| cell(text.unwrap_or_default());
    let mut cells = vec![
        cell(neighbour.address.to_string()),
        cell(&neighbour.interface),
        metric(neighbour.cost),
        plain(neighbour.rtt_ms.map(milliseconds)),
        promise.map_or_else(|| cell(""), |one| metric(one.refmetric)),
        plain(promise.map(|one| one.prefix.clone())),
        plain(promise.and_then(|one| one.price).map(price)),
    ];
    cells.extend(components(&quality));
    cells.extend([
        plain(row.standing.and_then(|one| one.age_seconds).map(age)),
        row.standing.map_or_else(|| cell(""), |one| band(&one.band)),
        plain(row.standing.and_then(rank_of)),
        cell(row.usage.map_or(0, |one| one.routes_in_use).to_string()),
    ]);
    cells
}

/// Tests that run.
fn tests(view: &View) -> Vec<String> {
    let running = view.tests.iter().filter(|test| test.state == "running");
    running
        .map(|test| {
            format!(
                "testing {}%{} by {}: {}",
                test.address,
                test.interface,
                test.target,
                bar(test)
            )
        })
        .collect()
}

/// The last changes of routes in use.
fn decisions(view: &View, colours: bool, width: Option<usize>) -> Result<Vec<String>> {
    if view.decisions.is_empty() {
        return Ok(Vec::new());
    }
    let shown = view.decisions.get(..DECISIONS).unwrap_or(&view.decisions);
    let table = changes(shown, [Column::text("ROUTE", 0)], |one| {
        let name =
            |one: &Option<PartyDocument>| one.as_ref().map_or_else(|| "nothing".into(), party);
        [cell(format!("{} -> {}", name(&one.old), name(&one.new)))]
    });
    let mut out = Output::new(Vec::new(), colours, width);
    table.show(0, &mut out)?;
    Ok(lines(out))
}

/// Cuts a table to `most` lines and says how many are out of sight.
fn limit(lines: &mut Vec<String>, most: usize) {
    if lines.len() > most {
        let shown = most.saturating_sub(1);
        let hidden = lines.len() - shown;
        lines.truncate(shown);
        lines.push(format!("… and {hidden} more"));
    }
}

fn lines(out: Output<Vec<u8>>) -> Vec<String> {
    out.into_text().lines().map(str::to_owned).collect()
}

/// The first `width` columns of a line; colours do not count, and end where the line is cut.
fn clip(line: &str, width: usize) -> String {
    let mut clipped = String::with_capacity(line.len());
    let mut columns = 0;
    let mut escape = false;
    for c in line.chars() {
        if c == '\x1b' {
            escape = true;
        } else if !escape {
            if columns == width {
                if line.contains('\x1b') {
                    clipped.push_str("\x1b[0m");
                }
                return clipped;
            }
            columns += 1;
        } else if c.is_ascii_alphabetic() {
            escape = false;
        }
        clipped.push(c);
    }
    clipped
}

#[cfg(test)]
mod tests;
