//! Offsets that are taken back: by OffsetDelete, with their group, or with their topic.

use super::command::{Answer, Delete, Outcome};
use super::store::Offsets;
use crate::group::any::Group;
use crate::group::{Change, Fault, Record};
use ottla_messages::records::group::OffsetCommitKey;
use ottla_metadata::Image;
use std::borrow::Cow;
use std::collections::BTreeSet;

/// What follows from OffsetDelete.
///
/// # Errors
/// The refusal of the whole request.
pub(in crate::group) fn delete(
    offsets: &Offsets,
    group: Option<&Group>,
    delete: &Delete,
) -> Result<(Vec<Change>, Answer), Fault> {
    let group = group.ok_or_else(|| Fault::GroupNotFound(delete.group.clone()))?;
    group.validate_offset_delete(&delete.group)?;
    let mut changes = Vec::new();
    let mut outcomes = Vec::with_capacity(delete.topics.len());
    for (topic, partitions) in &delete.topics {
        let is_subscribed = group.is_subscribed(topic);
        let mut of_topic: Vec<Outcome> = Vec::with_capacity(partitions.len());
        for partition in partitions {
            if is_subscribed {
                of_topic.push((*partition, Err(Fault::SubscribedToTopic)));
                continue;
            }
            let is_there = offsets.get(&delete.group, topic, *partition).is_some()
                || offsets.is_open(&delete.group, topic, *partition);
            if is_there {
                changes.push(tombstone(&delete.group, topic, *partition));
            }
            of_topic.push((*partition, Ok(())));
        }
        outcomes.push(of_topic);
    }
    Ok((changes, Answer::Deleted(outcomes)))
}

/// Takes back all offsets of a group, those of open transactions included.
pub(in crate::group) fn tombstones(offsets: &Offsets, group: &str) -> Vec<Change> {
    let committed = offsets.of_group(group).map(|(topic, partition, _)| (&**topic, partition));
    let open = offsets.open_of_group(group).map(|(topic, partition)| (&**topic, partition));
    let places: BTreeSet<(&str, i32)> = committed.chain(open).collect();
    places.into_iter().map(|(topic, partition)| tombstone(group, topic, partition)).collect()
}

/// Takes back the offsets of topics that are gone, or that were made anew since.
pub(in crate::group) fn outdated(offsets: &Offsets, image: &Image) -> Vec<Change> {
    let outdated = offsets.outdated(|name| image.topic(name).map(|topic| topic.id));
    outdated.into_iter().map(|(group, topic, partition)| tombstone(group, topic, partition)).collect()
}

pub(super) fn tombstone(group: &str, topic: &str, partition: i32) -> Change {
    let key = OffsetCommitKey { group: Cow::Owned(group.to_owned()), topic: Cow::Owned(topic.to_owned()), partition };
    Change::Record(Record::Offset(key, None))
}
