//! JoinGroup: answered once the rebalance has its members (KIP-62, KIP-345, KIP-394, KIP-559, KIP-800, KIP-814).

use super::admission::{admit, client, identity};
use crate::api::call::Call;
use crate::cx::Cx;
use crate::cx::groups::classic::{self, Abilities, Join, Joined, Protocol};
use crate::cx::groups::{Answer, Command, Fault};
use ottla_messages::join_group::{
    self, JoinGroupRequest, JoinGroupRequestProtocol, JoinGroupResponse, JoinGroupResponseMember,
};
use ottla_wire::ErrorCode;
use std::borrow::Cow;
use std::sync::Arc;

/// What stands for a reason that is not given.
const NO_REASON: &str = "not provided";

/// Answers the member, and its leader with all members.
pub(crate) async fn handle<'a>(cx: &Cx, call: Call<'a, JoinGroupRequest<'a>>) -> JoinGroupResponse<'a> {
    let mut response = match admit(cx, &call, &call.request.group_id) {
        Err(code) => refused(call.request.member_id.clone(), code),
        Ok(()) => {
            let command = Command::Classic(classic::Command::Join(Box::new(join(cx, &call))));
            match cx.group(&call.request.group_id, command).await {
                Ok(Answer::Classic(classic::Answer::Joined(joined))) => shown(&joined),
                Ok(_) => refused(call.request.member_id.clone(), ErrorCode::UNKNOWN_SERVER_ERROR),
                Err(fault) => refused_by(&call, &fault),
            }
        }
    };
    if !call.version.can(join_group::NULLABLE_PROTOCOL) {
        response.protocol_name.get_or_insert_default();
    }
    response
}

fn join(cx: &Cx, call: &Call<'_, JoinGroupRequest<'_>>) -> Join {
    let request = &call.request;
    let instance_id = request.group_instance_id.as_deref();
    let rebalance = request.rebalance_timeout_ms;
    Join {
        group: Arc::from(&*request.group_id),
        who: identity(&request.member_id, instance_id),
        fresh_id: if request.member_id.is_empty() {
            format!("{}-{}", instance_id.unwrap_or(call.client_id), cx.fresh_uuid_text()).into()
        } else {
            Arc::default()
        },
        client: client(call),
        session_timeout_ms: request.session_timeout_ms,
        // The oldest version has no time of its own.
        rebalance_timeout_ms: if rebalance == -1 { request.session_timeout_ms } else { rebalance },
        protocol_type: Arc::from(&*request.protocol_type),
        protocols: request.protocols.iter().map(protocol).collect(),
        reason: request.reason.as_deref().filter(|reason| !reason.is_empty()).unwrap_or(NO_REASON).into(),
        abilities: Abilities {
            comes_again: call.version.can(join_group::MEMBER_ID_REQUIRED),
            skips_assignment: call.version.can(join_group::SKIP_ASSIGNMENT),
        },
    }
}

fn protocol(protocol: &JoinGroupRequestProtocol<'_>) -> Protocol {
    Protocol { name: Arc::from(&*protocol.name), metadata: Arc::from(&*protocol.metadata) }
}

fn shown<'a>(joined: &Joined) -> JoinGroupResponse<'a> {
    let text = |text: &Arc<str>| text.to_string().into();
    let members = joined.members.iter().map(|member| JoinGroupResponseMember {
        member_id: text(&member.member_id),
        group_instance_id: member.instance_id.as_ref().map(text),
        metadata: member.metadata.to_vec().into(),
    });
    JoinGroupResponse {
        generation_id: joined.generation,
        protocol_type: joined.protocol_type.as_ref().map(text),
        protocol_name: joined.protocol.as_ref().map(text),
        leader: text(&joined.leader),
        skip_assignment: joined.skip_assignment,
        member_id: text(&joined.member_id),
        members: members.collect(),
        ..JoinGroupResponse::default()
    }
}

fn refused_by<'a>(call: &Call<'a, JoinGroupRequest<'a>>, fault: &Fault) -> JoinGroupResponse<'a> {
    let member_id = match fault {
        Fault::MemberIdRequired(id) => id.to_string().into(),
        Fault::GroupMaxSize(_) => Cow::Borrowed(""),
        _ => call.request.member_id.clone(),
    };
    refused(member_id, fault.code())
}

fn refused(member_id: Cow<'_, str>, code: ErrorCode) -> JoinGroupResponse<'_> {
    JoinGroupResponse { error_code: code.code(), member_id, ..JoinGroupResponse::default() }
}
