//! The executor: one thread, virtual time, and a seeded choice among the tasks that could run.

mod blocked;
mod lane;
mod tasks;
mod timer;

use blocked::Blocked;
pub(crate) use tasks::SimTasks;
pub(crate) use timer::Timers;

use crate::clock::SimClock;
use crate::random::Random;
use ottla_host::BoxFuture;
use ottla_host::clock::{Clock, Monotonic};
use parking_lot::Mutex;
use std::any::Any;
use std::collections::BTreeMap;
use std::panic::{self, AssertUnwindSafe};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

/// What a task panicked with.
pub(crate) type Panic = Box<dyn Any + Send>;

/// The task that runs the story of a simulation.
const MAIN: u64 = 0;
/// Steps after which a run counts as caught in a loop.
const STEPS_MAX: u64 = 5_000_000;
/// What a step takes at most.
const STEP_TIME_MAX_NS: u64 = 3_000;

/// A spawned task. Its future is out while it is polled.
struct Task {
    node: u64,
    /// Whether it has a thread of its own.
    is_thread: bool,
    future: Option<BoxFuture<'static, ()>>,
    waker: Arc<TaskWaker>,
    is_dropped: bool,
}

/// Marks a task as ready, once until it runs.
struct TaskWaker {
    id: u64,
    is_queued: AtomicBool,
    ready: Arc<Mutex<Vec<u64>>>,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        if !self.is_queued.swap(true, Ordering::Relaxed) {
            self.ready.lock().push(self.id);
        }
    }
}

/// Tasks of all nodes. Lock order: `ready`, `blocked`, `tasks`; futures are polled and dropped under none of them.
pub(crate) struct Exec {
    tasks: Mutex<Tasks>,
    ready: Arc<Mutex<Vec<u64>>>,
    pub(crate) timers: Timers,
    blocked: Mutex<Blocked>,
    clock: SimClock,
}

#[derive(Default)]
struct Tasks {
    by_id: BTreeMap<u64, Task>,
    next: u64,
    trace: u64,
}

impl Exec {
    pub(crate) fn new(clock: SimClock) -> Exec {
        let tasks = Tasks { next: MAIN + 1, ..Tasks::default() };
        Exec {
            tasks: Mutex::new(tasks),
            ready: Arc::default(),
            timers: Timers::default(),
            blocked: Mutex::default(),
            clock,
        }
    }

    /// Starts a task of a node.
    pub(crate) fn spawn(&self, node: u64, future: BoxFuture<'static, ()>) -> u64 {
        self.start(node, future, false)
    }

    /// Starts a task of a node that has a thread of its own.
    pub(crate) fn spawn_thread(&self, node: u64, future: BoxFuture<'static, ()>) -> u64 {
        self.start(node, future, true)
    }

    /// Lets at most so many tasks of a node block at once.
    pub(crate) fn set_workers(&self, node: u64, workers: usize) {
        self.blocked.lock().set_workers(node, workers);
    }

    fn start(&self, node: u64, future: BoxFuture<'static, ()>, is_thread: bool) -> u64 {
        let mut tasks = self.tasks.lock();
        let id = tasks.next;
        tasks.next += 1;
        let waker = self.waker(id);
        let future = Some(future);
        tasks.by_id.insert(id, Task { node, is_thread, future, waker: Arc::clone(&waker), is_dropped: false });
        drop(tasks);
        waker.wake();
        id
    }

    fn waker(&self, id: u64) -> Arc<TaskWaker> {
        Arc::new(TaskWaker { id, is_queued: AtomicBool::new(false), ready: Arc::clone(&self.ready) })
    }

    pub(crate) fn is_finished(&self, id: u64) -> bool {
        !self.tasks.lock().by_id.contains_key(&id)
    }

    /// Drops a task, at its next await if it is running.
    pub(crate) fn abort(&self, id: u64) {
        self.drop_tasks(|task_id, _| task_id == id);
    }

    /// Drops all tasks of a node.
    pub(crate) fn drop_node(&self, node: u64) {
        self.drop_tasks(|_, task| task.node == node);
    }

    fn drop_tasks(&self, is_meant: impl Fn(u64, &Task) -> bool) {
        let mut futures = Vec::new();
        let mut tasks = self.tasks.lock();
        tasks.by_id.retain(|id, task| {
            if !is_meant(*id, task) {
                return true;
            }
            task.is_dropped = true;
            let idle = task.future.take();
            let was_idle = idle.is_some();
            futures.extend(idle);
            !was_idle
        });
        drop(tasks);
        drop(futures);
    }

