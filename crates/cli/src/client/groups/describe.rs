//! What a coordinator knows of a consumer group: asked as KIP-848 has it, and as the classic protocol has it when it is one of those.

use super::{Groups, Trouble};
use crate::client::cluster::Node;
use crate::client::link::Link;
use crate::client::offsets::TopicPartition;
use crate::failure::While;
use ottla_messages::api::ApiKey;
use ottla_messages::consumer_group_describe::{self, ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse};
use ottla_messages::describe_groups::{self, DescribeGroupsRequest, DescribeGroupsResponse};
use ottla_messages::records::consumer_protocol::ConsumerProtocolAssignment;
use ottla_wire::error::ErrorCode;
use ottla_wire::{ApiVersion, Cursor};
use std::collections::BTreeSet;

/// The protocol type of consumers.
pub(super) const CONSUMERS: &str = "consumer";
/// ConsumerGroupDescribe's number for a member that does not say how it takes part.
const MEMBER_TYPE_UNKNOWN: i8 = -1;
/// ConsumerGroupDescribe's number for a member of the KIP-848 protocol.
const MEMBER_TYPE_CONSUMER: i8 = 1;

/// A consumer group.
#[derive(Clone, Debug)]
pub(crate) struct Description {
    /// Its id.
    pub(crate) group: String,
    /// Who coordinates it.
    pub(crate) coordinator: Node,
    /// Its state's name.
    pub(crate) state: String,
    /// The assignor or protocol in use; empty without one.
    pub(crate) assignor: String,
    /// Group epoch and epoch of the target assignment (KIP-848).
    pub(crate) epochs: Option<(i32, i32)>,
    /// Its members, in the coordinator's order.
    pub(crate) members: Vec<Member>,
}

/// A member of a consumer group.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    /// Its id.
    pub(crate) id: String,
    /// `group.instance.id` of a static member.
    pub(crate) instance: Option<String>,
    /// Its client's id.
    pub(crate) client: String,
    /// Where it connects from.
    pub(crate) host: String,
    /// What it reads.
    pub(crate) assigned: BTreeSet<TopicPartition>,
    /// What it is to read (KIP-848).
    pub(crate) target: BTreeSet<TopicPartition>,
    /// Its epoch (KIP-848).
    pub(crate) epoch: Option<i32>,
    /// Whether it speaks the KIP-848 protocol, where the coordinator tells.
    pub(crate) upgraded: Option<bool>,
}

impl Groups {
    /// Describes a consumer group.
    pub(crate) fn describe(&mut self, group: &str) -> Result<Description, Trouble> {
        let coordinator = self.coordinator(group)?;
        let modern = self.ask(group, |link| {
            if link.serves(ApiKey::ConsumerGroupDescribe) {
                modern(link, group, &coordinator).map(Ok)
            } else {
                Ok(Err(None))
            }
        });
        // The words of the first refusal say more than those of the second.
        let not_found = match modern {
            Ok(Ok(description)) => return Ok(description),
            Ok(Err(words)) => words,
            Err(Trouble::Refused { error: ErrorCode::GROUP_ID_NOT_FOUND, text }) => Some(text),
            Err(Trouble::Refused { error: ErrorCode::UNSUPPORTED_VERSION, .. }) => None,
            Err(trouble) => return Err(trouble),
        };
        let coordinator = self.coordinator(group)?;
        match (self.ask(group, |link| classic(link, group, &coordinator)), not_found) {
            (Err(Trouble::Refused { error: ErrorCode::GROUP_ID_NOT_FOUND, .. }), Some(text)) => {
                Err(Trouble::Refused { error: ErrorCode::GROUP_ID_NOT_FOUND, text })
            }
            (described, _) => described,
        }
    }
}

fn modern(link: &mut Link, group: &str, coordinator: &Node) -> Result<Description, Trouble> {
    let request = ConsumerGroupDescribeRequest { group_ids: vec![group.into()], ..Default::default() };
    let answer = link.call(ApiKey::ConsumerGroupDescribe, |out, version| request.encode(out, version))?;
    let (mut cursor, version) = answer.body();
    let response = ConsumerGroupDescribeResponse::decode(&mut cursor, version)
        .during(|| "read a consumer-group-describe answer".to_owned())?;
    let found = response.groups.iter().find(|found| found.group_id == group).ok_or_else(|| missing(group))?;
    let error = ErrorCode::from_code(found.error_code);
    if error.is_error() {
        return Err(Trouble::refused(error, found.error_message.as_deref()));
    }
    Ok(Description {
        group: group.to_owned(),
        coordinator: coordinator.clone(),
        state: found.group_state.to_string(),
        assignor: found.assignor_name.to_string(),
        epochs: Some((found.group_epoch, found.assignment_epoch)),
        members: found.members.iter().map(modern_member).collect(),
    })
}

