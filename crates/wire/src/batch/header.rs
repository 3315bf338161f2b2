//! The 61 bytes in front of the records of a batch.

use super::error::BatchError;
use crate::codec::Codec;
use crate::ids::{LeaderEpoch, Offset, ProducerEpoch, ProducerId};

/// Bytes of a batch header.
pub const HEADER_SIZE: usize = 61;
/// Bytes of base offset and length, which the length itself does not count.
pub const LOG_OVERHEAD: usize = 12;
/// Timestamp of a record without one.
pub const NO_TIMESTAMP: i64 = -1;

pub(super) const LENGTH_AT: usize = 8;
pub(super) const EPOCH_AT: usize = 12;
pub(super) const MAGIC_AT: usize = 16;
pub(super) const CRC_AT: usize = 17;
pub(super) const ATTRIBUTES_AT: usize = 21;
pub(super) const LAST_OFFSET_DELTA_AT: usize = 23;
pub(super) const BASE_TIMESTAMP_AT: usize = 27;
pub(super) const MAX_TIMESTAMP_AT: usize = 35;
pub(super) const PRODUCER_ID_AT: usize = 43;
pub(super) const PRODUCER_EPOCH_AT: usize = 51;
pub(super) const BASE_SEQUENCE_AT: usize = 53;
pub(super) const COUNT_AT: usize = 57;

pub(super) const MAGIC: i8 = 2;
pub(super) const CODEC_MASK: i16 = 0x07;
pub(super) const APPEND_TIME_BIT: i16 = 0x08;
pub(super) const TRANSACTIONAL_BIT: i16 = 0x10;
pub(super) const CONTROL_BIT: i16 = 0x20;
pub(super) const DELETE_HORIZON_BIT: i16 = 0x40;

/// Whose clock a record's timestamp is from; Kafka's `message.timestamp.type`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash)]
pub enum TimestampType {
    /// The producer's, record by record.
    #[default]
    CreateTime,
    /// The leader's at the time of the append, one for all records of a batch.
    LogAppendTime,
}

/// The header of one batch, borrowed. Its magic is 2 and its length covers at least the header; nothing else of it is
/// checked, so that a scan can look at what a disk or a peer gave before it believes it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct BatchHeader<'a> {
    bytes: &'a [u8; HEADER_SIZE],
}

impl<'a> BatchHeader<'a> {
    /// The header at the start of `bytes`, which may end before the records do.
    pub fn read(bytes: &'a [u8]) -> Result<BatchHeader<'a>, BatchError> {
        if let Some(length) = bytes.get(LENGTH_AT..EPOCH_AT).and_then(<[u8]>::first_chunk::<4>) {
            let length = i32::from_be_bytes(*length);
            if (length as i64) < (HEADER_SIZE - LOG_OVERHEAD) as i64 {
                return Err(match bytes.get(MAGIC_AT) {
                    Some(&magic @ 0..=1) if length > 0 => BatchError::OldFormat { magic: magic as i8 },
                    Some(_) | None => BatchError::Length { length },
                });
            }
        }
        match bytes.get(MAGIC_AT).map(|magic| *magic as i8) {
            Some(MAGIC) => {}
            Some(magic @ 0..=1) => return Err(BatchError::OldFormat { magic }),
            Some(magic) => return Err(BatchError::Magic { magic }),
            None => return Err(BatchError::Short { needed: HEADER_SIZE, have: bytes.len() }),
        }
        match bytes.first_chunk::<HEADER_SIZE>() {
            Some(bytes) => Ok(BatchHeader { bytes }),
            None => Err(BatchError::Short { needed: HEADER_SIZE, have: bytes.len() }),
        }
    }

    fn field<const N: usize>(&self, at: usize) -> [u8; N] {
        *self.bytes[at..].first_chunk::<N>().expect("every field lies inside of the 61 bytes")
    }

    fn i16(&self, at: usize) -> i16 {
        i16::from_be_bytes(self.field(at))
    }

    fn i32(&self, at: usize) -> i32 {
        i32::from_be_bytes(self.field(at))
    }

    fn i64(&self, at: usize) -> i64 {
        i64::from_be_bytes(self.field(at))
    }

    /// The 61 bytes.
    #[must_use]
    pub fn bytes(&self) -> &'a [u8; HEADER_SIZE] {
        self.bytes
    }

    /// Bytes of the whole batch, from the base offset to the end of the records; at least 61.
    #[must_use]
    pub fn size(&self) -> usize {
        self.i32(LENGTH_AT) as usize + LOG_OVERHEAD
    }

    /// Offset of the first record (of the first one that there was, in a compacted log).
    #[must_use]
    pub fn base_offset(&self) -> Offset {
        Offset(self.i64(0))
    }

