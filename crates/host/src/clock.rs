//! Two clocks of two types: one that never jumps, for timeouts, and one that may, for what is written into records.

use std::ops::{Add, Sub};
use std::time::Duration;

/// Nanoseconds on a clock that never goes back; its zero means nothing. For deadlines.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Hash)]
pub struct Monotonic(pub u64);

/// Milliseconds since the epoch as the machine believes; may jump either way. For records and retention.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Hash)]
pub struct WallClock(pub i64);

impl Monotonic {
    /// Time passed since `earlier`, zero if that lies ahead.
    #[must_use]
    pub fn since(self, earlier: Monotonic) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Monotonic {
    type Output = Monotonic;

    fn add(self, later: Duration) -> Monotonic {
        Monotonic(self.0.saturating_add(u64::try_from(later.as_nanos()).unwrap_or(u64::MAX)))
    }
}

impl Sub<Monotonic> for Monotonic {
    type Output = Duration;

    fn sub(self, earlier: Monotonic) -> Duration {
        self.since(earlier)
    }
}

/// The clocks of a node.
pub trait Clock: Send + Sync {
    /// Now, for deadlines.
    fn monotonic(&self) -> Monotonic;

    /// Now, for records.
    fn wall(&self) -> WallClock;
}
