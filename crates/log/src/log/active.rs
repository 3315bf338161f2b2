//! The writer's side of the active segment: index entries as they fall due.

use crate::dir::names::FileKind;
use crate::home::Home;
use crate::segment::Segment;
use crate::segment::entry::{Entry, OffsetEntry, TimeEntry, to_bytes};
use crate::segment::tail::TAIL_MAX;
use ottla_host::WallClock;
use ottla_host::disk::write_all_at;
use ottla_wire::batch::NO_TIMESTAMP;
use std::io;
use std::sync::Arc;

/// What an index entry has to know of a batch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Placed {
    pub(super) position: u64,
    pub(super) size: u64,
    pub(super) last_offset: i64,
    pub(super) max_timestamp: i64,
}

/// The segment that is appended to.
#[derive(Debug)]
pub(super) struct Active {
    pub(super) segment: Arc<Segment>,
    /// Bytes since the last entry of the offset index.
    pub(super) since_entry: u64,
    /// Largest timestamp so far with the last offset of its batch, relative.
    pub(super) largest: TimeEntry,
    /// Timestamp of the newest entry of the time index.
    pub(super) last_time_entry: i64,
    /// Largest timestamp of the first batch, -1 for none.
    pub(super) first_timestamp: i64,
    /// When the segment was made, for logs without timestamps.
    pub(super) created: WallClock,
    /// Bytes that writeback was started for.
    pub(super) written_back: u64,
    /// Bytes when the producer state was last written.
    pub(super) snapshot_size: u64,
}

impl Active {
    pub(super) fn new(segment: Arc<Segment>, created: WallClock) -> Active {
        Active {
            segment,
            since_entry: 0,
            largest: TimeEntry { timestamp: NO_TIMESTAMP, relative: 0 },
            last_time_entry: NO_TIMESTAMP,
            first_timestamp: NO_TIMESTAMP,
            created,
            written_back: 0,
            snapshot_size: 0,
        }
    }

    /// Notes a batch in the indexes. Entries are due after `interval` bytes, and name the batch that begins there.
    pub(super) fn index(&mut self, placed: &Placed, interval: u64) {
        let relative = (placed.last_offset - self.segment.base()) as u32;
        if placed.position == 0 {
            self.first_timestamp = placed.max_timestamp;
        }
        if placed.max_timestamp > self.largest.timestamp {
            self.largest = TimeEntry { timestamp: placed.max_timestamp, relative };
            self.segment.set_max_timestamp(placed.max_timestamp);
        }
        if self.since_entry > interval {
            self.since_entry = 0;
            let mut tail = self.segment.tail_mut();
            tail.offsets.push(OffsetEntry { relative, position: placed.position as u32 });
            if self.largest.timestamp > self.last_time_entry {
                self.last_time_entry = self.largest.timestamp;
                tail.times.push(self.largest);
            }
        }
        self.since_entry += placed.size;
    }

    /// Whether so many entries are in memory that they should go to the files.
    pub(super) fn tail_is_full(&self) -> bool {
        self.segment.tail().offsets.len() >= TAIL_MAX
    }

    /// Moves the entries from memory to the files. Repeatable after an error.
    pub(super) fn store_tail(&self, home: &Home) -> io::Result<()> {
        let (offsets, times, offsets_stored, times_stored) = {
            let tail = self.segment.tail();
            (to_bytes(&tail.offsets), to_bytes(&tail.times), tail.offsets_stored, tail.times_stored)
        };
        self.store(home, FileKind::OffsetIndex, &offsets, u64::from(offsets_stored) * OffsetEntry::SIZE as u64)?;
        self.store(home, FileKind::TimeIndex, &times, u64::from(times_stored) * TimeEntry::SIZE as u64)?;
        let mut tail = self.segment.tail_mut();
        tail.offsets_stored += tail.offsets.len() as u32;
        tail.times_stored += tail.times.len() as u32;
        tail.offsets = Vec::new();
        tail.times = Vec::new();
        Ok(())
    }

    fn store(&self, home: &Home, kind: FileKind, bytes: &[u8], at: u64) -> io::Result<()> {
        let file = self.segment.create_index_file(home, kind)?;
        write_all_at(&*file, bytes, at)
    }

    /// Takes an entry that the time index has before all others, if it is what would be written there now.
    pub(super) fn adopt_time(&mut self, entry: TimeEntry) -> bool {
        let mut tail = self.segment.tail_mut();
        let is_true = self.largest == entry && tail.times_stored == 0 && tail.times.is_empty();
        if is_true {
            tail.times_stored = 1;
            self.last_time_entry = entry.timestamp;
        }
        is_true
    }

    /// Whether the index files say all that they will of what was appended.
    pub(super) fn is_sealed(&self) -> bool {
        let tail = self.segment.tail();
        tail.offsets.is_empty() && tail.times.is_empty() && self.largest.timestamp <= self.last_time_entry
    }

    /// Completes the index files of a segment that gets no more batches: the last entry of the time index is the
    /// segment's largest timestamp.
    pub(super) fn seal(&mut self, home: &Home) -> io::Result<()> {
        if self.largest.timestamp > self.last_time_entry {
            self.last_time_entry = self.largest.timestamp;
            self.segment.tail_mut().times.push(self.largest);
        }
        self.store_tail(home)
    }
}
