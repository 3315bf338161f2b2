//! The range assignor: of each topic, every member that reads it gets a run of neighbouring partitions.

use super::Partitions;
use crate::client::offsets::TopicPartition;
use std::collections::{BTreeMap, BTreeSet};

/// A member as its leader sees it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Subscriber {
    /// Its id.
    pub(super) member: String,
    /// `group.instance.id` of a static member.
    pub(super) instance: Option<String>,
    /// The topics it reads.
    pub(super) topics: Vec<String>,
}

/// Each member's partitions. Static members come first, by instance id, then the others, by member id; the first few get one
/// partition more when they do not come out even.
pub(super) fn assign(members: &[Subscriber], partitions: &BTreeMap<String, Vec<i32>>) -> BTreeMap<String, Partitions> {
    let mut sorted: Vec<&Subscriber> = members.iter().collect();
    sorted.sort_by_key(|member| (member.instance.is_none(), member.instance.as_deref(), member.member.as_str()));
    let mut assigned: BTreeMap<String, Partitions> =
        sorted.iter().map(|member| (member.member.clone(), Partitions::new())).collect();
    let topics: BTreeSet<&String> = members.iter().flat_map(|member| &member.topics).collect();
    for (topic, all) in topics.into_iter().filter_map(|topic| partitions.get_key_value(topic)) {
        let readers: Vec<&&Subscriber> = sorted.iter().filter(|member| member.reads(topic)).collect();
        let (each, more) = (all.len() / readers.len(), all.len() % readers.len());
        let mut rest = all.as_slice();
        for (at, reader) in readers.iter().enumerate() {
            let (own, others) = rest.split_at(each + usize::from(at < more));
            let own = own.iter().map(|partition| TopicPartition::new(topic.as_str(), *partition));
            assigned.entry(reader.member.clone()).or_default().extend(own);
            rest = others;
        }
    }
    assigned
}
