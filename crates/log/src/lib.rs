//! One partition on one disk: append, read, truncate, flush, index, recover, producer state, in Kafka's own files.
#![forbid(unsafe_code)]

pub mod config;
pub mod dir;
pub mod epochs;
mod home;
pub use dir::journal;
pub mod log;
mod producers;
mod segment;
mod view;

pub use config::LogConfig;
pub use dir::names::PartitionName;
pub use dir::{Doomed, Flush, LogDir, SyncFailed};
pub use log::{Append, Appended, Log};
pub use producers::{Origin, Refusal};
pub use segment::aborted::AbortedTransaction;
pub use view::{ReadError, Slice, TimestampOffset, View};
