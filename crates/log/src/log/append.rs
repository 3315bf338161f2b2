//! Appending as a leader: producer checks, offsets, one vectored write for all batches of a group.

use super::Log;
use super::active::Placed;
use super::roll::Next;
use crate::dir::is_full;
use crate::producers::{Completed, Facts, Origin, Refusal, Verdict};
use crate::segment::Tip;
use crate::segment::aborted::AbortedTransaction;
use ottla_host::planted::{self, Bug};
use ottla_host::{File, WallClock};
use ottla_wire::batch::{Stamp, ValidBatch};
use ottla_wire::ids::{LeaderEpoch, Offset, ProducerId};
use std::io::{self, IoSlice};

/// Most batches of one vectored write; two parts each stay below what the system takes at once.
const GROUP_MAX: usize = 256;

/// A batch to append.
#[derive(Clone, Copy, Debug)]
pub struct Append<'a> {
    /// The batch, checked.
    pub batch: ValidBatch<'a>,
    /// Who appends it.
    pub origin: Origin,
}

/// What became of a batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Appended {
    /// It is in the log.
    Written {
        /// Offset of its first record.
        base_offset: Offset,
        /// Offset of its last record.
        last_offset: Offset,
        /// The leader's clock, where the topic has LogAppendTime; ms since 1970.
        append_time: Option<i64>,
    },
    /// It was in the log before.
    Duplicate {
        /// Offset of its first record.
        base_offset: Offset,
        /// Offset of its last record.
        last_offset: Offset,
        /// Its largest timestamp, which Kafka answers as the append time of a repetition; ms since 1970.
        timestamp: i64,
    },
    /// It is not in the log.
    Refused(Refusal),
}

impl Appended {
    /// Whether it tells of records at or behind `offset`.
    fn is_from(&self, offset: i64) -> bool {
        match self {
            Appended::Written { base_offset, .. } | Appended::Duplicate { base_offset, .. } => base_offset.0 >= offset,
            Appended::Refused(_) => false,
        }
    }
}

/// A batch accepted and not written yet.
struct Pending<'a> {
    stamp: Stamp,
    rest: &'a [u8],
    placed: Placed,
    /// Place in the outcomes.
    outcome: usize,
}

/// Batches that go into one write.
#[derive(Default)]
struct Group<'a> {
    batches: Vec<Pending<'a>>,
    /// Of the idempotent ones, with their base offsets.
    facts: Vec<(Facts, i64)>,
    end: i64,
    position: u64,
}

