//! Walking the batch headers of a segment file without reading the records.

use ottla_host::File;
use ottla_wire::batch::{BatchHeader, HEADER_SIZE};
use std::io;

/// Bytes that a look-up reads at a time: an index interval and a header.
pub(crate) const LOOK: usize = 4096;
/// Bytes that a replay reads at a time.
pub(crate) const REPLAY: usize = 512 << 10;
/// Above this batch size only headers are read, one by one.
const SPARSE: usize = 32 << 10;

/// Where a scan stopped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Stop {
    /// At the end that it was given.
    End,
    /// At bytes that are no whole batch.
    Bad,
}

/// A walk over the headers from one batch boundary on. `B` is the buffer: an array for a look-up, a vector for a replay.
pub(crate) struct Scan<'f, B> {
    file: &'f dyn File,
    buffer: B,
    /// Part of the file that the buffer holds.
    have: std::ops::Range<u64>,
    at: u64,
    end: u64,
    last_size: usize,
    stop: Stop,
}

impl<'f, B: AsRef<[u8]> + AsMut<[u8]>> Scan<'f, B> {
    /// Walks `file` from the batch at `at` up to `end`.
    pub(crate) fn new(file: &'f dyn File, at: u64, end: u64, buffer: B) -> Scan<'f, B> {
        Scan { file, buffer, have: 0..0, at, end, last_size: 0, stop: Stop::End }
    }

    /// Position of the next batch.
    pub(crate) fn position(&self) -> u64 {
        self.at
    }

    /// Why there is no further batch.
    pub(crate) fn stop(&self) -> Stop {
        self.stop
    }

    /// The next header and its batch's position. None at the end or at bytes that are no whole batch, see `stop`.
    pub(crate) fn next(&mut self) -> io::Result<Option<(u64, BatchHeader<'_>)>> {
        let at = self.at;
        if at >= self.end {
            return Ok(None);
        }
        if at + HEADER_SIZE as u64 > self.end || !self.fill()? {
            self.stop = Stop::Bad;
            return Ok(None);
        }
        let from = (at - self.have.start) as usize;
        let size = match BatchHeader::read(&self.buffer.as_ref()[from..from + HEADER_SIZE]) {
            Ok(header) if header.size() as u64 <= self.end - at && header.last_offset_delta() >= 0 => header.size(),
            Ok(_) | Err(_) => {
                self.stop = Stop::Bad;
                return Ok(None);
            }
        };
        self.at = at + size as u64;
        self.last_size = size;
        let header = BatchHeader::read(&self.buffer.as_ref()[from..from + HEADER_SIZE]);
        Ok(header.ok().map(|header| (at, header)))
    }

    /// Makes the header at `at` present in the buffer; false when the file ends before.
    fn fill(&mut self) -> io::Result<bool> {
        let need = self.at..self.at + HEADER_SIZE as u64;
        if self.have.start <= need.start && need.end <= self.have.end {
            return Ok(true);
        }
        let room = self.buffer.as_ref().len();
        let want = if self.last_size > SPARSE { HEADER_SIZE } else { room };
        let want = want.min(usize::try_from(self.end - self.at).unwrap_or(room));
        let buffer = &mut self.buffer.as_mut()[..want];
        let mut filled = 0;
        while filled < HEADER_SIZE {
            match self.file.read_at(&mut buffer[filled..], self.at + filled as u64)? {
                0 => return Ok(false),
                read => filled += read,
            }
        }
        self.have = self.at..self.at + filled as u64;
        Ok(true)
    }
}
