//! Producer snapshots.

use super::read;
use crate::failure::{Failure, While};
use ottla_messages::records::storage::ProducerSnapshot;
use ottla_wire::{ApiVersion, Cursor};
use std::path::Path;

/// Prints a producer snapshot.
pub(super) fn dump(file: &Path) -> Result<(), Failure> {
    let bytes = read(file)?;
    let doing = || format!("read {} as a producer snapshot", file.display());
    let mut cursor = Cursor::new(&bytes);
    let version = cursor.i16().during(doing)?;
    let snapshot = ProducerSnapshot::decode(&mut cursor, ApiVersion(version)).during(doing)?;
    for entry in snapshot.producer_entries {
        let first =
            if entry.last_sequence < 0 { -1 } else { entry.last_sequence.wrapping_sub(entry.offset_delta) & i32::MAX };
        println!(
            "producerId: {} producerEpoch: {} coordinatorEpoch: {} currentTxnFirstOffset: {} lastTimestamp: {} \
             firstSequence: {first} lastSequence: {} lastOffset: {} offsetDelta: {} timestamp: {}",
            entry.producer_id,
            entry.epoch,
            entry.coordinator_epoch,
            optional(entry.current_txn_first_offset),
            entry.timestamp,
            entry.last_sequence,
            entry.last_offset,
            entry.offset_delta,
            entry.timestamp
        );
    }
    Ok(())
}

/// A number as Kafka's tool prints one that may be missing.
fn optional(number: i64) -> String {
    if number < 0 { "OptionalLong.empty".to_owned() } else { format!("OptionalLong[{number}]") }
}
