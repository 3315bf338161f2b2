//! Building batches byte for byte as Kafka's Java client does: for producers, coordinators, controllers, tools and tests.

use super::control::{ControlKind, EndTxn};
use super::header::{
    APPEND_TIME_BIT, ATTRIBUTES_AT, CONTROL_BIT, CRC_AT, DELETE_HORIZON_BIT, HEADER_SIZE, LENGTH_AT, LOG_OVERHEAD,
    MAGIC, NO_TIMESTAMP, TRANSACTIONAL_BIT,
};
use super::records::Header;
use crate::codec::Compression;
use crate::encoder::{EncodeError, Encoder};
use crate::ids::{LeaderEpoch, Offset, ProducerEpoch, ProducerId};

/// Bytes of records that one batch takes; far above what any limit lets through.
const BODY_MAX: usize = 1 << 30;

/// A record to be written.
#[derive(Clone, Copy, Debug, Default)]
pub struct NewRecord<'r> {
    /// Timestamp in ms since 1970, -1 for none.
    pub timestamp: i64,
    /// Key, or null.
    pub key: Option<&'r [u8]>,
    /// Value, or null.
    pub value: Option<&'r [u8]>,
    /// Headers in their order.
    pub headers: &'r [Header<'r>],
}

/// Who produces a batch, for idempotence and transactions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Producer {
    /// Producer id.
    pub id: ProducerId,
    /// Its epoch.
    pub epoch: ProducerEpoch,
    /// Sequence number of the first record; -1 in batches that the brokers write in the producer's name.
    pub base_sequence: i32,
}

/// A batch in the making. The properties come first, then the records, then [`BatchBuilder::finish`].
#[derive(Debug)]
pub struct BatchBuilder {
    base_offset: Offset,
    leader_epoch: LeaderEpoch,
    producer: Producer,
    attributes: i16,
    compression: Compression,
    append_time_ms: Option<i64>,
    base_timestamp: Option<i64>,
    max_timestamp: i64,
    /// Offset delta of the last record, or of the last offset that the batch stands for; -1 before the first.
    last_delta: i32,
    count: i32,
    body: Encoder,
    scratch: Encoder,
}

impl BatchBuilder {
    /// An empty batch from `base_offset` on (0 in a producer), uncompressed, of no producer, epoch unknown.
    #[must_use]
    pub fn new(base_offset: Offset) -> BatchBuilder {
        BatchBuilder {
            base_offset,
            leader_epoch: LeaderEpoch::UNKNOWN,
            producer: Producer { id: ProducerId::NONE, epoch: ProducerEpoch(-1), base_sequence: -1 },
            attributes: 0,
            compression: Compression::NONE,
            append_time_ms: None,
            base_timestamp: None,
            max_timestamp: NO_TIMESTAMP,
            last_delta: -1,
            count: 0,
            body: Encoder::new(),
            scratch: Encoder::new(),
        }
    }

    /// Sets the leader epoch.
    #[must_use]
    pub fn leader_epoch(mut self, epoch: LeaderEpoch) -> BatchBuilder {
        self.leader_epoch = epoch;
        self
    }

    /// Sets who produces it.
    #[must_use]
    pub fn producer(mut self, producer: Producer) -> BatchBuilder {
        self.producer = producer;
        self
    }

    /// Makes the records part of a transaction.
    #[must_use]
    pub fn transactional(mut self) -> BatchBuilder {
        self.attributes |= TRANSACTIONAL_BIT;
        self
    }

    /// Makes the records control records.
    #[must_use]
    pub fn control(mut self) -> BatchBuilder {
        self.attributes |= CONTROL_BIT;
        self
    }

    /// Sets codec and level.
    #[must_use]
    pub fn compression(mut self, compression: Compression) -> BatchBuilder {
        self.compression = compression;
        self
    }

    /// Gives all records the leader's time, in ms since 1970 (LogAppendTime).
    #[must_use]
    pub fn append_time(mut self, now_ms: i64) -> BatchBuilder {
        self.attributes |= APPEND_TIME_BIT;
        self.append_time_ms = Some(now_ms);
        self
    }

    /// Sets when log cleaning may drop tombstones and markers, in ms since 1970 (KIP-534).
    #[must_use]
    pub fn delete_horizon(mut self, horizon_ms: i64) -> BatchBuilder {
        self.attributes |= DELETE_HORIZON_BIT;
        self.base_timestamp = Some(horizon_ms);
        self
    }

    /// Adds a record at the next offset. Fails when the batch has grown beyond what a length field can say.
    pub fn append(&mut self, record: &NewRecord<'_>) -> Result<(), EncodeError> {
        self.append_at(Offset(self.base_offset.0 + i64::from(self.last_delta) + 1), record)
    }

