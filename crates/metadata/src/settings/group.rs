//! The settings of a group (KIP-848, KIP-932, KIP-1071), each with the broker settings that give its default and its bounds.

use ottla_host::setting::{Kind, Setting, Valid};

const INLINE: &str = "partitions are assigned on the task of the group's partition";
const NO_SHARES: &str = "there are no share groups in this release";
const NO_STREAMS: &str = "groups of Kafka Streams with tasks assigned by the broker are not served";

/// Broker settings that a group's own value must keep to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Bounds {
    /// None.
    Free,
    /// From the one to the other.
    Between(&'static str, &'static str),
    /// At least this.
    AtLeast(&'static str),
    /// At most this.
    AtMost(&'static str),
}

/// A group setting, and the broker settings that it depends on.
#[derive(Clone, Copy, Debug)]
pub struct GroupSetting {
    /// The row.
    pub setting: Setting,
    /// The broker setting that holds for groups without a value of their own.
    pub synonym: Option<&'static str>,
    /// What values must keep to.
    pub bounds: Bounds,
}

const fn row(setting: Setting, synonym: &'static str, bounds: Bounds) -> GroupSetting {
    GroupSetting { setting, synonym: Some(synonym), bounds }
}

const fn own(setting: Setting) -> GroupSetting {
    GroupSetting { setting, synonym: None, bounds: Bounds::Free }
}

/// The rows.
#[rustfmt::skip]
pub const ROWS: &[GroupSetting] = &[
    row(Setting::new("consumer.session.timeout.ms", Kind::Int, "45000").valid(Valid::AtLeast(1)).doc("Silence after which a member of this group counts as gone."), "group.consumer.session.timeout.ms", Bounds::Between("group.consumer.min.session.timeout.ms", "group.consumer.max.session.timeout.ms")),
    row(Setting::new("consumer.heartbeat.interval.ms", Kind::Int, "5000").valid(Valid::AtLeast(1)).doc("Time between two heartbeats of a member of this group."), "group.consumer.heartbeat.interval.ms", Bounds::Between("group.consumer.min.heartbeat.interval.ms", "group.consumer.max.heartbeat.interval.ms")),
    row(Setting::new("consumer.assignment.interval.ms", Kind::Int, "1000").valid(Valid::AtLeast(0)).doc("Least time between two assignments of this group."), "group.consumer.assignment.interval.ms", Bounds::Between("group.consumer.min.assignment.interval.ms", "group.consumer.max.assignment.interval.ms")),
    row(Setting::new("consumer.assignor.offload.enable", Kind::Boolean, "true").internal().without_effect(INLINE), "group.consumer.assignor.offload.enable", Bounds::Free),
    row(Setting::new("share.session.timeout.ms", Kind::Int, "45000").valid(Valid::AtLeast(1)).without_effect(NO_SHARES), "group.share.session.timeout.ms", Bounds::Between("group.share.min.session.timeout.ms", "group.share.max.session.timeout.ms")),
    row(Setting::new("share.heartbeat.interval.ms", Kind::Int, "5000").valid(Valid::AtLeast(1)).without_effect(NO_SHARES), "group.share.heartbeat.interval.ms", Bounds::Between("group.share.min.heartbeat.interval.ms", "group.share.max.heartbeat.interval.ms")),
    row(Setting::new("share.record.lock.duration.ms", Kind::Int, "30000").valid(Valid::AtLeast(1000)).without_effect(NO_SHARES), "group.share.record.lock.duration.ms", Bounds::Between("group.share.min.record.lock.duration.ms", "group.share.max.record.lock.duration.ms")),
    row(Setting::new("share.delivery.count.limit", Kind::Int, "5").valid(Valid::AtLeast(2)).without_effect(NO_SHARES), "group.share.delivery.count.limit", Bounds::Between("group.share.min.delivery.count.limit", "group.share.max.delivery.count.limit")),
    row(Setting::new("share.partition.max.record.locks", Kind::Int, "2000").valid(Valid::AtLeast(100)).without_effect(NO_SHARES), "group.share.partition.max.record.locks", Bounds::Between("group.share.min.partition.max.record.locks", "group.share.max.partition.max.record.locks")),
    own(Setting::new("share.auto.offset.reset", Kind::String, "latest").without_effect(NO_SHARES)),
    own(Setting::new("share.isolation.level", Kind::String, "read_uncommitted").valid(Valid::OneOf(&["read_committed", "read_uncommitted"])).without_effect(NO_SHARES)),
    own(Setting::new("share.renew.acknowledge.enable", Kind::Boolean, "true").without_effect(NO_SHARES)),
    row(Setting::new("share.assignment.interval.ms", Kind::Int, "1000").valid(Valid::AtLeast(0)).without_effect(NO_SHARES), "group.share.assignment.interval.ms", Bounds::Between("group.share.min.assignment.interval.ms", "group.share.max.assignment.interval.ms")),
    row(Setting::new("share.assignor.offload.enable", Kind::Boolean, "true").internal().without_effect(NO_SHARES), "group.share.assignor.offload.enable", Bounds::Free),
    row(Setting::new("streams.session.timeout.ms", Kind::Int, "45000").valid(Valid::AtLeast(1)).without_effect(NO_STREAMS), "group.streams.session.timeout.ms", Bounds::Between("group.streams.min.session.timeout.ms", "group.streams.max.session.timeout.ms")),
    row(Setting::new("streams.heartbeat.interval.ms", Kind::Int, "5000").valid(Valid::AtLeast(1)).without_effect(NO_STREAMS), "group.streams.heartbeat.interval.ms", Bounds::Between("group.streams.min.heartbeat.interval.ms", "group.streams.max.heartbeat.interval.ms")),
    row(Setting::new("streams.num.standby.replicas", Kind::Int, "0").valid(Valid::AtLeast(0)).without_effect(NO_STREAMS), "group.streams.num.standby.replicas", Bounds::AtMost("group.streams.max.standby.replicas")),
    row(Setting::new("streams.initial.rebalance.delay.ms", Kind::Int, "3000").valid(Valid::AtLeast(0)).without_effect(NO_STREAMS), "group.streams.initial.rebalance.delay.ms", Bounds::Free),
    row(Setting::new("streams.assignment.interval.ms", Kind::Int, "1000").valid(Valid::AtLeast(0)).without_effect(NO_STREAMS), "group.streams.assignment.interval.ms", Bounds::Between("group.streams.min.assignment.interval.ms", "group.streams.max.assignment.interval.ms")),
    row(Setting::new("streams.assignor.offload.enable", Kind::Boolean, "true").internal().without_effect(NO_STREAMS), "group.streams.assignor.offload.enable", Bounds::Free),
    row(Setting::new("streams.task.offset.interval.ms", Kind::Int, "60000").valid(Valid::AtLeast(1)).internal().without_effect(NO_STREAMS), "group.streams.task.offset.interval.ms", Bounds::AtLeast("group.streams.min.task.offset.interval.ms")),
    row(Setting::new("streams.num.warmup.replicas", Kind::Int, "2").valid(Valid::AtLeast(0)).internal().without_effect(NO_STREAMS), "group.streams.num.warmup.replicas", Bounds::AtMost("group.streams.max.warmup.replicas")),
    row(Setting::new("streams.rack.aware.assignment.tags", Kind::List, "").low().without_effect(NO_STREAMS), "group.streams.rack.aware.assignment.tags", Bounds::Free),
    row(Setting::new("streams.acceptable.recovery.lag", Kind::Long, "10000").valid(Valid::AtLeast(0)).internal().without_effect(NO_STREAMS), "group.streams.acceptable.recovery.lag", Bounds::Free),
    row(Setting::new("streams.assignor.name", Kind::String, "").null().without_effect(NO_STREAMS), "group.streams.assignors", Bounds::Free),
    own(Setting::new("errors.deadletterqueue.topic.name", Kind::String, "").without_effect(NO_SHARES)),
    own(Setting::new("errors.deadletterqueue.copy.record.enable", Kind::Boolean, "false").without_effect(NO_SHARES)),
];
