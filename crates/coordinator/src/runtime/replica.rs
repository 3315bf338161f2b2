//! The partition under a machine, as its runtime sees it.

use ottla_host::tasks::BoxFuture;
use ottla_wire::ids::Offset;

/// Why a partition does not do what it is asked.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ReplicaError {
    /// Another broker leads it, or a later term has begun: what this runtime knows is of no more worth.
    #[error("this broker does not lead the partition in this term")]
    NotLeader,
    /// It cannot write or read: the disk, or too few replicas.
    #[error("{0}")]
    Failed(String),
}

/// A partition that this broker leads, in one term.
pub trait Replica: Send + Sync {
    /// Appends a batch, and answers the end of the log behind it. On an error the batch may be in the log or not.
    fn append(&self, batch: Vec<u8>) -> BoxFuture<'_, Result<Offset, ReplicaError>>;

    /// First offset of the log.
    fn start(&self) -> Offset;

    /// End of the log.
    fn end(&self) -> Offset;

    /// Whole batches from the one with `from` on, at most `bytes_max` unless the first is larger; empty at the end.
    fn read(&self, from: Offset, bytes_max: usize) -> BoxFuture<'_, Result<Vec<u8>, ReplicaError>>;

    /// Everything before it is committed.
    fn watermark(&self) -> Offset;

    /// Ends when the watermark lies behind `seen`, with it.
    fn moved(&self, seen: Offset) -> BoxFuture<'_, Result<Offset, ReplicaError>>;
}
