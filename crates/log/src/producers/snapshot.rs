//! Producer snapshots: the state of all producers at an offset, in Kafka's format.

use super::{Batch, Producer, Producers};
use crc_fast::crc32_iscsi;
use ottla_messages::records::storage::producer_snapshot::{ProducerEntry, ProducerSnapshot};
use ottla_wire::{ApiVersion, Cursor, DecodeError, Encoder};

/// The only version there is.
const VERSION: ApiVersion = ApiVersion(1);
/// Bytes of version and checksum, in front of what the checksum covers.
const PREFIX: usize = 6;
/// Largest snapshot that is read: over a million producers.
pub(crate) const SNAPSHOT_BYTES_MAX: u64 = 64 << 20;

/// Why a snapshot cannot be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum SnapshotError {
    #[error("producer snapshot: {0}")]
    Decode(#[from] DecodeError),
    #[error("producer snapshot of the unknown version {0}")]
    Version(i16),
    #[error("the checksum of a producer snapshot is wrong")]
    Checksum,
    #[error("producer snapshot of more than {SNAPSHOT_BYTES_MAX} bytes")]
    TooLarge,
}

/// The file's bytes.
pub(crate) fn write(producers: &Producers) -> Vec<u8> {
    let producer_entries = producers.iter().map(|(id, producer)| entry(id, producer)).collect();
    let mut out = Encoder::new();
    out.i16(VERSION.0);
    ProducerSnapshot { crc: 0, producer_entries }
        .encode(&mut out, VERSION)
        .expect("a snapshot has numbers alone, and fewer entries than an array may have");
    let (mut bytes, _) = out.into_parts();
    let crc = crc32_iscsi(&bytes[PREFIX..]);
    bytes[2..PREFIX].copy_from_slice(&crc.to_be_bytes());
    bytes
}

fn entry(producer_id: i64, producer: &Producer) -> ProducerEntry {
    let last = producer.last();
    ProducerEntry {
        producer_id,
        epoch: producer.epoch,
        last_sequence: last.map_or(-1, |batch| batch.last_sequence),
        last_offset: last.map_or(-1, |batch| batch.last_offset),
        offset_delta: last.map_or(0, |batch| batch.offset_delta),
        timestamp: producer.timestamp,
        coordinator_epoch: producer.coordinator_epoch,
        current_txn_first_offset: producer.open_transaction.unwrap_or(-1),
    }
}

/// Reads a snapshot; producers that are expired at `now` are left out.
pub(crate) fn read(bytes: &[u8], now: i64, expiration_ms: i64) -> Result<Producers, SnapshotError> {
    let mut cursor = Cursor::new(bytes);
    let version = cursor.i16()?;
    if version != VERSION.0 {
        return Err(SnapshotError::Version(version));
    }
    let snapshot = ProducerSnapshot::decode(&mut cursor, VERSION)?;
    if crc32_iscsi(&bytes[PREFIX..]) != snapshot.crc {
        return Err(SnapshotError::Checksum);
    }
    let mut producers = Producers::default();
    for entry in &snapshot.producer_entries {
        producers.load(entry.producer_id, producer(entry));
    }
    producers.expire(now, expiration_ms);
    Ok(producers)
}

fn producer(entry: &ProducerEntry) -> Producer {
    let mut producer = Producer::new();
    producer.epoch = entry.epoch;
    producer.timestamp = entry.timestamp;
    producer.coordinator_epoch = entry.coordinator_epoch;
    producer.open_transaction = Some(entry.current_txn_first_offset).filter(|first| *first >= 0);
    if entry.last_offset >= 0 {
        producer.batches.push_back(Batch {
            last_sequence: entry.last_sequence,
            last_offset: entry.last_offset,
            offset_delta: entry.offset_delta,
            timestamp: entry.timestamp,
        });
    }
    producer
}
