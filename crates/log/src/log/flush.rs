//! What has to reach the device, when, and the recovery point that follows from it.

use super::Log;
use crate::dir::Flush;
use crate::dir::names::FileKind;
use crate::segment::Segment;
use ottla_host::disk::Open;
use ottla_host::planted::{self, Bug};
use ottla_host::{File, WallClock};
use ottla_wire::ids::Offset;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// Bytes appended before their writeback is started.
const WRITEBACK: u64 = 8 << 20;

/// A range of a file that should go to the device soon; give it to `File::start_writeback` on the directory's thread.
#[derive(Clone, Debug)]
pub struct Writeback {
    /// The file.
    pub file: Arc<dyn File>,
    /// First byte.
    pub at: u64,
    /// Bytes.
    pub len: u64,
}

impl Log {
    /// Whether a sync is due: a segment was closed, or `flush.messages` or `flush.ms` is reached.
    #[must_use]
    pub fn flush_due(&self, now: WallClock) -> bool {
        if self.is_removed {
            return false;
        }
        let unflushed = self.end() - self.recovery_point;
        let closed = self.active.as_ref().is_some_and(|active| active.segment.base() > self.recovery_point);
        unflushed > 0
            && (closed
                || unflushed >= self.config.flush_messages
                || now.0.saturating_sub(self.last_flush.0) >= self.config.flush_ms)
    }

    /// Whether `flush.messages` or `flush.ms` asks for a sync of what was appended last, beyond the closed segments.
    #[must_use]
    pub fn active_flush_due(&self, now: WallClock) -> bool {
        self.end() - self.recovery_point >= self.config.flush_messages
            || now.0.saturating_sub(self.last_flush.0) >= self.config.flush_ms
    }

    /// What to sync so that everything up to the active segment is durable, and that too when `active`; None if nothing
    /// is to be done. The files of a closed segment are its batches, indexes and the snapshot at its end: the recovery
    /// point passes it only with all of them.
    pub fn flush(&mut self, active: bool) -> io::Result<Option<Flush>> {
        if self.is_removed {
            return Ok(None);
        }
        let segments = self.view.segments();
        let active_base = self.active.as_ref().map_or(i64::MAX, |active| active.segment.base());
        let through = if active { self.end() } else { active_base.min(self.end()) };
        if through <= self.recovery_point && !(active && self.entries.are_dirty()) {
            return Ok(None);
        }
        self.write_epochs()?;
        let mut flush = Flush { through: Offset(through), files: Vec::new(), dirs: Vec::new(), entries: None };
        // One that ends at the recovery point may have been closed since: its indexes and snapshot are newer than that.
        let unsynced = segments.iter().filter(|segment| segment.end() >= self.recovery_point);
        for segment in unsynced.filter(|segment| segment.base() < through && segment.size() > 0) {
            flush.files.push(segment.log_file(self.home())?);
            if segment.base() < active_base {
                self.add_closed(segment, &mut flush)?;
            } else if segment.has_aborted(self.home())? {
                // The segment may end here, and is not looked at again then.
                self.add_if_there(&self.home().file_path(segment.base(), FileKind::TransactionIndex), &mut flush)?;
            }
        }
        if self.entries.are_dirty() {
            if let Some(active) = self.active.as_ref().filter(|active| active.segment.size() == 0) {
                // A truncation may have emptied it.
                self.add_if_there(&self.home().file_path(active.segment.base(), FileKind::Log), &mut flush)?;
            }
            self.add_small_files(&mut flush)?;
            flush.dirs.push(self.home().path().to_path_buf());
            flush.dirs.push(self.home().log_dir().path().to_owned());
            flush.entries = Some(self.entries.promise());
        }
        self.flushes += 1;
        if planted::active(Bug::UnsyncedDirectory) {
            flush.dirs.clear();
        }
        Ok(Some(flush))
    }

