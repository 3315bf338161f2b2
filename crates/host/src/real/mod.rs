//! The real outside of a Linux machine: tokio for sockets, timers and tasks, the page cache and named threads for disks.

mod clock;
mod disk;
mod file;
mod lane;
mod lock;
mod net;
mod process;
mod runtime;
mod sync_pool;
mod syscall;
mod tasks;

#[cfg(test)]
mod tests;

pub use disk::RealDisk;
pub use process::{ProcessMetrics, raise_file_limit, refuse_huge_pages};
pub use runtime::{Runtime, stop_signal};
