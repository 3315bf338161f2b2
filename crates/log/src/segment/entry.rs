//! Entries of the offset and time indexes and how a file of them is searched.

use ottla_host::File;
use ottla_host::disk::read_exact_at;
use std::io;

/// Bytes of a block that is searched in memory; holds whole entries of both kinds.
const BLOCK: usize = 4096 / 24 * 24;

/// An entry of an index file.
pub(crate) trait Entry: Copy {
    /// Bytes in the file.
    const SIZE: usize;

    /// Reads `SIZE` bytes.
    fn read(bytes: &[u8]) -> Self;

    /// Appends `SIZE` bytes.
    fn write(&self, out: &mut Vec<u8>);
}

/// Of the offset index: the batch whose last offset is `base + relative` begins at `position`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct OffsetEntry {
    pub(crate) relative: u32,
    pub(crate) position: u32,
}

/// Of the time index: up to the batch whose last offset is `base + relative` no timestamp is larger.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct TimeEntry {
    pub(crate) timestamp: i64,
    pub(crate) relative: u32,
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(*bytes[at..].first_chunk().expect("an entry is read from as many bytes as it has"))
}

impl Entry for OffsetEntry {
    const SIZE: usize = 8;

    fn read(bytes: &[u8]) -> OffsetEntry {
        OffsetEntry { relative: word(bytes, 0), position: word(bytes, 4) }
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.relative.to_be_bytes());
        out.extend_from_slice(&self.position.to_be_bytes());
    }
}

impl Entry for TimeEntry {
    const SIZE: usize = 12;

    fn read(bytes: &[u8]) -> TimeEntry {
        let timestamp = (i64::from(word(bytes, 0)) << 32) | i64::from(word(bytes, 4));
        TimeEntry { timestamp, relative: word(bytes, 8) }
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.timestamp.to_be_bytes());
        out.extend_from_slice(&self.relative.to_be_bytes());
    }
}

/// Entry `at` of a file.
pub(crate) fn entry_at<E: Entry>(file: &dyn File, at: u32) -> io::Result<E> {
    let mut bytes = [0; 16];
    let bytes = &mut bytes[..E::SIZE];
    read_exact_at(file, bytes, u64::from(at) * E::SIZE as u64)?;
    Ok(E::read(bytes))
}

/// The last of the first `count` entries of a file for which `before` holds; it holds for a prefix of them.
/// Also the number of that entry.
pub(crate) fn last_where<E: Entry>(
    file: &dyn File,
    count: u32,
    before: impl Fn(&E) -> bool,
) -> io::Result<Option<(u32, E)>> {
    let (mut low, mut high) = (0, count);
    // The answer is entry `low - 1` or lies in low..high.
    while (high - low) as usize * E::SIZE > BLOCK {
        let middle = low + (high - low) / 2;
        match before(&entry_at::<E>(file, middle)?) {
            true => low = middle + 1,
            false => high = middle,
        }
    }
    let first = low.saturating_sub(1);
    let mut block = [0; BLOCK + 24];
    let bytes = &mut block[..(high - first) as usize * E::SIZE];
    read_exact_at(file, bytes, u64::from(first) * E::SIZE as u64)?;
    let entries = bytes.chunks_exact(E::SIZE).map(E::read).zip(first..);
    Ok(entries.take_while(|(entry, _)| before(entry)).last().map(|(entry, at)| (at, entry)))
}

/// Whether an offset index is whole: offsets and positions rise from entry to entry.
pub(crate) fn offsets_rise(bytes: &[u8]) -> bool {
    let entries = || bytes.chunks_exact(OffsetEntry::SIZE).map(OffsetEntry::read);
    let mut pairs = entries().zip(entries().skip(1));
    bytes.len().is_multiple_of(OffsetEntry::SIZE)
        && pairs.all(|(one, next)| one.relative < next.relative && one.position < next.position)
}

/// Whether a time index is whole: timestamps and offsets do not fall, and no entry but the first may be nothing.
pub(crate) fn times_rise(bytes: &[u8]) -> bool {
    let entries = || bytes.chunks_exact(TimeEntry::SIZE).map(TimeEntry::read);
    let mut pairs = entries().zip(entries().skip(1));
    bytes.len().is_multiple_of(TimeEntry::SIZE)
        && pairs.all(|(one, next)| one.timestamp <= next.timestamp && one.relative < next.relative)
}

/// The bytes of entries.
pub(crate) fn to_bytes<E: Entry>(entries: &[E]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(entries.len() * E::SIZE);
    for entry in entries {
        entry.write(&mut bytes);
    }
    bytes
}
