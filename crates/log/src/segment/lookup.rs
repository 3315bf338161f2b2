//! From offsets, sizes and timestamps to positions in a segment's file.

use super::entry::{OffsetEntry, TimeEntry, entry_at, last_where};
use super::scan::{LOOK, Scan, Stop};
use super::{Segment, UNKNOWN};
use crate::dir::names::FileKind;
use crate::home::Home;
use std::io;
use std::sync::atomic::Ordering;

/// Where a look-up ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Found {
    /// A batch begins at this position.
    At(u64),
    /// The segment holds nothing from there on.
    Behind,
    /// The bytes there are no batch: the file is damaged, or was cut meanwhile.
    Damaged(u64),
}

impl Segment {
    /// Position of the first batch whose last offset is at or behind `offset`.
    pub(crate) fn position_of(&self, home: &Home, offset: i64) -> io::Result<Found> {
        let tip = self.tip();
        let relative = match u32::try_from(offset - self.base()) {
            Ok(relative) if relative < tip.end => relative,
            Ok(_) => return Ok(Found::Behind),
            Err(_) => return Ok(Found::At(0)),
        };
        if let Some(position) = self.hinted(relative).filter(|position| *position < tip.size) {
            return Ok(Found::At(u64::from(position)));
        }
        let from = self.floor(home, |entry| entry.relative <= relative)?;
        let file = self.log_file(home)?;
        let mut scan = Scan::new(&*file, from, u64::from(tip.size), [0; LOOK]);
        while let Some((at, header)) = scan.next()? {
            if header.last_offset().0 >= offset {
                self.hint(relative, at as u32);
                return Ok(Found::At(at));
            }
        }
        Ok(if scan.stop() == Stop::Bad { Found::Damaged(scan.position()) } else { Found::Behind })
    }

    /// End of the last whole batch that begins at or behind `from`, ends at or before `limit`, and of the first batch.
    pub(crate) fn whole_batches(&self, home: &Home, from: u64, limit: u64, end: u64) -> io::Result<Option<(u64, u64)>> {
        let floor = self.floor(home, |entry| u64::from(entry.position) <= limit)?;
        let file = self.log_file(home)?;
        let start = floor.max(from);
        let mut first = None;
        if start > from {
            let mut scan = Scan::new(&*file, from, end, [0; ottla_wire::batch::HEADER_SIZE]);
            let Some((at, header)) = scan.next()? else { return Ok(None) };
            first = Some(at + header.size() as u64);
        }
        let mut last = start;
        let mut scan = Scan::new(&*file, start, end, [0; LOOK]);
        while let Some((at, header)) = scan.next()? {
            let after = at + header.size() as u64;
            first = first.or(Some(after));
            if after > limit {
                break;
            }
            last = after;
            self.hint((header.next_offset().0 - self.base()) as u32, after as u32);
        }
        match scan.stop() {
            Stop::End => Ok(first.map(|first| (first, last))),
            Stop::Bad => Ok(None),
        }
    }

    /// Position of the last indexed batch for which `before` holds; 0 if there is none.
    pub(crate) fn floor(&self, home: &Home, before: impl Fn(&OffsetEntry) -> bool) -> io::Result<u64> {
        let stored = {
            let tail = self.tail();
            if let Some(entry) = tail.offset_where(&before) {
                return Ok(u64::from(entry.position));
            }
            tail.offsets_stored
        };
        if stored == 0 {
            return Ok(0);
        }
        let Some(file) = self.index_file(home, FileKind::OffsetIndex)? else { return Ok(0) };
        let stored = if stored == UNKNOWN { (file.len()? / 8) as u32 } else { stored };
        let entry = last_where::<OffsetEntry>(&*file, stored, before)?;
        Ok(entry.map_or(0, |(_, entry)| u64::from(entry.position)).min(self.size()))
    }

    /// The last entry of the time index for which `before` holds.
    pub(crate) fn time_floor(&self, home: &Home, before: impl Fn(&TimeEntry) -> bool) -> io::Result<Option<TimeEntry>> {
        let stored = {
            let tail = self.tail();
            if let Some(entry) = tail.time_where(&before) {
                return Ok(Some(entry));
            }
            tail.times_stored
        };
        if stored == 0 {
            return Ok(None);
        }
        let Some(file) = self.index_file(home, FileKind::TimeIndex)? else { return Ok(None) };
        let stored = if stored == UNKNOWN { (file.len()? / 12) as u32 } else { stored };
        Ok(last_where::<TimeEntry>(&*file, stored, before)?.map(|(_, entry)| entry))
    }

    /// Largest timestamp of the segment, -1 for none; of a closed segment the last entry of its time index.
    pub(crate) fn max_timestamp(&self, home: &Home) -> io::Result<i64> {
        if let Some(known) = self.known_max_timestamp() {
            return Ok(known);
        }
        let timestamp = match self.index_file(home, FileKind::TimeIndex)? {
            Some(file) => match (file.len()? / 12) as u32 {
                0 => -1,
                count => entry_at::<TimeEntry>(&*file, count - 1)?.timestamp,
            },
            None => -1,
        };
        self.max_timestamp.store(timestamp, Ordering::Release);
        Ok(timestamp)
    }
}
