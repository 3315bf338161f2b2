//! Appending as a follower: batches keep the offsets and epochs that the leader gave them.

use super::Log;
use super::active::Placed;
use super::append::first_of;
use super::roll::Next;
use crate::producers::{Facts, Refusal};
use ottla_host::WallClock;
use ottla_wire::batch::{BatchError, Batches, ValidBatch};
use ottla_wire::ids::{LeaderEpoch, Offset};
use std::io::IoSlice;

/// Why a follower's append failed. Batches before the one it names are in the log.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum FollowError {
    /// The bytes are no batches.
    #[error("from the leader: {0}")]
    Batch(#[from] BatchError),
    /// A batch begins before the end of the log, or ends before it begins.
    #[error("from the leader: a batch at {found}, the log ends at {end}")]
    Offset {
        /// Base offset of the batch.
        found: Offset,
        /// End of the log.
        end: Offset,
    },
    /// The disk did not take it.
    #[error("{0}")]
    Storage(Refusal),
}

/// What a follower's append has done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Followed {
    /// Offset after the last record.
    pub end: Offset,
    /// Batches written.
    pub batches: usize,
}

/// Batches that lie side by side and go into one write.
struct Run {
    /// Where they lie in the leader's bytes.
    bytes: std::ops::Range<usize>,
    placed: Vec<Placed>,
    facts: Vec<(Facts, i64)>,
    epochs: Vec<(LeaderEpoch, i64)>,
    end: i64,
}

impl Log {
    /// Appends the whole batches in `records` as a leader of at most `epoch` sent them; a part of a batch at the end is
    /// passed over, and so is everything from the first batch of a later epoch on.
    pub fn append_as_follower(
        &mut self,
        epoch: LeaderEpoch,
        now: WallClock,
        records: &[u8],
    ) -> Result<Followed, FollowError> {
        if self.takes_nothing() {
            return Err(FollowError::Storage(Refusal::Offline));
        }
        let mut written = 0;
        let mut at = 0;
        let mut run = self.new_run(0);
        for batch in Batches::new(records) {
            let (header, bytes) = batch?;
            if header.leader_epoch() > epoch {
                break;
            }
            let checked = self.follows(bytes, run.end);
            let (batch, facts) = match checked {
                Ok(checked) => checked,
                Err(error) => {
                    self.write_run(records, run)?;
                    return Err(error);
                }
            };
            let position = self.active.as_ref().map_or(0, |active| active.segment.size()) + run.bytes.len() as u64;
            let next = Next {
                position,
                size: bytes.len() as u64,
                last_offset: header.last_offset().0,
                timestamp: batch.max_timestamp(),
                first_timestamp: first_of(run.placed.first()),
            };
            if self.active.is_none() || self.must_roll(&next, now) {
                written += self.write_run(records, run)?;
                self.roll_to(header.base_offset().0, now).map_err(|error| self.refuse_follower("roll", &error))?;
                run = self.new_run(at);
            }
            self.add_to_run(&mut run, &batch, facts);
            at += bytes.len();
        }
        written += self.write_run(records, run)?;
        self.check();
        Ok(Followed { end: Offset(self.end()), batches: written })
    }

    fn new_run(&self, at: usize) -> Run {
        Run { bytes: at..at, placed: Vec::new(), facts: Vec::new(), epochs: Vec::new(), end: self.end() }
    }

    fn follows<'a>(&self, bytes: &'a [u8], end: i64) -> Result<(ValidBatch<'a>, Facts), FollowError> {
        let batch = ValidBatch::trusted(bytes)?;
        let (base, last) = (batch.base_offset().0, batch.last_offset().0);
        if base < end || last < base || last == i64::MAX {
            return Err(FollowError::Offset { found: batch.base_offset(), end: Offset(end) });
        }
        let facts = Facts::of_batch(&batch, batch.max_timestamp())?;
        Ok((batch, facts))
    }

    fn add_to_run(&self, run: &mut Run, batch: &ValidBatch<'_>, facts: Facts) {
        let start = self.active.as_ref().map_or(0, |active| active.segment.size());
        let last_offset = batch.last_offset().0;
        run.placed.push(Placed {
            position: start + run.bytes.len() as u64,
            size: batch.size() as u64,
            last_offset,
            max_timestamp: batch.max_timestamp(),
        });
        let (base, epoch) = (batch.base_offset().0, batch.leader_epoch());
        if facts.producer_id >= 0 {
            run.facts.push((facts, base));
        }
        if run.epochs.last().is_none_or(|(last, _)| *last != epoch) {
            run.epochs.push((epoch, base));
        }
        run.bytes.end += batch.size();
        run.end = last_offset + 1;
    }

    fn write_run(&mut self, records: &[u8], run: Run) -> Result<usize, FollowError> {
        if run.placed.is_empty() {
            return Ok(0);
        }
        let start = run.placed[0].position;
        let size = start + run.bytes.len() as u64;
        let bytes = &records[run.bytes];
        let mut parts = [IoSlice::new(bytes)];
        self.write_parts(&mut parts, start).map_err(|error| self.refuse_follower("append", &error))?;
        for (epoch, base) in run.epochs {
            self.update_epoch_at(epoch, base);
        }
        let (batches, end) = (run.placed.len(), run.end);
        self.take_in(run.placed.into_iter(), end, size);
        self.apply_producers(&run.facts);
        self.snapshot_if_due();
        self.journal_append(start, end, |parts| parts.push(IoSlice::new(bytes)));
        Ok(batches)
    }

    fn refuse_follower(&self, what: &str, error: &std::io::Error) -> FollowError {
        FollowError::Storage(self.refuse(what, error))
    }
}
