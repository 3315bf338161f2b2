//! Taking records back: at the end when a leader says so, at the start when they are deleted.

use super::Log;
use super::active::Active;
use crate::dir::Doomed;
use crate::dir::journal::Kind;
use crate::dir::names::{DELETED, FileKind};
use crate::epochs::Epochs;
use crate::producers::Producers;
use crate::segment::lookup::Found;
use crate::segment::{Segment, Tip};
use ottla_host::WallClock;
use ottla_host::planted::{self, Bug};
use ottla_wire::ids::Offset;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

impl Log {
    /// Drops all records from `end` on, with the batch that holds it. The recovery point falls to the segment that is cut,
    /// and has to be checkpointed before more is appended: on disk it says that what comes next is synced. True when there
    /// was anything to drop; leader epochs that begin behind the end are dropped in any case (KIP-101).
    pub fn truncate_to(&mut self, end: Offset, now: WallClock) -> io::Result<bool> {
        let end = Offset(end.0.max(0));
        if end.0 >= self.end() {
            let log_end = self.view.end();
            self.update_epochs(|epochs| epochs.truncate_end(log_end));
            self.write_epochs()?;
            return Ok(false);
        }
        let segments = self.view.segments();
        if segments.first().is_none_or(|first| first.base() > end.0) {
            self.truncate_fully(end, now)?;
            return Ok(true);
        }
        let kept = segments.partition_point(|segment| segment.base() <= end.0);
        // The segment that is cut has to be synced again, its new length with it.
        self.recovery_point = self.recovery_point.min(segments[kept - 1].base());
        self.limit_flushes(segments[kept - 1].base());
        self.cut_segments(&segments[..kept], &segments[kept..], end.0, now)?;
        self.remove_snapshots(|offset| offset > end.0)?;
        let log_end = self.view.end();
        self.update_epochs(|epochs| epochs.truncate_end(log_end));
        self.write_epochs()?;
        if self.view.start() > log_end {
            self.view.set_start(log_end.0);
        }
        self.reload_producers(now)?;
        self.check();
        Ok(true)
    }

    /// A flush under way was begun on what is no longer there.
    fn limit_flushes(&mut self, offset: i64) {
        if self.flushes > 0 {
            self.flush_limit = self.flush_limit.min(offset);
        }
    }

    /// Cuts the last of `kept` at `end`; `dropped` go.
    fn cut_segments(
        &mut self,
        kept: &[Arc<Segment>],
        dropped: &[Arc<Segment>],
        end: i64,
        now: WallClock,
    ) -> io::Result<()> {
        let (last, before) = kept.split_last().expect("the first segment begins at or before the new end");
        let position = match last.position_of(self.home(), end)? {
            Found::At(position) => position,
            Found::Behind => last.size(),
            Found::Damaged(position) => position,
        };
        last.cut(position);
        for segment in dropped {
            segment.cut(0);
        }
        // Readers see the shorter log before the file is cut: what they hold is checked by `Slice::is_valid`.
        let tip = Tip { end: (end - last.base()) as u32, size: position as u32 };
        let mut segments = before.to_vec();
        segments.push(Arc::new(Segment::stored(last.base(), tip, last.tail().up_to(position))));
        self.view.set_segments(segments);
        self.view.set_end(end);
        self.view.truncated(end);
        // From the end on, so that a crash between two removals leaves no gap.
        for segment in dropped.iter().rev() {
            segment.close_files();
            self.remove_files(segment.base())?;
        }
        // Else a loss of power might leave a gap where segments come back and the end of this one does not.
        if !dropped.is_empty() {
            self.home().disk().sync_dir(&self.home().path())?;
        }
        if last.size() > 0 && !planted::active(Bug::SkippedTruncate) {
            last.log_file(self.home())?.set_len(position)?;
        }
        last.close_files();
        let active = self.reload_segment(last.base(), position, now)?;
        active.segment.truncate_aborted(self.home(), end)?;
        self.install(before, active);
        self.journal_change(Kind::Cut, last.base(), position);
        Ok(())
    }

    /// Puts the active segment behind `before` and publishes the end that follows from it.
    pub(super) fn install(&mut self, before: &[Arc<Segment>], active: Active) {
        let mut segments = before.to_vec();
        let end = active.segment.end();
        segments.push(Arc::clone(&active.segment));
        self.view.set_segments(segments);
        self.view.set_end(end);
        self.active = Some(Box::new(active));
        self.entries.change();
    }

    fn remove_files(&self, base: i64) -> io::Result<()> {
        for kind in [FileKind::Log, FileKind::OffsetIndex, FileKind::TimeIndex, FileKind::TransactionIndex] {
            self.home().disk().remove_file(&self.home().file_path(base, kind))?;
        }
        Ok(())
    }

