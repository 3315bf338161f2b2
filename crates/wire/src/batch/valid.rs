//! `ValidBatch`: the proof that a batch was checked, without which nothing is appended.

use super::error::{BatchError, RecordFault};
use super::header::{
    ATTRIBUTES_AT, BatchHeader, CODEC_MASK, DELETE_HORIZON_BIT, HEADER_SIZE, NO_TIMESTAMP, TimestampType,
};
use super::records::RecordIter;
use super::stamp::Stamp;
use super::timestamps::TimestampRange;
use super::walk::RecordRules;
use super::{inflate, walk};
use crate::codec::{Codec, decompress};
use crate::ids::{LeaderEpoch, Offset};
use std::ops::Deref;

/// Decompressed bytes that a batch may hold unless a rule says otherwise; 64 times Kafka's default batch size limit.
pub const INFLATED_BYTES_MAX: usize = 64 << 20;

/// What a topic and a request demand of a batch that a client produces.
#[derive(Clone, Copy, Debug)]
pub struct DoorRules {
    /// Bytes of a batch, Kafka's `max.message.bytes`.
    pub message_bytes_max: usize,
    /// Whether every record needs a key, as `cleanup.policy=compact` does.
    pub key_required: bool,
    /// Kafka's `message.timestamp.type`; with LogAppendTime the producer's timestamps are not looked at.
    pub timestamp_type: TimestampType,
    /// Kafka's `message.timestamp.before.max.ms`.
    pub timestamp_before_max_ms: i64,
    /// Kafka's `message.timestamp.after.max.ms`.
    pub timestamp_after_max_ms: i64,
    /// Whether the version of the request knows zstd (KIP-110).
    pub zstd_allowed: bool,
    /// Decompressed bytes that a batch may hold.
    pub inflated_bytes_max: usize,
    /// Whether compressed records are walked. Without it a client's word is taken for count, offsets, keys and timestamps.
    pub walk_compressed: bool,
}

impl Default for DoorRules {
    /// Kafka's defaults: 1 MiB + 12, any key, CreateTime, no limit before and one hour after.
    fn default() -> DoorRules {
        DoorRules {
            message_bytes_max: (1 << 20) + 12,
            key_required: false,
            timestamp_type: TimestampType::CreateTime,
            timestamp_before_max_ms: i64::MAX,
            timestamp_after_max_ms: 3_600_000,
            zstd_allowed: true,
            inflated_bytes_max: INFLATED_BYTES_MAX,
            walk_compressed: true,
        }
    }
}

/// One whole batch whose bytes were checked; what its header says can be believed. Borrows the frame or buffer that the
/// batch lies in. The header's accessors are there by dereference.
#[derive(Clone, Copy, Debug)]
pub struct ValidBatch<'a> {
    header: BatchHeader<'a>,
    bytes: &'a [u8],
    proof: Proof,
}

/// What a check found out that is not in the bytes themselves.
#[derive(Clone, Copy, Debug)]
pub(super) struct Proof {
    codec: Codec,
    /// What the records say; the header of a client's batch may say something else.
    max_timestamp: i64,
    /// What the stored batch says; with LogAppendTime topics see [`ValidBatch::stamp_append_time`].
    timestamp_type: TimestampType,
}

impl<'a> Deref for ValidBatch<'a> {
    type Target = BatchHeader<'a>;

    fn deref(&self) -> &BatchHeader<'a> {
        &self.header
    }
}

