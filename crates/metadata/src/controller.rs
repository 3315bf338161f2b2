//! The controller's decisions: what a command changes, as records, and what to answer. Nothing here does anything.

mod brokers;
mod configs;
mod names;
mod partitions;
mod placement;
mod producer_ids;
mod topics;

use std::collections::BTreeMap;

use ottla_host::Chance;
use ottla_messages::records::metadata::MetadataRecord;
use ottla_wire::Uuid;
use ottla_wire::error::ErrorCode;
use ottla_wire::ids::{BrokerId, PartitionIndex, ProducerId};

pub use brokers::Registration;
pub use configs::{ConfigChange, ConfigOperation};
pub use names::{check_topic_name, is_internal_topic};

use crate::image::{ConfigResource, Image};
use crate::settings::config::{BrokerConfig, TopicDefaults};
use crate::settings::describe::{Configs, Layers};

/// Most records that one command of a user may make.
pub const RECORDS_PER_COMMAND_MAX: usize = 10_000;
/// Producer ids handed out at once.
pub const PRODUCER_ID_BLOCK: i64 = 1_000;

/// A request to change the cluster.
#[derive(Clone, Debug)]
pub enum Command {
    /// A broker's process joins; answered with its epoch.
    RegisterBroker(Registration),
    /// A broker is ready to serve.
    UnfenceBroker {
        /// The broker.
        id: BrokerId,
        /// Its epoch.
        epoch: i64,
        /// What it led before needs a new term, as [`Answer::Registered`] said.
        new_terms: bool,
    },
    /// A broker was silent too long.
    FenceBroker {
        /// The broker.
        id: BrokerId,
        /// Its epoch.
        epoch: i64,
    },
    /// A broker wants to stop.
    ShutDownBroker {
        /// The broker.
        id: BrokerId,
        /// Its epoch.
        epoch: i64,
    },
    /// New topics, all checked before any is made, in one atomic batch.
    CreateTopics {
        /// The topics.
        topics: Vec<NewTopic>,
        /// Only check.
        validate_only: bool,
    },
    /// Topics to delete, by name or id.
    DeleteTopics(Vec<TopicChoice>),
    /// More partitions for topics.
    CreatePartitions {
        /// The topics.
        topics: Vec<MorePartitions>,
        /// Only check.
        validate_only: bool,
    },
    /// Settings to set, delete, append to or subtract from (KIP-339).
    AlterConfigs {
        /// The changes.
        changes: Vec<ConfigChange>,
        /// Only check.
        validate_only: bool,
    },
    /// A block of producer ids for a broker.
    AllocateProducerIds {
        /// The broker.
        id: BrokerId,
        /// Its epoch.
        epoch: i64,
    },
    /// Replicas that a broker has placed in a log directory (KIP-858).
    AssignDirectories {
        /// The broker.
        id: BrokerId,
        /// Its epoch.
        epoch: i64,
        /// Topic, partition and the directory of the broker's replica.
        replicas: Vec<(Uuid, PartitionIndex, Uuid)>,
    },
}

/// A topic to create.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct NewTopic {
    /// Its name.
    pub name: String,
    /// Number of partitions; -1 for the default.
    pub partitions: i32,
    /// Number of replicas; -1 for the default.
    pub replication_factor: i16,
    /// Brokers of each partition, when the user chooses them: partition and its brokers.
    pub assignments: Vec<(i32, Vec<i32>)>,
    /// Overrides.
    pub configs: Vec<(String, Option<String>)>,
}

/// A topic to delete: exactly one of name and id must be given.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct TopicChoice {
    /// Its name.
    pub name: Option<String>,
    /// Its id; zero for none.
    pub id: Uuid,
}

/// A topic that gets more partitions.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MorePartitions {
    /// Its name.
    pub name: String,
    /// Number of partitions afterwards.
    pub count: i32,
    /// Brokers of each new partition, when the user chooses them.
    pub assignments: Option<Vec<Vec<i32>>>,
}

/// Why something is refused: Kafka's code, and a text when there is more to say than the code does.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{code:?}: {}", message.as_deref().unwrap_or("no details"))]
pub struct Refusal {
    /// Kafka's code.
    pub code: ErrorCode,
    /// Text for the user.
    pub message: Option<String>,
}

impl Refusal {
    /// A refusal with a text.
    #[must_use]
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Refusal {
        Refusal { code, message: Some(message.into()) }
    }
}

impl From<ErrorCode> for Refusal {
    fn from(code: ErrorCode) -> Refusal {
        Refusal { code, message: None }
    }
}

/// A topic that a command creates.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CreatedTopic {
    /// Its id.
    pub id: Uuid,
    /// Number of partitions.
    pub partitions: i32,
    /// Number of replicas.
    pub replication_factor: i16,
    /// Its overrides.
    pub configs: Configs,
}

/// A topic that a command deletes, or does not.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DeletedTopic {
    /// Its name, where known.
    pub name: Option<String>,
    /// Its id, where known; zero else.
    pub id: Uuid,
    /// Whether it is deleted.
    pub outcome: Result<(), Refusal>,
}

