//! From checked texts to the typed configuration, and what values must be to each other.

mod groups;

use std::collections::BTreeMap;

use ottla_host::setting::{Fault, Value};
use ottla_wire::ids::BrokerId;

use super::{BrokerConfig, HttpListener, NetworkLimits, QuorumConfig, TaskTimes, TopicDefaults};
use crate::settings::broker;
use crate::settings::describe::{Configs, Layers};
use crate::settings::listener::{self, Endpoint, Listener, ListenerTexts};
use crate::settings::topic_config::TopicConfig;

/// Reads values that were checked already.
struct Given<'a> {
    given: &'a Configs,
}

impl Given<'_> {
    fn value(&self, name: &'static str) -> Option<Value> {
        let setting = broker::find(name).expect("the names read here are rows of the table, as a test shows");
        let text = self.given.get(name).map(String::as_str).or(setting.default.text())?;
        setting.check(text).ok()
    }

    fn number(&self, name: &'static str) -> i64 {
        match self.value(name) {
            Some(Value::Number(number)) => number,
            Some(Value::Boolean(_) | Value::Fraction(_) | Value::Text(_) | Value::List(_)) | None => 0,
        }
    }

    fn unsigned(&self, name: &'static str) -> u64 {
        self.number(name).max(0).unsigned_abs()
    }

    fn size(&self, name: &'static str) -> usize {
        usize::try_from(self.unsigned(name)).unwrap_or(usize::MAX)
    }

    fn int(&self, name: &'static str) -> i32 {
        i32::try_from(self.number(name)).unwrap_or(i32::MAX)
    }

    fn flag(&self, name: &'static str) -> bool {
        self.value(name) == Some(Value::Boolean(true))
    }

    fn text(&self, name: &'static str) -> Option<String> {
        self.value(name).map(|value| value.to_string()).filter(|text| !text.is_empty())
    }

    fn list(&self, name: &'static str) -> Vec<String> {
        match self.value(name) {
            Some(Value::List(items)) => items.into_iter().filter(|item| !item.is_empty()).collect(),
            Some(Value::Boolean(_) | Value::Fraction(_) | Value::Text(_) | Value::Number(_)) | None => Vec::new(),
        }
    }
}

/// Makes the configuration of values that were checked one by one; checks them against each other.
pub(super) fn build(given: &Configs, warnings: Vec<String>) -> Result<BrokerConfig, Fault> {
    let read = &Given { given };
    check_roles(read)?;
    let controller_names = read.list("controller.listener.names");
    let advertised = read.given.contains_key("advertised.listeners").then(|| read.list("advertised.listeners"));
    let listeners = listener::parse(&ListenerTexts {
        listeners: &read.list("listeners"),
        advertised: advertised.as_deref(),
        protocols: read.given.get("listener.security.protocol.map").map(String::as_str),
        controller_names: &controller_names,
    })?;
    let inter_broker_listener = inter_broker(read, &listeners)?;
    let log_dirs = match read.list("log.dirs") {
        dirs if dirs.is_empty() => read.list("log.dir"),
        dirs => dirs,
    };
    let first = log_dirs
        .first()
        .ok_or_else(|| Fault("At least one log directory must be defined via log.dirs or log.dir.".to_owned()))?;
    let log = TopicConfig::effective(&Layers { file: Some(read.given), ..Layers::default() });
    check_log(&log)?;
    Ok(BrokerConfig {
        node_id: BrokerId(read.int("node.id")),
        rack: read.text("broker.rack"),
        inter_broker_listener,
        metadata_log_dir: read.text("metadata.log.dir").unwrap_or_else(|| first.clone()),
        log_dirs,
        network: network(read)?,
        topics: topic_defaults(read),
        tasks: task_times(read),
        quorum: quorum(read)?,
        groups: groups::groups(read)?,
        log,
        durable_acks: read.flag("ottla.durable.acks"),
        http: HttpListener {
            address: read.text("ottla.http.listener"),
            configured: read.given.contains_key("ottla.http.listener"),
        },
        listeners,
        given: read.given.clone(),
        warnings,
    })
}

