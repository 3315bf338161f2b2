//! One partition on one broker: who leads it, what is committed, who drives its log, and who waits for it.
#![forbid(unsafe_code)]

mod partition;
pub mod state;
mod submit;
mod sync;

pub use partition::Partition;

#[cfg(test)]
mod explored;
