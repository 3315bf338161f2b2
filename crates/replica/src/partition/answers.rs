//! What a partition is asked, and what it answers.

use ottla_log::{Appended, ReadError, Refusal};
use ottla_wire::ids::{LeaderEpoch, Offset};
use tokio::sync::oneshot;

/// Why a partition does not serve.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Unavailable {
    /// NOT_LEADER_OR_FOLLOWER: another broker leads, or leads in a later term.
    #[error("this broker does not lead the partition")]
    NotLeader,
    /// UNKNOWN_TOPIC_OR_PARTITION: its topic was deleted.
    #[error("the topic was deleted")]
    Deleted,
    /// KAFKA_STORAGE_ERROR: its log directory has failed.
    #[error("the log directory of the partition is offline")]
    Offline,
}

/// Why a batch was not appended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum AppendError {
    /// The partition does not serve.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// NOT_ENOUGH_REPLICAS.
    #[error("fewer replicas are in sync than min.insync.replicas")]
    NotEnoughReplicas,
    /// The log refuses it.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

/// Why a slice was not read.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The partition does not serve.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// The log refuses.
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// A batch that is in the log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Written {
    /// Offset of its first record.
    pub base_offset: Offset,
    /// Offset after its last record; committed once the watermark is here.
    pub next_offset: Offset,
    /// The broker's clock, where the topic has LogAppendTime; ms since 1970, else -1.
    pub append_time: i64,
    /// The term in which it was written.
    pub leader_epoch: LeaderEpoch,
}

/// Waits for a batch to be written.
pub type Ticket = oneshot::Receiver<Result<Written, AppendError>>;

/// Bounds on how many replicas must be in sync before a batch of a client is taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Promise {
    /// acks=0 or 1: the leader alone.
    Leader,
    /// acks=all: at least so many (`min.insync.replicas`).
    InSync(usize),
}

/// What a reader asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reading {
    /// First offset wanted.
    pub from: Offset,
    /// Most bytes.
    pub max_bytes: u32,
    /// The first batch even if it is larger (KIP-74).
    pub at_least_one: bool,
    /// Where reading ends.
    pub upto: Upto,
}

/// Where reading ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Upto {
    /// At the high watermark (read_uncommitted).
    Watermark,
    /// At the last stable offset (read_committed).
    Stable,
    /// At the log's end (followers).
    End,
}

pub(super) fn outcome(appended: Appended, leader_epoch: LeaderEpoch) -> Result<Written, AppendError> {
    match appended {
        Appended::Written { base_offset, last_offset, append_time } => Ok(Written {
            base_offset,
            next_offset: last_offset.plus(1),
            append_time: append_time.unwrap_or(-1),
            leader_epoch,
        }),
        Appended::Duplicate { base_offset, last_offset, timestamp } => {
            Ok(Written { base_offset, next_offset: last_offset.plus(1), append_time: timestamp, leader_epoch })
        }
        Appended::Refused(refusal) => Err(refusal.into()),
    }
}
