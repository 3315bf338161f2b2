//! The few system calls that no safe library offers. The only file of this crate that may say `unsafe`.
#![expect(unsafe_code, reason = "sync_file_range and open-file-description locks have no safe wrapper")]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// Starts writing the dirty pages of a range to the device and returns without waiting for them.
pub(super) fn start_writeback(file: BorrowedFd<'_>, at: u64, len: u64) -> io::Result<()> {
    let at = i64::try_from(at).map_err(|_| io::ErrorKind::InvalidInput)?;
    let len = i64::try_from(len).map_err(|_| io::ErrorKind::InvalidInput)?;
    // SAFETY: the descriptor is open for the length of the borrow, and no memory is passed.
    let done = unsafe { libc::sync_file_range(file.as_raw_fd(), at, len, libc::SYNC_FILE_RANGE_WRITE) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Locks the whole file for writing, or fails with `WouldBlock`. The lock belongs to this open file, so that closing
/// another descriptor of the file keeps it; it conflicts with the record locks that a JVM takes, both ways.
pub(super) fn lock_exclusively(file: BorrowedFd<'_>) -> io::Result<()> {
    let whole_file = libc::flock {
        l_type: libc::F_WRLCK as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    };
    // SAFETY: the descriptor is open for the length of the borrow, and the kernel only reads `whole_file`.
    let done = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_SETLK, &raw const whole_file) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
