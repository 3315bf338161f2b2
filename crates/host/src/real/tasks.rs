//! Tasks and timers of tokio, and lanes of named threads.

use super::clock::RealClock;
use super::lane::Lane;
use crate::clock::Monotonic;
use crate::tasks::{BoxFuture, TaskHandle, Tasks};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::runtime::Handle;
use tokio::task::AbortHandle;

/// Tasks on a tokio runtime. Lock order: `lanes` is a leaf.
#[derive(Debug)]
pub(super) struct RealTasks {
    runtime: Handle,
    clock: RealClock,
    lanes: Mutex<BTreeMap<String, Lane>>,
}

impl RealTasks {
    pub(super) fn new(runtime: Handle, clock: RealClock) -> RealTasks {
        RealTasks { runtime, clock, lanes: Mutex::default() }
    }

    fn lane(&self, name: &str) -> Lane {
        let mut lanes = self.lanes.lock();
        if let Some(lane) = lanes.get(name) {
            return lane.clone();
        }
        let lane = Lane::start(name).expect("the machine lets a broker have a thread for each log directory");
        lanes.insert(name.to_owned(), lane.clone());
        lane
    }
}

impl Tasks for RealTasks {
    fn spawn(&self, name: &str, task: BoxFuture<'static, ()>) -> Arc<dyn TaskHandle> {
        tracing::trace!(name, "task starts");
        Arc::new(Spawned(self.runtime.spawn(task).abort_handle()))
    }

    fn sleep_until(&self, deadline: Monotonic) -> BoxFuture<'static, ()> {
        let deadline = self.clock.instant(deadline);
        // The timer is made at the first poll, which is inside of the runtime.
        Box::pin(async move { tokio::time::sleep_until(deadline.into()).await })
    }

    fn offload(&self, lane: &str, work: Box<dyn FnOnce() + Send>) -> BoxFuture<'static, ()> {
        Box::pin(self.lane(lane).run(work))
    }
}

struct Spawned(AbortHandle);

impl TaskHandle for Spawned {
    fn abort(&self) {
        self.0.abort();
    }

    fn is_finished(&self) -> bool {
        self.0.is_finished()
    }
}
