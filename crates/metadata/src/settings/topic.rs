//! The settings of a topic, each with the broker settings that give its default.

use ottla_host::setting::{Kind, Setting, Valid};

use super::Conversion::{self, Hours, Minutes, Same};

const NO_TIERS: &str = "there is no tiered storage in this release";
const NO_COMPACTION: &str = "logs are not compacted in this release";
const ONE_BROKER: &str = "one broker forms the cluster in this release";

/// A topic setting and the broker settings that stand in for it, best first.
#[derive(Clone, Copy, Debug)]
pub struct TopicSetting {
    /// The row.
    pub setting: Setting,
    /// Broker settings and what makes their value this one's.
    pub synonyms: &'static [(&'static str, Conversion)],
}

const fn row(setting: Setting, synonyms: &'static [(&'static str, Conversion)]) -> TopicSetting {
    TopicSetting { setting, synonyms }
}

/// The rows.
#[rustfmt::skip]
pub const ROWS: &[TopicSetting] = &[
    row(Setting::new("segment.bytes", Kind::Int, "1073741824").valid(Valid::AtLeast(1_048_576)).doc("Size at which a segment is closed and a new one begins."), &[("log.segment.bytes", Same)]),
    row(Setting::new("segment.ms", Kind::Long, "604800000").valid(Valid::AtLeast(1)).doc("Age at which a segment is closed even when it is not full."), &[("log.roll.ms", Same), ("log.roll.hours", Hours)]),
    row(Setting::new("segment.jitter.ms", Kind::Long, "0").valid(Valid::AtLeast(0)).doc("Most milliseconds taken off segment.ms at random, so that partitions do not roll together."), &[("log.roll.jitter.ms", Same), ("log.roll.jitter.hours", Hours)]),
    row(Setting::new("segment.index.bytes", Kind::Int, "10485760").valid(Valid::AtLeast(4)).doc("Largest offset or time index of a segment; a full index closes its segment."), &[("log.index.size.max.bytes", Same)]),
    row(Setting::new("flush.messages", Kind::Long, "9223372036854775807").valid(Valid::AtLeast(1)).doc("Records after which the log is synced to disk."), &[("log.flush.interval.messages", Same)]),
    row(Setting::new("flush.ms", Kind::Long, "9223372036854775807").valid(Valid::AtLeast(0)).doc("Milliseconds after which a record is synced to disk."), &[("log.flush.interval.ms", Same), ("log.flush.scheduler.interval.ms", Same)]),
    row(Setting::new("retention.bytes", Kind::Long, "-1").doc("Size of a partition beyond which its oldest segments are deleted; -1 for no limit."), &[("log.retention.bytes", Same)]),
    row(Setting::new("retention.ms", Kind::Long, "604800000").valid(Valid::AtLeast(-1)).doc("Age beyond which segments are deleted; -1 keeps them for ever."), &[("log.retention.ms", Same), ("log.retention.minutes", Minutes), ("log.retention.hours", Hours)]),
    row(Setting::new("max.message.bytes", Kind::Int, "1048588").valid(Valid::AtLeast(0)).doc("Largest record batch, after compression."), &[("message.max.bytes", Same)]),
    row(Setting::new("max.decompressed.message.bytes", Kind::Int, "2147483639").valid(Valid::Between(1, 2_147_483_639)).doc("Most bytes that one record batch may decompress to."), &[("max.decompressed.message.bytes", Same)]),
    row(Setting::new("index.interval.bytes", Kind::Int, "4096").valid(Valid::AtLeast(0)).doc("Bytes of records between two index entries."), &[("log.index.interval.bytes", Same)]),
    row(Setting::new("delete.retention.ms", Kind::Long, "86400000").valid(Valid::AtLeast(0)).without_effect(NO_COMPACTION), &[("log.cleaner.delete.retention.ms", Same)]),
    row(Setting::new("min.compaction.lag.ms", Kind::Long, "0").valid(Valid::AtLeast(0)).without_effect(NO_COMPACTION), &[("log.cleaner.min.compaction.lag.ms", Same)]),
    row(Setting::new("max.compaction.lag.ms", Kind::Long, "9223372036854775807").valid(Valid::AtLeast(1)).without_effect(NO_COMPACTION), &[("log.cleaner.max.compaction.lag.ms", Same)]),
    row(Setting::new("file.delete.delay.ms", Kind::Long, "60000").valid(Valid::AtLeast(0)).doc("Time that a deleted file stays on disk under its .deleted name."), &[("log.segment.delete.delay.ms", Same)]),
    row(Setting::new("min.cleanable.dirty.ratio", Kind::Double, "0.5").valid(Valid::Fraction(0.0, 1.0)).without_effect(NO_COMPACTION), &[("log.cleaner.min.cleanable.ratio", Same)]),
    row(Setting::new("cleanup.policy", Kind::List, "delete").valid(Valid::Several(&["compact", "delete"])).doc("What happens to old records: delete by age and size, compact to the last of each key, both, or nothing. Compaction itself is not run in this release: every record is kept."), &[("log.cleanup.policy", Same)]),
    row(Setting::new("unclean.leader.election.enable", Kind::Boolean, "false").without_effect(ONE_BROKER), &[("unclean.leader.election.enable", Same)]),
    row(Setting::new("min.insync.replicas", Kind::Int, "1").valid(Valid::AtLeast(1)).doc("Fewest in-sync replicas with which acks=all is accepted."), &[("min.insync.replicas", Same)]),
    row(Setting::new("compression.type", Kind::String, "producer").valid(Valid::OneOf(&["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"])).doc("How batches are compressed on disk: producer leaves them as they came, a codec has every batch of another codec compressed again."), &[("compression.type", Same)]),
    row(Setting::new("compression.gzip.level", Kind::Int, "-1").valid(Valid::BetweenOrMinusOne(1, 9)).doc("Level of gzip where compression.type is gzip; -1 is its own default."), &[("compression.gzip.level", Same)]),
    row(Setting::new("compression.lz4.level", Kind::Int, "9").valid(Valid::Between(1, 17)).without_effect("lz4 is written at one strength, that of level 9"), &[("compression.lz4.level", Same)]),
    row(Setting::new("compression.zstd.level", Kind::Int, "3").valid(Valid::Between(-131_072, 22)).doc("Level of zstd where compression.type is zstd."), &[("compression.zstd.level", Same)]),
    row(Setting::new("preallocate", Kind::Boolean, "false").without_effect("segments grow as they are written"), &[("log.preallocate", Same)]),
    row(Setting::new("message.timestamp.type", Kind::String, "CreateTime").valid(Valid::OneOf(&["CreateTime", "LogAppendTime"])).doc("Whose clock stamps records: CreateTime keeps the producer's, LogAppendTime sets the broker's."), &[("log.message.timestamp.type", Same)]),
    row(Setting::new("message.timestamp.before.max.ms", Kind::Long, "9223372036854775807").valid(Valid::AtLeast(0)).doc("How far a record's timestamp may lie in the past, with CreateTime."), &[("log.message.timestamp.before.max.ms", Same)]),
    row(Setting::new("message.timestamp.after.max.ms", Kind::Long, "3600000").valid(Valid::AtLeast(0)).doc("How far a record's timestamp may lie in the future, with CreateTime."), &[("log.message.timestamp.after.max.ms", Same)]),
    row(Setting::new("leader.replication.throttled.replicas", Kind::List, "").valid(Valid::ThrottledReplicas).without_effect(ONE_BROKER), &[]),
    row(Setting::new("follower.replication.throttled.replicas", Kind::List, "").valid(Valid::ThrottledReplicas).without_effect(ONE_BROKER), &[]),
    row(Setting::new("remote.storage.enable", Kind::Boolean, "false").refused("there is no tiered storage in this release"), &[]),
    row(Setting::new("local.retention.ms", Kind::Long, "-2").valid(Valid::AtLeast(-2)).without_effect(NO_TIERS), &[("log.local.retention.ms", Same)]),
    row(Setting::new("local.retention.bytes", Kind::Long, "-2").valid(Valid::AtLeast(-2)).without_effect(NO_TIERS), &[("log.local.retention.bytes", Same)]),
    row(Setting::new("remote.log.copy.disable", Kind::Boolean, "false").without_effect(NO_TIERS), &[]),
    row(Setting::new("remote.copy.lag.ms", Kind::Long, "0").valid(Valid::AtLeast(-1)).without_effect(NO_TIERS), &[("log.remote.copy.lag.ms", Same)]),
    row(Setting::new("remote.copy.lag.bytes", Kind::Long, "-1").valid(Valid::AtLeast(-1)).without_effect(NO_TIERS), &[("log.remote.copy.lag.bytes", Same)]),
    row(Setting::new("remote.log.delete.on.disable", Kind::Boolean, "false").without_effect(NO_TIERS), &[]),
    row(Setting::new("errors.deadletterqueue.group.enable", Kind::Boolean, "false").without_effect("there are no share groups in this release"), &[]),
    row(Setting::new("internal.segment.bytes", Kind::Int, "").null().internal().without_effect("it serves Kafka's own tests"), &[]),
];
