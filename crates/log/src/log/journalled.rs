//! What a log tells the durable journal.

use super::Log;
use crate::dir::journal::{Change, Entry, Journal, JournalledFile, JournalledLog, Kind, Wake};
use crate::dir::names::DirKind;
use crate::segment::Segment;
use crate::view::View;
use ottla_host::File;
use std::io::{self, IoSlice};
use std::path::PathBuf;
use std::sync::{Arc, Weak};

impl JournalledLog for View {
    fn journalled_to(&self, end: i64, generation: u64) {
        View::journalled_to(self, end, generation);
    }

    fn generation(&self) -> u64 {
        View::generation(self)
    }
}

/// The file of a segment with the log that it belongs to, which holds the journal that holds this.
struct SegmentFile {
    view: Weak<View>,
    segment: Arc<Segment>,
}

impl JournalledFile for SegmentFile {
    fn open(&self) -> io::Result<Arc<dyn File>> {
        let view = self.view.upgrade().ok_or(io::ErrorKind::NotFound)?;
        self.segment.log_file(view.home())
    }

    fn entry_is_synced(&self) -> bool {
        self.segment.entry_is_synced()
    }

    fn note_entry_synced(&self) {
        self.segment.note_entry_synced();
    }

    fn directory(&self) -> Option<PathBuf> {
        Some(self.view.upgrade()?.path().to_path_buf())
    }
}

impl Log {
    /// Whether the journal takes more at the moment; always, where this log has none. Where it does not, what `wake`
    /// makes is called once on the journal's thread when it does. Ask before appending: what comes unasked is taken, and
    /// lets more wait in memory than was planned for.
    pub fn has_room_or_wakes(&self, wake: impl FnOnce() -> Wake) -> bool {
        self.journal().is_none_or(|journal| journal.has_room_or_wakes(wake))
    }

    /// The journal, when this log writes to it.
    pub(super) fn journal(&self) -> Option<&Arc<Journal>> {
        if self.config.journal && !self.is_removed { self.home().log_dir().journal() } else { None }
    }

    /// Journals bytes that were written to the active segment at `position`; `end` is the log's end with them.
    pub(super) fn journal_append<'p>(&self, position: u64, end: i64, fill: impl FnOnce(&mut Vec<IoSlice<'p>>)) {
        let (Some(journal), Some(active)) = (self.journal(), &self.active) else { return };
        let mut parts = Vec::new();
        fill(&mut parts);
        self.send(journal, Kind::Append, (&active.segment, position, end), &parts);
    }

    /// Journals a change that has no bytes. What has no active segment touches none, and syncs nothing later.
    pub(super) fn journal_change(&self, kind: Kind, base: i64, position: u64) {
        let Some(journal) = self.journal() else { return };
        let segment = match &self.active {
            Some(active) if active.segment.base() == base => Arc::clone(&active.segment),
            Some(_) | None => Arc::new(Segment::empty(base)),
        };
        self.send(journal, kind, (&segment, position, self.end()), &[]);
    }

    fn send(
        &self,
        journal: &Arc<Journal>,
        kind: Kind,
        (segment, position, end): (&Arc<Segment>, u64, i64),
        parts: &[IoSlice<'_>],
    ) {
        let name = self.view.name().dir_name(DirKind::Current, "");
        let entry = Entry { kind, name: &name, base: segment.base(), position };
        let log: Arc<dyn JournalledLog> = self.view.clone();
        let file = || -> Arc<dyn JournalledFile> {
            Arc::new(SegmentFile { view: Arc::downgrade(&self.view), segment: Arc::clone(segment) })
        };
        let file_id = Arc::as_ptr(segment) as usize;
        journal.append(&Change { log: &log, file_id, file: &file, end }, &entry, parts);
    }
}
