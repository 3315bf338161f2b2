//! The image as records, for snapshots: applying them to an empty image gives the same image.

use ottla_messages::records::metadata::{
    ConfigRecord, FeatureLevelRecord, MetadataRecord, ProducerIdsRecord, TopicRecord,
};

use super::{Image, ProducerIds};
use crate::features::METADATA_VERSION;

impl Image {
    /// Every fact as a record, `metadata.version` first since it says how to read the rest.
    pub fn to_records(&self) -> impl Iterator<Item = MetadataRecord<'static>> {
        self.feature_records()
            .chain(self.node_records())
            .chain(self.topic_records())
            .chain(self.config_records())
            .chain(self.kept.quota_records())
            .chain(self.producer_id_record())
            .chain(self.kept.security_records())
    }

    fn feature_records(&self) -> impl Iterator<Item = MetadataRecord<'static>> {
        let (first, rest): (Vec<_>, Vec<_>) = self.features.iter().partition(|(name, _)| *name == METADATA_VERSION);
        first.into_iter().chain(rest).map(|(name, level)| {
            MetadataRecord::FeatureLevel(FeatureLevelRecord { name: name.clone().into(), feature_level: *level })
        })
    }

    fn node_records(&self) -> impl Iterator<Item = MetadataRecord<'static>> {
        let version = self.metadata_version();
        let brokers = self.brokers().map(move |broker| MetadataRecord::RegisterBroker(broker.to_record(version)));
        let controllers = self.controllers().map(|one| MetadataRecord::RegisterController(one.to_record()));
        brokers.chain(controllers.filter(move |_| version.has_controller_registration()))
    }

    fn topic_records(&self) -> impl Iterator<Item = MetadataRecord<'static>> {
        let version = self.metadata_version();
        self.topics().flat_map(move |topic| {
            let record = TopicRecord { name: topic.name.to_string().into(), topic_id: topic.id };
            let partitions = topic.partitions.iter().map(move |(index, partition)| {
                MetadataRecord::Partition(partition.to_record(topic.id, *index, version))
            });
            std::iter::once(MetadataRecord::Topic(record)).chain(partitions)
        })
    }

    fn config_records(&self) -> impl Iterator<Item = MetadataRecord<'static>> {
        self.configs.iter().flat_map(|(resource, configs)| {
            configs.iter().map(|(name, value)| {
                MetadataRecord::Config(ConfigRecord {
                    resource_type: resource.kind,
                    resource_name: resource.name.to_string().into(),
                    name: name.clone().into(),
                    value: Some(value.clone().into()),
                })
            })
        })
    }

    fn producer_id_record(&self) -> Option<MetadataRecord<'static>> {
        let ProducerIds { broker, broker_epoch, next } = self.producer_ids;
        let record = ProducerIdsRecord { broker_id: broker, broker_epoch, next_producer_id: next };
        (next > 0).then_some(MetadataRecord::ProducerIds(record))
    }
}
