//! KRaft: `state` decides, the driver does; the metadata log, its snapshots, and formatting a directory.
#![forbid(unsafe_code)]

pub mod cleaning;
pub mod disk_log;
pub mod driver;
pub mod format;
pub mod log;
pub mod quorum_state;
pub mod records;
pub mod snapshot;
pub mod state;

pub use disk_log::{DiskLog, SegmentLimits, metadata_dir};
pub use driver::{AppendError, Committed, Feed, Quorum, QuorumConfig, QuorumStatus, StartError};
pub use records::VersionedRecord;
