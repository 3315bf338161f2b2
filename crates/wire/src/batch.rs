//! Record batches in Kafka's format 2: checked once at the door, stamped with offsets, walked, built.
//!
//! ```text
//! offset  0        8       12     16     17   21          23           27          35
//!         base     length  leader magic  CRC  attributes  last offset  base        max
//!         offset           epoch  (2)    32C              delta        timestamp   timestamp
//! offset 43        51        53        57      61
//!        producer  producer  base      record  records (compressed or not)
//!        id        epoch     sequence  count
//! ```
//! The CRC covers everything from the attributes on, so that a leader writes base offset and epoch without touching it.

mod build;
mod control;
mod error;
mod header;
mod inflate;
mod recompress;
mod records;
mod shared;
mod split;
mod stamp;
mod timestamps;
mod valid;
mod walk;

pub use build::{BatchBuilder, NewRecord, Producer};
pub use control::{ControlKind, EndTxn};
pub use error::{BatchError, RecordFault, RecordReason};
pub use header::{BatchHeader, HEADER_SIZE, LOG_OVERHEAD, NO_TIMESTAMP, TimestampType};
pub use records::{Header, Headers, Record, RecordIter};
pub use shared::SharedBatch;
pub use split::Batches;
pub use stamp::Stamp;
pub use valid::{DoorRules, INFLATED_BYTES_MAX, ValidBatch};

/// The CRC-32C of `bytes`; of a batch, that of everything from the attributes on.
#[must_use]
pub fn crc(bytes: &[u8]) -> u32 {
    crc_fast::crc32_iscsi(bytes)
}

#[cfg(test)]
mod tests;
