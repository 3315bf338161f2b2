//! Topics are created, all or as far as each is right, and deleted.

use std::collections::{BTreeMap, BTreeSet};

use ottla_messages::records::metadata::{ConfigRecord, MetadataRecord, RemoveTopicRecord, TopicRecord};
use ottla_wire::Uuid;
use ottla_wire::error::ErrorCode;
use ottla_wire::ids::BrokerId;

use super::names::{Collisions, METADATA_TOPIC};
use super::placement::Placer;
use super::{
    Answer, Controller, CreatedTopic, Decision, DeletedTopic, Moment, NewTopic, RECORDS_PER_COMMAND_MAX, Refusal,
    Repeated, Repeats, TopicChoice, partitions,
};
use crate::image::{ConfigResource, Image};
use crate::settings::describe::Configs;
use crate::settings::topic_config;

/// One CreateTopics command under decision.
pub(super) struct Creation<'a> {
    controller: &'a Controller,
    image: &'a Image,
    moment: Moment<'a>,
    placer: Placer<'a>,
    records: Vec<MetadataRecord<'static>>,
}

impl<'a> Creation<'a> {
    pub(super) fn new(controller: &'a Controller, image: &'a Image, moment: Moment<'a>) -> Creation<'a> {
        Creation { controller, image, moment, placer: Placer::new(image, moment.chance), records: Vec::new() }
    }

    /// Decides about every topic; one that is refused keeps none of the others back.
    pub(super) fn decide(mut self, topics: &[NewTopic]) -> Result<Decision, Refusal> {
        self.check_total(topics)?;
        let collisions = Collisions::of(self.image, topics.len());
        let mut repeats = Repeats::of(topics.iter().map(|topic| &topic.name));
        let mut outcomes = Vec::with_capacity(topics.len());
        let refused = |text: &str| Err(Refusal::new(ErrorCode::INVALID_REQUEST, text));
        for topic in topics {
            let outcome = match repeats.first(&&topic.name) {
                None => continue,
                Some(Repeated::Yes) => refused("Duplicate topic name."),
                Some(Repeated::No) if topic.name == METADATA_TOPIC => {
                    refused("Creation of internal topic __cluster_metadata is prohibited.")
                }
                Some(Repeated::No) => self.create(topic, &collisions),
            };
            outcomes.push((topic.name.clone(), outcome));
        }
        Ok(Decision { records: self.records, answer: Answer::CreatedTopics(outcomes) })
    }

    fn check_total(&self, topics: &[NewTopic]) -> Result<(), Refusal> {
        let count = |topic: &NewTopic| match topic.partitions {
            _ if !topic.assignments.is_empty() => topic.assignments.len() as i64,
            -1 => i64::from(self.controller.topics.partitions),
            count => i64::from(count.max(0)),
        };
        if topics.iter().map(count).sum::<i64>() > RECORDS_PER_COMMAND_MAX as i64 {
            let text = "Excessively large number of partitions per request.";
            return Err(Refusal::new(ErrorCode::POLICY_VIOLATION, text));
        }
        Ok(())
    }

    fn create(&mut self, topic: &NewTopic, collisions: &Collisions<'_>) -> Result<CreatedTopic, Refusal> {
        if self.image.topic(&topic.name).is_some() {
            let text = format!("Topic '{}' already exists.", topic.name);
            return Err(Refusal::new(ErrorCode::TOPIC_ALREADY_EXISTS, text));
        }
        collisions.check(&topic.name)?;
        let configs = self.check_configs(topic)?;
        let assignments = if topic.assignments.is_empty() { self.place(topic)? } else { self.manual(topic)? };
        let id = self.draw_id();
        let mut records = vec![MetadataRecord::Topic(TopicRecord { name: topic.name.clone().into(), topic_id: id })];
        records.extend(config_records(&topic.name, &configs));
        for (index, brokers) in (0..).zip(&assignments) {
            let made = partitions::record(self.image, id, index, brokers);
            records.push(made.ok_or_else(|| no_serving_broker(topic, index, brokers.len()))?);
        }
        self.records.append(&mut records);
        Ok(CreatedTopic {
            id,
            partitions: i32::try_from(assignments.len()).unwrap_or(i32::MAX),
            replication_factor: assignments.first().map_or(0, |first| first.len() as i16),
            configs,
        })
    }

    fn check_configs(&self, topic: &NewTopic) -> Result<Configs, Refusal> {
        let nulls: Vec<&str> =
            topic.configs.iter().filter(|(_, value)| value.is_none()).map(|(name, _)| name.as_str()).collect();
        let wrong = |text| Refusal::new(ErrorCode::INVALID_CONFIG, text);
        if !nulls.is_empty() {
            return Err(wrong(format!("Null value not supported for topic configs: {}", nulls.join(","))));
        }
        let given = topic.configs.iter().filter_map(|(name, value)| Some((name.clone(), value.clone()?)));
        let configs: Configs = given.collect();
        topic_config::check_overrides(&self.controller.layers(self.image), &configs)
            .map_err(|fault| wrong(fault.to_string()))?;
        Ok(configs)
    }

    fn place(&mut self, topic: &NewTopic) -> Result<Vec<Vec<BrokerId>>, Refusal> {
        if topic.replication_factor < -1 || topic.replication_factor == 0 {
            let text = "Replication factor must be larger than 0, or -1 to use the default value.";
            return Err(Refusal::new(ErrorCode::INVALID_REPLICATION_FACTOR, text));
        }
        if topic.partitions < -1 || topic.partitions == 0 {
            let text = "Number of partitions was set to an invalid non-positive value.";
            return Err(Refusal::new(ErrorCode::INVALID_PARTITIONS, text));
        }
        let defaults = &self.controller.topics;
        let count = if topic.partitions == -1 { defaults.partitions } else { topic.partitions };
        let factor =
            if topic.replication_factor == -1 { defaults.replication_factor } else { topic.replication_factor };
        self.placer.check(factor).map_err(|why| {
            let text = format!("Unable to replicate the partition {factor} time(s): {why}");
            Refusal::new(ErrorCode::INVALID_REPLICATION_FACTOR, text)
        })?;
        Ok((0..count).map(|_| self.placer.place(factor)).collect())
    }

    fn manual(&self, topic: &NewTopic) -> Result<Vec<Vec<BrokerId>>, Refusal> {
        let refused = |text: &str| Err(Refusal::new(ErrorCode::INVALID_REQUEST, text));
        if topic.replication_factor != -1 {
            return refused("A manual partition assignment was specified, but replication factor was not set to -1.");
        }
        if topic.partitions != -1 {
            return refused("A manual partition assignment was specified, but numPartitions was not set to -1.");
        }
        let mut chosen: BTreeMap<i32, Vec<BrokerId>> = BTreeMap::new();
        let wrong = |text: String| Refusal::new(ErrorCode::INVALID_REPLICA_ASSIGNMENT, text);
        let mut expected = None;
        for (index, brokers) in &topic.assignments {
            if chosen.contains_key(index) {
                return Err(wrong(format!("Found multiple manual partition assignments for partition {index}")));
            }
            chosen.insert(*index, partitions::check_manual(self.image, brokers, expected)?);
            expected = Some(brokers.len());
        }
        if (0..).zip(chosen.keys()).any(|(at, index)| at != *index) {
            return Err(wrong("partitions should be a consecutive 0-based integer sequence".to_owned()));
        }
        Ok(chosen.into_values().collect())
    }

    /// An id that no topic has and that clients can put into a file name: none begins with a dash.
    fn draw_id(&self) -> Uuid {
        loop {
            let mut bytes = [0; 16];
            self.moment.chance.fill("topic id", &mut bytes);
            let id = Uuid::from_chance(bytes);
            if !id.to_string().starts_with('-') && self.image.topic_by_id(&id).is_none() {
                return id;
            }
        }
    }
}

fn no_serving_broker(topic: &NewTopic, index: i32, replicas: usize) -> Refusal {
    if topic.assignments.is_empty() {
        let text = format!(
            "Unable to replicate the partition {replicas} time(s): All brokers are currently fenced or in controlled \
             shutdown."
        );
        return Refusal::new(ErrorCode::INVALID_REPLICATION_FACTOR, text);
    }
    let text = format!(
        "All brokers specified in the manual partition assignment for partition {index} are fenced or in controlled \
         shutdown."
    );
    Refusal::new(ErrorCode::INVALID_REPLICA_ASSIGNMENT, text)
}

fn config_records<'a>(topic: &'a str, configs: &'a Configs) -> impl Iterator<Item = MetadataRecord<'static>> + 'a {
    configs.iter().map(move |(name, value)| {
        MetadataRecord::Config(ConfigRecord {
            resource_type: ConfigResource::TOPIC,
            resource_name: topic.to_owned().into(),
            name: name.clone().into(),
            value: Some(value.clone().into()),
        })
    })
}

