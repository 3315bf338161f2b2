//! SyncGroup: the leader brings the assignment, each member takes its own (KIP-345, KIP-559).

use super::admission::{admit, identity};
use crate::api::call::Call;
use crate::cx::Cx;
use crate::cx::groups::classic::{self, Sync, Synced};
use crate::cx::groups::{Answer, Command};
use ottla_messages::sync_group::{self, SyncGroupRequest, SyncGroupResponse};
use ottla_wire::ErrorCode;
use std::sync::Arc;

/// Answers once the leader has assigned.
pub(crate) async fn handle<'a>(cx: &Cx, call: Call<'a, SyncGroupRequest<'a>>) -> SyncGroupResponse<'a> {
    match assignment(cx, &call).await {
        Ok(synced) => shown(&synced),
        Err(code) => SyncGroupResponse { error_code: code.code(), ..SyncGroupResponse::default() },
    }
}

async fn assignment(cx: &Cx, call: &Call<'_, SyncGroupRequest<'_>>) -> Result<Synced, ErrorCode> {
    let request = &call.request;
    let names_protocol = request.protocol_type.is_some() && request.protocol_name.is_some();
    if call.version.can(sync_group::PROTOCOL) && !names_protocol {
        return Err(ErrorCode::INCONSISTENT_GROUP_PROTOCOL);
    }
    admit(cx, call, &request.group_id)?;
    let command = Command::Classic(classic::Command::Sync(Box::new(sync(request))));
    match cx.group(&request.group_id, command).await {
        Ok(Answer::Classic(classic::Answer::Synced(synced))) => Ok(synced),
        Ok(_) => Err(ErrorCode::UNKNOWN_SERVER_ERROR),
        Err(fault) => Err(fault.code()),
    }
}

fn sync(request: &SyncGroupRequest<'_>) -> Sync {
    let assignments = request.assignments.iter();
    Sync {
        group: Arc::from(&*request.group_id),
        who: identity(&request.member_id, request.group_instance_id.as_deref()),
        generation: request.generation_id,
        protocol_type: request.protocol_type.as_deref().map(Arc::from),
        protocol: request.protocol_name.as_deref().map(Arc::from),
        assignments: assignments.map(|one| (Arc::from(&*one.member_id), Arc::from(&*one.assignment))).collect(),
    }
}

fn shown<'a>(synced: &Synced) -> SyncGroupResponse<'a> {
    let text = |text: &Arc<str>| text.to_string().into();
    SyncGroupResponse {
        protocol_type: synced.protocol_type.as_ref().map(text),
        protocol_name: synced.protocol.as_ref().map(text),
        assignment: synced.assignment.to_vec().into(),
        ..SyncGroupResponse::default()
    }
}
