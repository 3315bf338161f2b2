//! How the leader of a classic group shares out the partitions: Kafka's four assignors.

mod range;
mod round_robin;
mod sticky;

#[cfg(test)]
mod tests;

use super::Partitions;
use crate::client::offsets::TopicPartition;
use std::collections::{BTreeMap, BTreeSet};

/// The partitions of each topic.
pub(super) type Topics = BTreeMap<String, Vec<i32>>;
/// Each member's partitions.
pub(super) type Assignment = BTreeMap<String, Partitions>;

/// An assignor of `partition.assignment.strategy`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Assignor {
    /// Of each topic, neighbours.
    Range,
    /// Of all topics, one partition each in turn.
    RoundRobin,
    /// Evenly, and what a member had stays with it.
    Sticky,
    /// The same, and members keep reading what stays with them while the group changes.
    CooperativeSticky,
}

/// Name in JoinGroup and class in `partition.assignment.strategy`.
const NAMES: [(Assignor, &str, &str); 4] = [
    (Assignor::Range, "range", "org.apache.kafka.clients.consumer.RangeAssignor"),
    (Assignor::RoundRobin, "roundrobin", "org.apache.kafka.clients.consumer.RoundRobinAssignor"),
    (Assignor::Sticky, "sticky", "org.apache.kafka.clients.consumer.StickyAssignor"),
    (Assignor::CooperativeSticky, "cooperative-sticky", "org.apache.kafka.clients.consumer.CooperativeStickyAssignor"),
];

/// A member as its leader sees it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Subscriber {
    /// Its id.
    pub(super) member: String,
    /// `group.instance.id` of a static member.
    pub(super) instance: Option<String>,
    /// The topics it reads.
    pub(super) topics: BTreeSet<String>,
    /// What it says it reads or has read.
    pub(super) owned: Partitions,
    /// In which generation; -1 in none.
    pub(super) generation: i32,
}

impl Assignor {
    /// What a consumer of Kafka offers when nothing else is asked for.
    pub(crate) const DEFAULT: [Assignor; 2] = [Assignor::Range, Assignor::CooperativeSticky];

    /// The name in JoinGroup.
    pub(super) fn name(self) -> &'static str {
        let row = NAMES.iter().find(|(assignor, _, _)| *assignor == self);
        row.map(|(_, name, _)| *name).expect("the table has a row for each assignor")
    }

    /// The assignor that a coordinator names.
    pub(super) fn named(name: &str) -> Option<Assignor> {
        NAMES.iter().find(|(_, known, _)| *known == name).map(|(assignor, _, _)| *assignor)
    }

    /// The assignors of `partition.assignment.strategy`, the preferred one first; the class that is not there is the error.
    pub(crate) fn parse(strategy: &str) -> Result<Vec<Assignor>, String> {
        let classes = strategy.split(',').map(str::trim).filter(|class| !class.is_empty());
        let known = |class: &str| NAMES.iter().find(|(_, name, known)| [*name, *known].contains(&class));
        classes.map(|class| known(class).map(|(assignor, _, _)| *assignor).ok_or_else(|| class.to_owned())).collect()
    }

    /// The classes that there are.
    pub(crate) fn classes() -> Vec<&'static str> {
        NAMES.iter().map(|(_, _, class)| *class).collect()
    }

    /// Whether members may go on reading while the group changes, as long as each gives up first what others are to get.
    pub(super) fn is_cooperative(self) -> bool {
        match self {
            Assignor::Range | Assignor::RoundRobin | Assignor::Sticky => false,
            Assignor::CooperativeSticky => true,
        }
    }

    /// Each member's partitions. With [`Assignor::CooperativeSticky`], a partition that has to be given up first is nobody's:
    /// the one who gives it up joins again, and it is shared out then.
    pub(super) fn assign(self, members: &[Subscriber], topics: &Topics) -> Assignment {
        match self {
            Assignor::Range => range::assign(members, topics),
            Assignor::RoundRobin => round_robin::assign(members, topics),
            Assignor::Sticky => sticky::assign(members, topics).assignment,
            Assignor::CooperativeSticky => {
                let mut shared = sticky::assign(members, topics);
                for partitions in shared.assignment.values_mut() {
                    partitions.retain(|place| !shared.moving.contains(place));
                }
                shared.assignment
            }
        }
    }
}

/// Kafka's order of members: static ones by instance id, then the others by member id.
fn sorted(members: &[Subscriber]) -> Vec<&Subscriber> {
    let mut sorted: Vec<&Subscriber> = members.iter().collect();
    sorted.sort_by_key(|member| (member.instance.is_none(), member.instance.as_deref(), member.member.as_str()));
    sorted
}

/// Nothing for each member.
fn nothing(members: &[Subscriber]) -> Assignment {
    members.iter().map(|member| (member.member.clone(), Partitions::new())).collect()
}

/// The partitions of topics that somebody reads, by topic and number.
fn subscribed<'a>(members: &'a [Subscriber], topics: &'a Topics) -> impl Iterator<Item = TopicPartition> + 'a {
    let read: BTreeSet<&String> = members.iter().flat_map(|member| &member.topics).collect();
    let read = topics.iter().filter(move |(topic, _)| read.contains(topic));
    read.flat_map(|(topic, all)| all.iter().map(|partition| TopicPartition::new(topic.as_str(), *partition)))
}
