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
use ottla_messages::offset_fetch::{self, OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchResponse};
use ottla_wire::error::ErrorCode;
use std::collections::{BTreeMap, BTreeSet};

/// OffsetFetch's answer for a partition without an offset.
const NONE: i64 = -1;
/// OffsetFetch's answer for an offset committed without a leader epoch.
const NO_EPOCH: i32 = -1;

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
        self.ask(group, |link| fetch(link, group))
    }

    /// Sets offsets of a group without members.
    pub(crate) fn commit(&mut self, group: &str, offsets: &BTreeMap<TopicPartition, i64>) -> Result<(), Trouble> {
        let topics = by_topic(offsets.iter().map(|(place, offset)| (place, *offset)));
        let topics = topics.into_iter().map(|(name, partitions)| OffsetCommitRequestTopic {
            name: name.into(),
            partitions: partitions.into_iter().map(|(index, offset)| committed_partition(index, offset)).collect(),
            ..Default::default()
        });
        let request = OffsetCommitRequest { group_id: group.into(), topics: topics.collect(), ..Default::default() };
        self.ask(group, |link| commit(link, &request))
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

fn fetch(link: &mut Link, group: &str) -> Result<BTreeMap<TopicPartition, Committed>, Trouble> {
    let asked = OffsetFetchRequestGroup { group_id: group.into(), topics: None, ..Default::default() };
    let request = OffsetFetchRequest { groups: vec![asked], ..Default::default() };
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

fn committed_partition(partition_index: i32, committed_offset: i64) -> OffsetCommitRequestPartition<'static> {
    OffsetCommitRequestPartition {
        partition_index,
        committed_offset,
        committed_metadata: Some("".into()),
        ..Default::default()
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
