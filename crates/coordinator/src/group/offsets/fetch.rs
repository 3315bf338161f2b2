//! OffsetFetch: what a group has committed.

use super::command::{Answer, Fetch, FetchTopic, Fetched, FetchedTopic};
use super::store::{Committed, Offsets};
use crate::group::any::Group;
use crate::group::fault::Fault;
use ottla_metadata::Image;
use ottla_wire::Uuid;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Answers a fetch; a group that is not there has committed nothing.
///
/// # Errors
/// The refusal of the whole group.
pub(in crate::group) fn fetch(
    image: &Image,
    offsets: &Offsets,
    group: Option<&Group>,
    fetch: &Fetch,
) -> Result<Answer, Fault> {
    if let Some(group) = group {
        group.validate_fetch(&fetch.group, fetch.member.as_deref(), fetch.epoch)?;
    }
    let reader = Reader { image, offsets, group: &fetch.group, require_stable: fetch.require_stable };
    Ok(Answer::Fetched(match &fetch.topics {
        Some(topics) => topics.iter().map(|topic| reader.topic(topic)).collect(),
        None => reader.all(),
    }))
}

struct Reader<'a> {
    image: &'a Image,
    offsets: &'a Offsets,
    group: &'a str,
    require_stable: bool,
}

impl Reader<'_> {
    fn topic(&self, topic: &FetchTopic) -> FetchedTopic {
        let id = if topic.id.is_zero() { self.current_id(&topic.name) } else { topic.id };
        let fetched = |index: &i32| {
            let committed = self.offsets.get(self.group, &topic.name, *index).filter(|committed| committed.is_of(id));
            let is_open = self.require_stable && self.offsets.is_open(self.group, &topic.name, *index);
            shown(*index, committed, is_open)
        };
        FetchedTopic {
            name: topic.name.clone(),
            id: topic.id,
            partitions: topic.partitions.iter().map(fetched).collect(),
        }
    }

    fn all(&self) -> Vec<FetchedTopic> {
        let open: BTreeSet<(&str, i32)> = if self.require_stable {
            self.offsets.open_of_group(self.group).map(|(topic, partition)| (&**topic, partition)).collect()
        } else {
            BTreeSet::new()
        };
        let mut topics: Vec<FetchedTopic> = Vec::new();
        for (name, index, committed) in self.offsets.of_group(self.group) {
            if !topics.last().is_some_and(|topic| Arc::ptr_eq(&topic.name, name)) {
                topics.push(FetchedTopic { name: name.clone(), id: Uuid::ZERO, partitions: Vec::new() });
            }
            if committed.is_of(self.current_id(name))
                && let Some(topic) = topics.last_mut()
            {
                topic.partitions.push(shown(index, Some(committed), open.contains(&(name, index))));
            }
        }
        topics.retain(|topic| !topic.partitions.is_empty());
        topics
    }

    /// An offset of a topic that was made anew under its name is none of the new one.
    fn current_id(&self, name: &str) -> Uuid {
        self.image.topic(name).map_or(Uuid::ZERO, |topic| topic.id)
    }
}

fn shown(index: i32, committed: Option<&Committed>, is_open: bool) -> Fetched {
    let none = Fetched { index, offset: -1, leader_epoch: -1, metadata: String::new(), fault: None };
    match committed {
        _ if is_open => Fetched { fault: Some(Fault::UnstableOffset), ..none },
        None => none,
        Some(committed) => Fetched {
            index,
            offset: committed.offset,
            leader_epoch: committed.leader_epoch,
            metadata: committed.metadata.to_string(),
            fault: None,
        },
    }
}
