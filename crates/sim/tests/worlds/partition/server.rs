//! The least broker around one partition: connections, waiters for commits, syncs, checkpoints, a clean stop.

use crate::log::{Durability, Plan};
use crate::producer::{self, Failure, Request};
use bytes::Bytes;
use ottla_host::Host;
use ottla_log::dir::boot::LastEnd;
use ottla_log::dir::checkpoint::{HIGH_WATERMARK, RECOVERY_POINT};
use ottla_log::log::Opening;
use ottla_log::{Flush, Log, LogDir, Origin, PartitionName};
use ottla_replica::state::Assignment;
use ottla_replica::{AppendError, Bell, Identity, Partition, Promise, Ticket, Written};
use ottla_sim::Random;
use ottla_wire::Uuid;
use ottla_wire::batch::{SharedBatch, ValidBatch};
use ottla_wire::ids::{BrokerId, LeaderEpoch, Offset, PartitionIndex};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

const DATA: &str = "/data";
pub(super) const ME: BrokerId = BrokerId(1);
const OTHER: BrokerId = BrokerId(2);
const QUEUE_MAX: usize = 64;
const CONNECTIONS: usize = 2;
const CHECKPOINT_INTERVAL: Duration = Duration::from_millis(7);

/// One life of the broker.
pub(super) struct Server {
    connections: Vec<mpsc::Sender<Request>>,
    pub(super) partition: Arc<Partition>,
    pub(super) dir: Arc<LogDir>,
    host: Host,
    /// How often batches have come while another thread held the writer.
    pub(super) contended: AtomicU64,
}

impl producer::Server for Server {
    fn requests(&self, producer: u32) -> &mpsc::Sender<Request> {
        &self.connections[producer as usize % CONNECTIONS]
    }
}

fn name() -> PartitionName {
    PartitionName::new("orders", PartitionIndex(0))
}

/// What the controller says in a term; `leads` where this replica is the leader.
pub(super) fn term(epoch: i32, leads: bool) -> Assignment {
    Assignment {
        leader: Some(if leads { ME } else { OTHER }),
        leader_epoch: LeaderEpoch(epoch),
        partition_epoch: epoch,
        replicas: vec![ME],
        isr: [ME].into(),
    }
}

impl Server {
    /// Opens the directory and the log, leads, and starts the tasks. Fails when the disk does.
    pub(super) async fn open(
        host: &Host,
        plan: &Plan,
        epoch: i32,
        mut contention: Random,
    ) -> Result<Arc<Server>, String> {
        let dir = LogDir::open(host, Path::new(DATA), plan.files_max).map_err(|error| error.to_string())?;
        let durable = plan.durability == Durability::Journal;
        if durable {
            dir.start_journal(0).map_err(|error| error.to_string())?;
        }
        let log = open_log(host, plan, &dir)?;
        if dir.last_end() == LastEnd::Lost {
            dir.recovered().map_err(|error| error.to_string())?;
        }
        let watermark = dir.high_watermark(&name()).unwrap_or(log.view().start());
        let (topic, topic_id, index) = ("orders".into(), Uuid::ZERO, PartitionIndex(0));
        let partition = Partition::new(Identity { topic, topic_id, index, broker: ME, durable }, host, log, watermark);
        partition.assign(&term(epoch, true)).await;
        let (connections, queues): (Vec<_>, Vec<_>) = (0..CONNECTIONS).map(|_| mpsc::channel(QUEUE_MAX)).unzip();
        let contended = AtomicU64::new(0);
        let server = Arc::new(Server { connections, partition, dir, host: host.clone(), contended });
        for queue in queues {
            host.tasks.spawn("connection", Box::pin(Arc::clone(&server).serve(queue)));
        }
        host.tasks.spawn("flush and checkpoint", Box::pin(Arc::clone(&server).tend()));
        let contender = Arc::clone(&server);
        host.tasks.spawn("contend", Box::pin(async move { contender.contend(&mut contention).await }));
        Ok(server)
    }

    async fn serve(self: Arc<Self>, mut queue: mpsc::Receiver<Request>) {
        while let Some(first) = queue.recv().await {
            let mut group = vec![first];
            while let Ok(next) = queue.try_recv() {
                group.push(next);
            }
            for Request { bytes, answer } in group {
                let bytes = Bytes::from(bytes);
                let batch = ValidBatch::trusted(&bytes).unwrap();
                let batch = SharedBatch::new(&bytes, &batch);
                let ticket = self.partition.submit(batch, Origin::Client, Promise::InSync(1)).await;
                let settled = settle(Arc::clone(&self.partition), ticket, answer);
                self.host.tasks.spawn("answer", Box::pin(settled));
            }
            self.partition.drive();
        }
    }

    /// Plays a thread that has the writer when others want it.
    async fn contend(&self, random: &mut Random) {
        loop {
            self.pause(random.below(2_000)).await;
            if self.partition.hold() {
                self.pause(random.below(300)).await;
                let waited = self.partition.release();
                self.contended.fetch_add(u64::from(waited), Ordering::Relaxed);
            }
        }
    }

