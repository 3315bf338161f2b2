//! Settings of consumer and streams groups.

use ottla_host::setting::{Kind, Setting, Valid};

const NO_STREAMS: &str = "groups of Kafka Streams with tasks assigned by the broker are not served";
const NO_THREADS: &str = "each partition of __consumer_offsets is a task of its own on the broker's threads";
const NO_BUFFERS: &str = "a batch in the making is freed when it is written";
const INLINE: &str = "partitions are assigned on the task of the group's partition";

/// The rows, one a line.
#[rustfmt::skip]
pub(super) const ROWS: &[Setting] = &[
    Setting::new("group.coordinator.rebalance.protocols", Kind::List, "classic,consumer,streams").valid(Valid::Several(&["consumer", "classic", "share", "streams"])).doc("Protocols that groups may use: classic always, consumer (KIP-848)."),
    Setting::new("group.coordinator.threads", Kind::Int, "4").valid(Valid::AtLeast(1)).high().without_effect(NO_THREADS),
    Setting::new("group.coordinator.background.threads", Kind::Int, "2").valid(Valid::AtLeast(1)).high().without_effect(NO_THREADS),
    Setting::new("group.coordinator.append.linger.ms", Kind::Int, "-1").valid(Valid::AtLeast(-1)).doc("How long records of groups wait for more of them before they are written together; -1 as long as requests wait."),
    Setting::new("offsets.commit.timeout.ms", Kind::Int, "5000").valid(Valid::AtLeast(1)).high().doc("How long a request waits for the records of its group to be committed."),
    Setting::new("offsets.load.buffer.size", Kind::Int, "5242880").valid(Valid::AtLeast(1)).high().doc("Bytes of __consumer_offsets read at once when a coordinator is loaded; never more than 1 MiB here."),
    Setting::new("offsets.topic.replication.factor", Kind::Short, "3").valid(Valid::AtLeast(1)).high().doc("Replicas of __consumer_offsets; the topic is not made while fewer brokers serve."),
    Setting::new("offsets.topic.num.partitions", Kind::Int, "50").valid(Valid::AtLeast(1)).high().doc("Partitions of __consumer_offsets when it is made; not to be changed afterwards."),
    Setting::new("offsets.topic.segment.bytes", Kind::Int, "104857600").valid(Valid::AtLeast(1)).high().doc("Size of the segments of __consumer_offsets when it is made."),
    Setting::new("offsets.topic.compression.codec", Kind::Int, "0").high().doc("Codec of the batches that coordinators write: 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd."),
    Setting::new("group.coordinator.cached.buffer.max.bytes", Kind::Int, "1048588").valid(Valid::AtLeast(524_288)).cluster_wide().without_effect(NO_BUFFERS),
    Setting::new("offset.metadata.max.bytes", Kind::Int, "4096").high().doc("Longest text that may be committed beside an offset."),
    Setting::new("offsets.retention.minutes", Kind::Int, "10080").valid(Valid::AtLeast(1)).high().doc("How long offsets are kept once their group has no members, or since their commit for consumers that are in no group."),
    Setting::new("offsets.retention.check.interval.ms", Kind::Long, "600000").valid(Valid::AtLeast(1)).high().doc("Time between two looks for offsets that are too old."),
    Setting::new("group.min.session.timeout.ms", Kind::Int, "6000").doc("Shortest session that a member of a classic group may ask for."),
    Setting::new("group.max.session.timeout.ms", Kind::Int, "1800000").doc("Longest session that a member of a classic group may ask for."),
    Setting::new("group.initial.rebalance.delay.ms", Kind::Int, "3000").doc("How long a new classic group waits for more members before its first rebalance."),
    Setting::new("group.max.size", Kind::Int, "2147483647").valid(Valid::AtLeast(1)).doc("Most members of a classic group."),
    Setting::new("group.consumer.session.timeout.ms", Kind::Int, "45000").valid(Valid::AtLeast(1)).doc("Silence after which a member of a KIP-848 group counts as gone."),
    Setting::new("group.consumer.min.session.timeout.ms", Kind::Int, "45000").valid(Valid::AtLeast(1)).doc("Least value that a group's own consumer.session.timeout.ms may have."),
    Setting::new("group.consumer.max.session.timeout.ms", Kind::Int, "60000").valid(Valid::AtLeast(1)).doc("Greatest value that a group's own consumer.session.timeout.ms may have."),
    Setting::new("group.consumer.heartbeat.interval.ms", Kind::Int, "5000").valid(Valid::AtLeast(1)).doc("Time between two heartbeats of a member of a KIP-848 group."),
    Setting::new("group.consumer.min.heartbeat.interval.ms", Kind::Int, "5000").valid(Valid::AtLeast(1)).doc("Least value that a group's own consumer.heartbeat.interval.ms may have."),
    Setting::new("group.consumer.max.heartbeat.interval.ms", Kind::Int, "15000").valid(Valid::AtLeast(1)).doc("Greatest value that a group's own consumer.heartbeat.interval.ms may have."),
    Setting::new("group.consumer.max.size", Kind::Int, "2147483647").valid(Valid::AtLeast(1)).doc("Most members of a KIP-848 group."),
    Setting::new("group.consumer.assignors", Kind::List, "uniform,range").doc("Assignors of KIP-848 groups, the default first: uniform, range."),
    Setting::new("group.consumer.migration.policy", Kind::String, "bidirectional").valid(Valid::OneOfAnyCase(&["DISABLED", "DOWNGRADE", "UPGRADE", "BIDIRECTIONAL"])).doc("Which way a group with members may change its protocol: disabled, upgrade (to KIP-848), downgrade, bidirectional."),
    Setting::new("group.consumer.assignment.interval.ms", Kind::Int, "1000").valid(Valid::AtLeast(0)).cluster_wide().doc("Least time between two assignments of a KIP-848 group."),
    Setting::new("group.consumer.min.assignment.interval.ms", Kind::Int, "0").valid(Valid::AtLeast(0)).doc("Least value that a group's own consumer.assignment.interval.ms may have."),
    Setting::new("group.consumer.max.assignment.interval.ms", Kind::Int, "15000").valid(Valid::AtLeast(0)).doc("Greatest value that a group's own consumer.assignment.interval.ms may have."),
    Setting::new("group.consumer.assignor.offload.enable", Kind::Boolean, "true").cluster_wide().internal().without_effect(INLINE),
    Setting::new("group.consumer.regex.refresh.interval.ms", Kind::Int, "600000").valid(Valid::AtLeast(10_000)).internal().doc("Least time between two looks at which topics the patterns of a group match."),
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
