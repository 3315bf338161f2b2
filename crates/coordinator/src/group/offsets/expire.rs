//! Offsets that nobody has used for long (`offsets.retention.minutes`, KIP-211).

use super::delete::tombstone;
use super::store::{Committed, Offsets};
use crate::group::Change;
use crate::group::any::Group;
use crate::group::classic::Expiry;
use crate::group::settings::OffsetSettings;
use ottla_host::WallClock;

/// What is too old of a group.
pub(in crate::group) struct Expired {
    /// The offsets taken back.
    pub(in crate::group) changes: Vec<Change>,
    /// Whether none is left, nor one of an open transaction.
    pub(in crate::group) is_all: bool,
}

/// Looks for offsets of `group` that are too old.
pub(in crate::group) fn expire(
    settings: &OffsetSettings,
    offsets: &Offsets,
    (id, group): (&str, &Group),
    now: WallClock,
) -> Expired {
    let expiry = group.expiry();
    let mut changes = Vec::new();
    let mut is_all = offsets.open_of_group(id).next().is_none();
    for (topic, partition, committed) in offsets.of_group(id) {
        let is_old = is_old(settings, expiry, committed, now);
        if is_old && !group.is_subscribed(topic) && !offsets.is_open(id, topic, partition) {
            changes.push(tombstone(id, topic, partition));
        } else {
            is_all = false;
        }
    }
    Expired { changes, is_all }
}

fn is_old(settings: &OffsetSettings, expiry: Expiry, committed: &Committed, now: WallClock) -> bool {
    let since = match expiry {
        Expiry::Never => return false,
        // An old client has said how long.
        Expiry::SinceCommit | Expiry::Since(_) if committed.expire_timestamp != -1 => {
            return now.0 >= committed.expire_timestamp;
        }
        Expiry::SinceCommit => committed.commit_timestamp,
        Expiry::Since(since) => since.0,
    };
    let retention = i64::try_from(settings.retention.as_millis()).unwrap_or(i64::MAX);
    now.0.saturating_sub(since) >= retention
}
