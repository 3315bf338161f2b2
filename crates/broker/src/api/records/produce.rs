//! Produce: batches into partitions (KIP-98, KIP-467 record errors, KIP-516 topic ids, KIP-951 new leaders).
//!
//! One batch a partition. Everything is submitted before anything is waited for, so that the connection writes the
//! batches of all requests it has read with one call a partition.

use crate::api::call::{Call, Outcome};
use crate::api::peer::Stage;
use crate::api::records::outcome;
use crate::cx::rights::Resource;
use crate::cx::{Cx, Hosted, Origin, Partition, Promise, Ticket, Unavailable, Written, count};
use bytes::Bytes;
use ottla_host::Monotonic;
use ottla_messages::produce::{
    self, BatchIndexAndErrorMessage, LeaderIdAndEpoch, PartitionProduceData, PartitionProduceResponse, ProduceRequest,
    ProduceResponse, TopicProduceData, TopicProduceResponse,
};
use ottla_wire::ErrorCode;
use ottla_wire::batch::{BatchError, DoorRules, SharedBatch, ValidBatch};
use ottla_wire::codec::Compression;
use std::sync::Arc;
use std::time::Duration;

/// A partition of the request that has passed the checks.
struct Submitted {
    partition: Arc<Partition>,
    ticket: Ticket,
    /// Places in the response.
    topic: usize,
    at: usize,
}

/// Why a partition's batch does not get to the log.
enum Rejected {
    Code(ErrorCode),
    Text(ErrorCode, &'static str),
    Batch(BatchError),
}

/// Appends, waits as `acks` says, and answers; no answer for `acks=0`.
pub(crate) async fn handle<'a>(
    cx: &Cx,
    mut call: Call<'a, ProduceRequest<'a>>,
) -> Result<ProduceResponse<'a>, Outcome> {
    let acks = call.request.acks;
    let topics = std::mem::take(&mut call.request.topic_data);
    let mut response = ProduceResponse { responses: Vec::with_capacity(topics.len()), ..ProduceResponse::default() };
    let mut submitted = Vec::with_capacity(topics.len());
    for topic in topics {
        submit_topic(cx, &call, topic, &mut response, &mut submitted).await;
    }
    call.set_stage(Stage::Submitted);
    let written = await_appends(&mut response, &mut submitted).await;
    call.set_stage(Stage::Settled);
    await_flushes(&mut response, &written).await;
    // In durable mode no acknowledgement comes before the journal holds the batch.
    if acks == -1 || (acks == 1 && cx.config().durable_acks) {
        let timeout = Duration::from_millis(u64::try_from(call.request.timeout_ms).unwrap_or(0));
        await_commits(cx, &mut response, &written, timeout).await;
    }
    add_leaders(cx, &call, &mut response);
    if acks == 0 { Err(silence(&response)) } else { Ok(response) }
}

/// A client that wants no answers learns of an error by the end of its connection.
fn silence(response: &ProduceResponse<'_>) -> Outcome {
    let partitions = response.responses.iter().flat_map(|topic| &topic.partition_responses);
    match partitions.map(|partition| partition.error_code).find(|code| *code != 0) {
        None => Outcome::Silence,
        Some(code) => Outcome::Close(format!("a produce request with acks=0 failed: {:?}", ErrorCode::from_code(code))),
    }
}

async fn submit_topic<'a>(
    cx: &Cx,
    call: &Call<'a, ProduceRequest<'a>>,
    topic: TopicProduceData<'a>,
    response: &mut ProduceResponse<'a>,
    submitted: &mut Vec<Submitted>,
) {
    let found = admit_topic(cx, call, &topic);
    let place = response.responses.len();
    let mut answers = Vec::with_capacity(topic.partition_data.len());
    for data in &topic.partition_data {
        let mut answer = PartitionProduceResponse { index: data.index, ..PartitionProduceResponse::default() };
        answer.base_offset = -1;
        match &found {
            Err(code) => answer.error_code = code.code(),
            Ok(found) => match submit(cx, call, found, data).await {
                Ok((partition, ticket)) => {
                    submitted.push(Submitted { partition, ticket, topic: place, at: answers.len() });
                }
                Err(rejected) => {
                    count(&found.meters.produce_failures, 1);
                    let bytes = data.records.map_or(0, |records| records.len());
                    count(&found.meters.bytes_rejected, bytes as u64);
                    reject(&mut answer, rejected);
                }
            },
        }
        answers.push(answer);
    }
    response.responses.push(TopicProduceResponse {
        name: topic.name,
        topic_id: topic.topic_id,
        partition_responses: answers,
    });
}

/// The topic, if there is one that the caller may write to. Whoever may not learns nothing about its existence.
fn admit_topic(
    cx: &Cx,
    call: &Call<'_, ProduceRequest<'_>>,
    topic: &TopicProduceData<'_>,
) -> Result<Arc<Hosted>, ErrorCode> {
    let found = if topic.topic_id.is_zero() {
        if !call.may(cx, Resource::Topic(&topic.name)) {
            return Err(ErrorCode::TOPIC_AUTHORIZATION_FAILED);
        }
        cx.topic(&topic.name).ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?
    } else {
        let found = cx.topic_by_id(topic.topic_id).ok_or(ErrorCode::UNKNOWN_TOPIC_ID)?;
        if !call.may(cx, Resource::Topic(&found.name)) {
            return Err(ErrorCode::TOPIC_AUTHORIZATION_FAILED);
        }
        found
    };
    if found.is_internal && call.client_id != "__admin_client" {
        return Err(ErrorCode::INVALID_TOPIC_EXCEPTION);
    }
    if !(-1..=1).contains(&call.request.acks) {
        return Err(ErrorCode::INVALID_REQUIRED_ACKS);
    }
    count(&found.meters.produce_requests, 1);
    Ok(found)
}

