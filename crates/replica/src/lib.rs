//! One partition on one broker: who leads it, what is committed, who drives its log, and who waits for it.
#![forbid(unsafe_code)]

mod partition;
pub mod state;
mod submit;
mod sync;
mod wait;

pub use partition::{
    AppendError, FetchError, Identity, Partition, Promise, Reading, Ringing, Ticket, Unavailable, Upto, Written,
};
pub use wait::Bell;

#[cfg(test)]
mod explored;
