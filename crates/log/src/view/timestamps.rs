//! Finding records by their timestamps (ListOffsets).

use super::{ReadError, TimestampOffset, View};
use crate::segment::Segment;
use crate::segment::scan::{LOOK, Scan};
use ottla_host::File;
use ottla_host::disk::read_exact_at;
use ottla_wire::batch::{INFLATED_BYTES_MAX, ValidBatch};
use ottla_wire::ids::Offset;
use std::io;
use std::sync::Arc;

impl View {
    /// The first record at or behind the log start whose timestamp is at least `timestamp`. The caller looks whether it
    /// may be seen. May read and decompress a batch: on the directory's thread when it is not in memory.
    pub fn offset_for_timestamp(&self, timestamp: i64) -> Result<Option<TimestampOffset>, ReadError> {
        for segment in self.segments().iter() {
            if segment.size() == 0 || segment.max_timestamp(self.home())? < timestamp {
                continue;
            }
            let found = self.search(segment, timestamp)?;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// The record with the largest timestamp, the first of them; None when no record has one.
    pub fn offset_of_max_timestamp(&self) -> Result<Option<TimestampOffset>, ReadError> {
        let mut largest: Option<(i64, Arc<Segment>)> = None;
        for segment in self.segments().iter() {
            let timestamp = segment.max_timestamp(self.home())?;
            if timestamp >= 0 && largest.as_ref().is_none_or(|(known, _)| timestamp > *known) {
                largest = Some((timestamp, Arc::clone(segment)));
            }
        }
        match largest {
            Some((timestamp, segment)) => self.search(&segment, timestamp),
            None => Ok(None),
        }
    }

    /// The first record of a segment that is at or behind the log start and at least as late.
    fn search(&self, segment: &Segment, timestamp: i64) -> Result<Option<TimestampOffset>, ReadError> {
        let start = self.start();
        let before = segment.time_floor(self.home(), |entry| entry.timestamp < timestamp)?;
        let relative = before.map_or(0, |entry| entry.relative);
        let from_start = u32::try_from(start.0 - segment.base()).unwrap_or(0);
        let from = segment.floor(self.home(), |entry| entry.relative <= relative.max(from_start))?;
        let file = segment.log_file(self.home())?;
        let mut scan = Scan::new(&*file, from, segment.size(), [0; LOOK]);
        let mut bytes = Vec::new();
        while let Some((at, header)) = scan.next()? {
            if header.max_timestamp() < timestamp || header.last_offset() < start {
                continue;
            }
            bytes.resize(header.size(), 0);
            let found = search_batch(&*file, at, &mut bytes, &|offset, time| offset >= start && time >= timestamp)?;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }
}

/// The first record that fits of the batch at `at`, which is as long as `bytes`.
fn search_batch(
    file: &dyn File,
    at: u64,
    bytes: &mut [u8],
    fits: &dyn Fn(Offset, i64) -> bool,
) -> io::Result<Option<TimestampOffset>> {
    read_exact_at(file, bytes, at)?;
    let damaged = |error| io::Error::new(io::ErrorKind::InvalidData, error);
    let batch = ValidBatch::trusted(bytes).map_err(damaged)?;
    let mut scratch = Vec::new();
    for record in batch.records(&mut scratch, INFLATED_BYTES_MAX).map_err(damaged)? {
        let record = record.map_err(damaged)?;
        if fits(record.offset, record.timestamp) {
            let (timestamp, offset) = (record.timestamp, record.offset);
            return Ok(Some(TimestampOffset { timestamp, offset, leader_epoch: batch.leader_epoch() }));
        }
    }
    Ok(None)
}
