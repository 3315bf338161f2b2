//! Threads that sync files in parallel, a few for each device, so that a stalled device delays only its own.

use crate::disk::File;
use crate::tasks::BoxFuture;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::thread;
use tokio::sync::oneshot;

/// Syncs under way on one device at most: the gain of more is small, as the device merges them.
const THREADS_MAX: usize = 8;

type Job = (Arc<dyn File>, oneshot::Sender<io::Result<()>>);

/// The pools by device number. Lock order: a leaf, nothing else is taken under it.
#[derive(Debug, Default)]
pub(super) struct SyncPools {
    by_device: Mutex<BTreeMap<u64, Pool>>,
}

/// The threads of one device. Files wait in `queue`, which callers bound by waiting for what they have asked for.
#[derive(Debug)]
struct Pool {
    shared: Arc<Shared>,
    threads: usize,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<Queue>,
    wake: parking_lot::Condvar,
}

#[derive(Debug, Default)]
struct Queue {
    jobs: std::collections::VecDeque<Job>,
    idle: usize,
    closed: bool,
}

impl SyncPools {
    pub(super) fn sync_all(&self, files: Vec<Arc<dyn File>>) -> BoxFuture<'static, Vec<io::Result<()>>> {
        let answers: Vec<_> = files.into_iter().map(|file| self.queue(file)).collect();
        Box::pin(async move {
            let mut results = Vec::with_capacity(answers.len());
            for answer in answers {
                results.push(answer.await.unwrap_or_else(|_| Err(io::Error::other("the sync thread has ended"))));
            }
            results
        })
    }

    fn queue(&self, file: Arc<dyn File>) -> oneshot::Receiver<io::Result<()>> {
        let (answer, answered) = oneshot::channel();
        let device = device_of(&*file);
        let mut pools = self.by_device.lock();
        let pool = pools.entry(device).or_insert_with(|| Pool { shared: Arc::default(), threads: 0 });
        pool.push((file, answer));
        answered
    }
}

impl Pool {
    fn push(&mut self, job: Job) {
        let mut queue = self.shared.state.lock();
        queue.jobs.push_back(job);
        if queue.idle < queue.jobs.len() && self.threads < THREADS_MAX {
            let shared = Arc::clone(&self.shared);
            let name = format!("ottla-sync-{}", self.threads);
            if thread::Builder::new().name(name).spawn(move || shared.run()).is_ok() {
                self.threads += 1;
            } else if self.threads == 0 {
                // No thread to be had: the dropped job answers with an error.
                queue.jobs.pop_back();
            }
        }
        drop(queue);
        self.shared.wake.notify_one();
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.state.lock().closed = true;
        self.shared.wake.notify_all();
    }
}

impl Shared {
    fn run(&self) {
        while let Some((file, answer)) = self.next() {
            // Nobody need wait for it.
            let _ = answer.send(file.sync());
        }
    }

    fn next(&self) -> Option<Job> {
        let mut queue = self.state.lock();
        loop {
            if let Some(job) = queue.jobs.pop_front() {
                return Some(job);
            }
            if queue.closed {
                return None;
            }
            queue.idle += 1;
            self.wake.wait(&mut queue);
            queue.idle -= 1;
        }
    }
}

/// The number of the device that holds a file; 0 for files without a descriptor.
fn device_of(file: &dyn File) -> u64 {
    let Some(descriptor) = file.descriptor() else { return 0 };
    rustix::fs::fstat(descriptor).map_or(0, |found| found.st_dev)
}
