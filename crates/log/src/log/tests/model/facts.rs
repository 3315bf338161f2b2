//! What the log should hold, as facts of batches: who may write what, which transactions were aborted, what is stable.

use crate::log::Log;
use ottla_wire::batch::{BatchHeader, ControlKind, ValidBatch};
use ottla_wire::ids::{LeaderEpoch, Offset};
use std::collections::BTreeMap;

/// A batch that was written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Batch {
    /// Number of its first record, -1 for a marker.
    pub(super) number: i64,
    pub(super) count: i64,
    /// Producer, -1 for none.
    pub(super) id: i64,
    pub(super) epoch: i16,
    /// Sequence number of its first record.
    pub(super) first: i32,
    pub(super) transactional: bool,
    /// Whether the transaction that it ends is aborted.
    pub(super) ends: Option<bool>,
    pub(super) leader_epoch: LeaderEpoch,
}

impl Batch {
    /// A batch of no producer.
    pub(super) fn plain(number: i64, count: i64) -> Batch {
        let leader_epoch = LeaderEpoch::UNKNOWN;
        Batch { number, count, id: -1, epoch: -1, first: -1, transactional: false, ends: None, leader_epoch }
    }

    /// What a batch in the log says.
    pub(super) fn read(bytes: &[u8]) -> Batch {
        let batch = ValidBatch::trusted(bytes).unwrap();
        let header = BatchHeader::read(bytes).unwrap();
        let mut scratch = Vec::new();
        let record = batch.records(&mut scratch, 1 << 20).unwrap().next().unwrap().unwrap();
        let is_control = header.is_control();
        let number = || String::from_utf8_lossy(record.value.unwrap()).split(' ').nth(1).unwrap().parse().unwrap();
        Batch {
            number: if is_control { -1 } else { number() },
            count: i64::from(header.last_offset_delta()) + 1,
            id: header.producer_id().0,
            epoch: header.producer_epoch().0,
            first: header.base_sequence(),
            transactional: header.is_transactional() && !is_control,
            ends: is_control.then(|| matches!(ControlKind::parse(record.key), Ok(ControlKind::Abort))),
            leader_epoch: header.leader_epoch(),
        }
    }
}

/// What should become of a batch of a producer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Expected {
    Written,
    /// It was written at this offset.
    Duplicate(i64),
    /// It was, and a restart may have forgotten that.
    DuplicateOrGap(i64),
    Gap,
    /// What is known of the producer went with the records before the log's first.
    Anything,
}

/// A transaction: producer and first offset.
type Open = BTreeMap<i64, i64>;

/// What the log should hold.
pub(super) struct Model {
    pub(super) start: i64,
    pub(super) end: i64,
    /// By base offset; those before the start too.
    pub(super) batches: BTreeMap<i64, Batch>,
    pub(super) next_number: i64,
    pub(super) synced: i64,
    pub(super) checkpointed_start: i64,
    pub(super) epoch: LeaderEpoch,
    /// Nothing is lost with the power.
    pub(super) is_durable: bool,
    /// Added to the ids of producers.
    pub(super) generation: i64,
    /// A loss of power may have left terms that a truncation had taken back.
    knows_terms: bool,
    /// A loss of power may have changed what lies before the start, and cannot be looked at.
    knows_transactions: bool,
}

impl Model {
    pub(super) fn new(is_durable: bool) -> Model {
        Model {
            start: 0,
            end: 0,
            batches: BTreeMap::new(),
            next_number: 0,
            synced: 0,
            checkpointed_start: 0,
            epoch: LeaderEpoch(1),
            is_durable,
            generation: 0,
            knows_terms: true,
            knows_transactions: true,
        }
    }

    /// Takes in a batch written at `base`.
    pub(super) fn push(&mut self, base: Offset, batch: Batch) {
        assert!(base.0 >= self.end, "{base} is before {}", self.end);
        self.end = base.0 + batch.count;
        self.batches.insert(base.0, Batch { leader_epoch: self.epoch, ..batch });
    }

    /// Drops what reaches beyond `at`; the log ends at `end` then.
    pub(super) fn truncate(&mut self, at: i64, end: i64) {
        self.batches.retain(|base, batch| base + batch.count <= at);
        let least = self.batches.last_key_value().map_or(0, |(base, batch)| base + batch.count);
        assert!(end >= least, "{end} is before {least}");
        self.end = end;
        self.synced = self.synced.min(end);
        self.start = self.start.min(end);
    }

    /// After a loss of power: what was synced is there. Behind it may be anything that once was, as in Kafka: also what a
    /// truncation that did not reach the device has taken back.
    pub(super) fn take_found(&mut self, start: i64, end: i64, found: Vec<(i64, Batch)>) {
        self.batches.split_off(&self.synced);
        if start > self.synced {
            // Who wrote what lies before the start cannot be seen.
            self.generation += 10;
            self.knows_transactions = false;
        }
        self.batches.extend(found);
        self.end = end;
        self.synced = self.synced.min(end);
        self.knows_terms = false;
    }

