//! Members that read different topics: each keeps what it had, and a partition moves when that makes two members more even.

use super::claims::Claims;
use super::{Assignment, Partitions, Shared, Subscriber, Topics};
use crate::client::member::assignors::subscribed;
use crate::client::offsets::TopicPartition;
use std::collections::{BTreeMap, BTreeSet};

/// An assignment in which no partition could go to a reader of its topic that has at least two fewer than its owner.
pub(super) fn assign(members: &[Subscriber], topics: &Topics, claims: Claims) -> Shared {
    let readers = readers(members);
    let mut assignment = claims.owned;
    for member in members {
        let own = assignment.entry(member.member.clone()).or_default();
        own.retain(|place| member.topics.contains(&place.topic));
    }
    let had: Partitions = assignment.values().flatten().cloned().collect();
    let mut all: Vec<TopicPartition> = subscribed(members, topics).collect();
    // Topics with few readers first: they have the least choice.
    all.sort_by_key(|place| readers.get(place.topic.as_str()).map_or(0, BTreeSet::len));
    let (kept, free): (Vec<TopicPartition>, Vec<TopicPartition>) =
        all.into_iter().partition(|place| had.contains(place));
    for place in &free {
        if let Some(member) = least(&assignment, &readers, place) {
            assignment.entry(member).or_default().insert(place.clone());
        }
    }
    even_out(&mut assignment, &readers, &kept, &free);
    let moving = moving(members, &assignment);
    Shared { assignment, moving }
}

type Readers<'a> = BTreeMap<&'a str, BTreeSet<&'a str>>;

fn readers(members: &[Subscriber]) -> Readers<'_> {
    let mut readers = Readers::new();
    for member in members {
        for topic in &member.topics {
            readers.entry(topic).or_default().insert(&member.member);
        }
    }
    readers
}

fn count(assignment: &Assignment, member: &str) -> usize {
    assignment.get(member).map_or(0, BTreeSet::len)
}

/// The reader of a partition's topic that has the fewest partitions.
fn least(assignment: &Assignment, readers: &Readers<'_>, place: &TopicPartition) -> Option<String> {
    let readers = readers.get(place.topic.as_str())?;
    readers.iter().min_by_key(|member| (count(assignment, member), **member)).map(|member| (*member).to_owned())
}

/// Moves partitions as long as that helps, those that nobody had before each that somebody keeps. Each move makes the sum of the
/// squares of the shares less, so that there is an end.
fn even_out(assignment: &mut Assignment, readers: &Readers<'_>, kept: &[TopicPartition], free: &[TopicPartition]) {
    let mut owners: BTreeMap<TopicPartition, String> = BTreeMap::new();
    for (member, partitions) in assignment.iter() {
        owners.extend(partitions.iter().map(|place| (place.clone(), member.clone())));
    }
    let mut moves = |place: &TopicPartition| {
        let (Some(owner), Some(other)) = (owners.get(place), least(assignment, readers, place)) else { return false };
        let helps = count(assignment, &other) + 1 < count(assignment, owner);
        if helps {
            assignment.entry(owner.clone()).or_default().remove(place);
            assignment.entry(other.clone()).or_default().insert(place.clone());
            owners.insert(place.clone(), other);
        }
        helps
    };
    let mut still = 0;
    for place in kept.iter().cycle() {
        while free.iter().any(&mut moves) {}
        still = if moves(place) { 0 } else { still + 1 };
        if still > kept.len() {
            break;
        }
    }
    while free.iter().any(&mut moves) {}
}

/// What somebody claims to read and is another's in `assignment`.
fn moving(members: &[Subscriber], assignment: &Assignment) -> Partitions {
    let mut added = Partitions::new();
    let mut revoked = Partitions::new();
    for member in members {
        let own = assignment.get(&member.member);
        let has = |place: &TopicPartition| own.is_some_and(|own| own.contains(place));
        revoked.extend(member.owned.iter().filter(|place| !has(place)).cloned());
        added.extend(own.into_iter().flatten().filter(|place| !member.owned.contains(place)).cloned());
    }
    added.intersection(&revoked).cloned().collect()
}
