//! One partition on one broker: batches in through a queue, slices out through the published view, waits in between.

mod answers;
mod flush;
mod room;
#[cfg(test)]
mod tests;

pub use answers::{AppendError, FetchError, Promise, Reading, Ticket, Unavailable, Upto, Written};

use crate::state::{Assignment, Effect, Event, Replica};
use crate::submit::{Submit, Weigh};
use crate::wait::{Bell, Waiting};
use answers::outcome;
use ottla_host::planted::{self, Bug};
use ottla_host::{Clock, Host, Tasks};
use ottla_log::{Append, Appended, Log, LogConfig, Origin, Slice, View};
use ottla_wire::Uuid;
use ottla_wire::batch::SharedBatch;
use ottla_wire::ids::{BrokerId, LeaderEpoch, Offset, PartitionIndex};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicI64, Ordering};
use std::sync::{Arc, Weak};
use tokio::sync::{Notify, oneshot};

/// A batch waiting for the writer.
struct Entry {
    batch: SharedBatch,
    origin: Origin,
    promise: Promise,
    /// The only term in which it may be written; None for any.
    term: Option<LeaderEpoch>,
    done: oneshot::Sender<Result<Written, AppendError>>,
}

impl Weigh for Entry {
    fn size(&self) -> usize {
        self.batch.size()
    }
}

/// What only the holder of the writer's lock touches.
struct Writer {
    log: Log,
    replica: Replica,
    appended: Vec<Appended>,
    effects: Vec<Effect>,
}

/// What a partition does besides its log's work, as its numbers show it.
pub struct Partition {
    topic: Arc<str>,
    topic_id: Uuid,
    index: PartitionIndex,
    clock: Arc<dyn Clock>,
    tasks: Arc<dyn Tasks>,
    view: Arc<View>,
    submit: Submit<Entry, Writer>,
    /// Told when the queue has room again.
    room: Notify,
    waiting: Waiting,
    watermark: AtomicI64,
    leader_epoch: AtomicI32,
    is_leader: AtomicBool,
    deleted: AtomicBool,
    /// Everything before it is on the device.
    flushed: AtomicI64,
    /// `flush.messages`: so many records may be in memory alone.
    flush_messages: AtomicI64,
    /// Whether a request syncs the log at the moment.
    flushing: AtomicBool,
    /// Whether only what the journal holds counts (`ottla.durable.acks`).
    durable: bool,
    /// Journalled end that the state has been told of.
    counted: AtomicI64,
    /// Log end when it was last asked whether the log is idle.
    seen_end: AtomicI64,
    /// Itself, for those who call back.
    this: Weak<Partition>,
}

/// Which partition a [`Partition`] is.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Name of its topic.
    pub topic: Arc<str>,
    /// Id of its topic.
    pub topic_id: Uuid,
    /// Index in its topic.
    pub index: PartitionIndex,
    /// The broker that this replica is on.
    pub broker: BrokerId,
    /// Whether only what the journal holds counts (`ottla.durable.acks`).
    pub durable: bool,
}

impl Partition {
    /// A partition over an open log. `watermark` is the checkpointed one; it is put between start and end of the log.
    #[must_use]
    pub fn new(identity: Identity, host: &Host, mut log: Log, watermark: Offset) -> Arc<Partition> {
        let view = log.view().clone();
        let watermark = watermark.clamp(view.start(), view.end());
        // It may never move again, and transactions that ended before it are stable.
        log.watermark_moved(watermark);
        let replica = Replica::new(identity.broker, watermark);
        let (flushed, flush_messages) = (log.recovery_point(), log.config().flush_messages);
        let writer = Writer { log, replica, appended: Vec::new(), effects: Vec::new() };
        let partition = Arc::new_cyclic(|this| Partition {
            topic: identity.topic,
            topic_id: identity.topic_id,
            index: identity.index,
            clock: host.clock.clone(),
            tasks: host.tasks.clone(),
            flushed: AtomicI64::new(flushed.0),
            flush_messages: AtomicI64::new(flush_messages),
            flushing: AtomicBool::new(false),
            view,
            submit: Submit::new(writer),
            room: Notify::new(),
            waiting: Waiting::default(),
            watermark: AtomicI64::new(watermark.0),
            leader_epoch: AtomicI32::new(LeaderEpoch::UNKNOWN.0),
            is_leader: AtomicBool::new(false),
            deleted: AtomicBool::new(false),
            durable: identity.durable,
            counted: AtomicI64::new(-1),
            seen_end: AtomicI64::new(-1),
            this: this.clone(),
        });
        if partition.durable {
            let weak = partition.this.clone();
            partition.view.on_journalled(Box::new(move || {
                if let Some(partition) = weak.upgrade() {
                    partition.drive();
                }
            }));
        }
        partition
    }

