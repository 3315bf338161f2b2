//! Sets of partitions by topic: plain ones, and ones that say since which epoch each is assigned.

use ottla_wire::Uuid;
use std::collections::BTreeMap;

/// Partitions by topic id. Sorted, without doubles, no topic without partitions.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Partitions(BTreeMap<Uuid, Vec<i32>>);

impl Partitions {
    /// Adds partitions of a topic.
    pub fn add(&mut self, topic: Uuid, partitions: impl IntoIterator<Item = i32>) {
        let list = self.0.entry(topic).or_default();
        list.extend(partitions);
        list.sort_unstable();
        list.dedup();
        if list.is_empty() {
            self.0.remove(&topic);
        }
    }

    /// Leaves out a topic.
    pub fn remove_topic(&mut self, topic: &Uuid) {
        self.0.remove(topic);
    }

    /// Leaves out one partition.
    pub fn remove(&mut self, topic: &Uuid, partition: i32) {
        let Some(list) = self.0.get_mut(topic) else { return };
        list.retain(|other| *other != partition);
        if list.is_empty() {
            self.0.remove(topic);
        }
    }

    /// The partitions of a topic.
    #[must_use]
    pub fn of(&self, topic: &Uuid) -> &[i32] {
        self.0.get(topic).map_or(&[], Vec::as_slice)
    }

    /// Topics with their partitions.
    pub fn iter(&self) -> impl Iterator<Item = (&Uuid, &[i32])> {
        self.0.iter().map(|(topic, list)| (topic, list.as_slice()))
    }

    /// Number of partitions.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.values().map(Vec::len).sum()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<(Uuid, Vec<i32>)> for Partitions {
    fn from_iter<I: IntoIterator<Item = (Uuid, Vec<i32>)>>(topics: I) -> Partitions {
        let mut all = Partitions::default();
        for (topic, partitions) in topics {
            all.add(topic, partitions);
        }
        all
    }
}

/// A partition and the member epoch in which it was assigned (KIP-1251): commits of an older epoch are stale.
pub(crate) type Since = (i32, i32);

/// Partitions that a member has, with the epoch of each. Sorted, without doubles, no topic without partitions.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Owned(BTreeMap<Uuid, Vec<Since>>);

impl Owned {
    /// Adds partitions of a topic; the epoch of one that is there already stays.
    pub fn add(&mut self, topic: Uuid, partitions: impl IntoIterator<Item = Since>) {
        let list = self.0.entry(topic).or_default();
        list.extend(partitions);
        list.sort_by_key(|(partition, _)| *partition);
        list.dedup_by_key(|(partition, _)| *partition);
        if list.is_empty() {
            self.0.remove(&topic);
        }
    }

    /// Takes a topic out.
    pub fn take(&mut self, topic: &Uuid) -> Vec<Since> {
        self.0.remove(topic).unwrap_or_default()
    }

    /// The epoch of a partition.
    #[must_use]
    pub fn epoch(&self, topic: &Uuid, partition: i32) -> Option<i32> {
        let list = self.0.get(topic)?;
        let at = list.binary_search_by_key(&partition, |(partition, _)| *partition).ok()?;
        list.get(at).map(|(_, epoch)| *epoch)
    }

    /// Whether the partition is one of them.
    #[must_use]
    pub fn contains(&self, topic: &Uuid, partition: i32) -> bool {
        self.epoch(topic, partition).is_some()
    }

    /// The partitions of a topic.
    #[must_use]
    pub fn of(&self, topic: &Uuid) -> &[Since] {
        self.0.get(topic).map_or(&[], Vec::as_slice)
    }

    /// Topics with their partitions.
    pub fn iter(&self) -> impl Iterator<Item = (&Uuid, &[Since])> {
        self.0.iter().map(|(topic, list)| (topic, list.as_slice()))
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The same partitions, each since `epoch`.
    #[must_use]
    pub fn since(&self, epoch: i32) -> Owned {
        let reset = |list: &[Since]| list.iter().map(|(partition, _)| (*partition, epoch)).collect();
        Owned(self.iter().map(|(topic, list)| (*topic, reset(list))).collect())
    }

    /// The partitions alone.
    #[must_use]
    pub fn plain(&self) -> Partitions {
        self.iter().map(|(topic, list)| (*topic, list.iter().map(|(partition, _)| *partition).collect())).collect()
    }
}

impl Partitions {
    /// The same partitions, each since `epoch`.
    #[must_use]
    pub fn since(&self, epoch: i32) -> Owned {
        let dated = |list: &[i32]| list.iter().map(|partition| (*partition, epoch)).collect();
        Owned(self.iter().map(|(topic, list)| (*topic, dated(list))).collect())
    }
}
