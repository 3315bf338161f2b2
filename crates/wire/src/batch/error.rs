//! Why a batch is refused, and the Kafka error that a client is answered with.

use crate::codec::{Codec, CodecError};
use crate::error::ErrorCode;

/// Why a batch is not accepted or cannot be read.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BatchError {
    /// No batch at all where one has to be.
    #[error("there is no record batch")]
    Missing,
    /// The bytes end inside of the batch.
    #[error("a record batch of {needed} bytes was cut off after {have}")]
    Short {
        /// Bytes that the batch has by its header, or a header has.
        needed: usize,
        /// Bytes that are there.
        have: usize,
    },
    /// Bytes follow where only one batch may be.
    #[error("{bytes} bytes follow the one record batch that a partition may have in a request")]
    Trailing {
        /// Bytes that follow.
        bytes: usize,
    },
    /// The length field cannot be that of a batch.
    #[error("a record batch has the length {length}, the least is 49")]
    Length {
        /// The field as stored.
        length: i32,
    },
    /// A message set of before Kafka 0.11.
    #[error("the records are in format {magic}; only format 2 is served")]
    OldFormat {
        /// 0 or 1.
        magic: i8,
    },
    /// A format that never was.
    #[error("a record batch has the unknown format {magic}")]
    Magic {
        /// The byte as stored.
        magic: i8,
    },
    /// Larger than `max.message.bytes`.
    #[error("a record batch of {size} bytes is larger than the limit of {limit} (max.message.bytes)")]
    TooLarge {
        /// Bytes of the batch.
        size: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// The CRC-32C does not match.
    #[error("the CRC of a record batch is {stored:08x}, its bytes give {computed:08x}")]
    Crc {
        /// The CRC in the header.
        stored: u32,
        /// The CRC of the bytes.
        computed: u32,
    },
    /// The base offset of a client's batch is not 0.
    #[error("the base offset of a produced batch must be 0, it is {0}")]
    BaseOffset(i64),
    /// Count and offsets disagree, or there is no record.
    #[error("a record batch says {count} records and a last offset delta of {last_offset_delta}")]
    Count {
        /// Records by the header.
        count: i32,
        /// Last offset delta by the header.
        last_offset_delta: i32,
    },
    /// A codec that does not exist.
    #[error("a record batch names the unknown codec {0}")]
    UnknownCodec(u8),
    /// A codec that the version of the request does not have.
    #[error("{0} is not allowed in this version of Produce")]
    CodecNotAllowed(Codec),
    /// A client set the timestamp type that only brokers set.
    #[error("a produced batch may not have the timestamp type LogAppendTime")]
    AppendTime,
    /// A client wrote control records.
    #[error("clients may not write control records")]
    Control,
    /// A client set the mark that only log cleaning sets.
    #[error("a produced batch may not have a delete horizon")]
    DeleteHorizon,
    /// Producer id without sequence, or transaction without producer id.
    #[error("a record batch of producer {producer_id} has base sequence {base_sequence}")]
    Producer {
        /// Producer id as sent.
        producer_id: i64,
        /// Base sequence as sent.
        base_sequence: i32,
    },
    /// The bytes at record `index` are not a record.
    #[error("record {index} of a batch is malformed: {what}")]
    Malformed {
        /// Index in the batch, from 0.
        index: i32,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The compressed records cannot be read, or are too many bytes.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// Records that are well formed and break a rule of the topic.
    #[error("{} records break a rule, the first is record {}: {}", .0.len(), .0[0].index, .0[0].reason)]
    Records(Vec<RecordFault>),
}

/// One record that breaks a rule (KIP-467 names each in the answer).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RecordFault {
    /// Index in the batch, from 0.
    pub index: i32,
    /// The rule.
    pub reason: RecordReason,
}

/// The rule that a record breaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RecordReason {
    /// A compacted topic needs a key on every record.
    #[error("it has no key, and the topic is compacted")]
    KeyMissing,
    /// Too far from the broker's clock (`message.timestamp.before.max.ms`, `message.timestamp.after.max.ms`).
    #[error("its timestamp {timestamp} lies outside of {earliest} to {latest}")]
    Timestamp {
        /// Timestamp of the record, in ms since 1970.
        timestamp: i64,
        /// Earliest that is accepted now.
        earliest: i64,
        /// Latest that is accepted now.
        latest: i64,
    },
}

impl BatchError {
    /// The error that the client is answered with.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            BatchError::Length { .. } | BatchError::Magic { .. } | BatchError::Crc { .. } => ErrorCode::CORRUPT_MESSAGE,
            // A Java producer splits a batch that is too large, which helps against a limit on inflated bytes as well.
            BatchError::TooLarge { .. } | BatchError::Codec(CodecError::TooLarge { .. }) => {
                ErrorCode::MESSAGE_TOO_LARGE
            }
            BatchError::CodecNotAllowed(_) => ErrorCode::UNSUPPORTED_COMPRESSION_TYPE,
            BatchError::AppendTime => ErrorCode::INVALID_TIMESTAMP,
            BatchError::Records(faults) => records_code(faults),
            // What cannot get better by sending it again must not have a retriable code.
            BatchError::Missing
            | BatchError::Short { .. }
            | BatchError::Trailing { .. }
            | BatchError::OldFormat { .. }
            | BatchError::BaseOffset(_)
            | BatchError::Count { .. }
            | BatchError::UnknownCodec(_)
            | BatchError::Control
            | BatchError::DeleteHorizon
            | BatchError::Producer { .. }
            | BatchError::Malformed { .. }
            | BatchError::Codec(CodecError::Damaged(_) | CodecError::Level { .. }) => ErrorCode::INVALID_RECORD,
        }
    }

    /// The single records that broke a rule, empty when the batch as a whole did.
    #[must_use]
    pub fn faults(&self) -> &[RecordFault] {
        match self {
            BatchError::Records(faults) => faults,
            _ => &[],
        }
    }
}

/// One timestamp out of range makes the whole batch an INVALID_TIMESTAMP, as in Kafka.
fn records_code(faults: &[RecordFault]) -> ErrorCode {
    let timestamp = |fault: &RecordFault| matches!(fault.reason, RecordReason::Timestamp { .. });
    if faults.iter().any(timestamp) { ErrorCode::INVALID_TIMESTAMP } else { ErrorCode::INVALID_RECORD }
}
