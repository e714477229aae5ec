//! `babelctl explain`: the candidates for a prefix side by side, and why each won or lost.

use super::output::{Output, Style};
use super::show::price;
use super::show_quality::rank;
use super::table::{Cell, Column, Table, cell};
use crate::figures::age;
use crate::local::explain::{Candidate, Document, KeyStep};
use crate::local::quality::StandingDocument;
use anyhow::Result;
use std::io::Write;

/// Writes all of it.
pub(super) fn show<W: Write>(document: &Document, output: &mut Output<W>) -> Result<()> {
    output.styled(Style::Bold, &document.prefix)?;
    if let Some(from) = &document.from {
        output.styled(Style::Bold, &format!(" from {from}"))?;
    }
    output.text("\n")?;
    paragraph(&document.summary, 2, output)?;
    for candidate in &document.candidates {
        output.text("\n")?;
        one(candidate, output)?;
    }
    if document
        .candidates
        .iter()
        .filter(|one| !one.steps.is_empty())
        .count()
        > 1
    {
        output.text("\n")?;
        output.styled(Style::Bold, "  How they compare")?;
        output.text(": step by step from the left, the first difference decides.\n")?;
        keys(&document.candidates).show(2, output)?;
    }
    Ok(())
}

/// One candidate: its fate, and the facts behind it.
fn one<W: Write>(candidate: &Candidate, output: &mut Output<W>) -> Result<()> {
    let (style, mark) = fate(candidate);
    output.text("  ")?;
    output.styled(style, &format!("{mark} {}", name(candidate)))?;
    output.text("\n")?;
    paragraph(&candidate.why, 4, output)?;
    for (title, text) in facts(candidate) {
        output.text("    ")?;
        output.styled(Style::Dim, &format!("{title:<9}"))?;
        output.text(&format!(" {text}\n"))?;
    }
    Ok(())
}

fn facts(candidate: &Candidate) -> Vec<(&'static str, String)> {
    let route = &candidate.route;
    let mut facts = Vec::new();
    let smoothed = if route.smoothed_metric == route.metric {
        String::new()
    } else {
        format!(", smoothed {}", number(route.smoothed_metric))
    };
    facts.push((
        "metric",
        format!(
            "{} advertised + {} link = {}{smoothed}",
            number(route.refmetric),
            number(candidate.cost),
            number(route.metric)
        ),
    ));
    if let Some(amount) = route.price {
        let unit = match route.price_unit {
            None | Some(0) => String::new(),
            Some(unit) => format!(", unit {unit}"),
        };
        let back = match route.return_price {
            Some(back) => format!(", {} from there", price(back)),
            None => String::new(),
        };
        facts.push(("price", format!("{} per MB{back}{unit}", price(amount))));
    }
    for (name, title) in [("band", "band"), ("rank", "rank")] {
        let step = candidate.steps.iter().find(|step| step.name == name);
        facts.extend(step.map(|step| (title, step.value.clone())));
    }
    facts.extend(candidate.measured.as_ref().and_then(measured));
    let held = match candidate.feasibility_distance {
        Some(distance) => format!(
            "{}: seqno {}, metric {} against our feasibility distance seqno {}, metric {}",
            yes(route.feasible),
            route.seqno,
            number(route.refmetric),
            distance.seqno,
            number(distance.metric)
        ),
        None => format!(
            "{}: we hold no distance for its originator",
            yes(route.feasible)
        ),
    };
    facts.push(("feasible", held));
    if let Some(next_hop) = route.next_hop {
        facts.push(("next hop", next_hop.to_string()));
    }
    let heard = age(route.age_seconds);
    facts.push((
        "origin",
        format!("{}, last heard {heard} ago", route.router_id),
    ));
    facts
}

