//! What drives a machine: it is loaded from its partition, decides, has its records appended, and answers once they are committed.

pub mod shard;

pub use shard::{Asked, Shard};
