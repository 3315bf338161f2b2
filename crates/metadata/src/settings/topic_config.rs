//! The settings of one topic, typed, after every layer has had its say.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use ottla_host::setting::{Effect, Fault, Value};

use ottla_wire::codec::{Codec, Compression};

use super::describe::Layers;
use super::topic::{self, TopicSetting};

/// Whose clock stamps records (`message.timestamp.type`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TimestampType {
    /// The producer's.
    CreateTime,
    /// The broker's.
    LogAppendTime,
}

/// What a topic's log is run by. Names and units are Kafka's topic settings.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TopicConfig {
    /// `segment.bytes`.
    pub segment_bytes: i32,
    /// `segment.ms`.
    pub segment_ms: i64,
    /// `segment.jitter.ms`.
    pub segment_jitter_ms: i64,
    /// `segment.index.bytes`.
    pub segment_index_bytes: i32,
    /// `flush.messages`; `i64::MAX` for never.
    pub flush_messages: i64,
    /// `flush.ms`; `i64::MAX` for never.
    pub flush_ms: i64,
    /// `retention.bytes`; negative for no limit.
    pub retention_bytes: i64,
    /// `retention.ms`; negative for no limit.
    pub retention_ms: i64,
    /// `max.message.bytes`.
    pub max_message_bytes: i32,
    /// `max.decompressed.message.bytes`.
    pub max_decompressed_message_bytes: i32,
    /// `index.interval.bytes`.
    pub index_interval_bytes: i32,
    /// `file.delete.delay.ms`.
    pub file_delete_delay_ms: i64,
    /// `cleanup.policy` has `delete`.
    pub delete: bool,
    /// `cleanup.policy` has `compact`.
    pub compact: bool,
    /// `min.insync.replicas`.
    pub min_insync_replicas: i32,
    /// `compression.type` with the level of its codec; None where batches stay as their producers compressed them.
    pub compression: Option<Compression>,
    /// `message.timestamp.type`.
    pub timestamp_type: TimestampType,
    /// `message.timestamp.before.max.ms`.
    pub timestamp_before_max_ms: i64,
    /// `message.timestamp.after.max.ms`.
    pub timestamp_after_max_ms: i64,
}

impl Default for TopicConfig {
    fn default() -> TopicConfig {
        TopicConfig::effective(&Layers::default())
    }
}

impl TopicConfig {
    /// What holds for a topic under these layers. A value that cannot be read falls back to the layer below, as values
    /// are checked where they enter.
    #[must_use]
    pub fn effective(layers: &Layers<'_>) -> TopicConfig {
        let read = Reader { layers };
        let policy = read.list("cleanup.policy");
        TopicConfig {
            segment_bytes: read.int("segment.bytes"),
            segment_ms: read.long("segment.ms"),
            segment_jitter_ms: read.long("segment.jitter.ms"),
            segment_index_bytes: read.int("segment.index.bytes"),
            flush_messages: read.long("flush.messages"),
            flush_ms: read.long("flush.ms"),
            retention_bytes: read.long("retention.bytes"),
            retention_ms: read.long("retention.ms"),
            max_message_bytes: read.int("max.message.bytes"),
            max_decompressed_message_bytes: read.int("max.decompressed.message.bytes"),
            index_interval_bytes: read.int("index.interval.bytes"),
            file_delete_delay_ms: read.long("file.delete.delay.ms"),
            delete: policy.iter().any(|one| one == "delete"),
            compact: policy.iter().any(|one| one == "compact"),
            min_insync_replicas: read.int("min.insync.replicas"),
            compression: read.compression(),
            timestamp_type: match read.value("message.timestamp.type") {
                Value::Text(text) if text == "LogAppendTime" => TimestampType::LogAppendTime,
                _ => TimestampType::CreateTime,
            },
            timestamp_before_max_ms: read.long("message.timestamp.before.max.ms"),
            timestamp_after_max_ms: read.long("message.timestamp.after.max.ms"),
        }
    }
}

struct Reader<'a> {
    layers: &'a Layers<'a>,
}

