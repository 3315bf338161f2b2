//! What lies outside of the program: two clocks, disk, network, chance, tasks. Everything else reaches them through here.

pub mod chance;
pub mod clock;
pub mod disk;
pub mod metric;
pub mod net;
pub mod planted;
pub mod real;
pub mod setting;
pub mod tasks;

use std::sync::Arc;

pub use chance::Chance;
pub use clock::{Clock, Monotonic, WallClock};
pub use disk::{Disk, File};
pub use net::Net;
pub use real::Runtime;
pub use tasks::{BoxFuture, Tasks};

/// All seams of one node. Cloning is cheap; every clone reaches the same outside.
#[derive(Clone)]
pub struct Host {
    /// Both clocks.
    pub clock: Arc<dyn Clock>,
    /// Files and directories.
    pub disk: Arc<dyn Disk>,
    /// Sockets.
    pub net: Arc<dyn Net>,
    /// Tasks, timers and threads.
    pub tasks: Arc<dyn Tasks>,
    /// Random bits.
    pub chance: Arc<dyn Chance>,
}
