//! LeaveGroup: members leave, or an administrator removes static ones (KIP-345, KIP-800).

use super::admission::{admit, identity};
use crate::api::call::Call;
use crate::cx::Cx;
use crate::cx::groups::classic::{self, Leave, LeftMember};
use crate::cx::groups::{Answer, Command};
use ottla_messages::leave_group::{self, LeaveGroupRequest, LeaveGroupResponse, MemberResponse};
use ottla_wire::ErrorCode;
use std::sync::Arc;

/// Answers member by member; in versions of one member, for that one.
pub(crate) async fn handle<'a>(cx: &Cx, call: Call<'a, LeaveGroupRequest<'a>>) -> LeaveGroupResponse<'a> {
    match left(cx, &call).await {
        Ok(members) if call.version.can(leave_group::BATCHED) => {
            LeaveGroupResponse { members: members.into_iter().map(shown).collect(), ..LeaveGroupResponse::default() }
        }
        Ok(members) => {
            let error_code = members.first().map_or(0, |member| code(member).code());
            LeaveGroupResponse { error_code, ..LeaveGroupResponse::default() }
        }
        Err(code) => LeaveGroupResponse { error_code: code.code(), ..LeaveGroupResponse::default() },
    }
}

async fn left(cx: &Cx, call: &Call<'_, LeaveGroupRequest<'_>>) -> Result<Vec<LeftMember>, ErrorCode> {
    let request = &call.request;
    admit(cx, call, &request.group_id)?;
    let members = if call.version.can(leave_group::BATCHED) {
        let named = request.members.iter();
        let named = named.map(|one| {
            let reason = one.reason.as_deref().unwrap_or("not provided");
            (identity(&one.member_id, one.group_instance_id.as_deref()), Arc::from(reason))
        });
        named.collect()
    } else {
        vec![(identity(&request.member_id, None), Arc::from("not provided"))]
    };
    let leave = Leave { group: Arc::from(&*request.group_id), members };
    match cx.group(&request.group_id, Command::Classic(classic::Command::Leave(leave))).await {
        Ok(Answer::Classic(classic::Answer::Left(left))) => Ok(left.members),
        Ok(_) => Err(ErrorCode::UNKNOWN_SERVER_ERROR),
        Err(fault) => Err(fault.code()),
    }
}

fn code(member: &LeftMember) -> ErrorCode {
    member.outcome.as_ref().map_or_else(|fault| fault.code(), |()| ErrorCode::NONE)
}

fn shown<'a>(member: LeftMember) -> MemberResponse<'a> {
    MemberResponse {
        error_code: code(&member).code(),
        member_id: member.who.member_id.to_string().into(),
        group_instance_id: member.who.instance_id.map(|instance| instance.to_string().into()),
    }
}
