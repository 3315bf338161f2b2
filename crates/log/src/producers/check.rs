//! Whether a batch may follow what its producer has written: repetitions, gaps, fences.

use super::{Batch, NO_EPOCH, NO_SEQUENCE, Producers};
use ottla_wire::batch::{BatchError, BatchHeader, ControlKind, EndTxn, ValidBatch};

/// Who appends, which decides what is checked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Origin {
    /// A producer: everything is checked.
    Client,
    /// A coordinator of this broker: the producer's epoch, but no sequence.
    Coordinator,
    /// The marker of a transaction; `strict` when transactions bump the epoch each time (`transaction.version` 2).
    Marker {
        /// Whether the marker's epoch must be above the producer's.
        strict: bool,
    },
    /// The partition's leader or the quorum: checked there already.
    Replication,
}

/// Why a batch was not appended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refusal {
    /// Larger than `max.message.bytes` (MESSAGE_TOO_LARGE).
    #[error("the batch is larger than max.message.bytes")]
    MessageTooLarge,
    /// Larger than `segment.bytes` (RECORD_LIST_TOO_LARGE).
    #[error("the batch is larger than segment.bytes")]
    LargerThanSegment,
    /// OUT_OF_ORDER_SEQUENCE_NUMBER: `found` where `expected` had to come.
    #[error("sequence number {found} follows {last}")]
    OutOfOrderSequence {
        /// Last sequence number of the producer.
        last: i32,
        /// The batch's first.
        found: i32,
    },
    /// INVALID_PRODUCER_EPOCH.
    #[error("producer epoch {found} is fenced by {current}")]
    InvalidProducerEpoch {
        /// Epoch of the producer as the log knows it.
        current: i16,
        /// The batch's.
        found: i16,
    },
    /// INVALID_TXN_STATE: no transactional batch where a transaction is open.
    #[error("the producer has an open transaction and the batch is not part of it")]
    InvalidTransactionState,
    /// TRANSACTION_COORDINATOR_FENCED: the marker is of an older coordinator.
    #[error("coordinator epoch {found} is fenced by {current}")]
    CoordinatorFenced {
        /// Coordinator epoch as the log knows it.
        current: i32,
        /// The marker's.
        found: i32,
    },
    /// Offsets are used up or are not those that come next (UNKNOWN_SERVER_ERROR; a broken leader).
    #[error("the offsets of the batch do not follow the log's end")]
    OffsetOutOfOrder,
    /// CORRUPT_MESSAGE: a control batch whose marker cannot be read.
    #[error("the marker cannot be read")]
    Damaged,
    /// The disk is full; the log stays readable (KAFKA_STORAGE_ERROR).
    #[error("the disk is full")]
    DiskFull,
    /// The directory is offline (KAFKA_STORAGE_ERROR).
    #[error("the log directory is offline")]
    Offline,
}

/// End of a transaction as its control record says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Marker {
    pub(crate) aborted: bool,
    pub(crate) coordinator_epoch: i32,
}

/// What the producer state has to know of a batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Facts {
    pub(crate) producer_id: i64,
    pub(crate) epoch: i16,
    pub(crate) first_sequence: i32,
    pub(crate) last_sequence: i32,
    pub(crate) offset_delta: i32,
    pub(crate) timestamp: i64,
    pub(crate) is_transactional: bool,
    pub(crate) is_control: bool,
    pub(crate) marker: Option<Marker>,
}

impl Facts {
    /// From a header; `marker` stays to be filled in for control batches.
    pub(crate) fn of_header(header: &BatchHeader<'_>, timestamp: i64) -> Facts {
        Facts {
            producer_id: header.producer_id().0,
            epoch: header.producer_epoch().0,
            first_sequence: header.base_sequence(),
            last_sequence: header.last_sequence(),
            offset_delta: header.last_offset_delta(),
            timestamp,
            is_transactional: header.is_transactional(),
            is_control: header.is_control(),
            marker: None,
        }
    }

    /// From a whole batch, with the marker of a control batch.
    pub(crate) fn of_batch(batch: &ValidBatch<'_>, timestamp: i64) -> Result<Facts, BatchError> {
        let mut facts = Facts::of_header(batch, timestamp);
        if facts.is_control && facts.producer_id >= 0 {
            facts.marker = read_marker(batch)?;
        }
        Ok(facts)
    }
}

/// The marker in a control batch; None for other control records and for a batch that compaction has emptied.
fn read_marker(batch: &ValidBatch<'_>) -> Result<Option<Marker>, BatchError> {
    let mut scratch = Vec::new();
    let Some(record) = batch.records(&mut scratch, batch.size())?.next().transpose()? else { return Ok(None) };
    let aborted = match ControlKind::parse(record.key)? {
        ControlKind::Abort => true,
        ControlKind::Commit => false,
        _ => return Ok(None),
    };
    let EndTxn { coordinator_epoch } = EndTxn::parse(record.value)?;
    Ok(Some(Marker { aborted, coordinator_epoch }))
}

/// What to do with a batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    Accept,
    /// It was written before.
    Duplicate(Batch),
    Refuse(Refusal),
}

/// A producer as it is after the batches accepted so far, written or not.
struct Current {
    epoch: i16,
    last_sequence: i32,
    coordinator_epoch: i32,
    open_transaction: bool,
}

