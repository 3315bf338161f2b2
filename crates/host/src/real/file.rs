//! A file of the machine, read and written at explicit positions.

use super::syscall;
use crate::disk::File;
use rustix::fs::{Advice, FallocateFlags};
use rustix::io::{Errno, ReadWriteFlags, retry_on_intr};
use std::fs;
use std::io::{self, IoSlice, IoSliceMut};
use std::num::NonZeroU64;
use std::os::fd::{AsFd, BorrowedFd};

/// Distance between two looks into a range: as the kernel reads ahead in larger pieces, one look speaks for its stride.
const PROBE_STRIDE: u64 = 64 * 1024;
/// A range is looked at in at most so many places before its last byte.
const PROBES_MAX: u64 = 32;

/// An open file.
#[derive(Debug)]
pub(super) struct RealFile {
    file: fs::File,
}

impl RealFile {
    pub(super) fn new(file: fs::File) -> RealFile {
        RealFile { file }
    }
}

impl File for RealFile {
    fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        Ok(retry_on_intr(|| rustix::io::pread(&self.file, &mut *buffer, at))?)
    }

    fn write_at(&self, parts: &[IoSlice<'_>], at: u64) -> io::Result<usize> {
        match parts {
            [one] => Ok(retry_on_intr(|| rustix::io::pwrite(&self.file, one, at))?),
            several => Ok(retry_on_intr(|| rustix::io::pwritev(&self.file, several, at))?),
        }
    }

    fn len(&self) -> io::Result<u64> {
        Ok(u64::try_from(rustix::fs::fstat(&self.file)?.st_size).unwrap_or(0))
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        Ok(retry_on_intr(|| rustix::fs::ftruncate(&self.file, len))?)
    }

    fn reserve(&self, len: u64) -> io::Result<()> {
        if len == 0 {
            return Ok(());
        }
        match retry_on_intr(|| rustix::fs::fallocate(&self.file, FallocateFlags::KEEP_SIZE, 0, len)) {
            // A file system without reservations serves as well, only slower.
            Err(Errno::OPNOTSUPP) | Ok(()) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn sync(&self) -> io::Result<()> {
        Ok(rustix::fs::fdatasync(&self.file)?)
    }

    fn start_writeback(&self, at: u64, len: u64) -> io::Result<()> {
        syscall::start_writeback(self.file.as_fd(), at, len)
    }

    fn read_ahead(&self, at: u64, len: u64) -> io::Result<()> {
        rustix::fs::fadvise(&self.file, at, NonZeroU64::new(len), Advice::WillNeed)?;
        // The advice returns before the device has answered; a byte of each stride waits for it.
        let mut byte = [0];
        for position in probes(at, len, u64::MAX) {
            self.read_at(&mut byte, position)?;
        }
        Ok(())
    }

    fn is_cached(&self, at: u64, len: u64) -> bool {
        probes(at, len, PROBES_MAX).all(|position| self.is_byte_cached(position))
    }

    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        Some(self.file.as_fd())
    }
}

impl RealFile {
    fn is_byte_cached(&self, at: u64) -> bool {
        let mut byte = [0];
        let mut parts = [IoSliceMut::new(&mut byte)];
        match rustix::io::preadv2(&self.file, &mut parts, at, ReadWriteFlags::NOWAIT) {
            Ok(_) => true,
            Err(Errno::AGAIN) => false,
            // Without the flag, as on a memory file system, there is nothing to wait for.
            Err(_) => true,
        }
    }
}

/// Positions at which a range is looked at: one a stride, at most `count_max`, and its last byte.
fn probes(at: u64, len: u64, count_max: u64) -> impl Iterator<Item = u64> {
    let count = len.div_ceil(PROBE_STRIDE).min(count_max);
    let stride = (len / count.max(1)).max(PROBE_STRIDE);
    let last = len.checked_sub(1).filter(|last| *last > 0);
    (0..count).map(move |index| at + (index * stride).min(len - 1)).chain(last.map(|last| at + last))
}
