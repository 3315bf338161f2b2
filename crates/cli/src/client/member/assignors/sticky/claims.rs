//! Who had which partition, by what the members say: of two who claim one, the one with the later generation had it.

use super::{Assignment, Partitions, Subscriber, Topics};
use crate::client::member::assignors::nothing;
use crate::client::offsets::TopicPartition;
use std::collections::BTreeMap;

/// What each member had.
pub(super) struct Claims {
    /// By member; every partition is at most one member's, and there is a topic and a partition for each.
    pub(super) owned: Assignment,
    /// Partitions that several members claim for the same generation: nobody is believed.
    pub(super) disputed: Partitions,
}

impl Claims {
    /// The claims of `members`.
    pub(super) fn of(members: &[Subscriber], topics: &Topics) -> Claims {
        let mut claims = Claims { owned: nothing(members), disputed: Partitions::new() };
        let mut owners: BTreeMap<&TopicPartition, &Subscriber> = BTreeMap::new();
        let exists = |place: &TopicPartition| {
            topics.get(&place.topic).is_some_and(|partitions| partitions.contains(&place.partition))
        };
        for member in members {
            for place in member.owned.iter().filter(|place| exists(place)) {
                match owners.get(place) {
                    Some(other) if other.generation > member.generation => continue,
                    Some(other) => claims.take(place, &other.member),
                    None => {}
                }
                match owners.insert(place, member) {
                    Some(other) if other.generation == member.generation => {
                        claims.disputed.insert(place.clone());
                    }
                    Some(_) | None => claims.give(place, &member.member),
                }
            }
        }
        for partitions in claims.owned.values_mut() {
            partitions.retain(|place| !claims.disputed.contains(place));
        }
        claims
    }

    fn give(&mut self, place: &TopicPartition, member: &str) {
        self.owned.entry(member.to_owned()).or_default().insert(place.clone());
    }

    fn take(&mut self, place: &TopicPartition, member: &str) {
        self.owned.entry(member.to_owned()).or_default().remove(place);
    }
}
