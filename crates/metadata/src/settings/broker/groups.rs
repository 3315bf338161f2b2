//! Settings of consumer and streams groups.

use ottla_host::setting::{Kind, Setting, Valid};

const NO_STREAMS: &str = "groups of Kafka Streams with tasks assigned by the broker are not served";
const NO_THREADS: &str = "each partition of __consumer_offsets is a task of its own on the broker's threads";
const NO_BUFFERS: &str = "a batch in the making is freed when it is written";
const INLINE: &str = "partitions are assigned on the task of the group's partition";

/// The rows, one a line.
#[rustfmt::skip]
pub(super) const ROWS: &[Setting] = &[
    Setting::new("group.coordinator.rebalance.protocols", Kind::List, "classic,consumer,streams").valid(Valid::Several(&["consumer", "classic", "share", "streams"])),
    Setting::new("group.coordinator.threads", Kind::Int, "4").valid(Valid::AtLeast(1)).high().without_effect(NO_THREADS),
    Setting::new("group.coordinator.background.threads", Kind::Int, "2").valid(Valid::AtLeast(1)).high().without_effect(NO_THREADS),
    Setting::new("group.coordinator.append.linger.ms", Kind::Int, "-1").valid(Valid::AtLeast(-1)),
    Setting::new("offsets.commit.timeout.ms", Kind::Int, "5000").valid(Valid::AtLeast(1)).high(),
    Setting::new("offsets.load.buffer.size", Kind::Int, "5242880").valid(Valid::AtLeast(1)).high(),
    Setting::new("offsets.topic.replication.factor", Kind::Short, "3").valid(Valid::AtLeast(1)).high(),
    Setting::new("offsets.topic.num.partitions", Kind::Int, "50").valid(Valid::AtLeast(1)).high(),
    Setting::new("offsets.topic.segment.bytes", Kind::Int, "104857600").valid(Valid::AtLeast(1)).high(),
    Setting::new("offsets.topic.compression.codec", Kind::Int, "0").high(),
    Setting::new("group.coordinator.cached.buffer.max.bytes", Kind::Int, "1048588").valid(Valid::AtLeast(524_288)).cluster_wide().without_effect(NO_BUFFERS),
    Setting::new("offset.metadata.max.bytes", Kind::Int, "4096").high(),
    Setting::new("offsets.retention.minutes", Kind::Int, "10080").valid(Valid::AtLeast(1)).high(),
    Setting::new("offsets.retention.check.interval.ms", Kind::Long, "600000").valid(Valid::AtLeast(1)).high(),
    Setting::new("group.min.session.timeout.ms", Kind::Int, "6000"),
    Setting::new("group.max.session.timeout.ms", Kind::Int, "1800000"),
    Setting::new("group.initial.rebalance.delay.ms", Kind::Int, "3000"),
    Setting::new("group.max.size", Kind::Int, "2147483647").valid(Valid::AtLeast(1)),
    Setting::new("group.consumer.session.timeout.ms", Kind::Int, "45000").valid(Valid::AtLeast(1)),
    Setting::new("group.consumer.min.session.timeout.ms", Kind::Int, "45000").valid(Valid::AtLeast(1)),
    Setting::new("group.consumer.max.session.timeout.ms", Kind::Int, "60000").valid(Valid::AtLeast(1)),
    Setting::new("group.consumer.heartbeat.interval.ms", Kind::Int, "5000").valid(Valid::AtLeast(1)),
    Setting::new("group.consumer.min.heartbeat.interval.ms", Kind::Int, "5000").valid(Valid::AtLeast(1)),
    Setting::new("group.consumer.max.heartbeat.interval.ms", Kind::Int, "15000").valid(Valid::AtLeast(1)),
    Setting::new("group.consumer.max.size", Kind::Int, "2147483647").valid(Valid::AtLeast(1)),
    Setting::new("group.consumer.assignors", Kind::List, "uniform,range"),
    Setting::new("group.consumer.migration.policy", Kind::String, "bidirectional").valid(Valid::OneOfAnyCase(&["DISABLED", "DOWNGRADE", "UPGRADE", "BIDIRECTIONAL"])),
    Setting::new("group.consumer.assignment.interval.ms", Kind::Int, "1000").valid(Valid::AtLeast(0)).cluster_wide(),
    Setting::new("group.consumer.min.assignment.interval.ms", Kind::Int, "0").valid(Valid::AtLeast(0)),
    Setting::new("group.consumer.max.assignment.interval.ms", Kind::Int, "15000").valid(Valid::AtLeast(0)),
    Setting::new("group.consumer.assignor.offload.enable", Kind::Boolean, "true").cluster_wide().internal().without_effect(INLINE),
    Setting::new("group.consumer.regex.refresh.interval.ms", Kind::Int, "600000").valid(Valid::AtLeast(10_000)).internal(),
    Setting::new("group.streams.session.timeout.ms", Kind::Int, "45000").valid(Valid::AtLeast(1)).without_effect(NO_STREAMS),
    Setting::new("group.streams.min.session.timeout.ms", Kind::Int, "45000").valid(Valid::AtLeast(1)).without_effect(NO_STREAMS),
    Setting::new("group.streams.max.session.timeout.ms", Kind::Int, "60000").valid(Valid::AtLeast(1)).without_effect(NO_STREAMS),
    Setting::new("group.streams.heartbeat.interval.ms", Kind::Int, "5000").valid(Valid::AtLeast(1)).without_effect(NO_STREAMS),
    Setting::new("group.streams.min.heartbeat.interval.ms", Kind::Int, "5000").valid(Valid::AtLeast(1)).without_effect(NO_STREAMS),
    Setting::new("group.streams.max.heartbeat.interval.ms", Kind::Int, "15000").valid(Valid::AtLeast(1)).without_effect(NO_STREAMS),
    Setting::new("group.streams.max.size", Kind::Int, "2147483647").valid(Valid::AtLeast(1)).without_effect(NO_STREAMS),
    Setting::new("group.streams.num.standby.replicas", Kind::Int, "0").valid(Valid::AtLeast(0)).without_effect(NO_STREAMS),
    Setting::new("group.streams.max.standby.replicas", Kind::Int, "2").valid(Valid::AtLeast(0)).without_effect(NO_STREAMS),
    Setting::new("group.streams.initial.rebalance.delay.ms", Kind::Int, "3000").valid(Valid::AtLeast(0)).without_effect(NO_STREAMS),
    Setting::new("group.streams.assignment.interval.ms", Kind::Int, "1000").valid(Valid::AtLeast(0)).cluster_wide().without_effect(NO_STREAMS),
    Setting::new("group.streams.min.assignment.interval.ms", Kind::Int, "0").valid(Valid::AtLeast(0)).without_effect(NO_STREAMS),
    Setting::new("group.streams.max.assignment.interval.ms", Kind::Int, "15000").valid(Valid::AtLeast(0)).without_effect(NO_STREAMS),
    Setting::new("group.streams.assignors", Kind::List, "sticky").without_effect(NO_STREAMS),
    Setting::new("group.streams.assignor.offload.enable", Kind::Boolean, "true").cluster_wide().internal().without_effect(NO_STREAMS),
    Setting::new("group.streams.task.offset.interval.ms", Kind::Int, "60000").valid(Valid::AtLeast(1)).internal().without_effect(NO_STREAMS),
    Setting::new("group.streams.min.task.offset.interval.ms", Kind::Int, "15000").valid(Valid::AtLeast(1)).internal().without_effect(NO_STREAMS),
    Setting::new("group.streams.num.warmup.replicas", Kind::Int, "2").valid(Valid::AtLeast(0)).internal().without_effect(NO_STREAMS),
    Setting::new("group.streams.max.warmup.replicas", Kind::Int, "20").valid(Valid::AtLeast(0)).internal().without_effect(NO_STREAMS),
    Setting::new("group.streams.rack.aware.assignment.tags", Kind::List, "").low().without_effect(NO_STREAMS),
    Setting::new("group.streams.topology.description.plugin.class", Kind::Class, "").null().refused("Java plugins cannot be loaded; remove it"),
    Setting::new("group.streams.acceptable.recovery.lag", Kind::Long, "10000").valid(Valid::AtLeast(0)).internal().without_effect(NO_STREAMS),
];