    /// Removes the producer snapshots whose offset fits.
    pub(super) fn remove_snapshots(&mut self, which: impl Fn(i64) -> bool) -> io::Result<()> {
        for entry in self.home().disk().list(&self.home().path())? {
            if let Some((offset, FileKind::Snapshot)) = FileKind::parse(&entry.name)
                && which(offset)
            {
                self.home().disk().remove_file(&self.home().path().join(&entry.name))?;
            }
        }
        Ok(())
    }

    /// Drops everything; the next record gets the offset `start`.
    pub fn truncate_fully(&mut self, start: Offset, now: WallClock) -> io::Result<()> {
        let segments = self.view.segments();
        for segment in segments.iter() {
            segment.cut(0);
        }
        self.view.set_segments(Vec::new());
        self.view.set_end(start.0);
        self.view.set_start(start.0);
        self.view.truncated(start.0);
        self.active = None;
        for segment in segments.iter().rev() {
            segment.close_files();
            self.remove_files(segment.base())?;
        }
        self.remove_snapshots(|_| true)?;
        self.producers = Producers::default();
        self.view.set_unstable(None);
        self.snapshot = start.0;
        self.recovery_point = start.0;
        self.limit_flushes(start.0);
        self.update_epochs(Epochs::clear);
        self.write_epochs()?;
        // An empty file at the new start: a directory without segments would begin at 0 again.
        if start.0 > 0 {
            self.roll_to(start.0, now)?;
            if let Some(active) = &self.active {
                active.segment.create_log_file(self.home())?;
            }
        }
        self.journal_change(Kind::Restart, start.0, 0);
        self.check();
        Ok(())
    }

    /// Raises the log start (DeleteRecords, or a leader's start). The caller keeps it at or below the high watermark.
    /// Segments that lie wholly before it go with the next retention. True when it moved.
    pub fn raise_start(&mut self, start: Offset) -> bool {
        let start = start.min(self.view.end());
        if start <= self.view.start() {
            return false;
        }
        self.view.set_start(start.0);
        self.update_epochs(|epochs| epochs.truncate_start(start));
        self.watermark_moved(start);
        self.check();
        true
    }

    /// Takes segments out of use: their files get the suffix `.deleted` and are to be removed after
    /// `file.delete.delay.ms`. The log start is raised to what is left.
    pub(super) fn drop_segments(&mut self, count: usize, now: WallClock) -> io::Result<Doomed> {
        let segments = self.view.segments();
        let (dropped, kept) = segments.split_at(count.min(segments.len()));
        self.keep_producers_of(kept);
        if let Some(first) = kept.first() {
            self.raise_start(Offset(first.base()));
        }
        self.view.set_segments(kept.to_vec());
        self.entries.change();
        if let Some(first) = kept.first() {
            self.journal_change(Kind::Gone, first.base(), 0);
        }
        let mut doomed =
            Doomed { paths: Vec::new(), due: WallClock(now.0.saturating_add(self.config.delete_delay_ms)) };
        for segment in dropped {
            segment.close_files();
            for kind in [FileKind::Log, FileKind::OffsetIndex, FileKind::TimeIndex, FileKind::TransactionIndex] {
                doomed.paths.extend(self.mark_deleted(segment.base(), kind)?);
            }
            doomed.paths.extend(self.mark_deleted(segment.base(), FileKind::Snapshot)?);
        }
        self.check();
        Ok(doomed)
    }

    /// What goes with the segments before `kept` cannot be replayed any more. A snapshot tells of it but for a log that was
    /// opened after a loss of power.
    fn keep_producers_of(&mut self, kept: &[Arc<Segment>]) {
        let lacks = kept.first().is_some_and(|first| self.snapshot < first.base());
        if lacks
            && (self.has_snapshot || self.producers.iter().len() > 0)
            && let Err(error) = self.write_snapshot(self.end())
        {
            tracing::warn!(partition = %self.view.name(), %error, "producer snapshot not written");
        }
    }

    fn mark_deleted(&self, base: i64, kind: FileKind) -> io::Result<Option<PathBuf>> {
        let path = self.home().file_path(base, kind);
        let mut name = path.clone().into_os_string();
        name.push(DELETED);
        let to = PathBuf::from(name);
        match self.home().disk().rename(&path, &to) {
            Ok(()) => Ok(Some(to)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Renames the partition's directory so that a restart removes it too, and says what to remove when readers are
    /// done. `unique` is 32 hexadecimal digits. The log takes nothing any more, and has nothing to sync or to give up.
    pub fn delete(&mut self, unique: &str, now: WallClock) -> io::Result<Doomed> {
        use crate::dir::names::DirKind;
        let from = self.home().path();
        let to = self.home().log_dir().path().join(self.view.name().dir_name(DirKind::Delete, unique));
        self.journal_change(Kind::Removed, 0, 0);
        self.is_removed = true;
        self.home().disk().rename(&from, &to)?;
        self.home().moved(to.clone());
        Ok(Doomed { paths: vec![to], due: WallClock(now.0.saturating_add(self.config.delete_delay_ms)) })
    }
}
