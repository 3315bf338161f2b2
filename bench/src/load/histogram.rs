//! A histogram of latencies with a relative error below 1 %.

use std::time::Duration;

/// Buckets a power of two: the relative width of a bucket is 1/128.
const STEPS: u64 = 128;
const STEP_BITS: u32 = STEPS.trailing_zeros();
const BUCKETS: usize = (64 - STEP_BITS as usize + 1) * STEPS as usize;

/// Counts per bucket; bucket edges grow with the value.
#[derive(Clone, Debug)]
pub(crate) struct Histogram {
    counts: Vec<u64>,
    total: u64,
}

impl Default for Histogram {
    fn default() -> Histogram {
        Histogram { counts: vec![0; BUCKETS], total: 0 }
    }
}

impl Histogram {
    /// Adds one value of `nanos`.
    pub(crate) fn add(&mut self, nanos: u64) {
        self.counts[bucket(nanos)] += 1;
        self.total += 1;
    }

    /// The value below which `share` (0 to 1) of all values lie; zero when empty.
    pub(crate) fn quantile(&self, share: f64) -> Duration {
        let wanted = ((self.total as f64 * share).ceil() as u64).max(1);
        let mut seen = 0;
        for (at, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return Duration::from_nanos(upper_edge(at));
            }
        }
        Duration::ZERO
    }
}

fn bucket(nanos: u64) -> usize {
    if nanos < STEPS {
        return nanos as usize;
    }
    let power = 63 - nanos.leading_zeros();
    let within = (nanos >> (power - STEP_BITS)) - STEPS;
    ((u64::from(power - STEP_BITS) + 1) * STEPS + within) as usize
}

fn upper_edge(bucket: usize) -> u64 {
    let (row, within) = (bucket as u64 / STEPS, bucket as u64 % STEPS);
    if row == 0 {
        return within;
    }
    ((STEPS + within + 1) << (row - 1)) - 1
}

#[cfg(test)]
mod tests {
    use super::{Histogram, bucket, upper_edge};

    #[test]
    fn every_value_lies_at_most_one_percent_below_the_edge_of_its_bucket() {
        for value in (0..200_000u64).chain((0..60).map(|power| (1u64 << power) + 12_345)) {
            let edge = upper_edge(bucket(value));
            assert!(edge >= value && edge as f64 <= value as f64 * 1.01 + 1.0, "{value} {edge}");
        }
    }

    #[test]
    fn quantiles_of_a_known_series() {
        let mut histogram = Histogram::default();
        (1..=1000).for_each(|micros| histogram.add(micros * 1000));
        for (share, micros) in [(0.5, 500.0), (0.99, 990.0), (1.0, 1000.0)] {
            let found = histogram.quantile(share).as_nanos() as f64 / 1000.0;
            assert!((found / micros - 1.0).abs() < 0.01, "{share}: {found}");
        }
    }
}
