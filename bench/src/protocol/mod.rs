//! The few requests that a measurement sends.

pub(crate) mod client;
pub(crate) mod frame;
pub(crate) mod topics;

pub(crate) use client::Client;
