//! What of the metadata log may go: snapshots beyond the retention, and the records before the oldest one kept.

use crate::state::ids::OffsetAndEpoch;
use ottla_wire::ids::Offset;

/// `metadata.max.retention.bytes` and `metadata.max.retention.ms`; negative for no limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Retention {
    /// Bytes of log and snapshots, 100 MiB by default.
    pub bytes: i64,
    /// Age of a snapshot by the last record it contains, in ms; 7 days by default.
    pub ms: i64,
}

/// A snapshot as the plan sees it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SnapshotFacts {
    /// Which.
    pub id: OffsetAndEpoch,
    /// Bytes.
    pub size: u64,
    /// Timestamp of the last record it contains, in ms since 1970.
    pub last_timestamp_ms: i64,
}

/// The snapshot to keep as the oldest: all before it may go. None if all stays. The newest snapshot always stays, and no
/// record goes that a kept snapshot does not contain. `snapshots` ascend.
#[must_use]
pub fn plan(snapshots: &[SnapshotFacts], log_bytes: u64, retention: Retention, now_ms: i64) -> Option<OffsetAndEpoch> {
    let mut total = log_bytes + snapshots.iter().map(|snapshot| snapshot.size).sum::<u64>();
    let mut keep = None;
    for pair in snapshots.windows(2) {
        let too_big = retention.bytes >= 0 && total > retention.bytes.unsigned_abs();
        let too_old = retention.ms >= 0 && now_ms.saturating_sub(pair[0].last_timestamp_ms) > retention.ms;
        if !too_big && !too_old {
            break;
        }
        total = total.saturating_sub(pair[0].size);
        keep = Some(pair[1].id);
    }
    keep.filter(|id| id.offset > Offset(0))
}

#[cfg(test)]
mod tests {
    use super::{Retention, SnapshotFacts, plan};
    use crate::state::ids::OffsetAndEpoch;
    use ottla_wire::ids::{LeaderEpoch, Offset};

    fn at(offset: i64) -> OffsetAndEpoch {
        OffsetAndEpoch { epoch: LeaderEpoch(1), offset: Offset(offset) }
    }

    fn facts(entries: &[(i64, u64, i64)]) -> Vec<SnapshotFacts> {
        let fact = |&(offset, size, last_timestamp_ms)| SnapshotFacts { id: at(offset), size, last_timestamp_ms };
        entries.iter().map(fact).collect()
    }

    #[test]
    fn the_newest_snapshot_stays_whatever_the_limits() {
        let retention = Retention { bytes: 0, ms: 0 };
        assert_eq!(plan(&facts(&[(10, 100, 0)]), 1_000, retention, 9), None);
        assert_eq!(plan(&facts(&[(10, 100, 0), (20, 100, 1)]), 1_000, retention, 9), Some(at(20)));
    }

    #[test]
    fn snapshots_go_while_the_total_is_above_the_limit() {
        let three = facts(&[(10, 100, 5), (20, 100, 5), (30, 100, 5)]);
        assert_eq!(plan(&three, 50, Retention { bytes: 260, ms: -1 }, 9), Some(at(20)));
        assert_eq!(plan(&three, 50, Retention { bytes: 350, ms: -1 }, 9), None);
    }

    #[test]
    fn old_snapshots_go_by_the_time_of_their_last_record() {
        let three = facts(&[(10, 1, 0), (20, 1, 50), (30, 1, 90)]);
        assert_eq!(plan(&three, 0, Retention { bytes: -1, ms: 60 }, 100), Some(at(20)));
        assert_eq!(plan(&three, 0, Retention { bytes: -1, ms: -1 }, 100), None);
    }
}
