//! ConsumerGroupHeartbeat: members of KIP-848 groups join, follow their assignment and leave by it alone (KIP-848, KIP-1082).

use super::admission::client;
use crate::api::call::Call;
use crate::cx::Cx;
use crate::cx::groups::consumer::{self, Beat, Heartbeat, Looked, Unresolved, patterns};
use crate::cx::groups::{Answer, Command, Fault, Refused};
use crate::cx::rights::{Operation, Resource};
use ottla_messages::consumer_group_heartbeat::{
    self, Assignment, ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, ResponseTopicPartitions,
};
use ottla_wire::ErrorCode;
use std::borrow::Cow;
use std::sync::Arc;

/// The feature that a cluster has finalized once all its brokers know KIP-848.
const FEATURE: &str = "group.version";

/// Whether the cluster has finalized KIP-848, and this broker's settings leave it on.
pub(crate) fn is_served(cx: &Cx) -> bool {
    cx.config().groups.consumer_protocol && cx.image().feature(FEATURE) > 0
}

/// Answers the member's epoch, and its partitions where they have changed.
pub(crate) async fn handle<'a>(
    cx: &Cx,
    call: Call<'a, ConsumerGroupHeartbeatRequest<'a>>,
) -> ConsumerGroupHeartbeatResponse<'a> {
    if !is_served(cx) {
        return refused(ErrorCode::UNSUPPORTED_VERSION, None);
    }
    let group = Arc::from(&*call.request.group_id);
    if !call.may(cx, Resource::Group(&group)) {
        return refused(ErrorCode::GROUP_AUTHORIZATION_FAILED, None);
    }
    let names = call.request.subscribed_topic_names.iter().flatten();
    let may_see = |topic: &str| cx.allows(call.peer, Operation::Describe, Resource::Topic(topic));
    if !names.map(Cow::as_ref).all(may_see) {
        return refused(ErrorCode::TOPIC_AUTHORIZATION_FAILED, None);
    }
    match beat(cx, &call, &group).await {
        Ok(beat) => shown(&beat),
        Err(fault) => refused(fault.code(), Some(fault.to_string())),
    }
}

async fn beat(cx: &Cx, call: &Call<'_, ConsumerGroupHeartbeatRequest<'_>>, group: &Arc<str>) -> Result<Beat, Fault> {
    let heartbeat = heartbeat(cx, call, group);
    let brings_id = call.version.can(consumer_group_heartbeat::ID_OF_CLIENT);
    heartbeat.check(brings_id)?;
    let command = Command::Consumer(consumer::Command::Heartbeat(Box::new(heartbeat)));
    let mut beat = match cx.group(group, command).await? {
        Answer::Consumer(consumer::Answer::Heartbeat(beat)) => *beat,
        _ => return Err(Refused::Unavailable.into()),
    };
    if let Some(unresolved) = beat.unresolved.take() {
        look_up(cx, call, group, unresolved).await;
    }
    Ok(beat)
}

/// Looks up patterns as this caller may see topics; what is found counts from the next heartbeat on. Patterns times topics
/// may be many, so that no worker waits for it.
async fn look_up(
    cx: &Cx,
    call: &Call<'_, ConsumerGroupHeartbeatRequest<'_>>,
    group: &Arc<str>,
    unresolved: Unresolved,
) {
    let (peer, timestamp) = (Arc::clone(call.peer), cx.wall().0);
    let topics = cx
        .aside(move || {
            let may_see = |topic: &str| peer.cx.allows(&peer, Operation::Describe, Resource::Topic(topic));
            let Unresolved { patterns, image } = unresolved;
            patterns::resolve(patterns, image.topics().map(|topic| &topic.name), may_see)
        })
        .await;
    // The version tells Kafka which of its own images was looked through; 0 is older than any.
    let looked = Looked { group: Arc::clone(group), topics, version: 0, timestamp };
    // Whoever beats next asks again if this is lost.
    let _ = cx.group(group, Command::Consumer(consumer::Command::Resolved(Box::new(looked)))).await;
}

fn heartbeat(cx: &Cx, call: &Call<'_, ConsumerGroupHeartbeatRequest<'_>>, group: &Arc<str>) -> Heartbeat {
    let request = &call.request;
    let shared = |text: &Option<Cow<'_, str>>| text.as_deref().map(Arc::from);
    Heartbeat {
        group: Arc::clone(group),
        member: Arc::from(&*request.member_id),
        fresh_id: if request.member_id.is_empty() { cx.fresh_uuid_text().into() } else { Arc::default() },
        epoch: request.member_epoch,
        instance: shared(&request.instance_id),
        rack: shared(&request.rack_id),
        rebalance_ms: Some(request.rebalance_timeout_ms).filter(|ms| *ms != -1),
        names: request
            .subscribed_topic_names
            .as_ref()
            .map(|names| names.iter().map(|name| Arc::from(&**name)).collect()),
        pattern: shared(&request.subscribed_topic_regex),
        assignor: shared(&request.server_assignor),
        owned: request
            .topic_partitions
            .as_ref()
            .map(|topics| topics.iter().map(|topic| (topic.topic_id, topic.partitions.clone())).collect()),
        client: client(call),
    }
}

fn shown<'a>(beat: &Beat) -> ConsumerGroupHeartbeatResponse<'a> {
    let assignment = beat.assignment.as_ref().map(|partitions| Assignment {
        topic_partitions: partitions
            .iter()
            .map(|(topic, list)| ResponseTopicPartitions { topic_id: *topic, partitions: list.to_vec() })
            .collect(),
    });
    ConsumerGroupHeartbeatResponse {
        member_id: Some(beat.member.to_string().into()),
        member_epoch: beat.epoch,
        heartbeat_interval_ms: beat.interval_ms,
        assignment,
        ..ConsumerGroupHeartbeatResponse::default()
    }
}

fn refused<'a>(code: ErrorCode, message: Option<String>) -> ConsumerGroupHeartbeatResponse<'a> {
    ConsumerGroupHeartbeatResponse {
        error_code: code.code(),
        error_message: message.map(Cow::Owned),
        ..ConsumerGroupHeartbeatResponse::default()
    }
}
