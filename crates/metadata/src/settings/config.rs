//! A broker's configuration: from the texts of its file to typed values, or every reason why it must not start.

mod build;
pub mod groups;

use std::collections::BTreeMap;
use std::fmt;

use ottla_host::setting::{Default as SettingDefault, Effect, Fault, Kind, Setting, Value};
use ottla_wire::ids::BrokerId;

use super::broker;
use super::describe::Configs;
use super::listener::{Endpoint, Listener};
use super::topic_config::TopicConfig;

/// One reason why a configuration is not accepted.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ConfigFault {
    /// A setting without default is missing.
    #[error("Missing required configuration \"{0}\" which has no default value.")]
    Missing(&'static str),
    /// A value is wrong, alone or beside others.
    #[error("{0}")]
    Invalid(#[from] Fault),
    /// A setting of Kafka that this program does not honour has a value other than the default.
    #[error("{name}={value} is not honoured: {remedy}")]
    Refused {
        /// Name as the user wrote it.
        name: String,
        /// Value as the user wrote it.
        value: String,
        /// What to do instead.
        remedy: &'static str,
    },
}

/// Every reason why a configuration is not accepted, at least one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConfigErrors(pub Vec<ConfigFault>);

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, fault) in self.0.iter().enumerate() {
            write!(f, "{}{fault}", if at == 0 { "" } else { "\n" })?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}

/// A configuration that was accepted. Names and units are those of the settings they come from.
#[derive(Clone, PartialEq, Debug)]
pub struct BrokerConfig {
    /// `node.id`.
    pub node_id: BrokerId,
    /// `broker.rack`.
    pub rack: Option<String>,
    /// `listeners` with what belongs to them.
    pub listeners: Vec<Listener>,
    /// `inter.broker.listener.name`.
    pub inter_broker_listener: String,
    /// `log.dirs`, at least one.
    pub log_dirs: Vec<String>,
    /// `metadata.log.dir`, or the first of `log_dirs`.
    pub metadata_log_dir: String,
    /// What connections and requests may take.
    pub network: NetworkLimits,
    /// What topics get that do not say.
    pub topics: TopicDefaults,
    /// Times of what runs beside the requests.
    pub tasks: TaskTimes,
    /// The metadata quorum and its log.
    pub quorum: QuorumConfig,
    /// Groups and their offsets.
    pub groups: groups::GroupsConfig,
    /// Topic settings as they are without overrides.
    pub log: TopicConfig,
    /// `ottla.durable.acks`.
    pub durable_acks: bool,
    /// `ottla.http.listener`.
    pub http: HttpListener,
    /// The values as the user gave them, unknown names left out.
    pub given: Configs,
    /// What the user should hear, one sentence each.
    pub warnings: Vec<String>,
}

/// Where `/metrics` is served.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HttpListener {
    /// `host:port`, None for nowhere.
    pub address: Option<String>,
    /// The user named it: a taken port is an error then, else a warning.
    pub configured: bool,
}

/// What connections and requests may take.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NetworkLimits {
    /// `socket.request.max.bytes`.
    pub request_bytes_max: usize,
    /// `socket.listen.backlog.size`.
    pub backlog: u32,
    /// `queued.max.request.bytes`; None for no limit.
    pub in_flight_bytes_max: Option<usize>,
    /// `max.connections`.
    pub connections_max: usize,
    /// `max.connections.per.ip`.
    pub connections_per_ip_max: usize,
    /// `max.connections.per.ip.overrides`.
    pub connections_per_ip_overrides: BTreeMap<String, usize>,
    /// `max.connection.creation.rate`, a second.
    pub connection_rate_max: u32,
    /// `connections.max.idle.ms`; None for ever.
    pub idle_ms_max: Option<u64>,
    /// `fetch.max.bytes`.
    pub fetch_bytes_max: i32,
    /// `max.incremental.fetch.session.cache.slots`.
    pub fetch_sessions_max: usize,
    /// `max.request.partition.size.limit`.
    pub describe_partitions_max: usize,
}

/// What topics get that do not say.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TopicDefaults {
    /// `num.partitions`.
    pub partitions: i32,
    /// `default.replication.factor`.
    pub replication_factor: i16,
    /// `auto.create.topics.enable`.
    pub auto_create: bool,
    /// `delete.topic.enable`.
    pub delete_enabled: bool,
}

/// Times of what runs beside the requests, in milliseconds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TaskTimes {
    /// `log.retention.check.interval.ms`.
    pub retention_check_ms: u64,
    /// `log.flush.scheduler.interval.ms`; `i64::MAX` for never.
    pub flush_scheduler_ms: u64,
    /// `log.flush.offset.checkpoint.interval.ms`.
    pub recovery_point_checkpoint_ms: u64,
    /// `log.flush.start.offset.checkpoint.interval.ms`.
    pub log_start_checkpoint_ms: u64,
    /// `replica.high.watermark.checkpoint.interval.ms`.
    pub high_watermark_checkpoint_ms: u64,
    /// `producer.id.expiration.ms`.
    pub producer_expiration_ms: i64,
    /// `producer.id.expiration.check.interval.ms`.
    pub producer_expiration_check_ms: u64,
    /// `num.recovery.threads.per.data.dir`.
    pub recovery_threads: usize,
    /// `replica.lag.time.max.ms`.
    pub replica_lag_ms_max: i64,
}

