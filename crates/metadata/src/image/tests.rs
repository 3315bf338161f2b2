use std::borrow::Cow;

use ottla_messages::records::metadata::{
    AbortTransactionRecord, AccessControlEntryRecord, BeginTransactionRecord, ClientQuotaRecord, ConfigRecord,
    DelegationTokenRecord, EndTransactionRecord, EntityData, FeatureLevelRecord, MetadataRecord, PartitionChangeRecord,
    PartitionRecord, ProducerIdsRecord, RegisterBrokerRecord, RegisterControllerRecord, RemoveAccessControlEntryRecord,
    RemoveDelegationTokenRecord, RemoveTopicRecord, RemoveUserScramCredentialRecord, TopicRecord,
    UnregisterControllerRecord, UserScramCredentialRecord,
};
use ottla_wire::Uuid;
use ottla_wire::ids::{BrokerId, PartitionIndex};

use super::{ConfigResource, Image, ImageFault};

const ID: Uuid = Uuid([5; 16]);

fn topic(name: &str, id: Uuid) -> MetadataRecord<'static> {
    MetadataRecord::Topic(TopicRecord { name: Cow::Owned(name.to_owned()), topic_id: id })
}

fn partition(id: Uuid, index: i32) -> MetadataRecord<'static> {
    MetadataRecord::Partition(PartitionRecord {
        partition_id: index,
        topic_id: id,
        replicas: vec![1],
        isr: vec![1],
        leader: 1,
        leader_epoch: 0,
        partition_epoch: 0,
        directories: vec![Uuid([9; 16])],
        ..PartitionRecord::default()
    })
}

fn config(name: &str, value: Option<&str>) -> MetadataRecord<'static> {
    MetadataRecord::Config(ConfigRecord {
        resource_type: 2,
        resource_name: "a".into(),
        name: name.to_owned().into(),
        value: value.map(|value| value.to_owned().into()),
    })
}

fn sample() -> Vec<MetadataRecord<'static>> {
    vec![
        MetadataRecord::FeatureLevel(FeatureLevelRecord { name: "metadata.version".into(), feature_level: 33 }),
        MetadataRecord::RegisterBroker(RegisterBrokerRecord {
            broker_id: 1,
            broker_epoch: 4,
            log_dirs: vec![Uuid([9; 16])],
            ..RegisterBrokerRecord::default()
        }),
        topic("a", ID),
        partition(ID, 0),
        partition(ID, 1),
        config("retention.ms", Some("5")),
        MetadataRecord::ProducerIds(ProducerIdsRecord { broker_id: 1, broker_epoch: 4, next_producer_id: 1000 }),
        MetadataRecord::UserScramCredential(UserScramCredentialRecord { name: "u".into(), ..Default::default() }),
        MetadataRecord::AccessControlEntry(AccessControlEntryRecord { id: Uuid([3; 16]), ..Default::default() }),
        MetadataRecord::DelegationToken(DelegationTokenRecord { token_id: "t".into(), ..Default::default() }),
        MetadataRecord::RegisterController(RegisterControllerRecord { controller_id: 1, ..Default::default() }),
        quota("u1", 2.5, false),
        MetadataRecord::Partition(PartitionRecord {
            partition_id: 2,
            topic_id: ID,
            replicas: vec![1, 2, 3, 4],
            isr: vec![],
            removing_replicas: vec![4],
            adding_replicas: vec![3],
            leader: -1,
            leader_recovery_state: 1,
            leader_epoch: 7,
            partition_epoch: 9,
            directories: vec![Uuid([9; 16]), Uuid([8; 16]), Uuid([7; 16]), Uuid([6; 16])],
            eligible_leader_replicas: Some(vec![2]),
            last_known_elr: Some(vec![1]),
        }),
    ]
}

fn quota(user: &str, value: f64, remove: bool) -> MetadataRecord<'static> {
    let entity = |kind: &'static str, name: Option<&str>| EntityData {
        entity_type: kind.into(),
        entity_name: name.map(|name| name.to_owned().into()),
    };
    MetadataRecord::ClientQuota(ClientQuotaRecord {
        entity: vec![entity("user", Some(user)), entity("client-id", None)],
        key: "producer_byte_rate".into(),
        value,
        remove,
    })
}

#[test]
fn records_written_from_an_image_build_the_same_image() {
    let mut image = Image::default();
    image.apply(&sample()).unwrap();
    let records: Vec<_> = image.to_records().collect();
    assert_eq!(records.len(), sample().len());
    assert_eq!(records[0].name(), "FeatureLevelRecord");
    let mut again = Image::default();
    again.apply(&records).unwrap();
    assert_eq!(again, image);
    assert_eq!(again.partition_count(), 3);
}