    /// Runs everything until `main` ends. `after_step` is told whose task has run, and what it panicked with.
    pub(crate) fn run<T>(
        &self,
        main: impl Future<Output = T>,
        random: &mut Random,
        after_step: impl Fn(u64, Option<Panic>),
    ) -> T {
        let mut main = pin!(main);
        let main_waker = self.waker(MAIN);
        Arc::clone(&main_waker).wake();
        for _ in 0..STEPS_MAX {
            self.timers.wake_due(self.clock.monotonic());
            let Some(id) = self.pick(random) else {
                self.pass_time();
                continue;
            };
            self.clock.advance(Duration::from_nanos(random.below(STEP_TIME_MAX_NS)));
            if id == MAIN {
                main_waker.is_queued.store(false, Ordering::Relaxed);
                let waker = Waker::from(Arc::clone(&main_waker));
                if let Poll::Ready(done) = main.as_mut().poll(&mut Context::from_waker(&waker)) {
                    return done;
                }
                self.block(id);
            } else if let Some((node, panic)) = self.step(id) {
                self.block(id);
                after_step(node, panic);
            }
        }
        panic!("the simulation did not end within {STEPS_MAX} steps");
    }

    fn pick(&self, random: &mut Random) -> Option<u64> {
        let mut ready = self.ready.lock();
        let mut blocked = self.blocked.lock();
        blocked.forget_before(self.clock.monotonic());
        if blocked.is_empty() {
            if ready.is_empty() {
                return None;
            }
            let index = random.index(ready.len());
            return Some(ready.swap_remove(index));
        }
        let tasks = self.tasks.lock();
        let may_run = |id: &u64| {
            tasks.by_id.get(id).is_none_or(|task| blocked.lets_run(*id, (!task.is_thread).then_some(task.node)))
        };
        let able: Vec<usize> = (0..ready.len()).filter(|index| may_run(&ready[*index])).collect();
        if able.is_empty() {
            return None;
        }
        Some(ready.swap_remove(able[random.index(able.len())]))
    }

    /// Notes that the step of a task blocks its thread.
    fn block(&self, id: u64) {
        let Some(until) = self.clock.take_owed() else { return };
        let task = self.tasks.lock().by_id.get(&id).map(|task| (task.node, task.is_thread));
        if let Some((node, is_thread)) = task {
            self.blocked.lock().add(id, (!is_thread).then_some(node), until);
            // Time passes to that moment even if nobody else waits for any.
            self.timers.add(until, Waker::noop().clone());
        }
    }

    fn pass_time(&self) {
        let next = self.timers.earliest().expect("someone waits for time to pass, or all tasks wait for each other");
        self.clock.advance_to(next);
    }

    /// Polls a task and answers its node, and its panic; None if it is gone.
    fn step(&self, id: u64) -> Option<(u64, Option<Panic>)> {
        let (node, mut future, waker) = self.take(id)?;
        let cx_waker = Waker::from(waker);
        let polled = panic::catch_unwind(AssertUnwindSafe(|| {
            future.as_mut().poll(&mut Context::from_waker(&cx_waker)).is_ready()
        }));
        let is_done = polled.as_ref().copied().unwrap_or(true);
        let mut tasks = self.tasks.lock();
        let left_over = match tasks.by_id.get_mut(&id) {
            Some(task) if !is_done && !task.is_dropped => {
                task.future = Some(future);
                None
            }
            Some(_) => {
                tasks.by_id.remove(&id);
                Some(future)
            }
            None => Some(future),
        };
        drop(tasks);
        drop(left_over);
        Some((node, polled.err()))
    }

    fn take(&self, id: u64) -> Option<(u64, BoxFuture<'static, ()>, Arc<TaskWaker>)> {
        let mut tasks = self.tasks.lock();
        let now = self.clock.monotonic();
        tasks.trace = mix(mix(tasks.trace, id), now.0);
        let task = tasks.by_id.get_mut(&id)?;
        task.waker.is_queued.store(false, Ordering::Relaxed);
        Some((task.node, task.future.take()?, Arc::clone(&task.waker)))
    }

    /// Drops every task; the world ends.
    pub(crate) fn clear(&self) {
        self.drop_tasks(|_, _| true);
    }

    /// A number that sums up which task ran when.
    pub(crate) fn trace(&self) -> u64 {
        self.tasks.lock().trace
    }

    /// Wakes `waker` at `at`.
    pub(crate) fn wake_at(&self, at: Monotonic, waker: Waker) {
        self.timers.add(at, waker);
    }
}

fn mix(sum: u64, number: u64) -> u64 {
    (sum ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(23)
}
