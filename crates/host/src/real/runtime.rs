//! The tokio runtime of a process and the host made on it.

use super::clock::{RealChance, RealClock};
use super::disk::RealDisk;
use super::net::RealNet;
use super::tasks::RealTasks;
use crate::Host;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};

/// Threads for what tokio itself must block on, which is the resolution of host names.
const BLOCKING_THREADS_MAX: usize = 8;

/// Worker threads and the host whose tasks run on them. Drop it outside of tasks.
#[derive(Debug)]
pub struct Runtime {
    runtime: tokio::runtime::Runtime,
    clock: RealClock,
}

impl Runtime {
    /// Starts `workers` threads named `ottla-worker`; 0 means one for each processor.
    pub fn start(workers: usize) -> io::Result<Runtime> {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        if workers > 0 {
            builder.worker_threads(workers);
        }
        builder.thread_name("ottla-worker").max_blocking_threads(BLOCKING_THREADS_MAX).enable_all();
        Ok(Runtime { runtime: builder.build()?, clock: RealClock::start() })
    }

    /// A host on this runtime: the machine's clocks, disks, network and chance.
    #[must_use]
    pub fn host(&self) -> Host {
        let handle = self.runtime.handle();
        Host {
            clock: Arc::new(self.clock),
            disk: Arc::new(RealDisk::new()),
            net: Arc::new(RealNet::new(handle.clone())),
            tasks: Arc::new(RealTasks::new(handle.clone(), self.clock)),
            chance: Arc::new(RealChance),
        }
    }

    /// Runs `main` on the calling thread, and what it spawns on the workers.
    pub fn block_on<T>(&self, main: impl Future<Output = T>) -> T {
        self.runtime.block_on(main)
    }

    /// Ends all tasks at their next await, waiting at most `patience`.
    pub fn stop(self, patience: Duration) {
        self.runtime.shutdown_timeout(patience);
    }
}

/// Ends at the first SIGTERM or SIGINT (Ctrl-C), and names it. Call it inside of the runtime, before the first signal.
pub fn stop_signal() -> io::Result<impl Future<Output = &'static str> + Send> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            biased;
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        }
    })
}
