//! What a log knows of its idempotent and transactional producers (KIP-98, KIP-360, KIP-890).

mod check;
pub(crate) mod snapshot;

pub(crate) use check::{Facts, Verdict};
pub use check::{Origin, Refusal};

use std::collections::{BTreeMap, VecDeque};

/// Batches remembered per producer, as many as a client may have in flight.
pub(crate) const BATCHES_KEPT: usize = 5;
/// The sequence number before the first.
pub(crate) const NO_SEQUENCE: i32 = -1;
/// The epoch before the first.
pub(crate) const NO_EPOCH: i16 = -1;

/// A batch as it is remembered to recognise its repetition.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Batch {
    pub(crate) last_sequence: i32,
    pub(crate) last_offset: i64,
    pub(crate) offset_delta: i32,
    pub(crate) timestamp: i64,
}

impl Batch {
    pub(crate) fn first_offset(&self) -> i64 {
        self.last_offset - i64::from(self.offset_delta)
    }

    /// Sequence of the first record; before 0 comes 2147483647.
    pub(crate) fn first_sequence(&self) -> i32 {
        let first = i64::from(self.last_sequence) - i64::from(self.offset_delta);
        if first < 0 { (first + (1 << 31)) as i32 } else { first as i32 }
    }
}

/// State of one producer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Producer {
    pub(crate) epoch: i16,
    pub(crate) coordinator_epoch: i32,
    /// Of the last batch or marker, ms since 1970.
    pub(crate) timestamp: i64,
    /// First offset of the transaction that is open.
    pub(crate) open_transaction: Option<i64>,
    /// The last batches of this epoch, oldest first.
    pub(crate) batches: VecDeque<Batch>,
}

impl Producer {
    fn new() -> Producer {
        Producer {
            epoch: NO_EPOCH,
            coordinator_epoch: -1,
            timestamp: -1,
            open_transaction: None,
            batches: VecDeque::new(),
        }
    }

    fn enter_epoch(&mut self, epoch: i16) {
        if self.epoch != epoch {
            self.epoch = epoch;
            self.batches.clear();
        }
    }

    pub(crate) fn last(&self) -> Option<&Batch> {
        self.batches.back()
    }
}

/// A transaction that a marker has ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Completed {
    pub(crate) producer_id: i64,
    pub(crate) first_offset: i64,
    /// Offset of the marker.
    pub(crate) last_offset: i64,
    pub(crate) aborted: bool,
}

/// State of all producers of a log. Memory of bytes: a replay of the log rebuilds it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Producers {
    producers: BTreeMap<i64, Box<Producer>>,
    /// Open transactions: first offset → producer.
    open: BTreeMap<i64, i64>,
    /// Ended transactions whose marker is not below the high watermark yet: first → last offset.
    unreplicated: BTreeMap<i64, i64>,
}

impl Producers {
    pub(crate) fn get(&self, producer_id: i64) -> Option<&Producer> {
        self.producers.get(&producer_id).map(Box::as_ref)
    }

    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = (i64, &Producer)> {
        self.producers.iter().map(|(id, producer)| (*id, producer.as_ref()))
    }

    /// Puts in what a snapshot holds.
    pub(crate) fn load(&mut self, producer_id: i64, producer: Producer) {
        if let Some(first) = producer.open_transaction {
            self.open.insert(first, producer_id);
        }
        self.producers.insert(producer_id, Box::new(producer));
    }

    /// First offset that may belong to a transaction whose outcome consumers may not see yet.
    pub(crate) fn first_unstable(&self) -> Option<i64> {
        let open = self.open.keys().next().copied();
        let ended = self.unreplicated.keys().next().copied();
        open.into_iter().chain(ended).min()
    }

    /// Takes in a batch that was written at `base_offset`. A transaction that its marker ends is returned.
    pub(crate) fn apply(&mut self, facts: &Facts, base_offset: i64) -> Option<Completed> {
        let last_offset = base_offset + i64::from(facts.offset_delta);
        let producer = self.producers.entry(facts.producer_id).or_insert_with(|| Box::new(Producer::new()));
        producer.enter_epoch(facts.epoch);
        producer.timestamp = facts.timestamp;
        if let Some(marker) = facts.marker {
            producer.coordinator_epoch = marker.coordinator_epoch;
            let first_offset = producer.open_transaction.take()?;
            self.open.remove(&first_offset);
            self.unreplicated.insert(first_offset, last_offset);
            let producer_id = facts.producer_id;
            return Some(Completed { producer_id, first_offset, last_offset, aborted: marker.aborted });
        }
        if facts.is_control {
            return None;
        }
        if producer.batches.len() == BATCHES_KEPT {
            producer.batches.pop_front();
        }
        let Facts { last_sequence, offset_delta, timestamp, .. } = *facts;
        producer.batches.push_back(Batch { last_sequence, last_offset, offset_delta, timestamp });
        if facts.is_transactional && producer.open_transaction.is_none() {
            producer.open_transaction = Some(base_offset);
            self.open.insert(base_offset, facts.producer_id);
        }
        None
    }

    /// Last stable offset once `completed` has ended and all up to its marker is replicated.
    pub(crate) fn stable_after(&self, completed: &Completed) -> i64 {
        self.open.keys().next().copied().unwrap_or(completed.last_offset + 1)
    }

    /// Forgets ended transactions whose marker is below `offset`. True when the first unstable offset may have moved.
    pub(crate) fn replicated(&mut self, offset: i64) -> bool {
        if self.unreplicated.is_empty() {
            return false;
        }
        let before = self.unreplicated.len();
        self.unreplicated.retain(|_, last| *last >= offset);
        before != self.unreplicated.len()
    }

    /// Forgets producers without an open transaction that were last heard of `expiration_ms` before `now` or earlier
    /// (`producer.id.expiration.ms`).
    pub(crate) fn expire(&mut self, now: i64, expiration_ms: i64) {
        self.producers.retain(|_, producer| {
            producer.open_transaction.is_some() || now.saturating_sub(producer.timestamp) < expiration_ms
        });
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        *self = Producers::default();
    }
}

#[cfg(test)]
mod tests;
