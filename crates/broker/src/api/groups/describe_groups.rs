//! DescribeGroups: classic groups and their members (KIP-430, KIP-1043).

use crate::api::call::Call;
use crate::api::cluster::rights;
use crate::cx::Cx;
use crate::cx::groups::classic::{Description, MemberDescription};
use crate::cx::groups::{Answer, Command, Fault};
use crate::cx::rights::Resource;
use ottla_messages::describe_groups::{
    self, DescribeGroupsRequest, DescribeGroupsResponse, DescribedGroup, DescribedGroupMember,
};
use ottla_wire::ErrorCode;
use std::sync::Arc;

/// State of a group that there is not.
const DEAD: &str = "Dead";

/// Answers group by group, those that the caller may not see first.
pub(crate) async fn handle<'a>(cx: &Cx, call: Call<'a, DescribeGroupsRequest<'a>>) -> DescribeGroupsResponse<'a> {
    let mut groups = Vec::with_capacity(call.request.groups.len());
    let mut allowed: Vec<Arc<str>> = Vec::new();
    for group_id in &call.request.groups {
        if call.may(cx, Resource::Group(group_id)) {
            allowed.push(Arc::from(&**group_id));
        } else {
            groups.push(failed(group_id, ErrorCode::GROUP_AUTHORIZATION_FAILED));
        }
    }
    for (group_ids, answer) in cx.groups(allowed, Command::DescribeClassic).await {
        match answer {
            Ok(Answer::DescribedClassic(descriptions)) => {
                let pairs = group_ids.iter().zip(descriptions);
                groups.extend(pairs.map(|(group_id, description)| described(cx, &call, group_id, description)));
            }
            Ok(_) => groups.extend(group_ids.iter().map(|id| failed(id, ErrorCode::UNKNOWN_SERVER_ERROR))),
            Err(fault) => groups.extend(group_ids.iter().map(|id| failed(id, fault.code()))),
        }
    }
    DescribeGroupsResponse { groups, ..DescribeGroupsResponse::default() }
}

fn described<'a>(
    cx: &Cx,
    call: &Call<'_, DescribeGroupsRequest<'_>>,
    group_id: &Arc<str>,
    description: Result<Description, Fault>,
) -> DescribedGroup<'a> {
    let mut group = match description {
        Ok(description) => shown(group_id, &description),
        Err(fault) if call.version.can(describe_groups::GROUP_ID_NOT_FOUND) => DescribedGroup {
            error_message: Some(fault.to_string().into()),
            group_state: DEAD.into(),
            ..failed(group_id, fault.code())
        },
        Err(_) => DescribedGroup { group_state: DEAD.into(), ..failed(group_id, ErrorCode::NONE) },
    };
    let asked = call.request.include_authorized_operations;
    if asked && group.error_code == 0 && call.version.can(describe_groups::AUTHORIZED_OPERATIONS) {
        group.authorized_operations = rights::on_group(cx, call.peer, group_id);
    }
    group
}

fn shown<'a>(group_id: &Arc<str>, description: &Description) -> DescribedGroup<'a> {
    DescribedGroup {
        group_state: description.state.into(),
        protocol_type: description.protocol_type.to_string().into(),
        protocol_data: description.protocol.to_string().into(),
        members: description.members.iter().map(member).collect(),
        ..failed(group_id, ErrorCode::NONE)
    }
}

fn member<'a>(member: &MemberDescription) -> DescribedGroupMember<'a> {
    let text = |text: &Arc<str>| text.to_string().into();
    DescribedGroupMember {
        member_id: text(&member.id),
        group_instance_id: member.instance_id.as_ref().map(text),
        client_id: text(&member.client.id),
        client_host: text(&member.client.host),
        member_metadata: member.metadata.to_vec().into(),
        member_assignment: member.assignment.to_vec().into(),
    }
}

fn failed<'a>(group_id: &str, code: ErrorCode) -> DescribedGroup<'a> {
    DescribedGroup {
        error_code: code.code(),
        group_id: group_id.to_owned().into(),
        authorized_operations: rights::NOT_ASKED,
        ..DescribedGroup::default()
    }
}
