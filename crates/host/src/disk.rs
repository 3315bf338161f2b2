//! Files and directories: synchronous reads and writes, an asynchronous sync of sets of files.

use crate::tasks::BoxFuture;
use std::fmt::Debug;
use std::io::{self, IoSlice};
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How a file is opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Open {
    /// For reading; the file must exist.
    Read,
    /// For reading and writing; the file must exist.
    Write,
    /// For reading and writing, made when missing.
    Create,
    /// For reading and writing; the file must not exist.
    CreateNew,
    /// As `Create`, past the page cache: each write is on the device when it returns (`O_DIRECT | O_DSYNC`).
    /// Buffers, positions and lengths must be multiples of 4096.
    Durable,
}

/// An entry of a directory.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Entry {
    /// Name without its path.
    pub name: String,
    /// Whether it is a directory.
    pub is_dir: bool,
}

/// What the file system tells of a path.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stat {
    /// Bytes of a file.
    pub len: u64,
    /// Whether it is a directory.
    pub is_dir: bool,
    /// Last change, milliseconds since the epoch.
    pub modified_ms: i64,
}

/// Room of the file system that holds a path, in bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Space {
    /// Free for us.
    pub free: u64,
    /// In all.
    pub total: u64,
}

/// An open file. Positions are explicit, so that readers and the writer share one handle.
pub trait File: Send + Sync + Debug {
    /// Reads at `at`; 0 at the end of the file.
    fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize>;

    /// Writes the parts one after the other at `at`; may write less than all of it.
    fn write_at(&self, parts: &[IoSlice<'_>], at: u64) -> io::Result<usize>;

    /// Length in bytes.
    fn len(&self) -> io::Result<u64>;

    /// Whether the file has no bytes.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Cuts or extends with zeros.
    fn set_len(&self, len: u64) -> io::Result<()>;

    /// Reserves blocks up to `len` without changing the length.
    fn reserve(&self, len: u64) -> io::Result<()>;

    /// Puts all written data on the device. Blocks: only on threads of the log directory or at start and stop.
    fn sync(&self) -> io::Result<()>;

    /// Asks the kernel to start writing a range back, without waiting.
    fn start_writeback(&self, at: u64, len: u64) -> io::Result<()>;

    /// Asks the kernel to read a range ahead. May block: only on threads of the log directory.
    fn read_ahead(&self, at: u64, len: u64) -> io::Result<()>;

    /// Whether a read of the range would be served from memory.
    fn is_cached(&self, at: u64, len: u64) -> bool;

    /// The descriptor, where the file has one (a simulated one has none).
    fn descriptor(&self) -> Option<BorrowedFd<'_>>;
}

/// A lock on a directory, held until dropped.
pub trait DirLock: Send + Sync + Debug {
    /// Whether `sync_file_system` speaks for `path`: the system tells errors, and the path is no link to another one.
    fn covers(&self, path: &Path) -> bool;

    /// Puts all that was written to the file system of the directory on the device, names of files included. Fails for
    /// any write since the lock was taken that did not get there. Blocks as `File::sync` does.
    fn sync_file_system(&self) -> io::Result<()>;
}

/// The disks of a node. Paths are absolute or relative to the working directory.
pub trait Disk: Send + Sync {
    /// Opens a file.
    fn open(&self, path: &Path, how: Open) -> io::Result<Arc<dyn File>>;

    /// Makes a directory and its parents; fine if it exists.
    fn create_dir_all(&self, path: &Path) -> io::Result<()>;

    /// Entries of a directory, sorted by name.
    fn list(&self, path: &Path) -> io::Result<Vec<Entry>>;

    /// What lies at `path`; None if nothing.
    fn stat(&self, path: &Path) -> io::Result<Option<Stat>>;

    /// Renames a file or directory, replacing a file.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Deletes a file; fine if it does not exist.
    fn remove_file(&self, path: &Path) -> io::Result<()>;

    /// Deletes a directory with all in it.
    fn remove_dir_all(&self, path: &Path) -> io::Result<()>;

    /// Puts the entries of a directory on the device.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;

    /// Room of the file system at `path`.
    fn space(&self, path: &Path) -> io::Result<Space>;

    /// Locks `dir/.lock` with a record lock that also excludes Apache Kafka. WouldBlock when another process holds it.
    fn lock_dir(&self, dir: &Path) -> io::Result<Box<dyn DirLock>>;

    /// An id of this boot of the machine: what the page cache held in another boot is gone.
    fn boot_id(&self) -> String;

    /// Puts several files on the device at once, in parallel, off the callers' threads. One result a file, in order.
    fn sync_all(&self, files: Vec<Arc<dyn File>>) -> BoxFuture<'static, Vec<io::Result<()>>>;

    /// The whole of a file of at most `limit` bytes; None if it does not exist, `InvalidData` if it is longer.
    fn read(&self, path: &Path, limit: u64) -> io::Result<Option<Vec<u8>>> {
        let file = match self.open(path, Open::Read) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened?,
        };
        let len = file.len()?;
        if len > limit {
            let what = format!("{} has {len} bytes, at most {limit} are expected", path.display());
            return Err(io::Error::new(io::ErrorKind::InvalidData, what));
        }
        let mut bytes = vec![0; usize::try_from(len).unwrap_or(usize::MAX)];
        read_exact_at(&*file, &mut bytes, 0)?;
        Ok(Some(bytes))
    }

    /// Replaces a file in one step: `path.tmp` is written, synced when `durable`, renamed, and its directory synced.
    fn replace(&self, path: &Path, bytes: &[u8], durable: bool) -> io::Result<()> {
        let mut name = path.as_os_str().to_owned();
        name.push(".tmp");
        let aside = PathBuf::from(name);
        let file = self.open(&aside, Open::Create)?;
        file.set_len(0)?;
        write_all_at(&*file, bytes, 0)?;
        if durable {
            file.sync()?;
        }
        self.rename(&aside, path)?;
        match path.parent() {
            Some(parent) if durable => self.sync_dir(parent),
            Some(_) | None => Ok(()),
        }
    }
}

/// Fills `buffer` from `at`; `UnexpectedEof` if the file ends before.
pub fn read_exact_at(file: &dyn File, mut buffer: &mut [u8], mut at: u64) -> io::Result<()> {
    while !buffer.is_empty() {
        let read = file.read_at(buffer, at)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        buffer = &mut buffer[read..];
        at += read as u64;
    }
    Ok(())
}

/// Writes all of `bytes` at `at`; `WriteZero` when the disk takes nothing more.
pub fn write_all_at(file: &dyn File, mut bytes: &[u8], mut at: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        let written = file.write_at(&[IoSlice::new(bytes)], at)?;
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        bytes = &bytes[written..];
        at += written as u64;
    }
    Ok(())
}
