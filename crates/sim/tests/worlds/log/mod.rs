//! One log: an appender, a flusher, a reader, and a node that dies again and again.

mod plan;
mod server;
mod story;

pub(crate) use plan::{Durability, Plan};
pub(crate) use story::run;
