//! What goes into the feed next: committed batches out of memory or the log, leadership in its place, snapshots due.

use super::feed::Committed;
use crate::log::{LogError, MetadataLog, from_batch_of};
use crate::records::{Batch, Content, ReadError, VersionedRecord};
use crate::state::event::Leadership;
use crate::state::ids::OffsetAndEpoch;
use ottla_host::Monotonic;
use ottla_messages::records::metadata::MetadataRecord;
use ottla_wire::batch::Batches;
use ottla_wire::ids::{BrokerId, LeaderEpoch, Offset};
use std::collections::VecDeque;
use std::time::Duration;

/// Bytes of batches kept in memory between their append and their place in the feed; beyond, the log is read.
const TAIL_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Bytes read from the log at a time.
const CHUNK_BYTES: u32 = 1024 * 1024;

/// Why committed metadata cannot be handed on.
#[derive(Debug, thiserror::Error)]
pub(super) enum PublishError {
    #[error("read the metadata log: {0}")]
    Log(#[from] LogError),
    #[error("metadata log: {0}")]
    Read(#[from] ReadError),
    #[error("the metadata log has no batch at the committed offset {0}")]
    Missing(Offset),
}

/// When a snapshot is due.
#[derive(Clone, Copy, Debug)]
pub(super) struct SnapshotRule {
    pub(super) bytes: u64,
    pub(super) interval: Duration,
}

/// Feeds what is committed in order; `next ≤ committed` but for the time before the first commit.
#[derive(Debug)]
pub(super) struct Publisher {
    /// What the start found: bootstrap records or a snapshot.
    first: VecDeque<Committed>,
    /// Offset of the next batch to hand on.
    next: Offset,
    /// Epoch and timestamp of the last batch handed on.
    last: (LeaderEpoch, i64),
    /// All before it may be handed on.
    committed: Offset,
    /// Each is due once all before its offset is handed on.
    leaderships: VecDeque<(Offset, Leadership)>,
    /// The last one of them.
    leader: Option<BrokerId>,
    /// Decoded batches, ascending; not all that are in the log.
    tail: VecDeque<Batch>,
    tail_bytes: usize,
    rule: SnapshotRule,
    /// Bytes handed on since the last snapshot, and when that was.
    since_snapshot: (u64, Monotonic),
    snapshot_asked: bool,
    /// Between a transaction's begin and end records no snapshot may be taken (KIP-868).
    in_transaction: bool,
    any_records: bool,
}

impl Publisher {
    pub(super) fn new(
        first: VecDeque<Committed>,
        after: OffsetAndEpoch,
        rule: SnapshotRule,
        now: Monotonic,
    ) -> Publisher {
        let last_timestamp = first.iter().find_map(|item| match item {
            Committed::Snapshot { last_timestamp_ms, .. } => Some(*last_timestamp_ms),
            Committed::Bootstrap(_)
            | Committed::Batch { .. }
            | Committed::Leadership(_)
            | Committed::SnapshotDue { .. } => None,
        });
        Publisher {
            any_records: last_timestamp.is_some(),
            first,
            next: after.offset,
            last: (after.epoch, last_timestamp.unwrap_or(-1)),
            committed: after.offset,
            leaderships: VecDeque::new(),
            leader: None,
            tail: VecDeque::new(),
            tail_bytes: 0,
            rule,
            since_snapshot: (0, now),
            snapshot_asked: false,
            in_transaction: false,
        }
    }

    /// All before `end` is committed.
    pub(super) fn commit(&mut self, end: Offset) {
        self.committed = self.committed.max(end);
    }

    /// Publishes `leadership` behind all that is committed so far. That there is still no leader is no news.
    pub(super) fn lead(&mut self, leadership: Leadership) {
        if leadership.leader.is_some() || self.leader.is_some() {
            self.leaderships.push_back((self.committed, leadership));
        }
        self.leader = leadership.leader;
    }

    /// Keeps a batch that was just appended, to spare reading it.
    pub(super) fn keep(&mut self, batch: Batch) {
        self.tail_bytes += batch.size;
        self.tail.push_back(batch);
        if self.tail_bytes > TAIL_BYTES_MAX {
            self.tail.clear();
            self.tail_bytes = 0;
        }
    }

    /// Whether metadata records have been handed on: without any there is no cluster yet to say nothing about.
    pub(super) fn any_records(&self) -> bool {
        self.any_records
    }

    /// A snapshot was written or given up; the next one counts from here.
    pub(super) fn snapshot_done(&mut self, now: Monotonic) {
        self.since_snapshot = (0, now);
        self.snapshot_asked = false;
    }

    /// When a snapshot falls due by time.
    pub(super) fn snapshot_deadline(&self) -> Option<Monotonic> {
        let (bytes, since) = self.since_snapshot;
        let by_time = bytes > 0 && !self.snapshot_asked && !self.in_transaction && !self.rule.interval.is_zero();
        by_time.then(|| since + self.rule.interval)
    }

    fn is_snapshot_due(&self, now: Monotonic) -> bool {
        let by_size = self.since_snapshot.0 >= self.rule.bytes;
        let by_time = self.snapshot_deadline().is_some_and(|at| at <= now);
        !self.snapshot_asked && !self.in_transaction && (by_size || by_time)
    }

    /// Whether [`Publisher::take`] has something.
    pub(super) fn has_news(&self, now: Monotonic) -> bool {
        let leadership = self.leaderships.front().is_some_and(|(after, _)| *after <= self.next);
        !self.first.is_empty() || leadership || self.next < self.committed || self.is_snapshot_due(now)
    }

    /// The next item.
    pub(super) fn take(&mut self, log: &dyn MetadataLog, now: Monotonic) -> Result<Option<Committed>, PublishError> {
        if let Some(item) = self.first.pop_front() {
            return Ok(Some(item));
        }
        if self.is_snapshot_due(now) {
            self.snapshot_asked = true;
            let (epoch, last_timestamp_ms) = self.last;
            let id = OffsetAndEpoch { epoch, offset: self.next };
            return Ok(Some(Committed::SnapshotDue { id, last_timestamp_ms }));
        }
        if let Some((_, leadership)) = self.leaderships.pop_front_if(|(after, _)| *after <= self.next) {
            return Ok(Some(Committed::Leadership(leadership)));
        }
        if self.next >= self.committed {
            return Ok(None);
        }
        let batch = self.next_batch(log)?;
        Ok(Some(self.hand_on(batch)))
    }

    fn next_batch(&mut self, log: &dyn MetadataLog) -> Result<Batch, PublishError> {
        while self.tail.front().is_some_and(|batch| batch.last < self.next) {
            self.pop_tail();
        }
        if self.tail.front().is_none_or(|batch| batch.base > self.next) {
            self.read_tail(log)?;
        }
        match self.pop_tail() {
            Some(batch) if batch.base <= self.next && batch.last < self.committed => Ok(batch),
            Some(_) | None => Err(PublishError::Missing(self.next)),
        }
    }

    fn pop_tail(&mut self) -> Option<Batch> {
        let batch = self.tail.pop_front()?;
        self.tail_bytes -= batch.size;
        Some(batch)
    }

    /// Reads batches from `next` up to those in memory.
    fn read_tail(&mut self, log: &dyn MetadataLog) -> Result<(), PublishError> {
        let upto = self.tail.front().map_or(self.committed, |batch| batch.base);
        let bytes = log.read(self.next, CHUNK_BYTES)?;
        let mut read = Vec::new();
        for batch in Batches::new(from_batch_of(&bytes, self.next)) {
            let (header, bytes) = batch.map_err(|error| ReadError::Batch { base: self.next, error })?;
            if header.base_offset() >= upto {
                break;
            }
            read.push(Batch::read(bytes)?);
        }
        for batch in read.into_iter().rev() {
            self.tail_bytes += batch.size;
            self.tail.push_front(batch);
        }
        Ok(())
    }

    fn hand_on(&mut self, batch: Batch) -> Committed {
        let Batch { base, last, epoch, timestamp_ms, size, content } = batch;
        self.next = last.plus(1);
        self.last = (epoch, timestamp_ms);
        self.since_snapshot.0 += size as u64;
        let records = match content {
            Content::Data(records) => records,
            Content::Control(_) => Vec::new(),
        };
        self.any_records |= !records.is_empty();
        self.note_transaction(&records);
        Committed::Batch { base, last, epoch, timestamp_ms, records }
    }

    fn note_transaction(&mut self, records: &[VersionedRecord]) {
        for VersionedRecord { record, .. } in records {
            if matches!(record, MetadataRecord::BeginTransaction(_)) {
                self.in_transaction = true;
            } else if matches!(record, MetadataRecord::EndTransaction(_) | MetadataRecord::AbortTransaction(_)) {
                self.in_transaction = false;
            }
        }
    }
}