    /// Name of its topic.
    #[must_use]
    pub fn topic(&self) -> &Arc<str> {
        &self.topic
    }

    /// Id of its topic.
    #[must_use]
    pub fn topic_id(&self) -> Uuid {
        self.topic_id
    }

    /// Index in its topic.
    #[must_use]
    pub fn index(&self) -> PartitionIndex {
        self.index
    }

    /// The readers' side of its log.
    #[must_use]
    pub fn view(&self) -> &Arc<View> {
        &self.view
    }

    /// Offset before which everything is committed.
    #[must_use]
    pub fn watermark(&self) -> Offset {
        Offset(self.watermark.load(Ordering::SeqCst))
    }

    /// Last stable offset: no record before it belongs to an open transaction.
    #[must_use]
    pub fn stable(&self) -> Offset {
        self.view.stable(self.watermark())
    }

    /// Term of the leader that it knows.
    #[must_use]
    pub fn leader_epoch(&self) -> LeaderEpoch {
        LeaderEpoch(self.leader_epoch.load(Ordering::SeqCst))
    }

    /// Whether this replica serves as the leader, or why not.
    pub fn serves(&self) -> Result<(), Unavailable> {
        if self.deleted.load(Ordering::SeqCst) {
            Err(Unavailable::Deleted)
        } else if self.view.log_dir().is_offline() {
            Err(Unavailable::Offline)
        } else if !self.is_leader.load(Ordering::SeqCst) {
            Err(Unavailable::NotLeader)
        } else {
            Ok(())
        }
    }

    /// Puts a batch into the queue, waiting for room; the ticket tells when it is written. The caller drives afterwards.
    pub async fn submit(&self, batch: SharedBatch, origin: Origin, promise: Promise) -> Ticket {
        let (done, ticket) = oneshot::channel();
        self.enqueue(Entry { batch, origin, promise, term: None, done }).await;
        ticket
    }

    /// The same for a batch that follows from what the log was in the term `epoch`: in a later one it is not written.
    pub async fn submit_in_term(
        &self,
        batch: SharedBatch,
        origin: Origin,
        promise: Promise,
        epoch: LeaderEpoch,
    ) -> Ticket {
        let (done, ticket) = oneshot::channel();
        self.enqueue(Entry { batch, origin, promise, term: Some(epoch), done }).await;
        ticket
    }

    async fn enqueue(&self, mut entry: Entry) {
        loop {
            entry = match self.submit.submit(entry) {
                Ok(()) => return,
                Err(entry) => entry,
            };
            let room = self.room.notified();
            tokio::pin!(room);
            room.as_mut().enable();
            self.drive();
            entry = match self.submit.submit(entry) {
                Ok(()) => return,
                Err(entry) => entry,
            };
            room.await;
        }
    }

    /// Writes what waits in the queue and counts what the journal holds, unless another thread is at it: whoever has
    /// held the writer looks at both again after unlocking.
    pub fn drive(&self) {
        loop {
            self.submit.drive(
                |writer| self.has_room(writer),
                |writer, group| {
                    self.write(writer, group);
                    self.room.notify_waiters();
                },
            );
            if !self.count_journalled() {
                return;
            }
        }
    }

