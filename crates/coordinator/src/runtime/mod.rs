//! What drives a machine: it is loaded from its partition, decides, has its records appended, and answers once they are
//! committed.
//!
//! `state` decides what is to be done and knows no log; `driver` does it.

pub mod batch;
pub mod driver;
pub mod load;
pub mod replica;
pub mod shard;
mod shared;
pub mod state;

pub use driver::{Order, Plan, run};
pub use replica::{Replica, ReplicaError};
pub use shard::{Asked, Inbox, Shard};
pub use state::RuntimeSettings;
