//! DeleteRecords: raises the log start; disk space is freed by retention (KIP-107).

use crate::api::call::Call;
use crate::api::records::led;
use crate::cx::rights::Resource;
use crate::cx::{Cx, Hosted};
use ottla_messages::delete_records::{
    DeleteRecordsPartition, DeleteRecordsPartitionResult, DeleteRecordsRequest, DeleteRecordsResponse,
    DeleteRecordsTopicResult,
};
use ottla_wire::ErrorCode;
use ottla_wire::ids::Offset;

/// Offset that stands for the high watermark.
const WATERMARK: i64 = -1;

/// Answers each partition by itself.
pub(crate) async fn handle<'a>(cx: &Cx, mut call: Call<'a, DeleteRecordsRequest<'a>>) -> DeleteRecordsResponse<'a> {
    let topics = std::mem::take(&mut call.request.topics);
    let mut response = DeleteRecordsResponse::default();
    for topic in topics {
        let hosted = admit(cx, &call, &topic.name);
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for asked in &topic.partitions {
            let raised = match &hosted {
                Ok(hosted) => raise(cx, hosted.as_deref(), &topic.name, asked).await,
                Err(code) => Err(*code),
            };
            partitions.push(DeleteRecordsPartitionResult {
                partition_index: asked.partition_index,
                low_watermark: raised.map_or(-1, |start| start.0),
                error_code: raised.err().unwrap_or(ErrorCode::NONE).code(),
            });
        }
        response.topics.push(DeleteRecordsTopicResult { name: topic.name, partitions });
    }
    response
}

fn admit(
    cx: &Cx,
    call: &Call<'_, DeleteRecordsRequest<'_>>,
    name: &str,
) -> Result<Option<std::sync::Arc<Hosted>>, ErrorCode> {
    if !call.may(cx, Resource::Topic(name)) {
        return Err(ErrorCode::TOPIC_AUTHORIZATION_FAILED);
    }
    let hosted = cx.topic(name);
    if hosted.as_ref().is_some_and(|hosted| hosted.is_internal) {
        return Err(ErrorCode::INVALID_TOPIC_EXCEPTION);
    }
    Ok(hosted)
}

async fn raise(
    cx: &Cx,
    hosted: Option<&Hosted>,
    name: &str,
    asked: &DeleteRecordsPartition,
) -> Result<Offset, ErrorCode> {
    let partition = led(cx, hosted, name, asked.partition_index, -1)?;
    if hosted.is_some_and(|hosted| !hosted.deletes) {
        return Err(ErrorCode::POLICY_VIOLATION);
    }
    let watermark = partition.watermark();
    let start = if asked.offset == WATERMARK { watermark } else { Offset(asked.offset) };
    if start < Offset(0) || start > watermark {
        return Err(ErrorCode::OFFSET_OUT_OF_RANGE);
    }
    partition.when_free(|log| log.raise_start(start)).await;
    partition.ring();
    Ok(partition.view().start())
}