/// The metadata quorum and its log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct QuorumConfig {
    /// Address in `controller.quorum.voters`, which makes this node the static voter (`kraft.version` 0).
    pub static_voter: Option<Endpoint>,
    /// `controller.quorum.election.timeout.ms`.
    pub election_timeout_ms: u64,
    /// `controller.quorum.fetch.timeout.ms`.
    pub fetch_timeout_ms: u64,
    /// `controller.quorum.election.backoff.max.ms`.
    pub election_backoff_max_ms: u64,
    /// `metadata.log.segment.bytes`.
    pub segment_bytes: i32,
    /// `metadata.log.segment.ms`.
    pub segment_ms: i64,
    /// `metadata.log.max.record.bytes.between.snapshots`.
    pub snapshot_bytes: u64,
    /// `metadata.log.max.snapshot.interval.ms`; 0 for never.
    pub snapshot_interval_ms: u64,
    /// `metadata.max.retention.bytes`.
    pub retention_bytes: i64,
    /// `metadata.max.retention.ms`.
    pub retention_ms: i64,
    /// `broker.heartbeat.interval.ms`.
    pub heartbeat_interval_ms: u64,
    /// `broker.session.timeout.ms`.
    pub session_timeout_ms: u64,
}

impl BrokerConfig {
    /// Reads a configuration.
    ///
    /// # Errors
    /// Everything that is wrong with it, so that one start shows all.
    pub fn parse(texts: &Configs) -> Result<BrokerConfig, ConfigErrors> {
        let mut faults = Vec::new();
        let mut warnings = Vec::new();
        let mut given = Configs::new();
        for (name, text) in texts {
            match known(name) {
                Some(setting) => {
                    faults.extend(check_given(setting, name, text).err());
                    given.insert(name.clone(), text.clone());
                }
                None if is_plugin_config(name) => {}
                None => warnings.push(format!("unknown setting {name} is ignored")),
            }
        }
        require_present(&mut given, &mut faults);
        if !faults.is_empty() {
            return Err(ConfigErrors(faults));
        }
        build::build(&given, warnings).map_err(|fault| ConfigErrors(vec![ConfigFault::Invalid(fault)]))
    }
}

/// The setting that a name stands for: itself, or the one after `listener.name.<listener>.`.
fn known(name: &str) -> Option<&'static Setting> {
    broker::find(name).or_else(|| {
        let rest = name.strip_prefix("listener.name.")?;
        let (_, base) = rest.split_once('.')?;
        broker::find(base).or_else(|| broker::find(base.split_once('.')?.1))
    })
}

/// Settings handed to plugins under a prefix mean nothing without the plugin.
fn is_plugin_config(name: &str) -> bool {
    name.starts_with("rsm.config.") || name.starts_with("rlmm.config.")
}

fn check_given(setting: &'static Setting, name: &str, text: &str) -> Result<(), ConfigFault> {
    let value = setting.check(text)?;
    match setting.effect {
        Effect::Refused(remedy) if !is_default(setting, &value) => {
            let shown = if setting.kind == Kind::Password { "[hidden]" } else { text };
            Err(ConfigFault::Refused { name: name.to_owned(), value: shown.to_owned(), remedy })
        }
        Effect::Honoured if name != setting.name => Err(ConfigFault::Refused {
            name: name.to_owned(),
            value: text.to_owned(),
            remedy: "limits hold for the whole broker in this release; give it without the listener prefix",
        }),
        Effect::Honoured | Effect::None(_) | Effect::Refused(_) => Ok(()),
    }
}

/// Whether the value asks for nothing: the default, or nothing at all.
fn is_default(setting: &Setting, value: &Value) -> bool {
    let text = value.to_string();
    match setting.default {
        SettingDefault::Text(default) => {
            text.is_empty() || setting.check(default).is_ok_and(|default| default == *value)
        }
        SettingDefault::Null | SettingDefault::Required => text.is_empty(),
    }
}

fn require_present(given: &mut Configs, faults: &mut Vec<ConfigFault>) {
    match (given.get("node.id").cloned(), given.get("broker.id").cloned()) {
        (None, Some(id)) => drop(given.insert("node.id".to_owned(), id)),
        (Some(node), None) => drop(given.insert("broker.id".to_owned(), node)),
        (Some(node), Some(id)) if node.trim() != id.trim() => faults.push(ConfigFault::Invalid(Fault(
            "`node.id` and `broker.id` must be set to the same value. `broker.id` is deprecated, please use `node.id` \
             instead."
                .to_owned(),
        ))),
        (Some(_), Some(_)) | (None, None) => {}
    }
    for setting in broker::all() {
        if setting.default == SettingDefault::Required && !given.contains_key(setting.name) {
            faults.push(ConfigFault::Missing(setting.name));
        }
    }
}

#[cfg(test)]
mod tests;
