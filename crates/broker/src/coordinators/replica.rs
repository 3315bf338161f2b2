//! A partition of this broker as the replica under a coordinator, for one term of its leader.

use bytes::Bytes;
use ottla_coordinator::runtime::{Replica, ReplicaError};
use ottla_host::disk::read_exact_at;
use ottla_host::{BoxFuture, Host};
use ottla_log::{Origin, Slice};
use ottla_replica::{AppendError, Bell, FetchError, Partition, Promise, Reading, Ringing, Unavailable, Upto};
use ottla_wire::batch::{SharedBatch, ValidBatch};
use ottla_wire::ids::{LeaderEpoch, Offset};
use std::sync::Arc;

/// A partition that this broker leads in the term `epoch`.
pub(super) struct Led {
    host: Host,
    partition: Arc<Partition>,
    epoch: LeaderEpoch,
    /// `min.insync.replicas`.
    min_insync: usize,
    /// Rings when the watermark moves or the partition goes away, as long as `_ringing` lives.
    bell: Arc<Bell>,
    _ringing: Ringing,
}

impl Led {
    pub(super) fn new(host: Host, partition: Arc<Partition>, epoch: LeaderEpoch, min_insync: usize) -> Led {
        let bell = Bell::new();
        let ringing = partition.ring_on_change(&bell);
        Led { host, partition, epoch, min_insync, bell, _ringing: ringing }
    }

    /// Whether the partition is led by this broker, in this term.
    fn check(&self) -> Result<(), ReplicaError> {
        let leads = self.partition.serves().is_ok() && self.partition.leader_epoch() == self.epoch;
        if leads { Ok(()) } else { Err(ReplicaError::NotLeader) }
    }

    async fn write(&self, batch: Vec<u8>) -> Result<Offset, ReplicaError> {
        self.check()?;
        let bytes = Bytes::from(batch);
        let valid = ValidBatch::trusted(&bytes).map_err(|error| ReplicaError::Failed(error.to_string()))?;
        let shared = SharedBatch::new(&bytes, &valid);
        let promise = Promise::InSync(self.min_insync);
        let ticket = self.partition.submit_in_term(shared, Origin::Coordinator, promise, self.epoch).await;
        self.partition.drive();
        match ticket.await {
            Ok(Ok(written)) if written.leader_epoch == self.epoch => Ok(written.next_offset),
            // The log goes on in another term.
            Ok(Ok(_)) | Err(_) => Err(ReplicaError::NotLeader),
            Ok(Err(AppendError::Unavailable(why))) => Err(unavailable(why)),
            Ok(Err(error)) => Err(ReplicaError::Failed(error.to_string())),
        }
    }

    async fn slice(&self, from: Offset, bytes_max: usize) -> Result<Vec<u8>, ReplicaError> {
        self.check()?;
        let max_bytes = u32::try_from(bytes_max).unwrap_or(u32::MAX);
        let reading = Reading { from, max_bytes, at_least_one: true, upto: Upto::End };
        let slice = self.partition.read(reading).map_err(|error| match error {
            FetchError::Unavailable(why) => unavailable(why),
            FetchError::Read(error) => ReplicaError::Failed(error.to_string()),
        })?;
        self.bring_in(&slice).await;
        let Some(file) = slice.file.as_ref().filter(|_| slice.length > 0) else { return Ok(Vec::new()) };
        let mut bytes = vec![0; slice.length as usize];
        let read = read_exact_at(&**file, &mut bytes, slice.position);
        read.map_err(|error| ReplicaError::Failed(format!("read records: {error}")))?;
        if slice.is_valid() { Ok(bytes) } else { Err(ReplicaError::NotLeader) }
    }

    /// Has what is not in memory read on the thread of its log directory.
    async fn bring_in(&self, slice: &Slice) {
        let Some(file) = slice.file.clone().filter(|_| slice.length > 0) else { return };
        let (at, length) = (slice.position, u64::from(slice.length));
        if file.is_cached(at, 1) && file.is_cached(at + length - 1, 1) {
            return;
        }
        let read = move || {
            if let Err(error) = file.read_ahead(at, length) {
                tracing::debug!(%error, "cannot read ahead");
            }
        };
        self.host.tasks.offload(self.partition.view().log_dir().lane(), Box::new(read)).await;
    }
}

fn unavailable(why: Unavailable) -> ReplicaError {
    match why {
        Unavailable::NotLeader | Unavailable::Deleted | Unavailable::Offline => ReplicaError::NotLeader,
    }
}

impl Replica for Led {
    fn append(&self, batch: Vec<u8>) -> BoxFuture<'_, Result<Offset, ReplicaError>> {
        Box::pin(self.write(batch))
    }

    fn start(&self) -> Offset {
        self.partition.view().start()
    }

    fn end(&self) -> Offset {
        self.partition.view().end()
    }

    fn read(&self, from: Offset, bytes_max: usize) -> BoxFuture<'_, Result<Vec<u8>, ReplicaError>> {
        Box::pin(self.slice(from, bytes_max))
    }

    fn watermark(&self) -> Offset {
        self.partition.watermark()
    }

    fn moved(&self, seen: Offset) -> BoxFuture<'_, Result<Offset, ReplicaError>> {
        Box::pin(async move {
            loop {
                self.check()?;
                let watermark = self.partition.watermark();
                if watermark > seen {
                    return Ok(watermark);
                }
                self.bell.rung().await;
            }
        })
    }
}
