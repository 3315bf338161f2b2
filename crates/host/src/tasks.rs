//! Tasks with a name, timers, and threads for long work.

use crate::clock::Monotonic;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

/// A future that owns all it needs.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A running task; dropping it lets the task run on.
pub trait TaskHandle: Send + Sync {
    /// Drops the task at its next await.
    fn abort(&self);

    /// Whether the task has ended.
    fn is_finished(&self) -> bool;
}

/// Starts tasks of one node. When a simulated node dies, all of its tasks are dropped.
pub trait Tasks: Send + Sync {
    /// Runs `task` under `name`.
    fn spawn(&self, name: &str, task: BoxFuture<'static, ()>) -> Arc<dyn TaskHandle>;

    /// Ends at `deadline`.
    fn sleep_until(&self, deadline: Monotonic) -> BoxFuture<'static, ()>;

    /// Runs long or blocking `work` on the named thread `lane` (`"log-dir-0"`), made on first use; the work of one lane
    /// runs in order. The future ends when the work has; dropping it does not stop the work.
    fn offload(&self, lane: &str, work: Box<dyn FnOnce() + Send>) -> BoxFuture<'static, ()>;
}
