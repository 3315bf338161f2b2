//! Leader epochs of a log: where each leader's term begins (KIP-101, KIP-279).

use ottla_wire::ids::{LeaderEpoch, Offset};

/// The first offset of a leader's term.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EpochStart {
    /// The term.
    pub epoch: LeaderEpoch,
    /// First offset written in it.
    pub start: Offset,
}

/// The end of a leader's term as this log knows it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EpochEnd {
    /// Largest known epoch that is not above the one asked for.
    pub epoch: LeaderEpoch,
    /// Offset after its last record.
    pub end: Offset,
}

/// Terms in order: epochs and starts rise together.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Epochs(Vec<EpochStart>);

impl Epochs {
    /// Takes entries of a file in any state: what breaks the order is dropped as [`Epochs::assign`] does.
    #[must_use]
    pub fn from_entries(entries: Vec<EpochStart>) -> Epochs {
        let mut epochs = Epochs::default();
        for entry in entries {
            epochs.assign(entry.epoch, entry.start);
        }
        epochs
    }

    /// The terms in order.
    #[must_use]
    pub fn entries(&self) -> &[EpochStart] {
        &self.0
    }

    /// The newest term.
    #[must_use]
    pub fn latest(&self) -> Option<EpochStart> {
        self.0.last().copied()
    }

    /// Notes that `epoch` begins at `start`. Later terms and those beginning at or behind `start` give way.
    /// True when anything changed; negative numbers change nothing.
    pub fn assign(&mut self, epoch: LeaderEpoch, start: Offset) -> bool {
        if epoch.0 < 0 || start.0 < 0 {
            return false;
        }
        if self.latest().is_some_and(|latest| latest.epoch == epoch && latest.start <= start) {
            return false;
        }
        while self.latest().is_some_and(|latest| latest.epoch >= epoch || latest.start >= start) {
            self.0.pop();
        }
        self.0.push(EpochStart { epoch, start });
        self.check();
        true
    }

    /// Drops the terms that begin at or behind `end`. True when anything changed.
    pub fn truncate_end(&mut self, end: Offset) -> bool {
        let before = self.0.len();
        self.0.retain(|entry| entry.start < end);
        before != self.0.len()
    }

    /// Drops the terms that end at or before `start`; the one holding it now begins there. True when anything changed.
    pub fn truncate_start(&mut self, start: Offset) -> bool {
        let before = self.0.iter().take_while(|entry| entry.start <= start).count();
        let Some(last) = before.checked_sub(1) else { return false };
        if before == 1 && self.0[0].start == start {
            return false;
        }
        self.0.drain(..last);
        self.0[0].start = start;
        self.check();
        true
    }

    /// Forgets all terms. True when there were any.
    pub fn clear(&mut self) -> bool {
        let any = !self.0.is_empty();
        self.0.clear();
        any
    }

    /// Where `epoch` ends, `log_end` for the newest; None if the log cannot tell.
    #[must_use]
    pub fn end_of(&self, epoch: LeaderEpoch, log_end: Offset) -> Option<EpochEnd> {
        if epoch == LeaderEpoch::UNKNOWN {
            return None;
        }
        if self.latest().is_some_and(|latest| latest.epoch == epoch) {
            return Some(EpochEnd { epoch, end: log_end });
        }
        let above = self.0.partition_point(|entry| entry.epoch <= epoch);
        let end = self.0.get(above)?.start;
        match above.checked_sub(1) {
            Some(floor) => Some(EpochEnd { epoch: self.0[floor].epoch, end }),
            None => Some(EpochEnd { epoch, end }),
        }
    }

    /// The term that wrote `offset`, if known.
    #[must_use]
    pub fn of_offset(&self, offset: Offset) -> Option<LeaderEpoch> {
        let after = self.0.partition_point(|entry| entry.start <= offset);
        Some(self.0[after.checked_sub(1)?].epoch)
    }

    fn check(&self) {
        debug_assert!(
            self.0.windows(2).all(|pair| pair[0].epoch < pair[1].epoch && pair[0].start < pair[1].start),
            "epochs and their starts rise together: {:?}",
            self.0
        );
    }
}

#[cfg(test)]
mod tests {
    use super::{EpochEnd, EpochStart, Epochs};
    use ottla_wire::ids::{LeaderEpoch, Offset};

    fn epochs(entries: &[(i32, i64)]) -> Epochs {
        let start = |&(epoch, start): &(i32, i64)| EpochStart { epoch: LeaderEpoch(epoch), start: Offset(start) };
        Epochs::from_entries(entries.iter().map(start).collect())
    }

    #[test]
    fn a_newer_term_at_the_same_start_replaces_the_older() {
        assert_eq!(epochs(&[(1, 0), (2, 10), (3, 10)]), epochs(&[(1, 0), (3, 10)]));
        assert_eq!(epochs(&[(1, 0), (2, 10), (3, 5)]), epochs(&[(1, 0), (3, 5)]));
    }

    #[test]
    fn end_of_a_term_is_the_start_of_the_next() {
        let known = epochs(&[(2, 10), (4, 20), (6, 30)]);
        let end = |epoch| known.end_of(LeaderEpoch(epoch), Offset(50)).map(|EpochEnd { epoch, end }| (epoch.0, end.0));
        assert_eq!(end(2), Some((2, 20)));
        assert_eq!(end(3), Some((2, 20)), "an unknown term ends with the one before it");
        assert_eq!(end(1), Some((1, 10)), "a term before all known ends where they begin");
        assert_eq!(end(6), Some((6, 50)), "the newest ends with the log");
        assert_eq!(end(7), None);
        assert_eq!(end(-1), None);
    }

    #[test]
    fn truncation_at_both_ends_keeps_the_order() {
        let mut known = epochs(&[(2, 10), (4, 20), (6, 30)]);
        assert!(known.truncate_end(Offset(30)));
        assert!(!known.truncate_end(Offset(30)));
        assert!(known.truncate_start(Offset(25)));
        assert_eq!(known, epochs(&[(4, 25)]));
        assert!(!known.truncate_start(Offset(25)));
        assert_eq!(known.of_offset(Offset(24)), None);
        assert_eq!(known.of_offset(Offset(26)), Some(LeaderEpoch(4)));
    }
}
