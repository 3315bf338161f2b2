//! The cluster as facts: what the committed metadata records say, cheap to copy and to share.

mod apply;
mod delta;
mod kept;
pub mod node;
pub mod partition;
mod sharing;
mod snapshot;

use std::collections::BTreeMap;
use std::sync::Arc;

use ottla_messages::records::metadata::MetadataRecord;
use ottla_wire::Uuid;
use ottla_wire::ids::{BrokerId, PartitionIndex};

pub use apply::ImageFault;
pub use delta::Delta;
pub use node::{Broker, Controller, NodeEndpoint};
pub use partition::{Brokers, Directories, NO_LEADER, Partition};

use crate::features::{METADATA_VERSION, MetadataVersion};
use crate::settings::describe::Configs;
use kept::Kept;
use sharing::{Shared, Spread, fnv};

/// One topic.
#[derive(Clone, PartialEq, Debug)]
pub struct Topic {
    /// Its name.
    pub name: Arc<str>,
    /// Its id; a topic made again under the same name has another one.
    pub id: Uuid,
    /// Its partitions.
    pub partitions: BTreeMap<PartitionIndex, Partition>,
}

/// What settings belong to.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct ConfigResource {
    /// Kafka's number of the kind: 2 topic, 4 broker, 8 broker logger, 16 client metrics, 32 group.
    pub kind: i8,
    /// Name of the topic or group, number of the broker, empty for all brokers.
    pub name: Arc<str>,
}

impl ConfigResource {
    /// Kafka's number of topics.
    pub const TOPIC: i8 = 2;
    /// Kafka's number of brokers.
    pub const BROKER: i8 = 4;
    /// Kafka's number of the loggers of brokers.
    pub const LOGGER: i8 = 8;
    /// Kafka's number of what clients are asked to measure.
    pub const CLIENT_METRICS: i8 = 16;
    /// Kafka's number of groups.
    pub const GROUP: i8 = 32;

    /// A topic's settings.
    #[must_use]
    pub fn topic(name: &str) -> ConfigResource {
        ConfigResource { kind: ConfigResource::TOPIC, name: name.into() }
    }

    /// A group's settings.
    #[must_use]
    pub fn group(name: &str) -> ConfigResource {
        ConfigResource { kind: ConfigResource::GROUP, name: name.into() }
    }

    /// A broker's settings.
    #[must_use]
    pub fn broker(id: BrokerId) -> ConfigResource {
        ConfigResource { kind: ConfigResource::BROKER, name: id.to_string().into() }
    }

    /// The settings of all brokers.
    #[must_use]
    pub fn all_brokers() -> ConfigResource {
        ConfigResource { kind: ConfigResource::BROKER, name: "".into() }
    }
}

impl Spread for ConfigResource {
    fn spread(&self) -> u64 {
        fnv(self.name.as_bytes()) ^ self.kind.unsigned_abs() as u64
    }
}

/// The next free producer id and who took the last block.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ProducerIds {
    /// Broker that took the last block.
    pub broker: i32,
    /// Its epoch then.
    pub broker_epoch: i64,
    /// First id that nobody has.
    pub next: i64,
}

/// The facts. A copy costs a few counted pointers and does not see later changes.
#[derive(Clone, Debug, Default)]
pub struct Image {
    topics: Shared<Arc<str>, Arc<Topic>>,
    names: Shared<Uuid, Arc<str>>,
    brokers: Arc<BTreeMap<BrokerId, Arc<Broker>>>,
    controllers: Arc<BTreeMap<BrokerId, Arc<Controller>>>,
    features: Arc<BTreeMap<String, i16>>,
    configs: Shared<ConfigResource, Arc<Configs>>,
    producer_ids: ProducerIds,
    kept: Arc<Kept>,
    /// Records of a metadata transaction that has begun and not ended (KIP-868).
    pending: Option<Arc<Vec<MetadataRecord<'static>>>>,
    partitions: usize,
}

impl PartialEq for Image {
    fn eq(&self, other: &Image) -> bool {
        self.topics == other.topics
            && self.brokers == other.brokers
            && self.controllers == other.controllers
            && self.features == other.features
            && self.configs == other.configs
            && self.producer_ids == other.producer_ids
            && self.kept == other.kept
            && self.pending == other.pending
    }
}

impl Image {
    /// The topic of this name.
    #[must_use]
    pub fn topic(&self, name: &str) -> Option<&Arc<Topic>> {
        self.topics.get(name)
    }

    /// The topic of this id.
    #[must_use]
    pub fn topic_by_id(&self, id: &Uuid) -> Option<&Arc<Topic>> {
        self.topics.get(&**self.names.get(id)?)
    }

    /// One partition.
    #[must_use]
    pub fn partition(&self, topic: &str, index: PartitionIndex) -> Option<&Partition> {
        self.topic(topic)?.partitions.get(&index)
    }

    /// Every topic, in a fixed order that is not by name.
    pub fn topics(&self) -> impl Iterator<Item = &Arc<Topic>> {
        self.topics.iter().map(|(_, topic)| topic)
    }

    /// Number of topics.
    #[must_use]
    pub fn topic_count(&self) -> usize {
        self.topics.len()
    }

    /// Number of partitions.
    #[must_use]
    pub fn partition_count(&self) -> usize {
        self.partitions
    }

    /// A registered broker.
    #[must_use]
    pub fn broker(&self, id: BrokerId) -> Option<&Arc<Broker>> {
        self.brokers.get(&id)
    }

    /// Every registered broker by id.
    pub fn brokers(&self) -> impl Iterator<Item = &Arc<Broker>> {
        self.brokers.values()
    }

    /// Every registered controller by id.
    pub fn controllers(&self) -> impl Iterator<Item = &Arc<Controller>> {
        self.controllers.values()
    }

    /// The finalized level of a feature; 0 when it is not finalized.
    #[must_use]
    pub fn feature(&self, name: &str) -> i16 {
        self.features.get(name).copied().unwrap_or(0)
    }

    /// Every finalized feature by name.
    #[must_use]
    pub fn features(&self) -> &BTreeMap<String, i16> {
        &self.features
    }

    /// The finalized `metadata.version`; the lowest while none is.
    #[must_use]
    pub fn metadata_version(&self) -> MetadataVersion {
        self.features.get(METADATA_VERSION).map_or(MetadataVersion::MIN, |level| MetadataVersion(*level))
    }

    /// The settings of a resource; None when it has none of its own.
    #[must_use]
    pub fn configs(&self, resource: &ConfigResource) -> Option<&Arc<Configs>> {
        self.configs.get(resource)
    }

    /// The overrides of a topic; None when it has none.
    #[must_use]
    pub fn topic_configs(&self, name: &str) -> Option<&Arc<Configs>> {
        self.configs.get(&ConfigResource::topic(name))
    }

    /// The next free producer id and who took the last block.
    #[must_use]
    pub fn producer_ids(&self) -> ProducerIds {
        self.producer_ids
    }

    /// The settings of every resource that has some, in a fixed order that is not by name.
    pub fn all_configs(&self) -> impl Iterator<Item = (&ConfigResource, &Configs)> {
        self.configs.iter().map(|(resource, configs)| (resource, &**configs))
    }

    /// Number of client quotas that are stored.
    #[must_use]
    pub fn quota_count(&self) -> usize {
        self.kept.quota_count()
    }

    /// Whether any access control entry is stored.
    #[must_use]
    pub fn has_acls(&self) -> bool {
        self.kept.has_acls()
    }
}

#[cfg(test)]
mod tests;