/// The keys side by side: one row a candidate, one column a step.
fn keys(candidates: &[Candidate]) -> Table {
    let judged = || candidates.iter().filter(|one| !one.steps.is_empty());
    let best = judged()
        .find(|one| one.outcome == "selected")
        .or_else(|| judged().next());
    let titles = best.map_or(&[][..], |best| &best.steps);
    let mut columns = vec![Column::text("", 0)];
    columns.extend(titles.iter().map(|step| Column::text(title(&step.name), 0)));
    let rows = judged().map(|one| {
        let (style, mark) = fate(one);
        let mut row: Vec<Cell> = vec![(style, format!("{mark} {}", name(one)))];
        let proven = !one
            .steps
            .iter()
            .any(|step| step.name == "band" && step.order > 0);
        let mut decided = false;
        for (step, against) in one.steps.iter().zip(titles) {
            let style = if decided {
                Style::Dim
            } else if step.order > against.order {
                Style::Bad
            } else if step.order < against.order {
                Style::Middling
            } else {
                Style::Plain
            };
            let marker = match (decided, step.order.cmp(&against.order)) {
                (false, std::cmp::Ordering::Greater) => "  <- worse",
                (false, std::cmp::Ordering::Less) => "  <- better",
                _ => "",
            };
            decided |= step.order != against.order;
            row.push((style, format!("{}{marker}", short(step, proven))));
        }
        row.resize(columns.len(), cell(""));
        row
    });
    let rows = rows.collect();
    Table { columns, rows }
}

/// When it was measured, by what, and how sure it is; the figures stand beside the rank.
fn measured(standing: &StandingDocument) -> Option<(&'static str, String)> {
    let since = age(standing.age_seconds?);
    let by = match (standing.source.as_deref(), &standing.target) {
        (Some("outside"), _) => "by an outside tool, ".into(),
        (_, Some(target)) => format!("by target {target}, "),
        _ => String::new(),
    };
    let pinned = match standing.pinned.as_deref() {
        Some("both") => ", pinned both ways",
        Some("upload") => ", downloads unpinned",
        Some("no") => ", unpinned",
        _ => "",
    };
    let left = age(standing.valid_seconds);
    let sure = standing.confidence_percent;
    let text = format!("{by}{since} ago, for {left} more{pinned}, {sure} % sure");
    Some(("measured", text))
}

/// A step's value in a table: what stands beside the candidate is not said twice.
fn short(step: &KeyStep, proven: bool) -> String {
    match (step.name.as_str(), u8::try_from(step.order)) {
        ("band", _) => step.value.split(':').next().unwrap_or_default().into(),
        ("rank", Ok(steps))
            if step
                .value
                .starts_with(|c: char| c.is_ascii_digit() || c == '-') =>
        {
            rank(steps, proven)
        }
        ("rank", Ok(u8::MAX)) => rank(u8::MAX, proven),
        ("rank", _) => "none".into(),
        _ => step.value.clone(),
    }
}

/// A title for a step that this program knows; the daemon may be newer.
fn title(step: &str) -> &'static str {
    match step {
        "band" => "BAND",
        "rank" => "RANK",
        "price" => "PRICE",
        "metric" => "METRIC",
        "incumbent" => "IN USE",
        "neighbour" => "NEIGHBOUR",
        _ => "STEP",
    }
}

fn fate(candidate: &Candidate) -> (Style, &'static str) {
    match candidate.outcome.as_str() {
        "selected" => (Style::Good, ">"),
        "waiting" => (Style::Middling, "~"),
        "worse" => (Style::Plain, "-"),
        _ => (Style::Bad, "x"),
    }
}

fn name(candidate: &Candidate) -> String {
    format!("{}%{}", candidate.route.via, candidate.route.interface)
}

fn number(metric: u16) -> String {
    if metric == u16::MAX {
        "infinity".into()
    } else {
        metric.to_string()
    }
}

const fn yes(is: bool) -> &'static str {
    if is { "yes" } else { "no" }
}

/// Writes `text` after `indent` blanks, broken at blanks to fit the terminal.
pub(super) fn paragraph<W: Write>(text: &str, indent: usize, output: &mut Output<W>) -> Result<()> {
    let limit = output.width().unwrap_or(usize::MAX).max(indent + 20);
    let mut column = 0;
    for word in text.split(' ') {
        let length = word.chars().count();
        if column == 0 {
            output.text(&" ".repeat(indent))?;
            column = indent;
        } else if column + 1 + length > limit {
            output.text("\n")?;
            output.text(&" ".repeat(indent))?;
            column = indent;
        } else {
            output.text(" ")?;
            column += 1;
        }
        output.text(word)?;
        column += length;
    }
    output.text("\n")
}
