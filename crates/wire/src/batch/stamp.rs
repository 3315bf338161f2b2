//! What a leader writes in front of a client's bytes, on the stack, so that the frame is never changed nor copied.

use super::header::{
    APPEND_TIME_BIT, ATTRIBUTES_AT, BatchHeader, CRC_AT, EPOCH_AT, HEADER_SIZE, LAST_OFFSET_DELTA_AT, LENGTH_AT,
    MAGIC_AT, MAX_TIMESTAMP_AT, PRODUCER_ID_AT, TimestampType,
};
use crate::ids::{LeaderEpoch, Offset};
use crc_fast::{CrcAlgorithm, Digest};

/// The new first bytes of a batch: 21 when only offset and epoch change, 61 when the CRC has to change too. The batch as
/// stored is [`Stamp::bytes`] followed by the rest of the original.
#[derive(Clone, Copy, Debug)]
pub struct Stamp {
    bytes: [u8; HEADER_SIZE],
    length: u8,
}

impl Stamp {
    /// Sets base offset and leader epoch; the CRC does not cover them.
    pub(super) fn offsets(header: BatchHeader<'_>, base_offset: Offset, epoch: LeaderEpoch) -> Stamp {
        let mut bytes = *header.bytes();
        bytes[..LENGTH_AT].copy_from_slice(&base_offset.0.to_be_bytes());
        bytes[EPOCH_AT..MAGIC_AT].copy_from_slice(&epoch.0.to_be_bytes());
        Stamp { bytes, length: ATTRIBUTES_AT as u8 }
    }

    /// Sets timestamp type and largest timestamp besides, with the CRC over the new header and the `records` behind it.
    pub(super) fn timestamp(mut self, kind: TimestampType, max_timestamp: i64, records: &[u8]) -> Stamp {
        let kept = i16::from_be_bytes([self.bytes[ATTRIBUTES_AT], self.bytes[ATTRIBUTES_AT + 1]]) & !APPEND_TIME_BIT;
        let attributes = match kind {
            TimestampType::CreateTime => kept,
            TimestampType::LogAppendTime => kept | APPEND_TIME_BIT,
        };
        self.bytes[ATTRIBUTES_AT..LAST_OFFSET_DELTA_AT].copy_from_slice(&attributes.to_be_bytes());
        self.bytes[MAX_TIMESTAMP_AT..PRODUCER_ID_AT].copy_from_slice(&max_timestamp.to_be_bytes());
        let mut digest = Digest::new(CrcAlgorithm::Crc32Iscsi);
        digest.update(&self.bytes[ATTRIBUTES_AT..]);
        digest.update(records);
        self.bytes[CRC_AT..ATTRIBUTES_AT].copy_from_slice(&(digest.finalize() as u32).to_be_bytes());
        self.length = HEADER_SIZE as u8;
        self
    }

    /// The bytes to write instead of as many of the original's.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len()]
    }

    /// How many bytes of the original are replaced: 21 or 61.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a stamp is never empty")]
    pub fn len(&self) -> usize {
        usize::from(self.length)
    }

    /// The whole header of the batch as stored.
    #[must_use]
    pub fn header(&self) -> BatchHeader<'_> {
        BatchHeader::read(&self.bytes).expect("it is a copy of a header that was read")
    }
}
