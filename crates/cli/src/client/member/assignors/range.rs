//! The range assignor: of each topic, every member that reads it gets a run of neighbouring partitions.

use super::{Assignment, Subscriber, Topics, nothing, sorted};
use crate::client::offsets::TopicPartition;

/// Each member's partitions; the first few members get one partition more when they do not come out even.
pub(super) fn assign(members: &[Subscriber], topics: &Topics) -> Assignment {
    let sorted = sorted(members);
    let mut assigned = nothing(members);
    for (topic, all) in topics {
        let readers: Vec<&&Subscriber> = sorted.iter().filter(|member| member.topics.contains(topic)).collect();
        if readers.is_empty() {
            continue;
        }
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