fn check_roles(read: &Given<'_>) -> Result<(), Fault> {
    let roles = read.list("process.roles");
    if ["broker", "controller"].iter().all(|role| roles.iter().any(|given| given == role)) {
        return Ok(());
    }
    Err(Fault(format!(
        "process.roles={} is not honoured: one node is the whole cluster in this release; give broker,controller",
        roles.join(",")
    )))
}

fn inter_broker(read: &Given<'_>, listeners: &[Listener]) -> Result<String, Fault> {
    let clients: Vec<&Listener> = listeners.iter().filter(|listener| !listener.controller).collect();
    let first = clients.first().ok_or_else(|| {
        Fault(
            "There must be at least one broker advertised listener. Perhaps all listeners appear in \
             controller.listener.names?"
                .to_owned(),
        )
    })?;
    for name in read.list("controller.listener.names") {
        if !listeners.iter().any(|listener| listener.controller && listener.name.eq_ignore_ascii_case(&name)) {
            return Err(Fault(
                "controller.listener.names must only contain values appearing in the 'listeners' configuration when \
                 running the KRaft controller role"
                    .to_owned(),
            ));
        }
    }
    let Some(name) = read.text("inter.broker.listener.name") else {
        let protocol = read.text("security.inter.broker.protocol").unwrap_or_default();
        let named = clients.iter().find(|listener| listener.name == protocol);
        return Ok(named.unwrap_or(first).name.clone());
    };
    let name = name.to_ascii_uppercase();
    if clients.iter().any(|listener| listener.name == name) {
        return Ok(name);
    }
    let options: Vec<&str> = clients.iter().map(|listener| listener.name.as_str()).collect();
    Err(Fault(format!(
        "inter.broker.listener.name must be a listener name defined in advertised.listeners. The valid options based on \
         currently configured listeners are {}",
        options.join(",")
    )))
}

fn check_log(log: &TopicConfig) -> Result<(), Fault> {
    if log.retention_ms == 0 || log.retention_ms < -1 {
        return Err(Fault("log.retention.ms must be unlimited (-1) or, greater than or equal to 1".to_owned()));
    }
    if log.segment_ms < 1 {
        return Err(Fault("log.roll.ms must be greater than or equal to 1".to_owned()));
    }
    Ok(())
}

fn network(read: &Given<'_>) -> Result<NetworkLimits, Fault> {
    let request_bytes_max = read.size("socket.request.max.bytes");
    let in_flight = Some(read.number("queued.max.request.bytes")).filter(|bytes| *bytes > 0);
    let in_flight = in_flight.and_then(|bytes| usize::try_from(bytes).ok());
    if in_flight.is_some_and(|bytes| bytes < request_bytes_max) {
        return Err(Fault("queued.max.request.bytes must be larger or equal to socket.request.max.bytes".to_owned()));
    }
    Ok(NetworkLimits {
        request_bytes_max,
        backlog: u32::try_from(read.unsigned("socket.listen.backlog.size")).unwrap_or(u32::MAX),
        in_flight_bytes_max: in_flight,
        connections_max: read.size("max.connections"),
        connections_per_ip_max: read.size("max.connections.per.ip"),
        connections_per_ip_overrides: overrides(&read.text("max.connections.per.ip.overrides").unwrap_or_default())?,
        connection_rate_max: u32::try_from(read.unsigned("max.connection.creation.rate")).unwrap_or(u32::MAX),
        idle_ms_max: Some(read.number("connections.max.idle.ms")).filter(|ms| *ms >= 0).map(i64::unsigned_abs),
        fetch_bytes_max: read.int("fetch.max.bytes"),
        fetch_sessions_max: read.size("max.incremental.fetch.session.cache.slots"),
        describe_partitions_max: read.size("max.request.partition.size.limit"),
    })
}

fn overrides(text: &str) -> Result<BTreeMap<String, usize>, Fault> {
    let mut limits = BTreeMap::new();
    for pair in text.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
        let parsed = pair.rsplit_once(':').and_then(|(host, count)| Some((host, count.trim().parse().ok()?)));
        let Some((host, count)) = parsed else {
            return Err(Fault(format!(
                "Invalid value {text} for configuration max.connections.per.ip.overrides: it must be host:count pairs \
                 separated by commas"
            )));
        };
        limits.insert(host.trim().to_owned(), count);
    }
    Ok(limits)
}

