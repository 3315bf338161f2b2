//! Offsets of many partitions at once, each asked of its leader.

use super::cluster::Cluster;
use crate::failure::{Failure, While};
use ottla_messages::api::ApiKey;
use ottla_messages::list_offsets::{ListOffsetsPartition, ListOffsetsRequest, ListOffsetsResponse, ListOffsetsTopic};
use ottla_wire::error::ErrorCode;
use std::collections::BTreeMap;
use std::fmt;

/// ListOffsets' name for the first offset.
pub(crate) const EARLIEST: i64 = -2;
/// ListOffsets' name for the offset after the last.
pub(crate) const LATEST: i64 = -1;
/// ListOffsets' answer when no record is at or after the time.
pub(crate) const NO_OFFSET: i64 = -1;
/// How long the broker may take, in milliseconds.
const TIMEOUT_MS: i32 = 30_000;

/// One partition of a topic; sorted by topic, then by number.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct TopicPartition {
    /// The topic's name.
    pub(crate) topic: String,
    /// The partition's index.
    pub(crate) partition: i32,
}

impl TopicPartition {
    /// The partition `partition` of `topic`.
    pub(crate) fn new(topic: impl Into<String>, partition: i32) -> TopicPartition {
        TopicPartition { topic: topic.into(), partition }
    }
}

impl fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.topic, self.partition)
    }
}

/// The partitions of each topic: what requests about many partitions are made of.
pub(crate) fn by_topic<'a, T>(
    partitions: impl IntoIterator<Item = (&'a TopicPartition, T)>,
) -> BTreeMap<&'a str, Vec<(i32, T)>> {
    let mut topics: BTreeMap<&str, Vec<(i32, T)>> = BTreeMap::new();
    for (place, value) in partitions {
        topics.entry(&place.topic).or_default().push((place.partition, value));
    }
    topics
}

/// What `timestamp` (a time in ms, or one of ListOffsets' special names) stands for in each partition, by what its
/// leader says. `leaders` holds the address of each.
pub(crate) fn list(
    cluster: &mut Cluster,
    leaders: &BTreeMap<TopicPartition, String>,
    timestamp: i64,
) -> Result<BTreeMap<TopicPartition, Result<i64, ErrorCode>>, Failure> {
    let mut by_leader: BTreeMap<&str, Vec<&TopicPartition>> = BTreeMap::new();
    for (place, leader) in leaders {
        by_leader.entry(leader).or_default().push(place);
    }
    let mut found = BTreeMap::new();
    for (leader, places) in by_leader {
        let request = request(&places, timestamp);
        let answer = cluster.at(leader)?.call(ApiKey::ListOffsets, |out, version| request.encode(out, version))?;
        let (mut cursor, version) = answer.body();
        let response =
            ListOffsetsResponse::decode(&mut cursor, version).during(|| "read a list-offsets answer".to_owned())?;
        for topic in &response.topics {
            for partition in &topic.partitions {
                let error = ErrorCode::from_code(partition.error_code);
                let offset = if error.is_error() { Err(error) } else { Ok(partition.offset) };
                found.insert(TopicPartition::new(topic.name.as_ref(), partition.partition_index), offset);
            }
        }
    }
    Ok(found)
}

fn request<'a>(places: &[&'a TopicPartition], timestamp: i64) -> ListOffsetsRequest<'a> {
    let topics = by_topic(places.iter().map(|place| (*place, ())));
    let topics = topics.into_iter().map(|(name, partitions)| ListOffsetsTopic {
        name: name.into(),
        partitions: partitions
            .into_iter()
            .map(|(partition_index, ())| ListOffsetsPartition { partition_index, timestamp, ..Default::default() })
            .collect(),
    });
    ListOffsetsRequest { replica_id: -1, topics: topics.collect(), timeout_ms: TIMEOUT_MS, ..Default::default() }
}
