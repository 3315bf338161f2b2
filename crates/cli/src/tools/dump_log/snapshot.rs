//! Producer snapshots.

use super::read;
use crate::failure::{Failure, While};
use crate::output;
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
        output::text(format_args!(
            "producerId: {} producerEpoch: {} coordinatorEpoch: {} currentTxnFirstOffset: {} lastTimestamp: {}",
            entry.producer_id,
            entry.epoch,
            entry.coordinator_epoch,
            optional(entry.current_txn_first_offset),
            entry.timestamp,
        ));
        // After a marker nothing is known of a batch.
        if entry.last_offset >= 0 {
            let first = match entry.last_sequence {
                last if last < 0 => -1,
                last => last.wrapping_sub(entry.offset_delta) & i32::MAX,
            };
            output::text(format_args!(
                " firstSequence: {first} lastSequence: {} lastOffset: {} offsetDelta: {} timestamp: {}",
                entry.last_sequence, entry.last_offset, entry.offset_delta, entry.timestamp
            ));
        }
        output::line("");
    }
    Ok(())
}

/// A number as Kafka's tool prints one that may be missing.
fn optional(number: i64) -> String {
    if number < 0 { "OptionalLong.empty".to_owned() } else { format!("OptionalLong[{number}]") }
}
