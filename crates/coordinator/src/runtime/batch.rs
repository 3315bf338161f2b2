//! Records on their way into the log: batches of no producer, as Kafka's coordinators write them.

use crate::machine::{Refused, Stored};
use ottla_host::WallClock;
use ottla_wire::batch::{BatchBuilder, HEADER_SIZE, NewRecord};
use ottla_wire::codec::Compression;
use ottla_wire::ids::Offset;

/// Most bytes that a record takes beside its key and value.
const RECORD_OVERHEAD: usize = 32;

/// What the records of one decision take in a batch, at most.
fn size_of(records: &[Stored]) -> usize {
    records.iter().map(|(key, value)| RECORD_OVERHEAD + key.len() + value.as_ref().map_or(0, Vec::len)).sum()
}

/// A batch in the making.
#[derive(Debug)]
pub(super) struct Making {
    builder: BatchBuilder,
    compression: Compression,
    /// Bytes that a batch must not exceed (`max.message.bytes`).
    bytes_max: usize,
}

/// How the records of one decision go into batches.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fit {
    /// Into the batch in the making.
    Now,
    /// Into the next one: the batch in the making goes first.
    Next,
    /// Into as many as it takes: they only take back, so that half of them is no half truth.
    Several,
}

impl Making {
    pub(super) fn new(bytes_max: usize, compression: Compression) -> Making {
        Making { builder: BatchBuilder::new(Offset(0)).compression(compression), compression, bytes_max }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.builder.count() == 0
    }

    /// Where the records of a decision find room.
    ///
    /// # Errors
    /// `Refused::TooLarge` where no batch holds them together.
    pub(super) fn fit(&self, records: &[Stored]) -> Result<Fit, Refused> {
        let size = size_of(records);
        if self.builder.size() + size <= self.bytes_max {
            Ok(Fit::Now)
        } else if HEADER_SIZE + size <= self.bytes_max {
            Ok(Fit::Next)
        } else if records.iter().all(|(_, value)| value.is_none()) {
            Ok(Fit::Several)
        } else {
            Err(Refused::TooLarge)
        }
    }

    /// Whether one more record finds room.
    pub(super) fn has_room(&self, record: &Stored) -> bool {
        self.builder.size() + size_of(std::slice::from_ref(record)) <= self.bytes_max
    }

    pub(super) fn push(&mut self, (key, value): &Stored, now: WallClock) {
        let record = NewRecord { timestamp: now.0, key: Some(key), value: value.as_deref(), headers: &[] };
        self.builder.append(&record).expect("a batch stays below max.message.bytes, far below what a length can say");
    }

    /// The batch; what is made from here on goes into the next.
    pub(super) fn seal(&mut self) -> Vec<u8> {
        let next = BatchBuilder::new(Offset(0)).compression(self.compression);
        std::mem::replace(&mut self.builder, next).finish()
    }
}
