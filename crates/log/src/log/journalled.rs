//! What a log tells the durable journal.

use super::Log;
use crate::dir::names::DirKind;
use crate::journal::{Change, Entry, Journal, Kind};
use crate::segment::Segment;
use std::io::IoSlice;
use std::sync::Arc;

impl Log {
    /// The journal, when this log writes to it.
    pub(super) fn journal(&self) -> Option<&Arc<Journal>> {
        if self.config.journal { self.home().log_dir().journal() } else { None }
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
        journal.append(&Change { view: &self.view, segment, end }, &entry, parts);
    }
}