    /// Tells the state what the journal holds by now; whether the writer was held for it.
    fn count_journalled(&self) -> bool {
        if !self.durable || self.counted.load(Ordering::SeqCst) >= self.view.journalled_end().0 {
            return false;
        }
        let counted = self.submit.with_writer(|writer| {
            let end = self.view.journalled_end();
            self.counted.fetch_max(end.0, Ordering::SeqCst);
            self.step(writer, Event::Appended { end });
        });
        counted.is_some()
    }

    fn write(&self, writer: &mut Writer, group: &mut VecDeque<Entry>) {
        let Some(leader) = self.serves().ok().and_then(|()| writer.replica.leader()) else {
            let why = self.serves().err().unwrap_or(Unavailable::NotLeader);
            for entry in group.drain(..) {
                let _ = entry.done.send(Err(why.into()));
            }
            return;
        };
        let epoch = leader.epoch();
        let enough = |promise| match promise {
            Promise::Leader => true,
            Promise::InSync(least) => leader.has_enough(least),
        };
        let mut taken: Vec<Entry> = Vec::with_capacity(group.len());
        for entry in group.drain(..) {
            if entry.term.is_some_and(|term| term != epoch) {
                let _ = entry.done.send(Err(Unavailable::NotLeader.into()));
            } else if enough(entry.promise) {
                taken.push(entry);
            } else {
                let _ = entry.done.send(Err(AppendError::NotEnoughReplicas));
            }
        }
        let batches: Vec<Append<'_>> =
            taken.iter().map(|entry| Append { batch: entry.batch.get(), origin: entry.origin }).collect();
        writer.appended.clear();
        writer.log.append(epoch, self.clock.wall(), &batches, &mut writer.appended);
        drop(batches);
        if !self.durable || planted::active(Bug::EarlyWatermark) {
            let end = self.view.end();
            self.step(writer, Event::Appended { end });
        }
        if let Some(due) = writer.log.writeback_due() {
            let start = move || {
                if let Err(error) = due.file.start_writeback(due.at, due.len) {
                    tracing::debug!(%error, "cannot start writeback");
                }
            };
            // The work runs without being waited for.
            drop(self.tasks.offload(self.view.log_dir().lane(), Box::new(start)));
        }
        for (entry, appended) in taken.into_iter().zip(&writer.appended) {
            let _ = entry.done.send(outcome(*appended, epoch));
        }
    }

    /// Lets the state take an event, and does what follows.
    fn step(&self, writer: &mut Writer, event: Event) {
        let now = self.clock.monotonic();
        writer.effects.clear();
        writer.replica.step(now, event, &mut writer.effects);
        let mut ring = false;
        for effect in std::mem::take(&mut writer.effects) {
            match effect {
                Effect::Watermark(offset) => {
                    self.watermark.store(offset.0, Ordering::SeqCst);
                    writer.log.watermark_moved(offset);
                    ring = true;
                }
                Effect::BeginEpoch(epoch) => writer.log.assign_epoch(epoch),
                Effect::Resign => ring = true,
                // With a single replica nobody can leave or join.
                Effect::ProposeIsr(_) => {}
            }
        }
        let leads = writer.replica.leader().is_some();
        self.is_leader.store(leads, Ordering::SeqCst);
        self.leader_epoch.store(writer.replica.leader_epoch().0, Ordering::SeqCst);
        if ring {
            self.waiting.ring();
        }
    }

    /// Takes a decision of the controller.
    pub async fn assign(&self, assignment: &Assignment) {
        self.when_writer_free(|writer| self.assign_writer(writer, assignment)).await;
    }

    /// Takes a decision of the controller; for threads of log directories, which may wait.
    pub fn assign_on_thread(&self, assignment: &Assignment) {
        self.writer_on_thread(|writer| self.assign_writer(writer, assignment));
    }