impl Reader<'_> {
    fn value(&self, name: &'static str) -> Value {
        let row = find(name).expect("the names read here are rows of the table, as a test shows");
        let text = self.layers.topic_value(row);
        let checked = text.and_then(|text| row.setting.check(&text).ok());
        checked.unwrap_or_else(|| {
            let default = row.setting.default.text().unwrap_or_default();
            row.setting.check(default).expect("defaults of the table pass their own check, as a test shows")
        })
    }

    fn long(&self, name: &'static str) -> i64 {
        match self.value(name) {
            Value::Number(number) => number,
            Value::Boolean(_) | Value::Fraction(_) | Value::Text(_) | Value::List(_) => 0,
        }
    }

    fn int(&self, name: &'static str) -> i32 {
        i32::try_from(self.long(name)).unwrap_or(i32::MAX)
    }

    fn compression(&self) -> Option<Compression> {
        let Value::Text(name) = self.value("compression.type") else { return None };
        let level = |name| i32::try_from(self.long(name)).unwrap_or(i32::MAX);
        let at = |codec, name| Compression::at_level(codec, level(name)).unwrap_or(Compression::of(codec));
        match name.as_str() {
            "uncompressed" => Some(Compression::NONE),
            "gzip" => Some(at(Codec::Gzip, "compression.gzip.level")),
            "lz4" => Some(at(Codec::Lz4, "compression.lz4.level")),
            "zstd" => Some(at(Codec::Zstd, "compression.zstd.level")),
            "snappy" => Some(Compression::of(Codec::Snappy)),
            _ => None,
        }
    }

    fn list(&self, name: &'static str) -> Vec<String> {
        match self.value(name) {
            Value::List(items) => items,
            Value::Boolean(_) | Value::Number(_) | Value::Fraction(_) | Value::Text(_) => Vec::new(),
        }
    }
}

/// The rows by name; settings are looked up for every topic.
static BY_NAME: LazyLock<BTreeMap<&str, &TopicSetting>> =
    LazyLock::new(|| topic::ROWS.iter().map(|row| (row.setting.name, row)).collect());

/// The topic setting of this name.
#[must_use]
pub fn find(name: &str) -> Option<&'static TopicSetting> {
    BY_NAME.get(name).copied()
}

/// Whether topics take a value that a broker setting is given while the broker runs.
#[must_use]
pub fn follows(broker_setting: &str) -> bool {
    let honoured = topic::ROWS.iter().filter(|row| row.setting.effect == Effect::Honoured);
    honoured.flat_map(|row| row.synonyms).any(|(name, _)| *name == broker_setting)
}

/// Checks the overrides that a user wants to give a topic, on top of `layers` (whose topic layer is ignored).
///
/// # Errors
/// What is wrong with the first bad one, in Kafka's words where Kafka refuses it too.
pub fn check_overrides(layers: &Layers<'_>, overrides: &BTreeMap<String, String>) -> Result<(), Fault> {
    for name in overrides.keys() {
        if find(name).is_none() {
            return Err(Fault(format!("Unknown topic config name: {name}")));
        }
    }
    for (name, text) in overrides {
        let row = find(name).expect("every name was found above");
        let value = row.setting.check(text)?;
        refuse_unhonoured(row, &value)?;
    }
    check_together(&Layers { topic: Some(overrides), ..layers.clone() })
}

fn refuse_unhonoured(row: &TopicSetting, value: &Value) -> Result<(), Fault> {
    let Effect::Refused(remedy) = row.setting.effect else {
        return Ok(());
    };
    if Some(value.to_string().as_str()) == row.setting.default.text() {
        return Ok(());
    }
    if row.setting.name == "remote.storage.enable" {
        return Err(Fault(
            "Tiered Storage functionality is disabled in the broker. Topic cannot be configured with remote log storage."
                .to_owned(),
        ));
    }
    Err(Fault(format!("Invalid value {value} for configuration {}: {remedy}", row.setting.name)))
}

fn check_together(layers: &Layers<'_>) -> Result<(), Fault> {
    let read = Reader { layers };
    let (min, max) = (read.long("min.compaction.lag.ms"), read.long("max.compaction.lag.ms"));
    if min > max {
        return Err(Fault(format!(
            "conflict topic config setting min.compaction.lag.ms ({min}) > max.compaction.lag.ms ({max})"
        )));
    }
    Ok(())
}
