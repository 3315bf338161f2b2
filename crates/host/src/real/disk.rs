//! The file systems of the machine.

use super::file::RealFile;
use super::lock::lock_dir;
use super::sync_pool::SyncPools;
use crate::disk::{DirLock, Disk, Entry, File, Open, Space, Stat};
use crate::tasks::BoxFuture;
use rustix::fs::OFlags;
use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// The disks of this machine. Needs no runtime: tests of synchronous code make one with `RealDisk::new()`.
#[derive(Debug, Default)]
pub struct RealDisk {
    pools: SyncPools,
}

impl RealDisk {
    /// The disks; threads start with the first `sync_all`.
    #[must_use]
    pub fn new() -> RealDisk {
        RealDisk::default()
    }
}

impl Disk for RealDisk {
    fn open(&self, path: &Path, how: Open) -> io::Result<Arc<dyn File>> {
        let mut options = OpenOptions::new();
        options.read(true);
        match how {
            Open::Read => &mut options,
            Open::Write => options.write(true),
            Open::Create => options.write(true).create(true),
            Open::CreateNew => options.write(true).create_new(true),
            Open::Durable => return open_durable(path),
        };
        Ok(Arc::new(RealFile::new(options.open(path)?)))
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        fs::create_dir_all(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(path)? {
            let entry = entry?;
            // `is_dir` follows links, as a log directory may be linked from another disk.
            let kind = entry.file_type()?;
            let is_dir = if kind.is_symlink() { entry.path().is_dir() } else { kind.is_dir() };
            entries.push(Entry { name: entry.file_name().to_string_lossy().into_owned(), is_dir });
        }
        entries.sort();
        Ok(entries)
    }

    fn stat(&self, path: &Path) -> io::Result<Option<Stat>> {
        let found = match fs::metadata(path) {
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let modified = found.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
        let modified_ms = i64::try_from(modified.as_millis()).unwrap_or(i64::MAX);
        Ok(Some(Stat { len: found.len(), is_dir: found.is_dir(), modified_ms }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        match fs::remove_file(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            done => done,
        }
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        fs::remove_dir_all(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        fs::File::open(path)?.sync_all()
    }

    fn space(&self, path: &Path) -> io::Result<Space> {
        let found = rustix::fs::statvfs(path)?;
        let unit = found.f_frsize;
        Ok(Space { free: found.f_bavail.saturating_mul(unit), total: found.f_blocks.saturating_mul(unit) })
    }

    fn lock_dir(&self, dir: &Path) -> io::Result<Box<dyn DirLock>> {
        lock_dir(dir)
    }

    fn boot_id(&self) -> String {
        // Without an id every start counts as a new boot, which is the careful reading.
        fs::read_to_string(BOOT_ID).map(|id| id.trim().to_owned()).unwrap_or_default()
    }

    fn sync_all(&self, files: Vec<Arc<dyn File>>) -> BoxFuture<'static, Vec<io::Result<()>>> {
        self.pools.sync_all(files)
    }
}

fn open_durable(path: &Path) -> io::Result<Arc<dyn File>> {
    let open = |flags: OFlags| {
        let flags = i32::try_from(flags.bits()).expect("open flags are a C int");
        OpenOptions::new().read(true).write(true).create(true).truncate(false).custom_flags(flags).open(path)
    };
    match open(OFlags::DIRECT | OFlags::DSYNC) {
        // A file system without direct I/O still writes through.
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(Arc::new(RealFile::new(open(OFlags::DSYNC)?))),
        Err(error) => Err(error),
        Ok(file) => Ok(Arc::new(RealFile::new(file))),
    }
}
