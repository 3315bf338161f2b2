//! Records change the image, one by one and in order.

use std::collections::BTreeMap;
use std::sync::Arc;

use ottla_messages::records::metadata::{
    ConfigRecord, MetadataRecord, PartitionChangeRecord, PartitionRecord, TopicRecord,
};
use ottla_wire::Uuid;
use ottla_wire::ids::{BrokerId, PartitionIndex};

use super::{Broker, ConfigResource, Controller, Delta, Image, Partition, ProducerIds, Topic};

/// A record that does not fit what the image says: the log is not what it claims to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ImageFault {
    /// A record about a topic that does not exist.
    #[error("{record} names the topic id {id}, which does not exist")]
    NoTopic {
        /// Name of the record.
        record: &'static str,
        /// Id it names.
        id: Uuid,
    },
    /// A topic under a name or an id that another has.
    #[error("TopicRecord names the topic id {id}, but that id or its name is in use")]
    TopicExists {
        /// Id it names.
        id: Uuid,
    },
    /// A change of a partition that does not exist.
    #[error("PartitionChangeRecord names partition {index} of topic id {id}, which does not exist")]
    NoPartition {
        /// Topic it names.
        id: Uuid,
        /// Partition it names.
        index: PartitionIndex,
    },
    /// A record about a broker that does not exist or has registered again since.
    #[error("{record} names broker {id} with epoch {epoch}, which is not registered so")]
    NoBroker {
        /// Name of the record.
        record: &'static str,
        /// Broker it names.
        id: BrokerId,
        /// Epoch it names.
        epoch: i64,
    },
    /// A transaction begins inside another, or ends without having begun.
    #[error("{record} where no such step of a metadata transaction can be")]
    Transaction {
        /// Name of the record.
        record: &'static str,
    },
}

