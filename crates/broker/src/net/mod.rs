//! Connections: bytes into requests, answers into bytes, in order and within bounds.

pub(crate) mod bind;
mod connection;
pub(crate) mod http;
mod inbox;
pub(crate) mod limits;
pub(crate) mod listener;
pub(crate) mod outbox;
pub(crate) mod server;

pub use limits::Bounds;
