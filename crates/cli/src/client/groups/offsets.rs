//! What a group has committed: read, changed from outside, and forgotten.

use super::{Groups, Trouble};
use crate::client::link::Link;
use crate::client::offsets::{TopicPartition, by_topic};
use crate::failure::While;
use ottla_messages::api::ApiKey;
use ottla_messages::offset_commit::{
    self, OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic, OffsetCommitResponse,
};
use ottla_messages::offset_delete::{
    OffsetDeleteRequest, OffsetDeleteRequestPartition, OffsetDeleteRequestTopic, OffsetDeleteResponse,
};
use ottla_messages::offset_fetch::{
    self, OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopics, OffsetFetchResponse,
};
use ottla_wire::error::ErrorCode;
use std::collections::{BTreeMap, BTreeSet};

/// OffsetFetch's answer for a partition without an offset.
const NONE: i64 = -1;
/// OffsetFetch's answer for an offset committed without a leader epoch.
const NO_EPOCH: i32 = -1;

/// The generation of one who is not in the group.
const NO_GENERATION: i32 = -1;

/// A committed offset.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Committed {
    /// The next offset to read.
    pub(crate) offset: i64,
    /// The leader epoch of the record before it, where the consumer gave one.
    pub(crate) leader_epoch: Option<i32>,
}

impl Groups {
    /// Every offset that the group has committed.
    pub(crate) fn committed(&mut self, group: &str) -> Result<BTreeMap<TopicPartition, Committed>, Trouble> {
        let asked = OffsetFetchRequestGroup { group_id: group.into(), topics: None, ..Default::default() };
        let request = OffsetFetchRequest { groups: vec![asked], ..Default::default() };
        self.ask(group, |link| fetch(link, group, &request))
    }

    /// Sets offsets of a group without members.
    pub(crate) fn commit(&mut self, group: &str, offsets: &BTreeMap<TopicPartition, i64>) -> Result<(), Trouble> {
        let outside = WithMember { member: "", generation: NO_GENERATION, instance: None };
        let at = |offset: &i64| Committed { offset: *offset, leader_epoch: None };
        let offsets = offsets.iter().map(|(place, offset)| (place.clone(), at(offset))).collect();
        self.ask(group, |link| commit_as(link, group, &outside, &offsets))
    }

    /// Forgets offsets of a group: what became of each.
    pub(crate) fn forget(
        &mut self,
        group: &str,
        partitions: &BTreeSet<TopicPartition>,
    ) -> Result<BTreeMap<TopicPartition, ErrorCode>, Trouble> {
        let topics = by_topic(partitions.iter().map(|place| (place, ())));
        let partition = |(partition_index, ())| OffsetDeleteRequestPartition { partition_index };
        let topics = topics.into_iter().map(|(name, partitions)| OffsetDeleteRequestTopic {
            name: name.into(),
            partitions: partitions.into_iter().map(partition).collect(),
        });
        let request = OffsetDeleteRequest { group_id: group.into(), topics: topics.collect() };
        self.ask(group, |link| forget(link, &request))
    }
}

/// Who commits from within a group.
#[derive(Clone, Debug)]
pub(crate) struct WithMember<'a> {
    /// The member's id.
    pub(crate) member: &'a str,
    /// Its generation, or its epoch.
    pub(crate) generation: i32,
    /// Its `group.instance.id`.
    pub(crate) instance: Option<String>,
}

/// Commits offsets as a member.
pub(crate) fn commit_as(
    link: &mut Link,
    group: &str,
    member: &WithMember<'_>,
    offsets: &BTreeMap<TopicPartition, Committed>,
) -> Result<(), Trouble> {
    let topics = by_topic(offsets.iter().map(|(place, committed)| (place, *committed)));
    let topics = topics.into_iter().map(|(name, partitions)| OffsetCommitRequestTopic {
        name: name.into(),
        partitions: partitions.into_iter().map(|(index, committed)| committed_partition(index, committed)).collect(),
        ..Default::default()
    });
    let request = OffsetCommitRequest {
        group_id: group.into(),
        generation_id_or_member_epoch: member.generation,
        member_id: member.member.into(),
        group_instance_id: member.instance.as_deref().map(Into::into),
        topics: topics.collect(),
        ..Default::default()
    };
    commit(link, &request)
}

