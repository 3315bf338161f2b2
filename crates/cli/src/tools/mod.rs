//! Kafka's tools, a file or folder each.

pub(crate) mod console_consumer;
pub(crate) mod console_producer;
pub(crate) mod consumer_groups;
pub(crate) mod dump_log;
pub(crate) mod get_offsets;
pub(crate) mod groups;
pub(crate) mod storage;
pub(crate) mod topics;
