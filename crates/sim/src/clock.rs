//! Virtual time: one monotonic clock that only the simulation moves, and a wall clock that may jump against it.

use ottla_host::{Clock, Monotonic, WallClock};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

/// Where the wall clock stands when virtual time begins: 2026-01-01.
const WALL_START_MS: i64 = 1_767_225_600_000;

/// A node's clocks. Clones share them; `node_clock` gives another node's, with the same time and a wall of its own.
#[derive(Clone, Debug, Default)]
pub struct SimClock {
    nanos: Arc<AtomicU64>,
    wall_offset_ms: Arc<AtomicI64>,
    /// When the step that runs has its thread back; 0 when nothing holds it. Shared by all nodes: one step runs at a time.
    owed: Arc<AtomicU64>,
}

impl SimClock {
    /// A clock at zero.
    #[must_use]
    pub fn new() -> SimClock {
        SimClock::default()
    }

    /// A clock that moves with this one and whose wall may jump by itself.
    #[must_use]
    pub fn node_clock(&self) -> SimClock {
        let (nanos, owed) = (Arc::clone(&self.nanos), Arc::clone(&self.owed));
        SimClock { nanos, wall_offset_ms: Arc::default(), owed }
    }

    /// Lets time pass.
    pub fn advance(&self, by: Duration) {
        self.nanos.fetch_add(u64::try_from(by.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Moves to `at`, never back.
    pub(crate) fn advance_to(&self, at: Monotonic) {
        self.nanos.fetch_max(at.0, Ordering::Relaxed);
    }

    /// Says that the step that runs blocks its thread until `at`.
    pub(crate) fn owe_until(&self, at: Monotonic) {
        self.owed.fetch_max(at.0, Ordering::Relaxed);
    }

    /// Until when the step that has run blocks its thread.
    pub(crate) fn take_owed(&self) -> Option<Monotonic> {
        let owed = self.owed.swap(0, Ordering::Relaxed);
        (owed > self.nanos.load(Ordering::Relaxed)).then_some(Monotonic(owed))
    }

    /// Makes the wall clock jump, back for a negative number.
    pub fn jump_wall(&self, by_ms: i64) {
        self.wall_offset_ms.fetch_add(by_ms, Ordering::Relaxed);
    }
}

impl Clock for SimClock {
    fn monotonic(&self) -> Monotonic {
        Monotonic(self.nanos.load(Ordering::Relaxed))
    }

    fn wall(&self) -> WallClock {
        let passed = i64::try_from(self.nanos.load(Ordering::Relaxed) / 1_000_000).unwrap_or(i64::MAX);
        let offset = WALL_START_MS + self.wall_offset_ms.load(Ordering::Relaxed);
        WallClock(offset.saturating_add(passed))
    }
}
