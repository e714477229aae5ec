//! The liar's story: a promise believed, a measurement, the promise believed no more.

use super::figures::Figures;
use super::scenario::liar::INTERNET;
use super::show::{Style, spoken, spoken_rate};
use super::stock::{INSTALL, Stock};
use super::story::{Seen, Stage};
use super::traffic::{Direction, Throughput, Traffic};
use super::trial::{self, Goal};
use super::ways::Ways;
use anyhow::{Context, Result, ensure};
use std::time::{Duration, Instant};

const NODE: &str = "bob";
const HONEST: &str = "carol";
const LIAR: &str = "mallory";
const WAYS: Ways = Ways {
    node: NODE,
    prefix: "0.0.0.0/0",
};
/// What bob needs.
const GOAL: Goal = Goal {
    download: 5_000_000,
};
const TARGET: &str = "exit";
/// How long stock babeld is given to change its mind.
const PATIENCE: Duration = Duration::from_secs(5);

/// What traffic gets in both directions.
#[derive(Clone, Copy, Debug)]
struct Both {
    download: Throughput,
    upload: Throughput,
}

/// Tells the story; an error says what did not happen.
pub(super) fn tell(stage: &mut Stage) -> Result<()> {
    stage.need_prices()?;
    let mut figures = Figures::default();
    let traffic = Traffic::listen(&stage.network, INTERNET)?;
    promise_is_believed(stage)?;
    let before = throughput(stage, &traffic, LIAR)?;
    figures.add(
        "through mallory, as advertised the best way",
        &before.told(),
    );
    measurement_overrides(stage, &mut figures)?;
    let after = throughput(stage, &traffic, HONEST)?;
    tell_difference(stage, before, after, &mut figures);
    stock_in_place(stage, &traffic, &mut figures)?;
    figures.show(&stage.screen);
    Ok(())
}

/// The nodes start, and bob believes mallory.
fn promise_is_believed(stage: &mut Stage) -> Result<()> {
    stage.screen.heading("The nodes start, carol last");
    stage.start_nodes(false)?;
    stage.start_nodes(true)?;
    WAYS.await_all(stage, 2, Some(LIAR))?;
    stage
        .screen
        .heading("What bob is told about the way to the internet");
    WAYS.show(stage)?;
    stage.screen.heading(&format!("Why {NODE} believes {LIAR}"));
    stage.show_explanation(NODE, WAYS.prefix)
}

/// Two statements of bob's operator, and one measurement: the promise counts no more.
fn measurement_overrides(stage: &mut Stage, figures: &mut Figures) -> Result<()> {
    stage.screen.heading(&format!(
        "{NODE}'s operator says what is needed, and who can be asked"
    ));
    let url = format!("babel://{INTERNET}");
    let statements = [
        GOAL.statement(),
        trial::target_statement(TARGET, &url, None),
    ];
    for statement in &statements {
        stage.state(NODE, statement)?;
    }
    stage
        .screen
        .heading("Speed tests through each neighbour, every packet pinned to it");
    let mut moved = false;
    trial::run(
        stage,
        NODE,
        &[LIAR, HONEST],
        TARGET,
        GOAL,
        |stage, of, ended| {
            if std::mem::replace(&mut moved, true) {
                return Ok(());
            }
            // Whichever it is: carol turned out well, or mallory badly.
            let took = WAYS.await_move(stage, HONEST, ended)?;
            let took = format!("{} after the end of {of}'s test", spoken(took));
            let via = stage.screen.paint(Style::Bold, HONEST);
            stage.screen.good(&format!("traffic moved to {via} {took}"));
            figures.add(&format!("{NODE}'s traffic moved to {HONEST}"), &took);
            Ok(())
        },
    )?;
    WAYS.expect(stage, HONEST)?;

    stage
        .screen
        .heading(&format!("Why {NODE} uses {HONEST} now"));
    WAYS.show(stage)?;
    stage.screen.line("");
    stage.show_explanation(NODE, WAYS.prefix)
}

fn tell_difference(stage: &Stage, before: Both, after: Both, figures: &mut Figures) {
    let ratio = |of: fn(&Both) -> f64| of(&after) / of(&before).max(1.0);
    let down = ratio(|both| both.download.bps);
    let up = ratio(|both| both.upload.bps);
    let times = format!("{down:.1} times as much down, {up:.1} times up");
    stage.screen.good(&times);
    figures.add("through carol, as measured the best way", &after.told());
    figures.add("that is", &times);
}

/// What bob's traffic to the internet really gets, which must go the expected way.
fn throughput(stage: &Stage, traffic: &Traffic, through: &str) -> Result<Both> {
    stage
        .screen
        .heading(&format!("{NODE}'s own traffic, over TCP, with {INTERNET}"));
    let download = traffic.measure(stage, NODE, Direction::Download)?;
    let upload = traffic.measure(stage, NODE, Direction::Upload)?;
    let both = Both { download, upload };
    for (what, got) in [("download", download), ("upload", upload)] {
        let rate = stage.screen.paint(Style::Bold, &spoken_rate(got.bps));
        stage
            .screen
            .line(&format!("  {what:<9} {rate}, through {}", got.through));
        ensure!(
            got.through == through,
            "{NODE}'s {what} went through {}, not through {through}",
            got.through
        );
    }
    Ok(both)
}

/// The same network with stock babeld in bob's place.
fn stock_in_place(stage: &mut Stage, traffic: &Traffic, figures: &mut Figures) -> Result<()> {
    stage
        .screen
        .heading(&format!("The same with stock babeld in {NODE}'s place"));
    let Some(stock) = Stock::find() else {
        stage.screen.line(&format!(
            "  it is not installed here; to see it too: {INSTALL}"
        ));
        return Ok(());
    };
    let version = stock.version.clone();
    stage.network.stop_one(NODE)?;
    let started = Instant::now();
    stage
        .network
        .start_with(NODE, &stock.options())
        .with_context(|| format!("starting {version}"))?;
    WAYS.await_all(stage, 2, Some(LIAR))?;
    WAYS.show(stage)?;
    stage.wait(
        "giving it time to change its mind",
        2 * PATIENCE,
        |network| {
            let used = WAYS.used(network)?;
            let via = used.as_deref().unwrap_or("nobody");
            ensure!(via == LIAR, "{version} goes via {via}");
            Ok(if started.elapsed() >= PATIENCE {
                Seen::There(())
            } else {
                Seen::NotYet(format!("via {via}"))
            })
        },
    )?;
    let got = throughput(stage, traffic, LIAR)?;
    let after = spoken(started.elapsed());
    stage.screen.line(&format!(
        "  {version} stays with {LIAR} ({after} after its start), for it has only {LIAR}'s word"
    ));
    figures.add(&format!("{version} in {NODE}'s place"), &got.told());
    Ok(())
}

impl Both {
    fn told(self) -> String {
        let (down, up) = (spoken_rate(self.download.bps), spoken_rate(self.upload.bps));
        format!("{down} down, {up} up")
    }
}
