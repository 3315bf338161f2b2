//! Where a partition's files lie: its directory inside a log directory.

use crate::dir::LogDir;
use crate::dir::files::Slot;
use crate::dir::names::{FileKind, PartitionName};
use arc_swap::ArcSwap;
use ottla_host::disk::Open;
use ottla_host::{Disk, File};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

/// The directory of one partition. Its path changes when it is renamed to wait for its removal.
#[derive(Debug)]
pub(crate) struct Home {
    name: PartitionName,
    log_dir: Arc<LogDir>,
    path: ArcSwap<PathBuf>,
}

impl Home {
    pub(crate) fn new(log_dir: Arc<LogDir>, name: PartitionName, dir_name: &str) -> Home {
        let path = log_dir.path().join(dir_name);
        Home { name, log_dir, path: ArcSwap::from_pointee(path) }
    }

    pub(crate) fn name(&self) -> &PartitionName {
        &self.name
    }

    pub(crate) fn log_dir(&self) -> &Arc<LogDir> {
        &self.log_dir
    }

    pub(crate) fn disk(&self) -> &dyn Disk {
        self.log_dir.disk()
    }

    /// The directory.
    pub(crate) fn path(&self) -> Arc<PathBuf> {
        self.path.load_full()
    }

    /// Says that the directory has another path now.
    pub(crate) fn moved(&self, path: PathBuf) {
        self.path.store(Arc::new(path));
    }

    /// Path of a file of a segment.
    pub(crate) fn file_path(&self, base: i64, kind: FileKind) -> PathBuf {
        self.path.load().join(kind.name(base))
    }

    /// A file of a segment through the cache of open files.
    pub(crate) fn open(&self, slot: &Arc<Slot>, base: i64, kind: FileKind, how: Open) -> io::Result<Arc<dyn File>> {
        self.log_dir.files().get(slot, || self.disk().open(&self.file_path(base, kind), how))
    }
}
