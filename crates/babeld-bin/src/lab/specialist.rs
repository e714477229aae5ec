//! The specialist's story: one rank for everything, another one for a prefix.

use super::figures::Figures;
use super::scenario::specialist::{INTERNET, LIBRARY};
use super::show::{Style, spoken, spoken_rate};
use super::story::Stage;
use super::traffic::{Direction, Traffic};
use super::trial::{self, Goal};
use super::ways::Ways;
use anyhow::{Result, ensure};
use std::net::Ipv4Addr;
use std::time::Instant;

const NODE: &str = "bob";
/// The better one for everything.
const GENERALIST: &str = "carol";
/// The better one for the library.
const SPECIALIST: &str = "dave";
const ALL: Ways = Ways {
    node: NODE,
    prefix: "0.0.0.0/0",
};
const SPECIAL: Ways = Ways {
    node: NODE,
    prefix: "203.0.113.0/24",
};
/// What bob needs, everywhere.
const GOAL: Goal = Goal {
    download: 5_000_000,
};

/// The listening hosts of both destinations.
struct Sites {
    internet: Traffic,
    library: Traffic,
}

/// Tells the story; an error says what did not happen.
pub(super) fn tell(stage: &mut Stage) -> Result<()> {
    stage.need_prices()?;
    let mut figures = Figures::default();
    let sites = Sites {
        internet: Traffic::listen(&stage.network, INTERNET)?,
        library: Traffic::listen(&stage.network, LIBRARY)?,
    };
    stage.screen.heading("The nodes start");
    stage.start_nodes(false)?;
    for ways in [ALL, SPECIAL] {
        ways.await_all(stage, 2, None)?;
        ways.show(stage)?;
    }
    let before = one_rank(stage, &sites, &mut figures)?;
    let after = two_ranks(stage, &sites, &mut figures)?;
    let times = format!("{:.1} times as much", after / before.max(1.0));
    stage.screen.good(&format!("{times} from the library"));
    figures.add("that is", &times);
    figures.show(&stage.screen);
    Ok(())
}

/// One target for everything: carol is best, and gets everything.
fn one_rank(stage: &mut Stage, sites: &Sites, figures: &mut Figures) -> Result<f64> {
    stage
        .screen
        .heading("One goal and one target, for everything");
    stage.state(NODE, &GOAL.statement())?;
    stage.state(NODE, &target("net", INTERNET, None))?;
    stage.screen.line("");
    let both = [GENERALIST, SPECIALIST];
    trial::run(stage, NODE, &both, "net", GOAL, |_, _, _| Ok(()))?;
    for ways in [ALL, SPECIAL] {
        ways.await_move(stage, GENERALIST, Instant::now())?;
    }
    stage.screen.good(&format!(
        "{GENERALIST} ranks first and gets everything, the library's traffic too"
    ));
    let label = "one rank for everything";
    downloads(stage, sites, [GENERALIST, GENERALIST], label, figures)
}

/// A target inside the library's prefix: for that one, dave is best.
fn two_ranks(stage: &mut Stage, sites: &Sites, figures: &mut Figures) -> Result<f64> {
    stage
        .screen
        .heading("A second target, for the library's prefix only");
    stage.state(NODE, &target("library", LIBRARY, Some(SPECIAL.prefix)))?;
    stage.screen.line("");
    let both = [GENERALIST, SPECIALIST];
    let mut last = Instant::now();
    trial::run(stage, NODE, &both, "library", GOAL, |_, _, ended| {
        last = ended;
        Ok(())
    })?;
    let took = SPECIAL.await_move(stage, SPECIALIST, last)?;
    let took = format!("{} after the end of the second test", spoken(took));
    let via = stage.screen.paint(Style::Bold, SPECIALIST);
    stage
        .screen
        .good(&format!("the library's traffic moved to {via} {took}"));
    figures.add(
        &format!("the library's traffic moved to {SPECIALIST}"),
        &took,
    );
    ALL.expect(stage, GENERALIST)?;
    stage
        .screen
        .good(&format!("all other traffic stays with {GENERALIST}"));

    stage
        .screen
        .heading(&format!("Why {NODE} reaches the library via {SPECIALIST}"));
    stage.show_explanation(NODE, SPECIAL.prefix)?;
    let label = "a rank of its own for the library";
    downloads(stage, sites, [GENERALIST, SPECIALIST], label, figures)
}

/// What downloads from both sites get, through whom they must come; returns the library's.
fn downloads(
    stage: &Stage,
    sites: &Sites,
    [general, special]: [&str; 2],
    label: &str,
    figures: &mut Figures,
) -> Result<f64> {
    stage
        .screen
        .heading(&format!("{NODE}'s own downloads, over TCP: {label}"));
    let internet = ("internet", &sites.internet, general);
    let library = ("library", &sites.library, special);
    let mut last = 0.0;
    for (site, traffic, through) in [internet, library] {
        let got = traffic.measure(stage, NODE, Direction::Download)?;
        let rate = stage.screen.paint(Style::Bold, &spoken_rate(got.bps));
        stage.screen.line(&format!(
            "  from the {site:<9} {rate}, through {}",
            got.through
        ));
        ensure!(
            got.through == through,
            "it came through {}, not through {through}",
            got.through
        );
        let figure = format!("{} through {through}", spoken_rate(got.bps));
        figures.add(&format!("{label}: {site}"), &figure);
        last = got.bps;
    }
    Ok(last)
}

fn target(name: &str, address: Ipv4Addr, prefix: Option<&str>) -> String {
    trial::target_statement(name, &format!("babel://{address}"), prefix)
}
