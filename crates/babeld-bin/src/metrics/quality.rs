//! The families about neighbours' quality and speed tests. Pure.
//!
//! One series a neighbour: what is known for all destinations. What is known for some prefixes
//! only, and of links alone, is for `json quality`.

use super::families::{Families, float};
use super::numbers::Numbers;
use qos_ranker::{Quality, Standing};

pub(super) fn quality(all: &mut Families, numbers: &Numbers) {
    let addresses: Vec<String> = numbers
        .standings
        .iter()
        .map(|one| one.peer.address.to_string())
        .collect();
    let mut each = |name, help, value: &dyn Fn(&Standing) -> Option<f64>| {
        let series = numbers.standings.iter().zip(&addresses);
        let series = series.filter_map(|(standing, address)| {
            let labels = vec![
                ("interface", standing.peer.interface.as_str()),
                ("address", address.as_str()),
            ];
            Some((labels, value(standing)?))
        });
        all.gauges(name, help, series.collect());
    };
    let octets = |rate: Option<qos_ranker::Rate>| rate.map(|rate| float(rate.bps()) / 8.0);
    let of = |pick: fn(&Quality) -> Option<f64>| move |one: &Standing| pick(&one.quality);
    each(
        "babel_neighbour_download_bytes_per_second",
        "Measured through this neighbour: octets a second towards us.",
        &|one| octets(one.quality.download),
    );
    each(
        "babel_neighbour_upload_bytes_per_second",
        "Measured through this neighbour: octets a second from us.",
        &|one| octets(one.quality.upload),
    );
    each(
        "babel_neighbour_quality_latency_seconds",
        "Measured through this neighbour: the round trip to what lies behind it.",
        &of(|quality| quality.latency.map(|latency| latency.as_secs_f64())),
    );
    each(
        "babel_neighbour_loss_ratio",
        "Measured through this neighbour: the share of packets lost.",
        &of(|quality| quality.loss.map(|loss| f64::from(loss.ppm()) / 1e6)),
    );
    each(
        "babel_neighbour_measurement_age_seconds",
        "Time since something was measured through this neighbour.",
        &|one| one.age.map(|age| age.as_secs_f64()),
    );
    each(
        "babel_neighbour_band",
        "How this neighbour stands: 0 proven, 1 unproven, 2 failing.",
        &|one| Some(one.band.number().into()),
    );
    each(
        "babel_neighbour_rank",
        "Steps of a fifth that this neighbour is below the best of its band.",
        &|one| one.rank.map(|rank| rank.number().into()),
    );
}

pub(super) fn tests(all: &mut Families, numbers: &Numbers) {
    let tests = &numbers.tests;
    let by_result = [
        ("run", tests.run),
        ("skipped", tests.skipped),
        ("failed", tests.failed),
    ];
    all.counters(
        "babel_speedtests_total",
        "Speed tests: run with a result, skipped though due, failed.",
        by_result
            .into_iter()
            .map(|(result, value)| (vec![("result", result)], float(value)))
            .collect(),
    );
    all.counter(
        "babel_speedtest_bytes_total",
        "Octets that speed tests spent.",
        tests.bytes,
    );
}
