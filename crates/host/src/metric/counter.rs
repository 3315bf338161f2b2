//! Numbers that only grow, counted from many threads.

use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering};

/// A counter of eight bytes, for what one task counts at a time: a partition, a topic, a connection.
#[derive(Debug, Default)]
pub struct Counter {
    count: AtomicU64,
}

impl Counter {
    /// A counter at zero.
    #[must_use]
    pub const fn new() -> Counter {
        Counter { count: AtomicU64::new(0) }
    }

    /// Counts `more`.
    pub fn add(&self, more: u64) {
        self.count.fetch_add(more, Ordering::Relaxed);
    }

    /// The count.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }
}

/// Places of a shared counter; more threads than this share some.
const SHARDS: usize = 16;

/// A counter of a kilobyte, for what every worker counts with each request: the workers do not meet in one cache line.
#[derive(Debug, Default)]
pub struct SharedCounter {
    shards: [Shard; SHARDS],
}

#[derive(Debug, Default)]
#[repr(align(64))]
struct Shard(AtomicU64);

thread_local! {
    /// Its address, which is another one in each thread, picks the shard. It holds nothing.
    static MARK: u8 = const { 0 };
}

impl SharedCounter {
    /// A counter at zero.
    #[must_use]
    pub fn new() -> SharedCounter {
        SharedCounter::default()
    }

    /// Counts `more`.
    pub fn add(&self, more: u64) {
        let address = MARK.with(|mark| ptr::from_ref(mark).addr()) as u64;
        // Thread areas lie pages apart; the multiplication brings their differing bits to the top.
        let index = address.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (u64::BITS - SHARDS.ilog2());
        self.shards[usize::try_from(index).unwrap_or(0) % SHARDS].0.fetch_add(more, Ordering::Relaxed);
    }

    /// The count.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.shards.iter().map(|shard| shard.0.load(Ordering::Relaxed)).sum()
    }
}
