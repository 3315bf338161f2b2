//! The tasks of one life of a node.

use super::Exec;
use super::lane::Lanes;
use super::timer::Sleep;
use crate::clock::SimClock;
use crate::disk::Stalls;
use ottla_host::clock::Monotonic;
use ottla_host::tasks::{BoxFuture, TaskHandle, Tasks};
use std::sync::Arc;

/// Spawns on the executor in the name of a node.
pub(crate) struct SimTasks {
    exec: Arc<Exec>,
    clock: SimClock,
    node: u64,
    lanes: Arc<Lanes>,
}

impl SimTasks {
    pub(crate) fn new(exec: Arc<Exec>, clock: SimClock, node: u64, stalls: Arc<Stalls>) -> SimTasks {
        let lanes = Arc::new(Lanes::new(Arc::clone(&exec), clock.clone(), node, stalls));
        SimTasks { exec, clock, node, lanes }
    }

    /// The life has ended: work that waits for a thread is not done any more.
    pub(crate) fn end(&self) {
        self.lanes.end();
    }
}

impl Tasks for SimTasks {
    fn spawn(&self, _name: &str, task: BoxFuture<'static, ()>) -> Arc<dyn TaskHandle> {
        let id = self.exec.spawn(self.node, task);
        Arc::new(Spawned { exec: Arc::clone(&self.exec), id })
    }

    fn sleep_until(&self, deadline: Monotonic) -> BoxFuture<'static, ()> {
        Box::pin(Sleep::new(Arc::clone(&self.exec), self.clock.clone(), deadline))
    }

    fn offload(&self, lane: &str, work: Box<dyn FnOnce() + Send>) -> BoxFuture<'static, ()> {
        let (ended, runner) = self.lanes.push(lane, work);
        if let Some(runner) = runner {
            self.exec.spawn_thread(self.node, runner);
        }
        Box::pin(async move {
            if ended.await.is_err() {
                // The node has died with the work undone; what waits for it dies too.
                std::future::pending::<()>().await;
            }
        })
    }
}

struct Spawned {
    exec: Arc<Exec>,
    id: u64,
}

impl TaskHandle for Spawned {
    fn abort(&self) {
        self.exec.abort(self.id);
    }

    fn is_finished(&self) -> bool {
        self.exec.is_finished(self.id)
    }
}
