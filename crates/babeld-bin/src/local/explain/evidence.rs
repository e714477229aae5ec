//! What was measured of a candidate's neighbour, and how two candidates compare by it. Pure.

use super::LinkNames;
use crate::figures::{age, milliseconds, percent, rate};
use crate::local::standing::ranks;
use babel_core::view::CandidateView;
use babel_price_tlv::RoutePrice;
use qos_ranker::{RankStep, Standing};

/// What sentences are made of, besides the candidates.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ground<'a> {
    pub(super) names: &'a LinkNames,
    pub(super) standings: &'a [Standing],
}

impl Ground<'_> {
    /// `ADDRESS%INTERFACE`
    pub(super) fn who(&self, candidate: &CandidateView<RoutePrice>) -> String {
        let route = &candidate.route;
        format!("{}%{}", route.via, self.names.get(route.link))
    }

    /// The measurement that counts for a candidate: the most specific one that is fresh.
    pub(super) fn standing(&self, candidate: &CandidateView<RoutePrice>) -> Option<&Standing> {
        let route = &candidate.route;
        let interface = self.names.get(route.link);
        let counts = |one: &&Standing| {
            let peer = &one.peer;
            let covers = |scope: babel_core::prefix::Prefix| scope.covers(route.key.dst());
            peer.address == route.via
                && peer.interface == interface
                && ranks(one)
                && one.scope.is_none_or(covers)
        };
        let length = |one: &&Standing| one.scope.map(|scope| scope.plen());
        let all = self.standings.iter().filter(counts);
        all.max_by_key(|one| (!one.quality.is_empty(), length(one)))
    }

    /// Why the selected candidate is before the best of the rest by its band or rank; `None` if
    /// another step decided.
    pub(super) fn wins(
        &self,
        step: &str,
        winner: &CandidateView<RoutePrice>,
        second: &CandidateView<RoutePrice>,
    ) -> Option<String> {
        let (mine, theirs) = (self.found(winner), self.found(second));
        let other = self.who(second);
        match step {
            "band" => Some(format!(
                "in use: it is {} ({mine}); {other} is {} ({theirs})",
                band(winner),
                band(second)
            )),
            "rank" => Some(format!(
                "in use: it ranks higher ({mine}); {other} is {} ({theirs})",
                below(order(second, step), order(winner, step))
            )),
            _ => None,
        }
    }

    /// Why a candidate is behind the selected one by its band or rank; `None` if another step
    /// decided.
    pub(super) fn loses(
        &self,
        step: &str,
        loser: &CandidateView<RoutePrice>,
        winner: &CandidateView<RoutePrice>,
    ) -> Option<String> {
        let (mine, theirs) = (self.found(loser), self.found(winner));
        let other = self.who(winner);
        match step {
            "band" => Some(format!(
                "loses as it is {} ({mine}); {other} is {} ({theirs})",
                band(loser),
                band(winner)
            )),
            "rank" if is_last(order(loser, step)) => Some(format!(
                "loses in rank: below all that was measured ({mine}); {other} is not ({theirs})"
            )),
            "rank" => Some(format!(
                "loses in rank: {} {other} ({theirs}), with {mine}",
                below(order(loser, step), order(winner, step))
            )),
            _ => None,
        }
    }

    /// What was measured, by what, and when.
    fn found(&self, candidate: &CandidateView<RoutePrice>) -> String {
        self.standing(candidate)
            .map_or_else(|| "not measured".into(), words)
    }
}

/// `48 Mbit/s down, 20.4 ms by target paris, 180 s ago`
pub(super) fn words(standing: &Standing) -> String {
    let quality = &standing.quality;
    let parts = [
        quality
            .download
            .map(|it| format!("{} down", rate(it.bps()))),
        quality.upload.map(|it| format!("{} up", rate(it.bps()))),
        quality
            .latency
            .map(|it| milliseconds(it.as_secs_f64() * 1000.0)),
        quality
            .loss
            .map(|it| format!("{} lost", percent(f64::from(it.ppm()) / 10_000.0))),
    ];
    let mut text = parts.into_iter().flatten().collect::<Vec<_>>().join(", ");
    if text.is_empty() {
        return standing
            .note
            .clone()
            .unwrap_or_else(|| "not measured".into());
    }
    if let Some(scope) = standing.scope {
        text.push_str(&format!(" for {scope}"));
    }
    if let Some(source) = &standing.source {
        text.push_str(&match source {
            qos_ranker::Source::Outside => " by an outside tool".into(),
            source => format!(" by {source}"),
        });
    }
    if let Some(since) = standing.age {
        text.push_str(&format!(", {} ago", age(since.as_secs_f64())));
    }
    text
}

/// The band's word.
fn band(candidate: &CandidateView<RoutePrice>) -> &str {
    let mut steps = candidate.steps.iter();
    let value = steps
        .find(|step| step.name == "band")
        .map(|step| &step.value);
    value.map_or("?", |value| value.split(':').next().unwrap_or(value))
}

fn order(candidate: &CandidateView<RoutePrice>, step: &str) -> u64 {
    let mut steps = candidate.steps.iter();
    steps
        .find(|one| one.name == step)
        .map_or(0, |one| one.order)
}

fn is_last(order: u64) -> bool {
    order == u64::from(RankStep::LAST.number())
}

/// How far one rank is below another.
fn below(worse: u64, better: u64) -> String {
    match worse.saturating_sub(better) {
        _ if is_last(worse) => "below all that was measured".into(),
        1 => "1 step of 20 % below".into(),
        n => format!("{n} steps of 20 % below"),
    }
}

#[cfg(test)]
mod tests;
