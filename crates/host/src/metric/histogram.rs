//! Durations and sizes in buckets that grow with the value, so that quantiles are right to 3 percent.

use crate::clock::Monotonic;
use parking_lot::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Buckets of one doubling.
const STEPS: u64 = 16;
/// Doublings above the first `STEPS` values, which have a bucket each.
const DOUBLINGS: u64 = 32;
const BUCKETS: usize = (STEPS * (DOUBLINGS + 1)) as usize;
/// Quantiles speak of the time since the second-last moment of this distance at which they were asked for.
const WINDOW: Duration = Duration::from_secs(60);

/// Counts values in 4 KB of buckets; one relaxed addition a value. Values are whole numbers of the unit that the caller
/// chose (microseconds for request times), up to 2³⁶; larger ones count as that.
#[derive(Debug)]
pub struct Histogram {
    buckets: Box<[AtomicU64; BUCKETS]>,
    /// Taken when quantiles are asked for, never by those who count. Lock order: a leaf.
    window: Mutex<Window>,
}

/// Counts as they were at the last two turns of the window.
#[derive(Debug, Default)]
struct Window {
    turned: Option<Monotonic>,
    before: Vec<u64>,
    last: Vec<u64>,
}

impl Default for Histogram {
    fn default() -> Histogram {
        Histogram { buckets: Box::new([const { AtomicU64::new(0) }; BUCKETS]), window: Mutex::default() }
    }
}

impl Histogram {
    /// An empty histogram.
    #[must_use]
    pub fn new() -> Histogram {
        Histogram::default()
    }

    /// Counts a value.
    pub fn record(&self, value: u64) {
        self.buckets[bucket_of(value)].fetch_add(1, Ordering::Relaxed);
    }

    /// Number of values since the start.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.buckets.iter().map(|bucket| bucket.load(Ordering::Relaxed)).sum()
    }

    /// The values below which the given shares of the values of the last one to two minutes lie, `shares` ascending
    /// from 0 to 1. Zeros when there were none.
    pub fn quantiles<const N: usize>(&self, now: Monotonic, shares: [f64; N]) -> [f64; N] {
        let counts: Vec<u64> = self.buckets.iter().map(|bucket| bucket.load(Ordering::Relaxed)).collect();
        let mut window = self.window.lock();
        let recent = window.recent(&counts);
        window.turn(now, counts);
        drop(window);
        let total: u64 = recent.iter().sum();
        shares.map(|share| value_at(&recent, (share * total as f64).ceil().max(1.0) as u64))
    }
}

impl Window {
    fn recent(&self, counts: &[u64]) -> Vec<u64> {
        let base = self.before.iter().copied().chain(std::iter::repeat(0));
        counts.iter().zip(base).map(|(count, base)| count.saturating_sub(base)).collect()
    }

    fn turn(&mut self, now: Monotonic, counts: Vec<u64>) {
        if self.turned.is_none_or(|turned| now.since(turned) >= WINDOW) {
            self.turned = Some(now);
            self.before = std::mem::replace(&mut self.last, counts);
        }
    }
}

/// Values below `STEPS` have their own bucket; above, the highest five bits of a value choose.
fn bucket_of(value: u64) -> usize {
    let doublings = u64::from((value | (STEPS - 1)).ilog2() - (STEPS - 1).ilog2());
    let step = value >> doublings.saturating_sub(1);
    let index = if doublings == 0 { value } else { doublings * STEPS + (step - STEPS) };
    usize::try_from(index).unwrap_or(usize::MAX).min(BUCKETS - 1)
}

/// The middle of a bucket.
fn middle_of(bucket: usize) -> f64 {
    let (doublings, step) = (bucket as u64 / STEPS, bucket as u64 % STEPS);
    if doublings == 0 {
        return step as f64;
    }
    let width = 1_u64 << (doublings - 1);
    ((STEPS + step) * width) as f64 + (width - 1) as f64 / 2.0
}

fn value_at(counts: &[u64], rank: u64) -> f64 {
    let mut seen = 0;
    for (bucket, count) in counts.iter().enumerate() {
        seen += count;
        if seen >= rank {
            return middle_of(bucket);
        }
    }
    0.0
}
