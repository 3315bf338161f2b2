//! The named threads of a node as tasks: work of one lane in order, that of several in any.

use super::Exec;
use super::timer::Sleep;
use crate::clock::SimClock;
use crate::disk::Stalls;
use crate::random::Random;
use ottla_host::BoxFuture;
use ottla_host::clock::Clock;
use parking_lot::Mutex;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;

type Job = (Box<dyn FnOnce() + Send>, oneshot::Sender<()>);

/// What it takes at most until a thread gets to its next work.
const DELAY_MAX_NS: u64 = 400_000;

/// The lanes of one life of a node. Lock order: leaves; work runs, and is dropped, without a lock.
pub(super) struct Lanes {
    /// None once the life has ended.
    queues: Mutex<Option<BTreeMap<String, VecDeque<Job>>>>,
    delays: Mutex<Random>,
    exec: Arc<Exec>,
    clock: SimClock,
    stalls: Arc<Stalls>,
}

impl Lanes {
    pub(super) fn new(exec: Arc<Exec>, clock: SimClock, node: u64, stalls: Arc<Stalls>) -> Lanes {
        let seed = node ^ clock.monotonic().0;
        Lanes {
            queues: Mutex::new(Some(BTreeMap::new())),
            delays: Mutex::new(Random::stream(seed, "lanes")),
            exec,
            clock,
            stalls,
        }
    }

    /// Queues `work`; answers the runner to spawn when the lane was idle.
    pub(super) fn push(
        self: &Arc<Self>,
        lane: &str,
        work: Box<dyn FnOnce() + Send>,
    ) -> (oneshot::Receiver<()>, Option<BoxFuture<'static, ()>>) {
        let (done, ended) = oneshot::channel();
        let mut queues = self.queues.lock();
        let Some(queues) = queues.as_mut() else { return (ended, None) };
        let is_running = queues.contains_key(lane);
        queues.entry(lane.to_owned()).or_default().push_back((work, done));
        let runner = (!is_running).then(|| Arc::clone(self).run(lane.to_owned()));
        (ended, runner)
    }

    fn run(self: Arc<Self>, lane: String) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            loop {
                let delay = self.delays.lock().below(DELAY_MAX_NS);
                let start = self.clock.monotonic() + Duration::from_nanos(delay);
                Sleep::new(Arc::clone(&self.exec), self.clock.clone(), start).await;
                while let Some(end) = self.stalls.end_of_lane(&lane, self.clock.monotonic()) {
                    Sleep::new(Arc::clone(&self.exec), self.clock.clone(), end).await;
                }
                let Some((work, done)) = self.pop(&lane) else { return };
                work();
                // Nobody need wait for it.
                let _ = done.send(());
            }
        })
    }

    /// Drops what waits: work holds the directory whose host holds these lanes.
    pub(super) fn end(&self) {
        let waiting = self.queues.lock().take();
        drop(waiting);
    }

    fn pop(&self, lane: &str) -> Option<Job> {
        let mut queues = self.queues.lock();
        let queues = queues.as_mut()?;
        let job = queues.get_mut(lane).and_then(VecDeque::pop_front);
        if job.is_none() {
            queues.remove(lane);
        }
        job
    }
}
