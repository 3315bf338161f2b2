//! Whether the entries of a partition's directory are on the device: changes are counted, and so are those that a sync
//! has covered. A sync that is begun and given up covers none.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Files made, renamed or replaced in a directory.
#[derive(Debug, Default)]
pub(crate) struct Entries {
    changes: u64,
    /// Changes that are on the device. `≤ changes`
    synced: Arc<AtomicU64>,
}

impl Entries {
    /// Notes a change.
    pub(crate) fn change(&mut self) {
        self.changes += 1;
    }

    /// Whether there are changes that the device may not know of.
    pub(crate) fn are_dirty(&self) -> bool {
        self.changes > self.synced.load(Ordering::Acquire)
    }

    /// What to tell when all changes so far are on the device.
    pub(crate) fn promise(&self) -> EntriesSync {
        EntriesSync { upto: self.changes, synced: Arc::clone(&self.synced) }
    }
}

/// Changes that a sync covers.
#[derive(Debug)]
pub(crate) struct EntriesSync {
    upto: u64,
    synced: Arc<AtomicU64>,
}

impl EntriesSync {
    /// Says that it has succeeded.
    pub(crate) fn done(&self) {
        self.synced.fetch_max(self.upto, Ordering::AcqRel);
    }
}
