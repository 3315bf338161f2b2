//! A log directory: its lock, its own files, its open files, and whether it can still be trusted.

pub mod boot;
pub mod checkpoint;
pub(crate) mod entries;
pub mod files;
pub mod journal;
pub mod marker;
pub mod meta;
pub mod names;
mod removal;
mod sync;

pub use removal::Doomed;
pub use sync::{Flush, SyncFailed};

use boot::{BOOT, Boot, LastEnd};
use checkpoint::{CHECKPOINT_BYTES_MAX, CheckpointError, HIGH_WATERMARK, LOG_START, Offsets, RECOVERY_POINT};
use files::FileCache;
use journal::{Found as JournalEnd, Journal, Replayed};
use marker::CLEAN_SHUTDOWN;
use meta::{META_PROPERTIES, MetaError, MetaProperties};
use names::{DirKind, PartitionName};
use ottla_host::disk::DirLock;
use ottla_host::{Disk, Host};
use ottla_wire::ids::Offset;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// Largest of the small files that are read whole.
pub(crate) const SMALL_FILE_MAX: u64 = 1 << 20;

/// Why a log directory could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum DirError {
    /// Another process uses it.
    #[error("{0} is in use by another process: its .lock file is held")]
    Locked(PathBuf),
    /// A file of it could not be read or written.
    #[error("{path}: {error}")]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What went wrong.
        error: io::Error,
    },
    /// `meta.properties` is not valid.
    #[error("{path}: {error}")]
    Meta {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: MetaError,
    },
}

/// Why a directory is offline.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fault {
    /// What was being done, to which file.
    pub what: String,
    /// What the system said.
    pub error: String,
}

/// A partition's directory as found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Found {
    /// The partition.
    pub name: PartitionName,
    /// What the directory is for.
    pub kind: DirKind,
    /// Name of the directory.
    pub dir_name: String,
}

/// A log directory that this process holds.
pub struct LogDir {
    host: Host,
    path: PathBuf,
    lane: String,
    meta: Option<MetaProperties>,
    last_end: LastEnd,
    broker_epoch: Option<i64>,
    recovery_points: Offsets,
    log_starts: Offsets,
    high_watermarks: Offsets,
    files: FileCache,
    journal: OnceLock<Arc<Journal>>,
    journal_found: JournalEnd,
    replayed: Replayed,
    offline: AtomicBool,
    /// Partitions that this process has opened or made. A leaf of the lock order.
    opened: Mutex<BTreeSet<PartitionName>>,
    /// A leaf of the lock order.
    fault: Mutex<Option<Fault>>,
    /// A leaf of the lock order; held through the sync at a stop, when nobody else takes it.
    lock: Mutex<Option<Box<dyn DirLock>>>,
}

impl fmt::Debug for LogDir {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogDir").field("path", &self.path).field("last_end", &self.last_end).finish_non_exhaustive()
    }
}

