//! Kafka's tools, a file or folder each, over one small blocking connection.

pub(crate) mod cluster;
pub(crate) mod console_consumer;
pub(crate) mod console_producer;
pub(crate) mod dump_log;
pub(crate) mod link;
pub(crate) mod storage;
pub(crate) mod topics;