impl<'a> ValidBatch<'a> {
    /// Checks what a client sent for one partition: exactly one batch, its CRC, its header, and every record in it.
    /// `now_ms` is the wall clock that timestamps are held against, in ms since 1970.
    pub fn check(records: &'a [u8], rules: &DoorRules, now_ms: i64) -> Result<ValidBatch<'a>, BatchError> {
        let (header, codec) = sole_batch(records, rules)?;
        check_crc(header, records)?;
        check_header(header)?;
        let create_time = rules.timestamp_type == TimestampType::CreateTime;
        let (before, after) = (rules.timestamp_before_max_ms, rules.timestamp_after_max_ms);
        let range = create_time.then(|| TimestampRange::around(now_ms, before, after));
        let by_producer = header.timestamp_type() == TimestampType::CreateTime;
        let record_rules = RecordRules {
            count: header.record_count(),
            base_timestamp: header.base_timestamp(),
            timestamps: range.filter(|_| by_producer),
            key_required: rules.key_required,
        };
        let body = &records[HEADER_SIZE..];
        let walked = match codec {
            Codec::None => walk::walk(body, record_rules)?,
            _ if rules.walk_compressed => inflate::walk(codec, body, record_rules, rules.inflated_bytes_max)?,
            _ => header.max_timestamp(),
        };
        let max_timestamp = if by_producer { walked } else { one_timestamp(header, range)? };
        let proof = Proof { codec, max_timestamp, timestamp_type: TimestampType::CreateTime };
        Ok(ValidBatch { header, bytes: records, proof })
    }

    /// Checks length and CRC of exactly one batch that was checked at the door before: from a leader, from the own disk,
    /// or built here.
    pub fn trusted(bytes: &'a [u8]) -> Result<ValidBatch<'a>, BatchError> {
        let header = BatchHeader::read(bytes)?;
        check_length(header, bytes)?;
        check_crc(header, bytes)?;
        let codec = known_codec(header)?;
        if header.record_count() < 0 || header.last_offset_delta() < 0 {
            return Err(count_error(header));
        }
        let (max_timestamp, timestamp_type) = (header.max_timestamp(), header.timestamp_type());
        Ok(ValidBatch { header, bytes, proof: Proof { codec, max_timestamp, timestamp_type } })
    }

    pub(super) fn proof(&self) -> Proof {
        self.proof
    }

    /// The batch whose check gave `proof`.
    pub(super) fn proven(bytes: &'a [u8], proof: Proof) -> ValidBatch<'a> {
        let header = BatchHeader::read(bytes).expect("its header was read when it was checked");
        ValidBatch { header, bytes, proof }
    }

    /// The header as it is in the bytes.
    #[must_use]
    pub fn header(&self) -> BatchHeader<'a> {
        self.header
    }

    /// All bytes of the batch.
    #[must_use]
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Bytes of the batch.
    #[must_use]
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    /// The codec of the records.
    #[must_use]
    pub fn codec(&self) -> Codec {
        self.proof.codec
    }

    /// Largest timestamp of the records, in ms since 1970; -1 when none has one. With LogAppendTime it is the leader's,
    /// see [`ValidBatch::stamp_append_time`].
    #[must_use]
    pub fn max_timestamp(&self) -> i64 {
        self.proof.max_timestamp
    }

    /// The first bytes of the batch as a leader stores it at `base_offset`. They are 21, or 61 when the producer's
    /// largest timestamp is not that of the records and is put right, as Kafka does.
    #[must_use]
    pub fn stamp(&self, base_offset: Offset, epoch: LeaderEpoch) -> Stamp {
        let stamp = Stamp::offsets(self.header, base_offset, epoch);
        let Proof { max_timestamp, timestamp_type, .. } = self.proof;
        if max_timestamp == self.header.max_timestamp() && timestamp_type == self.header.timestamp_type() {
            return stamp;
        }
        stamp.timestamp(timestamp_type, max_timestamp, &self.bytes[HEADER_SIZE..])
    }

    /// The first 61 bytes of the batch as a leader stores it in a topic with LogAppendTime.
    #[must_use]
    pub fn stamp_append_time(&self, base_offset: Offset, epoch: LeaderEpoch, now_ms: i64) -> Stamp {
        let records = &self.bytes[HEADER_SIZE..];
        Stamp::offsets(self.header, base_offset, epoch).timestamp(TimestampType::LogAppendTime, now_ms, records)
    }

    /// The bytes that follow `stamp` in the stored batch.
    #[must_use]
    pub fn rest_after(&self, stamp: &Stamp) -> &'a [u8] {
        &self.bytes[stamp.len()..]
    }

    /// The records, in order. Those of a compressed batch are decompressed into `scratch`, at most `limit` bytes.
    pub fn records<'r>(&self, scratch: &'r mut Vec<u8>, limit: usize) -> Result<RecordIter<'r>, BatchError>
    where
        'a: 'r,
    {
        let body = &self.bytes[HEADER_SIZE..];
        if self.codec() == Codec::None {
            return Ok(RecordIter::new(self.header, body));
        }
        scratch.clear();
        decompress(self.codec(), body, limit, scratch)?;
        Ok(RecordIter::new(self.header, scratch))
    }
}

