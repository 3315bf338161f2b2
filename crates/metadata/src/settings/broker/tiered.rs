//! Settings of tiered storage.

use ottla_host::setting::{Kind, Setting, Valid};

const NO_TIERS: &str = "there is no tiered storage in this release";

/// The rows, one a line.
#[rustfmt::skip]
pub(super) const ROWS: &[Setting] = &[
    Setting::new("remote.log.storage.system.enable", Kind::Boolean, "false").refused("there is no tiered storage in this release; remove it, and keep enough local disk for the retention"),
    Setting::new("remote.log.storage.manager.impl.prefix", Kind::String, "rsm.config.").valid(Valid::NotEmpty).without_effect(NO_TIERS),
    Setting::new("remote.log.metadata.manager.impl.prefix", Kind::String, "rlmm.config.").valid(Valid::NotEmpty).without_effect(NO_TIERS),
    Setting::new("remote.log.storage.manager.class.name", Kind::String, "").null().valid(Valid::NotEmpty).without_effect(NO_TIERS),
    Setting::new("remote.log.storage.manager.class.path", Kind::String, "").null().without_effect(NO_TIERS),
    Setting::new("remote.log.metadata.manager.class.name", Kind::String, "org.apache.kafka.server.log.remote.metadata.storage.TopicBasedRemoteLogMetadataManager").valid(Valid::NotEmpty).without_effect(NO_TIERS),
    Setting::new("remote.log.metadata.manager.class.path", Kind::String, "").null().without_effect(NO_TIERS),
    Setting::new("remote.log.metadata.manager.listener.name", Kind::String, "").null().valid(Valid::NotEmpty).without_effect(NO_TIERS),
    Setting::new("remote.log.metadata.custom.metadata.max.bytes", Kind::Int, "128").valid(Valid::AtLeast(0)).low().without_effect(NO_TIERS),
    Setting::new("remote.log.index.file.cache.total.size.bytes", Kind::Long, "1073741824").valid(Valid::AtLeast(1)).low().cluster_wide().without_effect(NO_TIERS),
    Setting::new("remote.log.index.file.cache.ttl.ms", Kind::Long, "900000").valid(Valid::AtLeast(-1)).low().internal().without_effect(NO_TIERS),
    Setting::new("remote.log.manager.thread.pool.size", Kind::Int, "2").valid(Valid::AtLeast(1)).without_effect(NO_TIERS),
    Setting::new("remote.log.manager.copier.thread.pool.size", Kind::Int, "10").valid(Valid::AtLeast(1)).cluster_wide().without_effect(NO_TIERS),
    Setting::new("remote.log.manager.expiration.thread.pool.size", Kind::Int, "10").valid(Valid::AtLeast(1)).cluster_wide().without_effect(NO_TIERS),
    Setting::new("remote.log.manager.follower.thread.pool.size", Kind::Int, "2").valid(Valid::AtLeast(1)).cluster_wide().without_effect(NO_TIERS),
    Setting::new("remote.log.manager.task.interval.ms", Kind::Long, "30000").valid(Valid::AtLeast(1)).low().without_effect(NO_TIERS),
    Setting::new("remote.log.manager.task.retry.backoff.ms", Kind::Long, "500").valid(Valid::AtLeast(1)).low().internal().without_effect(NO_TIERS),
    Setting::new("remote.log.manager.task.retry.backoff.max.ms", Kind::Long, "30000").valid(Valid::AtLeast(1)).low().internal().without_effect(NO_TIERS),
    Setting::new("remote.log.manager.task.retry.jitter", Kind::Double, "0.2").valid(Valid::Fraction(0.0, 0.5)).low().internal().without_effect(NO_TIERS),
    Setting::new("remote.log.reader.threads", Kind::Int, "10").valid(Valid::AtLeast(1)).cluster_wide().without_effect(NO_TIERS),
    Setting::new("remote.log.reader.max.pending.tasks", Kind::Int, "100").valid(Valid::AtLeast(1)).without_effect(NO_TIERS),
    Setting::new("log.local.retention.ms", Kind::Long, "-2").valid(Valid::AtLeast(-2)).cluster_wide().without_effect(NO_TIERS),
    Setting::new("log.local.retention.bytes", Kind::Long, "-2").valid(Valid::AtLeast(-2)).cluster_wide().without_effect(NO_TIERS),
    Setting::new("log.remote.copy.lag.ms", Kind::Long, "0").valid(Valid::AtLeast(-1)).cluster_wide().without_effect(NO_TIERS),
    Setting::new("log.remote.copy.lag.bytes", Kind::Long, "-1").valid(Valid::AtLeast(-1)).cluster_wide().without_effect(NO_TIERS),
    Setting::new("remote.log.manager.copy.max.bytes.per.second", Kind::Long, "9223372036854775807").valid(Valid::AtLeast(1)).cluster_wide().without_effect(NO_TIERS),
    Setting::new("remote.log.manager.copy.quota.window.num", Kind::Int, "11").valid(Valid::AtLeast(1)).without_effect(NO_TIERS),
    Setting::new("remote.log.manager.copy.quota.window.size.seconds", Kind::Int, "1").valid(Valid::AtLeast(1)).without_effect(NO_TIERS),
    Setting::new("remote.log.manager.fetch.max.bytes.per.second", Kind::Long, "9223372036854775807").valid(Valid::AtLeast(1)).cluster_wide().without_effect(NO_TIERS),
    Setting::new("remote.log.manager.fetch.quota.window.num", Kind::Int, "11").valid(Valid::AtLeast(1)).without_effect(NO_TIERS),
    Setting::new("remote.log.manager.fetch.quota.window.size.seconds", Kind::Int, "1").valid(Valid::AtLeast(1)).without_effect(NO_TIERS),
    Setting::new("remote.fetch.max.wait.ms", Kind::Int, "500").valid(Valid::AtLeast(1)).cluster_wide().without_effect(NO_TIERS),
    Setting::new("remote.list.offsets.request.timeout.ms", Kind::Long, "30000").valid(Valid::AtLeast(1)).cluster_wide().without_effect(NO_TIERS),
    Setting::new("follower.fetch.last.tiered.offset.enable", Kind::Boolean, "false").cluster_wide().without_effect("one broker forms the cluster in this release"),
];
