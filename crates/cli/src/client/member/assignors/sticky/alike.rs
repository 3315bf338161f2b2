//! Members that all read the same topics: each keeps what it had up to its share, the rest goes round.
//!
//! A share is `least` or, for as many members as partitions do not come out even, one more.

use super::claims::Claims;
use super::{Assignment, Partitions, Shared, Subscriber, Topics};
use crate::client::member::assignors::{nothing, subscribed};
use crate::client::offsets::TopicPartition;
use std::collections::{BTreeMap, VecDeque};

/// The assignment of Kafka's `ConstrainedAssignmentBuilder`.
pub(super) fn assign(members: &[Subscriber], topics: &Topics, claims: &Claims) -> Shared {
    let all: Vec<TopicPartition> = subscribed(members, topics).collect();
    let mut table = Table::new(members, all.len());
    for (member, owned) in &claims.owned {
        table.keep(member, owned);
    }
    let kept: Partitions = table.assignment.values().flatten().cloned().collect();
    let free = all.into_iter().filter(|place| !kept.contains(place));
    table.go_round(free, &claims.disputed);
    Shared { assignment: table.assignment, moving: table.moving }
}

struct Table {
    least: usize,
    /// How many members may still get one more than `least`.
    larger: usize,
    assignment: Assignment,
    /// Members with less than `least`.
    below: Vec<String>,
    /// Members with `least` that may get one more.
    even: VecDeque<String>,
    /// Who had what it does not keep.
    given_up: BTreeMap<TopicPartition, String>,
    moving: Partitions,
}

impl Table {
    fn new(members: &[Subscriber], partitions: usize) -> Table {
        let count = members.len().max(1);
        Table {
            least: partitions / count,
            larger: partitions % count,
            assignment: nothing(members),
            below: Vec::new(),
            even: VecDeque::new(),
            given_up: BTreeMap::new(),
            moving: Partitions::new(),
        }
    }

    /// Lets a member keep what it had, low partition numbers first, up to its share.
    fn keep(&mut self, member: &str, owned: &Partitions) {
        let mut sorted: Vec<&TopicPartition> = owned.iter().collect();
        sorted.sort_by_key(|place| (place.partition, place.topic.as_str()));
        let share = if sorted.len() > self.least && self.larger > 0 {
            self.larger -= 1;
            if self.larger == 0 {
                self.even.clear();
            }
            self.least + 1
        } else {
            if sorted.len() < self.least {
                self.below.push(member.to_owned());
            } else if self.larger > 0 {
                self.even.push_back(member.to_owned());
            }
            self.least
        };
        for (at, place) in sorted.into_iter().enumerate() {
            if at < share {
                self.give(member, place.clone());
            } else {
                self.given_up.insert(place.clone(), member.to_owned());
            }
        }
    }

    /// Gives out what nobody keeps: one each to those below their share in turn, then one more to the others.
    fn go_round(&mut self, free: impl Iterator<Item = TopicPartition>, disputed: &Partitions) {
        let mut at = 0;
        for place in free {
            if at >= self.below.len() {
                at = 0;
            }
            let next = self.below.get(at).cloned().or_else(|| self.even.pop_front());
            let Some(member) = next else { continue };
            if disputed.contains(&place) || self.given_up.get(&place).is_some_and(|owner| *owner != member) {
                self.moving.insert(place.clone());
            }
            let count = self.give(&member, place);
            if self.below.get(at) == Some(&member) {
                if count == self.least {
                    self.below.remove(at);
                    self.even.push_back(member);
                } else {
                    at += 1;
                }
            }
        }
    }

    /// Gives a partition to a member; how many it has then.
    fn give(&mut self, member: &str, place: TopicPartition) -> usize {
        let partitions = self.assignment.entry(member.to_owned()).or_default();
        partitions.insert(place);
        partitions.len()
    }
}
