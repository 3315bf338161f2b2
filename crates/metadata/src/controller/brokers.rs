//! Brokers come, serve, fall silent and leave.

use std::collections::BTreeMap;

use ottla_messages::records::metadata::{BrokerRegistrationChangeRecord, MetadataRecord, PartitionChangeRecord};
use ottla_wire::Uuid;
use ottla_wire::error::ErrorCode;
use ottla_wire::ids::{BrokerId, PartitionIndex};

use super::{Answer, Decision, Moment, Refusal};
use crate::features;
use crate::image::node::SupportedLevels;
use crate::image::{Broker, Image, NO_LEADER, NodeEndpoint, Partition};

/// What a broker's process says about itself when it joins.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Registration {
    /// Its id.
    pub id: BrokerId,
    /// Number of the process.
    pub incarnation: Uuid,
    /// Where it is reached.
    pub endpoints: Vec<NodeEndpoint>,
    /// Its rack.
    pub rack: Option<String>,
    /// Its log directories.
    pub directories: Vec<Uuid>,
    /// Epoch that its last clean stop left behind; -1 after an unclean one.
    pub previous_epoch: i64,
    /// Another process with this id is still heard of.
    pub rival_alive: bool,
}

/// Refuses a command of a broker that is not the one registered now.
pub(super) fn check_epoch(image: &Image, id: BrokerId, epoch: i64) -> Result<&Broker, Refusal> {
    let broker = image.broker(id).ok_or_else(|| {
        Refusal::new(ErrorCode::STALE_BROKER_EPOCH, format!("No broker registration found for broker id {id}"))
    })?;
    if broker.epoch != epoch {
        return Err(Refusal::new(
            ErrorCode::STALE_BROKER_EPOCH,
            format!("Expected broker epoch {}, but got broker epoch {epoch}", broker.epoch),
        ));
    }
    Ok(broker)
}

/// A new registration begins fenced, under the offset of its record as epoch.
pub(super) fn register(image: &Image, wanted: &Registration, moment: Moment<'_>) -> Result<Decision, Refusal> {
    let former = image.broker(wanted.id).filter(|former| former.incarnation != wanted.incarnation);
    if former.is_some() && wanted.rival_alive {
        return Err(Refusal::new(
            ErrorCode::DUPLICATE_BROKER_REGISTRATION,
            format!("Another broker is registered with broker id {} and still alive.", wanted.id),
        ));
    }
    check_directories(image, wanted)?;
    let broker = Broker {
        id: wanted.id,
        epoch: moment.next_offset,
        incarnation: wanted.incarnation,
        endpoints: wanted.endpoints.clone(),
        features: advertised(),
        rack: wanted.rack.clone(),
        fenced: true,
        in_controlled_shutdown: false,
        directories: wanted.directories.clone(),
        cordoned: None,
        migrating: false,
    };
    Ok(Decision {
        records: vec![MetadataRecord::RegisterBroker(broker.to_record(image.metadata_version()))],
        answer: Answer::Registered {
            epoch: moment.next_offset,
            new_terms: former.is_some_and(|former| former.epoch != wanted.previous_epoch),
        },
    })
}

fn advertised() -> BTreeMap<String, SupportedLevels> {
    features::advertised()
        .map(|feature| (feature.name.to_owned(), SupportedLevels { min: feature.min, max: feature.max }))
        .collect()
}

fn check_directories(image: &Image, wanted: &Registration) -> Result<(), Refusal> {
    let wrong = |text: &str| Err(Refusal::new(ErrorCode::INVALID_REGISTRATION, text.to_owned()));
    if wanted.directories.is_empty() && image.metadata_version().has_directories() {
        return wrong("No directories specified in request");
    }
    for (at, directory) in wanted.directories.iter().enumerate() {
        // The first hundred ids mean things such as "unassigned" (KIP-858).
        if directory.0[..15] == [0; 15] && directory.0[15] < 100 {
            return wrong("Reserved directory ID in request");
        }
        if wanted.directories[..at].contains(directory) {
            return wrong("Duplicate directory ID in request");
        }
    }
    Ok(())
}

/// The broker serves again and leads what nobody leads and it has in full; with `new_terms` also what it led already.
pub(super) fn unfence(image: &Image, (id, epoch): (BrokerId, i64), new_terms: bool) -> Result<Decision, Refusal> {
    let broker = check_epoch(image, id, epoch)?;
    let mut records = Vec::new();
    if broker.fenced {
        records.push(MetadataRecord::BrokerRegistrationChange(BrokerRegistrationChangeRecord {
            fenced: -1,
            ..registration_change(id, epoch)
        }));
        let waiting = |partition: &Partition| partition.leader == NO_LEADER || (new_terms && partition.leader == id);
        records.extend(partitions(image, waiting).filter_map(|partition| lead(id, partition)));
    }
    Ok(Decision { records, answer: Answer::Done })
}