impl Log {
    /// Appends what the producer state lets through, with the next offsets, as the leader of `epoch`; one outcome for
    /// each batch is pushed to `out`. Batches that go into the same segment are written by one system call.
    pub fn append(&mut self, epoch: LeaderEpoch, now: WallClock, batches: &[Append<'_>], out: &mut Vec<Appended>) {
        if self.takes_nothing() {
            out.extend(batches.iter().map(|_| Appended::Refused(Refusal::Offline)));
            return;
        }
        let mut group = self.new_group(batches.len());
        for (index, append) in batches.iter().enumerate() {
            match self.place(epoch, now, append, &mut group, out) {
                Ok(outcome) => out.push(outcome),
                Err(refusal @ (Refusal::DiskFull | Refusal::Offline)) => {
                    // What follows may build on what could not be written: a later batch of the same producer.
                    out.extend(batches[index..].iter().map(|_| Appended::Refused(refusal)));
                    break;
                }
                Err(refusal) => out.push(Appended::Refused(refusal)),
            }
        }
        // A refusal stands in the outcomes.
        let _ = self.write_group(epoch, &group, out);
        self.check();
    }

    /// Whether the partition is gone, or its disk.
    pub(super) fn takes_nothing(&self) -> bool {
        let has_failed = || self.journal().is_some_and(|journal| journal.has_failed());
        self.is_removed || self.home().log_dir().is_offline() || has_failed()
    }

    fn new_group<'a>(&self, batches: usize) -> Group<'a> {
        let position = self.active.as_ref().map_or(0, |active| active.segment.size());
        Group { batches: Vec::with_capacity(batches), facts: Vec::new(), end: self.end(), position }
    }

    /// Checks a batch and gives it its place in the group, which is written first where a new segment has to begin.
    fn place<'a>(
        &mut self,
        epoch: LeaderEpoch,
        now: WallClock,
        append: &Append<'a>,
        group: &mut Group<'a>,
        out: &mut [Appended],
    ) -> Result<Appended, Refusal> {
        let batch = &append.batch;
        let timestamp = if self.config.append_time { now.0 } else { batch.max_timestamp() };
        let facts = self.admit(append, timestamp)?;
        match self.producers.check(&facts, append.origin, &group.facts) {
            Verdict::Accept => {}
            Verdict::Refuse(refusal) => return Err(refusal),
            Verdict::Duplicate(_) if planted::active(Bug::ForgottenDuplicate) => {}
            Verdict::Duplicate(known) => {
                return Ok(Appended::Duplicate {
                    base_offset: Offset(known.first_offset()),
                    last_offset: Offset(known.last_offset),
                    timestamp: known.timestamp,
                });
            }
        }
        let delta = i64::from(batch.last_offset_delta());
        group.end.checked_add(delta + 1).ok_or(Refusal::OffsetOutOfOrder)?;
        let must_roll = self.must_roll(
            &Next {
                position: group.position,
                size: batch.size() as u64,
                last_offset: group.end + delta,
                timestamp,
                first_timestamp: first_of(group.batches.first().map(|batch| &batch.placed)),
            },
            now,
        );
        if must_roll || group.batches.len() >= GROUP_MAX {
            let full = std::mem::replace(group, self.new_group(0));
            self.write_group(epoch, &full, out)?;
            *group = self.new_group(1);
        }
        if must_roll || self.active.is_none() {
            self.roll_to(group.end, now).map_err(|error| self.refuse("roll", &error))?;
            group.position = 0;
        }
        let base = group.end;
        let append_time = self.config.append_time.then_some(now.0);
        let stamp = match append_time {
            Some(now) => batch.stamp_append_time(Offset(base), epoch, now),
            None => batch.stamp(Offset(base), epoch),
        };
        let size = batch.size() as u64;
        let placed = Placed { position: group.position, size, last_offset: base + delta, max_timestamp: timestamp };
        group.batches.push(Pending { rest: batch.rest_after(&stamp), stamp, placed, outcome: out.len() });
        if facts.producer_id >= 0 {
            group.facts.push((facts, base));
        }
        group.end += delta + 1;
        group.position += size;
        Ok(Appended::Written { base_offset: Offset(base), last_offset: Offset(base + delta), append_time })
    }

    fn admit(&self, append: &Append<'_>, timestamp: i64) -> Result<Facts, Refusal> {
        let size = append.batch.size();
        if append.origin == Origin::Client && size > self.config.message_bytes_max as usize {
            return Err(Refusal::MessageTooLarge);
        }
        if size > self.config.segment_bytes as usize {
            return Err(Refusal::LargerThanSegment);
        }
        Facts::of_batch(&append.batch, timestamp).map_err(|_| Refusal::Damaged)
    }

    /// Writes a group and takes it in, or turns its outcomes into refusals.
    fn write_group(&mut self, epoch: LeaderEpoch, group: &Group<'_>, out: &mut [Appended]) -> Result<(), Refusal> {
        let Some(first) = group.batches.first() else { return Ok(()) };
        let (start, base) = (first.placed.position, self.end());
        let mut parts = Vec::with_capacity(2 * group.batches.len());
        for batch in &group.batches {
            parts.push(IoSlice::new(batch.stamp.bytes()));
            parts.push(IoSlice::new(batch.rest));
        }
        if planted::active(Bug::ReorderedAppend) {
            parts.rotate_left(2);
        }
        if let Err(error) = self.write_parts(&mut parts, start) {
            let refusal = self.refuse("append", &error);
            // With a batch of the group its repetitions are not in the log either.
            for outcome in out[first.outcome..].iter_mut().filter(|outcome| outcome.is_from(base)) {
                *outcome = Appended::Refused(refusal);
            }
            return Err(refusal);
        }
        self.update_epoch_at(epoch, base);
        let placed = group.batches.iter().map(|batch| batch.placed);
        self.take_in(placed, group.end, group.position);
        self.apply_producers(&group.facts);
        self.snapshot_if_due();
        // Published first: whoever is told that the journal holds it must see it.
        self.journal_append(start, group.end, |parts| {
            for batch in &group.batches {
                parts.push(IoSlice::new(batch.stamp.bytes()));
                parts.push(IoSlice::new(batch.rest));
            }
        });
        Ok(())
    }

