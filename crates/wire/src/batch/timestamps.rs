//! The timestamps that a topic accepts from producers (KIP-937).

use super::error::RecordReason;
use super::header::NO_TIMESTAMP;

/// Timestamps that are accepted now, both ends included, in ms since 1970.
#[derive(Clone, Copy, Debug)]
pub(super) struct TimestampRange {
    earliest: i64,
    latest: i64,
}

impl TimestampRange {
    /// From `before` ms before `now_ms` to `after` ms after it.
    pub(super) fn around(now_ms: i64, before: i64, after: i64) -> TimestampRange {
        TimestampRange { earliest: now_ms.saturating_sub(before), latest: now_ms.saturating_add(after) }
    }

    /// What is wrong with `timestamp`; a record may have none.
    #[inline]
    pub(super) fn fault(self, timestamp: i64) -> Option<RecordReason> {
        let TimestampRange { earliest, latest } = self;
        let fits = (earliest..=latest).contains(&timestamp) || timestamp == NO_TIMESTAMP;
        (!fits).then_some(RecordReason::Timestamp { timestamp, earliest, latest })
    }
}
