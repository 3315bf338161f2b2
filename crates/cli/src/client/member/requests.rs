//! The requests of a member, written and their answers read.

use super::assignors::{Assignment, Assignor, Subscriber};
use super::{Answer, Partitions, Request, Settings, TopicIds, protocol};
use crate::client::groups::assigned;
use crate::client::link::Link;
use crate::client::offsets::{TopicPartition, by_topic};
use crate::failure::{Failure, While};
use ottla_messages::api::ApiKey;
use ottla_messages::consumer_group_heartbeat::{
    ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, RequestTopicPartitions,
};
use ottla_messages::heartbeat::{HeartbeatRequest, HeartbeatResponse};
use ottla_messages::join_group::{JoinGroupRequest, JoinGroupRequestProtocol, JoinGroupResponse};
use ottla_messages::leave_group::{self, LeaveGroupRequest, MemberIdentity};
use ottla_messages::sync_group::{SyncGroupRequest, SyncGroupRequestAssignment, SyncGroupResponse};
use ottla_wire::error::ErrorCode;
use ottla_wire::{ApiVersion, Encoder, Uuid};
use std::collections::BTreeMap;
use std::time::Duration;

/// Epochs by which a member of a KIP-848 group leaves: for good, or to come back under its instance id.
const LEAVES: (i32, i32) = (-1, -2);

/// A question with all that is known about the one who asks.
pub(super) struct Asked<'a> {
    /// How the member takes part.
    pub(super) settings: &'a Settings,
    /// The topics it reads.
    pub(super) topics: &'a [String],
    /// Topic ids by name.
    pub(super) ids: &'a TopicIds,
    /// The member's id in a KIP-848 group.
    pub(super) member: &'a str,
}

