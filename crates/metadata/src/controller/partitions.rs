//! Partitions: how they are written, and more of them for a topic.

use ottla_messages::records::metadata::{MetadataRecord, PartitionRecord};
use ottla_wire::Uuid;
use ottla_wire::error::ErrorCode;
use ottla_wire::ids::BrokerId;

use super::placement::Placer;
use super::{Answer, Decision, Moment, MorePartitions, Refusal, Repeated, Repeats};
use crate::image::partition::{DIRECTORY_MIGRATING, DIRECTORY_UNASSIGNED};
use crate::image::{Image, Topic};

/// The record of a new partition on these brokers; None when none of them serves.
pub(super) fn record(image: &Image, topic: Uuid, index: i32, replicas: &[BrokerId]) -> Option<MetadataRecord<'static>> {
    let active = |id: &&BrokerId| image.broker(**id).is_some_and(|broker| broker.is_active());
    let isr: Vec<i32> = replicas.iter().filter(active).map(|id| id.0).collect();
    let leader = *isr.first()?;
    let directories = if image.metadata_version().has_directories() {
        replicas.iter().map(|id| default_directory(image, *id)).collect()
    } else {
        Vec::new()
    };
    Some(MetadataRecord::Partition(PartitionRecord {
        partition_id: index,
        topic_id: topic,
        replicas: replicas.iter().map(|id| id.0).collect(),
        isr,
        leader,
        leader_epoch: 0,
        partition_epoch: 0,
        leader_recovery_state: 0,
        directories,
        ..PartitionRecord::default()
    }))
}

/// The directory that a new replica of a broker surely goes to: its only one.
fn default_directory(image: &Image, id: BrokerId) -> Uuid {
    match image.broker(id).map(|broker| broker.directories.as_slice()) {
        Some([]) => DIRECTORY_MIGRATING,
        Some([only]) => *only,
        Some(_) | None => DIRECTORY_UNASSIGNED,
    }
}

/// Checks the brokers that a user chose for a partition; `expected` is the replica count of the partitions before it.
pub(super) fn check_manual(image: &Image, brokers: &[i32], expected: Option<usize>) -> Result<Vec<BrokerId>, Refusal> {
    let wrong = |text: String| Err(Refusal::new(ErrorCode::INVALID_REPLICA_ASSIGNMENT, text));
    if brokers.is_empty() {
        return wrong("The manual partition assignment includes an empty replica list.".to_owned());
    }
    let mut sorted = brokers.to_vec();
    sorted.sort_unstable();
    for (at, id) in sorted.iter().enumerate() {
        if image.broker(BrokerId(*id)).is_none() {
            return wrong(format!(
                "The manual partition assignment includes broker {id}, but no such broker is registered."
            ));
        }
        if at > 0 && sorted[at - 1] == *id {
            return wrong(format!("The manual partition assignment includes the broker {id} more than once."));
        }
    }
    match expected {
        Some(count) if count != brokers.len() => wrong(format!(
            "The manual partition assignment includes a partition with {} replica(s), but this is not consistent with \
             previous partitions, which have {count} replica(s).",
            brokers.len()
        )),
        Some(_) | None => Ok(brokers.iter().copied().map(BrokerId).collect()),
    }
}

/// Decides about more partitions, each topic by itself.
pub(super) fn create(image: &Image, topics: &[MorePartitions], moment: Moment<'_>) -> Decision {
    let mut records = Vec::new();
    let mut outcomes = Vec::new();
    let mut repeats = Repeats::of(topics.iter().map(|topic| &topic.name));
    for topic in topics {
        let outcome = match repeats.first(&&topic.name) {
            None => continue,
            Some(Repeated::Yes) => Err(Refusal::new(ErrorCode::INVALID_REQUEST, "Duplicate topic name.")),
            Some(Repeated::No) => more_partitions(image, topic, moment),
        };
        outcomes.push((topic.name.clone(), outcome.map(|made| records.extend(made))));
    }
    Decision { records, answer: Answer::MorePartitions(outcomes) }
}

fn more_partitions(
    image: &Image,
    wanted: &MorePartitions,
    moment: Moment<'_>,
) -> Result<Vec<MetadataRecord<'static>>, Refusal> {
    let topic = image.topic(&wanted.name).ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?;
    let (first, additional) = check_count(topic, wanted)?;
    let replicas = topic.partitions.values().next().map_or(1, |partition| partition.replicas.as_slice().len());
    let unplaceable = |text: String| Refusal::new(ErrorCode::INVALID_REPLICATION_FACTOR, text);
    let mut placer = Placer::new(image, moment.chance);
    let factor = i16::try_from(replicas).unwrap_or(i16::MAX);
    if wanted.assignments.is_none() {
        placer.check(factor).map_err(unplaceable)?;
    }
    let mut records = Vec::new();
    for at in 0..additional.min(super::RECORDS_PER_COMMAND_MAX as i32 + 1) {
        let index = first + at;
        let brokers = match &wanted.assignments {
            Some(chosen) => check_manual(image, &chosen[at as usize], Some(replicas))?,
            None => placer.place(factor),
        };
        let made = record(image, topic.id, index, &brokers);
        records.push(made.ok_or_else(|| no_serving_broker(wanted, index, factor))?);
    }
    Ok(records)
}

fn no_serving_broker(wanted: &MorePartitions, index: i32, factor: i16) -> Refusal {
    if wanted.assignments.is_some() {
        return Refusal::new(
            ErrorCode::INVALID_REPLICA_ASSIGNMENT,
            format!(
                "All brokers specified in the manual partition assignment for partition {index} are fenced or in \
                 controlled shutdown."
            ),
        );
    }
    Refusal::new(
        ErrorCode::INVALID_REPLICATION_FACTOR,
        format!(
            "Unable to replicate the partition {factor} time(s): All brokers are currently fenced or in controlled \
             shutdown."
        ),
    )
}

/// The first new partition and how many there are.
fn check_count(topic: &Topic, wanted: &MorePartitions) -> Result<(i32, i32), Refusal> {
    let current = i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX);
    let wrong = |text: String| Err(Refusal::new(ErrorCode::INVALID_PARTITIONS, text));
    if wanted.count == current {
        return wrong(format!("Topic already has {current} partition(s)."));
    }
    if wanted.count < current {
        return wrong(format!(
            "The topic {} currently has {current} partition(s); {} would not be an increase.",
            wanted.name, wanted.count
        ));
    }
    let additional = wanted.count - current;
    match &wanted.assignments {
        Some(chosen) if chosen.len() != additional as usize => Err(Refusal::new(
            ErrorCode::INVALID_REPLICA_ASSIGNMENT,
            format!(
                "Attempted to add {additional} additional partition(s), but only {} assignment(s) were specified.",
                chosen.len()
            ),
        )),
        Some(_) | None => Ok((current, additional)),
    }
}