/// What to answer once the records are committed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Answer {
    /// Nothing more than "done".
    Done,
    /// The broker is registered.
    Registered {
        /// Its epoch.
        epoch: i64,
        /// Its former process ended without a clean stop: what that wrote last may not be there any more, so that what
        /// it led needs a new term before anybody is served.
        new_terms: bool,
    },
    /// Outcome per topic name, in the order of the command.
    CreatedTopics(Vec<(String, Result<CreatedTopic, Refusal>)>),
    /// Outcome per topic.
    DeletedTopics(Vec<DeletedTopic>),
    /// Outcome per topic name.
    MorePartitions(Vec<(String, Result<(), Refusal>)>),
    /// Outcome per resource.
    Configs(Vec<(ConfigResource, Result<(), Refusal>)>),
    /// First id of a block of [`PRODUCER_ID_BLOCK`].
    ProducerIds(ProducerId),
}

/// Records to commit as one atomic batch, and the answer that holds once they are.
#[derive(Clone, PartialEq, Debug)]
pub struct Decision {
    /// Records, possibly none.
    pub records: Vec<MetadataRecord<'static>>,
    /// The answer.
    pub answer: Answer,
}

/// What a decision may know beside the image.
#[derive(Clone, Copy)]
pub struct Moment<'a> {
    /// Offset that the first record of the decision will have.
    pub next_offset: i64,
    /// Where ids and placements come from.
    pub chance: &'a dyn Chance,
}

/// The rules that a controller decides by: the settings it was started with.
#[derive(Clone, Debug)]
pub struct Controller {
    node: BrokerId,
    topics: TopicDefaults,
    given: Configs,
}

impl Controller {
    /// A controller with the rules of this configuration.
    #[must_use]
    pub fn new(config: &BrokerConfig) -> Controller {
        Controller { node: config.node_id, topics: config.topics.clone(), given: config.given.clone() }
    }

    /// Decides a command against the image that all earlier decisions made.
    ///
    /// # Errors
    /// A refusal of the whole command; refusals of its parts are in the answer.
    pub fn decide(&self, image: &Image, command: &Command, moment: Moment<'_>) -> Result<Decision, Refusal> {
        let decision = match command {
            Command::RegisterBroker(registration) => brokers::register(image, registration, moment),
            Command::UnfenceBroker { id, epoch, new_terms } => brokers::unfence(image, (*id, *epoch), *new_terms),
            Command::FenceBroker { id, epoch } => brokers::fence(image, *id, *epoch),
            Command::ShutDownBroker { id, epoch } => brokers::shut_down(image, *id, *epoch),
            Command::AssignDirectories { id, epoch, replicas } => brokers::assign(image, (*id, *epoch), replicas),
            Command::AllocateProducerIds { id, epoch } => producer_ids::allocate(image, *id, *epoch),
            Command::CreateTopics { topics, validate_only } => {
                let decision = topics::Creation::new(self, image, moment).decide(topics)?;
                return Ok(bounded(decision)?.unless(*validate_only));
            }
            Command::DeleteTopics(choices) => topics::delete(image, choices, self.topics.delete_enabled),
            Command::CreatePartitions { topics, validate_only } => {
                let decision = partitions::create(image, topics, moment);
                return Ok(bounded(decision)?.unless(*validate_only));
            }
            Command::AlterConfigs { changes, validate_only } => {
                let decision = configs::alter(self, image, changes);
                return Ok(bounded(decision)?.unless(*validate_only));
            }
        }?;
        Ok(decision)
    }

    /// The layers that give a topic's settings, its overrides aside.
    #[must_use]
    pub fn layers<'a>(&'a self, image: &'a Image) -> Layers<'a> {
        Layers {
            topic: None,
            broker: image.configs(&ConfigResource::broker(self.node)).map(|configs| &**configs),
            cluster: image.configs(&ConfigResource::all_brokers()).map(|configs| &**configs),
            file: Some(&self.given),
        }
    }
}

impl Decision {
    /// The decision without its records, when they shall not be written.
    fn unless(mut self, validate_only: bool) -> Decision {
        if validate_only {
            self.records.clear();
        }
        self
    }
}

/// Which of the keys are there more than once; each is answered at its first place alone.
struct Repeats<K>(BTreeMap<K, usize>);

impl<K: Ord> Repeats<K> {
    fn of(keys: impl Iterator<Item = K>) -> Repeats<K> {
        let mut counts = BTreeMap::new();
        keys.for_each(|key| *counts.entry(key).or_default() += 1);
        Repeats(counts)
    }

    /// Whether the key is there once, or more often; None when that was told before.
    fn first(&mut self, key: &K) -> Option<Repeated> {
        match self.0.get_mut(key)? {
            0 => None,
            1 => Some(Repeated::No),
            count => {
                *count = 0;
                Some(Repeated::Yes)
            }
        }
    }
}

/// Whether a key is there more than once.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Repeated {
    Yes,
    No,
}

fn bounded(decision: Decision) -> Result<Decision, Refusal> {
    if decision.records.len() > RECORDS_PER_COMMAND_MAX {
        let text = "Unable to perform excessively large batch operation.";
        return Err(Refusal::new(ErrorCode::POLICY_VIOLATION, text));
    }
    Ok(decision)
}

#[cfg(test)]
mod tests;
