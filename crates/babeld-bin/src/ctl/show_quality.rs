//! `babelctl show quality|tests|decisions`, for people.

use super::output::{Output, Style};
use super::table::{Cell, Column, Table, cell};
use crate::figures::{age, milliseconds, percent, rate, volume};
use crate::local::quality::{
    DecisionDocument, PartyDocument, QualityDocument, StandingDocument, TestDocument,
};
use anyhow::Result;
use std::io::Write;

/// How the neighbours stand.
pub(super) fn quality<W: Write>(all: &[StandingDocument], output: &mut Output<W>) -> Result<()> {
    if all.is_empty() {
        return output.text(
            "neighbours are not ranked: there is no qos-goal, no speedtest-target and no \
             measurement\n",
        );
    }
    let rows = all.iter().map(|one| {
        let mut row = vec![
            cell(one.address.to_string()),
            cell(&one.interface),
            cell(one.prefix.clone().unwrap_or_default()),
            band(&one.band),
            cell(rank_of(one).unwrap_or_default()),
        ];
        row.extend(components(&one.quality));
        row.extend([
            cell(one.age_seconds.map(age).unwrap_or_default()),
            cell(source(one)),
            cell(one.pinned.clone().unwrap_or_default()),
            cell(
                one.age_seconds
                    .map_or_else(String::new, |_| format!("{} %", one.confidence_percent)),
            ),
            cell(one.note.clone().unwrap_or_default()),
        ]);
        row
    });
    let table = Table {
        columns: vec![
            Column::text("NEIGHBOUR", 0),
            Column::text("IF", 0),
            Column::text("FOR", 0),
            Column::text("BAND", 0),
            Column::number("RANK", 0),
            Column::number("DOWN", 0),
            Column::number("UP", 0),
            Column::number("LATENCY", 1),
            Column::number("LOSS", 2),
            Column::number("AGE", 1),
            Column::text("BY", 3),
            Column::text("PINNED", 4),
            Column::number("SURE", 5),
            Column::text("NOTE", 6),
        ],
        rows: rows.collect(),
    };
    table.show(0, output)
}

/// Speed tests that run and that ended.
pub(super) fn tests<W: Write>(all: &[TestDocument], output: &mut Output<W>) -> Result<()> {
    if all.is_empty() {
        return output.text("no speed test has run\n");
    }
    let rows = all.iter().map(|one| {
        let mut row = vec![
            cell(one.id.to_string()),
            cell(one.address.to_string()),
            cell(&one.interface),
            cell(&one.target),
            state(one),
        ];
        row.extend(components(&one.quality));
        row.extend([
            cell(one.loaded_latency_ms.map(milliseconds).unwrap_or_default()),
            cell(volume(one.bytes)),
            cell(&one.pinned),
            cell(
                one.ended_seconds_ago
                    .map_or_else(String::new, |ago| age(ago) + " ago"),
            ),
            cell(one.why.clone().unwrap_or_default()),
        ]);
        row
    });
    let table = Table {
        columns: vec![
            Column::number("ID", 5),
            Column::text("NEIGHBOUR", 0),
            Column::text("IF", 0),
            Column::text("TARGET", 0),
            Column::text("STATE", 0),
            Column::number("DOWN", 0),
            Column::number("UP", 0),
            Column::number("LATENCY", 2),
            Column::number("LOSS", 2),
            Column::number("LOADED", 3),
            Column::number("SPENT", 4),
            Column::text("PINNED", 3),
            Column::number("ENDED", 1),
            Column::text("WHY", 0),
        ],
        rows: rows.collect(),
    };
    table.show(0, output)
}

/// The last changes of routes in use, newest first.
pub(super) fn decisions<W: Write>(all: &[DecisionDocument], output: &mut Output<W>) -> Result<()> {
    if all.is_empty() {
        return output.text("no route in use has changed\n");
    }
    let columns = [Column::text("BEFORE", 1), Column::text("AFTER", 0)];
    let parties = |one: &DecisionDocument| {
        let name = |one: &Option<PartyDocument>| one.as_ref().map_or_else(|| "none".into(), party);
        [cell(name(&one.old)), cell(name(&one.new))]
    };
    changes(all, columns, parties).show(0, output)
}

/// A table of changes of routes in use; `parties` fills the last columns.
pub(super) fn changes<const N: usize>(
    all: &[DecisionDocument],
    columns: [Column; N],
    parties: impl Fn(&DecisionDocument) -> [Cell; N],
) -> Table {
    let rows = all.iter().map(|one| {
        let mut row = vec![
            cell(age(one.age_seconds) + " ago"),
            cell(&one.prefix),
            cell(one.from.clone().unwrap_or_default()),
            cell(&one.reason),
        ];
        row.extend(parties(one));
        row
    });
    let rows = rows.collect();
    let mut all = vec![
        Column::number("WHEN", 0),
        Column::text("PREFIX", 0),
        Column::text("FROM", 0),
        Column::text("REASON", 0),
    ];
    all.extend(columns);
    Table { columns: all, rows }
}

/// A band and how it stands out.
pub(super) fn band(band: &str) -> Cell {
    let style = match band {
        "proven" => Style::Good,
        "failing" => Style::Bad,
        _ => Style::Middling,
    };
    (style, band.into())
}

/// A rank, in steps of a fifth below the best of its band; the last step is for what carries
/// nothing. To be the best of those that fail the goals is nothing to be called best for.
pub(super) fn rank(steps: u8, proven: bool) -> String {
    match steps {
        0 if proven => "best".into(),
        0 => "-".into(),
        u8::MAX => "last".into(),
        steps => format!("{steps} below"),
    }
}

/// The rank of a neighbour, if it has one.
pub(super) fn rank_of(standing: &StandingDocument) -> Option<String> {
    let steps = standing.rank?;
    Some(rank(steps, standing.band == "proven"))
}

/// A neighbour and its interface.
pub(super) fn party(party: &PartyDocument) -> String {
    format!("{}%{}", party.address, party.interface)
}

/// What was measured, component by component.
pub(super) fn components(quality: &QualityDocument) -> [Cell; 4] {
    [
        cell(
            quality
                .download_bits_per_second
                .map(rate)
                .unwrap_or_default(),
        ),
        cell(quality.upload_bits_per_second.map(rate).unwrap_or_default()),
        cell(quality.latency_ms.map(milliseconds).unwrap_or_default()),
        cell(quality.loss_percent.map(percent).unwrap_or_default()),
    ]
}

/// Whose measurement it is.
fn source(one: &StandingDocument) -> String {
    match (one.source.as_deref(), &one.target) {
        (Some("link"), Some(target)) => format!("{target} (link)"),
        (_, Some(target)) => target.clone(),
        (Some(source), None) => source.into(),
        (None, None) => String::new(),
    }
}

/// How a test stands; one that runs shows its phase.
fn state(one: &TestDocument) -> Cell {
    match (one.state.as_str(), &one.phase) {
        ("running", Some(phase)) => (Style::Middling, format!("running: {phase}")),
        ("done", _) => (Style::Good, one.state.clone()),
        ("failed", _) => (Style::Bad, one.state.clone()),
        _ => cell(&one.state),
    }
}