impl Asked<'_> {
    /// Asks the coordinator behind `link`; None when `go_on` gave up first.
    pub(super) fn ask(
        &self,
        link: &mut Link,
        request: &Request,
        go_on: &mut dyn FnMut() -> bool,
    ) -> Result<Option<Answer>, Failure> {
        match request {
            Request::Join { member, generation, owned, last } => {
                let mut protocols = Vec::new();
                for assignor in &self.settings.assignors {
                    let metadata = protocol::subscription(*assignor, self.topics, (owned, *generation), last)?;
                    let name = assignor.name().into();
                    protocols.push(JoinGroupRequestProtocol { name, metadata: metadata.into() });
                }
                self.join(link, member, protocols, go_on)
            }
            Request::Sync { member, generation, protocol, assignments } => {
                let identity = (member.as_str(), *generation);
                self.sync(link, identity, protocol, assignments, go_on)
            }
            Request::Beat { member, generation } => self.beat(link, member, *generation, go_on),
            Request::ModernBeat { epoch, owned, subscribe } => {
                self.modern(link, *epoch, (owned.as_ref(), *subscribe), go_on)
            }
        }
    }

    fn join(
        &self,
        link: &mut Link,
        member: &str,
        protocols: Vec<JoinGroupRequestProtocol<'_>>,
        go_on: &mut dyn FnMut() -> bool,
    ) -> Result<Option<Answer>, Failure> {
        let request = JoinGroupRequest {
            group_id: self.settings.group.as_str().into(),
            session_timeout_ms: millis(self.settings.session_timeout),
            rebalance_timeout_ms: millis(self.settings.poll_interval),
            member_id: member.into(),
            group_instance_id: self.instance(),
            protocol_type: protocol::CONSUMERS.into(),
            protocols,
            ..Default::default()
        };
        // The broker answers once all members have joined.
        let answer = link.call_while(ApiKey::JoinGroup, |out, version| request.encode(out, version), go_on)?;
        let Some(answer) = answer else { return Ok(None) };
        let (mut cursor, version) = answer.body();
        let response =
            JoinGroupResponse::decode(&mut cursor, version).during(|| "read a join-group answer".to_owned())?;
        let error = ErrorCode::from_code(response.error_code);
        if error.is_error() {
            return Ok(Some(Answer::Refused { error, member: response.member_id.to_string() }));
        }
        let leads = response.leader == response.member_id;
        let chosen = response.protocol_name.as_deref().unwrap_or_default();
        let Some(assignor) = Assignor::named(chosen) else {
            return Err(Failure::new(format!("group {} shares partitions by {chosen:?}", self.settings.group)));
        };
        let members = response.members.iter().map(|member| protocol::subscriber(assignor, member));
        Ok(Some(Answer::Joined {
            member: response.member_id.to_string(),
            generation: response.generation_id,
            protocol: chosen.to_owned(),
            // A static leader that comes back keeps the assignment the coordinator has.
            members: (leads && !response.skip_assignment)
                .then(|| members.collect::<Result<Vec<Subscriber>, _>>())
                .transpose()?,
        }))
    }

    fn sync(
        &self,
        link: &mut Link,
        (member, generation): (&str, i32),
        chosen: &str,
        assignments: &Assignment,
        go_on: &mut dyn FnMut() -> bool,
    ) -> Result<Option<Answer>, Failure> {
        let mut written = Vec::new();
        for (member, partitions) in assignments {
            let assignment = protocol::assignment(partitions)?.into();
            written.push(SyncGroupRequestAssignment { member_id: member.as_str().into(), assignment });
        }
        let request = SyncGroupRequest {
            group_id: self.settings.group.as_str().into(),
            generation_id: generation,
            member_id: member.into(),
            group_instance_id: self.instance(),
            protocol_type: Some(protocol::CONSUMERS.into()),
            protocol_name: Some(chosen.into()),
            assignments: written,
        };
        let answer = link.call_while(ApiKey::SyncGroup, |out, version| request.encode(out, version), go_on)?;
        let Some(answer) = answer else { return Ok(None) };
        let (mut cursor, version) = answer.body();
        let doing = || "read a sync-group answer".to_owned();
        let response = SyncGroupResponse::decode(&mut cursor, version).during(doing)?;
        match ErrorCode::from_code(response.error_code) {
            ErrorCode::NONE => Ok(Some(Answer::Synced(assigned(&response.assignment).during(doing)?))),
            error => Ok(Some(refused(error))),
        }
    }

    fn beat(
        &self,
        link: &mut Link,
        member: &str,
        generation: i32,
        go_on: &mut dyn FnMut() -> bool,
    ) -> Result<Option<Answer>, Failure> {
        let request = HeartbeatRequest {
            group_id: self.settings.group.as_str().into(),
            generation_id: generation,
            member_id: member.into(),
            group_instance_id: self.instance(),
        };
        let answer = link.call_while(ApiKey::Heartbeat, |out, version| request.encode(out, version), go_on)?;
        let Some(answer) = answer else { return Ok(None) };
        let (mut cursor, version) = answer.body();
        let response =
            HeartbeatResponse::decode(&mut cursor, version).during(|| "read a heartbeat answer".to_owned())?;
        match ErrorCode::from_code(response.error_code) {
            ErrorCode::NONE => Ok(Some(Answer::Beaten)),
            error => Ok(Some(refused(error))),
        }
    }

    fn modern(
        &self,
        link: &mut Link,
        epoch: i32,
        (owned, subscribe): (Option<&Partitions>, bool),
        go_on: &mut dyn FnMut() -> bool,
    ) -> Result<Option<Answer>, Failure> {
        let timeout = if epoch == 0 { millis(self.settings.poll_interval) } else { -1 };
        let request = ConsumerGroupHeartbeatRequest {
            group_id: self.settings.group.as_str().into(),
            member_id: self.member.into(),
            member_epoch: epoch,
            instance_id: self.instance(),
            rebalance_timeout_ms: timeout,
            subscribed_topic_names: subscribe.then(|| self.topics.iter().map(|topic| topic.as_str().into()).collect()),
            server_assignor: self.settings.assignor.as_deref().filter(|_| subscribe).map(Into::into),
            topic_partitions: owned.map(|owned| self.by_id(owned)),
            ..Default::default()
        };
        let answer =
            link.call_while(ApiKey::ConsumerGroupHeartbeat, |out, version| request.encode(out, version), go_on)?;
        let Some(answer) = answer else { return Ok(None) };
        let (mut cursor, version) = answer.body();
        let response = ConsumerGroupHeartbeatResponse::decode(&mut cursor, version)
            .during(|| "read a consumer-group-heartbeat answer".to_owned())?;
        let error = ErrorCode::from_code(response.error_code);
        if error.is_error() {
            return Ok(Some(refused(error)));
        }
        let names: BTreeMap<Uuid, &str> = self.ids.iter().map(|(name, id)| (*id, name.as_str())).collect();
        let assignment = response.assignment.map(|assignment| {
            let topics = assignment.topic_partitions.into_iter();
            // A topic that is gone has no name any more: nothing can be read of it.
            let known = topics.filter_map(|topic| Some((*names.get(&topic.topic_id)?, topic.partitions)));
            known
                .flat_map(|(name, partitions)| {
                    partitions.into_iter().map(move |index| TopicPartition::new(name, index))
                })
                .collect()
        });
        Ok(Some(Answer::ModernBeaten {
            epoch: response.member_epoch,
            interval: Duration::from_millis(u64::try_from(response.heartbeat_interval_ms).unwrap_or_default()),
            assignment,
        }))
    }

    fn by_id(&self, partitions: &Partitions) -> Vec<RequestTopicPartitions> {
        let topics = by_topic(partitions.iter().map(|place| (place, ()))).into_iter();
        let known = topics.filter_map(|(topic, partitions)| Some((*self.ids.get(topic)?, partitions)));
        known
            .map(|(topic_id, partitions)| RequestTopicPartitions {
                topic_id,
                partitions: partitions.into_iter().map(|(partition, ())| partition).collect(),
            })
            .collect()
    }

    fn instance(&self) -> Option<std::borrow::Cow<'_, str>> {
        self.settings.instance.as_deref().map(Into::into)
    }

    /// Leaves the group. A static member of a classic group stays in it: it is to come back.
    pub(super) fn leave(&self, link: &mut Link, go_on: &mut dyn FnMut() -> bool) -> Result<(), Failure> {
        if self.settings.modern {
            let (gone, away) = LEAVES;
            let epoch = if self.settings.instance.is_some() { away } else { gone };
            self.modern(link, epoch, (None, false), go_on)?;
            return Ok(());
        }
        if self.settings.instance.is_some() || self.member.is_empty() {
            return Ok(());
        }
        let encode = |out: &mut Encoder, version: ApiVersion| {
            let group_id = self.settings.group.as_str().into();
            let identity = MemberIdentity {
                member_id: self.member.into(),
                reason: Some("the consumer is being closed".into()),
                ..Default::default()
            };
            let request = if version.can(leave_group::BATCHED) {
                LeaveGroupRequest { group_id, members: vec![identity], ..Default::default() }
            } else {
                LeaveGroupRequest { group_id, member_id: self.member.into(), ..Default::default() }
            };
            request.encode(out, version)
        };
        link.call_while(ApiKey::LeaveGroup, encode, go_on)?;
        Ok(())
    }
}

fn refused(error: ErrorCode) -> Answer {
    Answer::Refused { error, member: String::new() }
}

fn millis(duration: Duration) -> i32 {
    i32::try_from(duration.as_millis()).unwrap_or(i32::MAX)
}
