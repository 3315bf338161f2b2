//! The lock of a log directory: a record lock on its `.lock`, as Apache Kafka takes it.

use super::syscall;
use crate::disk::DirLock;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

const KERNEL_RELEASE: &str = "/proc/sys/kernel/osrelease";

/// Holds the lock as long as the file is open.
#[derive(Debug)]
struct RecordLock {
    file: File,
    /// Number of the file system's device; None on a kernel that does not tell of lost writes.
    device: Option<u64>,
}

impl DirLock for RecordLock {
    fn covers(&self, path: &Path) -> bool {
        fs::metadata(path).is_ok_and(|found| self.device == Some(found.dev()))
    }

    fn sync_file_system(&self) -> io::Result<()> {
        Ok(rustix::fs::syncfs(&self.file)?)
    }
}

/// Since Linux 5.8 `syncfs` answers the errors of writes since its file was opened; before, it is silent about them.
fn tells_write_errors() -> bool {
    let release = fs::read_to_string(KERNEL_RELEASE).unwrap_or_default();
    let mut numbers = release.split(|letter: char| !letter.is_ascii_digit()).map_while(|part| part.parse::<u32>().ok());
    matches!((numbers.next(), numbers.next()), (Some(major), Some(minor)) if (major, minor) >= (5, 8))
}

/// Takes the lock of `dir`, `WouldBlock` when another process or another open file of this one holds it.
pub(super) fn lock_dir(dir: &Path) -> io::Result<Box<dyn DirLock>> {
    let mut options = OpenOptions::new();
    let file = options.read(true).write(true).create(true).truncate(false).open(dir.join(".lock"))?;
    match syscall::lock_exclusively(file.as_fd()) {
        Ok(()) => {
            let device = if tells_write_errors() { Some(file.metadata()?.dev()) } else { None };
            Ok(Box::new(RecordLock { file, device }))
        }
        // fcntl may answer EACCES where others answer EAGAIN.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Err(io::ErrorKind::WouldBlock.into()),
        Err(error) => Err(error),
    }
}