async fn submit(
    cx: &Cx,
    call: &Call<'_, ProduceRequest<'_>>,
    topic: &Hosted,
    data: &PartitionProduceData<'_>,
) -> Result<(Arc<Partition>, Ticket), Rejected> {
    let partition = topic.find(data.index).map_err(Rejected::Code)?;
    partition.serves().map_err(|why| Rejected::Code(outcome::unavailable(why)))?;
    let records = data.records.map(|records| records.bytes()).unwrap_or_default();
    let rules = topic.rules.for_version(call.version);
    let batch = ValidBatch::check(records, &rules, cx.wall().0).map_err(Rejected::Batch)?;
    if batch.is_transactional() {
        return Err(Rejected::Text(ErrorCode::INVALID_TXN_STATE, "transactions are not served by this broker"));
    }
    let promise = if call.request.acks == -1 { Promise::InSync(topic.min_insync) } else { Promise::Leader };
    let shared = match topic.rules.recompression(batch.codec()) {
        None => SharedBatch::new(call.frame, &batch),
        Some(compression) => recompressed(&batch, compression, &rules).map_err(Rejected::Batch)?,
    };
    count(&topic.meters.records_in, u64::from(batch.record_count().unsigned_abs()));
    count(&topic.meters.bytes_in, batch.size() as u64);
    let ticket = partition.submit(shared, Origin::Client, promise).await;
    call.peer.touch(partition);
    Ok((partition.clone(), ticket))
}

/// The batch as a topic with a codec of its own stores it.
fn recompressed(batch: &ValidBatch<'_>, to: Compression, rules: &DoorRules) -> Result<SharedBatch, BatchError> {
    let bytes = Bytes::from(batch.recompressed(to, rules.inflated_bytes_max)?);
    if bytes.len() > rules.message_bytes_max {
        return Err(BatchError::TooLarge { size: bytes.len(), limit: rules.message_bytes_max });
    }
    Ok(SharedBatch::new(&bytes, &ValidBatch::trusted(&bytes)?))
}

fn reject(answer: &mut PartitionProduceResponse<'_>, rejected: Rejected) {
    match rejected {
        Rejected::Code(code) => answer.error_code = code.code(),
        Rejected::Text(code, text) => {
            answer.error_code = code.code();
            answer.error_message = Some(text.into());
        }
        Rejected::Batch(error) => {
            answer.error_code = error.code().code();
            answer.record_errors = error.faults().iter().map(record_error).collect();
            answer.error_message = Some(error.to_string().into());
        }
    }
}

fn record_error(fault: &ottla_wire::batch::RecordFault) -> BatchIndexAndErrorMessage<'static> {
    BatchIndexAndErrorMessage {
        batch_index: fault.index,
        batch_index_error_message: Some(fault.reason.to_string().into()),
    }
}

/// A batch in the log whose answer may have to wait.
struct Settled {
    partition: Arc<Partition>,
    written: Written,
    topic: usize,
    at: usize,
}

async fn await_appends(response: &mut ProduceResponse<'_>, submitted: &mut Vec<Submitted>) -> Vec<Settled> {
    let mut settled = Vec::with_capacity(submitted.len());
    for Submitted { partition, ticket, topic, at } in submitted.drain(..) {
        let answer = &mut response.responses[topic].partition_responses[at];
        // The writer answers every ticket; one that is dropped died with its partition.
        match ticket.await.unwrap_or(Err(Unavailable::NotLeader.into())) {
            Ok(written) => {
                answer.base_offset = written.base_offset.0;
                answer.log_append_time_ms = written.append_time;
                answer.log_start_offset = partition.view().start().0;
                settled.push(Settled { partition, written, topic, at });
            }
            Err(error) => {
                let code = outcome::append(error);
                answer.error_code = code.code();
                answer.error_message = Some(error.to_string().into());
            }
        }
    }
    settled
}

/// Waits for the syncs that `flush.messages` demands.
async fn await_flushes(response: &mut ProduceResponse<'_>, settled: &[Settled]) {
    for Settled { partition, written, topic, at } in settled {
        if let Err(why) = partition.flush_as_configured(written.next_offset).await {
            let answer = &mut response.responses[*topic].partition_responses[*at];
            answer.error_code = outcome::unavailable(why).code();
            answer.base_offset = -1;
        }
    }
}

/// Waits until every batch is committed, at most `timeout` in all.
async fn await_commits(cx: &Cx, response: &mut ProduceResponse<'_>, settled: &[Settled], timeout: Duration) {
    let mut deadline: Option<Monotonic> = None;
    for Settled { partition, written, topic, at } in settled {
        let wait = cx.committed(partition, written, &mut deadline, timeout);
        if let Err(why) = wait.await {
            let answer = &mut response.responses[*topic].partition_responses[*at];
            answer.error_code = outcome::uncommitted(why).code();
            answer.base_offset = -1;
        }
    }
}

/// Names the leader to turn to instead, so that clients need no metadata request (KIP-951).
fn add_leaders(cx: &Cx, call: &Call<'_, ProduceRequest<'_>>, response: &mut ProduceResponse<'_>) {
    if !call.version.can(produce::NEW_LEADER_HINT) {
        return;
    }
    for topic in &mut response.responses {
        for answer in &mut topic.partition_responses {
            if answer.error_code == ErrorCode::NOT_LEADER_OR_FOLLOWER.code()
                && let Some((leader, epoch)) = cx.leader_of(&topic.name, topic.topic_id, answer.index)
            {
                answer.current_leader = LeaderIdAndEpoch { leader_id: leader.0, leader_epoch: epoch.0 };
            }
        }
    }
}
