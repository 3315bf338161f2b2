//! Loading one segment: how far its bytes are good, and the index entries that are missing.

use super::Stored;
use crate::dir::names::FileKind;
use crate::home::Home;
use crate::log::Log;
use crate::log::active::{Active, Placed};
use crate::segment::device::FromDevice;
use crate::segment::entry::{Entry, OffsetEntry, TimeEntry, entry_at, last_where};
use crate::segment::scan::{REPLAY, Scan};
use crate::segment::tail::Tail;
use crate::segment::{Segment, Tip, UNKNOWN};
use ottla_host::disk::{Open, read_exact_at};
use ottla_host::planted::{self, Bug};
use ottla_host::{File, WallClock};
use ottla_wire::batch::{HEADER_SIZE, ValidBatch};
use std::io;
use std::sync::Arc;

/// How much of a segment is checked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Check {
    /// The headers behind the last index entry, to find the end.
    Nothing,
    /// The batches behind the last index entry, checksums included.
    Tail,
    /// All batches, and the indexes are made anew.
    All {
        /// Whether memory is not to be trusted.
        from_device: bool,
    },
}

/// A closed segment, whose files are complete.
pub(super) fn closed(stored: Stored) -> Segment {
    let end = u32::try_from(stored.next_base - stored.base).unwrap_or(u32::MAX);
    let tail = Tail { offsets_stored: UNKNOWN, times_stored: UNKNOWN, ..Tail::default() };
    Segment::stored(stored.base, Tip { end, size: stored.size as u32 }, tail)
}

/// A segment as it was loaded.
pub(super) struct Loaded {
    pub(super) active: Active,
    /// Whether bytes were cut that are no batches.
    pub(super) is_damaged: bool,
}

/// Why a walk ended before the file did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum WalkEnd {
    /// Bytes are no batch, or not one that belongs there.
    Damage,
    /// The offset is one of the next segment: a truncation did not reach the device, and the next segment came after it.
    NextSegment,
}

/// What the index files hold of a segment, and the position from which on it is to be walked.
struct Indexed {
    tail: Tail,
    from: u64,
    last_time: TimeEntry,
    /// The only entry of the time index, beside an offset index without any: whether it is true is not known yet.
    only_time: Option<TimeEntry>,
}

const NO_TIME: TimeEntry = TimeEntry { timestamp: -1, relative: 0 };

impl Log {
    /// Loads a segment of `size` bytes as the active one; its file and indexes are cut to what is good. Also answers how
    /// many bytes were good.
    pub(super) fn load_segment(&self, stored: Stored, check: Check, now: WallClock) -> io::Result<Loaded> {
        let Stored { base, size, .. } = stored;
        let home = self.home();
        let placeholder = Segment::stored(base, Tip { end: 0, size: size as u32 }, Tail::default());
        let whole = matches!(check, Check::All { .. });
        let indexed = match whole {
            true => drop_indexes(&placeholder, home)?,
            false => read_indexes(&placeholder, home, size)?,
        };
        let segment = Arc::new(Segment::stored(base, Tip { end: 0, size: 0 }, indexed.tail));
        segment.set_max_timestamp(indexed.last_time.timestamp);
        let mut active = Active::new(Arc::clone(&segment), now);
        active.largest = indexed.last_time;
        active.last_time_entry = indexed.last_time.timestamp;
        active.written_back = size;
        active.snapshot_size = size;
        if size == 0 {
            drop_indexes(&segment, home)?;
            return Ok(Loaded { active, is_damaged: false });
        }
        let mut file = placeholder.log_file(home)?;
        let cached = Arc::clone(&file);
        if check == (Check::All { from_device: true }) {
            let path = home.file_path(base, FileKind::Log);
            file = Arc::new(FromDevice(home.disk().open(&path, Open::Durable)?));
        }
        active.first_timestamp = first_timestamp(&*file, size)?;
        let first = active.first_timestamp;
        let mut only_time = indexed.only_time;
        let (good, end) = self.walk((&mut active, &mut only_time), &*file, (indexed.from, stored), check)?;
        if only_time.is_some() {
            drop_indexes(&segment, home)?;
        }
        if good == indexed.from && indexed.from > 0 {
            // Not even the last batch that the index knows is good: what the index says is worth nothing.
            return self.load_segment(stored, Check::All { from_device: false }, now);
        }
        active.first_timestamp = first;
        // After a failed sync the length may count as written and not be: saying it again makes the next sync write it.
        if good < size || check == (Check::All { from_device: true }) {
            cached.set_len(good)?;
        }
        Ok(Loaded { active, is_damaged: good < size && end == WalkEnd::Damage })
    }

    /// As `load_segment` for a segment that was cut at a batch boundary by ourselves.
    pub(in crate::log) fn reload_segment(&self, base: i64, size: u64, now: WallClock) -> io::Result<Active> {
        let stored = Stored { base, size, next_base: i64::MAX };
        self.load_segment(stored, Check::Nothing, now).map(|loaded| loaded.active)
    }

