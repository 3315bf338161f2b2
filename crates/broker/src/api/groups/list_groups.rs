//! ListGroups: groups of every type that this broker coordinates, by state and type (KIP-518, KIP-848).

use crate::api::call::Call;
use crate::cx::Cx;
use crate::cx::groups::command::Listing;
use crate::cx::groups::{Answer, Command, Fault, Refused};
use crate::cx::rights::{Operation, Resource};
use ottla_messages::list_groups::{ListGroupsRequest, ListGroupsResponse, ListedGroup};
use ottla_wire::ErrorCode;
use std::borrow::Cow;
use std::collections::BTreeSet;

/// Answers the groups that the caller may see; who may look at the cluster sees all.
pub(crate) async fn handle<'a>(cx: &Cx, call: Call<'a, ListGroupsRequest<'a>>) -> ListGroupsResponse<'a> {
    let states = lower_case(&call.request.states_filter);
    let types = lower_case(&call.request.types_filter);
    let command = || Command::List { states: states.clone(), types: types.clone() };
    let sees_all = cx.allows(call.peer, Operation::Describe, Resource::Cluster);
    let mut groups = Vec::new();
    for answer in cx.all_groups(command).await {
        match answer {
            Ok(Answer::Listed(listings)) => {
                let seen = listings.iter().filter(|one| sees_all || call.may(cx, Resource::Group(&one.group)));
                groups.extend(seen.map(shown));
            }
            Ok(_) => return failed(ErrorCode::UNKNOWN_SERVER_ERROR),
            // Another broker lists them.
            Err(Fault::Refused(Refused::NotCoordinator)) => {}
            Err(fault) => return failed(fault.code()),
        }
    }
    ListGroupsResponse { groups, ..ListGroupsResponse::default() }
}

fn lower_case(names: &[Cow<'_, str>]) -> BTreeSet<String> {
    names.iter().map(|name| name.to_lowercase()).collect()
}

fn shown<'a>(listing: &Listing) -> ListedGroup<'a> {
    ListedGroup {
        group_id: listing.group.to_string().into(),
        protocol_type: listing.protocol_type.to_string().into(),
        group_state: listing.state.into(),
        group_type: listing.kind.into(),
    }
}

fn failed<'a>(code: ErrorCode) -> ListGroupsResponse<'a> {
    ListGroupsResponse { error_code: code.code(), ..ListGroupsResponse::default() }
}
