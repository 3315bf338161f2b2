//! The load generator: pre-encoded frames over many connections, one thread, counted and timed.

pub(crate) mod connection;
pub(crate) mod fetch;
pub(crate) mod histogram;
pub(crate) mod produce;

pub(crate) use histogram::Histogram;

use std::time::Duration;

/// What a run of load measured between warm-up and end.
#[derive(Clone, Debug, Default)]
pub(crate) struct Measured {
    /// Requests answered.
    pub(crate) requests: u64,
    /// Record bytes carried by them, batch headers included.
    pub(crate) bytes: u64,
    /// Length of the measured window.
    pub(crate) window: Duration,
    /// Latencies: from the moment of sending in a closed loop, from the scheduled moment in an open one.
    pub(crate) latency: Histogram,
    /// CPU the server used in the window, where its process is known.
    pub(crate) server_cpu: Option<Duration>,
}
