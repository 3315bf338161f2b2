//! The records of a batch, one after the other, borrowed.

use super::error::BatchError;
use super::header::{BatchHeader, TimestampType, sequence_after};
use super::walk::{What, headers, varint, varlong};
use crate::ids::Offset;

/// One header of a record. Keys may repeat; their order is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct Header<'a> {
    /// The key; UTF-8 by convention only.
    pub key: &'a [u8],
    /// The value, or null.
    pub value: Option<&'a [u8]>,
}

/// The headers of one record, checked.
#[derive(Clone, Copy, Debug)]
pub struct Headers<'a> {
    count: i32,
    bytes: &'a [u8],
}

impl<'a> Headers<'a> {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count as usize
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The headers in their order.
    pub fn iter(&self) -> impl Iterator<Item = Header<'a>> + use<'a> {
        let mut rest = self.bytes;
        (0..self.count).map_while(move |_| {
            let key = nullable(&mut rest).ok().flatten()?;
            let value = nullable(&mut rest).ok()?;
            Some(Header { key, value })
        })
    }
}

/// One record of a batch.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// Its offset.
    pub offset: Offset,
    /// Its timestamp in ms since 1970, the leader's with LogAppendTime; -1 for none.
    pub timestamp: i64,
    /// Its sequence number, -1 when the producer is not idempotent.
    pub sequence: i32,
    /// Its key, or null.
    pub key: Option<&'a [u8]>,
    /// Its value, or null (a tombstone in a compacted topic).
    pub value: Option<&'a [u8]>,
    /// Its headers.
    pub headers: Headers<'a>,
}

/// The records of one batch in their order. After an error there is nothing more; bytes after the last record are an error.
#[derive(Clone, Debug)]
pub struct RecordIter<'a> {
    rest: &'a [u8],
    /// Index of the next record; `index ≤ count`.
    index: i32,
    count: i32,
    base_offset: i64,
    base_timestamp: i64,
    append_time: Option<i64>,
    base_sequence: i32,
}

impl<'a> RecordIter<'a> {
    pub(super) fn new(header: BatchHeader<'_>, records: &'a [u8]) -> RecordIter<'a> {
        let append_time = header.timestamp_type() == TimestampType::LogAppendTime;
        RecordIter {
            rest: records,
            index: 0,
            count: header.record_count(),
            base_offset: header.base_offset().0,
            base_timestamp: header.base_timestamp(),
            append_time: append_time.then(|| header.max_timestamp()),
            base_sequence: header.base_sequence(),
        }
    }

    fn record(&mut self) -> Result<Record<'a>, What> {
        let record = nullable(&mut self.rest)?.ok_or("its length is negative")?;
        let (_attributes, mut rest) = record.split_first().ok_or("it is empty")?;
        let timestamp = self.base_timestamp.wrapping_add(varlong(&mut rest)?);
        let offset_delta = varint(&mut rest)?;
        let key = nullable(&mut rest)?;
        let value = nullable(&mut rest)?;
        headers(rest)?;
        let count = varint(&mut rest)?;
        Ok(Record {
            offset: Offset(self.base_offset.wrapping_add(i64::from(offset_delta))),
            timestamp: self.append_time.unwrap_or(timestamp),
            sequence: sequence_after(self.base_sequence, offset_delta),
            key,
            value,
            headers: Headers { count, bytes: rest },
        })
    }
}

impl<'a> Iterator for RecordIter<'a> {
    type Item = Result<Record<'a>, BatchError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.index >= self.count {
            return None;
        }
        let index = self.index;
        let record = self.record().and_then(|record| {
            let surplus = index + 1 == self.count && !self.rest.is_empty();
            if surplus { Err("bytes follow the last record") } else { Ok(record) }
        });
        self.index = if record.is_ok() { index + 1 } else { self.count };
        Some(record.map_err(|what| BatchError::Malformed { index, what }))
    }
}

/// Bytes with a length in front, null when it is negative.
fn nullable<'a>(rest: &mut &'a [u8]) -> Result<Option<&'a [u8]>, What> {
    let Ok(length) = usize::try_from(varint(rest)?) else {
        return Ok(None);
    };
    let (taken, after) = rest.split_at_checked(length).ok_or("a key, value or header ends outside of it")?;
    *rest = after;
    Ok(Some(taken))
}
