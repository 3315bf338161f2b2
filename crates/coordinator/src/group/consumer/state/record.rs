//! The records that state a group, in Kafka's order.

use super::{ConsumerGroup, Member, Owned, Partitions, Resolved};
use crate::group::{Change, Record};
use ottla_messages::records::group as schema;
use ottla_messages::records::group::consumer_group_current_member_assignment::TopicPartitions;
use ottla_messages::records::group::consumer_group_member_metadata::{ClassicMemberMetadata, ClassicProtocol};
use ottla_messages::records::group::consumer_group_target_assignment_member::TopicPartition;
use ottla_wire::Uuid;
use std::borrow::Cow;
use std::sync::Arc;

fn text(text: &str) -> Cow<'static, str> {
    Cow::Owned(text.to_owned())
}

fn maybe(text: Option<&Arc<str>>) -> Option<Cow<'static, str>> {
    text.map(|text| Cow::Owned(text.to_string()))
}

/// Writes records of one group behind each other.
pub(crate) struct Writer {
    group: Arc<str>,
    /// What was written, and what else changes.
    pub(crate) changes: Vec<Change>,
}

impl Writer {
    /// Of this group.
    #[must_use]
    pub(crate) fn new(group: Arc<str>) -> Writer {
        Writer { group, changes: Vec::new() }
    }

    /// The group.
    #[must_use]
    pub(crate) fn group(&self) -> &Arc<str> {
        &self.group
    }

    fn put(&mut self, record: Record<'static>) {
        self.changes.push(Change::Record(record));
    }

    /// Epoch of the group and hash of its topics.
    pub(crate) fn epoch(&mut self, epoch: i32, metadata_hash: i64) {
        let key = schema::ConsumerGroupMetadataKey { group_id: text(&self.group) };
        self.put(Record::Consumer(key, Some(schema::ConsumerGroupMetadataValue { epoch, metadata_hash })));
    }

    /// What a member subscribes to.
    pub(crate) fn member(&mut self, member: &Member) {
        let classic = member.classic.as_deref().map(|classic| ClassicMemberMetadata {
            session_timeout_ms: classic.session_ms,
            supported_protocols: classic
                .protocols
                .iter()
                .map(|(name, metadata)| ClassicProtocol { name: text(name), metadata: Cow::Owned(metadata.to_vec()) })
                .collect(),
        });
        let value = schema::ConsumerGroupMemberMetadataValue {
            instance_id: maybe(member.instance.as_ref()),
            rack_id: maybe(member.rack.as_ref()),
            client_id: text(&member.client.id),
            client_host: text(&member.client.host),
            subscribed_topic_names: member.names.iter().map(|name| text(name)).collect(),
            subscribed_topic_regex: Some(text(&member.pattern)),
            rebalance_timeout_ms: member.rebalance_ms,
            server_assignor: maybe(member.assignor.as_ref()),
            classic_member_metadata: classic,
        };
        let key = self.member_key(&member.id);
        self.put(Record::Member(key, Some(value)));
    }

    /// What a member has.
    pub(crate) fn current(&mut self, member: &Member) {
        let value = schema::ConsumerGroupCurrentMemberAssignmentValue {
            member_epoch: member.epoch,
            previous_member_epoch: member.previous_epoch,
            state: member.state.number(),
            assigned_partitions: listed(&member.assigned),
            partitions_pending_revocation: listed(&member.revoking),
        };
        let key = self.current_key(&member.id);
        self.put(Record::MemberCurrent(key, Some(value)));
    }

    /// What a member shall have.
    pub(crate) fn target(&mut self, member: &str, partitions: &Partitions) {
        let listed = |(topic, list): (&Uuid, &[i32])| TopicPartition { topic_id: *topic, partitions: list.to_vec() };
        let value = schema::ConsumerGroupTargetAssignmentMemberValue {
            topic_partitions: partitions.iter().map(listed).collect(),
        };
        let key = self.target_key(member);
        self.put(Record::MemberTarget(key, Some(value)));
    }

    /// Epoch of the target assignment and when it was computed.
    pub(crate) fn target_epoch(&mut self, epoch: i32, timestamp: i64) {
        let key = schema::ConsumerGroupTargetAssignmentMetadataKey { group_id: text(&self.group) };
        let value = schema::ConsumerGroupTargetAssignmentMetadataValue {
            assignment_epoch: epoch,
            assignment_timestamp: timestamp,
        };
        self.put(Record::Target(key, Some(value)));
    }

