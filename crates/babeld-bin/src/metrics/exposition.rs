//! The families: names, help texts and labels, in Prometheus's text format. Pure.
//!
//! Prefix `babel_`, base units, `_total` on counters only; label sets are closed but for
//! interfaces and neighbours, which are bounded.

use super::families::{Families, count, flag, float, labelled};
use super::numbers::{MAX_NEIGHBOURS, Numbers};
use super::quality;
use babel_core::auth::AuthFailure;
use babel_core::policy::ChangeReason;
use babel_core::view::NeighbourView;
use babel_core::wire::{Ignored, TlvKind};
use prometheus::TextEncoder;
use prometheus::proto::MetricFamily;

/// The text of a scrape.
pub fn text(numbers: &Numbers) -> prometheus::Result<String> {
    TextEncoder::new().encode_to_string(&families(numbers))
}

/// All families, in the order they are shown.
pub fn families(numbers: &Numbers) -> Vec<MetricFamily> {
    let mut all = Families::default();
    node(&mut all, numbers);
    interfaces(&mut all, numbers);
    neighbours(&mut all, numbers);
    quality::quality(&mut all, numbers);
    routes(&mut all, numbers);
    quality::tests(&mut all, numbers);
    packets(&mut all, numbers);
    engine(&mut all, numbers);
    kernel(&mut all, numbers);
    control(&mut all, numbers);
    all.finish()
}

fn node(all: &mut Families, numbers: &Numbers) {
    let identity = &numbers.identity;
    let my_id = identity.router_id.to_string();
    all.gauges(
        "babel_info",
        "This node: always 1.",
        vec![(
            vec![
                ("version", identity.version.as_str()),
                ("my_id", &my_id),
                ("host", &identity.host),
            ],
            1.0,
        )],
    );
    all.gauges(
        "babel_build_info",
        "This program: always 1.",
        vec![(vec![("version", env!("CARGO_PKG_VERSION"))], 1.0)],
    );
    all.gauge(
        "process_start_time_seconds",
        "When this process began, in seconds since 1970.",
        numbers.started_seconds,
    );
}

fn interfaces(all: &mut Families, numbers: &Numbers) {
    all.gauges(
        "babel_interface_up",
        "Whether Babel runs on this interface.",
        numbers
            .interfaces
            .iter()
            .map(|one| (vec![("interface", one.name.as_str())], flag(one.up)))
            .collect(),
    );
}

fn neighbours(all: &mut Families, numbers: &Numbers) {
    let addresses: Vec<String> = numbers
        .neighbours
        .iter()
        .map(|(_, view)| view.address.to_string())
        .collect();
    let mut each = |name, help, value: &dyn Fn(&NeighbourView) -> Option<f64>| {
        let series = numbers.neighbours.iter().zip(&addresses);
        let series = series.filter_map(|((interface, view), address)| {
            let labels = vec![
                ("interface", interface.as_str()),
                ("address", address.as_str()),
            ];
            Some((labels, value(view)?))
        });
        all.gauges(name, help, series.collect());
    };
    each(
        "babel_neighbour_rxcost",
        "Cost of receiving from this neighbour, as we tell it; 65535 is infinite.",
        &|view| Some(view.rxcost.0.into()),
    );
    each(
        "babel_neighbour_txcost",
        "Cost of sending to this neighbour, as it tells us; 65535 is infinite.",
        &|view| Some(view.txcost.0.into()),
    );
    each(
        "babel_neighbour_cost",
        "Cost of the link to this neighbour; 65535 is infinite.",
        &|view| Some(view.cost.0.into()),
    );
    each(
        "babel_neighbour_hello_reach_ratio",
        "Share of the last 16 multicast Hellos of this neighbour that arrived.",
        &|view| Some(f64::from(view.reach.count_ones()) / 16.0),
    );
    each(
        "babel_neighbour_unicast_hello_reach_ratio",
        "Share of the last 16 unicast Hellos of this neighbour that arrived.",
        &|view| Some(f64::from(view.ureach.count_ones()) / 16.0),
    );
    each(
        "babel_neighbour_hello_age_seconds",
        "Time since the last Hello of this neighbour.",
        &|view| view.hello_age.map(|age| age.as_secs_f64()),
    );
    each(
        "babel_neighbour_ihu_age_seconds",
        "Time since this neighbour last said that it hears us.",
        &|view| view.ihu_age.map(|age| age.as_secs_f64()),
    );
    each(
        "babel_neighbour_rtt_seconds",
        "Smoothed round-trip time to this neighbour, where timestamps are enabled.",
        &|view| view.rtt.map(|rtt| rtt.as_secs_f64()),
    );
    each(
        "babel_neighbour_rttcost",
        "What the round-trip time adds to the cost of the link to this neighbour.",
        &|view| view.rtt.map(|_| view.rttcost.0.into()),
    );
    each(
        "babel_neighbour_routes",
        "Routes that this neighbour announced and we hold.",
        &|view| Some(count(view.routes)),
    );
    all.gauge(
        "babel_neighbours",
        "Neighbours.",
        count(numbers.neighbour_count),
    );
    all.gauge(
        "babel_neighbour_series_dropped",
        "Neighbours left out of the families above because there are too many.",
        count(numbers.neighbour_count.saturating_sub(MAX_NEIGHBOURS)),
    );
}

