//! ConsumerGroupDescribe: KIP-848 groups, their members, what these have and what they shall have (KIP-848, KIP-1099).

use super::consumer_group_heartbeat::is_served;
use crate::api::call::Call;
use crate::api::cluster::rights;
use crate::cx::Cx;
use crate::cx::groups::consumer::{Description, MemberDescription, Partitions};
use crate::cx::groups::{Answer, Command};
use crate::cx::rights::{Operation, Resource};
use ottla_messages::consumer_group_describe::{
    Assignment, ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse, DescribedGroup, Member, TopicPartitions,
};
use ottla_metadata::Image;
use ottla_wire::ErrorCode;
use std::sync::Arc;

/// Kinds of members as numbers (KIP-1099).
const CLASSIC: i8 = 0;
const CONSUMER: i8 = 1;

/// Answers group by group, those that the caller may not see first.
pub(crate) async fn handle<'a>(
    cx: &Cx,
    call: Call<'a, ConsumerGroupDescribeRequest<'a>>,
) -> ConsumerGroupDescribeResponse<'a> {
    let mut groups = Vec::with_capacity(call.request.group_ids.len());
    let mut allowed: Vec<Arc<str>> = Vec::new();
    for group_id in &call.request.group_ids {
        if !is_served(cx) {
            groups.push(failed(group_id, ErrorCode::UNSUPPORTED_VERSION));
        } else if !call.may(cx, Resource::Group(group_id)) {
            groups.push(failed(group_id, ErrorCode::GROUP_AUTHORIZATION_FAILED));
        } else if group_id.is_empty() {
            groups.push(failed("", ErrorCode::INVALID_GROUP_ID));
        } else {
            allowed.push(Arc::from(&**group_id));
        }
    }
    let image = cx.image().clone();
    for (group_ids, answer) in cx.groups(allowed, Command::DescribeConsumer).await {
        match answer {
            Ok(Answer::DescribedConsumer(descriptions)) => {
                groups.extend(descriptions.iter().map(|description| described(cx, &call, &image, description)));
            }
            Ok(_) => groups.extend(group_ids.iter().map(|id| failed(id, ErrorCode::UNKNOWN_SERVER_ERROR))),
            Err(fault) => groups.extend(group_ids.iter().map(|id| failed(id, fault.code()))),
        }
    }
    ConsumerGroupDescribeResponse { groups, ..ConsumerGroupDescribeResponse::default() }
}

fn described<'a>(
    cx: &Cx,
    call: &Call<'_, ConsumerGroupDescribeRequest<'_>>,
    image: &Image,
    description: &Description,
) -> DescribedGroup<'a> {
    if let Some(fault) = &description.fault {
        let error_message = Some(fault.to_string().into());
        return DescribedGroup { error_message, ..failed(&description.group, fault.code()) };
    }
    if !may_see_all(cx, call, image, description) {
        return DescribedGroup {
            error_message: Some(
                "The group has described topic(s) that the client is not authorized to describe.".into(),
            ),
            ..failed(&description.group, ErrorCode::TOPIC_AUTHORIZATION_FAILED)
        };
    }
    let asked = call.request.include_authorized_operations;
    DescribedGroup {
        group_state: description.state.into(),
        group_epoch: description.epoch,
        assignment_epoch: description.target_epoch,
        assignor_name: description.assignor.to_string().into(),
        members: description.members.iter().map(|member| shown(image, member)).collect(),
        authorized_operations: if asked {
            rights::on_group(cx, call.peer, &description.group)
        } else {
            rights::NOT_ASKED
        },
        ..failed(&description.group, ErrorCode::NONE)
    }
}

/// Clients see no topics that they may not describe.
fn may_see_all(
    cx: &Cx,
    call: &Call<'_, ConsumerGroupDescribeRequest<'_>>,
    image: &Image,
    description: &Description,
) -> bool {
    let may_see = |topic: &str| cx.allows(call.peer, Operation::Describe, Resource::Topic(topic));
    let mut topics = description.members.iter().flat_map(|member| member.has.iter().chain(member.target.iter()));
    topics.all(|(id, _)| image.topic_by_id(id).is_none_or(|topic| may_see(&topic.name)))
}

fn shown<'a>(image: &Image, description: &MemberDescription) -> Member<'a> {
    let member = &description.member;
    let text = |text: &Arc<str>| text.to_string().into();
    Member {
        member_id: text(&member.id),
        instance_id: member.instance.as_ref().map(text),
        rack_id: member.rack.as_ref().map(text),
        member_epoch: member.epoch,
        client_id: text(&member.client.id),
        client_host: text(&member.client.host),
        subscribed_topic_names: member.names.iter().map(text).collect(),
        subscribed_topic_regex: Some(text(&member.pattern)),
        assignment: assignment(image, &description.has),
        target_assignment: assignment(image, &description.target),
        member_type: if member.is_classic() { CLASSIC } else { CONSUMER },
    }
}

/// Topics that are gone are left out: there is no name for them.
fn assignment<'a>(image: &Image, partitions: &Partitions) -> Assignment<'a> {
    let named = partitions.iter().filter_map(|(id, list)| {
        let topic_name = image.topic_by_id(id)?.name.to_string().into();
        Some(TopicPartitions { topic_id: *id, topic_name, partitions: list.to_vec() })
    });
    Assignment { topic_partitions: named.collect() }
}

fn failed<'a>(group_id: &str, code: ErrorCode) -> DescribedGroup<'a> {
    DescribedGroup {
        error_code: code.code(),
        group_id: group_id.to_owned().into(),
        authorized_operations: rights::NOT_ASKED,
        ..DescribedGroup::default()
    }
}
