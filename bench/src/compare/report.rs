//! Medians of the runs, as text and as JSON.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::{Value, json};

use super::works::{Load, Work};
use crate::load::Measured;
use crate::server::Kind;

/// Shares of the latency distribution that are shown.
const QUANTILES: [f64; 3] = [0.5, 0.99, 0.999];
const RESIDENT_UNIT: f64 = 1e6;

/// What one run says.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Row {
    /// Requests a second.
    requests: f64,
    /// Megabytes a second.
    megabytes: f64,
    /// CPU of the server for one request, microseconds.
    cpu_micros: f64,
    /// CPU of the server for one gigabyte, seconds.
    cpu_gigabyte: f64,
    /// p50, p99, p99.9 in milliseconds.
    latency: [f64; 3],
    /// Resident memory of the server at the end of the run, megabytes.
    resident: f64,
}

impl Row {
    /// The figures of a run.
    pub(crate) fn new(measured: &Measured, resident: u64) -> Row {
        let seconds = measured.window.as_secs_f64();
        let cpu = measured.server_cpu.unwrap_or(Duration::ZERO).as_secs_f64();
        Row {
            requests: measured.requests as f64 / seconds,
            megabytes: measured.bytes as f64 / 1e6 / seconds,
            cpu_micros: cpu * 1e6 / (measured.requests.max(1) as f64),
            cpu_gigabyte: cpu * 1e9 / (measured.bytes.max(1) as f64),
            latency: QUANTILES.map(|share| measured.latency.quantile(share).as_secs_f64() * 1e3),
            resident: resident as f64 / RESIDENT_UNIT,
        }
    }

    fn median(rows: &[Row]) -> Row {
        let of = |field: fn(&Row) -> f64| median(rows.iter().map(field).collect());
        Row {
            requests: of(|row| row.requests),
            megabytes: of(|row| row.megabytes),
            cpu_micros: of(|row| row.cpu_micros),
            cpu_gigabyte: of(|row| row.cpu_gigabyte),
            latency: [of(|row| row.latency[0]), of(|row| row.latency[1]), of(|row| row.latency[2])],
            resident: of(|row| row.resident),
        }
    }

    fn json(&self) -> Value {
        json!({
            "requests_per_second": self.requests, "megabytes_per_second": self.megabytes,
            "cpu_micros_per_request": self.cpu_micros, "cpu_seconds_per_gigabyte": self.cpu_gigabyte,
            "p50_ms": self.latency[0], "p99_ms": self.latency[1], "p999_ms": self.latency[2],
            "resident_megabytes": self.resident,
        })
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => 0.0,
        odd if odd % 2 == 1 => values[odd / 2],
        even => f64::midpoint(values[even / 2 - 1], values[even / 2]),
    }
}

/// The runs of each server that did a work.
type Runs = Vec<(Kind, Vec<Row>)>;

/// All runs, in the order in which works and servers first came.
#[derive(Debug, Default)]
pub(crate) struct Report {
    works: Vec<(Work, Runs)>,
}

impl Report {
    /// Adds one run.
    pub(crate) fn add(&mut self, work: &Work, kind: Kind, row: Row) {
        let at = self.works.iter().position(|(known, _)| known.name == work.name).unwrap_or_else(|| {
            self.works.push((work.clone(), Vec::new()));
            self.works.len() - 1
        });
        let servers = &mut self.works[at].1;
        match servers.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, rows)) => rows.push(row),
            None => servers.push((kind, vec![row])),
        }
    }

    /// A table a work: medians, and CPU and throughput of each server as a ratio to the last one's.
    pub(crate) fn text(&self) -> String {
        let mut out = String::new();
        for (work, servers) in &self.works {
            // Writing to a string cannot fail.
            let _ = write!(out, "\n{}: {}\n{}", work.name, work.what, heading(work));
            let medians: Vec<(Kind, Row)> = servers.iter().map(|(kind, rows)| (*kind, Row::median(rows))).collect();
            for (kind, row) in &medians {
                out.push_str(&line(work, *kind, row, medians.last().map(|(_, last)| last)));
            }
        }
        out
    }

    /// Every run and the medians.
    pub(crate) fn json(&self) -> Value {
        let works = self.works.iter().map(|(work, servers)| {
            let servers = servers.iter().map(|(kind, rows)| {
                let runs: Vec<Value> = rows.iter().map(Row::json).collect();
                (kind.name().to_owned(), json!({ "median": Row::median(rows).json(), "runs": runs }))
            });
            (work.name.to_owned(), Value::Object(servers.collect()))
        });
        Value::Object(works.collect())
    }
}

fn heading(work: &Work) -> String {
    let cpu = if is_fetch(work) { "CPU s/GB" } else { "CPU µs/req" };
    format!(
        "  {:<14}{:>10}{:>9}{:>12}{:>10}{:>10}{:>10}{:>9}{:>12}{:>12}\n",
        "server", "req/s", "MB/s", cpu, "p50 ms", "p99 ms", "p99.9 ms", "RSS MB", "CPU ratio", "rate ratio"
    )
}

fn line(work: &Work, kind: Kind, row: &Row, base: Option<&Row>) -> String {
    let cpu = |row: &Row| if is_fetch(work) { row.cpu_gigabyte } else { row.cpu_micros };
    let ratio = |of: f64, to: Option<f64>| to.filter(|to| *to > 0.0).map_or(0.0, |to| of / to);
    let [p50, p99, p999] = row.latency;
    format!(
        "  {:<14}{:>10.0}{:>9.1}{:>12.2}{:>10.3}{:>10.3}{:>10.3}{:>9.1}{:>12.2}{:>12.2}\n",
        kind.name(),
        row.requests,
        row.megabytes,
        cpu(row),
        p50,
        p99,
        p999,
        row.resident,
        ratio(cpu(row), base.map(cpu)),
        ratio(row.megabytes, base.map(|base| base.megabytes)),
    )
}

fn is_fetch(work: &Work) -> bool {
    matches!(work.load, Load::Fetch(_))
}

#[cfg(test)]
mod tests {
    use super::median;

    #[test]
    fn median_of_odd_and_even_numbers_of_runs() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), 2.5);
    }
}