impl Producers {
    /// Whether a batch may be written behind `pending`, batches accepted before it and not applied yet with their base
    /// offsets.
    pub(crate) fn check(&self, facts: &Facts, origin: Origin, pending: &[(Facts, i64)]) -> Verdict {
        if facts.producer_id < 0 || origin == Origin::Replication {
            return Verdict::Accept;
        }
        if origin == Origin::Client
            && let Some(batch) = self.duplicate_of(facts, pending)
        {
            return Verdict::Duplicate(batch);
        }
        let current = self.current(facts.producer_id, pending);
        let checked = match facts.marker {
            Some(marker) => check_marker(&current, facts, marker, origin),
            None if facts.is_control => Ok(()),
            None => check_data(&current, facts, origin),
        };
        checked.map_or_else(Verdict::Refuse, |()| Verdict::Accept)
    }

    /// The batch of which `facts` is a repetition: same epoch, same first and last sequence number.
    fn duplicate_of(&self, facts: &Facts, pending: &[(Facts, i64)]) -> Option<Batch> {
        let same = |batch: &Batch| {
            batch.first_sequence() == facts.first_sequence && batch.last_sequence == facts.last_sequence
        };
        let unwritten = pending.iter().rev().find(|(other, _)| {
            let of_producer = other.producer_id == facts.producer_id && other.epoch == facts.epoch;
            of_producer && (other.first_sequence, other.last_sequence) == (facts.first_sequence, facts.last_sequence)
        });
        if let Some((other, base)) = unwritten {
            let last_offset = base + i64::from(other.offset_delta);
            let Facts { last_sequence, offset_delta, timestamp, .. } = *other;
            return Some(Batch { last_sequence, last_offset, offset_delta, timestamp });
        }
        let producer = self.get(facts.producer_id).filter(|producer| producer.epoch == facts.epoch)?;
        producer.batches.iter().find(|batch| same(batch)).copied()
    }

    fn current(&self, producer_id: i64, pending: &[(Facts, i64)]) -> Current {
        let mut current = match self.get(producer_id) {
            Some(producer) => Current {
                epoch: producer.epoch,
                last_sequence: producer.last().map_or(NO_SEQUENCE, |batch| batch.last_sequence),
                coordinator_epoch: producer.coordinator_epoch,
                open_transaction: producer.open_transaction.is_some(),
            },
            None => {
                Current { epoch: NO_EPOCH, last_sequence: NO_SEQUENCE, coordinator_epoch: -1, open_transaction: false }
            }
        };
        for (facts, _) in pending.iter().filter(|(facts, _)| facts.producer_id == producer_id) {
            current.take(facts);
        }
        current
    }
}

impl Current {
    fn take(&mut self, facts: &Facts) {
        if self.epoch != facts.epoch {
            self.epoch = facts.epoch;
            self.last_sequence = NO_SEQUENCE;
        }
        match facts.marker {
            Some(marker) => {
                self.coordinator_epoch = marker.coordinator_epoch;
                self.open_transaction = false;
            }
            None if facts.is_control => {}
            None => {
                self.last_sequence = facts.last_sequence;
                self.open_transaction |= facts.is_transactional;
            }
        }
    }
}

fn check_data(current: &Current, facts: &Facts, origin: Origin) -> Result<(), Refusal> {
    if facts.epoch < current.epoch {
        return Err(Refusal::InvalidProducerEpoch { current: current.epoch, found: facts.epoch });
    }
    if origin == Origin::Client {
        check_sequence(current, facts)?;
    }
    match current.open_transaction && !facts.is_transactional {
        true => Err(Refusal::InvalidTransactionState),
        false => Ok(()),
    }
}

/// A new epoch begins at 0 unless the producer is unknown (its records may all be gone); within an epoch there is no gap.
fn check_sequence(current: &Current, facts: &Facts) -> Result<(), Refusal> {
    let first = facts.first_sequence;
    let follows = if current.epoch == NO_EPOCH {
        true
    } else if facts.epoch != current.epoch {
        first == 0
    } else {
        i64::from(first) == i64::from(current.last_sequence) + 1 || (first == 0 && current.last_sequence == i32::MAX)
    };
    match follows {
        true => Ok(()),
        false => Err(Refusal::OutOfOrderSequence { last: current.last_sequence, found: first }),
    }
}

fn check_marker(current: &Current, facts: &Facts, marker: Marker, origin: Origin) -> Result<(), Refusal> {
    let strict = matches!(origin, Origin::Marker { strict: true });
    let fenced = if strict {
        // A repeated marker of a transaction that has ended is let through (KAFKA-19999).
        let repeated = facts.epoch == current.epoch && (!current.open_transaction || facts.epoch == i16::MAX);
        facts.epoch <= current.epoch && !repeated
    } else {
        facts.epoch < current.epoch
    };
    if fenced {
        return Err(Refusal::InvalidProducerEpoch { current: current.epoch, found: facts.epoch });
    }
    if current.coordinator_epoch > marker.coordinator_epoch {
        let found = marker.coordinator_epoch;
        return Err(Refusal::CoordinatorFenced { current: current.coordinator_epoch, found });
    }
    Ok(())
}
