//! The groups that the brokers of a cluster coordinate.

use super::{Groups, Trouble};
use crate::failure::While;
use ottla_messages::api::ApiKey;
use ottla_messages::list_groups::{ListGroupsRequest, ListGroupsResponse};
use ottla_wire::error::ErrorCode;

/// A group as ListGroups tells of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Listing {
    /// Its id.
    pub(crate) group: String,
    /// What its members speak: `consumer`, `connect`, nothing.
    pub(crate) protocol: String,
    /// Its state.
    pub(crate) state: String,
    /// Its type: `classic`, `consumer`, `share`, `streams`.
    pub(crate) kind: String,
}

/// Which groups to list; an empty list means all.
#[derive(Clone, Default, Debug)]
pub(crate) struct Filter {
    /// Names of states.
    pub(crate) states: Vec<String>,
    /// Names of types.
    pub(crate) types: Vec<String>,
}

impl Groups {
    /// The groups of all brokers, sorted by name.
    pub(crate) fn list(&mut self, filter: &Filter) -> Result<Vec<Listing>, Trouble> {
        let mut found = Vec::new();
        for broker in self.cluster.brokers()? {
            loop {
                match self.list_at(&broker.address, filter) {
                    Ok(groups) => break found.extend(groups),
                    Err(trouble) => self.wait_after(trouble)?,
                }
            }
        }
        found.sort_by(|left: &Listing, right| left.group.cmp(&right.group));
        Ok(found)
    }

    /// The consumer groups, classic ones, those of KIP-848, and those that only hold offsets; sorted by name.
    pub(crate) fn list_consumers(&mut self, mut filter: Filter) -> Result<Vec<Listing>, Trouble> {
        if filter.types.is_empty() {
            filter.types = vec!["Classic".to_owned(), "Consumer".to_owned()];
        }
        let mut found = self.list(&filter)?;
        found.retain(|group| group.protocol.is_empty() || group.protocol == super::describe::CONSUMERS);
        Ok(found)
    }

    fn list_at(&mut self, broker: &str, filter: &Filter) -> Result<Vec<Listing>, Trouble> {
        let request = ListGroupsRequest {
            states_filter: filter.states.iter().map(|state| state.as_str().into()).collect(),
            types_filter: filter.types.iter().map(|kind| kind.as_str().into()).collect(),
        };
        let link = self.cluster.at(broker)?;
        let answer = link.call(ApiKey::ListGroups, |out, version| request.encode(out, version))?;
        let (mut cursor, version) = answer.body();
        let response =
            ListGroupsResponse::decode(&mut cursor, version).during(|| "read a list-groups answer".to_owned())?;
        let error = ErrorCode::from_code(response.error_code);
        if error.is_error() {
            return Err(Trouble::refused(error, None));
        }
        let listing = response.groups.iter().map(|group| Listing {
            group: group.group_id.to_string(),
            protocol: group.protocol_type.to_string(),
            state: group.group_state.to_string(),
            kind: group.group_type.to_string(),
        });
        Ok(listing.collect())
    }
}