#[test]
fn what_is_removed_is_not_kept() {
    let mut image = Image::default();
    image.apply(&sample()).unwrap();
    let before = image.to_records().count();
    assert!(image.has_acls());
    let acl = RemoveAccessControlEntryRecord { id: Uuid([3; 16]) };
    let scram = RemoveUserScramCredentialRecord { name: "u".into(), mechanism: 0 };
    let records = [
        MetadataRecord::RemoveAccessControlEntry(acl),
        MetadataRecord::RemoveUserScramCredential(scram),
        MetadataRecord::RemoveDelegationToken(RemoveDelegationTokenRecord { token_id: "t".into() }),
        MetadataRecord::UnregisterController(UnregisterControllerRecord { controller_id: 1 }),
        quota("u1", 0.0, true),
    ];
    image.apply(&records).unwrap();
    assert_eq!((image.to_records().count(), image.has_acls()), (before - records.len(), false));
}

#[test]
fn a_topic_record_under_a_name_in_use_is_refused() {
    let mut image = Image::default();
    image.apply(&sample()).unwrap();
    assert!(matches!(image.clone().apply(&[topic("a", Uuid([6; 16]))]), Err(ImageFault::TopicExists { .. })));
    assert!(matches!(image.apply(&[topic("b", ID)]), Err(ImageFault::TopicExists { .. })));
}

#[test]
fn a_change_of_leader_begins_a_new_term() {
    let mut image = Image::default();
    image.apply(&sample()).unwrap();
    let change = PartitionChangeRecord { partition_id: 1, topic_id: ID, leader: -1, ..Default::default() };
    let delta = image.apply(&[MetadataRecord::PartitionChange(change)]).unwrap();
    assert_eq!(delta.partitions.into_iter().collect::<Vec<_>>(), [(ID, PartitionIndex(1))]);
    let partition = image.partition("a", PartitionIndex(1)).unwrap();
    assert_eq!((partition.leader, partition.leader_epoch.0, partition.partition_epoch), (BrokerId(-1), 1, 1));
    assert_eq!(partition.isr.as_slice(), [BrokerId(1)]);
}

#[test]
fn a_deleted_topic_takes_its_settings_along() {
    let mut image = Image::default();
    image.apply(&sample()).unwrap();
    let before = image.clone();
    let delta = image.apply(&[MetadataRecord::RemoveTopic(RemoveTopicRecord { topic_id: ID })]).unwrap();
    assert_eq!(delta.deleted[&ID].partitions.len(), 3);
    assert!(delta.configs.contains(&ConfigResource::topic("a")));
    assert!(image.topic("a").is_none() && image.topic_by_id(&ID).is_none() && image.topic_configs("a").is_none());
    assert_eq!(image.partition_count(), 0);
    assert_eq!(before.topic_by_id(&ID).unwrap().partitions.len(), 3);
}

#[test]
fn removing_the_last_setting_removes_the_resource() {
    let mut image = Image::default();
    image.apply(&sample()).unwrap();
    image.apply(&[config("retention.ms", None)]).unwrap();
    assert!(image.topic_configs("a").is_none());
}

#[test]
fn records_of_a_transaction_wait_for_its_end() {
    let begin = MetadataRecord::BeginTransaction(BeginTransactionRecord { name: None });
    let mut image = Image::default();
    image.apply(&[begin.clone(), topic("a", ID)]).unwrap();
    assert!(image.topic("a").is_none());
    image.apply(&[MetadataRecord::EndTransaction(EndTransactionRecord {})]).unwrap();
    assert!(image.topic("a").is_some());
    let abort = MetadataRecord::AbortTransaction(AbortTransactionRecord { reason: None });
    image.apply(&[begin, topic("b", Uuid([6; 16])), abort]).unwrap();
    assert!(image.topic("b").is_none());
}

#[test]
fn records_that_do_not_fit_are_refused() {
    let mut image = Image::default();
    assert!(matches!(image.apply(&[partition(ID, 0)]), Err(ImageFault::NoTopic { .. })));
    let end = MetadataRecord::EndTransaction(EndTransactionRecord {});
    assert!(matches!(image.apply(&[end]), Err(ImageFault::Transaction { .. })));
}

#[test]
fn a_partition_is_small() {
    assert!(size_of::<super::Partition>() <= 112, "{}", size_of::<super::Partition>());
}
