//! KRaft: `state` decides, the driver does; the metadata log, its snapshots, and formatting a directory.
#![forbid(unsafe_code)]

pub mod state;