/// The offsets that a group has committed of `partitions`, as a member asks for them: a member of a KIP-848 group with its id
/// and epoch. With `stable`, offsets that a transaction is about to commit are an error that passes.
pub(crate) fn committed_as(
    link: &mut Link,
    group: &str,
    member: Option<(&str, i32)>,
    partitions: &BTreeSet<TopicPartition>,
    stable: bool,
) -> Result<BTreeMap<TopicPartition, Committed>, Trouble> {
    let topics = by_topic(partitions.iter().map(|place| (place, ()))).into_iter();
    let topics = topics.map(|(name, partitions)| OffsetFetchRequestTopics {
        name: name.into(),
        partition_indexes: partitions.into_iter().map(|(partition, ())| partition).collect(),
        ..Default::default()
    });
    let mut asked =
        OffsetFetchRequestGroup { group_id: group.into(), topics: Some(topics.collect()), ..Default::default() };
    if let Some((id, epoch)) = member {
        (asked.member_id, asked.member_epoch) = (Some(id.into()), epoch);
    }
    fetch(link, group, &OffsetFetchRequest { groups: vec![asked], require_stable: stable, ..Default::default() })
}

fn fetch(
    link: &mut Link,
    group: &str,
    request: &OffsetFetchRequest<'_>,
) -> Result<BTreeMap<TopicPartition, Committed>, Trouble> {
    let answer =
        link.call_without(offset_fetch::TOPIC_IDS, ApiKey::OffsetFetch, |out, version| request.encode(out, version))?;
    let (mut cursor, version) = answer.body();
    let response =
        OffsetFetchResponse::decode(&mut cursor, version).during(|| "read an offset-fetch answer".to_owned())?;
    let mut offsets = BTreeMap::new();
    for found in response.groups.iter().filter(|found| found.group_id == group) {
        refuse(found.error_code)?;
        for topic in &found.topics {
            for partition in &topic.partitions {
                refuse(partition.error_code)?;
                if partition.committed_offset != NONE {
                    let leader_epoch = Some(partition.committed_leader_epoch).filter(|epoch| *epoch != NO_EPOCH);
                    let committed = Committed { offset: partition.committed_offset, leader_epoch };
                    offsets.insert(TopicPartition::new(topic.name.as_ref(), partition.partition_index), committed);
                }
            }
        }
    }
    Ok(offsets)
}

fn committed_partition(partition_index: i32, committed: Committed) -> OffsetCommitRequestPartition<'static> {
    OffsetCommitRequestPartition {
        partition_index,
        committed_offset: committed.offset,
        committed_leader_epoch: committed.leader_epoch.unwrap_or(NO_EPOCH),
        committed_metadata: Some("".into()),
    }
}

fn commit(link: &mut Link, request: &OffsetCommitRequest<'_>) -> Result<(), Trouble> {
    let answer =
        link.call_without(offset_commit::TOPIC_IDS, ApiKey::OffsetCommit, |out, version| request.encode(out, version))?;
    let (mut cursor, version) = answer.body();
    let response =
        OffsetCommitResponse::decode(&mut cursor, version).during(|| "read an offset-commit answer".to_owned())?;
    response.topics.iter().flat_map(|topic| &topic.partitions).try_for_each(|partition| refuse(partition.error_code))
}

fn forget(link: &mut Link, request: &OffsetDeleteRequest<'_>) -> Result<BTreeMap<TopicPartition, ErrorCode>, Trouble> {
    let answer = link.call(ApiKey::OffsetDelete, |out, version| request.encode(out, version))?;
    let (mut cursor, version) = answer.body();
    let response =
        OffsetDeleteResponse::decode(&mut cursor, version).during(|| "read an offset-delete answer".to_owned())?;
    refuse(response.error_code)?;
    let mut results = BTreeMap::new();
    for topic in &response.topics {
        for partition in &topic.partitions {
            let place = TopicPartition::new(topic.name.as_ref(), partition.partition_index);
            results.insert(place, ErrorCode::from_code(partition.error_code));
        }
    }
    Ok(results)
}

fn refuse(code: i16) -> Result<(), Trouble> {
    let error = ErrorCode::from_code(code);
    if error.is_error() { Err(Trouble::refused(error, None)) } else { Ok(()) }
}
