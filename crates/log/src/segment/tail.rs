//! Index entries of the active segment that are not in the index files yet.

use super::entry::{OffsetEntry, TimeEntry};

/// Entries kept in memory before they are written out: 8 KB for 4 MB of batches.
pub(crate) const TAIL_MAX: usize = 1024;

/// The entries behind those that the files hold.
#[derive(Debug, Default)]
pub(crate) struct Tail {
    /// Entries in the offset index file.
    pub(crate) offsets_stored: u32,
    /// Entries in the time index file.
    pub(crate) times_stored: u32,
    /// Entries behind them, rising in both fields.
    pub(crate) offsets: Vec<OffsetEntry>,
    /// Entries behind them, rising in both fields.
    pub(crate) times: Vec<TimeEntry>,
}

impl Tail {
    /// Entries of the offset index in all.
    pub(crate) fn offset_count(&self) -> u32 {
        self.offsets_stored + self.offsets.len() as u32
    }

    /// Entries of the time index in all.
    pub(crate) fn time_count(&self) -> u32 {
        self.times_stored + self.times.len() as u32
    }

    /// The entries that a segment keeps which is cut at `position`. Those in the files stay counted.
    pub(crate) fn up_to(&self, position: u64) -> Tail {
        let kept = self.offsets.partition_point(|entry| u64::from(entry.position) < position);
        let relative = self.offsets[..kept].last().map(|entry| entry.relative);
        let times = self.times.iter().take_while(|entry| relative.is_some_and(|last| entry.relative <= last));
        Tail {
            offsets_stored: self.offsets_stored,
            times_stored: self.times_stored,
            offsets: self.offsets[..kept].to_vec(),
            times: times.copied().collect(),
        }
    }

    /// The last entry here for which `before` holds.
    pub(crate) fn offset_where(&self, before: impl Fn(&OffsetEntry) -> bool) -> Option<OffsetEntry> {
        let after = self.offsets.partition_point(before);
        after.checked_sub(1).map(|at| self.offsets[at])
    }

    /// The last entry here for which `before` holds.
    pub(crate) fn time_where(&self, before: impl Fn(&TimeEntry) -> bool) -> Option<TimeEntry> {
        let after = self.times.partition_point(before);
        after.checked_sub(1).map(|at| self.times[at])
    }
}