    fn assign_writer(&self, writer: &mut Writer, assignment: &Assignment) {
        let end = if self.durable { self.view.journalled_end() } else { self.view.end() };
        self.step(writer, Event::Assigned { assignment: assignment.clone(), end });
    }

    /// Works on the log when no other thread does.
    pub async fn when_free<R>(&self, mut work: impl FnMut(&mut Log) -> R) -> R {
        self.when_writer_free(|writer| work(&mut writer.log)).await
    }

    /// Works on the log when no other thread does; for threads of log directories, which may wait.
    pub fn on_thread<R>(&self, mut work: impl FnMut(&mut Log) -> R) -> R {
        self.writer_on_thread(|writer| work(&mut writer.log))
    }

    fn writer_on_thread<R>(&self, mut work: impl FnMut(&mut Writer) -> R) -> R {
        loop {
            if let Some(done) = self.submit.with_writer(&mut work) {
                self.drive();
                return done;
            }
            std::thread::yield_now();
        }
    }

    async fn when_writer_free<R>(&self, mut work: impl FnMut(&mut Writer) -> R) -> R {
        loop {
            if let Some(done) = self.submit.with_writer(&mut work) {
                // Batches may have come while the writer was ours.
                self.drive();
                return done;
            }
            // A write takes microseconds: another turn of the runtime is wait enough.
            tokio::task::yield_now().await;
        }
    }

    /// The topic is gone: everybody who waits is told.
    pub fn delete(&self) {
        self.deleted.store(true, Ordering::SeqCst);
        self.drive();
        self.waiting.ring();
    }

    /// Closes the files of a log that has not grown since this was called last; whoever needs one opens it again.
    pub fn release_if_idle(&self) {
        let end = self.view.end().0;
        if self.seen_end.swap(end, Ordering::Relaxed) == end
            && self.submit.with_writer(|writer| writer.log.release_files()).is_some()
        {
            self.drive();
        }
    }

    /// Wakes everybody who waits, for a look at what has changed outside.
    pub fn ring(&self) {
        self.waiting.ring();
    }

    /// A slice of committed batches, or what a follower may have.
    pub fn read(&self, reading: Reading) -> Result<Slice, FetchError> {
        self.serves()?;
        let upto = match reading.upto {
            Upto::Watermark => self.watermark(),
            Upto::Stable => self.stable(),
            Upto::End => self.view.end(),
        };
        Ok(self.view.read(reading.from, upto, reading.max_bytes, reading.at_least_one)?)
    }

    /// Rings `bell` when the watermark moves or the partition goes away, until the guard is dropped.
    #[must_use]
    pub fn ring_on_change(self: &Arc<Self>, bell: &Arc<Bell>) -> Ringing {
        self.waiting.add(bell);
        Ringing { partition: self.clone(), bell: bell.clone() }
    }

    /// Whether the watermark has reached `offset` in the term `epoch`; Err when it never will.
    pub fn is_committed(&self, offset: Offset, epoch: LeaderEpoch) -> Result<bool, Unavailable> {
        let is_committed = self.watermark() >= offset;
        // Asked after the watermark: in a later term other records may lie before it at the same offsets.
        if self.leader_epoch() != epoch {
            return Err(Unavailable::NotLeader);
        }
        if !is_committed {
            self.serves()?;
        }
        Ok(is_committed)
    }

    /// Puts other settings in force.
    pub async fn set_config(&self, config: &Arc<LogConfig>) {
        self.flush_messages.store(config.flush_messages, Ordering::SeqCst);
        self.when_free(|log| log.set_config(config.clone())).await;
    }
}

/// A bell hung up at a partition.
pub struct Ringing {
    partition: Arc<Partition>,
    bell: Arc<Bell>,
}

impl Drop for Ringing {
    fn drop(&mut self) {
        self.partition.waiting.remove(&self.bell);
    }
}
