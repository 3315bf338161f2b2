//! Settings of groups and offsets as plain numbers, with Kafka's defaults.

use std::time::Duration;

/// Limits and times of a range of values that clients or group settings may choose from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Range {
    /// Least value.
    pub min: Duration,
    /// Greatest value.
    pub max: Duration,
}

/// What the coordinator goes by. Names and units are those of the settings they come from.
#[derive(Clone, PartialEq, Debug)]
pub struct GroupSettings {
    /// `group.min.session.timeout.ms` and `group.max.session.timeout.ms`.
    pub classic_session: Range,
    /// `group.initial.rebalance.delay.ms`.
    pub initial_rebalance_delay: Duration,
    /// `group.max.size`.
    pub classic_size_max: usize,
    /// What KIP-848 groups go by.
    pub consumer: ConsumerSettings,
    /// What offsets go by.
    pub offsets: OffsetSettings,
}

/// Settings of KIP-848 groups; a group's own settings change some of them within the bounds.
#[derive(Clone, PartialEq, Debug)]
pub struct ConsumerSettings {
    /// `group.consumer.session.timeout.ms`.
    pub session: Duration,
    /// Its bounds.
    pub session_range: Range,
    /// `group.consumer.heartbeat.interval.ms`.
    pub heartbeat: Duration,
    /// Its bounds.
    pub heartbeat_range: Range,
    /// `group.consumer.max.size`.
    pub size_max: usize,
    /// `group.consumer.assignors`, the default first: `uniform`, `range`.
    pub assignors: Vec<String>,
    /// `group.consumer.migration.policy`.
    pub migration: Migration,
    /// `group.consumer.assignment.interval.ms`.
    pub assignment_interval: Duration,
    /// Its bounds.
    pub assignment_interval_range: Range,
    /// `group.consumer.regex.refresh.interval.ms`.
    pub regex_refresh: Duration,
}

/// `group.consumer.migration.policy`: which way a group may change its protocol while it has members.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Migration {
    /// `disabled`.
    Disabled,
    /// `upgrade`: from classic to consumer.
    Upgrade,
    /// `downgrade`: from consumer to classic.
    Downgrade,
    /// `bidirectional`.
    Bidirectional,
}

/// Settings of offsets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OffsetSettings {
    /// `offset.metadata.max.bytes`.
    pub metadata_bytes_max: usize,
    /// `offsets.retention.minutes`.
    pub retention: Duration,
    /// `offsets.retention.check.interval.ms`.
    pub check_interval: Duration,
}

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

impl Default for GroupSettings {
    fn default() -> GroupSettings {
        GroupSettings {
            classic_session: Range { min: seconds(6), max: seconds(1800) },
            initial_rebalance_delay: seconds(3),
            classic_size_max: i32::MAX as usize,
            consumer: ConsumerSettings::default(),
            offsets: OffsetSettings {
                metadata_bytes_max: 4096,
                retention: seconds(7 * 24 * 3600),
                check_interval: seconds(600),
            },
        }
    }
}

impl Default for ConsumerSettings {
    fn default() -> ConsumerSettings {
        ConsumerSettings {
            session: seconds(45),
            session_range: Range { min: seconds(45), max: seconds(60) },
            heartbeat: seconds(5),
            heartbeat_range: Range { min: seconds(5), max: seconds(15) },
            size_max: i32::MAX as usize,
            assignors: vec!["uniform".to_owned(), "range".to_owned()],
            migration: Migration::Bidirectional,
            assignment_interval: seconds(1),
            assignment_interval_range: Range { min: seconds(0), max: seconds(15) },
            regex_refresh: seconds(600),
        }
    }
}
