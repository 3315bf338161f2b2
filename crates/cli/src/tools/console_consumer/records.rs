//! The records of a batch, and which batches belong to aborted transactions.

use super::fetch::Taker;
use super::format::Printed;
use crate::client::groups::Committed;
use crate::failure::{Failure, While};
use ottla_messages::fetch::AbortedTransaction;
use ottla_wire::batch::{BatchHeader, TimestampType, ValidBatch};
use std::collections::BTreeSet;

/// Most bytes that one compressed batch may unfold to.
const BATCH_BYTES_MAX: usize = 256 * 1024 * 1024;

/// Hands on the records of a batch from `position` on and moves it behind each that is taken; whether all were.
pub(super) fn print_batch(
    batch: &ValidBatch<'_>,
    partition: i32,
    position: &mut Committed,
    take: Taker<'_>,
) -> Result<bool, Failure> {
    let doing = || format!("read the batch at offset {}", batch.base_offset());
    let kind = match batch.timestamp_type() {
        TimestampType::CreateTime => "CreateTime",
        TimestampType::LogAppendTime => "LogAppendTime",
    };
    let epoch = Some(batch.leader_epoch().0);
    let mut unfolded = Vec::new();
    for record in batch.records(&mut unfolded, BATCH_BYTES_MAX).during(doing)? {
        let record = record.during(doing)?;
        if record.offset.0 < position.offset {
            continue;
        }
        let taken = take(&Printed {
            timestamp: (kind, record.timestamp),
            partition,
            offset: record.offset.0,
            epoch,
            headers: record.headers.iter().map(|header| (header.key, header.value)).collect(),
            key: record.key,
            value: record.value,
        });
        if !taken {
            return Ok(false);
        }
        *position = Committed { offset: record.offset.0 + 1, leader_epoch: epoch.filter(|epoch| *epoch >= 0) };
    }
    Ok(true)
}

/// Which producers' records are aborted at the offset reached.
pub(super) struct Aborted {
    to_come: Vec<(i64, i64)>,
    producers: BTreeSet<i64>,
}

impl Aborted {
    /// The aborted transactions of a fetch answer.
    pub(super) fn new(transactions: &[AbortedTransaction]) -> Aborted {
        let mut to_come: Vec<(i64, i64)> =
            transactions.iter().map(|aborted| (aborted.first_offset, aborted.producer_id)).collect();
        to_come.sort_unstable_by(|left, right| right.cmp(left));
        Aborted { to_come, producers: BTreeSet::new() }
    }

    /// Whether the batch belongs to an aborted transaction. A marker ends the producer's transaction.
    pub(super) fn hides(&mut self, batch: &BatchHeader<'_>) -> bool {
        while self.to_come.last().is_some_and(|(first, _)| *first <= batch.last_offset().0) {
            self.producers.extend(self.to_come.pop().map(|(_, producer)| producer));
        }
        if batch.is_control() {
            self.producers.remove(&batch.producer_id().0);
        }
        batch.is_transactional() && self.producers.contains(&batch.producer_id().0)
    }
}
