//! Entries of the journal and how they are laid out in a block.
//!
//! ```text
//! checksum u32 | data length u32 | kind u8 | name length u8 | base i64 | position u64 | name | data
//! ```
//! The checksum covers the block's number and all that follows it, so that what an older block left behind is no entry.

use crc_fast::{CrcAlgorithm, Digest};
use std::io::IoSlice;

/// Bytes in front of the name.
pub(super) const FIXED: usize = 26;

/// What an entry does to a partition's files.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// Bytes at a position of a segment's file.
    Append,
    /// The segment ends at a position, and there is none behind it.
    Cut,
    /// All segments go; the log begins anew at the base.
    Restart,
    /// The segments before the base are gone.
    Gone,
    /// The partition is gone.
    Removed,
}

impl Kind {
    const ALL: [Kind; 5] = [Kind::Append, Kind::Cut, Kind::Restart, Kind::Gone, Kind::Removed];

    fn id(self) -> u8 {
        self as u8
    }
}

/// An entry without its data.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Entry<'a> {
    pub(crate) kind: Kind,
    /// Name of the partition's directory.
    pub(crate) name: &'a str,
    /// Base offset of a segment.
    pub(crate) base: i64,
    /// Byte in its file.
    pub(crate) position: u64,
}

impl<'a> Entry<'a> {
    /// Bytes of the entry without its data.
    pub(super) fn overhead(&self) -> usize {
        FIXED + self.name.len()
    }

    /// Writes the entry into `out`, which has room for it, with `length` bytes of `data`.
    pub(super) fn write(&self, block: u64, data: &mut Parts<'_, '_>, length: usize, out: &mut [u8]) {
        out[4..8].copy_from_slice(&(length as u32).to_be_bytes());
        out[8] = self.kind.id();
        out[9] = self.name.len() as u8;
        out[10..18].copy_from_slice(&self.base.to_be_bytes());
        out[18..FIXED].copy_from_slice(&self.position.to_be_bytes());
        let after_name = self.overhead();
        out[FIXED..after_name].copy_from_slice(self.name.as_bytes());
        data.copy_to(&mut out[after_name..after_name + length]);
        let checksum = checksum(block, &out[4..after_name + length]);
        out[..4].copy_from_slice(&checksum.to_be_bytes());
    }

    /// Reads an entry at the start of `bytes`, with its data and what follows. None if there is none.
    pub(super) fn read(block: u64, bytes: &'a [u8]) -> Option<(Entry<'a>, &'a [u8], &'a [u8])> {
        let word = |at: usize| Some(u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?));
        let long = |at: usize| Some(u64::from_be_bytes(*bytes.get(at..)?.first_chunk()?));
        let length = word(4)? as usize;
        let kind = *Kind::ALL.get(usize::from(*bytes.get(8)?))?;
        let after_name = FIXED + usize::from(*bytes.get(9)?);
        let (whole, rest) = bytes.split_at_checked(after_name.checked_add(length)?)?;
        if checksum(block, &whole[4..]) != word(0)? {
            return None;
        }
        let name = std::str::from_utf8(&whole[FIXED..after_name]).ok()?;
        let entry = Entry { kind, name, base: long(10)? as i64, position: long(18)? };
        Some((entry, &whole[after_name..], rest))
    }
}

fn checksum(block: u64, bytes: &[u8]) -> u32 {
    let mut digest = Digest::new(CrcAlgorithm::Crc32Iscsi);
    digest.update(&block.to_be_bytes());
    digest.update(bytes);
    digest.finalize() as u32
}

/// The data of an entry, taken piece by piece.
pub(super) struct Parts<'p, 'd> {
    parts: &'p [IoSlice<'d>],
    /// Bytes of the first part that are taken.
    taken: usize,
    left: usize,
}

impl<'p, 'd> Parts<'p, 'd> {
    pub(super) fn new(parts: &'p [IoSlice<'d>]) -> Parts<'p, 'd> {
        Parts { parts, taken: 0, left: parts.iter().map(|part| part.len()).sum() }
    }

    /// Bytes not taken yet.
    pub(super) fn left(&self) -> usize {
        self.left
    }

    fn copy_to(&mut self, mut out: &mut [u8]) {
        self.left -= out.len();
        while !out.is_empty() {
            let part = &self.parts[0][self.taken..];
            let length = part.len().min(out.len());
            let (now, later) = out.split_at_mut(length);
            now.copy_from_slice(&part[..length]);
            out = later;
            self.taken += length;
            if self.taken == self.parts[0].len() {
                self.parts = &self.parts[1..];
                self.taken = 0;
            }
        }
    }
}
