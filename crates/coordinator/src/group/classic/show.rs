//! A group as DescribeGroups and ListGroups show it.

use super::group::{ClassicGroup, State};
use super::member::{Member, nothing};
use crate::group::client::Client;
use std::sync::Arc;

/// A group as DescribeGroups shows it.
#[derive(Clone, PartialEq, Debug)]
pub struct Description {
    /// `Stable`, `Empty` and so on.
    pub state: &'static str,
    /// `consumer`, `connect`, or empty.
    pub protocol_type: Arc<str>,
    /// Protocol of a stable group, else empty.
    pub protocol: Arc<str>,
    /// Its members.
    pub members: Vec<MemberDescription>,
}

/// A member as DescribeGroups shows it.
#[derive(Clone, PartialEq, Debug)]
pub struct MemberDescription {
    /// Its id.
    pub id: Arc<str>,
    /// `group.instance.id`.
    pub instance_id: Option<Arc<str>>,
    /// Where it joined from.
    pub client: Client,
    /// What it says to the protocol, once the group is stable.
    pub metadata: Arc<[u8]>,
    /// What it shall have.
    pub assignment: Arc<[u8]>,
}

impl ClassicGroup {
    /// The group as DescribeGroups shows it.
    #[must_use]
    pub fn describe(&self) -> Description {
        let protocol = self.protocol().filter(|_| self.state() == State::Stable);
        Description {
            state: self.state().name(),
            protocol_type: self.protocol_type().cloned().unwrap_or_default(),
            protocol: protocol.cloned().unwrap_or_default(),
            members: self.members().map(|member| described(member, protocol.map(|name| &**name))).collect(),
        }
    }
}

fn described(member: &Member, protocol: Option<&str>) -> MemberDescription {
    MemberDescription {
        id: member.id.clone(),
        instance_id: member.instance_id.clone(),
        client: member.client.clone(),
        metadata: protocol.and_then(|name| member.metadata(name)).cloned().unwrap_or_else(nothing),
        assignment: member.assignment.clone(),
    }
}