fn routes(all: &mut Families, numbers: &Numbers) {
    let routes = &numbers.routes;
    all.gauges(
        "babel_routes",
        "Learned routes by state: selected ones are in use, feasible ones could be.",
        vec![
            (vec![("state", "selected")], count(routes.selected)),
            (vec![("state", "feasible")], count(routes.feasible)),
            (vec![("state", "unfeasible")], count(routes.unfeasible)),
            (vec![("state", "retracted")], count(routes.retracted)),
        ],
    );
    all.gauge(
        "babel_routes_overridden",
        "Prefixes whose selected neighbour is not the eligible one of the best total metric.",
        count(routes.overridden),
    );
    all.gauge(
        "babel_xroutes",
        "Routes of our own that we announce.",
        count(numbers.xroutes),
    );
    all.counters(
        "babel_route_changes_total",
        "Changes of the selected route of a prefix, by reason.",
        labelled(
            "reason",
            ChangeReason::ALL.iter().map(|reason| reason.label()),
            &numbers.counters.route_changes,
        ),
    );
}

fn packets(all: &mut Families, numbers: &Numbers) {
    let counters = &numbers.counters;
    all.counter(
        "babel_packets_received_total",
        "Packets taken in.",
        counters.packets_received,
    );
    all.counter(
        "babel_packets_dropped_total",
        "Packets dropped whole: bad header, source not link-local, unknown link.",
        counters.packets_dropped,
    );
    all.counter(
        "babel_packets_sent_total",
        "Packets made.",
        counters.packets_sent,
    );
    all.counters(
        "babel_packets_unauthentic_total",
        "Packets dropped for want of authenticity, by what was wrong with them.",
        labelled(
            "reason",
            AuthFailure::ALL.iter().map(|failure| failure.label()),
            &counters.auth_dropped,
        ),
    );
    all.counter(
        "babel_packets_tolerated_total",
        "Packets accepted by accept-bad-signatures though they were not authentic.",
        counters.auth_tolerated,
    );
    let by_direction = [
        ("challenge", counters.challenges_sent),
        ("reply", counters.challenge_replies_sent),
    ];
    all.counters(
        "babel_challenges_sent_total",
        "Challenges to neighbours whose packet counters were unknown, and replies to theirs.",
        by_direction
            .into_iter()
            .map(|(kind, value)| (vec![("kind", kind)], float(value)))
            .collect(),
    );
    let kinds = || TlvKind::ALL.iter().map(|kind| kind.label());
    all.counters(
        "babel_tlvs_received_total",
        "TLVs received, by kind.",
        labelled("kind", kinds(), &counters.tlvs_received),
    );
    all.counters(
        "babel_tlvs_sent_total",
        "TLVs sent, by kind.",
        labelled("kind", kinds(), &counters.tlvs_sent),
    );
    all.counters(
        "babel_tlvs_ignored_total",
        "TLVs received and ignored, by reason.",
        labelled(
            "reason",
            Ignored::LABELS.into_iter(),
            &counters.tlvs_ignored,
        ),
    );
}

