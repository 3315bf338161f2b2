//! What the state must know of its log: start, end, where each epoch begins, which snapshots exist.

use super::ids::OffsetAndEpoch;
use ottla_wire::ids::{LeaderEpoch, Offset};
use std::collections::BTreeSet;

/// Where a leader finds what a replica asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Lookup {
    /// The replica's log is a prefix of ours: records from its end on.
    Valid,
    /// Our logs part ways: the replica cuts its log to this place and asks again.
    Diverging(OffsetAndEpoch),
    /// What it needs is gone from the log: it fetches this snapshot.
    Snapshot(OffsetAndEpoch),
}

/// Numbers that mirror the log on disk; `start ≤ end`, epochs and their starts ascend.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct LogFacts {
    /// First offset kept.
    pub start: Offset,
    /// Offset of the next record.
    pub end: Offset,
    /// Each epoch with its first offset, as the leader epoch checkpoint has them.
    pub epochs: Vec<(LeaderEpoch, Offset)>,
    /// Snapshots at hand.
    pub snapshots: BTreeSet<OffsetAndEpoch>,
}

impl LogFacts {
    /// Epoch of the last record; of the latest snapshot if the log is empty; 0 without either.
    #[must_use]
    pub fn last_epoch(&self) -> LeaderEpoch {
        match (self.epochs.last(), self.snapshots.last()) {
            (Some((epoch, _)), _) => *epoch,
            (None, Some(snapshot)) => snapshot.epoch,
            (None, None) => LeaderEpoch(0),
        }
    }

    /// Last epoch and end.
    #[must_use]
    pub fn last(&self) -> OffsetAndEpoch {
        OffsetAndEpoch { epoch: self.last_epoch(), offset: self.end }
    }

    /// The latest epoch not above `epoch` and where it ends; for an epoch above all, the end of the log.
    #[must_use]
    pub fn end_of(&self, epoch: LeaderEpoch) -> OffsetAndEpoch {
        let higher = self.epochs.iter().position(|(known, _)| *known > epoch);
        let found = match higher {
            None => return self.last(),
            // The epoch is older than all that the log has: it ends where the oldest begins.
            Some(0) => OffsetAndEpoch { epoch, offset: self.epochs[0].1 },
            Some(at) => OffsetAndEpoch { epoch: self.epochs[at - 1].0, offset: self.epochs[at].1 },
        };
        match self.snapshots.first() {
            Some(oldest) if oldest.offset == found.offset && found.epoch == epoch => *oldest,
            Some(_) | None => found,
        }
    }

    /// Compares a replica's end with the log (KIP-595: log divergence; KIP-630: snapshots).
    #[must_use]
    pub fn lookup(&self, at: OffsetAndEpoch) -> Lookup {
        let latest = self.snapshots.last().filter(|latest| **latest != OffsetAndEpoch::BOOTSTRAP);
        if let (Offset(0), Some(latest)) = (at.offset, latest) {
            return Lookup::Snapshot(*latest);
        }
        if at.offset == Offset(0) && self.start == Offset(0) {
            return Lookup::Valid;
        }
        if let (Some(oldest), Some(latest)) = (self.snapshots.first(), self.snapshots.last()) {
            let before_start = at.offset < self.start
                || (at.offset == self.start && at.epoch != oldest.epoch)
                || at.epoch < oldest.epoch;
            if before_start {
                return Lookup::Snapshot(*latest);
            }
        }
        let end = self.end_of(at.epoch);
        if end.epoch != at.epoch || end.offset < at.offset { Lookup::Diverging(end) } else { Lookup::Valid }
    }

    /// Where to cut when a leader says that the logs part at `diverging`.
    #[must_use]
    pub fn cut_for(&self, diverging: OffsetAndEpoch) -> Offset {
        if diverging.epoch == LeaderEpoch(0) {
            return diverging.offset.min(self.end);
        }
        let local = self.end_of(diverging.epoch);
        if local.epoch == diverging.epoch { local.offset.min(diverging.offset) } else { local.offset.min(self.end) }
    }

    /// Records of `epoch` begin at `start`; nothing if the epoch is known.
    pub fn begin_epoch(&mut self, epoch: LeaderEpoch, start: Offset) {
        if self.epochs.last().is_none_or(|(last, _)| *last < epoch) {
            self.epochs.retain(|(_, known)| *known < start);
            self.epochs.push((epoch, start));
        }
    }

    /// The log ends at `end` from now on.
    pub fn truncate(&mut self, end: Offset) {
        self.end = end;
        self.epochs.retain(|(_, start)| *start < end);
    }

    /// The log is empty and goes on behind `snapshot`; older snapshots are gone.
    pub fn restart_at(&mut self, snapshot: OffsetAndEpoch) {
        self.start = snapshot.offset;
        self.end = snapshot.offset;
        self.epochs.clear();
        self.snapshots.retain(|known| *known > snapshot);
        self.snapshots.insert(snapshot);
    }

    /// Everything before `start` was deleted, a snapshot at `start` or later being at hand.
    pub fn clean_to(&mut self, start: Offset) {
        self.start = start;
        self.snapshots.retain(|known| known.offset >= start);
        let first = self.epochs.iter().rposition(|(_, at)| *at <= start).unwrap_or(0);
        self.epochs.drain(..first);
        if let Some((_, at)) = self.epochs.first_mut() {
            *at = (*at).max(start);
        }
    }
}