    /// The topics that a pattern matches.
    pub(crate) fn pattern(&mut self, pattern: &str, resolved: &Resolved) {
        let value = schema::ConsumerGroupRegularExpressionValue {
            topics: resolved.topics.iter().map(|topic| text(topic)).collect(),
            version: resolved.version,
            timestamp: resolved.timestamp,
        };
        let key = self.pattern_key(pattern);
        self.put(Record::Pattern(key, Some(value)));
    }

    /// Takes a pattern back.
    pub(crate) fn no_pattern(&mut self, pattern: &str) {
        let key = self.pattern_key(pattern);
        self.put(Record::Pattern(key, None));
    }

    /// Takes back the topics as older releases wrote them.
    pub(crate) fn no_topics(&mut self) {
        let key = schema::ConsumerGroupPartitionMetadataKey { group_id: text(&self.group) };
        self.put(Record::Topics(key, None));
    }

    /// Takes back all that is known of a member.
    pub(crate) fn no_member(&mut self, member: &str) {
        let (current, target, key) = (self.current_key(member), self.target_key(member), self.member_key(member));
        self.put(Record::MemberCurrent(current, None));
        self.put(Record::MemberTarget(target, None));
        self.put(Record::Member(key, None));
    }

    /// Takes back the whole group. `renamed` stands in for a member whose records another one has taken over.
    pub(crate) fn no_group(&mut self, group: &ConsumerGroup, renamed: Option<(&str, &str)>) {
        let names: Vec<&str> = group
            .members
            .keys()
            .map(|id| renamed.filter(|(before, _)| *before == &**id).map_or(&**id, |(_, after)| after))
            .collect();
        for name in &names {
            let key = self.current_key(name);
            self.put(Record::MemberCurrent(key, None));
        }
        for name in &names {
            let key = self.target_key(name);
            self.put(Record::MemberTarget(key, None));
        }
        let key = schema::ConsumerGroupTargetAssignmentMetadataKey { group_id: text(&self.group) };
        self.put(Record::Target(key, None));
        for name in &names {
            let key = self.member_key(name);
            self.put(Record::Member(key, None));
        }
        group.resolved.keys().for_each(|pattern| self.no_pattern(pattern));
        self.no_topics();
        let key = schema::ConsumerGroupMetadataKey { group_id: text(&self.group) };
        self.put(Record::Consumer(key, None));
    }

    /// States a whole group.
    pub(crate) fn group_of(&mut self, group: &ConsumerGroup) {
        group.members.values().for_each(|member| self.member(member));
        self.epoch(group.epoch, group.metadata_hash);
        for id in group.members.keys() {
            self.target(id, group.target.get(id).map_or(&Partitions::default(), |target| target));
        }
        self.target_epoch(group.target_epoch, group.target_at);
        group.members.values().for_each(|member| self.current(member));
    }

    fn member_key(&self, member: &str) -> schema::ConsumerGroupMemberMetadataKey<'static> {
        schema::ConsumerGroupMemberMetadataKey { group_id: text(&self.group), member_id: text(member) }
    }

    fn current_key(&self, member: &str) -> schema::ConsumerGroupCurrentMemberAssignmentKey<'static> {
        schema::ConsumerGroupCurrentMemberAssignmentKey { group_id: text(&self.group), member_id: text(member) }
    }

    fn target_key(&self, member: &str) -> schema::ConsumerGroupTargetAssignmentMemberKey<'static> {
        schema::ConsumerGroupTargetAssignmentMemberKey { group_id: text(&self.group), member_id: text(member) }
    }

    fn pattern_key(&self, pattern: &str) -> schema::ConsumerGroupRegularExpressionKey<'static> {
        schema::ConsumerGroupRegularExpressionKey { group_id: text(&self.group), regular_expression: text(pattern) }
    }
}

fn listed(owned: &Owned) -> Vec<TopicPartitions> {
    owned
        .iter()
        .map(|(topic, list)| TopicPartitions {
            topic_id: *topic,
            partitions: list.iter().map(|(partition, _)| *partition).collect(),
            assignment_epochs: Some(list.iter().map(|(_, epoch)| *epoch).collect()),
        })
        .collect()
}
