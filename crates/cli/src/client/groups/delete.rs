//! Groups deleted.

use super::{Groups, Trouble};
use crate::client::link::Link;
use crate::failure::While;
use ottla_messages::api::ApiKey;
use ottla_messages::delete_groups::{DeleteGroupsRequest, DeleteGroupsResponse};
use ottla_wire::error::ErrorCode;

impl Groups {
    /// Deletes a group that has no members, with all its offsets.
    pub(crate) fn delete(&mut self, group: &str) -> Result<(), Trouble> {
        self.ask(group, |link| delete(link, group))
    }
}

fn delete(link: &mut Link, group: &str) -> Result<(), Trouble> {
    let request = DeleteGroupsRequest { groups_names: vec![group.into()] };
    let answer = link.call(ApiKey::DeleteGroups, |out, version| request.encode(out, version))?;
    let (mut cursor, version) = answer.body();
    let response =
        DeleteGroupsResponse::decode(&mut cursor, version).during(|| "read a delete-groups answer".to_owned())?;
    for result in response.results.iter().filter(|result| result.group_id == group) {
        let error = ErrorCode::from_code(result.error_code);
        if error.is_error() {
            return Err(Trouble::refused(error, result.error_message.as_deref()));
        }
    }
    Ok(())
}
