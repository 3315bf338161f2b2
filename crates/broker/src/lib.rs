//! The broker: connections, one handler per API, and the drivers that keep partitions and metadata going.
#![forbid(unsafe_code)]

#[cfg(test)]
extern crate self as ottla_broker;

mod api;
pub mod broker;
mod controller;
mod cx;
mod listeners;
mod metrics;
pub mod net;
mod partitions;
pub mod quorum;
mod storage;
mod tasks;

pub use broker::{Broker, StartError};