    fn add_closed(&self, segment: &Segment, flush: &mut Flush) -> io::Result<()> {
        flush.files.extend(segment.index_file(self.home(), FileKind::OffsetIndex)?);
        flush.files.extend(segment.index_file(self.home(), FileKind::TimeIndex)?);
        for (kind, offset) in [(FileKind::TransactionIndex, segment.base()), (FileKind::Snapshot, segment.end())] {
            self.add_if_there(&self.home().file_path(offset, kind), flush)?;
        }
        Ok(())
    }

    fn add_small_files(&self, flush: &mut Flush) -> io::Result<()> {
        use crate::dir::names::{LEADER_EPOCHS, PARTITION_METADATA};
        for name in [LEADER_EPOCHS, PARTITION_METADATA] {
            self.add_if_there(&self.home().path().join(name), flush)?;
        }
        Ok(())
    }

    fn add_if_there(&self, path: &Path, flush: &mut Flush) -> io::Result<()> {
        match self.home().disk().open(path, Open::Write) {
            Ok(file) => flush.files.push(file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Tells that a flush has succeeded. A truncation meanwhile has taken back what lay above
    /// its end, and what was appended there since is not on the device.
    pub fn flushed(&mut self, through: Offset, now: WallClock) {
        let through = if planted::active(Bug::EarlyRecoveryPoint) { self.view.end() } else { through };
        let through = through.0.min(self.flush_limit).min(self.end());
        self.flushes = self.flushes.saturating_sub(1);
        if self.flushes == 0 {
            self.flush_limit = i64::MAX;
        }
        self.recovery_point = self.recovery_point.max(through);
        self.last_flush = now;
        self.check();
    }

    /// A range whose writeback should be started now, so that dirty pages do not pile up; None while it is small.
    pub fn writeback_due(&mut self) -> Option<Writeback> {
        let active = self.active.as_mut()?;
        let size = active.segment.size();
        let (at, len) = (active.written_back, size.checked_sub(active.written_back)?);
        if len < WRITEBACK {
            return None;
        }
        let file = active.segment.log_file(self.view.home()).ok()?;
        active.written_back = size;
        Some(Writeback { file, at, len })
    }

    /// Completes index files, leader epochs and producer snapshot, as they are after a clean stop. A log that never had a
    /// producer gets no snapshot: without any, Kafka takes it for one without producers. Any other needs one at its end,
    /// whatever the files of the segment are: a truncation removes the one that was there.
    fn complete(&mut self) -> io::Result<()> {
        if self.is_removed {
            return Ok(());
        }
        let end = self.end();
        self.write_epochs()?;
        if let Some(active) = self.active.as_mut().filter(|active| active.segment.size() > 0)
            && !(active.is_sealed() && self.recovery_point == end)
        {
            active.seal(self.view.home())?;
            self.entries.change();
        }
        if end > self.snapshot && (self.has_snapshot || self.producers.iter().len() > 0) {
            self.write_snapshot(end)?;
            self.entries.change();
        }
        Ok(())
    }

    /// Completes the files, as they are after a clean stop, for a sync of the whole file system; answers the offset to tell
    /// `flushed` afterwards, None if nothing is to be synced. The log can go on, and may be dropped.
    pub fn close_unsynced(&mut self) -> io::Result<Option<Offset>> {
        self.complete()?;
        if self.is_removed || (self.end() <= self.recovery_point && !self.entries.are_dirty()) {
            return Ok(None);
        }
        // Everything is synced before the marker of a clean stop is written, and nothing else needs this.
        self.entries.promise().done();
        self.flushes += 1;
        Ok(Some(self.view.end()))
    }

    /// Completes the files, as they are after a clean stop, and says what to sync before the recovery point may be the
    /// end. The log can go on, and may be dropped.
    pub fn close(&mut self) -> io::Result<Option<Flush>> {
        self.complete()?;
        let Some(mut flush) = self.flush(true)? else { return Ok(None) };
        if let Some(active) = &self.active {
            self.add_closed(&active.segment, &mut flush)?;
        }
        Ok(Some(flush))
    }

    /// Closes the files that the cache holds open for this log.
    pub fn release_files(&self) {
        for segment in self.view.segments().iter() {
            segment.close_files();
        }
    }
}