/// The timestamp of all records of a client's batch that claims LogAppendTime. Kafka stores it as a CreateTime batch when
/// the topic has CreateTime and the timestamp is in the range, and refuses it otherwise.
fn one_timestamp(header: BatchHeader<'_>, range: Option<TimestampRange>) -> Result<i64, BatchError> {
    let timestamp = header.max_timestamp();
    match range {
        Some(range) if timestamp != NO_TIMESTAMP => match range.fault(timestamp) {
            Some(reason) => Err(BatchError::Records(vec![RecordFault { index: 0, reason }])),
            None => Ok(timestamp),
        },
        Some(_) | None => Err(BatchError::AppendTime),
    }
}

/// The one batch that a produced partition may have, in the order in which Kafka looks at it.
fn sole_batch<'a>(records: &'a [u8], rules: &DoorRules) -> Result<(BatchHeader<'a>, Codec), BatchError> {
    if records.is_empty() {
        return Err(BatchError::Missing);
    }
    let header = BatchHeader::read(records)?;
    if header.codec() == Some(Codec::Zstd) && !rules.zstd_allowed {
        return Err(BatchError::CodecNotAllowed(Codec::Zstd));
    }
    check_length(header, records)?;
    if header.base_offset() != Offset(0) {
        return Err(BatchError::BaseOffset(header.base_offset().0));
    }
    if records.len() > rules.message_bytes_max {
        return Err(BatchError::TooLarge { size: records.len(), limit: rules.message_bytes_max });
    }
    Ok((header, known_codec(header)?))
}

fn check_length(header: BatchHeader<'_>, bytes: &[u8]) -> Result<(), BatchError> {
    let (needed, have) = (header.size(), bytes.len());
    match have.checked_sub(needed) {
        Some(0) => Ok(()),
        Some(bytes) => Err(BatchError::Trailing { bytes }),
        None => Err(BatchError::Short { needed, have }),
    }
}

fn check_crc(header: BatchHeader<'_>, bytes: &[u8]) -> Result<(), BatchError> {
    let (stored, computed) = (header.crc(), super::crc(&bytes[ATTRIBUTES_AT..]));
    if stored == computed { Ok(()) } else { Err(BatchError::Crc { stored, computed }) }
}

fn known_codec(header: BatchHeader<'_>) -> Result<Codec, BatchError> {
    header.codec().ok_or(BatchError::UnknownCodec((header.attributes() & CODEC_MASK) as u8))
}

fn count_error(header: BatchHeader<'_>) -> BatchError {
    BatchError::Count { count: header.record_count(), last_offset_delta: header.last_offset_delta() }
}

/// What Kafka demands of the header of a client's batch, and no more than that in bits it does not know.
fn check_header(header: BatchHeader<'_>) -> Result<(), BatchError> {
    let count = header.record_count();
    if count <= 0 || header.last_offset_delta() != count - 1 {
        return Err(count_error(header));
    }
    if header.is_control() {
        return Err(BatchError::Control);
    }
    if header.attributes() & DELETE_HORIZON_BIT != 0 {
        return Err(BatchError::DeleteHorizon);
    }
    let (producer_id, base_sequence) = (header.producer_id().0, header.base_sequence());
    let unsequenced = header.has_producer_id() && base_sequence < 0;
    if unsequenced || (header.is_transactional() && !header.has_producer_id()) {
        return Err(BatchError::Producer { producer_id, base_sequence });
    }
    Ok(())
}
