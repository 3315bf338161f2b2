//! Where reading starts in each partition.

use crate::client::cluster::{Cluster, Topic};
use crate::failure::{Failure, While};
use ottla_messages::api::ApiKey;
use ottla_messages::list_offsets::{ListOffsetsPartition, ListOffsetsRequest, ListOffsetsResponse, ListOffsetsTopic};
use ottla_wire::error::ErrorCode;
use std::collections::BTreeMap;

/// ListOffsets' name for the first offset.
const EARLIEST: i64 = -2;
/// ListOffsets' name for the offset after the last.
const LATEST: i64 = -1;

/// Where to start.
#[derive(Clone, Copy, Debug)]
pub(super) enum From {
    /// At the first record.
    Earliest,
    /// At the next record to come.
    Latest,
    /// At an offset.
    Offset(i64),
}

/// The offset to start at in each partition, or in the `only` one.
pub(super) fn find(
    cluster: &mut Cluster,
    topic: &Topic,
    only: Option<i32>,
    from: From,
) -> Result<BTreeMap<i32, i64>, Failure> {
    let mut positions = BTreeMap::new();
    for (partition, leader) in &topic.leaders {
        if only.is_some_and(|only| only != *partition) {
            continue;
        }
        let offset = match from {
            From::Offset(offset) => offset,
            From::Earliest => list(cluster, topic, (*partition, leader), EARLIEST)?,
            From::Latest => list(cluster, topic, (*partition, leader), LATEST)?,
        };
        positions.insert(*partition, offset);
    }
    match only {
        Some(only) if positions.is_empty() => {
            Err(Failure::new(format!("topic {} has no partition {only}", topic.name)))
        }
        Some(_) | None => Ok(positions),
    }
}

/// The offset that `timestamp` stands for in a partition.
pub(super) fn list(
    cluster: &mut Cluster,
    topic: &Topic,
    (partition, leader): (i32, &str),
    timestamp: i64,
) -> Result<i64, Failure> {
    let asked = ListOffsetsPartition { partition_index: partition, timestamp, ..Default::default() };
    let topics = vec![ListOffsetsTopic { name: topic.name.as_str().into(), partitions: vec![asked] }];
    let request = ListOffsetsRequest { replica_id: -1, topics, ..Default::default() };
    let answer = cluster.at(leader)?.call(ApiKey::ListOffsets, |out, version| request.encode(out, version))?;
    let (mut cursor, version) = answer.body();
    let response =
        ListOffsetsResponse::decode(&mut cursor, version).during(|| "read a list-offsets answer".to_owned())?;
    let found = response.topics.iter().flat_map(|topic| &topic.partitions).next();
    match found.map(|found| (ErrorCode::from_code(found.error_code), found.offset)) {
        Some((ErrorCode::NONE, offset)) => Ok(offset),
        Some((error, _)) => Err(Failure::new(format!("{}-{partition}: {} ({error})", topic.name, error.text()))),
        None => Err(Failure::new(format!("the broker at {leader} said nothing of {}-{partition}", topic.name))),
    }
}
