//! How a metric is declared once, counted without locks, and written out when it is asked for.
//!
//! ```
//! use ottla_host::metric::{Counter, Metric, Registry, Scrape, Unit};
//! use ottla_host::Monotonic;
//! use std::sync::Arc;
//!
//! const MESSAGES_IN: Metric = Metric::counter(
//!     "kafka_server_brokertopicmetrics_messagesin_total",
//!     Unit::Records,
//!     "Records that producers have appended",
//! )
//! .with_labels(&["topic"]);
//!
//! let messages_in = Arc::new(Counter::new());
//! let registry = Registry::new();
//! let counted = Arc::clone(&messages_in);
//! registry.register(Box::new(move |scrape: &mut Scrape<'_>| {
//!     scrape.put(&MESSAGES_IN, &["orders"], counted.get() as f64);
//! }));
//! messages_in.add(3);
//! assert!(registry.text(Monotonic(0)).contains("messagesin_total{topic=\"orders\"} 3\n"));
//! ```

mod counter;
mod exposition;
mod histogram;

#[cfg(test)]
mod tests;

pub use counter::{Counter, SharedCounter};
pub use exposition::{CONTENT_TYPE, Collect, Registry, Scrape};
pub use histogram::Histogram;

/// What a metric does over time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Only grows, until the process ends. Its name ends in `_total`.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Quantiles of the last minutes, and a count under the name with `_count`.
    Summary,
}

/// What one of a metric is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unit {
    /// Things of which the name says what they are.
    Count,
    /// Records.
    Records,
    /// Requests.
    Requests,
    /// Bytes.
    Bytes,
    /// Offsets of a log.
    Offsets,
    /// Milliseconds.
    Millis,
    /// Seconds.
    Seconds,
    /// A share from 0 to 1.
    Ratio,
    /// 0 or 1, or an enumeration that the doc explains.
    State,
}

/// A metric as it is declared: once, as a constant of the crate that measures it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Metric {
    /// Name as the JMX exporter of Kafka spells it.
    pub name: &'static str,
    /// What it does over time.
    pub kind: Kind,
    /// What one of it is.
    pub unit: Unit,
    /// One sentence without a dot.
    pub doc: &'static str,
    /// Names of its labels, in the order in which values are given.
    pub labels: &'static [&'static str],
}

impl Metric {
    /// A metric that only grows; `name` ends in `_total`.
    #[must_use]
    pub const fn counter(name: &'static str, unit: Unit, doc: &'static str) -> Metric {
        Metric { name, kind: Kind::Counter, unit, doc, labels: &[] }
    }

    /// A metric that goes up and down.
    #[must_use]
    pub const fn gauge(name: &'static str, unit: Unit, doc: &'static str) -> Metric {
        Metric { name, kind: Kind::Gauge, unit, doc, labels: &[] }
    }

    /// Quantiles of a measured value.
    #[must_use]
    pub const fn summary(name: &'static str, unit: Unit, doc: &'static str) -> Metric {
        Metric { name, kind: Kind::Summary, unit, doc, labels: &[] }
    }

    /// With these labels.
    #[must_use]
    pub const fn with_labels(self, labels: &'static [&'static str]) -> Metric {
        Metric { labels, ..self }
    }
}