/// Decides which topics are deleted. Refused choices keep none of the others back.
pub(super) fn delete(image: &Image, choices: &[TopicChoice], enabled: bool) -> Result<Decision, Refusal> {
    if !enabled {
        return Err(ErrorCode::TOPIC_DELETION_DISABLED.into());
    }
    let mut outcomes = Vec::new();
    let mut chosen: BTreeSet<Uuid> = BTreeSet::new();
    let mut repeats = Repeats::of(choices.iter());
    for choice in choices {
        let outcome = match repeats.first(&choice) {
            None => continue,
            Some(Repeated::Yes) => {
                let what = if choice.name.is_some() { "name" } else { "id" };
                Err(Refusal::new(ErrorCode::INVALID_REQUEST, format!("Duplicate topic {what}.")))
            }
            Some(Repeated::No) => find(image, choice),
        };
        let (name, id, outcome) = match outcome {
            Ok((name, id)) if chosen.insert(id) => (Some(name), id, Ok(())),
            Ok((name, id)) => (Some(name), id, Err(already_supplied())),
            Err(refusal) => (choice.name.clone(), choice.id, Err(refusal)),
        };
        outcomes.push(DeletedTopic { name, id, outcome });
    }
    let records = chosen.into_iter().map(|id| MetadataRecord::RemoveTopic(RemoveTopicRecord { topic_id: id }));
    Ok(Decision { records: records.collect(), answer: Answer::DeletedTopics(outcomes) })
}

fn already_supplied() -> Refusal {
    let text = "The provided topic name maps to an ID that was already supplied.";
    Refusal::new(ErrorCode::INVALID_REQUEST, text)
}

fn find(image: &Image, choice: &TopicChoice) -> Result<(String, Uuid), Refusal> {
    let refused = |text: &str| Err(Refusal::new(ErrorCode::INVALID_REQUEST, text));
    let topic = match &choice.name {
        None if choice.id.is_zero() => return refused("Neither topic name nor id were specified."),
        Some(_) if !choice.id.is_zero() => return refused("You may not specify both topic name and topic id."),
        Some(name) => image.topic(name).ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?,
        None => image.topic_by_id(&choice.id).ok_or(ErrorCode::UNKNOWN_TOPIC_ID)?,
    };
    Ok((topic.name.to_string(), topic.id))
}