fn topic_defaults(read: &Given<'_>) -> TopicDefaults {
    TopicDefaults {
        partitions: read.int("num.partitions"),
        replication_factor: i16::try_from(read.number("default.replication.factor")).unwrap_or(i16::MAX),
        auto_create: read.flag("auto.create.topics.enable"),
        delete_enabled: read.flag("delete.topic.enable"),
    }
}

fn task_times(read: &Given<'_>) -> TaskTimes {
    TaskTimes {
        retention_check_ms: read.unsigned("log.retention.check.interval.ms"),
        flush_scheduler_ms: read.unsigned("log.flush.scheduler.interval.ms"),
        recovery_point_checkpoint_ms: read.unsigned("log.flush.offset.checkpoint.interval.ms"),
        log_start_checkpoint_ms: read.unsigned("log.flush.start.offset.checkpoint.interval.ms"),
        high_watermark_checkpoint_ms: read.unsigned("replica.high.watermark.checkpoint.interval.ms"),
        producer_expiration_ms: read.number("producer.id.expiration.ms"),
        producer_expiration_check_ms: read.unsigned("producer.id.expiration.check.interval.ms"),
        recovery_threads: read.size("num.recovery.threads.per.data.dir"),
        replica_lag_ms_max: read.number("replica.lag.time.max.ms"),
    }
}

fn quorum(read: &Given<'_>) -> Result<QuorumConfig, Fault> {
    let voters = read.list("controller.quorum.voters");
    let bootstrap = read.list("controller.quorum.bootstrap.servers");
    Ok(QuorumConfig {
        static_voter: check_voters(read.int("node.id"), &voters, &bootstrap)?,
        election_timeout_ms: read.unsigned("controller.quorum.election.timeout.ms"),
        fetch_timeout_ms: read.unsigned("controller.quorum.fetch.timeout.ms"),
        election_backoff_max_ms: read.unsigned("controller.quorum.election.backoff.max.ms"),
        segment_bytes: read.int("metadata.log.segment.bytes"),
        segment_ms: read.number("metadata.log.segment.ms"),
        snapshot_bytes: read.unsigned("metadata.log.max.record.bytes.between.snapshots"),
        snapshot_interval_ms: read.unsigned("metadata.log.max.snapshot.interval.ms"),
        retention_bytes: read.number("metadata.max.retention.bytes"),
        retention_ms: read.number("metadata.max.retention.ms"),
        heartbeat_interval_ms: read.unsigned("broker.heartbeat.interval.ms"),
        session_timeout_ms: read.unsigned("broker.session.timeout.ms"),
    })
}

/// The address of this node as the static voter, if the voters are static.
fn check_voters(node: i32, voters: &[String], bootstrap: &[String]) -> Result<Option<Endpoint>, Fault> {
    if voters.is_empty() && bootstrap.is_empty() {
        return Err(Fault(
            "If using process.roles, either controller.quorum.bootstrap.servers must contain the set of bootstrap \
             controllers or controller.quorum.voters must contain a parseable set of controllers."
                .to_owned(),
        ));
    }
    if voters.len() > 1 || bootstrap.len() > 1 {
        return Err(Fault(
            "controller.quorum.voters and controller.quorum.bootstrap.servers may name this node only: one node forms \
             the quorum in this release"
                .to_owned(),
        ));
    }
    let Some(voter) = voters.first() else { return Ok(None) };
    let wrong =
        || Fault(format!("Invalid value {voter} for configuration controller.quorum.voters: it is id@host:port"));
    let (id, address) = voter.split_once('@').ok_or_else(wrong)?;
    let (host, port) = address.rsplit_once(':').ok_or_else(wrong)?;
    if id.trim().parse::<i32>().map_err(|_| wrong())? != node {
        return Err(Fault(format!(
            "If process.roles contains the 'controller' role, the node id {node} must be included in the set of voters \
             controller.quorum.voters={voter}"
        )));
    }
    let host = host.trim().trim_start_matches('[').trim_end_matches(']').to_owned();
    Ok(Some(Endpoint { host, port: port.trim().parse().map_err(|_| wrong())? }))
}
