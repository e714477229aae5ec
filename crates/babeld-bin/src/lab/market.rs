//! The market's story: quality first, price first, and a price that goes too far.

use super::figures::Figures;
use super::network::Network;
use super::scenario::market::INTERNET;
use super::scenario::{interface_to, peer_on};
use super::show::{Style, spoken, spoken_rate};
use super::story::{Seen, Stage, price_of};
use super::traffic::{Direction, Traffic};
use super::trial::{self, Goal};
use super::ways::Ways;
use crate::local::quality::StandingDocument;
use anyhow::{Context, Result, ensure};
use std::time::{Duration, Instant};

const NODE: &str = "bob";
/// Cheap, and too slow.
const SLOW: &str = "anna";
/// Good enough, and cheaper than the best.
const FAIR: &str = "ben";
/// The best, and the dearest.
const BEST: &str = "cleo";
const WAYS: Ways = Ways {
    node: NODE,
    prefix: "0.0.0.0/0",
};
/// What bob needs.
const GOAL: Goal = Goal {
    download: 5_000_000,
};
const TARGET: &str = "net";
/// More than bob pays.
const GREEDY: u32 = 300;
/// A better rank or price must stand for this long before traffic moves, at these update intervals.
const HOLD: Duration = Duration::from_secs(30);
/// The hold, jittered timers, and a slow machine.
const HOLD_LIMIT: Duration = Duration::from_secs(75);

/// Tells the story; an error says what did not happen.
pub(super) fn tell(stage: &mut Stage) -> Result<()> {
    stage.need_prices()?;
    let mut figures = Figures::default();
    let traffic = Traffic::listen(&stage.network, INTERNET)?;
    first_seller(stage)?;
    others_join(stage)?;
    download(stage, &traffic, "prefer quality", BEST, &mut figures)?;
    price_first(stage, &mut figures)?;
    download(stage, &traffic, "prefer price", FAIR, &mut figures)?;
    price_too_high(stage, &mut figures)?;
    download(stage, &traffic, "ben too dear", BEST, &mut figures)?;
    figures.show(&stage.screen);
    Ok(())
}

/// One seller at first, measured.
fn first_seller(stage: &mut Stage) -> Result<()> {
    stage
        .screen
        .heading(&format!("{NODE} and {BEST} start, and {BEST} is measured"));
    stage.start_nodes(false)?;
    WAYS.await_all(stage, 1, Some(BEST))?;
    let url = format!("babel://{INTERNET}");
    stage.state(NODE, &GOAL.statement())?;
    stage.state(NODE, &trial::target_statement(TARGET, &url, None))?;
    stage.screen.line("");
    trial::run(stage, NODE, &[BEST], TARGET, GOAL, |_, _, _| Ok(()))
}

/// The others are cheaper, which is not enough, and are measured.
fn others_join(stage: &mut Stage) -> Result<()> {
    stage.screen.heading(&format!(
        "{SLOW} and {FAIR} join; `prefer quality` is the default"
    ));
    stage.start_nodes(true)?;
    WAYS.await_all(stage, 3, Some(BEST))?;
    stage
        .screen
        .good("both are cheaper, and get nothing as long as they are not measured");
    let others = [FAIR, SLOW];
    trial::run(stage, NODE, &others, TARGET, GOAL, |_, _, _| Ok(()))?;
    WAYS.expect(stage, BEST)?;
    stage.screen.line("");
    show_market(stage)?;
    let via = stage.screen.paint(Style::Bold, BEST);
    stage.screen.good(&format!(
        "{via} is best, and dearest, and keeps the traffic"
    ));
    Ok(())
}

