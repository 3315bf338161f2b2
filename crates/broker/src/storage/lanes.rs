//! Opening logs side by side, on threads of their directories.

use super::open::{Pending, open_log};
use super::{LogDir, Storage};
use crate::partitions::Held;
use ottla_replica::{Identity, Partition};
use parking_lot::Mutex;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// Threads that open logs of one directory at most.
const LANES_MAX: usize = 16;

/// Logs to be opened or made, by directory.
pub(crate) type ByDir = BTreeMap<usize, VecDeque<Pending>>;

/// Which threads open logs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Lanes {
    /// The directory's own is one of them.
    Own,
    /// The directory's own stays free for what requests need of it.
    Apart,
}

impl Lanes {
    fn name(self, dir: &LogDir, number: usize) -> String {
        match (self, number) {
            (Lanes::Own, 0) => dir.lane().to_owned(),
            (Lanes::Own | Lanes::Apart, number) => format!("{} open {number}", dir.lane()),
        }
    }
}

impl Storage {
    /// Opens and makes logs; each is in its slot the moment it is open.
    pub(super) async fn open_on(self: &Arc<Self>, by_dir: ByDir, lanes: Lanes) {
        let mut work = Vec::new();
        for (at, pending) in by_dir {
            let dir = self.dirs.lock()[at].dir.clone();
            let count = self.config.tasks.recovery_threads.clamp(1, LANES_MAX).min(pending.len());
            let queue = Arc::new(Mutex::new(pending));
            for number in 0..count {
                let job = self.clone().open_job(dir.clone(), queue.clone());
                work.push(self.host.tasks.offload(&lanes.name(&dir, number), job));
            }
        }
        for job in work {
            job.await;
        }
    }

    fn open_job(self: Arc<Self>, dir: Arc<LogDir>, queue: Arc<Mutex<VecDeque<Pending>>>) -> Box<dyn FnOnce() + Send> {
        let next = move |storage: &Storage| {
            if storage.opening.is_abandoned() {
                return None;
            }
            queue.lock().pop_front()
        };
        Box::new(move || {
            while let Some(pending) = next(&self) {
                self.open_one(&dir, &pending);
            }
        })
    }

    fn open_one(&self, dir: &Arc<LogDir>, pending: &Pending) {
        let name = pending.name();
        let log = match open_log(dir, pending, &self.host) {
            Ok(log) => log,
            Err(error) => {
                tracing::error!(partition = %name, error, "the partition is offline");
                self.broken.lock().insert(name);
                pending.hosted.put(pending.index, Held::Broken);
                return;
            }
        };
        let watermark = dir.high_watermark(&name).unwrap_or(log.view().start());
        let identity = Identity {
            topic: pending.hosted.name.clone(),
            topic_id: pending.hosted.id,
            index: pending.index,
            broker: self.config.node_id,
            durable: self.config.durable_acks,
        };
        let partition = Partition::new(identity, &self.host, log, watermark);
        partition.assign_on_thread(&pending.assignment);
        pending.hosted.put(pending.index, Held::Open(partition));
        // Not before it is in its slot: a checkpoint has either the offset of the open log or the one found at the start.
        self.found.lock().remove(&name);
    }
}