    /// Adds a record at `offset`, which lies after all before it; for copies that have gaps.
    pub fn append_at(&mut self, offset: Offset, record: &NewRecord<'_>) -> Result<(), EncodeError> {
        let delta = offset.0 - self.base_offset.0;
        let too_long = |length| EncodeError::TooLong { length };
        let delta = i32::try_from(delta).map_err(|_| too_long(delta.unsigned_abs() as usize))?;
        debug_assert!(delta > self.last_delta, "offsets of a batch go up");
        let upper = record_size_max(record);
        if self.body.position() + upper > BODY_MAX {
            return Err(too_long(self.body.position() + upper));
        }
        // With LogAppendTime the records keep the producer's times, as in Kafka; readers take the header's instead.
        let base = *self.base_timestamp.get_or_insert(record.timestamp);
        self.max_timestamp = self.max_timestamp.max(record.timestamp);
        encode_record(&mut self.scratch, record.timestamp.wrapping_sub(base), delta, record);
        self.body.varint(self.scratch.position() as i32);
        self.body.raw(self.scratch.bytes());
        self.scratch.clear();
        self.last_delta = delta;
        self.count += 1;
        Ok(())
    }

    /// Adds a control record.
    pub fn append_control(&mut self, timestamp: i64, kind: ControlKind, value: &[u8]) -> Result<(), EncodeError> {
        self.append(&NewRecord { timestamp, key: Some(&kind.key()), value: Some(value), headers: &[] })
    }

    /// Lets the batch stand for the offsets up to `last_offset`, though it has no records there (log cleaning).
    pub fn cover(&mut self, last_offset: Offset) {
        let delta = i32::try_from(last_offset.0 - self.base_offset.0).unwrap_or(i32::MAX);
        self.last_delta = self.last_delta.max(delta);
    }

    /// Records added so far.
    #[must_use]
    pub fn count(&self) -> i32 {
        self.count
    }

    /// Bytes of the batch so far, before compression.
    #[must_use]
    pub fn size(&self) -> usize {
        HEADER_SIZE + self.body.position()
    }

    /// The batch.
    #[must_use]
    pub fn finish(self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.size());
        self.finish_into(&mut out);
        out
    }

    /// Appends the batch to `out`.
    pub fn finish_into(self, out: &mut Vec<u8>) {
        let start = out.len();
        let mut header = Encoder::with_buffer(std::mem::take(out));
        header.i64(self.base_offset.0);
        header.i32(0);
        header.i32(self.leader_epoch.0);
        header.i8(MAGIC);
        header.i32(0);
        header.i16(self.attributes | i16::from(self.compression.codec().id()));
        header.i32(self.last_delta);
        header.i64(self.base_timestamp.unwrap_or(NO_TIMESTAMP));
        header.i64(self.append_time_ms.unwrap_or(self.max_timestamp));
        header.i64(self.producer.id.0);
        header.i16(self.producer.epoch.0);
        header.i32(self.producer.base_sequence);
        header.i32(self.count);
        (*out, _) = header.into_parts();
        self.compression.compress(self.body.bytes(), out).expect("compressing in memory does not fail");
        seal(&mut out[start..]);
    }

    /// A whole batch with the one control record that ends a producer's transaction on a partition.
    #[must_use]
    pub fn end_of_transaction(producer: Producer, kind: ControlKind, end: EndTxn, now_ms: i64) -> Vec<u8> {
        let mut builder = BatchBuilder::new(Offset(0)).producer(producer).transactional().control();
        builder.append_control(now_ms, kind, &end.value()).expect("one small record fits");
        builder.finish()
    }
}

/// Fills in length and CRC.
fn seal(batch: &mut [u8]) {
    let length = (batch.len() - LOG_OVERHEAD) as i32;
    batch[LENGTH_AT..LOG_OVERHEAD].copy_from_slice(&length.to_be_bytes());
    let crc = super::crc(&batch[ATTRIBUTES_AT..]);
    batch[CRC_AT..ATTRIBUTES_AT].copy_from_slice(&crc.to_be_bytes());
}

/// Bytes that a record takes at most.
fn record_size_max(record: &NewRecord<'_>) -> usize {
    let header = |header: &Header<'_>| 10 + header.key.len() + header.value.map_or(0, <[u8]>::len);
    36 + record.key.map_or(0, <[u8]>::len)
        + record.value.map_or(0, <[u8]>::len)
        + record.headers.iter().map(header).sum::<usize>()
}

fn encode_record(out: &mut Encoder, timestamp_delta: i64, offset_delta: i32, record: &NewRecord<'_>) {
    out.i8(0);
    out.varlong(timestamp_delta);
    out.varint(offset_delta);
    encode_bytes(out, record.key);
    encode_bytes(out, record.value);
    out.varint(record.headers.len() as i32);
    for header in record.headers {
        encode_bytes(out, Some(header.key));
        encode_bytes(out, header.value);
    }
}

fn encode_bytes(out: &mut Encoder, bytes: Option<&[u8]>) {
    out.varint(bytes.map_or(-1, |bytes| bytes.len() as i32));
    out.raw(bytes.unwrap_or_default());
}
