//! The partitions of this broker: found by topic name or id without a lock, made and removed as the image changes.

use arc_swap::ArcSwap;
use ottla_log::LogConfig;
use ottla_messages::produce;
use ottla_metadata::settings::TimestampType as Stamping;
use ottla_metadata::{BrokerConfig, TopicConfig};
use ottla_replica::Partition;
use ottla_wire::batch::{DoorRules, TimestampType};
use ottla_wire::codec::{Codec, Compression};
use ottla_wire::ids::PartitionIndex;
use ottla_wire::{ApiVersion, ErrorCode, Uuid};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

/// Parts of the registry, each replaced as a whole when one of its topics changes.
const SHARDS: usize = 64;

/// What a topic's settings demand of batches.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    door: DoorRules,
    compression: Option<Compression>,
}

impl Rules {
    pub(crate) fn of(config: &TopicConfig) -> Rules {
        let size = |bytes: i32| usize::try_from(bytes).unwrap_or(0);
        let door = DoorRules {
            message_bytes_max: size(config.max_message_bytes),
            key_required: config.compact,
            timestamp_type: match config.timestamp_type {
                Stamping::CreateTime => TimestampType::CreateTime,
                Stamping::LogAppendTime => TimestampType::LogAppendTime,
            },
            timestamp_before_max_ms: config.timestamp_before_max_ms,
            timestamp_after_max_ms: config.timestamp_after_max_ms,
            inflated_bytes_max: size(config.max_decompressed_message_bytes),
            ..DoorRules::default()
        };
        Rules { door, compression: config.compression }
    }

    /// How a batch with this codec has to be compressed again; None where it stays as it is.
    pub(crate) fn recompression(&self, codec: Codec) -> Option<Compression> {
        self.compression.filter(|compression| compression.codec() != codec)
    }

    /// `max.message.bytes`.
    pub(crate) fn batch_bytes_max(&self) -> usize {
        self.door.message_bytes_max
    }

    /// The rules for a batch in a Produce request of `version`.
    pub(crate) fn for_version(&self, version: ApiVersion) -> DoorRules {
        DoorRules { zstd_allowed: version.can(produce::ZSTD), ..self.door }
    }
}

/// Settings of a log from those of its topic.
pub(crate) fn log_config(config: &TopicConfig, broker: &BrokerConfig) -> LogConfig {
    let size = |bytes: i32| u32::try_from(bytes).unwrap_or(0);
    LogConfig {
        segment_bytes: size(config.segment_bytes),
        segment_ms: config.segment_ms,
        segment_jitter_ms: config.segment_jitter_ms,
        index_bytes_max: size(config.segment_index_bytes),
        index_interval_bytes: size(config.index_interval_bytes),
        message_bytes_max: size(config.max_message_bytes),
        append_time: config.timestamp_type == Stamping::LogAppendTime,
        flush_messages: config.flush_messages,
        flush_ms: config.flush_ms,
        retention_ms: config.retention_ms,
        retention_bytes: config.retention_bytes,
        delete: config.delete,
        compact: config.compact,
        delete_delay_ms: config.file_delete_delay_ms,
        producer_expiration_ms: broker.tasks.producer_expiration_ms,
        journal: broker.durable_acks,
        ..LogConfig::default()
    }
}

/// A topic with what this broker holds of it.
pub(crate) struct Hosted {
    pub(crate) name: Arc<str>,
    pub(crate) id: Uuid,
    /// Whether only brokers write to it.
    pub(crate) is_internal: bool,
    pub(crate) rules: Rules,
    /// Whether `cleanup.policy` lets records be deleted on request.
    pub(crate) deletes: bool,
    /// `min.insync.replicas`.
    pub(crate) min_insync: usize,
    pub(crate) meters: Arc<Meters>,
    /// By index; empty while the log of a partition that is here is being opened. Filled once.
    pub(crate) slots: Box<[OnceLock<Held>]>,
}

/// What this broker holds of a partition.
pub(crate) enum Held {
    /// Nothing: other brokers have its replicas.
    Elsewhere,
    /// Its open log.
    Open(Arc<Partition>),
    /// A log that cannot be opened.
    Broken,
}

impl Hosted {
    fn slot(&self, index: i32) -> Option<&OnceLock<Held>> {
        self.slots.get(usize::try_from(index).ok()?)
    }

    /// The partition with this index, if this broker has a replica of it whose log is open.
    pub(crate) fn partition(&self, index: i32) -> Option<&Arc<Partition>> {
        self.find(index).ok()
    }

