//! Settings of logs on disk.

use ottla_host::setting::{Kind, Setting, Valid};

const STORED_AS_SENT: &str = "batches are stored as the producer compressed them";
const NO_COMPACTION: &str = "logs are not compacted in this release";

/// The rows, one a line.
#[rustfmt::skip]
pub(super) const ROWS: &[Setting] = &[
    Setting::new("message.max.bytes", Kind::Int, "1048588").valid(Valid::AtLeast(0)).high().cluster_wide().doc("Largest record batch, after compression. Topics override it as max.message.bytes."),
    Setting::new("max.decompressed.message.bytes", Kind::Int, "2147483639").valid(Valid::Between(1, 2_147_483_639)).cluster_wide().doc("Most bytes that one record batch may decompress to."),
    Setting::new("compression.type", Kind::String, "producer").valid(Valid::OneOf(&["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"])).high().cluster_wide().refused("batches are stored as the producer compressed them; set compression.type on the producer"),
    Setting::new("compression.gzip.level", Kind::Int, "-1").valid(Valid::BetweenOrMinusOne(1, 9)).cluster_wide().without_effect(STORED_AS_SENT),
    Setting::new("compression.lz4.level", Kind::Int, "9").valid(Valid::Between(1, 17)).cluster_wide().without_effect(STORED_AS_SENT),
    Setting::new("compression.zstd.level", Kind::Int, "3").valid(Valid::Between(-131_072, 22)).cluster_wide().without_effect(STORED_AS_SENT),
    Setting::new("log.cleaner.threads", Kind::Int, "1").valid(Valid::AtLeast(0)).cluster_wide().without_effect(NO_COMPACTION),
    Setting::new("log.cleaner.io.max.bytes.per.second", Kind::Double, "1.7976931348623157E308").cluster_wide().without_effect(NO_COMPACTION),
    Setting::new("log.cleaner.dedupe.buffer.size", Kind::Long, "134217728").cluster_wide().without_effect(NO_COMPACTION),
    Setting::new("log.cleaner.io.buffer.size", Kind::Int, "524288").valid(Valid::AtLeast(0)).cluster_wide().without_effect(NO_COMPACTION),
    Setting::new("log.cleaner.io.buffer.load.factor", Kind::Double, "0.9").cluster_wide().without_effect(NO_COMPACTION),
    Setting::new("log.cleaner.backoff.ms", Kind::Long, "15000").valid(Valid::AtLeast(0)).cluster_wide().without_effect(NO_COMPACTION),
    Setting::new("log.cleaner.min.cleanable.ratio", Kind::Double, "0.5").valid(Valid::Fraction(0.0, 1.0)).cluster_wide().without_effect(NO_COMPACTION),
    Setting::new("log.cleaner.enable", Kind::Boolean, "true").without_effect(NO_COMPACTION),
    Setting::new("log.cleaner.delete.retention.ms", Kind::Long, "86400000").valid(Valid::AtLeast(0)).cluster_wide().without_effect(NO_COMPACTION),
    Setting::new("log.cleaner.min.compaction.lag.ms", Kind::Long, "0").valid(Valid::AtLeast(0)).cluster_wide().without_effect(NO_COMPACTION),
    Setting::new("log.cleaner.max.compaction.lag.ms", Kind::Long, "9223372036854775807").valid(Valid::AtLeast(1)).cluster_wide().without_effect(NO_COMPACTION),
    Setting::new("log.dir", Kind::List, "/tmp/kafka-logs").high().doc("Directory of the logs, used when log.dirs is unset."),
    Setting::new("log.dirs", Kind::List, "").null().high().doc("Directories of the logs, separated by commas."),
    Setting::new("cordoned.log.dirs", Kind::List, "").per_broker().refused("log directories cannot be cordoned in this release; take the directory out of log.dirs"),
    Setting::new("log.segment.bytes", Kind::Int, "1073741824").valid(Valid::AtLeast(1_048_576)).high().cluster_wide().doc("Size at which a log segment is closed. Topics override it as segment.bytes."),
    Setting::new("log.roll.ms", Kind::Long, "").null().high().cluster_wide().doc("Age at which a log segment is closed, in milliseconds. Topics override it as segment.ms."),
    Setting::new("log.roll.hours", Kind::Int, "168").valid(Valid::AtLeast(1)).high().doc("Age at which a log segment is closed, in hours; log.roll.ms wins."),
    Setting::new("log.roll.jitter.ms", Kind::Long, "").null().high().cluster_wide().doc("Random part taken off the age at which a segment is closed, in milliseconds."),
    Setting::new("log.roll.jitter.hours", Kind::Int, "0").valid(Valid::AtLeast(0)).high().doc("Random part taken off the age at which a segment is closed, in hours; log.roll.jitter.ms wins."),
    Setting::new("log.retention.ms", Kind::Long, "").null().high().cluster_wide().doc("Age at which records are deleted, in milliseconds; -1 keeps them. Topics override it as retention.ms."),
    Setting::new("log.retention.minutes", Kind::Int, "").null().high().doc("Age at which records are deleted, in minutes; log.retention.ms wins."),
    Setting::new("log.retention.hours", Kind::Int, "168").high().doc("Age at which records are deleted, in hours; log.retention.minutes and log.retention.ms win."),
    Setting::new("log.retention.bytes", Kind::Long, "-1").high().cluster_wide().doc("Size of a partition beyond which its oldest segments are deleted; -1 for no limit."),
    Setting::new("log.retention.check.interval.ms", Kind::Long, "300000").valid(Valid::AtLeast(1)).doc("Time between two looks for segments to delete."),
    Setting::new("log.cleanup.policy", Kind::List, "delete").valid(Valid::Several(&["compact", "delete"])).cluster_wide().refused("logs are not compacted in this release; keep delete, and set cleanup.policy=compact on the topics that need every key kept"),
    Setting::new("log.index.size.max.bytes", Kind::Int, "10485760").valid(Valid::AtLeast(4)).cluster_wide().doc("Largest offset or time index of a segment; a full index closes its segment."),
    Setting::new("log.index.interval.bytes", Kind::Int, "4096").valid(Valid::AtLeast(0)).cluster_wide().doc("Bytes of records between two index entries."),
    Setting::new("log.flush.interval.messages", Kind::Long, "9223372036854775807").valid(Valid::AtLeast(1)).high().cluster_wide().doc("Records after which a partition is synced to disk."),
    Setting::new("log.segment.delete.delay.ms", Kind::Long, "60000").valid(Valid::AtLeast(0)).high().cluster_wide().doc("Time that a deleted file stays on disk under its .deleted name."),
    Setting::new("log.flush.scheduler.interval.ms", Kind::Long, "9223372036854775807").high().doc("Time between two looks for partitions to sync."),
    Setting::new("log.flush.interval.ms", Kind::Long, "").null().high().cluster_wide().doc("Time after which a record is synced to disk; log.flush.scheduler.interval.ms when unset."),
    Setting::new("log.flush.offset.checkpoint.interval.ms", Kind::Int, "60000").valid(Valid::AtLeast(0)).high().doc("Time between two writes of the recovery point checkpoint."),
    Setting::new("log.flush.start.offset.checkpoint.interval.ms", Kind::Int, "60000").valid(Valid::AtLeast(0)).high().doc("Time between two writes of the log start checkpoint."),
    Setting::new("log.preallocate", Kind::Boolean, "false").cluster_wide().without_effect("segments grow as they are written"),
    Setting::new("num.recovery.threads.per.data.dir", Kind::Int, "2").valid(Valid::AtLeast(1)).high().cluster_wide().doc("Threads that recover the logs of one directory at start."),
    Setting::new("log.message.timestamp.type", Kind::String, "CreateTime").valid(Valid::OneOf(&["CreateTime", "LogAppendTime"])).cluster_wide().doc("Whose clock stamps records: CreateTime keeps the producer's, LogAppendTime sets the broker's."),
    Setting::new("log.message.timestamp.before.max.ms", Kind::Long, "9223372036854775807").valid(Valid::AtLeast(0)).cluster_wide().doc("How far a record's timestamp may lie in the past."),
    Setting::new("log.message.timestamp.after.max.ms", Kind::Long, "3600000").valid(Valid::AtLeast(0)).cluster_wide().doc("How far a record's timestamp may lie in the future."),
    Setting::new("log.dir.failure.timeout.ms", Kind::Long, "30000").valid(Valid::AtLeast(1)).low().doc("Time within which a failed log directory must be told to the controller."),
    Setting::new("log.initial.task.delay.ms", Kind::Long, "30000").valid(Valid::AtLeast(0)).low().internal().without_effect("log tasks start with their own intervals"),
];
