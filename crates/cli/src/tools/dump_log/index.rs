//! Offset, time and transaction indexes, held against the log beside them.

use super::report::{Misfit, Report};
use super::{base_offset, read};
use crate::failure::{Failure, While};
use crate::output;
use ottla_wire::batch::{BatchHeader, HEADER_SIZE};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Bytes of an offset index entry: relative offset i32, position i32.
const OFFSET_ENTRY: usize = 8;
/// Bytes of a time index entry: timestamp i64, relative offset i32.
const TIME_ENTRY: usize = 12;
/// Bytes of a transaction index entry: version i16, producer id, first, last and last stable offset i64.
const TRANSACTION_ENTRY: usize = 34;

/// What is shown of an index.
pub(super) struct Show {
    /// Whether entries are printed.
    pub(super) entries: bool,
    /// Whether only its shape is checked.
    pub(super) sanity_only: bool,
    /// Largest batch looked at.
    pub(super) batch_bytes_max: usize,
}

/// An entry of an offset index.
struct Place {
    offset: i64,
    position: u64,
}

fn places(bytes: &[u8], base: i64) -> Vec<Place> {
    let (entries, _) = bytes.as_chunks::<OFFSET_ENTRY>();
    let all = entries.iter().map(|entry| {
        let (offset, position) = entry.split_at(4);
        Place { offset: base + i64::from(number(offset)), position: u64::from(number(position) as u32) }
    });
    // A file that was not cut to its entries ends in zeros.
    all.enumerate().take_while(|(at, place)| *at == 0 || place.offset != base).map(|(_, place)| place).collect()
}

fn number(bytes: &[u8]) -> i32 {
    bytes.iter().fold(0, |value, byte| (value << 8) | i32::from(*byte))
}

/// Prints an offset index.
pub(super) fn dump_offsets(file: &Path, show: &Show, report: &mut Report) -> Result<(), Failure> {
    let (bytes, base) = (read(file)?, base_offset(file)?);
    let entries = places(&bytes, base);
    if entries.is_empty() {
        output::line(format_args!("{} is empty.", file.display()));
        return Ok(());
    }
    if show.sanity_only {
        return sanity(file, &bytes, OFFSET_ENTRY, entries.last().is_some_and(|last| last.offset < base));
    }
    let log = Log::beside(file)?;
    for place in entries {
        let found = log.batch_at(place.position, show.batch_bytes_max)?.map_or(-1, |(last, _, _)| last);
        if found != place.offset {
            report.note(Misfit::OffsetIndex, file, place.offset, found);
        }
        if show.entries {
            output::line(format_args!("offset: {} position: {}", place.offset, place.position));
        }
    }
    Ok(())
}

/// Prints a time index.
pub(super) fn dump_times(file: &Path, show: &Show, report: &mut Report) -> Result<(), Failure> {
    let (bytes, base) = (read(file)?, base_offset(file)?);
    if show.sanity_only {
        return sanity(file, &bytes, TIME_ENTRY, false);
    }
    let log = Log::beside(file)?;
    let places = places(&read(&file.with_extension("index")).unwrap_or_default(), base);
    let (entries, _) = bytes.as_chunks::<TIME_ENTRY>();
    let mut before = -1;
    for (at, entry) in entries.iter().enumerate() {
        let (timestamp, offset) = entry.split_at(8);
        let timestamp = timestamp.iter().fold(0, |value, byte| (value << 8) | i64::from(*byte));
        let offset = base + i64::from(number(offset));
        if offset == base && at > 0 {
            return Ok(());
        }
        let start = places.iter().rev().find(|place| place.offset <= offset).map_or(0, |place| place.position);
        match log.batch_of(offset, start)? {
            Some((last, largest)) if last == offset && largest != timestamp => {
                report.note(Misfit::TimeIndex, file, timestamp, largest);
            }
            Some((last, _)) if last == offset => {}
            other => report.note(Misfit::TimeOffset, file, offset, other.map_or(-1, |(last, _)| last)),
        }
        if before >= timestamp {
            report.note(Misfit::TimeOrder, file, timestamp, before);
        }
        before = timestamp;
        if show.entries {
            output::line(format_args!("timestamp: {timestamp} offset: {offset}"));
        }
    }
    Ok(())
}

/// Prints a transaction index.
pub(super) fn dump_transactions(file: &Path) -> Result<(), Failure> {
    let bytes = read(file)?;
    let (entries, _) = bytes.as_chunks::<TRANSACTION_ENTRY>();
    for entry in entries {
        let long = |at: usize| entry[at..at + 8].iter().fold(0, |value, byte| (value << 8) | i64::from(*byte));
        output::line(format_args!(
            "version: {} producerId: {} firstOffset: {} lastOffset: {} lastStableOffset: {}",
            number(&entry[..2]),
            long(2),
            long(10),
            long(18),
            long(26)
        ));
    }
    Ok(())
}

fn sanity(file: &Path, bytes: &[u8], entry: usize, goes_back: bool) -> Result<(), Failure> {
    if !bytes.len().is_multiple_of(entry) || goes_back {
        let text = format!("{} is corrupt: its entries do not fit its base offset or its size", file.display());
        return Err(Failure::new(text));
    }
    output::line(format_args!("{} passed sanity check.", file.display()));
    Ok(())
}

/// The log that an index belongs to.
struct Log {
    file: File,
    len: u64,
}

impl Log {
    fn beside(index: &Path) -> Result<Log, Failure> {
        let path = index.with_extension("log");
        let doing = || format!("open {}", path.display());
        let file = File::open(&path).during(doing)?;
        let len = file.metadata().during(doing)?.len();
        Ok(Log { file, len })
    }

    /// Last offset, largest timestamp and size of the batch at a position; None where no batch is.
    fn batch_at(&self, position: u64, size_max: usize) -> Result<Option<(i64, i64, u64)>, Failure> {
        if position + HEADER_SIZE as u64 > self.len {
            return Ok(None);
        }
        let mut header = [0; HEADER_SIZE];
        self.file.read_exact_at(&mut header, position).during(|| format!("read the log at {position}"))?;
        Ok(BatchHeader::read(&header)
            .ok()
            .filter(|header| header.size() <= size_max)
            .map(|header| (header.last_offset().0, header.max_timestamp(), header.size() as u64)))
    }

    /// Last offset and largest timestamp of the first batch from `start` on that ends at or behind `offset`.
    fn batch_of(&self, offset: i64, start: u64) -> Result<Option<(i64, i64)>, Failure> {
        let mut position = start;
        while let Some((last, largest, size)) = self.batch_at(position, usize::MAX)? {
            if last >= offset {
                return Ok(Some((last, largest)));
            }
            position += size;
        }
        Ok(None)
    }
}
