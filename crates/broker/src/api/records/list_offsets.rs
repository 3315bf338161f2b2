//! ListOffsets: offsets for times and for marks of the log (KIP-79, KIP-207, KIP-405, KIP-734, KIP-1005, KIP-1023).

use crate::api::call::Call;
use crate::api::records::{led, outcome};
use crate::cx::rights::Resource;
use crate::cx::{Cx, Hosted, Partition, TimestampOffset};
use ottla_messages::list_offsets::{
    self, ListOffsetsPartition, ListOffsetsPartitionResponse, ListOffsetsRequest, ListOffsetsResponse,
    ListOffsetsTopicResponse,
};
use ottla_wire::ids::{LeaderEpoch, Offset};
use ottla_wire::version::Capability;
use ottla_wire::{ApiVersion, ErrorCode};
use std::collections::BTreeSet;

/// What a timestamp asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Mark {
    Latest,
    Earliest,
    MaxTimestamp,
    EarliestLocal,
    /// Of what is in a tier; nothing is.
    Tiered,
    At(i64),
}

impl Mark {
    /// None for a mark that the version does not have.
    fn of(timestamp: i64, version: ApiVersion) -> Option<Mark> {
        let since = |capability: Capability, mark| version.can(capability).then_some(mark);
        match timestamp {
            -1 => Some(Mark::Latest),
            -2 => Some(Mark::Earliest),
            -3 => since(list_offsets::MAX_TIMESTAMP, Mark::MaxTimestamp),
            -4 => since(list_offsets::EARLIEST_LOCAL, Mark::EarliestLocal),
            -5 => since(list_offsets::LATEST_TIERED, Mark::Tiered),
            -6 => since(list_offsets::EARLIEST_PENDING_UPLOAD, Mark::Tiered),
            timestamp => (timestamp >= 0).then_some(Mark::At(timestamp)),
        }
    }
}

/// Answers each partition by itself.
pub(crate) async fn handle<'a>(cx: &Cx, mut call: Call<'a, ListOffsetsRequest<'a>>) -> ListOffsetsResponse<'a> {
    let topics = std::mem::take(&mut call.request.topics);
    let mut response =
        ListOffsetsResponse { topics: Vec::with_capacity(topics.len()), ..ListOffsetsResponse::default() };
    let mut seen = BTreeSet::new();
    for topic in topics {
        let may = call.may(cx, Resource::Topic(&topic.name));
        let hosted = cx.topic(&topic.name);
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for asked in &topic.partitions {
            let mut answer = ListOffsetsPartitionResponse {
                partition_index: asked.partition_index,
                ..ListOffsetsPartitionResponse::default()
            };
            let found = if !may {
                Err(ErrorCode::TOPIC_AUTHORIZATION_FAILED)
            } else if !seen.insert((topic.name.clone(), asked.partition_index)) {
                Err(ErrorCode::INVALID_REQUEST)
            } else {
                look(cx, &call, &topic.name, hosted.as_deref(), asked).await
            };
            match found {
                Ok(Some(found)) => {
                    answer.offset = found.offset.0;
                    answer.timestamp = found.timestamp;
                    if call.version.can(list_offsets::LEADER_EPOCH) {
                        answer.leader_epoch = found.leader_epoch.0;
                    }
                }
                Ok(None) => {}
                Err(code) => answer.error_code = code.code(),
            }
            partitions.push(answer);
        }
        response.topics.push(ListOffsetsTopicResponse { name: topic.name, partitions });
    }
    response
}

async fn look(
    cx: &Cx,
    call: &Call<'_, ListOffsetsRequest<'_>>,
    name: &str,
    hosted: Option<&Hosted>,
    asked: &ListOffsetsPartition,
) -> Result<Option<TimestampOffset>, ErrorCode> {
    let mark = Mark::of(asked.timestamp, call.version).ok_or(ErrorCode::UNSUPPORTED_VERSION)?;
    let partition = led(cx, hosted, name, asked.partition_index, asked.current_leader_epoch)?;
    // Followers see the whole log, clients what is committed to them.
    let end = match (call.request.replica_id >= 0, call.request.isolation_level) {
        (true, _) => partition.view().end(),
        (false, 1) => partition.stable(),
        (false, _) => partition.watermark(),
    };
    let at = |offset: Offset, leader_epoch: Option<LeaderEpoch>| {
        let leader_epoch = leader_epoch.unwrap_or(LeaderEpoch::UNKNOWN);
        Some(TimestampOffset { timestamp: -1, offset, leader_epoch })
    };
    let view = partition.view();
    Ok(match mark {
        Mark::Latest => at(end, view.latest_epoch()),
        Mark::Earliest => at(view.start(), view.epoch_of(view.start())),
        Mark::EarliestLocal => at(view.local_start(), view.epoch_of(view.local_start())),
        Mark::Tiered => None,
        Mark::MaxTimestamp | Mark::At(_) => search(cx, &partition, mark).await?.filter(|found| found.offset < end),
    })
}

/// Looks a time up on the thread of the directory: index and batch may have to come from the disk.
async fn search(cx: &Cx, partition: &Partition, mark: Mark) -> Result<Option<TimestampOffset>, ErrorCode> {
    let view = partition.view().clone();
    let dir = view.log_dir().clone();
    let search = move || match mark {
        Mark::At(timestamp) => view.offset_for_timestamp(timestamp),
        Mark::MaxTimestamp => view.offset_of_max_timestamp(),
        Mark::Latest | Mark::Earliest | Mark::EarliestLocal | Mark::Tiered => Ok(None),
    };
    cx.on_lane(&dir, search).await.map_err(|error| outcome::read(&error))
}
