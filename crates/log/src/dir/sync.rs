//! Putting files on the device, and what a failure to do so means for the directory.

use super::LogDir;
use super::boot::{BOOT, Boot};
use super::entries::EntriesSync;
use ottla_host::File;
use ottla_host::planted::{self, Bug};
use ottla_wire::ids::Offset;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// What has to reach the device so that a log is durable up to an offset. Give it to [`LogDir::sync`], then tell the log
/// with `flushed`.
#[derive(Debug)]
#[must_use]
pub struct Flush {
    /// Everything below is durable afterwards.
    pub through: Offset,
    /// Files to sync.
    pub files: Vec<Arc<dyn File>>,
    /// Directories to sync afterwards.
    pub dirs: Vec<PathBuf>,
    /// What the log is told when they are.
    pub(crate) entries: Option<EntriesSync>,
}

/// A sync failed: the directory is offline, and it is noted that memory may call lost pages clean.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a sync failed; the log directory is offline until what was not synced has been read from the device")]
pub struct SyncFailed;

impl LogDir {
    /// Puts all of `flushes` on the device, files in parallel, then directories on the directory's thread.
    ///
    /// While the directory is offline this fails: after a failed sync the next one of the same file succeeds, without
    /// what the first has lost.
    pub async fn sync(self: &Arc<LogDir>, flushes: &mut [Flush]) -> Result<(), SyncFailed> {
        self.check_online()?;
        let files: Vec<_> = flushes.iter_mut().flat_map(|flush| std::mem::take(&mut flush.files)).collect();
        for result in self.host().disk.sync_all(files).await {
            if planted::active(Bug::IgnoredSyncError) {
                continue;
            }
            result.map_err(|error| self.sync_failed(&error))?;
        }
        self.check_online()?;
        let mut dirs: Vec<_> = flushes.iter_mut().flat_map(|flush| std::mem::take(&mut flush.dirs)).collect();
        dirs.sort();
        dirs.dedup();
        if dirs.is_empty() {
            return Ok(());
        }
        let outcome = Arc::new(Mutex::new(Ok(())));
        let (dir, result) = (Arc::clone(self), Arc::clone(&outcome));
        let work = move || {
            let done = dir.sync_dirs(&dirs);
            *result.lock().unwrap_or_else(PoisonError::into_inner) = done;
        };
        self.host().tasks.offload(self.lane(), Box::new(work)).await;
        let done = std::mem::replace(&mut *outcome.lock().unwrap_or_else(PoisonError::into_inner), Ok(()));
        done.map_err(|error| self.sync_failed(&error))?;
        flushes.iter().filter_map(|flush| flush.entries.as_ref()).for_each(EntriesSync::done);
        Ok(())
    }

    /// Puts all of a flush on the device now. Blocks: only on the directory's thread, at start and at stop.
    pub fn sync_now(&self, flush: &Flush) -> Result<(), SyncFailed> {
        self.check_online()?;
        let files = flush.files.iter().try_for_each(|file| file.sync());
        let done = files.and_then(|()| self.sync_dirs(&flush.dirs));
        done.map_err(|error| self.sync_failed(&error))?;
        flush.entries.iter().for_each(EntriesSync::done);
        Ok(())
    }

    /// Whether `sync_together` speaks for what lies at `path`.
    #[must_use]
    pub fn syncs_together(&self, path: &Path) -> bool {
        self.lock.lock().unwrap_or_else(PoisonError::into_inner).as_ref().is_some_and(|lock| lock.covers(path))
    }

    /// Puts all that was written to the directory's file system on the device with one call. Blocks, for as long as
    /// everybody's writes there take: on the directory's thread, at stop.
    pub fn sync_together(&self) -> Result<(), SyncFailed> {
        self.check_online()?;
        let synced = match &*self.lock.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(lock) => lock.sync_file_system(),
            None => Err(io::ErrorKind::NotConnected.into()),
        };
        match synced {
            Err(_) if planted::active(Bug::IgnoredSyncError) => Ok(()),
            done => done.map_err(|error| self.sync_failed(&error)),
        }
    }

    /// Puts the entries of directories on the device. That of a partition may be gone, or renamed to wait for its removal:
    /// with the partition went what they were synced for.
    pub(super) fn sync_dirs<'p>(&self, dirs: impl IntoIterator<Item = &'p PathBuf>) -> io::Result<()> {
        dirs.into_iter().try_for_each(|path| match self.disk().sync_dir(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && path != self.path() => Ok(()),
            done => done,
        })
    }

    fn check_online(&self) -> Result<(), SyncFailed> {
        if self.is_offline() { Err(SyncFailed) } else { Ok(()) }
    }

    /// Notes on disk that memory may not be trusted in this boot, and takes the directory offline.
    pub(crate) fn sync_failed(&self, error: &io::Error) -> SyncFailed {
        let note = Boot { boot_id: self.disk().boot_id(), sync_failed: true };
        if let Err(error) = self.disk().replace(&self.path().join(BOOT), note.write().as_bytes(), true) {
            tracing::error!(dir = %self.path().display(), %error, "the failed sync could not be noted");
        }
        self.fail("sync", error);
        SyncFailed
    }
}