    fn of(&self, id: i64) -> impl DoubleEndedIterator<Item = (i64, &Batch)> {
        self.batches.iter().filter(move |(_, batch)| batch.id == id).map(|(base, batch)| (*base, batch))
    }

    /// Epoch and last sequence number of a producer.
    pub(super) fn last_of(&self, id: i64) -> (i16, i32) {
        let mut known = (0, -1);
        for (_, batch) in self.of(id) {
            if batch.epoch != known.0 {
                known = (batch.epoch, -1);
            }
            if batch.ends.is_none() {
                known.1 = batch.first + batch.count as i32 - 1;
            }
        }
        known
    }

    /// Whether the log must know all of a producer: it was never heard of, or its last records are there.
    pub(super) fn is_certain(&self, log: &Log, id: i64) -> bool {
        let last = self.of(id).rfind(|(_, batch)| batch.ends.is_none());
        last.or(self.of(id).next_back()).is_none_or(|(base, batch)| base + batch.count > first_base(log))
    }

    /// What should become of three records with sequence numbers from `first` on.
    pub(super) fn expect(&self, log: &Log, id: i64, epoch: i16, first: i32) -> Expected {
        if !self.is_certain(log, id) {
            return Expected::Anything;
        }
        let (known, last) = self.last_of(id);
        let data: Vec<_> = self.of(id).filter(|(_, batch)| batch.ends.is_none() && batch.epoch == known).collect();
        if self.of(id).next().is_none() || (epoch != known && first == 0) || (epoch == known && first == last + 1) {
            return Expected::Written;
        }
        let repeated = |(_, batch): &&(i64, &Batch)| epoch == known && (batch.first, batch.count) == (first, 3);
        match data.iter().rev().take(5).find(repeated) {
            Some((base, batch)) if batch.first + 2 == last => Expected::Duplicate(*base),
            Some((base, _)) => Expected::DuplicateOrGap(*base),
            None => Expected::Gap,
        }
    }

    /// Open transactions, and those that were aborted as producer, first offset and offset of the marker.
    fn transactions(&self) -> (Open, Vec<(i64, i64, i64)>) {
        let (mut open, mut aborted) = (Open::new(), Vec::new());
        for (base, batch) in &self.batches {
            if batch.transactional {
                open.entry(batch.id).or_insert(*base);
            }
            if let Some(aborts) = batch.ends
                && let Some(first) = open.remove(&batch.id)
                && aborts
            {
                aborted.push((batch.id, first, *base));
            }
        }
        (open, aborted)
    }

    /// Asserts that the log, whose batches from its start on are `found`, holds what it should.
    pub(super) fn check(&self, log: &Log, found: &[(i64, Batch)]) {
        let view = log.view();
        assert_eq!((view.start().0, view.end().0), (self.start, self.end));
        let readable = self.batches.iter().filter(|(base, batch)| *base + batch.count > self.start);
        let expected: Vec<_> = readable.map(|(base, batch)| (*base, *batch)).collect();
        assert!(found == expected, "found {found:?} and not {expected:?}");
        if self.is_durable {
            assert_eq!(view.journalled_end(), view.end());
        }
        for (base, batch) in expected.iter().filter(|_| self.knows_terms) {
            let known = view.epoch_of(Offset(*base).max(view.start()));
            assert_eq!(known, Some(batch.leader_epoch), "at {base} of {:?}", view.epochs());
        }
        if self.knows_transactions {
            self.check_transactions(log);
        }
    }

    fn check_transactions(&self, log: &Log) {
        let (view, first_base) = (log.view(), first_base(log));
        let (open, aborted) = self.transactions();
        if open.values().all(|first| *first >= first_base) {
            let stable = open.values().copied().min().unwrap_or(self.end).max(self.start);
            assert_eq!(view.stable(view.end()).0, stable, "{open:?}");
        }
        let listed = view.aborted_transactions(view.start(), view.end()).unwrap();
        let mut listed = listed.iter().map(|entry| (entry.producer_id.0, entry.first_offset.0, entry.last_offset.0));
        let mut next = listed.next();
        for known in aborted.iter().filter(|(_, _, marker)| *marker >= self.start) {
            // Where it began may be gone, and with it what was known of it.
            let is_whole = known.1 >= first_base;
            match next {
                Some(entry) if entry == *known || (!is_whole && (entry.0, entry.2) == (known.0, known.2)) => {
                    next = listed.next();
                }
                _ => assert!(!is_whole, "{known:?} is not listed, {next:?} is"),
            }
        }
        assert_eq!(next, None, "of {aborted:?}");
    }
}

/// Where the log's files begin.
fn first_base(log: &Log) -> i64 {
    log.view().segments().first().map_or(log.view().start().0, |first| first.base())
}
