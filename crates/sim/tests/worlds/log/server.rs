//! The least broker that keeps the promises of one log: an appender, a flusher, and someone who writes checkpoints.

use super::plan::{Durability, Plan};
use crate::producer::{self, Failure, Request};
use ottla_host::Host;
use ottla_log::dir::boot::LastEnd;
use ottla_log::dir::checkpoint::RECOVERY_POINT;
use ottla_log::log::Opening;
use ottla_log::{Append, Appended, Flush, Log, LogDir, Origin, PartitionName};
use ottla_wire::batch::ValidBatch;
use ottla_wire::ids::{LeaderEpoch, Offset, PartitionIndex};
use parking_lot::Mutex;
use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicI64, Ordering};
use std::time::Duration;
use tokio::sync::{Notify, mpsc, oneshot};

pub(crate) const DATA: &str = "/data";
const QUEUE_MAX: usize = 64;
const CHECKPOINT_INTERVAL: Duration = Duration::from_millis(7);

/// A batch that is in the log and not acknowledged yet.
struct Waiting {
    base: Offset,
    end: Offset,
    answer: oneshot::Sender<Result<Offset, Failure>>,
}

/// One life of the broker. Lock order: `log`, then `waiting`.
pub(crate) struct Server {
    requests: mpsc::Sender<Request>,
    pub(crate) log: Mutex<Log>,
    pub(crate) dir: Arc<LogDir>,
    host: Host,
    plan: Plan,
    epoch: AtomicI32,
    /// Everything below is acknowledged and shown to readers.
    pub(crate) watermark: AtomicI64,
    /// Where this life began: what an earlier one has acknowledged lies below.
    found: Offset,
    waiting: Mutex<VecDeque<Waiting>>,
    /// Something was appended, or has reached the journal.
    appended: Arc<Notify>,
}

pub(crate) fn name() -> PartitionName {
    PartitionName { topic: "orders".into(), partition: PartitionIndex(0) }
}

impl producer::Server for Server {
    fn requests(&self, _producer: u32) -> &mpsc::Sender<Request> {
        &self.requests
    }
}

impl Server {
    /// Opens the directory and the log, and starts the tasks. Fails when the disk does.
    pub(crate) fn open(host: &Host, plan: &Plan, epoch: i32) -> Result<Arc<Server>, String> {
        let dir = LogDir::open(host, Path::new(DATA), plan.files_max).map_err(|error| error.to_string())?;
        if plan.durability == Durability::Journal {
            dir.start_journal(0).map_err(|error| error.to_string())?;
        }
        let now = host.clock.wall();
        let config = Arc::clone(&plan.config);
        let dir_name = format!("{}-{}", name().topic, name().partition.0);
        let exists = host.disk.stat(&Path::new(DATA).join(&dir_name)).map_err(|error| error.to_string())?.is_some();
        let log = if exists {
            let opening = Opening::of(&dir, &name());
            Log::open(&dir, (&name(), &dir_name), opening, config, now).map_err(|error| error.to_string())?
        } else {
            Log::create(&dir, &name(), None, config, now).map_err(|error| error.to_string())?
        };
        if dir.last_end() == LastEnd::Lost {
            dir.recovered().map_err(|error| error.to_string())?;
        }
        let (requests, queue) = mpsc::channel(QUEUE_MAX);
        let watermark = match plan.durability {
            Durability::Memory => log.view().end(),
            Durability::Device => log.recovery_point(),
            Durability::Journal => log.view().journalled_end(),
        };
        let found = log.view().end();
        let server = Arc::new(Server {
            requests,
            log: Mutex::new(log),
            dir,
            host: host.clone(),
            plan: plan.clone(),
            epoch: AtomicI32::new(epoch),
            watermark: AtomicI64::new(watermark.0),
            found,
            waiting: Mutex::default(),
            appended: Arc::new(Notify::new()),
        });
        let appended = Arc::clone(&server.appended);
        server.log.lock().view().on_journalled(Box::new(move || appended.notify_one()));
        host.tasks.spawn("append", Box::pin(Arc::clone(&server).append_all(queue)));
        host.tasks.spawn("flush", Box::pin(Arc::clone(&server).flush_all()));
        host.tasks.spawn("checkpoint", Box::pin(Arc::clone(&server).checkpoint_all()));
        Ok(server)
    }

    async fn append_all(self: Arc<Self>, mut queue: mpsc::Receiver<Request>) {
        while let Some(first) = queue.recv().await {
            let mut group = vec![first];
            while let Ok(next) = queue.try_recv() {
                group.push(next);
            }
            self.append(group);
        }
    }

