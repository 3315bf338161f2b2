//! Counting is exact, quantiles are near, and the text is what Prometheus reads.

use super::{Histogram, Metric, Registry, Scrape, SharedCounter, Unit};
use crate::clock::Monotonic;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

const BYTES_IN: Metric = Metric::counter("bytesin_total", Unit::Bytes, "Bytes from clients").with_labels(&["topic"]);
const TIME: Metric = Metric::summary("totaltimems", Unit::Millis, "Whole request").with_labels(&["request"]);

#[test]
fn threads_count_together() {
    let counter = Arc::new(SharedCounter::new());
    let count = |_| {
        let counter = Arc::clone(&counter);
        thread::spawn(move || (0..1000).for_each(|_| counter.add(2)))
    };
    let threads: Vec<_> = (0..4).map(count).collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!(counter.get(), 8000);
}

#[test]
fn quantiles_are_right_to_three_percent() {
    let histogram = Histogram::new();
    (1..=100_000).for_each(|value| histogram.record(value));
    let found = histogram.quantiles(Monotonic(0), [0.5, 0.99, 1.0]);
    for (found, expected) in found.iter().zip([50_000.0, 99_000.0, 100_000.0]) {
        assert!((found / expected - 1.0).abs() < 0.035, "{found} is not about {expected}");
    }
    histogram.record(u64::MAX);
    assert_eq!(histogram.count(), 100_001);
}

#[test]
fn small_values_are_exact_and_buckets_follow_each_other() {
    for value in 0..16 {
        let histogram = Histogram::new();
        histogram.record(value);
        assert_eq!(histogram.quantiles(Monotonic(0), [0.5]), [value as f64]);
    }
    for value in [16, 31, 32, 33, 1000, 65_535, 65_536, 1 << 30] {
        let histogram = Histogram::new();
        histogram.record(value);
        let [found] = histogram.quantiles(Monotonic(0), [0.5]);
        assert!((found / value as f64 - 1.0).abs() <= 1.0 / 32.0, "{found} for {value}");
    }
}

#[test]
fn quantiles_forget_what_is_older_than_two_windows() {
    let histogram = Histogram::new();
    let at = |minutes: u64| Monotonic(0) + Duration::from_secs(minutes * 60);
    histogram.record(1000);
    for minute in 0..3 {
        histogram.quantiles(at(minute), [0.5]);
    }
    histogram.record(5);
    assert_eq!(histogram.quantiles(at(3), [0.5, 1.0]), [5.0, 5.0]);
    assert_eq!(histogram.count(), 2);
}

#[test]
fn series_of_one_metric_stand_together_with_their_labels_escaped() {
    let registry = Registry::new();
    registry.register(Box::new(|scrape: &mut Scrape<'_>| {
        scrape.put(&BYTES_IN, &["a\"b\\c\nd"], 1.5);
        scrape.put(&TIME_COUNT_ONLY, &[], f64::NAN);
    }));
    registry.register(Box::new(|scrape: &mut Scrape<'_>| scrape.put(&BYTES_IN, &[], 7.0)));
    let expected = "# HELP bytesin_total Bytes from clients\n# TYPE bytesin_total counter\n\
        bytesin_total{topic=\"a\\\"b\\\\c\\nd\"} 1.5\nbytesin_total 7\n\
        # HELP gauge Any\n# TYPE gauge gauge\ngauge NaN\n";
    assert_eq!(registry.text(Monotonic(0)), expected);
}

const TIME_COUNT_ONLY: Metric = Metric::gauge("gauge", Unit::Count, "Any");

#[test]
fn a_summary_has_quantiles_and_a_count() {
    let histogram = Histogram::new();
    histogram.record(2000);
    let registry = Registry::new();
    registry
        .register(Box::new(move |scrape: &mut Scrape<'_>| scrape.put_summary(&TIME, &["Produce"], &histogram, 1000.0)));
    let text = registry.text(Monotonic(0));
    assert!(text.contains("totaltimems{request=\"Produce\",quantile=\"0.999\"} 2.0"), "{text}");
    assert!(text.contains("# TYPE totaltimems_count counter\ntotaltimems_count{request=\"Produce\"} 1\n"), "{text}");
}
