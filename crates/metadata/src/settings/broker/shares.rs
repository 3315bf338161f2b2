//! Settings of share groups.

use ottla_host::setting::{Kind, Setting, Valid};

const NO_SHARES: &str = "there are no share groups in this release";

/// The rows, one a line.
#[rustfmt::skip]
pub(super) const ROWS: &[Setting] = &[
    Setting::new("group.share.session.timeout.ms", Kind::Int, "45000").valid(Valid::AtLeast(1)).without_effect(NO_SHARES),
    Setting::new("group.share.min.session.timeout.ms", Kind::Int, "45000").valid(Valid::AtLeast(1)).without_effect(NO_SHARES),
    Setting::new("group.share.max.session.timeout.ms", Kind::Int, "60000").valid(Valid::AtLeast(1)).without_effect(NO_SHARES),
    Setting::new("group.share.heartbeat.interval.ms", Kind::Int, "5000").valid(Valid::AtLeast(1)).without_effect(NO_SHARES),
    Setting::new("group.share.min.heartbeat.interval.ms", Kind::Int, "5000").valid(Valid::AtLeast(1)).without_effect(NO_SHARES),
    Setting::new("group.share.max.heartbeat.interval.ms", Kind::Int, "15000").valid(Valid::AtLeast(1)).without_effect(NO_SHARES),
    Setting::new("group.share.max.size", Kind::Int, "200").valid(Valid::Between(1, 1000)).without_effect(NO_SHARES),
    Setting::new("group.share.assignors", Kind::List, "simple").without_effect(NO_SHARES),
    Setting::new("group.share.assignment.interval.ms", Kind::Int, "1000").valid(Valid::AtLeast(0)).cluster_wide().without_effect(NO_SHARES),
    Setting::new("group.share.min.assignment.interval.ms", Kind::Int, "0").valid(Valid::AtLeast(0)).without_effect(NO_SHARES),
    Setting::new("group.share.max.assignment.interval.ms", Kind::Int, "15000").valid(Valid::AtLeast(0)).without_effect(NO_SHARES),
    Setting::new("group.share.assignor.offload.enable", Kind::Boolean, "true").cluster_wide().internal().without_effect(NO_SHARES),
    Setting::new("group.share.initialize.retry.interval.ms", Kind::Int, "30000").valid(Valid::AtLeast(1)).low().internal().without_effect(NO_SHARES),
    Setting::new("errors.deadletterqueue.auto.create.topics.enable", Kind::Boolean, "false").cluster_wide().without_effect(NO_SHARES),
    Setting::new("errors.deadletterqueue.topic.name.prefix", Kind::String, "dlq.").cluster_wide().without_effect(NO_SHARES),
    Setting::new("group.share.delivery.count.limit", Kind::Int, "5").valid(Valid::Between(2, 10)).without_effect(NO_SHARES),
    Setting::new("group.share.max.delivery.count.limit", Kind::Int, "10").valid(Valid::Between(5, 25)).without_effect(NO_SHARES),
    Setting::new("group.share.min.delivery.count.limit", Kind::Int, "2").valid(Valid::Between(2, 5)).without_effect(NO_SHARES),
    Setting::new("group.share.record.lock.duration.ms", Kind::Int, "30000").valid(Valid::Between(1000, 3_600_000)).without_effect(NO_SHARES),
    Setting::new("group.share.min.record.lock.duration.ms", Kind::Int, "15000").valid(Valid::Between(1000, 30_000)).without_effect(NO_SHARES),
    Setting::new("group.share.max.record.lock.duration.ms", Kind::Int, "60000").valid(Valid::Between(30_000, 3_600_000)).without_effect(NO_SHARES),
    Setting::new("group.share.partition.max.record.locks", Kind::Int, "2000").valid(Valid::Between(100, 10_000)).without_effect(NO_SHARES),
    Setting::new("group.share.max.partition.max.record.locks", Kind::Int, "4000").valid(Valid::Between(2000, 10_000)).without_effect(NO_SHARES),
    Setting::new("group.share.min.partition.max.record.locks", Kind::Int, "100").valid(Valid::Between(100, 2000)).without_effect(NO_SHARES),
    Setting::new("share.fetch.purgatory.purge.interval.requests", Kind::Int, "1000").without_effect("waiting requests are dropped as they end"),
    Setting::new("group.share.max.share.sessions", Kind::Int, "2000").valid(Valid::AtLeast(1)).without_effect(NO_SHARES),
    Setting::new("group.share.persister.class.name", Kind::String, "org.apache.kafka.server.share.persister.DefaultStatePersister").internal().without_effect(NO_SHARES),
    Setting::new("group.share.dlq.manager.class.name", Kind::String, "org.apache.kafka.server.share.dlq.DefaultShareGroupDLQManager").internal().without_effect(NO_SHARES),
    Setting::new("share.coordinator.state.topic.num.partitions", Kind::Int, "50").valid(Valid::AtLeast(1)).high().without_effect(NO_SHARES),
    Setting::new("share.coordinator.state.topic.replication.factor", Kind::Short, "3").valid(Valid::AtLeast(1)).high().without_effect(NO_SHARES),
    Setting::new("share.coordinator.state.topic.min.isr", Kind::Short, "2").valid(Valid::AtLeast(1)).high().without_effect(NO_SHARES),
    Setting::new("share.coordinator.state.topic.segment.bytes", Kind::Int, "104857600").valid(Valid::AtLeast(1)).high().without_effect(NO_SHARES),
    Setting::new("share.coordinator.threads", Kind::Int, "1").valid(Valid::AtLeast(1)).without_effect(NO_SHARES),
    Setting::new("share.coordinator.snapshot.update.records.per.snapshot", Kind::Int, "500").valid(Valid::Between(0, 500)).without_effect(NO_SHARES),
    Setting::new("share.coordinator.load.buffer.size", Kind::Int, "5242880").valid(Valid::AtLeast(1)).high().without_effect(NO_SHARES),
    Setting::new("share.coordinator.state.topic.compression.codec", Kind::Int, "0").high().without_effect(NO_SHARES),
    Setting::new("share.coordinator.append.linger.ms", Kind::Int, "-1").valid(Valid::AtLeast(-1)).without_effect(NO_SHARES),
    Setting::new("share.coordinator.write.timeout.ms", Kind::Int, "5000").valid(Valid::AtLeast(1)).high().without_effect(NO_SHARES),
    Setting::new("share.coordinator.state.topic.prune.interval.ms", Kind::Int, "300000").valid(Valid::AtLeast(1)).low().internal().without_effect(NO_SHARES),
    Setting::new("share.coordinator.cold.partition.snapshot.interval.ms", Kind::Int, "300000").valid(Valid::AtLeast(1)).low().internal().without_effect(NO_SHARES),
    Setting::new("share.coordinator.cached.buffer.max.bytes", Kind::Int, "1048588").valid(Valid::AtLeast(524_288)).cluster_wide().without_effect(NO_SHARES),
];
