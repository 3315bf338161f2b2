//! Stored batches into a machine: records, transactional records, and the markers that end their transactions.

use crate::machine::{Machine, Origin};
use ottla_wire::batch::{BatchError, Batches, ControlKind, ValidBatch};
use ottla_wire::ids::Offset;

/// Most bytes that a stored batch may decompress to.
const INFLATED_BYTES_MAX: usize = 256 << 20;

/// Why the log cannot be replayed.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A batch is broken.
    #[error("the batch at offset {offset} cannot be read: {error}")]
    Batch {
        /// Where.
        offset: Offset,
        /// What is wrong.
        error: BatchError,
    },
    /// A record is none of this machine.
    #[error("the record at offset {offset} cannot be read: {error}")]
    Record {
        /// Where.
        offset: Offset,
        /// What is wrong.
        error: String,
    },
}

/// Replays whole batches into `machine`; answers the offset after them, None where there was none.
///
/// # Errors
/// The first batch or record that cannot be read: a machine that leaves records out would forget what was promised.
pub fn replay<M: Machine>(machine: &mut M, bytes: &[u8], scratch: &mut Vec<u8>) -> Result<Option<Offset>, LoadError> {
    let mut next = None;
    for found in Batches::new(bytes) {
        let at = next.unwrap_or(Offset(-1));
        let (header, batch) = found.map_err(|error| LoadError::Batch { offset: at, error })?;
        let of_batch = |error| LoadError::Batch { offset: header.base_offset(), error };
        let valid = ValidBatch::trusted(batch).map_err(of_batch)?;
        let origin = if header.is_transactional() {
            Origin::Transaction(header.producer_id(), header.producer_epoch())
        } else {
            Origin::Plain
        };
        for record in valid.records(scratch, INFLATED_BYTES_MAX).map_err(of_batch)? {
            let record = record.map_err(of_batch)?;
            if header.is_control() {
                end_transaction(machine, &header, record.key).map_err(of_batch)?;
                continue;
            }
            let of_record = |error: String| LoadError::Record { offset: record.offset, error };
            let key = record.key.ok_or_else(|| of_record("it has no key".to_owned()))?;
            machine.load(key, record.value, origin).map_err(|error| of_record(error.to_string()))?;
        }
        next = Some(header.next_offset());
    }
    Ok(next)
}

fn end_transaction<M: Machine>(
    machine: &mut M,
    header: &ottla_wire::batch::BatchHeader<'_>,
    key: Option<&[u8]>,
) -> Result<(), BatchError> {
    match ControlKind::parse(key)? {
        ControlKind::Commit => machine.end_transaction(header.producer_id(), true),
        ControlKind::Abort => machine.end_transaction(header.producer_id(), false),
        // Other kinds are of the metadata log.
        _ => {}
    }
    Ok(())
}
