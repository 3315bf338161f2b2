//! Reading a file from the device, past what memory holds of it: after a failed sync memory may call lost pages clean.

use ottla_host::File;
use std::io::{self, IoSlice};
use std::os::fd::BorrowedFd;
use std::sync::Arc;

/// Positions and lengths that the device takes.
const UNIT: u64 = 4096;

/// A file opened as `Durable`, read at any position. Takes no writes.
#[derive(Debug)]
pub(crate) struct FromDevice(pub(crate) Arc<dyn File>);

impl File for FromDevice {
    fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        let from = at / UNIT * UNIT;
        let skipped = (at - from) as usize;
        let length = (skipped + buffer.len()).next_multiple_of(UNIT as usize);
        let mut bytes = vec![0; length + UNIT as usize];
        let start = bytes.as_ptr().align_offset(UNIT as usize);
        let read = self.0.read_at(&mut bytes[start..start + length], from)?;
        let found = read.saturating_sub(skipped).min(buffer.len());
        buffer[..found].copy_from_slice(&bytes[start + skipped..start + skipped + found]);
        Ok(found)
    }

    fn write_at(&self, _: &[IoSlice<'_>], _: u64) -> io::Result<usize> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }

    fn set_len(&self, _: u64) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn reserve(&self, _: u64) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync()
    }

    fn start_writeback(&self, _: u64, _: u64) -> io::Result<()> {
        Ok(())
    }

    fn read_ahead(&self, _: u64, _: u64) -> io::Result<()> {
        Ok(())
    }

    fn is_cached(&self, _: u64, _: u64) -> bool {
        false
    }

    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        None
    }
}
