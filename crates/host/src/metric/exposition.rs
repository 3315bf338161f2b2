//! The text that Prometheus reads, gathered from collectors when it is asked for.

use super::{Histogram, Kind, Metric};
use crate::clock::Monotonic;
use parking_lot::RwLock;
use std::collections::BTreeMap;
use std::fmt::Write;

/// The content type of `Registry::text` in HTTP.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Quantiles of a summary, as Kafka's exporters name them.
const QUANTILES: [(&str, f64); 6] =
    [("0.50", 0.50), ("0.75", 0.75), ("0.95", 0.95), ("0.98", 0.98), ("0.99", 0.99), ("0.999", 0.999)];

/// Knows the values of some metrics at the moment it is asked.
pub trait Collect: Send + Sync {
    /// Puts every series that exists now.
    fn collect(&self, scrape: &mut Scrape<'_>);
}

impl<F: Fn(&mut Scrape<'_>) + Send + Sync> Collect for F {
    fn collect(&self, scrape: &mut Scrape<'_>) {
        self(scrape);
    }
}

/// All collectors of a node. Series exist only while they are written out: an idle partition holds none.
#[derive(Default)]
pub struct Registry {
    /// Lock order: before whatever collectors read.
    collectors: RwLock<Vec<Box<dyn Collect>>>,
}

impl Registry {
    /// A registry without collectors.
    #[must_use]
    pub fn new() -> Registry {
        Registry::default()
    }

    /// Asks `collector` at every scrape from here on.
    pub fn register(&self, collector: Box<dyn Collect>) {
        self.collectors.write().push(collector);
    }

    /// All series in Prometheus' text format, sorted by name.
    #[must_use]
    pub fn text(&self, now: Monotonic) -> String {
        let mut scrape = Scrape { now, families: BTreeMap::new() };
        for collector in self.collectors.read().iter() {
            collector.collect(&mut scrape);
        }
        scrape.finish()
    }
}

/// The series of one moment.
pub struct Scrape<'a> {
    now: Monotonic,
    families: BTreeMap<&'a str, Family>,
}

struct Family {
    metric: Metric,
    series: String,
    counts: String,
}

impl Scrape<'_> {
    /// The value of one series. Values of labels are in the order of their declaration; leaving the last ones out is a
    /// series of its own, as Kafka's sums over all topics are.
    pub fn put(&mut self, metric: &Metric, labels: &[&str], value: f64) {
        let family = self.family(metric);
        write_series(&mut family.series, metric.name, &labelled(metric, labels), value);
    }

    /// A series of a summary: its quantiles, divided by `scale` (1000 for microseconds shown as milliseconds), and count.
    pub fn put_summary(&mut self, metric: &Metric, labels: &[&str], values: &Histogram, scale: f64) {
        let quantiles = values.quantiles(self.now, QUANTILES.map(|(_, share)| share));
        let family = self.family(metric);
        let mut all = labelled(metric, labels);
        write_series(&mut family.counts, &format!("{}_count", metric.name), &all, values.count() as f64);
        for ((name, _), value) in QUANTILES.iter().zip(quantiles) {
            all.push(("quantile", name));
            write_series(&mut family.series, metric.name, &all, value / scale);
            all.pop();
        }
    }

    fn family(&mut self, metric: &Metric) -> &mut Family {
        let empty = || Family { metric: *metric, series: String::new(), counts: String::new() };
        let family = self.families.entry(metric.name).or_insert_with(empty);
        debug_assert_eq!(family.metric, *metric, "a metric is declared once");
        family
    }

    fn finish(self) -> String {
        let mut text = String::new();
        for (name, family) in self.families {
            let kind = if family.metric.kind == Kind::Counter { "counter" } else { "gauge" };
            write_family(&mut text, name, kind, family.metric.doc, &family.series);
            if family.metric.kind == Kind::Summary {
                write_family(&mut text, &format!("{name}_count"), "counter", family.metric.doc, &family.counts);
            }
        }
        text
    }
}

fn labelled<'l>(metric: &Metric, values: &[&'l str]) -> Vec<(&'l str, &'l str)> {
    debug_assert!(values.len() <= metric.labels.len(), "{} has no label for each of {values:?}", metric.name);
    let mut labels = Vec::with_capacity(values.len() + 1);
    labels.extend(metric.labels.iter().copied().zip(values.iter().copied()));
    labels
}

fn write_family(text: &mut String, name: &str, kind: &str, doc: &str, series: &str) {
    let doc = doc.replace('\\', "\\\\").replace('\n', "\\n");
    text.push_str(&format!("# HELP {name} {doc}\n# TYPE {name} {kind}\n{series}"));
}

fn write_series(series: &mut String, name: &str, labels: &[(&str, &str)], value: f64) {
    series.push_str(name);
    let mut opening = '{';
    for (label, value) in labels {
        series.push(opening);
        series.push_str(label);
        series.push_str("=\"");
        push_escaped(series, value);
        series.push('"');
        opening = ',';
    }
    if !labels.is_empty() {
        series.push('}');
    }
    writeln!(series, " {value}").expect("a string takes all that is written to it");
}

fn push_escaped(series: &mut String, value: &str) {
    for character in value.chars() {
        match character {
            '\\' => series.push_str("\\\\"),
            '"' => series.push_str("\\\""),
            '\n' => series.push_str("\\n"),
            other => series.push(other),
        }
    }
}
