//! Builds metric families out of names, labels and plain numbers.
//!
//! The `prometheus` crate's own metric objects count in place and panic when labels do not match;
//! here every family is made anew at a scrape, from numbers that are counted elsewhere.

use prometheus::proto::{Counter, Gauge, LabelPair, Metric, MetricFamily, MetricType, Summary};

/// One series: its labels and its value.
pub(super) type Series<'a> = (Vec<(&'a str, &'a str)>, f64);

/// Families in the making.
#[derive(Default)]
pub(super) struct Families(Vec<MetricFamily>);

impl Families {
    pub(super) fn gauge(&mut self, name: &str, help: &str, value: f64) {
        self.gauges(name, help, vec![(Vec::new(), value)]);
    }

    pub(super) fn gauges(&mut self, name: &str, help: &str, series: Vec<Series<'_>>) {
        let metrics = series.into_iter().map(|(labels, value)| {
            let mut gauge = Gauge::default();
            gauge.set_value(value);
            let mut metric = metric(&labels);
            metric.set_gauge(gauge);
            metric
        });
        self.push(name, help, MetricType::GAUGE, metrics.collect());
    }

    pub(super) fn counter(&mut self, name: &str, help: &str, value: u64) {
        self.counters(name, help, vec![(Vec::new(), float(value))]);
    }

    pub(super) fn counters(&mut self, name: &str, help: &str, series: Vec<Series<'_>>) {
        let metrics = series.into_iter().map(|(labels, value)| {
            let mut counter = Counter::default();
            counter.set_value(value);
            let mut metric = metric(&labels);
            metric.set_counter(counter);
            metric
        });
        self.push(name, help, MetricType::COUNTER, metrics.collect());
    }

    pub(super) fn summary(&mut self, name: &str, help: &str, count: u64, sum: f64) {
        let mut summary = Summary::default();
        summary.set_sample_count(count);
        summary.set_sample_sum(sum);
        let mut metric = metric(&[]);
        metric.set_summary(summary);
        self.push(name, help, MetricType::SUMMARY, vec![metric]);
    }

    /// What was made.
    pub(super) fn finish(self) -> Vec<MetricFamily> {
        self.0
    }

    /// A family without series is left out: the encoder refuses it.
    fn push(&mut self, name: &str, help: &str, kind: MetricType, metrics: Vec<Metric>) {
        if metrics.is_empty() {
            return;
        }
        let mut family = MetricFamily::default();
        family.set_name(name.into());
        family.set_help(help.into());
        family.set_field_type(kind);
        family.set_metric(metrics);
        self.0.push(family);
    }
}

fn metric(labels: &[(&str, &str)]) -> Metric {
    let pairs = labels.iter().map(|(name, value)| {
        let mut pair = LabelPair::default();
        pair.set_name((*name).into());
        pair.set_value((*value).into());
        pair
    });
    Metric::from_label(pairs.collect())
}

pub(super) fn labelled<'a>(
    label: &'a str,
    values: impl Iterator<Item = &'static str>,
    numbers: &[u64],
) -> Vec<Series<'a>> {
    values
        .zip(numbers)
        .map(|(value, number)| (vec![(label, value)], float(*number)))
        .collect()
}

/// Prometheus knows no other numbers; above 2^53 the last digits go.
pub(super) const fn float(number: u64) -> f64 {
    number as f64
}

pub(super) const fn count(number: usize) -> f64 {
    number as f64
}

pub(super) const fn flag(on: bool) -> f64 {
    if on { 1.0 } else { 0.0 }
}