fn engine(all: &mut Families, numbers: &Numbers) {
    let counters = &numbers.counters;
    let by_outcome = [
        ("originated", counters.seqno_requests_originated),
        ("forwarded", counters.seqno_requests_forwarded),
        ("answered", counters.seqno_requests_answered),
        ("suppressed", counters.seqno_requests_suppressed),
    ];
    all.counters(
        "babel_seqno_requests_total",
        "Seqno requests: begun here, passed on, answered, or not passed on because one just like \
         it was.",
        by_outcome
            .into_iter()
            .map(|(outcome, value)| (vec![("outcome", outcome)], float(value)))
            .collect(),
    );
    all.counter(
        "babel_updates_unfeasible_total",
        "Updates refused as unfeasible.",
        counters.updates_unfeasible,
    );
    all.counter(
        "babel_limited_total",
        "What the limits on neighbours, routes, prefixes, sources and requests refused.",
        counters.limited,
    );
    all.summary(
        "babel_timer_lateness_seconds",
        "How late the engine's timers fired.",
        counters.timers_fired,
        float(counters.timer_lateness_us_sum) / 1e6,
    );
    all.gauge(
        "babel_timer_lateness_max_seconds",
        "How late the engine's latest timer since start fired.",
        float(counters.timer_lateness_us_max) / 1e6,
    );
}

fn kernel(all: &mut Families, numbers: &Numbers) {
    let kernel = &numbers.kernel;
    let by_operation = [
        ("write", kernel.routes_written),
        ("delete", kernel.routes_deleted),
    ];
    all.counters(
        "babel_netlink_operations_total",
        "Routes written to and deleted from the kernel.",
        by_operation
            .into_iter()
            .map(|(operation, value)| (vec![("operation", operation)], float(value)))
            .collect(),
    );
    all.counter(
        "babel_netlink_errors_total",
        "Operations that the kernel refused.",
        kernel.errors,
    );
    all.counter(
        "babel_netlink_repairs_total",
        "Routes of ours that vanished from the kernel and were put back.",
        kernel.repaired,
    );
    all.counter(
        "babel_netlink_overruns_total",
        "Times the kernel's notifications overran and everything was read again.",
        kernel.overruns,
    );
}

fn control(all: &mut Families, numbers: &Numbers) {
    let local = &numbers.local;
    all.gauge(
        "babel_control_clients",
        "Clients of the control socket.",
        count(numbers.local_clients),
    );
    all.counter(
        "babel_control_connections_total",
        "Clients of the control socket that were served.",
        local.accepted,
    );
    let by_reason = [
        ("too_many", local.turned_away),
        ("slow", local.cut_slow),
        ("long_line", local.cut_long_line),
    ];
    all.counters(
        "babel_control_connections_cut_total",
        "Clients of the control socket that were turned away or cut.",
        by_reason
            .into_iter()
            .map(|(reason, value)| (vec![("reason", reason)], float(value)))
            .collect(),
    );
    all.counter(
        "babel_control_accept_errors_total",
        "Failures to accept a client of the control socket.",
        local.accept_errors,
    );
    all.counter(
        "babel_control_requests_total",
        "Requests over the control socket that the node answered.",
        local.requests,
    );
}

#[cfg(test)]
mod tests;