    /// Writes all parts at `start` of the active segment; on any failure the file is as long as before.
    pub(super) fn write_parts(&mut self, mut parts: &mut [IoSlice<'_>], start: u64) -> io::Result<()> {
        // The first bytes of a segment make its file.
        if start == 0 {
            self.entries.change();
        }
        let home = self.view.home();
        let Some(active) = &self.active else { return Err(io::ErrorKind::NotFound.into()) };
        let file = active.segment.create_log_file(home)?;
        let mut at = start;
        let error = loop {
            if parts.is_empty() {
                return Ok(());
            }
            match file.write_at(parts, at) {
                Ok(0) => break io::ErrorKind::WriteZero.into(),
                Ok(_) if planted::active(Bug::IgnoredShortWrite) => return Ok(()),
                Ok(written) => {
                    at += written as u64;
                    IoSlice::advance_slices(&mut parts, written);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => break error,
            }
        };
        self.cut_back(&*file, start);
        Err(error)
    }

    /// Takes back a part of a write. What cannot be taken back makes the file unknown, and the directory with it.
    fn cut_back(&self, file: &dyn File, len: u64) {
        if let Err(error) = file.set_len(len) {
            self.home().log_dir().fail("truncate after a failed append", &error);
        }
    }

    /// Notes batches that were written: indexes, ends, readers.
    pub(super) fn take_in(&mut self, batches: impl Iterator<Item = Placed>, end: i64, size: u64) {
        let interval = u64::from(self.config.index_interval_bytes);
        let Some(active) = &mut self.active else { return };
        for placed in batches {
            active.index(&placed, interval);
        }
        let relative = (end - active.segment.base()) as u32;
        active.segment.publish(Tip { end: relative, size: size as u32 });
        if active.tail_is_full()
            && let Err(error) = active.store_tail(self.view.home())
        {
            // The entries stay in memory, and the next append tries again.
            tracing::warn!(partition = %self.view.name(), %error, "index entries not written");
        }
        self.view.set_end(end);
        if self.journal().is_none() {
            self.view.all_journalled();
        }
    }

    /// Takes in what producers have written.
    pub(super) fn apply_producers(&mut self, facts: &[(Facts, i64)]) {
        let mut transactions = false;
        for (facts, base) in facts {
            transactions |= facts.is_transactional;
            if let Some(completed) = self.producers.apply(facts, *base)
                && completed.aborted
            {
                self.note_aborted(&completed);
            }
        }
        if transactions {
            self.view.set_unstable(self.producers.first_unstable());
        }
    }

    fn note_aborted(&mut self, completed: &Completed) {
        let entry = AbortedTransaction {
            producer_id: ProducerId(completed.producer_id),
            first_offset: Offset(completed.first_offset),
            last_offset: Offset(completed.last_offset),
            last_stable_offset: Offset(self.producers.stable_after(completed)),
        };
        let Some(active) = &self.active else { return };
        // The first makes the file.
        self.entries.change();
        if let Err(error) = active.segment.add_aborted(self.home(), entry) {
            // Without its entry committed readers would see aborted records.
            self.home().log_dir().fail("write transaction index", &error);
        }
    }

    /// Notes the first offset of a term. Its file is written before a producer snapshot or a recovery point passes it: what
    /// lies behind them is replayed after a crash, by Ottla as by Kafka, and tells the terms of its batches.
    pub(super) fn update_epoch_at(&mut self, epoch: LeaderEpoch, base: i64) {
        if self.view.latest_epoch() != Some(epoch) {
            self.update_epochs(|epochs| epochs.assign(epoch, Offset(base)));
        }
    }

    /// What a failed write means: a full disk refuses, anything else takes the directory offline.
    pub(super) fn refuse(&self, what: &str, error: &io::Error) -> Refusal {
        if is_full(error) {
            tracing::warn!(partition = %self.view.name(), %error, what, "disk full, append refused");
            return Refusal::DiskFull;
        }
        self.home().log_dir().fail(&format!("{what} in {}", self.view.name()), error);
        Refusal::Offline
    }
}

/// Timestamp of the segment's first batch, when that is the first of those that are not written yet.
pub(super) fn first_of(unwritten: Option<&Placed>) -> Option<i64> {
    unwritten.filter(|placed| placed.position == 0).map(|placed| placed.max_timestamp)
}
