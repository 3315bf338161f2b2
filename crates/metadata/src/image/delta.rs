//! What a batch of records changed, for those who must act on it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ottla_wire::Uuid;
use ottla_wire::ids::{BrokerId, PartitionIndex};

use super::{ConfigResource, Topic};

/// What changed. Look the new state up in the image.
#[derive(Clone, Default, Debug, PartialEq)]
pub struct Delta {
    /// Partitions that are new or changed and still exist.
    pub partitions: BTreeSet<(Uuid, PartitionIndex)>,
    /// Topics that existed before and were deleted, as they were.
    pub deleted: BTreeMap<Uuid, Arc<Topic>>,
    /// Topics that were created and still exist.
    pub created: BTreeSet<Uuid>,
    /// Settings that changed.
    pub configs: BTreeSet<ConfigResource>,
    /// Brokers that registered, changed or left.
    pub brokers: BTreeSet<BrokerId>,
    /// A feature level changed.
    pub features: bool,
}

impl Delta {
    /// Whether nothing changed that anybody acts on.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Delta::default()
    }

    /// Adds what a later batch changed.
    pub fn merge(&mut self, later: Delta) {
        self.partitions.retain(|(topic, _)| !later.deleted.contains_key(topic));
        self.partitions.extend(later.partitions);
        for (id, topic) in later.deleted {
            if !self.created.remove(&id) {
                self.deleted.insert(id, topic);
            }
        }
        self.created.extend(later.created);
        self.configs.extend(later.configs);
        self.brokers.extend(later.brokers);
        self.features |= later.features;
    }
}
