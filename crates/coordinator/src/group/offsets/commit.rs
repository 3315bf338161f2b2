//! OffsetCommit: who may commit, and the records that follow.

use super::command::{Answer, Commit, CommitPartition, CommitTopic, Outcome};
use crate::group::any::{Group, Validated};
use crate::group::{Change, Fault, GroupSettings, Record};
use crate::machine::Now;
use ottla_messages::records::group::{OffsetCommitKey, OffsetCommitValue};
use std::borrow::Cow;

/// What follows from a commit to `group`, if there is one of that id.
///
/// # Errors
/// The refusal of the whole request.
pub(in crate::group) fn commit(
    settings: &GroupSettings,
    group: Option<&Group>,
    commit: &Commit,
    now: Now,
) -> Result<(Vec<Change>, Answer), Fault> {
    let validated = validate(group, commit)?;
    let mut changes = Vec::new();
    let mut outcomes = Vec::with_capacity(commit.topics.len());
    for topic in &commit.topics {
        let mut of_topic: Vec<Outcome> = Vec::with_capacity(topic.partitions.len());
        for partition in &topic.partitions {
            if is_too_long(&partition.metadata, settings.offsets.metadata_bytes_max) {
                of_topic.push((partition.index, Err(Fault::OffsetMetadataTooLarge)));
                continue;
            }
            // One partition that the member has lost meanwhile refuses the whole request (KIP-1251).
            validated.check(&topic.id, partition.index)?;
            changes.push(Change::Record(record(commit, topic, partition, now)));
            of_topic.push((partition.index, Ok(())));
        }
        outcomes.push(of_topic);
    }
    Ok((changes, Answer::Committed(outcomes)))
}

fn validate(group: Option<&Group>, commit: &Commit) -> Result<Validated, Fault> {
    match group {
        Some(group) => group.validate_commit(commit),
        // A client that is no member: the record makes a group that has offsets and nothing else.
        None if commit.epoch < 0 => Ok(Validated::All),
        None if commit.knows_epochs => Err(Fault::GroupNotFound(commit.group.clone())),
        None => Err(Fault::IllegalGeneration { group: -1, request: commit.epoch }),
    }
}

/// Kafka counts UTF-16 units.
fn is_too_long(metadata: &str, max: usize) -> bool {
    metadata.len() > max && metadata.encode_utf16().count() > max
}

fn record(commit: &Commit, topic: &CommitTopic, partition: &CommitPartition, now: Now) -> Record<'static> {
    let key = OffsetCommitKey {
        group: Cow::Owned(commit.group.to_string()),
        topic: Cow::Owned(topic.name.to_string()),
        partition: partition.index,
    };
    let value = OffsetCommitValue {
        offset: partition.offset,
        leader_epoch: partition.leader_epoch,
        metadata: Cow::Owned(partition.metadata.clone()),
        commit_timestamp: now.wall.0,
        expire_timestamp: commit.retention_ms.map_or(-1, |retention| now.wall.0.saturating_add(retention)),
        topic_id: topic.id,
    };
    Record::Offset(key, Some(value))
}
