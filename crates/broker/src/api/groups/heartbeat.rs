//! Heartbeat: a member of a classic group is alive, and learns of rebalances (KIP-62, KIP-345).

use super::admission::{admit, identity};
use crate::api::call::Call;
use crate::cx::Cx;
use crate::cx::groups::{Command, classic};
use ottla_messages::heartbeat::{HeartbeatRequest, HeartbeatResponse};
use ottla_wire::ErrorCode;
use std::sync::Arc;

/// Answers REBALANCE_IN_PROGRESS while members join.
pub(crate) async fn handle<'a>(cx: &Cx, call: Call<'a, HeartbeatRequest<'a>>) -> HeartbeatResponse {
    let code = match heard(cx, &call).await {
        // The sessions of a group that is being loaded have not begun.
        Ok(()) | Err(ErrorCode::COORDINATOR_LOAD_IN_PROGRESS) => ErrorCode::NONE,
        Err(code) => code,
    };
    HeartbeatResponse { error_code: code.code(), ..HeartbeatResponse::default() }
}

async fn heard(cx: &Cx, call: &Call<'_, HeartbeatRequest<'_>>) -> Result<(), ErrorCode> {
    let request = &call.request;
    admit(cx, call, &request.group_id)?;
    let heartbeat = classic::Heartbeat {
        group: Arc::from(&*request.group_id),
        who: identity(&request.member_id, request.group_instance_id.as_deref()),
        generation: request.generation_id,
    };
    let command = Command::Classic(classic::Command::Heartbeat(heartbeat));
    cx.group(&request.group_id, command).await.map(|_| ()).map_err(|fault| fault.code())
}
