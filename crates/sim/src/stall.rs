//! A disk one of whose directories stops answering for a while, around any other disk.

use ottla_host::BoxFuture;
use ottla_host::disk::{DirLock, Disk, Entry, File, Open, Space, Stat};
use parking_lot::{Condvar, Mutex};
use std::fmt;
use std::io::{self, IoSlice};
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Wraps a disk. While stalled, whatever touches `dir` blocks its thread, as a device without answers does.
pub struct StallingDisk {
    inner: Arc<dyn Disk>,
    dir: PathBuf,
    gate: Arc<Gate>,
}

/// Opens and closes the way to the device. Lock order: a leaf, held by nobody who waits for anything else.
#[derive(Default)]
pub struct Gate {
    is_stalled: Mutex<bool>,
    opened: Condvar,
}

impl Gate {
    /// Stalls the directory from here on.
    pub fn stall(&self) {
        *self.is_stalled.lock() = true;
    }

    /// Lets all that waits go on.
    pub fn resume(&self) {
        *self.is_stalled.lock() = false;
        self.opened.notify_all();
    }

    fn pass(&self) {
        let mut is_stalled = self.is_stalled.lock();
        while *is_stalled {
            self.opened.wait(&mut is_stalled);
        }
    }
}

impl StallingDisk {
    /// A disk whose `dir` stalls when its gate says so.
    #[must_use]
    pub fn new(inner: Arc<dyn Disk>, dir: &Path) -> StallingDisk {
        StallingDisk { inner, dir: dir.to_owned(), gate: Arc::default() }
    }

    /// The way to stall it.
    #[must_use]
    pub fn gate(&self) -> Arc<Gate> {
        Arc::clone(&self.gate)
    }

    fn reach(&self, path: &Path) -> &dyn Disk {
        if path.starts_with(&self.dir) {
            self.gate.pass();
        }
        &*self.inner
    }
}

impl Disk for StallingDisk {
    fn open(&self, path: &Path, how: Open) -> io::Result<Arc<dyn File>> {
        let inner = self.reach(path).open(path, how)?;
        if !path.starts_with(&self.dir) {
            return Ok(inner);
        }
        Ok(Arc::new(StallingFile { inner, gate: self.gate() }))
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        self.reach(path).create_dir_all(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<Entry>> {
        self.reach(path).list(path)
    }

    fn stat(&self, path: &Path) -> io::Result<Option<Stat>> {
        self.reach(path).stat(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.reach(to).rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.reach(path).remove_file(path)
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        self.reach(path).remove_dir_all(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.reach(path).sync_dir(path)
    }

    fn space(&self, path: &Path) -> io::Result<Space> {
        self.reach(path).space(path)
    }

    fn lock_dir(&self, dir: &Path) -> io::Result<Box<dyn DirLock>> {
        self.reach(dir).lock_dir(dir)
    }

    fn boot_id(&self) -> String {
        self.inner.boot_id()
    }

    fn sync_all(&self, files: Vec<Arc<dyn File>>) -> BoxFuture<'static, Vec<io::Result<()>>> {
        self.inner.sync_all(files)
    }
}

/// A file of the directory. It shows its descriptor, so that a pool finds its device; looks into the page cache and
/// sends from it do not stall, as on Linux.
struct StallingFile {
    inner: Arc<dyn File>,
    gate: Arc<Gate>,
}

impl fmt::Debug for StallingFile {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(out)
    }
}

impl StallingFile {
    fn reach(&self) -> &dyn File {
        self.gate.pass();
        &*self.inner
    }
}

impl File for StallingFile {
    fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        self.reach().read_at(buffer, at)
    }

    fn write_at(&self, parts: &[IoSlice<'_>], at: u64) -> io::Result<usize> {
        self.reach().write_at(parts, at)
    }

    fn len(&self) -> io::Result<u64> {
        self.inner.len()
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.reach().set_len(len)
    }

    fn reserve(&self, len: u64) -> io::Result<()> {
        self.reach().reserve(len)
    }

    fn sync(&self) -> io::Result<()> {
        self.reach().sync()
    }

    fn start_writeback(&self, at: u64, len: u64) -> io::Result<()> {
        self.reach().start_writeback(at, len)
    }

    fn read_ahead(&self, at: u64, len: u64) -> io::Result<()> {
        self.reach().read_ahead(at, len)
    }

    fn is_cached(&self, at: u64, len: u64) -> bool {
        self.inner.is_cached(at, len)
    }

    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.inner.descriptor()
    }
}