/// The change that begins a broker's term as the leader of a partition; None when it may not have every acknowledged record.
/// It has them as an in-sync replica, as an eligible leader replica (KIP-966), or as the last leader that was known when
/// nobody is left who surely has them.
fn lead(
    id: BrokerId,
    (topic, index, partition): (Uuid, PartitionIndex, &Partition),
) -> Option<MetadataRecord<'static>> {
    let mut record = PartitionChangeRecord { leader: id.0, ..change(topic, index) };
    if !partition.isr.contains(id) {
        let is_last = partition.isr.as_slice().is_empty() && partition.elr().is_empty();
        let is_last_known = is_last && partition.last_known_elr() == [id.0];
        if !(is_last_known || partition.elr().contains(&id.0)) {
            return None;
        }
        record.isr = Some(vec![id.0]);
        record.eligible_leader_replicas =
            Some(partition.elr().iter().copied().filter(|other| *other != id.0).collect());
        record.last_known_elr = Some(Vec::new());
    }
    Some(MetadataRecord::PartitionChange(record))
}

/// The broker serves nobody; others that are in sync take over what it leads.
pub(super) fn fence(image: &Image, id: BrokerId, epoch: i64) -> Result<Decision, Refusal> {
    let broker = check_epoch(image, id, epoch)?;
    let mut records = Vec::new();
    if !broker.fenced {
        records.push(MetadataRecord::BrokerRegistrationChange(BrokerRegistrationChangeRecord {
            fenced: 1,
            ..registration_change(id, epoch)
        }));
        records.extend(leave(image, id));
    }
    Ok(Decision { records, answer: Answer::Done })
}

/// The broker is on its way out; it goes on to lead what nobody else can.
pub(super) fn shut_down(image: &Image, id: BrokerId, epoch: i64) -> Result<Decision, Refusal> {
    let broker = check_epoch(image, id, epoch)?;
    let mut records = Vec::new();
    if !broker.in_controlled_shutdown && !broker.fenced {
        records.push(MetadataRecord::BrokerRegistrationChange(BrokerRegistrationChangeRecord {
            in_controlled_shutdown: 1,
            ..registration_change(id, epoch)
        }));
        records.extend(leave(image, id).filter(
            |record| !matches!(record, MetadataRecord::PartitionChange(change) if change.leader == NO_LEADER.0),
        ));
    }
    Ok(Decision { records, answer: Answer::Done })
}

/// Changes that take a broker out of what it leads or is in sync with. The last in-sync replica stays in the list: it
/// alone has every acknowledged record.
fn leave(image: &Image, id: BrokerId) -> impl Iterator<Item = MetadataRecord<'static>> {
    let concerned = move |partition: &Partition| partition.isr.contains(id);
    partitions(image, concerned).filter_map(move |(topic, index, partition)| {
        let mut isr: Vec<i32> = partition.isr.numbers();
        if isr.len() > 1 {
            isr.retain(|one| *one != id.0);
        }
        let active = |one: &&BrokerId| {
            **one != id && isr.contains(&one.0) && image.broker(**one).is_some_and(|broker| broker.is_active())
        };
        let heir = partition.replicas.as_slice().iter().find(active).copied().unwrap_or(NO_LEADER);
        let mut record = change(topic, index);
        if partition.leader == id {
            record.leader = heir.0;
        }
        if isr.len() != partition.isr.as_slice().len() {
            record.isr = Some(isr);
        }
        let nothing = record == change(topic, index);
        (!nothing).then_some(MetadataRecord::PartitionChange(record))
    })
}

/// A broker says where it has put its replicas.
pub(super) fn assign(
    image: &Image,
    (id, epoch): (BrokerId, i64),
    replicas: &[(Uuid, PartitionIndex, Uuid)],
) -> Result<Decision, Refusal> {
    check_epoch(image, id, epoch)?;
    let mut records = Vec::new();
    for (topic, index, directory) in replicas {
        let found = image.topic_by_id(topic).and_then(|topic| topic.partitions.get(index));
        let Some(partition) = found else { continue };
        let Some(at) = partition.replicas.as_slice().iter().position(|one| *one == id) else { continue };
        let mut directories = partition.directories.as_slice().to_vec();
        directories.resize(partition.replicas.as_slice().len(), Uuid::ZERO);
        if directories[at] != *directory {
            directories[at] = *directory;
            let record = PartitionChangeRecord { directories: Some(directories), ..change(*topic, *index) };
            records.push(MetadataRecord::PartitionChange(record));
        }
    }
    Ok(Decision { records, answer: Answer::Done })
}

fn partitions<'a>(
    image: &'a Image,
    chosen: impl Fn(&Partition) -> bool + Copy + 'a,
) -> impl Iterator<Item = (Uuid, PartitionIndex, &'a Partition)> + 'a {
    image.topics().flat_map(move |topic| {
        let partitions = topic.partitions.iter().filter(move |(_, partition)| chosen(partition));
        partitions.map(move |(index, partition)| (topic.id, *index, partition))
    })
}

fn change(topic: Uuid, index: PartitionIndex) -> PartitionChangeRecord {
    PartitionChangeRecord { topic_id: topic, partition_id: index.0, ..PartitionChangeRecord::default() }
}

fn registration_change(id: BrokerId, epoch: i64) -> BrokerRegistrationChangeRecord {
    BrokerRegistrationChangeRecord { broker_id: id.0, broker_epoch: epoch, ..BrokerRegistrationChangeRecord::default() }
}