    /// Distance of the last offset from the base offset.
    #[must_use]
    pub fn last_offset_delta(&self) -> i32 {
        self.i32(LAST_OFFSET_DELTA_AT)
    }

    /// Offset of the last record.
    #[must_use]
    pub fn last_offset(&self) -> Offset {
        Offset(self.base_offset().0.wrapping_add(i64::from(self.last_offset_delta())))
    }

    /// Offset after the batch.
    #[must_use]
    pub fn next_offset(&self) -> Offset {
        Offset(self.last_offset().0.wrapping_add(1))
    }

    /// Epoch of the leader that appended the batch.
    #[must_use]
    pub fn leader_epoch(&self) -> LeaderEpoch {
        LeaderEpoch(self.i32(EPOCH_AT))
    }

    /// The CRC-32C as stored.
    #[must_use]
    pub fn crc(&self) -> u32 {
        u32::from_be_bytes(self.field(CRC_AT))
    }

    /// The attribute bits as stored.
    #[must_use]
    pub fn attributes(&self) -> i16 {
        self.i16(ATTRIBUTES_AT)
    }

    /// The codec of the records, None for a number that no codec has.
    #[must_use]
    pub fn codec(&self) -> Option<Codec> {
        Codec::from_id((self.attributes() & CODEC_MASK) as u8)
    }

    /// Whose clock the timestamps are from.
    #[must_use]
    pub fn timestamp_type(&self) -> TimestampType {
        if self.attributes() & APPEND_TIME_BIT == 0 { TimestampType::CreateTime } else { TimestampType::LogAppendTime }
    }

    /// Whether the records belong to a transaction.
    #[must_use]
    pub fn is_transactional(&self) -> bool {
        self.attributes() & TRANSACTIONAL_BIT != 0
    }

    /// Whether the records are control records, which consumers never see.
    #[must_use]
    pub fn is_control(&self) -> bool {
        self.attributes() & CONTROL_BIT != 0
    }

    /// When tombstones and markers of this batch may go, in ms since 1970 (KIP-534); the base timestamp then holds it.
    #[must_use]
    pub fn delete_horizon_ms(&self) -> Option<i64> {
        (self.attributes() & DELETE_HORIZON_BIT != 0).then(|| self.base_timestamp())
    }

    /// Timestamp that the records' differences are counted from, in ms since 1970.
    #[must_use]
    pub fn base_timestamp(&self) -> i64 {
        self.i64(BASE_TIMESTAMP_AT)
    }

    /// Largest timestamp of the records as stored, in ms since 1970; with LogAppendTime the timestamp of all of them.
    #[must_use]
    pub fn max_timestamp(&self) -> i64 {
        self.i64(MAX_TIMESTAMP_AT)
    }

    /// Producer id, -1 for a producer that is not idempotent.
    #[must_use]
    pub fn producer_id(&self) -> ProducerId {
        ProducerId(self.i64(PRODUCER_ID_AT))
    }

    /// Whether the producer is idempotent.
    #[must_use]
    pub fn has_producer_id(&self) -> bool {
        self.producer_id().0 >= 0
    }

    /// Epoch of the producer, -1 for none.
    #[must_use]
    pub fn producer_epoch(&self) -> ProducerEpoch {
        ProducerEpoch(self.i16(PRODUCER_EPOCH_AT))
    }

    /// Sequence number of the first record, -1 for none.
    #[must_use]
    pub fn base_sequence(&self) -> i32 {
        self.i32(BASE_SEQUENCE_AT)
    }

    /// Sequence number of the last record, -1 for none. After 2147483647 comes 0.
    #[must_use]
    pub fn last_sequence(&self) -> i32 {
        sequence_after(self.base_sequence(), self.last_offset_delta())
    }

    /// Records in the batch, as the header says.
    #[must_use]
    pub fn record_count(&self) -> i32 {
        self.i32(COUNT_AT)
    }
}

impl std::fmt::Debug for BatchHeader<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BatchHeader")
            .field("offsets", &(self.base_offset(), self.last_offset()))
            .field("size", &self.size())
            .field("leader_epoch", &self.leader_epoch())
            .field("records", &self.record_count())
            .field("attributes", &self.attributes())
            .field("producer", &(self.producer_id(), self.producer_epoch(), self.base_sequence()))
            .finish_non_exhaustive()
    }
}

/// The sequence number `delta` records after `base`; -1 stays -1.
pub(super) fn sequence_after(base: i32, delta: i32) -> i32 {
    if base < 0 { base } else { base.wrapping_add(delta) & i32::MAX }
}
