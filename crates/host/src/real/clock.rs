//! The machine's clocks, and its source of randomness.

use crate::chance::Chance;
use crate::clock::{Clock, Monotonic, WallClock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Both clocks of the machine; the monotonic one counts from `zero`.
#[derive(Clone, Copy, Debug)]
pub(super) struct RealClock {
    zero: Instant,
}

impl RealClock {
    pub(super) fn start() -> RealClock {
        RealClock { zero: Instant::now() }
    }

    pub(super) fn instant(&self, at: Monotonic) -> Instant {
        let far = Duration::from_secs(100 * 365 * 24 * 3600);
        self.zero + Duration::from_nanos(at.0).min(far)
    }
}

impl Clock for RealClock {
    fn monotonic(&self) -> Monotonic {
        Monotonic(u64::try_from(self.zero.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }

    fn wall(&self) -> WallClock {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        WallClock(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
    }
}

/// The kernel's random bits.
#[derive(Debug)]
pub(super) struct RealChance;

impl Chance for RealChance {
    fn fill(&self, _concern: &'static str, bytes: &mut [u8]) {
        getrandom::fill(bytes).expect("Linux answers getrandom once it has booted");
    }
}