/// The cheapest of those who meet the goal, once that has stood for a while.
fn price_first(stage: &mut Stage, figures: &mut Figures) -> Result<()> {
    stage.screen.heading("`prefer price`");
    stage.screen.block(&format!(
        "{SLOW} is the cheapest and does not meet the goal; {FAIR} is the cheapest that does. Traffic\n\
         moves when that has stood for {} s, so that what flickers moves nothing.",
        HOLD.as_secs()
    ));
    stage.state(NODE, "prefer price")?;
    let said = Instant::now();
    let took = stage.wait("holding", HOLD_LIMIT, |network| {
        network.check()?;
        Ok(match WAYS.used(network)?.as_deref() {
            Some(FAIR) => Seen::There(said.elapsed()),
            via => Seen::NotYet(still_held(via, said)),
        })
    })?;
    ensure!(took > HOLD / 2, "it moved after {} already", spoken(took));
    let took = spoken(took);
    let via = stage.screen.paint(Style::Bold, FAIR);
    stage
        .screen
        .good(&format!("traffic moved to {via} after {took}"));
    show_market(stage)?;
    figures.add("`prefer price` to traffic on the cheaper way", &took);
    Ok(())
}

fn still_held(via: Option<&str>, since: Instant) -> String {
    let left = HOLD.saturating_sub(since.elapsed()).as_secs();
    let left = if left > 0 {
        format!("about {left} s to go")
    } else {
        "any moment".into()
    };
    format!("traffic goes via {}; {left}", via.unwrap_or("nobody"))
}

/// The seller in use asks more than bob pays: that is no matter of better or worse.
fn price_too_high(stage: &mut Stage, figures: &mut Figures) -> Result<()> {
    stage.screen.heading(&format!(
        "{FAIR} raises the price to {GREEDY}, above {NODE}'s limit"
    ));
    let raised = Instant::now();
    stage.state(FAIR, &format!("price {GREEDY}"))?;
    let took = spoken(WAYS.await_move(stage, BEST, raised)?);
    let via = stage.screen.paint(Style::Bold, BEST);
    stage.screen.good(&format!(
        "traffic moved to {via} after {took}, without a hold"
    ));
    show_market(stage)?;
    figures.add("price above the limit to traffic elsewhere", &took);
    Ok(())
}

/// What a download gets, which must come through the right seller.
fn download(
    stage: &Stage,
    traffic: &Traffic,
    when: &str,
    through: &str,
    figures: &mut Figures,
) -> Result<()> {
    let got = traffic.measure(stage, NODE, Direction::Download)?;
    let rate = spoken_rate(got.bps);
    stage.screen.line(&format!(
        "  {NODE}'s download: {}, through {}",
        stage.screen.paint(Style::Bold, &rate),
        got.through
    ));
    ensure!(got.through == through, "it did not come through {through}");
    let figure = format!("{rate} through {through}");
    figures.add(&format!("{NODE}'s download, {when}"), &figure);
    Ok(())
}

/// Who asks what, who delivers what, and who is chosen.
fn show_market(stage: &Stage) -> Result<()> {
    let titles = ["seller", "price", "measured down", "band", ""];
    let mut rows = vec![titles.map(str::to_owned).to_vec()];
    let standings = standings(&stage.network)?;
    for route in WAYS.known(&stage.network)? {
        let seller = peer_on(&route.interface);
        let interface = interface_to(seller);
        let standing = standings.iter().find(|one| one.interface == interface);
        let download = standing.and_then(|one| one.quality.download_bits_per_second);
        rows.push(vec![
            seller.to_owned(),
            price_of(&route),
            download.map_or_else(|| "-".into(), |bps| spoken_rate(bps as f64)),
            standing.map_or_else(|| "-".into(), |one| one.band.clone()),
            if route.installed { "in use" } else { "" }.to_owned(),
        ]);
    }
    stage.screen.table(&rows);
    Ok(())
}

fn standings(network: &Network) -> Result<Vec<StandingDocument>> {
    let lines = network.client(NODE)?.ask("json quality")?;
    let read = |line: &String| {
        serde_json::from_str(line).with_context(|| format!("not understood: {line}"))
    };
    lines.iter().map(read).collect()
}
