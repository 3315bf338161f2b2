//! Committed offsets as the records say, and those of transactions that are not ended.

use super::names::{Names, TopicNumber};
use super::pending::Pending;
use crate::machine::Origin;
use ottla_messages::records::group::{OffsetCommitKey, OffsetCommitValue};
use ottla_wire::Uuid;
use ottla_wire::ids::ProducerId;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A committed offset.
#[derive(Clone, PartialEq, Debug)]
pub struct Committed {
    /// Next offset to be read.
    pub offset: i64,
    /// Term of the partition's leader when the record before was read; -1 where the client did not say.
    pub leader_epoch: i32,
    /// What the client wanted to be kept beside it.
    pub metadata: Box<str>,
    /// When it was committed, ms since 1970.
    pub commit_timestamp: i64,
    /// When it ends, where an old client has said so; else -1. Ms since 1970.
    pub expire_timestamp: i64,
    /// Id of its topic; zero in records of old releases.
    pub topic_id: Uuid,
}

impl Committed {
    fn of(value: &OffsetCommitValue<'_>) -> Committed {
        Committed {
            offset: value.offset,
            leader_epoch: value.leader_epoch,
            metadata: (&*value.metadata).into(),
            commit_timestamp: value.commit_timestamp,
            expire_timestamp: value.expire_timestamp,
            topic_id: value.topic_id,
        }
    }

    /// Whether it is one of the topic that has `id`; those without id are of any.
    #[must_use]
    pub fn is_of(&self, id: Uuid) -> bool {
        self.topic_id.is_zero() || id.is_zero() || self.topic_id == id
    }
}

/// A partition of a topic that has a number.
pub(super) type Place = (TopicNumber, i32);

/// Every offset that the groups of a partition of `__consumer_offsets` have committed.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Offsets {
    names: Names,
    groups: BTreeMap<Arc<str>, BTreeMap<Place, Committed>>,
    pending: Pending,
    count: usize,
}

impl Offsets {
    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    /// What `group` has committed for a partition.
    #[must_use]
    pub fn get(&self, group: &str, topic: &str, partition: i32) -> Option<&Committed> {
        self.groups.get(group)?.get(&(self.names.number(topic)?, partition))
    }

    /// All that `group` has committed: topics one after the other, in no order of names.
    pub fn of_group(&self, group: &str) -> impl Iterator<Item = (&Arc<str>, i32, &Committed)> {
        let places = self.groups.get(group).into_iter().flatten();
        places.map(|((topic, partition), committed)| (self.names.name(*topic), *partition, committed))
    }

    /// Partitions for which transactions that are not ended would commit: their offsets are not stable (KIP-447).
    pub fn open_of_group(&self, group: &str) -> impl Iterator<Item = (&Arc<str>, i32)> {
        self.pending.of_group(group).map(|(topic, partition)| (self.names.name(topic), partition))
    }

    /// Whether a transaction that is not ended would commit an offset for the partition.
    #[must_use]
    pub fn is_open(&self, group: &str, topic: &str, partition: i32) -> bool {
        self.names.number(topic).is_some_and(|topic| self.pending.is_open(group, (topic, partition)))
    }

    /// Whether a group has offsets, or would get some from a transaction.
    #[must_use]
    pub fn has_some(&self, group: &str) -> bool {
        self.groups.contains_key(group) || self.pending.of_group(group).next().is_some()
    }

    /// Places of offsets whose topic is gone, or was made anew since; `current` tells the id of a name.
    pub fn outdated(&self, current: impl Fn(&str) -> Option<Uuid>) -> Vec<(&Arc<str>, &Arc<str>, i32)> {
        let mut found = Vec::new();
        for (topic, id) in self.names.outdated(current) {
            let name = self.names.name(topic);
            for (group, places) in &self.groups {
                let of_topic = places.range((topic, i32::MIN)..=(topic, i32::MAX));
                let outdated = of_topic.filter(|(_, committed)| id.is_none_or(|id| !committed.is_of(id)));
                found.extend(outdated.map(|((_, partition), _)| (group, name, *partition)));
            }
            let pending = self.pending.of_topic(topic, id);
            let only_pending = pending.filter(|(group, partition)| self.get(group, name, *partition).is_none());
            found.extend(only_pending.map(|(group, partition)| (group, name, partition)));
        }
        found
    }

    /// Applies a record about an offset of `group`.
    pub fn replay(
        &mut self,
        group: &Arc<str>,
        key: &OffsetCommitKey<'_>,
        value: Option<&OffsetCommitValue<'_>>,
        origin: Origin,
    ) {
        match (value, origin) {
            (Some(value), Origin::Plain) => {
                let topic = self.put(group, (&key.topic, key.partition), Committed::of(value));
                self.pending.supersede(group, (topic, key.partition));
            }
            (Some(value), Origin::Transaction(producer, _)) => {
                let topic = self.names.take(&key.topic, value.topic_id);
                let place = (topic, key.partition);
                if self.pending.put(producer, group, place, Committed::of(value)) {
                    self.names.give_back(topic);
                }
            }
            (None, _) => self.take_back(group, &key.topic, key.partition),
        }
        self.check();
    }

    fn put(&mut self, group: &Arc<str>, (name, partition): (&str, i32), committed: Committed) -> TopicNumber {
        let topic = self.names.take(name, committed.topic_id);
        let places = match self.groups.get_mut(&**group) {
            Some(places) => places,
            None => self.groups.entry(group.clone()).or_default(),
        };
        if places.insert((topic, partition), committed).is_some() {
            self.names.give_back(topic);
        } else {
            self.count += 1;
        }
        topic
    }

    fn take_back(&mut self, group: &str, topic: &str, partition: i32) {
        let Some(topic) = self.names.number(topic) else { return };
        let place = (topic, partition);
        let mut uses = self.pending.clear(group, place);
        if let Some(places) = self.groups.get_mut(group) {
            if places.remove(&place).is_some() {
                self.count -= 1;
                uses += 1;
            }
            if places.is_empty() {
                self.groups.remove(group);
            }
        }
        for _ in 0..uses {
            self.names.give_back(topic);
        }
    }

    /// Applies a marker: what the transaction of `producer` would commit is committed, or forgotten.
    pub fn end_transaction(&mut self, producer: ProducerId, committed: bool) {
        for ((group, (topic, partition)), offset) in self.pending.end(producer, committed) {
            let name = self.names.name(topic).clone();
            if let Some(offset) = offset {
                self.put(&group, (&name, partition), offset);
            }
            self.names.give_back(topic);
        }
        self.check();
    }

    /// Asserts what always holds; a sample of it where there is much.
    fn check(&self) {
        if cfg!(debug_assertions) && self.count < 64 {
            let counted: usize = self.groups.values().map(BTreeMap::len).sum();
            assert_eq!(counted, self.count, "the count is that of the offsets");
            assert!(self.groups.values().all(|places| !places.is_empty()), "a group without offsets is not kept");
            self.pending.check();
        }
    }
}
