//! Records change the group; a group begins with the first record that is about it and ends with the last taken back.

use super::member::{ClassicMember, LEAVE_EPOCH};
use super::{ConsumerGroup, Member, MemberState, Owned, Partitions, Resolved};
use crate::group::Record;
use crate::group::command::Client;
use ottla_messages::records::group as schema;
use ottla_messages::records::group::consumer_group_current_member_assignment::TopicPartitions;
use std::borrow::Cow;
use std::sync::Arc;

/// Whether a group is still there after a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    /// It is.
    There,
    /// Its record was taken back.
    Gone,
}

/// The group that a record of KIP-848 groups is about, and whether the record states something; None for other records.
#[must_use]
pub fn group_of<'r>(record: &'r Record<'_>) -> Option<(&'r str, bool)> {
    Some(match record {
        Record::Consumer(key, value) => (&key.group_id, value.is_some()),
        Record::Member(key, value) => (&key.group_id, value.is_some()),
        Record::Target(key, value) => (&key.group_id, value.is_some()),
        Record::MemberTarget(key, value) => (&key.group_id, value.is_some()),
        Record::MemberCurrent(key, value) => (&key.group_id, value.is_some()),
        Record::Pattern(key, value) => (&key.group_id, value.is_some()),
        Record::Topics(key, value) => (&key.group_id, value.is_some()),
        Record::Offset(..) | Record::Classic(..) => return None,
    })
}

impl ConsumerGroup {
    /// Applies a record that is about this group.
    pub fn replay(&mut self, record: &Record<'_>) -> Standing {
        match record {
            Record::Consumer(_, Some(value)) => {
                self.epoch = value.epoch;
                self.metadata_hash = value.metadata_hash;
            }
            Record::Consumer(_, None) => return Standing::Gone,
            Record::Member(key, Some(value)) => self.replay_member(&key.member_id, value),
            Record::Member(key, None) => self.remove_member(&key.member_id),
            Record::Target(_, value) => {
                let stated = value.as_ref().map(|value| (value.assignment_epoch, value.assignment_timestamp));
                (self.target_epoch, self.target_at) = stated.unwrap_or((-1, 0));
            }
            Record::MemberTarget(key, Some(value)) => {
                let listed = value.topic_partitions.iter().map(|topic| (topic.topic_id, topic.partitions.clone()));
                let target: Partitions = listed.collect();
                self.target.insert(self.name_of(&key.member_id), Arc::new(target));
            }
            Record::MemberTarget(key, None) => drop(self.target.remove(&*key.member_id)),
            Record::MemberCurrent(key, Some(value)) => self.replay_current(&key.member_id, value),
            Record::MemberCurrent(key, None) => self.replay_nothing(&key.member_id),
            Record::Pattern(key, value) => {
                let resolved = value.as_ref().map(|value| Resolved {
                    topics: value.topics.iter().map(|topic| Arc::from(&**topic)).collect(),
                    version: value.version,
                    timestamp: value.timestamp,
                });
                self.put_resolved(&key.regular_expression, resolved);
            }
            Record::Topics(_, value) => self.has_topics_record = value.is_some(),
            // Other kinds are not about this group.
            Record::Offset(..) | Record::Classic(..) => {}
        }
        Standing::There
    }

    fn name_of(&self, member: &str) -> Arc<str> {
        self.members.get(member).map_or_else(|| member.into(), |member| Arc::clone(&member.id))
    }

    fn member_or_new(&self, id: &str) -> Member {
        self.members.get(id).map_or_else(|| Member::new(id.into()), |member| Member::clone(member))
    }

    fn replay_member(&mut self, id: &str, value: &schema::ConsumerGroupMemberMetadataValue<'_>) {
        let shared = |text: &Option<Cow<'_, str>>| text.as_ref().map(|text| Arc::from(&**text));
        let classic = value.classic_member_metadata.as_ref().map(|classic| {
            let listed = classic.supported_protocols.iter();
            Arc::new(ClassicMember {
                session_ms: classic.session_timeout_ms,
                protocols: listed.map(|one| (Arc::from(&*one.name), Arc::from(&*one.metadata))).collect(),
            })
        });
        let member = Member {
            instance: shared(&value.instance_id),
            rack: shared(&value.rack_id),
            rebalance_ms: value.rebalance_timeout_ms,
            client: Client { id: Arc::from(&*value.client_id), host: Arc::from(&*value.client_host) },
            names: Arc::new(value.subscribed_topic_names.iter().map(|name| Arc::from(&**name)).collect()),
            pattern: shared(&value.subscribed_topic_regex).unwrap_or_else(|| "".into()),
            assignor: shared(&value.server_assignor),
            classic,
            ..self.member_or_new(id)
        };
        self.put_member(member);
    }

    fn replay_current(&mut self, id: &str, value: &schema::ConsumerGroupCurrentMemberAssignmentValue) {
        let member = Member {
            epoch: value.member_epoch,
            previous_epoch: value.previous_member_epoch,
            state: MemberState::of_number(value.state),
            assigned: owned(&value.assigned_partitions, value.member_epoch),
            revoking: owned(&value.partitions_pending_revocation, value.member_epoch),
            ..self.member_or_new(id)
        };
        self.put_member(member);
    }

    fn replay_nothing(&mut self, id: &str) {
        let Some(member) = self.members.get(id) else { return };
        let member = Member {
            epoch: LEAVE_EPOCH,
            previous_epoch: LEAVE_EPOCH,
            assigned: Owned::default(),
            revoking: Owned::default(),
            ..Member::clone(member)
        };
        self.put_member(member);
    }
}

/// Releases before KIP-1251 wrote no epochs of partitions: theirs is the member's.
fn owned(topics: &[TopicPartitions], member_epoch: i32) -> Owned {
    let mut all = Owned::default();
    for topic in topics {
        let epochs = topic.assignment_epochs.as_deref().filter(|epochs| epochs.len() == topic.partitions.len());
        let epoch = |at: usize| epochs.and_then(|epochs| epochs.get(at)).copied().unwrap_or(member_epoch.max(0));
        all.add(topic.topic_id, topic.partitions.iter().enumerate().map(|(at, partition)| (*partition, epoch(at))));
    }
    all
}
