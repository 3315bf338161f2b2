//! Memory of bytes: producer state and leader epochs rebuilt from snapshots and batch headers.

use super::Log;
use crate::dir::names::FileKind;
use crate::epochs::Epochs;
use crate::producers::snapshot::{self, SNAPSHOT_BYTES_MAX, SnapshotError};
use crate::producers::{Facts, Producers};
use crate::segment::Segment;
use crate::segment::aborted::AbortedTransaction;
use crate::segment::lookup::Found;
use crate::segment::scan::{REPLAY, Scan};
use ottla_host::disk::read_exact_at;
use ottla_host::{File, WallClock};
use ottla_wire::batch::ValidBatch;
use ottla_wire::ids::{LeaderEpoch, Offset, ProducerId};
use std::io;

/// What one header tells a replay.
struct Step {
    facts: Facts,
    base: i64,
    next: i64,
    epoch: LeaderEpoch,
    at: u64,
    size: usize,
}

/// Notes the term of a batch if it is the first of it. True when it was.
fn note_epoch(epochs: &mut Epochs, epoch: LeaderEpoch, base: Offset) -> bool {
    epochs.latest().is_none_or(|latest| epoch > latest.epoch) && epochs.assign(epoch, base)
}

/// Offsets of the producer snapshots among the names of a directory's files, rising.
pub(super) fn snapshots_among<'a>(names: impl Iterator<Item = &'a str>) -> Vec<i64> {
    let parsed = names.filter_map(FileKind::parse);
    let mut offsets: Vec<i64> =
        parsed.filter(|(_, kind)| *kind == FileKind::Snapshot).map(|(offset, _)| offset).collect();
    offsets.sort_unstable();
    offsets
}

impl Log {
    /// Rebuilds producer state and epochs from the newest snapshot at or below the end.
    pub(super) fn reload_producers(&mut self, now: WallClock) -> io::Result<()> {
        let entries = self.home().disk().list(&self.home().path())?;
        let snapshots = snapshots_among(entries.iter().map(|entry| entry.name.as_str()));
        let from = self.load_snapshot(snapshots, self.end(), now)?;
        self.replay(from)
    }

    /// Loads the newest readable one of the snapshots at `offsets` that is at or below `limit`; unreadable ones are
    /// removed. Answers where to replay from.
    pub(super) fn load_snapshot(&mut self, mut offsets: Vec<i64>, limit: i64, now: WallClock) -> io::Result<i64> {
        self.producers.clear();
        offsets.retain(|offset| *offset <= limit);
        // A producer goes on with the sequence of its last batch, whether or not that can still be read.
        let start = self.view.segments().first().map_or_else(|| self.view.start().0, |first| first.base());
        while let Some(offset) = offsets.pop() {
            let path = self.home().file_path(offset, FileKind::Snapshot);
            let read = match self.home().disk().read(&path, SNAPSHOT_BYTES_MAX) {
                Ok(None) => continue,
                Ok(Some(bytes)) => snapshot::read(&bytes, now.0, self.config.producer_expiration_ms),
                Err(error) if error.kind() == io::ErrorKind::InvalidData => Err(SnapshotError::TooLarge),
                Err(error) => return Err(error),
            };
            match read {
                Ok(producers) => {
                    self.producers = producers;
                    self.snapshot = offset;
                    return Ok(offset.max(start));
                }
                Err(error) => {
                    tracing::warn!(file = %path.display(), %error, "producer snapshot dropped");
                    self.home().disk().remove_file(&path)?;
                }
            }
        }
        self.snapshot = start;
        Ok(start)
    }

    /// Replays the headers from `from` to the end.
    pub(super) fn replay(&mut self, from: i64) -> io::Result<()> {
        let segments = self.view.segments();
        let first = segments.partition_point(|segment| segment.base() <= from).saturating_sub(1);
        for segment in segments.get(first..).unwrap_or_default() {
            if segment.size() > 0 {
                self.replay_segment(segment, from)?;
            }
        }
        self.view.set_unstable(self.producers.first_unstable());
        Ok(())
    }

    /// Takes the leader epochs from the headers of all batches. The first begins with the log.
    pub(super) fn replay_epochs(&mut self) -> io::Result<()> {
        let mut epochs = Epochs::default();
        for segment in self.view.segments().iter().filter(|segment| segment.size() > 0) {
            let file = segment.log_file(self.home())?;
            let room = usize::try_from(segment.size()).unwrap_or(REPLAY).clamp(64, REPLAY);
            let mut scan = Scan::new(&*file, 0, segment.size(), vec![0; room]);
            while let Some((_, header)) = scan.next()? {
                let is_first = epochs.entries().is_empty();
                let base = if is_first { self.view.start().min(header.base_offset()) } else { header.base_offset() };
                note_epoch(&mut epochs, header.leader_epoch(), base);
            }
        }
        self.update_epochs(|known| std::mem::replace(known, epochs.clone()) != epochs);
        Ok(())
    }

    fn replay_segment(&mut self, segment: &Segment, from: i64) -> io::Result<()> {
        let start = match segment.position_of(self.home(), from)? {
            Found::At(position) => position,
            Found::Behind | Found::Damaged(_) => return Ok(()),
        };
        let file = segment.log_file(self.home())?;
        let mut known = segment.all_aborted(self.home())?;
        let room = usize::try_from(segment.size() - start).unwrap_or(REPLAY).clamp(64, REPLAY);
        let mut scan = Scan::new(&*file, start, segment.size(), vec![0; room]);
        let mut epochs = self.view.epochs().as_ref().clone();
        let mut changed = false;
        while let Some((at, header)) = scan.next()? {
            let step = Step {
                facts: Facts::of_header(&header, header.max_timestamp()),
                base: header.base_offset().0,
                next: header.next_offset().0,
                epoch: header.leader_epoch(),
                at,
                size: header.size(),
            };
            if step.next <= from {
                continue;
            }
            changed |= note_epoch(&mut epochs, step.epoch, Offset(step.base));
            if step.facts.producer_id >= 0 {
                self.replay_producer(segment, &*file, step, &mut known)?;
            }
        }
        if changed {
            self.update_epochs(|known| std::mem::replace(known, epochs.clone()) != epochs);
        }
        Ok(())
    }

    fn replay_producer(
        &mut self,
        segment: &Segment,
        file: &dyn File,
        mut step: Step,
        known: &mut Vec<AbortedTransaction>,
    ) -> io::Result<()> {
        if step.facts.is_control {
            let mut bytes = vec![0; step.size];
            read_exact_at(file, &mut bytes, step.at)?;
            let read = ValidBatch::trusted(&bytes).and_then(|batch| Facts::of_batch(&batch, step.facts.timestamp));
            step.facts = read.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        }
        let Some(completed) = self.producers.apply(&step.facts, step.base) else { return Ok(()) };
        let last_offset = Offset(completed.last_offset);
        if completed.aborted && known.last().is_none_or(|entry| entry.last_offset < last_offset) {
            let entry = AbortedTransaction {
                producer_id: ProducerId(completed.producer_id),
                first_offset: Offset(completed.first_offset),
                last_offset,
                last_stable_offset: Offset(self.producers.stable_after(&completed)),
            };
            segment.add_aborted(self.home(), entry)?;
            known.push(entry);
        }
        Ok(())
    }

    /// Producer state of a log that never had any.
    pub(super) fn forget_producers(&mut self) {
        self.producers = Producers::default();
    }
}