    /// The partition with this index, or why there is none: its log is still being opened, which clients take as a reason
    /// to come again, or cannot be opened, or it is not here.
    pub(crate) fn find(&self, index: i32) -> Result<&Arc<Partition>, ErrorCode> {
        let slot = self.slot(index).ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?;
        match slot.get() {
            Some(Held::Open(partition)) => Ok(partition),
            Some(Held::Broken) => Err(ErrorCode::KAFKA_STORAGE_ERROR),
            Some(Held::Elsewhere) => Err(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
            None => Err(ErrorCode::NOT_LEADER_OR_FOLLOWER),
        }
    }

    /// The partitions whose logs are open.
    pub(crate) fn open(&self) -> impl Iterator<Item = &Arc<Partition>> {
        self.slots.iter().filter_map(|slot| match slot.get() {
            Some(Held::Open(partition)) => Some(partition),
            Some(Held::Elsewhere | Held::Broken) | None => None,
        })
    }

    /// Fills the slot of a partition whose log was being opened.
    pub(crate) fn put(&self, index: PartitionIndex, held: Held) {
        let is_first = self.slot(index.0).is_some_and(|slot| slot.set(held).is_ok());
        assert!(is_first, "a log is opened once, for the slot that waits for it");
    }
}

/// What happened to a topic since the broker began to hold it (BrokerTopicMetrics).
#[derive(Default, Debug)]
pub(crate) struct Meters {
    pub(crate) records_in: AtomicU64,
    pub(crate) bytes_in: AtomicU64,
    pub(crate) bytes_out: AtomicU64,
    pub(crate) bytes_rejected: AtomicU64,
    pub(crate) produce_requests: AtomicU64,
    pub(crate) produce_failures: AtomicU64,
    pub(crate) fetch_requests: AtomicU64,
    pub(crate) fetch_failures: AtomicU64,
}

/// Adds to a counter that is only read for show.
pub(crate) fn count(counter: &AtomicU64, by: u64) {
    counter.fetch_add(by, Ordering::Relaxed);
}

type Shard<K> = ArcSwap<BTreeMap<K, Arc<Hosted>>>;

/// All topics of which this broker holds something.
pub(crate) struct Registry {
    by_name: [Shard<Arc<str>>; SHARDS],
    by_id: [Shard<Uuid>; SHARDS],
}

impl Registry {
    pub(crate) fn new() -> Registry {
        Registry {
            by_name: std::array::from_fn(|_| ArcSwap::default()),
            by_id: std::array::from_fn(|_| ArcSwap::default()),
        }
    }

    pub(crate) fn by_name(&self, name: &str) -> Option<Arc<Hosted>> {
        self.by_name[spread(name.as_bytes())].load().get(name).cloned()
    }

    pub(crate) fn by_id(&self, id: Uuid) -> Option<Arc<Hosted>> {
        self.by_id[spread(&id.0)].load().get(&id).cloned()
    }

    /// Every topic, a shard at a time.
    pub(crate) fn each_topic(&self, mut visit: impl FnMut(&Arc<Hosted>)) {
        for shard in &self.by_id {
            shard.load().values().for_each(&mut visit);
        }
    }

    /// Every partition whose log is open, a shard at a time.
    pub(crate) fn each(&self, mut visit: impl FnMut(&Arc<Hosted>, &Arc<Partition>)) {
        for shard in &self.by_id {
            for hosted in shard.load().values() {
                hosted.open().for_each(|partition| visit(hosted, partition));
            }
        }
    }

    /// Publishes topics, replacing those with the same id. Only one thread changes the registry.
    pub(crate) fn publish(&self, topics: Vec<Arc<Hosted>>) {
        let mut by_shard: BTreeMap<usize, Vec<Arc<Hosted>>> = BTreeMap::new();
        for topic in &topics {
            by_shard.entry(spread(&topic.id.0)).or_default().push(topic.clone());
        }
        for (shard, topics) in by_shard {
            change(&self.by_id[shard], |map| map.extend(topics.into_iter().map(|topic| (topic.id, topic))));
        }
        let mut by_shard: BTreeMap<usize, Vec<Arc<Hosted>>> = BTreeMap::new();
        for topic in topics {
            by_shard.entry(spread(topic.name.as_bytes())).or_default().push(topic);
        }
        for (shard, topics) in by_shard {
            change(&self.by_name[shard], |map| map.extend(topics.into_iter().map(|topic| (topic.name.clone(), topic))));
        }
    }

    /// Takes a topic out; requests that have found it before still hold it.
    pub(crate) fn withdraw(&self, id: Uuid) -> Option<Arc<Hosted>> {
        let hosted = self.by_id(id)?;
        change(&self.by_id[spread(&id.0)], |map| drop(map.remove(&id)));
        change(&self.by_name[spread(hosted.name.as_bytes())], |map| {
            // A topic of the same name may have been made since.
            if map.get(&hosted.name).is_some_and(|other| other.id == id) {
                map.remove(&hosted.name);
            }
        });
        Some(hosted)
    }
}

fn change<K: Ord + Clone>(shard: &Shard<K>, work: impl FnOnce(&mut BTreeMap<K, Arc<Hosted>>)) {
    let mut map = BTreeMap::clone(&shard.load());
    work(&mut map);
    shard.store(Arc::new(map));
}

/// FNV-1a, folded to a shard.
fn spread(bytes: &[u8]) -> usize {
    let hash = bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
    (hash >> 32) as usize % SHARDS
}
