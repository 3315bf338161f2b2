//! DeleteGroups: groups without members go, and their offsets with them (KIP-229).

use crate::api::call::Call;
use crate::cx::Cx;
use crate::cx::groups::Command;
use crate::cx::rights::Resource;
use ottla_messages::delete_groups::{DeletableGroupResult, DeleteGroupsRequest, DeleteGroupsResponse};
use ottla_wire::ErrorCode;
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Answers group by group, each named once, those that the caller may not delete last.
pub(crate) async fn handle<'a>(cx: &Cx, call: Call<'a, DeleteGroupsRequest<'a>>) -> DeleteGroupsResponse<'a> {
    let mut seen = BTreeSet::new();
    let names = call.request.groups_names.iter().filter(|name| seen.insert(&***name));
    let (allowed, refused): (Vec<_>, Vec<_>) = names.partition(|name| call.may(cx, Resource::Group(name)));
    let mut results = Vec::with_capacity(allowed.len() + refused.len());
    for name in allowed {
        let deleted = cx.group(name, Command::Delete(Arc::from(&**name))).await;
        let code = deleted.map_or_else(|fault| fault.code(), |_| ErrorCode::NONE);
        results.push(result(name.clone(), code));
    }
    let denied = ErrorCode::GROUP_AUTHORIZATION_FAILED;
    results.extend(refused.into_iter().map(|name| result(name.clone(), denied)));
    DeleteGroupsResponse { results, ..DeleteGroupsResponse::default() }
}

fn result(group_id: Cow<'_, str>, code: ErrorCode) -> DeletableGroupResult<'_> {
    DeletableGroupResult { group_id, error_code: code.code(), error_message: None }
}
