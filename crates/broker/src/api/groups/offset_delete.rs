//! OffsetDelete: offsets of a group taken back, of topics that it does not subscribe to (KIP-496).

use crate::api::call::Call;
use crate::cx::Cx;
use crate::cx::groups::offsets::{self, Delete};
use crate::cx::groups::{Answer, Command};
use crate::cx::rights::{Operation, Resource};
use ottla_messages::offset_delete::{
    OffsetDeleteRequest, OffsetDeleteRequestTopic, OffsetDeleteResponse, OffsetDeleteResponsePartition,
    OffsetDeleteResponseTopic,
};
use ottla_metadata::Image;
use ottla_wire::ErrorCode;
use ottla_wire::ids::PartitionIndex;
use std::sync::Arc;

type Asking<'a> = Call<'a, OffsetDeleteRequest<'a>>;

/// Answers partition by partition, unless the whole request is refused.
pub(crate) async fn handle<'a>(cx: &Cx, mut call: Asking<'a>) -> OffsetDeleteResponse<'a> {
    let codes = match delete(cx, &call).await {
        Ok(codes) => codes,
        Err(code) => return OffsetDeleteResponse { error_code: code.code(), ..OffsetDeleteResponse::default() },
    };
    let topics = std::mem::take(&mut call.request.topics);
    let topics = topics.into_iter().zip(codes).map(|(topic, codes)| {
        let partitions = topic.partitions.iter().zip(codes);
        let partitions = partitions.map(|(asked, code)| OffsetDeleteResponsePartition {
            partition_index: asked.partition_index,
            error_code: code.code(),
        });
        OffsetDeleteResponseTopic { partitions: partitions.collect(), name: topic.name }
    });
    OffsetDeleteResponse { topics: topics.collect(), ..OffsetDeleteResponse::default() }
}

async fn delete(cx: &Cx, call: &Asking<'_>) -> Result<Vec<Vec<ErrorCode>>, ErrorCode> {
    let request = &call.request;
    if !call.may(cx, Resource::Group(&request.group_id)) {
        return Err(ErrorCode::GROUP_AUTHORIZATION_FAILED);
    }
    if request.group_id.is_empty() {
        return Err(ErrorCode::INVALID_GROUP_ID);
    }
    let image = cx.image().clone();
    let mut codes: Vec<Vec<ErrorCode>> =
        request.topics.iter().map(|topic| looked_at(cx, call, &image, topic)).collect();
    let known = |(topic, codes): (&OffsetDeleteRequestTopic<'_>, &Vec<ErrorCode>)| {
        let partitions = topic.partitions.iter().zip(codes).filter(|(_, code)| **code == ErrorCode::NONE);
        let partitions: Vec<i32> = partitions.map(|(partition, _)| partition.partition_index).collect();
        (!partitions.is_empty()).then(|| (Arc::from(&*topic.name), partitions))
    };
    let topics = request.topics.iter().zip(&codes).filter_map(known).collect();
    let command = Delete { group: Arc::from(&*request.group_id), topics };
    let command = Command::Offsets(offsets::Command::Delete(Box::new(command)));
    let outcomes = match cx.group(&request.group_id, command).await {
        Ok(Answer::Offsets(offsets::Answer::Deleted(outcomes))) => outcomes,
        Ok(_) => return Err(ErrorCode::UNKNOWN_SERVER_ERROR),
        Err(fault) => return Err(fault.code()),
    };
    let open = codes.iter_mut().flatten().filter(|code| **code == ErrorCode::NONE);
    for (code, (_, outcome)) in open.zip(outcomes.into_iter().flatten()) {
        *code = outcome.map_or_else(|fault| fault.code(), |()| ErrorCode::NONE);
    }
    Ok(codes)
}

/// A code for each partition of a topic; those that exist and that the caller may read have none yet.
fn looked_at(cx: &Cx, call: &Asking<'_>, image: &Image, topic: &OffsetDeleteRequestTopic<'_>) -> Vec<ErrorCode> {
    let may = cx.allows(call.peer, Operation::Read, Resource::Topic(&topic.name));
    let code = |index: i32| match image.partition(&topic.name, PartitionIndex(index)) {
        _ if !may => ErrorCode::TOPIC_AUTHORIZATION_FAILED,
        None => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        Some(_) => ErrorCode::NONE,
    };
    topic.partitions.iter().map(|partition| code(partition.partition_index)).collect()
}
