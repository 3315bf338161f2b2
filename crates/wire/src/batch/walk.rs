//! The walk over uncompressed records at the door: every length is followed, keys and values are stepped over.

use super::error::{BatchError, RecordFault, RecordReason};
use super::header::NO_TIMESTAMP;
use super::timestamps::TimestampRange;

/// Most faults that are listed for one batch.
const FAULTS_MAX: usize = 1_000;

/// What the records of a batch have to comply with.
#[derive(Clone, Copy, Debug)]
pub(super) struct RecordRules {
    /// Records that there have to be.
    pub(super) count: i32,
    pub(super) base_timestamp: i64,
    /// Range of timestamps accepted now; None where the leader sets them.
    pub(super) timestamps: Option<TimestampRange>,
    pub(super) key_required: bool,
}

/// What the walk has seen so far.
#[derive(Debug)]
pub(super) struct Tally {
    rules: RecordRules,
    /// Largest timestamp, -1 when no record has one.
    pub(super) max_timestamp: i64,
    faults: Vec<RecordFault>,
}

impl Tally {
    pub(super) fn new(rules: RecordRules) -> Tally {
        Tally { rules, max_timestamp: NO_TIMESTAMP, faults: Vec::new() }
    }

    /// Takes in the parts of record `index` that a rule is about. A key length of -1 is no key.
    #[inline]
    pub(super) fn record(&mut self, index: i32, timestamp_delta: i64, key_length: i32) {
        let timestamp = self.rules.base_timestamp.wrapping_add(timestamp_delta);
        self.max_timestamp = self.max_timestamp.max(timestamp);
        if self.rules.key_required && key_length < 0 {
            self.fault(index, RecordReason::KeyMissing);
        } else if let Some(reason) = self.rules.timestamps.and_then(|range| range.fault(timestamp)) {
            self.fault(index, reason);
        }
    }

    #[cold]
    fn fault(&mut self, index: i32, reason: RecordReason) {
        if self.faults.len() < FAULTS_MAX {
            self.faults.push(RecordFault { index, reason });
        }
    }

    /// The largest timestamp, or all the faults.
    pub(super) fn finish(self) -> Result<i64, BatchError> {
        if self.faults.is_empty() { Ok(self.max_timestamp) } else { Err(BatchError::Records(self.faults)) }
    }
}

/// What is wrong inside of one record.
pub(super) type What = &'static str;

/// Walks all records and returns their largest timestamp.
pub(super) fn walk(records: &[u8], rules: RecordRules) -> Result<i64, BatchError> {
    let mut tally = Tally::new(rules);
    let mut rest = records;
    for index in 0..rules.count {
        let malformed = |what| BatchError::Malformed { index, what };
        let length = varint(&mut rest).map_err(malformed)?;
        let (record, after) = usize::try_from(length)
            .ok()
            .and_then(|length| rest.split_at_checked(length))
            .ok_or(malformed("its length does not fit the batch"))?;
        rest = after;
        let (timestamp_delta, key_length) = record_parts(record, index).map_err(malformed)?;
        tally.record(index, timestamp_delta, key_length);
    }
    if !rest.is_empty() {
        return Err(BatchError::Malformed { index: rules.count, what: "bytes follow the last record" });
    }
    tally.finish()
}

/// Checks one record, without its length, and returns timestamp delta and key length.
#[inline]
fn record_parts(record: &[u8], index: i32) -> Result<(i64, i32), What> {
    let (_attributes, mut rest) = record.split_first().ok_or("it is empty")?;
    let timestamp_delta = varlong(&mut rest)?;
    if varint(&mut rest)? != index {
        return Err("its offset is not its place in the batch");
    }
    let key_length = varint(&mut rest)?;
    skip(&mut rest, key_length)?;
    let value_length = varint(&mut rest)?;
    skip(&mut rest, value_length)?;
    // Most records end with a single zero: no headers.
    if rest != [0] {
        headers(rest)?;
    }
    Ok((timestamp_delta, key_length))
}

/// Steps over the headers, which must end with the record.
pub(super) fn headers(mut rest: &[u8]) -> Result<(), What> {
    let count = varint(&mut rest)?;
    if count < 0 {
        return Err("it has a negative number of headers");
    }
    // Each header takes at least two bytes, so that the loop ends with the bytes whatever the count says.
    for _ in 0..count {
        let key_length = varint(&mut rest)?;
        if key_length < 0 {
            return Err("a header has no key");
        }
        skip(&mut rest, key_length)?;
        let value_length = varint(&mut rest)?;
        skip(&mut rest, value_length)?;
    }
    if rest.is_empty() { Ok(()) } else { Err("bytes follow its headers") }
}

/// Steps over `length` bytes; a negative length is a null.
#[inline]
pub(super) fn skip(rest: &mut &[u8], length: i32) -> Result<(), What> {
    if length > 0 {
        *rest = rest.get(length as usize..).ok_or("a key, value or header ends outside of it")?;
    }
    Ok(())
}

/// A zigzag varint of at most 5 bytes. One and two bytes, which nearly all are, go without a loop.
#[inline]
pub(super) fn varint(rest: &mut &[u8]) -> Result<i32, What> {
    let raw = match **rest {
        [first, ref after @ ..] if first < 0x80 => {
            *rest = after;
            u32::from(first)
        }
        [first, second, ref after @ ..] if second < 0x80 => {
            *rest = after;
            u32::from(first & 0x7f) | u32::from(second) << 7
        }
        _ => long(rest, 5, u32::MAX.into())? as u32,
    };
    Ok((raw >> 1) as i32 ^ -((raw & 1) as i32))
}

/// A zigzag varint of at most 10 bytes.
#[inline]
pub(super) fn varlong(rest: &mut &[u8]) -> Result<i64, What> {
    let raw = match **rest {
        [first, ref after @ ..] if first < 0x80 => {
            *rest = after;
            u64::from(first)
        }
        [first, second, ref after @ ..] if second < 0x80 => {
            *rest = after;
            u64::from(first & 0x7f) | u64::from(second) << 7
        }
        _ => long(rest, 10, u64::MAX)?,
    };
    Ok((raw >> 1) as i64 ^ -((raw & 1) as i64))
}

#[inline(never)]
fn long(rest: &mut &[u8], bytes_max: usize, value_max: u64) -> Result<u64, What> {
    let mut value: u128 = 0;
    for (at, byte) in rest.iter().take(bytes_max).enumerate() {
        value |= u128::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            *rest = &rest[at + 1..];
            return u64::try_from(value).ok().filter(|value| *value <= value_max).ok_or("a varint is too long");
        }
    }
    Err("a varint is too long or cut off")
}