    async fn pause(&self, micros: u64) {
        let until = self.host.clock.monotonic() + Duration::from_micros(micros);
        self.host.tasks.sleep_until(until).await;
    }

    async fn tend(self: Arc<Self>) {
        while !self.dir.is_offline() {
            let next = self.host.clock.monotonic() + CHECKPOINT_INTERVAL;
            self.host.tasks.sleep_until(next).await;
            let now = self.host.clock.wall();
            let flush = self.partition.when_free(|log| if log.flush_due(now) { log.flush(false) } else { Ok(None) });
            let flush = match flush.await {
                Ok(flush) => flush,
                Err(error) => return self.dir.fail("prepare a sync", &error),
            };
            if let Some(flush) = flush
                && self.sync(flush).await.is_err()
            {
                return;
            }
            if let Err(error) = self.write_checkpoints().await {
                return self.dir.fail("write a checkpoint", &error);
            }
        }
    }

    async fn sync(&self, flush: Flush) -> Result<(), String> {
        let through = flush.through;
        self.dir.sync(&mut [flush]).await.map_err(|_| "sync failed".to_owned())?;
        let now = self.host.clock.wall();
        self.partition.when_free(|log| log.flushed(through, now)).await;
        Ok(())
    }

    async fn write_checkpoints(&self) -> std::io::Result<()> {
        let point = self.partition.when_free(|log| log.recovery_point()).await;
        self.dir.write_checkpoint(RECOVERY_POINT, &BTreeMap::from([(name(), point)]))?;
        self.dir.write_checkpoint(HIGH_WATERMARK, &BTreeMap::from([(name(), self.partition.watermark())]))
    }

    /// Another broker leads, which lacks some of what was not acknowledged; then this one again. `epoch` is the term of
    /// the other.
    pub(super) async fn be_deposed(&self, epoch: i32, random: &mut Random) -> std::io::Result<()> {
        self.partition.assign(&term(epoch, false)).await;
        let watermark = self.partition.watermark();
        self.pause(random.below(60)).await;
        let spare = (self.partition.view().end().0 - watermark.0).max(0);
        let kept = Offset(watermark.0 + random.below(spare as u64 + 1) as i64);
        let now = self.host.clock.wall();
        if self.partition.when_free(|log| log.truncate_to(kept, now)).await? {
            self.write_checkpoints().await?;
        }
        self.pause(random.below(60)).await;
        self.partition.assign(&term(epoch + 1, true)).await;
        Ok(())
    }

    /// Stops as a broker does on SIGTERM.
    pub(super) async fn stop(&self) -> Result<(), String> {
        let flush = self.partition.when_free(|log| log.close()).await.map_err(|error| error.to_string())?;
        if let Some(flush) = flush {
            self.sync(flush).await?;
        }
        self.write_checkpoints().await.map_err(|error| error.to_string())?;
        self.dir.mark_clean(1).map_err(|error| error.to_string())
    }
}

fn open_log(host: &Host, plan: &Plan, dir: &Arc<LogDir>) -> Result<Log, String> {
    let (now, config) = (host.clock.wall(), Arc::clone(&plan.config));
    let exists = host.disk.stat(&Path::new(DATA).join("orders-0")).map_err(|error| error.to_string())?.is_some();
    if exists {
        let opening = Opening::of(dir, &name());
        Log::open(dir, (&name(), "orders-0"), opening, config, now).map_err(|error| error.to_string())
    } else {
        Log::create(dir, &name(), None, config, now).map_err(|error| error.to_string())
    }
}

/// Answers a batch once it is written, synced as configured, and committed; as a produce request does.
async fn settle(partition: Arc<Partition>, ticket: Ticket, answer: oneshot::Sender<Result<Offset, Failure>>) {
    let outcome = match ticket.await {
        Ok(Ok(written)) => commit(&partition, written).await,
        Ok(Err(AppendError::Refused(refusal))) => Err(Failure::Refused(refusal)),
        Ok(Err(AppendError::Unavailable(_) | AppendError::NotEnoughReplicas)) => Err(Failure::Deposed),
        Err(_) => Err(Failure::Unknown),
    };
    // The producer may have died.
    let _ = answer.send(outcome);
}

async fn commit(partition: &Arc<Partition>, written: Written) -> Result<Offset, Failure> {
    partition.flush_as_configured(written.next_offset).await.map_err(|_| Failure::Deposed)?;
    let bell = Bell::new();
    let _ringing = partition.ring_on_change(&bell);
    loop {
        match partition.is_committed(written.next_offset, written.leader_epoch) {
            Ok(true) => return Ok(written.base_offset),
            Ok(false) => bell.rung().await,
            Err(_) => return Err(Failure::Deposed),
        }
    }
}
