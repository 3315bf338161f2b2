//! The broker: connections, one handler per API, and the drivers that keep partitions and metadata going.
#![forbid(unsafe_code)]

#[cfg(test)]
extern crate self as ottla_broker;

mod api;
pub mod broker;
mod coordinators;
mod cx;
mod metrics;
pub mod net;
mod partitions;
mod quorum;
mod storage;
mod tasks;

pub use broker::{Broker, StartError};
pub use quorum::{HomeError, MetadataError};