fn modern_member(member: &consumer_group_describe::Member<'_>) -> Member {
    let partitions = |assignment: &consumer_group_describe::Assignment<'_>| {
        let topics = assignment.topic_partitions.iter();
        let partitions = topics.flat_map(|topic| {
            topic.partitions.iter().map(|index| TopicPartition::new(topic.topic_name.as_ref(), *index))
        });
        partitions.collect()
    };
    Member {
        id: member.member_id.to_string(),
        instance: member.instance_id.as_deref().map(str::to_owned),
        client: member.client_id.to_string(),
        host: member.client_host.to_string(),
        assigned: partitions(&member.assignment),
        target: partitions(&member.target_assignment),
        epoch: Some(member.member_epoch),
        upgraded: Some(member.member_type)
            .filter(|kind| *kind != MEMBER_TYPE_UNKNOWN)
            .map(|kind| kind == MEMBER_TYPE_CONSUMER),
    }
}

fn classic(link: &mut Link, group: &str, coordinator: &Node) -> Result<Description, Trouble> {
    let request = DescribeGroupsRequest { groups: vec![group.into()], ..Default::default() };
    let answer = link.call(ApiKey::DescribeGroups, |out, version| request.encode(out, version))?;
    let (mut cursor, version) = answer.body();
    let response =
        DescribeGroupsResponse::decode(&mut cursor, version).during(|| "read a describe-groups answer".to_owned())?;
    let found = response.groups.iter().find(|found| found.group_id == group).ok_or_else(|| missing(group))?;
    let error = ErrorCode::from_code(found.error_code);
    if error.is_error() {
        return Err(Trouble::refused(error, found.error_message.as_deref()));
    }
    if !found.protocol_type.is_empty() && found.protocol_type != CONSUMERS {
        return Err(Trouble::NotConsumers { group: group.to_owned(), protocol: found.protocol_type.to_string() });
    }
    let members = found.members.iter().map(|member| classic_member(group, member)).collect::<Result<_, _>>()?;
    Ok(Description {
        group: group.to_owned(),
        coordinator: coordinator.clone(),
        state: found.group_state.to_string(),
        assignor: found.protocol_data.to_string(),
        epochs: None,
        members,
    })
}

fn classic_member(group: &str, member: &describe_groups::DescribedGroupMember<'_>) -> Result<Member, Trouble> {
    let doing = || format!("read the assignment of member {} of group {group}", member.member_id);
    Ok(Member {
        id: member.member_id.to_string(),
        instance: member.group_instance_id.as_deref().map(str::to_owned),
        client: member.client_id.to_string(),
        host: member.client_host.to_string(),
        assigned: assigned(&member.member_assignment).during(doing)?,
        target: BTreeSet::new(),
        epoch: None,
        upgraded: None,
    })
}

/// The partitions in an assignment of the consumer protocol, whose bytes begin with their version; none in an empty one.
pub(crate) fn assigned(bytes: &[u8]) -> Result<BTreeSet<TopicPartition>, ottla_wire::DecodeError> {
    if bytes.is_empty() {
        return Ok(BTreeSet::new());
    }
    let mut cursor = Cursor::new(bytes);
    let version = ApiVersion(cursor.i16()?.clamp(0, 3));
    let assignment = ConsumerProtocolAssignment::decode(&mut cursor, version)?;
    let topics = assignment.assigned_partitions.iter();
    let partitions =
        topics.flat_map(|topic| topic.partitions.iter().map(|index| TopicPartition::new(topic.topic.as_ref(), *index)));
    Ok(partitions.collect())
}

fn missing(group: &str) -> Trouble {
    Trouble::refused(ErrorCode::UNKNOWN_SERVER_ERROR, Some(&format!("The coordinator said nothing of group {group}.")))
}