    /// Walks the batches from the first position on, notes them in the indexes and publishes the end; answers the
    /// position up to which they are good.
    fn walk(
        &self,
        (active, only_time): (&mut Active, &mut Option<TimeEntry>),
        file: &dyn File,
        (from, stored): (u64, Stored),
        check: Check,
    ) -> io::Result<(u64, WalkEnd)> {
        let interval = u64::from(self.config.index_interval_bytes);
        let mut end = active.segment.base();
        let mut good = from;
        let mut why = WalkEnd::Damage;
        let mut bytes = Vec::new();
        let room = usize::try_from(stored.size - from).unwrap_or(REPLAY).clamp(HEADER_SIZE, REPLAY);
        let mut scan = Scan::new(file, from, stored.size, vec![0; room]);
        while let Some((position, header)) = scan.next()? {
            let (last_offset, max_timestamp) = (header.last_offset().0, header.max_timestamp());
            let size = header.size();
            if last_offset >= stored.next_base {
                why = WalkEnd::NextSegment;
                break;
            }
            let in_order = header.base_offset().0 >= end && last_offset < i64::MAX;
            if !in_order || i32::try_from(last_offset - active.segment.base()).is_err() {
                break;
            }
            if check != Check::Nothing && !planted::active(Bug::TrustedTail) {
                bytes.resize(size, 0);
                read_exact_at(file, &mut bytes, position)?;
                if ValidBatch::trusted(&bytes).is_err() {
                    break;
                }
            }
            active.index(&Placed { position, size: size as u64, last_offset, max_timestamp }, interval);
            *only_time = only_time.filter(|entry| !active.adopt_time(*entry));
            if active.tail_is_full() {
                if only_time.take().is_some() {
                    drop_indexes(&active.segment, self.home())?;
                }
                active.store_tail(self.home())?;
            }
            end = last_offset + 1;
            good = position + size as u64;
        }
        let relative = (end - active.segment.base()) as u32;
        active.segment.publish(Tip { end: relative, size: good as u32 });
        Ok((good, why))
    }
}

/// Largest timestamp of the first batch, -1 if there is no whole one.
fn first_timestamp(file: &dyn File, size: u64) -> io::Result<i64> {
    let mut scan = Scan::new(file, 0, size, [0; HEADER_SIZE]);
    Ok(scan.next()?.map_or(-1, |(_, header)| header.max_timestamp()))
}

fn drop_indexes(segment: &Segment, home: &Home) -> io::Result<Indexed> {
    for kind in [FileKind::OffsetIndex, FileKind::TimeIndex] {
        if let Some(file) = segment.index_file(home, kind)? {
            empty(&*file)?;
        }
    }
    Ok(Indexed { tail: Tail::default(), from: 0, last_time: NO_TIME, only_time: None })
}

/// Empties the transaction index of a segment that was not synced: what it says may be torn, or of records that are gone.
/// The replay of the segment says it anew.
pub(super) fn drop_aborted(base: i64, home: &Home) -> io::Result<()> {
    match home.disk().open(&home.file_path(base, FileKind::TransactionIndex), Open::Write) {
        Ok(file) => empty(&*file),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Emptying what is empty would still be a write.
fn empty(file: &dyn File) -> io::Result<()> {
    if file.is_empty()? { Ok(()) } else { file.set_len(0) }
}

/// Indexes of a segment without an entry in its offset index. The time index may have got one when the log was closed; it
/// is kept if the walk finds that it speaks of a batch.
fn short_indexes(segment: &Segment, home: &Home) -> io::Result<Indexed> {
    match segment.index_file(home, FileKind::TimeIndex)? {
        Some(file) if file.len()? == TimeEntry::SIZE as u64 => {
            let only_time = Some(entry_at::<TimeEntry>(&*file, 0)?);
            Ok(Indexed { tail: Tail::default(), from: 0, last_time: NO_TIME, only_time })
        }
        Some(_) | None => drop_indexes(segment, home),
    }
}

/// Reads the ends of the index files and cuts what is no entry of this segment: the zeros that a killed Kafka leaves
/// behind the last entry, and entries behind `size`.
fn read_indexes(segment: &Segment, home: &Home, size: u64) -> io::Result<Indexed> {
    let offsets = segment.index_file(home, FileKind::OffsetIndex)?;
    let last = match &offsets {
        Some(file) => {
            let inside = |entry: &OffsetEntry| entry.position > 0 && u64::from(entry.position) < size;
            valid_prefix::<OffsetEntry>(&**file, inside)?
        }
        None => None,
    };
    let Some((offset_count, last)) = last else {
        return short_indexes(segment, home);
    };
    let from = u64::from(last.position);
    let mut indexed = Indexed { tail: Tail::default(), from, last_time: NO_TIME, only_time: None };
    indexed.tail.offsets_stored = offset_count;
    if let Some(file) = segment.index_file(home, FileKind::TimeIndex)? {
        let inside = |entry: &TimeEntry| (entry.timestamp, entry.relative) != (0, 0) && entry.relative <= last.relative;
        if let Some((count, entry)) = valid_prefix::<TimeEntry>(&*file, inside)? {
            indexed.tail.times_stored = count;
            indexed.last_time = entry;
        }
    }
    Ok(indexed)
}

/// Cuts an index file to the entries that fit, which come before all that do not, and answers count and last of them.
fn valid_prefix<E: Entry>(file: &dyn File, fits: impl Fn(&E) -> bool) -> io::Result<Option<(u32, E)>> {
    let len = file.len()?;
    let count = (len / E::SIZE as u64) as u32;
    let last = match count.checked_sub(1) {
        Some(last) => match entry_at::<E>(file, last)? {
            entry if fits(&entry) => Some((last, entry)),
            _ => last_where::<E>(file, count, fits)?,
        },
        None => None,
    };
    let kept = last.as_ref().map_or(0, |(at, _)| at + 1);
    if len != u64::from(kept) * E::SIZE as u64 {
        file.set_len(u64::from(kept) * E::SIZE as u64)?;
    }
    Ok(last.map(|(at, entry)| (at + 1, entry)))
}
