//! Closing the active segment and beginning the next.

use super::Log;
use super::active::Active;
use crate::dir::names::FileKind;
use crate::producers::snapshot;
use crate::segment::Segment;
use ottla_host::WallClock;
use ottla_host::disk::{Open, write_all_at};
use ottla_host::planted::{self, Bug};
use std::io;
use std::sync::Arc;

/// Bytes appended between two snapshots inside of a segment.
const SNAPSHOT_INTERVAL: u64 = if cfg!(test) { 2 << 10 } else { 64 << 20 };

/// A batch that is to be placed, as rolling sees it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Next {
    /// Where it would lie in the active segment.
    pub(super) position: u64,
    pub(super) size: u64,
    pub(super) last_offset: i64,
    pub(super) timestamp: i64,
    /// Timestamp of the segment's first batch when that is not written yet.
    pub(super) first_timestamp: Option<i64>,
}

impl Log {
    /// Whether a batch needs a new segment.
    pub(super) fn must_roll(&self, next: &Next, now: WallClock) -> bool {
        let Some(active) = &self.active else { return false };
        let too_far = i32::try_from(next.last_offset - active.segment.base()).is_err();
        if next.position == 0 {
            return too_far;
        }
        let waited = match next.first_timestamp.unwrap_or(active.first_timestamp) {
            first if first >= 0 => next.timestamp.saturating_sub(first),
            _ => now.0.saturating_sub(active.created.0),
        };
        let tail = active.segment.tail();
        let bytes = self.config.index_bytes_max;
        next.position + next.size > u64::from(self.config.segment_bytes)
            || waited > self.config.segment_ms.saturating_sub(self.jitter())
            || tail.offset_count() >= bytes / 8
            || tail.time_count() >= (bytes / 12).saturating_sub(1)
            || too_far
    }

    /// A share of `segment.jitter.ms` that stays the same for a segment and differs between partitions.
    fn jitter(&self) -> i64 {
        if self.config.segment_jitter_ms <= 0 {
            return 0;
        }
        let name = self.view.name();
        let topic = name.topic.bytes().fold(17_u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(byte)));
        let mixed = (topic ^ (name.partition.0 as u64) << 20).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 16;
        (mixed % self.config.segment_jitter_ms as u64) as i64
    }

    /// Closes the active segment, if there is one with anything in it, so that the next batch begins a new one.
    pub fn roll(&mut self, now: WallClock) -> io::Result<()> {
        match &self.active {
            Some(active) if active.segment.size() > 0 => self.roll_to(self.end(), now),
            Some(_) | None => Ok(()),
        }
    }

    /// Begins a segment at `base`, the end of the log or an offset behind it. The one before gets its index files and a
    /// producer snapshot at `base`, so that a replay never begins before the active segment.
    pub(super) fn roll_to(&mut self, base: i64, now: WallClock) -> io::Result<()> {
        if let Some(active) = &mut self.active
            && active.segment.size() > 0
        {
            active.seal(self.view.home())?;
            self.write_snapshot(base)?;
        }
        let segment = Arc::new(Segment::empty(base));
        if self.config.preallocate {
            let file = segment.create_log_file(self.home())?;
            if let Err(error) = file.reserve(u64::from(self.config.segment_bytes)) {
                // The segment before goes on, so nothing may stay under a base that it may pass.
                self.remove_empty(&segment)?;
                return Err(error);
            }
        }
        let mut segments = Vec::clone(&self.view.segments());
        if segments.last().is_some_and(|last| last.size() == 0) {
            self.remove_empty(&segments.pop().expect("it was just there"))?;
        }
        segments.push(Arc::clone(&segment));
        self.view.set_segments(segments);
        self.view.set_end(base);
        self.active = Some(Box::new(Active::new(segment, now)));
        self.entries.change();
        Ok(())
    }

    /// Removes what an empty segment that gives way to another may have left.
    fn remove_empty(&self, segment: &Segment) -> io::Result<()> {
        segment.close_files();
        for kind in [FileKind::Log, FileKind::OffsetIndex, FileKind::TimeIndex] {
            self.home().disk().remove_file(&self.home().file_path(segment.base(), kind))?;
        }
        Ok(())
    }

    /// Writes the producer state as it is at `offset`, unless a snapshot of it exists. Not synced.
    pub(super) fn write_snapshot(&mut self, offset: i64) -> io::Result<()> {
        if offset <= self.snapshot {
            return Ok(());
        }
        if planted::active(Bug::LostSnapshot) {
            return Ok(());
        }
        // A replay begins at the snapshot: terms before it are known from their file alone.
        self.write_epochs()?;
        self.has_snapshot = true;
        let path = self.home().file_path(offset, FileKind::Snapshot);
        let file = self.home().disk().open(&path, Open::Create)?;
        file.set_len(0)?;
        write_all_at(&*file, &snapshot::write(&self.producers), 0)?;
        let previous = std::mem::replace(&mut self.snapshot, offset);
        // Of those inside of segments only the newest is of use.
        if !self.view.segments().iter().any(|segment| segment.base() == previous) {
            self.home().disk().remove_file(&self.home().file_path(previous, FileKind::Snapshot))?;
        }
        Ok(())
    }

    /// Writes the producer state once in a while, so that a start after a crash replays little of a large segment.
    pub(super) fn snapshot_if_due(&mut self) {
        let end = self.end();
        let Some(active) = &mut self.active else { return };
        let size = active.segment.size();
        if size - active.snapshot_size.min(size) < SNAPSHOT_INTERVAL {
            return;
        }
        active.snapshot_size = size;
        if let Err(error) = self.write_snapshot(end) {
            tracing::warn!(partition = %self.view.name(), %error, "producer snapshot not written");
        }
    }
}
