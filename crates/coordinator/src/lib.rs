//! Coordinators: state machines whose state is what the records of an internal topic say, and the runtime under them.
//!
//! A machine decides and replays, and does nothing else; the runtime loads it from its partition, appends what it
//! decides, replays that, and answers once it is committed.

pub mod group;
pub mod machine;
pub mod runtime;

pub use machine::{Decision, Machine, Now, Ticket};
