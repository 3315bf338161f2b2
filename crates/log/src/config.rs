//! What a topic's settings mean to its logs.

/// Settings of a log; partitions of a topic share one value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogConfig {
    /// `segment.bytes`: a segment does not grow beyond.
    pub segment_bytes: u32,
    /// `segment.ms`: time by record timestamps after which a segment is closed.
    pub segment_ms: i64,
    /// `segment.jitter.ms`: at most so much of `segment_ms` is taken off, so that not all logs roll at once.
    pub segment_jitter_ms: i64,
    /// `segment.index.bytes`: bytes of an index after which a segment is closed.
    pub index_bytes_max: u32,
    /// `index.interval.bytes`: bytes of batches per index entry.
    pub index_interval_bytes: u32,
    /// `max.message.bytes`: bytes of a batch from a client.
    pub message_bytes_max: u32,
    /// `message.timestamp.type=LogAppendTime`: the leader's clock is written into batches.
    pub append_time: bool,
    /// `flush.messages`: records after which a sync is due.
    pub flush_messages: i64,
    /// `flush.ms`: time after which a sync is due.
    pub flush_ms: i64,
    /// `retention.ms`, -1 for ever.
    pub retention_ms: i64,
    /// `retention.bytes` of the partition, -1 for no limit.
    pub retention_bytes: i64,
    /// `cleanup.policy` has `delete`.
    pub delete: bool,
    /// `cleanup.policy` has `compact`: offsets may be missing.
    pub compact: bool,
    /// `file.delete.delay.ms`: time between the end of a segment's use and the removal of its files.
    pub delete_delay_ms: i64,
    /// `preallocate`: blocks of a segment are reserved when it is made.
    pub preallocate: bool,
    /// `producer.id.expiration.ms` of the broker.
    pub producer_expiration_ms: i64,
    /// `ottla.durable.acks`: what is appended or cut goes to the directory's journal too.
    pub journal: bool,
}

impl Default for LogConfig {
    /// Kafka's defaults.
    fn default() -> LogConfig {
        LogConfig {
            segment_bytes: 1 << 30,
            segment_ms: 7 * 24 * 3_600_000,
            segment_jitter_ms: 0,
            index_bytes_max: 10 << 20,
            index_interval_bytes: 4096,
            message_bytes_max: (1 << 20) + 12,
            append_time: false,
            flush_messages: i64::MAX,
            flush_ms: i64::MAX,
            retention_ms: 7 * 24 * 3_600_000,
            retention_bytes: -1,
            delete: true,
            compact: false,
            delete_delay_ms: 60_000,
            preallocate: false,
            producer_expiration_ms: 24 * 3_600_000,
            journal: false,
        }
    }
}
