//! Settings of topics and their replication.

use ottla_host::setting::{Kind, Setting, Valid};

const ONE_BROKER: &str = "one broker forms the cluster in this release";
const NO_PURGATORY: &str = "waiting requests are dropped as they end";
const NO_POLICIES: &str = "Java policies cannot be loaded; remove it";

/// The rows, one a line.
#[rustfmt::skip]
pub(super) const ROWS: &[Setting] = &[
    Setting::new("num.replica.alter.log.dirs.threads", Kind::Int, "").null().high().without_effect("threads are chosen by the number of processors"),
    Setting::new("delete.topic.enable", Kind::Boolean, "true").high().doc("Whether topics may be deleted."),
    Setting::new("default.replication.factor", Kind::Int, "1").doc("Replicas of a topic created without a count."),
    Setting::new("replica.lag.time.max.ms", Kind::Long, "30000").high().doc("Time after which a follower that has not caught up leaves the in-sync replicas."),
    Setting::new("replica.socket.timeout.ms", Kind::Int, "30000").high().without_effect(ONE_BROKER),
    Setting::new("replica.socket.receive.buffer.bytes", Kind::Int, "65536").high().without_effect("the operating system sizes socket buffers"),
    Setting::new("replica.fetch.max.bytes", Kind::Int, "1048576").valid(Valid::AtLeast(0)).without_effect(ONE_BROKER),
    Setting::new("replica.fetch.wait.max.ms", Kind::Int, "500").high().without_effect(ONE_BROKER),
    Setting::new("replica.fetch.backoff.ms", Kind::Int, "1000").valid(Valid::AtLeast(0)).without_effect(ONE_BROKER),
    Setting::new("replica.fetch.min.bytes", Kind::Int, "1").high().without_effect(ONE_BROKER),
    Setting::new("replica.fetch.response.max.bytes", Kind::Int, "10485760").valid(Valid::AtLeast(0)).without_effect(ONE_BROKER),
    Setting::new("num.replica.fetchers", Kind::Int, "1").valid(Valid::AtLeast(1)).high().cluster_wide().without_effect(ONE_BROKER),
    Setting::new("replica.high.watermark.checkpoint.interval.ms", Kind::Long, "5000").high().doc("Time between two writes of the high watermark checkpoint."),
    Setting::new("fetch.purgatory.purge.interval.requests", Kind::Int, "1000").without_effect(NO_PURGATORY),
    Setting::new("producer.purgatory.purge.interval.requests", Kind::Int, "1000").without_effect(NO_PURGATORY),
    Setting::new("delete.records.purgatory.purge.interval.requests", Kind::Int, "1").without_effect(NO_PURGATORY),
    Setting::new("auto.leader.rebalance.enable", Kind::Boolean, "true").high().without_effect(ONE_BROKER),
    Setting::new("leader.imbalance.check.interval.seconds", Kind::Long, "300").valid(Valid::AtLeast(1)).high().without_effect(ONE_BROKER),
    Setting::new("unclean.leader.election.interval.ms", Kind::Long, "300000").valid(Valid::AtLeast(1)).internal().without_effect(ONE_BROKER),
    Setting::new("unclean.leader.election.enable", Kind::Boolean, "false").high().cluster_wide().without_effect(ONE_BROKER),
    Setting::new("replica.selector.class", Kind::String, "").null().refused("consumers read from the leader; remove it"),
    Setting::new("num.partitions", Kind::Int, "1").valid(Valid::AtLeast(1)).doc("Partitions of a topic created without a count."),
    Setting::new("auto.create.topics.enable", Kind::Boolean, "true").high().doc("Whether asking for the metadata of a missing topic creates it."),
    Setting::new("min.insync.replicas", Kind::Int, "1").valid(Valid::AtLeast(1)).high().cluster_wide().doc("Fewest in-sync replicas with which acks=all is accepted."),
    Setting::new("create.topic.policy.class.name", Kind::Class, "").null().low().refused(NO_POLICIES),
    Setting::new("alter.config.policy.class.name", Kind::Class, "").null().low().refused(NO_POLICIES),
];