    fn append(&self, group: Vec<Request>) {
        let origin = Origin::Client;
        let checked = |request: &Request| ValidBatch::trusted(&request.bytes).is_ok();
        let group: Vec<Request> = group.into_iter().filter(checked).collect();
        let batches = group.iter().map(|request| ValidBatch::trusted(&request.bytes).unwrap());
        let batches: Vec<Append<'_>> = batches.map(|batch| Append { batch, origin }).collect();
        let mut outcomes = Vec::new();
        let mut log = self.log.lock();
        log.append(LeaderEpoch(self.epoch.load(Ordering::Relaxed)), self.host.clock.wall(), &batches, &mut outcomes);
        let mut waiting = self.waiting.lock();
        for (request, outcome) in group.into_iter().zip(outcomes) {
            match outcome {
                Appended::Written { base_offset, last_offset, .. }
                | Appended::Duplicate { base_offset, last_offset, .. } => {
                    let end = Offset(last_offset.0 + 1);
                    waiting.push_back(Waiting { base: base_offset, end, answer: request.answer });
                }
                Appended::Refused(refusal) => {
                    let _ = request.answer.send(Err(Failure::Refused(refusal)));
                }
            }
        }
        drop(waiting);
        if self.plan.durability == Durability::Memory {
            self.acknowledge(log.view().end());
        }
        drop(log);
        self.appended.notify_one();
    }

    /// Answers all that lie below `end`.
    fn acknowledge(&self, end: Offset) {
        self.watermark.fetch_max(end.0, Ordering::Relaxed);
        let mut waiting = self.waiting.lock();
        for waiter in std::mem::take(&mut *waiting) {
            if waiter.end > end {
                waiting.push_back(waiter);
            } else {
                // The producer may have died.
                let _ = waiter.answer.send(Ok(waiter.base));
            }
        }
    }

    async fn flush_all(self: Arc<Self>) {
        let on_device = self.plan.durability == Durability::Device;
        loop {
            self.appended.notified().await;
            // Waiters may lie below the recovery point already: repetitions of what is durable.
            if let Some(promised) = self.promised() {
                self.acknowledge(promised);
            }
            while self.waits_for(on_device) {
                let Ok(flush) = self.log.lock().flush(on_device) else { break };
                let Some(flush) = flush else { break };
                if self.sync(flush).await.is_err() {
                    return;
                }
                if let Some(promised) = self.promised() {
                    self.acknowledge(promised);
                }
            }
        }
    }

    /// End of what survives whatever the mode promises to survive; None where that is the log's end.
    fn promised(&self) -> Option<Offset> {
        match self.plan.durability {
            Durability::Memory => None,
            Durability::Device => Some(self.log.lock().recovery_point()),
            Durability::Journal => Some(self.log.lock().view().journalled_end()),
        }
    }

    fn waits_for(&self, on_device: bool) -> bool {
        if on_device { !self.waiting.lock().is_empty() } else { self.log.lock().flush_due(self.host.clock.wall()) }
    }

    async fn sync(&self, flush: Flush) -> Result<(), ()> {
        let through = flush.through;
        self.dir.sync(&mut [flush]).await.map_err(drop)?;
        self.log.lock().flushed(through, self.host.clock.wall());
        Ok(())
    }

    async fn checkpoint_all(self: Arc<Self>) {
        loop {
            let next = self.host.clock.monotonic() + CHECKPOINT_INTERVAL;
            self.host.tasks.sleep_until(next).await;
            if self.write_checkpoint().is_err() || self.dir.is_offline() {
                return;
            }
        }
    }

    fn write_checkpoint(&self) -> std::io::Result<()> {
        let points = BTreeMap::from([(name(), self.log.lock().recovery_point())]);
        self.dir.write_checkpoint(RECOVERY_POINT, &points)
    }

    /// Another term begins, in which nothing is known of what was not acknowledged.
    pub(crate) fn lose_unacknowledged(&self) -> std::io::Result<()> {
        let mut log = self.log.lock();
        let end = Offset(self.watermark.load(Ordering::Relaxed)).max(self.found);
        log.truncate_to(end, self.host.clock.wall())?;
        let epoch = LeaderEpoch(self.epoch.fetch_add(1, Ordering::Relaxed) + 1);
        log.assign_epoch(epoch);
        for waiter in std::mem::take(&mut *self.waiting.lock()) {
            let _ = waiter.answer.send(Err(Failure::Deposed));
        }
        Ok(())
    }

    /// What the log has, for people who look for a bug.
    pub(crate) fn describe(&self) -> String {
        let log = self.log.lock();
        let (view, last_end) = (log.view(), self.dir.last_end());
        let producers = log.producers().map(|producer| (producer.producer_id.0, producer.last_sequence));
        let producers: Vec<_> = producers.collect();
        let files = self.host.disk.list(&view.path()).unwrap_or_default();
        let files: Vec<_> = files.into_iter().map(|entry| entry.name).collect();
        format!("opened {last_end:?}, {:?} to {:?}, producers {producers:?}, {files:?}", view.start(), view.end())
    }

    /// Stops as a broker does on SIGTERM.
    pub(crate) async fn stop(&self) -> Result<(), String> {
        let flush = self.log.lock().close().map_err(|error| error.to_string())?;
        if let Some(flush) = flush {
            self.sync(flush).await.map_err(|()| "sync failed".to_owned())?;
        }
        self.write_checkpoint().map_err(|error| error.to_string())?;
        self.dir.mark_clean(1).map_err(|error| error.to_string())
    }
}
