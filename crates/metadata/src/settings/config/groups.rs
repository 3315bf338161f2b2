//! What groups and their offsets go by, as plain numbers.

use std::time::Duration;

/// Least and greatest value that clients or a group's own settings may choose.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DurationRange {
    /// Least value.
    pub min: Duration,
    /// Greatest value.
    pub max: Duration,
}

/// Groups, their offsets, and the topic that both live in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GroupsConfig {
    /// `group.coordinator.rebalance.protocols` names `consumer`.
    pub consumer_protocol: bool,
    /// `group.coordinator.append.linger.ms`; None for -1, as long as commands wait.
    pub append_linger: Option<Duration>,
    /// `group.min.session.timeout.ms` and `group.max.session.timeout.ms`.
    pub classic_session: DurationRange,
    /// `group.initial.rebalance.delay.ms`.
    pub initial_rebalance_delay: Duration,
    /// `group.max.size`.
    pub classic_size_max: usize,
    /// KIP-848 groups.
    pub consumer: ConsumerGroupsConfig,
    /// Committed offsets.
    pub offsets: OffsetsConfig,
}

/// KIP-848 groups.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConsumerGroupsConfig {
    /// `group.consumer.session.timeout.ms`.
    pub session: Duration,
    /// `group.consumer.min.session.timeout.ms` and `max`.
    pub session_range: DurationRange,
    /// `group.consumer.heartbeat.interval.ms`.
    pub heartbeat: Duration,
    /// `group.consumer.min.heartbeat.interval.ms` and `max`.
    pub heartbeat_range: DurationRange,
    /// `group.consumer.max.size`.
    pub size_max: usize,
    /// `group.consumer.assignors`, the default first.
    pub assignors: Vec<String>,
    /// `group.consumer.migration.policy` in lower case.
    pub migration: String,
    /// `group.consumer.assignment.interval.ms`.
    pub assignment_interval: Duration,
    /// `group.consumer.min.assignment.interval.ms` and `max`.
    pub assignment_interval_range: DurationRange,
    /// `group.consumer.regex.refresh.interval.ms`.
    pub regex_refresh: Duration,
}

/// Committed offsets and `__consumer_offsets`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OffsetsConfig {
    /// `offset.metadata.max.bytes`.
    pub metadata_bytes_max: usize,
    /// `offsets.retention.minutes`.
    pub retention: Duration,
    /// `offsets.retention.check.interval.ms`.
    pub check_interval: Duration,
    /// `offsets.commit.timeout.ms`.
    pub commit_timeout: Duration,
    /// `offsets.load.buffer.size`.
    pub load_bytes: usize,
    /// `offsets.topic.num.partitions`.
    pub topic_partitions: i32,
    /// `offsets.topic.replication.factor`.
    pub topic_replication_factor: i16,
    /// `offsets.topic.segment.bytes`.
    pub topic_segment_bytes: i32,
    /// `offsets.topic.compression.codec`: number of the codec of batches, 0 for none.
    pub topic_codec: u8,
}
