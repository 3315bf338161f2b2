//! Groups and offsets.

use std::time::Duration;

use ottla_host::setting::Fault;

use super::Given;
use crate::settings::config::groups::{ConsumerGroupsConfig, DurationRange, GroupsConfig, OffsetsConfig};

/// Assignors that the coordinator has.
const ASSIGNORS: [(&str, &str); 2] = [
    ("uniform", "org.apache.kafka.coordinator.group.assignor.UniformAssignor"),
    ("range", "org.apache.kafka.coordinator.group.assignor.RangeAssignor"),
];
/// Codecs that Kafka gives numbers here: none, gzip, snappy, lz4, zstd.
const CODECS: i64 = 5;

fn millis(read: &Given<'_>, name: &'static str) -> Duration {
    Duration::from_millis(read.unsigned(name))
}

/// Reads a range and what lies in it, as Kafka demands it.
fn ranged(
    read: &Given<'_>,
    name: &'static str,
    (min, max): (&'static str, &'static str),
) -> Result<(Duration, DurationRange), Fault> {
    let range = DurationRange { min: millis(read, min), max: millis(read, max) };
    let value = millis(read, name);
    if range.max < range.min {
        return Err(Fault(format!("{max} must be greater than or equal to {min}")));
    }
    if value < range.min {
        return Err(Fault(format!("{name} must be greater than or equal to {min}")));
    }
    if value > range.max {
        return Err(Fault(format!("{name} must be less than or equal to {max}")));
    }
    Ok((value, range))
}

pub(super) fn groups(read: &Given<'_>) -> Result<GroupsConfig, Fault> {
    let protocols = read.list("group.coordinator.rebalance.protocols");
    let has = |name: &str| protocols.iter().any(|protocol| protocol.eq_ignore_ascii_case(name));
    if !has("classic") {
        return Err(Fault(format!(
            "group.coordinator.rebalance.protocols={}: Disabling the 'classic' protocol is not supported.",
            protocols.join(",")
        )));
    }
    let (min, max) = ("group.min.session.timeout.ms", "group.max.session.timeout.ms");
    let classic_session = DurationRange { min: millis(read, min), max: millis(read, max) };
    if classic_session.max < classic_session.min {
        return Err(Fault(format!("{max} must be greater than or equal to {min}")));
    }
    let linger = read.number("group.coordinator.append.linger.ms");
    Ok(GroupsConfig {
        consumer_protocol: has("consumer"),
        append_linger: u64::try_from(linger).ok().map(Duration::from_millis),
        classic_session,
        initial_rebalance_delay: millis(read, "group.initial.rebalance.delay.ms"),
        classic_size_max: read.size("group.max.size"),
        consumer: consumer_groups(read)?,
        offsets: offsets(read)?,
    })
}

fn consumer_groups(read: &Given<'_>) -> Result<ConsumerGroupsConfig, Fault> {
    let (session, session_range) = ranged(
        read,
        "group.consumer.session.timeout.ms",
        ("group.consumer.min.session.timeout.ms", "group.consumer.max.session.timeout.ms"),
    )?;
    let (heartbeat, heartbeat_range) = ranged(
        read,
        "group.consumer.heartbeat.interval.ms",
        ("group.consumer.min.heartbeat.interval.ms", "group.consumer.max.heartbeat.interval.ms"),
    )?;
    if heartbeat >= session {
        return Err(Fault(
            "group.consumer.heartbeat.interval.ms must be less than group.consumer.session.timeout.ms".to_owned(),
        ));
    }
    let (assignment_interval, assignment_interval_range) = ranged(
        read,
        "group.consumer.assignment.interval.ms",
        ("group.consumer.min.assignment.interval.ms", "group.consumer.max.assignment.interval.ms"),
    )?;
    Ok(ConsumerGroupsConfig {
        session,
        session_range,
        heartbeat,
        heartbeat_range,
        size_max: read.size("group.consumer.max.size"),
        assignors: assignors(&read.list("group.consumer.assignors"))?,
        migration: read.text("group.consumer.migration.policy").unwrap_or_default().to_ascii_lowercase(),
        assignment_interval,
        assignment_interval_range,
        regex_refresh: millis(read, "group.consumer.regex.refresh.interval.ms"),
    })
}

/// The names of built-in assignors, which may be given by Kafka's classes.
fn assignors(given: &[String]) -> Result<Vec<String>, Fault> {
    let mut names: Vec<String> = Vec::new();
    for one in given {
        let found = ASSIGNORS.iter().find(|(name, class)| one == name || one == class);
        let Some((name, _)) = found else {
            return Err(Fault(format!(
                "group.consumer.assignors={one}: there are the assignors uniform and range; Java classes cannot be loaded"
            )));
        };
        if names.iter().any(|known| known == name) {
            return Err(Fault(format!("group.consumer.assignors: {name} is given twice")));
        }
        names.push((*name).to_owned());
    }
    if names.is_empty() {
        return Err(Fault("group.consumer.assignors must name an assignor: uniform or range".to_owned()));
    }
    Ok(names)
}

fn offsets(read: &Given<'_>) -> Result<OffsetsConfig, Fault> {
    let codec = read.number("offsets.topic.compression.codec");
    let topic_codec = u8::try_from(codec).ok().filter(|codec| i64::from(*codec) < CODECS);
    let topic_codec = topic_codec.ok_or_else(|| {
        Fault(format!(
            "offsets.topic.compression.codec={codec}: the codecs are 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd"
        ))
    })?;
    Ok(OffsetsConfig {
        metadata_bytes_max: read.size("offset.metadata.max.bytes"),
        retention: Duration::from_secs(60 * read.unsigned("offsets.retention.minutes")),
        check_interval: millis(read, "offsets.retention.check.interval.ms"),
        commit_timeout: millis(read, "offsets.commit.timeout.ms"),
        load_bytes: read.size("offsets.load.buffer.size"),
        topic_partitions: read.int("offsets.topic.num.partitions"),
        topic_replication_factor: i16::try_from(read.number("offsets.topic.replication.factor")).unwrap_or(i16::MAX),
        topic_segment_bytes: read.int("offsets.topic.segment.bytes"),
        topic_codec,
    })
}
