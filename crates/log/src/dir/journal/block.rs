//! A block: entries that go to the device in one write, aligned as writes past the page cache demand.
//!
//! ```text
//! magic u64 | number u64 | settled u64 | payload length u32 | checksum u32 | entries … zeros up to 4096
//! ```

use super::entry::{Entry, Parts};
use super::{Change, JournalledFile, JournalledLog};
use crc_fast::crc32_iscsi;
use std::sync::{Arc, Weak};

/// Lengths and positions are multiples of it.
pub(super) const UNIT: usize = 4096;
/// Bytes of the largest block: enough that a write costs little beside its bytes. In tests so few that sections are used
/// more than once, also in those that are built as a release is.
pub(super) const BLOCK_MAX: usize =
    if cfg!(any(test, debug_assertions, feature = "planted")) { 16 << 10 } else { 2 << 20 };
/// Bytes in front of the entries.
pub(super) const HEADER: usize = 32;
const MAGIC: u64 = u64::from_be_bytes(*b"ottlaJ01");

/// What a block's header says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct BlockHeader {
    pub(super) number: u64,
    /// Blocks up to this one are of no further use: what they name was synced.
    pub(super) settled: u64,
    pub(super) payload: usize,
}

impl BlockHeader {
    /// Reads a header; None if there is none.
    pub(super) fn read(bytes: &[u8]) -> Option<BlockHeader> {
        let header = bytes.first_chunk::<HEADER>()?;
        let long =
            |at: usize| u64::from_be_bytes(*header[at..].first_chunk().expect("fields lie inside of the header"));
        let word =
            |at: usize| u32::from_be_bytes(*header[at..].first_chunk().expect("fields lie inside of the header"));
        if long(0) != MAGIC || word(28) != crc32_iscsi(&header[..28]) {
            return None;
        }
        let payload = word(24) as usize;
        (payload <= BLOCK_MAX - HEADER).then_some(BlockHeader { number: long(8), settled: long(16), payload })
    }

    fn write(&self, out: &mut [u8]) {
        out[..8].copy_from_slice(&MAGIC.to_be_bytes());
        out[8..16].copy_from_slice(&self.number.to_be_bytes());
        out[16..24].copy_from_slice(&self.settled.to_be_bytes());
        out[24..28].copy_from_slice(&(self.payload as u32).to_be_bytes());
        let checksum = crc32_iscsi(&out[..28]);
        out[28..HEADER].copy_from_slice(&checksum.to_be_bytes());
    }

    /// Bytes of the block on the device.
    pub(super) fn size(&self) -> usize {
        (HEADER + self.payload).next_multiple_of(UNIT)
    }
}

/// A log whose journalled end a block moves. It holds the journal, so the journal does not hold it.
pub(super) struct Completion {
    pub(super) log: Weak<dyn JournalledLog>,
    pub(super) end: i64,
    /// Truncations of the log when it was written.
    pub(super) generation: u64,
}

/// A file that a block has changed.
#[derive(Clone)]
pub(super) struct Touched {
    pub(super) id: usize,
    pub(super) file: Arc<dyn JournalledFile>,
}

/// A block in the making.
pub(super) struct Block {
    pub(super) number: u64,
    bytes: Vec<u8>,
    /// First aligned byte.
    start: usize,
    used: usize,
    pub(super) completions: Vec<Completion>,
    pub(super) touched: Vec<Touched>,
}

impl Block {
    pub(super) fn new(number: u64) -> Block {
        let bytes = vec![0; BLOCK_MAX + UNIT];
        let start = bytes.as_ptr().align_offset(UNIT);
        Block { number, bytes, start, used: HEADER, completions: Vec::new(), touched: Vec::new() }
    }

    pub(super) fn restart(&mut self, number: u64) {
        self.number = number;
        self.used = HEADER;
        self.completions.clear();
        self.touched.clear();
    }

    pub(super) fn is_empty(&self) -> bool {
        self.used == HEADER
    }

    /// Bytes of data that an entry may have here; 0 when not even the entry itself fits.
    pub(super) fn room_for(&self, entry: &Entry<'_>) -> usize {
        (BLOCK_MAX - self.used).saturating_sub(entry.overhead())
    }

    /// Adds an entry with the next `length` bytes of `data`.
    pub(super) fn push(&mut self, entry: &Entry<'_>, data: &mut Parts<'_, '_>, length: usize) {
        let from = self.start + self.used;
        let size = entry.overhead() + length;
        entry.write(self.number, data, length, &mut self.bytes[from..from + size]);
        self.used += size;
    }

    /// Notes that the block changes a file.
    pub(super) fn touches(&mut self, change: &Change<'_>) {
        if self.touched.iter().rev().take(16).any(|known| known.id == change.file_id) {
            return;
        }
        self.touched.push(Touched { id: change.file_id, file: (change.file)() });
    }

    /// Notes that the log is journalled up to an end with this block.
    pub(super) fn completes(&mut self, change: &Change<'_>) {
        let (end, generation) = (change.end, change.log.generation());
        match self.completions.last_mut() {
            Some(last) if std::ptr::addr_eq(last.log.as_ptr(), Arc::as_ptr(change.log)) => {
                last.end = end;
                last.generation = generation;
            }
            Some(_) | None => self.completions.push(Completion { log: Arc::downgrade(change.log), end, generation }),
        }
    }

    /// The block's bytes as they go to the device.
    pub(super) fn seal(&mut self, settled: u64) -> &[u8] {
        let header = BlockHeader { number: self.number, settled, payload: self.used - HEADER };
        let size = header.size();
        let block = &mut self.bytes[self.start..self.start + size];
        header.write(block);
        block[self.used..].fill(0);
        block
    }
}