impl LogDir {
    /// Opens a directory, made if it does not exist: takes its lock, reads its files, removes the clean marker so that
    /// a crash from here on is seen as one, and notes the boot; after a loss [`LogDir::recovered`] does that. `files_max` bounds the files kept open.
    pub fn open(host: &Host, path: &Path, files_max: usize) -> Result<Arc<LogDir>, DirError> {
        let disk = &*host.disk;
        let io_at = |path: &Path| {
            let path = path.to_owned();
            move |error| DirError::Io { path, error }
        };
        create_durably(disk, path).map_err(io_at(path))?;
        let lock = disk.lock_dir(path).map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock => DirError::Locked(path.to_owned()),
            _ => DirError::Io { path: path.join(".lock"), error },
        })?;
        let text = |name: &str| -> Result<Option<String>, DirError> {
            let path = path.join(name);
            let bytes = disk.read(&path, SMALL_FILE_MAX).map_err(io_at(&path))?;
            Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
        };
        let meta = match text(META_PROPERTIES)? {
            Some(text) => Some(
                MetaProperties::parse(&text)
                    .map_err(|error| DirError::Meta { path: path.join(META_PROPERTIES), error })?,
            ),
            None => None,
        };
        let marker = text(CLEAN_SHUTDOWN)?;
        let boot_id = disk.boot_id();
        let note = text(BOOT)?.as_deref().and_then(Boot::parse);
        let last_end = LastEnd::of(marker.is_some(), note.as_ref(), &boot_id);
        // The note first: if the process dies between the two steps, the marker still says that all is flushed. After a
        // loss it waits for `recovered`: a process that dies before it has checked everything leaves that to the next.
        if matches!(last_end, LastEnd::Clean | LastEnd::Killed) {
            let boot_path = path.join(BOOT);
            let boot = Boot { boot_id, sync_failed: false };
            disk.replace(&boot_path, boot.write().as_bytes(), false).map_err(io_at(&boot_path))?;
        }
        if marker.is_some() {
            // A removal that a loss of power undoes would call what is written from here on clean.
            disk.remove_file(&path.join(CLEAN_SHUTDOWN)).map_err(io_at(path))?;
            disk.sync_dir(path).map_err(io_at(path))?;
        }
        let (journal_found, replayed) = journal::settle_at_start(disk, path, last_end).map_err(io_at(path))?;
        Ok(Arc::new(LogDir {
            journal: OnceLock::new(),
            journal_found,
            replayed,
            lane: format!("log-dir {}", path.display()),
            meta,
            last_end,
            broker_epoch: marker.as_deref().and_then(marker::parse),
            recovery_points: read_offsets(disk, path, RECOVERY_POINT)?,
            log_starts: read_offsets(disk, path, LOG_START)?,
            high_watermarks: read_offsets(disk, path, HIGH_WATERMARK)?,
            files: FileCache::new(files_max),
            offline: AtomicBool::new(false),
            opened: Mutex::default(),
            fault: Mutex::new(None),
            lock: Mutex::new(Some(lock)),
            host: host.clone(),
            path: path.to_owned(),
        }))
    }

    /// The directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Starts the durable journal: logs whose `journal` setting is on write to it from now on. Call it before logs are
    /// opened. The first time the file is filled with zeros, which takes as long as the device needs for it.
    pub fn start_journal(self: &Arc<LogDir>, section_bytes: u64) -> io::Result<()> {
        let journal = Journal::open(self, self.journal_found, section_bytes)?;
        let _ = self.journal.set(journal);
        Ok(())
    }

    /// What the journal had to put into the files when the directory was opened.
    #[must_use]
    pub fn replayed(&self) -> Replayed {
        self.replayed
    }

    pub(crate) fn journal(&self) -> Option<&Arc<Journal>> {
        self.journal.get()
    }

    /// Name of the thread for this directory's long work, for `Tasks::offload`.
    #[must_use]
    pub fn lane(&self) -> &str {
        &self.lane
    }

    /// `meta.properties`; None in a directory that was never formatted.
    #[must_use]
    pub fn meta(&self) -> Option<&MetaProperties> {
        self.meta.as_ref()
    }

    /// How the last use ended.
    #[must_use]
    pub fn last_end(&self) -> LastEnd {
        self.last_end
    }

    /// Broker epoch that the last clean stop noted (KIP-966); None after any other end.
    #[must_use]
    pub fn previous_broker_epoch(&self) -> Option<i64> {
        self.broker_epoch.filter(|_| self.last_end == LastEnd::Clean)
    }

    /// Checkpointed high watermark of a partition, as it was at opening.
    #[must_use]
    pub fn high_watermark(&self, name: &PartitionName) -> Option<Offset> {
        self.high_watermarks.get(name).copied()
    }

    /// Checkpointed log start of a partition, as it was at opening.
    #[must_use]
    pub fn log_start(&self, name: &PartitionName) -> Option<Offset> {
        self.log_starts.get(name).copied()
    }

    /// Checkpointed recovery point of a partition, as it was at opening.
    #[must_use]
    pub fn recovery_point(&self, name: &PartitionName) -> Option<Offset> {
        self.recovery_points.get(name).copied()
    }

    /// The directories of partitions, those waiting for removal included, and the names of directories that are none.
    pub fn partitions(&self) -> io::Result<(Vec<Found>, Vec<String>)> {
        let mut found = Vec::new();
        let mut foreign = Vec::new();
        for entry in self.disk().list(&self.path)? {
            if !entry.is_dir {
                continue;
            }
            match DirKind::parse(&entry.name) {
                Some((name, kind)) => found.push(Found { name, kind, dir_name: entry.name }),
                None => foreign.push(entry.name),
            }
        }
        Ok((found, foreign))
    }

    /// Writes a checkpoint, one of the names in [`checkpoint`], synced as Kafka does. What was there at opening stays for
    /// partitions that were not opened since: nobody knows more of them.
    pub fn write_checkpoint(&self, file: &str, offsets: &BTreeMap<PartitionName, Offset>) -> io::Result<()> {
        let mut all: BTreeMap<&PartitionName, Offset> = offsets.iter().map(|(name, offset)| (name, *offset)).collect();
        let before = match file {
            RECOVERY_POINT => Some(&self.recovery_points),
            LOG_START => Some(&self.log_starts),
            HIGH_WATERMARK => Some(&self.high_watermarks),
            _ => None,
        };
        for (name, offset) in before.into_iter().flatten() {
            if !self.has_opened(name) && self.disk().stat(&self.path.join(name.to_string()))?.is_some() {
                all.entry(name).or_insert(*offset);
            }
        }
        let text = checkpoint::write_offsets(all.into_iter());
        self.disk().replace(&self.path.join(file), text.as_bytes(), true)
    }

    /// Says that a partition's log was opened or made.
    pub(crate) fn note_opened(&self, name: &PartitionName) {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner).insert(name.clone());
    }

    fn has_opened(&self, name: &PartitionName) -> bool {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner).contains(name)
    }

    /// Whether a log is there that was not closed cleanly and not opened since, so that nobody has checked it.
    fn has_unchecked(&self) -> io::Result<bool> {
        if self.last_end == LastEnd::Clean {
            return Ok(false);
        }
        let (found, _) = self.partitions()?;
        Ok(found.iter().any(|found| found.kind == DirKind::Current && !self.has_opened(&found.name)))
    }

    /// Writes the marker of a clean stop: every log is closed and synced, and every checkpoint is written.
    /// Nothing is written for a directory that is offline, nor where a log was not opened that the last use left unclean.
    pub fn mark_clean(&self, broker_epoch: i64) -> io::Result<()> {
        if self.is_offline() {
            return Ok(());
        }
        if self.has_unchecked()? {
            tracing::warn!(dir = %self.path.display(), "not marked clean: not all of its logs were opened");
            return Ok(());
        }
        if let Some(journal) = self.journal() {
            journal.close()?;
        }
        self.disk().replace(&self.path.join(CLEAN_SHUTDOWN), marker::write(broker_epoch).as_bytes(), true)
    }

    /// Gives the lock back.
    pub fn release(&self) {
        *self.lock.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Says that all logs were opened, and after a failed sync also synced: until this, another start checks as much as
    /// this one. Does nothing after a stop that left nothing to check.
    pub fn recovered(&self) -> io::Result<()> {
        if matches!(self.last_end, LastEnd::Clean | LastEnd::Killed) {
            return Ok(());
        }
        let note = Boot { boot_id: self.disk().boot_id(), sync_failed: false };
        self.disk().replace(&self.path.join(BOOT), note.write().as_bytes(), true)
    }

    /// Whether the directory failed and serves no more.
    #[must_use]
    pub fn is_offline(&self) -> bool {
        self.offline.load(Ordering::Acquire)
    }

    /// Why the directory is offline.
    #[must_use]
    pub fn fault(&self) -> Option<Fault> {
        self.fault.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes the directory offline: what was read from or written to it may be wrong. The first fault is kept.
    pub fn fail(&self, what: &str, error: &io::Error) {
        let mut fault = self.fault.lock().unwrap_or_else(PoisonError::into_inner);
        if fault.is_none() {
            tracing::error!(dir = %self.path.display(), %error, what, "log directory offline");
            *fault = Some(Fault { what: what.to_owned(), error: error.to_string() });
        }
        self.offline.store(true, Ordering::Release);
    }

    /// As `fail`, for work that comes again: on a full disk nothing is wrong with what is there, and the next turn finds
    /// more room or says so again.
    pub fn fail_unless_full(&self, what: &str, error: &io::Error) {
        if is_full(error) {
            tracing::warn!(dir = %self.path.display(), %error, what, "disk full, put off");
        } else {
            self.fail(what, error);
        }
    }

    /// The seams to the outside.
    #[must_use]
    pub fn host(&self) -> &Host {
        &self.host
    }

    pub(crate) fn disk(&self) -> &dyn Disk {
        &*self.host.disk
    }

    pub(crate) fn files(&self) -> &FileCache {
        &self.files
    }
}

/// Makes a directory and its parents, and puts their names on the device: a power loss must not take the whole
/// directory with what was acknowledged in it.
fn create_durably(disk: &dyn Disk, path: &Path) -> io::Result<()> {
    let mut missing = Vec::new();
    for dir in path.ancestors() {
        if dir.as_os_str().is_empty() || disk.stat(dir)?.is_some() {
            break;
        }
        missing.push(dir);
    }
    disk.create_dir_all(path)?;
    let parent_of = |dir: &Path| match dir.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        Some(_) | None => PathBuf::from("."),
    };
    if missing.is_empty() {
        // The process that made it may have died before its name was synced. A parent that we may not open was not ours.
        return disk.sync_dir(&parent_of(path)).or_else(|error| match error.kind() {
            io::ErrorKind::PermissionDenied => Ok(()),
            _ => Err(error),
        });
    }
    missing.into_iter().try_for_each(|dir| disk.sync_dir(&parent_of(dir)))
}

/// A checkpoint that cannot be understood counts as empty, as in Kafka: what it would have said is found by scanning.
fn read_offsets(disk: &dyn Disk, dir: &Path, name: &str) -> Result<Offsets, DirError> {
    let path = dir.join(name);
    let bytes = match disk.read(&path, CHECKPOINT_BYTES_MAX) {
        Ok(bytes) => bytes.unwrap_or_default(),
        Err(error) => return Err(DirError::Io { path, error }),
    };
    let parsed: Result<Offsets, CheckpointError> = checkpoint::read_offsets(&String::from_utf8_lossy(&bytes));
    Ok(parsed.unwrap_or_else(|error| {
        tracing::warn!(file = %path.display(), %error, "checkpoint unreadable, taken as empty");
        Offsets::new()
    }))
}

/// Whether a write failed for want of room alone.
pub(crate) fn is_full(error: &io::Error) -> bool {
    use io::ErrorKind::{QuotaExceeded, StorageFull, WriteZero};
    matches!(error.kind(), StorageFull | QuotaExceeded | WriteZero)
}
