//! The lock of a log directory: a record lock on its `.lock`, as Apache Kafka takes it.

use super::syscall;
use crate::disk::DirLock;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsFd;
use std::path::Path;

/// Holds the lock as long as the file is open.
#[derive(Debug)]
struct RecordLock {
    _file: File,
}

impl DirLock for RecordLock {}

/// Takes the lock of `dir`, `WouldBlock` when another process or another open file of this one holds it.
pub(super) fn lock_dir(dir: &Path) -> io::Result<Box<dyn DirLock>> {
    let mut options = OpenOptions::new();
    let file = options.read(true).write(true).create(true).truncate(false).open(dir.join(".lock"))?;
    match syscall::lock_exclusively(file.as_fd()) {
        Ok(()) => Ok(Box::new(RecordLock { _file: file })),
        // fcntl may answer EACCES where others answer EAGAIN.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Err(io::ErrorKind::WouldBlock.into()),
        Err(error) => Err(error),
    }
}