impl Image {
    /// Applies committed records and says what they changed. Records inside a metadata transaction wait for its end.
    ///
    /// # Errors
    /// The first record that does not fit; the image is then half changed and must be thrown away.
    pub fn apply<'a, 'b: 'a>(
        &mut self,
        records: impl IntoIterator<Item = &'a MetadataRecord<'b>>,
    ) -> Result<Delta, ImageFault> {
        let mut delta = Delta::default();
        for record in records {
            self.step(record, &mut delta)?;
        }
        Ok(delta)
    }

    fn step(&mut self, record: &MetadataRecord<'_>, delta: &mut Delta) -> Result<(), ImageFault> {
        let misplaced = Err(ImageFault::Transaction { record: record.name() });
        match (record, self.pending.take()) {
            (MetadataRecord::BeginTransaction(_), None) => self.pending = Some(Arc::default()),
            (MetadataRecord::EndTransaction(_), Some(held)) => {
                for record in held.iter() {
                    self.change(record, delta)?;
                }
            }
            (MetadataRecord::AbortTransaction(_), Some(_)) => {}
            (MetadataRecord::BeginTransaction(_), Some(_)) => return misplaced,
            (MetadataRecord::EndTransaction(_) | MetadataRecord::AbortTransaction(_), None) => return misplaced,
            (_, Some(mut held)) => {
                Arc::make_mut(&mut held).push(record.clone().into_owned());
                self.pending = Some(held);
            }
            (_, None) => self.change(record, delta)?,
        }
        Ok(())
    }

    fn change(&mut self, record: &MetadataRecord<'_>, delta: &mut Delta) -> Result<(), ImageFault> {
        match record {
            MetadataRecord::Topic(record) => return self.add_topic(record, delta),
            MetadataRecord::Partition(record) => return self.add_partition(record, delta),
            MetadataRecord::PartitionChange(record) => return self.change_partition(record, delta),
            MetadataRecord::RemoveTopic(record) => return self.remove_topic(record.topic_id, delta),
            MetadataRecord::ClearElr(record) => self.clear_elr(&record.topic_name, delta),
            MetadataRecord::Config(record) => self.change_config(record, delta),
            MetadataRecord::RegisterBroker(_)
            | MetadataRecord::UnregisterBroker(_)
            | MetadataRecord::FenceBroker(_)
            | MetadataRecord::UnfenceBroker(_)
            | MetadataRecord::BrokerRegistrationChange(_) => return self.change_brokers(record, delta),
            MetadataRecord::RegisterController(record) => {
                let controller = Controller::of_record(record);
                Arc::make_mut(&mut self.controllers).insert(controller.id, Arc::new(controller));
            }
            MetadataRecord::UnregisterController(record) => {
                Arc::make_mut(&mut self.controllers).remove(&BrokerId(record.controller_id));
            }
            MetadataRecord::FeatureLevel(record) => {
                delta.features = true;
                let features = Arc::make_mut(&mut self.features);
                match record.feature_level {
                    0 => drop(features.remove(record.name.as_ref())),
                    level => drop(features.insert(record.name.to_string(), level)),
                }
            }
            MetadataRecord::ProducerIds(record) => {
                self.producer_ids = ProducerIds {
                    broker: record.broker_id,
                    broker_epoch: record.broker_epoch,
                    next: record.next_producer_id,
                };
            }
            MetadataRecord::AccessControlEntry(_)
            | MetadataRecord::RemoveAccessControlEntry(_)
            | MetadataRecord::UserScramCredential(_)
            | MetadataRecord::RemoveUserScramCredential(_)
            | MetadataRecord::DelegationToken(_)
            | MetadataRecord::RemoveDelegationToken(_)
            | MetadataRecord::ClientQuota(_) => self.keep(record),
            // Idle quorums write NoOp; the state of a finished ZooKeeper migration says nothing any more.
            MetadataRecord::NoOp(_)
            | MetadataRecord::ZkMigrationState(_)
            | MetadataRecord::BeginTransaction(_)
            | MetadataRecord::EndTransaction(_)
            | MetadataRecord::AbortTransaction(_) => {}
        }
        Ok(())
    }

    fn keep(&mut self, record: &MetadataRecord<'_>) {
        let kept = Arc::make_mut(&mut self.kept);
        match record {
            MetadataRecord::AccessControlEntry(record) => kept.add_acl(record.clone().into_owned()),
            MetadataRecord::RemoveAccessControlEntry(record) => kept.remove_acl(&record.id),
            MetadataRecord::UserScramCredential(record) => kept.add_scram(record.clone().into_owned()),
            MetadataRecord::RemoveUserScramCredential(record) => kept.remove_scram(record),
            MetadataRecord::DelegationToken(record) => kept.add_token(record.clone().into_owned()),
            MetadataRecord::RemoveDelegationToken(record) => kept.remove_token(&record.token_id),
            MetadataRecord::ClientQuota(record) => kept.change_quota(record),
            // `change` hands over the kinds above only.
            _ => {}
        }
    }

    fn add_topic(&mut self, record: &TopicRecord<'_>, delta: &mut Delta) -> Result<(), ImageFault> {
        if self.topic(&record.name).is_some() || self.names.get(&record.topic_id).is_some() {
            return Err(ImageFault::TopicExists { id: record.topic_id });
        }
        let name: Arc<str> = record.name.as_ref().into();
        let topic = Topic { name: Arc::clone(&name), id: record.topic_id, partitions: BTreeMap::new() };
        self.names.insert(record.topic_id, Arc::clone(&name));
        self.topics.insert(name, Arc::new(topic));
        delta.created.insert(record.topic_id);
        Ok(())
    }

    fn topic_mut(&mut self, record: &'static str, id: Uuid) -> Result<&mut Topic, ImageFault> {
        let missing = ImageFault::NoTopic { record, id };
        let name = self.names.get(&id).ok_or(missing)?;
        self.topics.get_mut(&**name).map(Arc::make_mut).ok_or(missing)
    }

    fn add_partition(&mut self, record: &PartitionRecord, delta: &mut Delta) -> Result<(), ImageFault> {
        let index = PartitionIndex(record.partition_id);
        let topic = self.topic_mut("PartitionRecord", record.topic_id)?;
        let former = topic.partitions.insert(index, Partition::of_record(record));
        self.partitions += usize::from(former.is_none());
        delta.partitions.insert((record.topic_id, index));
        Ok(())
    }

    fn change_partition(&mut self, record: &PartitionChangeRecord, delta: &mut Delta) -> Result<(), ImageFault> {
        let (id, index) = (record.topic_id, PartitionIndex(record.partition_id));
        let topic = self.topic_mut("PartitionChangeRecord", id)?;
        let partition = topic.partitions.get_mut(&index).ok_or(ImageFault::NoPartition { id, index })?;
        partition.change(record);
        delta.partitions.insert((id, index));
        Ok(())
    }

    fn remove_topic(&mut self, id: Uuid, delta: &mut Delta) -> Result<(), ImageFault> {
        let missing = ImageFault::NoTopic { record: "RemoveTopicRecord", id };
        let name = self.names.remove(&id).ok_or(missing)?;
        let topic = self.topics.remove(&*name).ok_or(missing)?;
        self.partitions -= topic.partitions.len();
        let resource = ConfigResource { kind: ConfigResource::TOPIC, name };
        if self.configs.remove(&resource).is_some() {
            delta.configs.insert(resource);
        }
        delta.partitions.retain(|(topic, _)| *topic != id);
        if !delta.created.remove(&id) {
            delta.deleted.insert(id, topic);
        }
        Ok(())
    }

    /// Forgets the eligible leader replicas of a topic, or of all when it names none (KIP-966).
    fn clear_elr(&mut self, name: &str, delta: &mut Delta) {
        let chosen: Vec<Arc<str>> = self
            .topics()
            .filter(|topic| name.is_empty() || &*topic.name == name)
            .map(|topic| Arc::clone(&topic.name))
            .collect();
        for name in chosen {
            let Some(topic) = self.topics.get_mut(&*name).map(Arc::make_mut) else { continue };
            for (index, partition) in &mut topic.partitions {
                let Some(rare) = &mut partition.rare else { continue };
                if !rare.elr.is_empty() || !rare.last_known_elr.is_empty() {
                    rare.elr.clear();
                    rare.last_known_elr.clear();
                    delta.partitions.insert((topic.id, *index));
                }
            }
        }
    }

    fn change_config(&mut self, record: &ConfigRecord<'_>, delta: &mut Delta) {
        let resource = ConfigResource { kind: record.resource_type, name: record.resource_name.as_ref().into() };
        let mut configs = self.configs.remove(&resource).unwrap_or_default();
        let map = Arc::make_mut(&mut configs);
        match &record.value {
            Some(value) => drop(map.insert(record.name.to_string(), value.to_string())),
            None => drop(map.remove(record.name.as_ref())),
        }
        if !configs.is_empty() {
            self.configs.insert(resource.clone(), configs);
        }
        delta.configs.insert(resource);
    }

    fn change_brokers(&mut self, record: &MetadataRecord<'_>, delta: &mut Delta) -> Result<(), ImageFault> {
        let brokers = Arc::make_mut(&mut self.brokers);
        let name = record.name();
        let (id, epoch) = match record {
            MetadataRecord::RegisterBroker(record) => {
                let broker = Broker::of_record(record);
                delta.brokers.insert(broker.id);
                brokers.insert(broker.id, Arc::new(broker));
                return Ok(());
            }
            MetadataRecord::FenceBroker(record) => (record.id, record.epoch),
            MetadataRecord::UnfenceBroker(record) => (record.id, record.epoch),
            MetadataRecord::BrokerRegistrationChange(record) => (record.broker_id, record.broker_epoch),
            MetadataRecord::UnregisterBroker(record) => (record.broker_id, record.broker_epoch),
            // `change` hands over the kinds above only.
            _ => return Ok(()),
        };
        let id = BrokerId(id);
        delta.brokers.insert(id);
        let found = brokers.get_mut(&id).filter(|broker| broker.epoch == epoch);
        let broker = found.map(Arc::make_mut).ok_or(ImageFault::NoBroker { record: name, id, epoch })?;
        match record {
            MetadataRecord::FenceBroker(_) => broker.fenced = true,
            MetadataRecord::UnfenceBroker(_) => broker.fenced = false,
            MetadataRecord::BrokerRegistrationChange(record) => broker.change(record),
            _ => drop(brokers.remove(&id)),
        }
        Ok(())
    }
}
