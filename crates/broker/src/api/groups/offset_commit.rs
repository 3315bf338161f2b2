//! OffsetCommit: what a group has read, kept for it (KIP-211, KIP-320, KIP-345, KIP-848).

use super::admission::identity;
use crate::api::call::Call;
use crate::cx::Cx;
use crate::cx::groups::offsets::{self, Commit, CommitPartition, CommitTopic};
use crate::cx::groups::{Answer, Command};
use crate::cx::rights::{Operation, Resource};
use ottla_messages::offset_commit::{
    self, OffsetCommitRequest, OffsetCommitRequestTopic, OffsetCommitResponse, OffsetCommitResponsePartition,
    OffsetCommitResponseTopic,
};
use ottla_metadata::Image;
use ottla_wire::ids::PartitionIndex;
use ottla_wire::{ErrorCode, Uuid};
use std::sync::Arc;

type Asking<'a> = Call<'a, OffsetCommitRequest<'a>>;

/// What became of the topics and partitions of a request, in its order.
type Codes = Vec<Vec<ErrorCode>>;

/// Answers partition by partition. What is wrong with the whole request is told of each.
pub(crate) async fn handle<'a>(cx: &Cx, mut call: Asking<'a>) -> OffsetCommitResponse<'a> {
    let codes = commit(cx, &call).await;
    let topics = std::mem::take(&mut call.request.topics);
    let shown = topics.into_iter().zip(codes).map(|(topic, codes)| {
        let partitions = topic.partitions.iter().zip(codes);
        let partitions = partitions.map(|(asked, code)| OffsetCommitResponsePartition {
            partition_index: asked.partition_index,
            error_code: code.code(),
        });
        OffsetCommitResponseTopic { partitions: partitions.collect(), name: topic.name, topic_id: topic.topic_id }
    });
    OffsetCommitResponse { topics: shown.collect(), ..OffsetCommitResponse::default() }
}

async fn commit(cx: &Cx, call: &Asking<'_>) -> Codes {
    let request = &call.request;
    if !call.may(cx, Resource::Group(&request.group_id)) {
        return all(call, ErrorCode::GROUP_AUTHORIZATION_FAILED);
    }
    let image = cx.image().clone();
    let mut codes = Codes::with_capacity(request.topics.len());
    let mut topics = Vec::new();
    for topic in &request.topics {
        match named(cx, call, &image, topic) {
            Err(code) => codes.push(vec![code; topic.partitions.len()]),
            Ok((name, id)) => {
                let (of_topic, known) = split(&image, topic, name, id);
                codes.push(of_topic);
                topics.extend(Some(known).filter(|known| !known.partitions.is_empty()));
            }
        }
    }
    if topics.is_empty() {
        return codes;
    }
    let command = Commit {
        group: Arc::from(&*request.group_id),
        who: identity(&request.member_id, request.group_instance_id.as_deref()),
        epoch: request.generation_id_or_member_epoch,
        knows_epochs: call.version.can(offset_commit::MEMBER_EPOCH),
        retention_ms: Some(request.retention_time_ms).filter(|retention| *retention != -1),
        topics,
    };
    let command = Command::Offsets(offsets::Command::Commit(Box::new(command)));
    match cx.group(&request.group_id, command).await {
        Ok(Answer::Offsets(offsets::Answer::Committed(outcomes))) => fill(&mut codes, outcomes),
        Ok(_) => return all(call, ErrorCode::UNKNOWN_SERVER_ERROR),
        Err(fault) => fill_all(&mut codes, fault.code()),
    }
    codes
}

/// The topic that is meant, if there is one that the caller may read.
fn named(
    cx: &Cx,
    call: &Asking<'_>,
    image: &Image,
    topic: &OffsetCommitRequestTopic<'_>,
) -> Result<(Arc<str>, Uuid), ErrorCode> {
    let by_id = call.version.can(offset_commit::TOPIC_IDS);
    let found = if by_id { image.topic_by_id(&topic.topic_id) } else { image.topic(&topic.name) };
    let name = match found {
        Some(found) => &*found.name,
        None if by_id => return Err(ErrorCode::UNKNOWN_TOPIC_ID),
        None => &*topic.name,
    };
    if !cx.allows(call.peer, Operation::Read, Resource::Topic(name)) {
        return Err(ErrorCode::TOPIC_AUTHORIZATION_FAILED);
    }
    found.map(|found| (found.name.clone(), found.id)).ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)
}

/// The partitions that exist, and a code for each of the request; those that exist have none yet.
fn split(
    image: &Image,
    topic: &OffsetCommitRequestTopic<'_>,
    name: Arc<str>,
    id: Uuid,
) -> (Vec<ErrorCode>, CommitTopic) {
    let mut codes = Vec::with_capacity(topic.partitions.len());
    let mut partitions = Vec::with_capacity(topic.partitions.len());
    for partition in &topic.partitions {
        if image.partition(&name, PartitionIndex(partition.partition_index)).is_none() {
            codes.push(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
            continue;
        }
        codes.push(ErrorCode::NONE);
        partitions.push(CommitPartition {
            index: partition.partition_index,
            offset: partition.committed_offset,
            leader_epoch: partition.committed_leader_epoch,
            metadata: partition.committed_metadata.as_deref().unwrap_or_default().to_owned(),
        });
    }
    (codes, CommitTopic { name, id, partitions })
}

/// Puts the coordinator's outcomes where no code is yet, in order.
fn fill(codes: &mut Codes, outcomes: Vec<Vec<offsets::Outcome>>) {
    let mut outcomes = outcomes.into_iter().flatten();
    for code in codes.iter_mut().flatten().filter(|code| **code == ErrorCode::NONE) {
        let outcome = outcomes.next().map(|(_, outcome)| outcome);
        *code = outcome.map_or(ErrorCode::UNKNOWN_SERVER_ERROR, |outcome| {
            outcome.map_or_else(|fault| fault.code(), |()| ErrorCode::NONE)
        });
    }
}

fn fill_all(codes: &mut Codes, with: ErrorCode) {
    codes.iter_mut().flatten().filter(|code| **code == ErrorCode::NONE).for_each(|code| *code = with);
}

fn all(call: &Asking<'_>, code: ErrorCode) -> Codes {
    call.request.topics.iter().map(|topic| vec![code; topic.partitions.len()]).collect()
}
