//! The quorum of this node: carries out what `state` decides, and hands committed metadata on in order.

mod config;
mod feed;
mod open;
mod publish;
mod task;
mod write;

#[cfg(test)]
mod tests;

use crate::records::VersionedRecord;
use crate::state::event::Leadership;
use crate::state::ids::{OffsetAndEpoch, VoterSet};
use ottla_wire::EncodeError;
use ottla_wire::ids::{BrokerId, LeaderEpoch, Offset};
use std::fmt;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot, watch};

pub use config::{QuorumConfig, StartError};
pub use feed::{Committed, Feed};

/// Commands that may wait for the quorum's task.
const COMMANDS_MAX: usize = 1_024;

/// Why records were not committed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum AppendError {
    /// This node does not lead the epoch, or no longer: the records may or may not be committed by another leader.
    #[error("this node does not lead epoch {0}")]
    NotLeader(LeaderEpoch),
    /// More than one batch can hold, 8 MiB.
    #[error("{size} bytes of metadata records in one batch, at most {limit} are allowed")]
    TooLarge {
        /// Bytes of the batch.
        size: usize,
        /// Limit.
        limit: usize,
    },
    /// A record cannot be written in its version.
    #[error("metadata record: {0}")]
    Encode(#[from] EncodeError),
    /// No room on the disk; nothing was written.
    #[error("the disk of the metadata log is full")]
    DiskFull,
    /// Too much waits already, or the quorum stopped or failed.
    #[error("the metadata quorum does not take records: {0}")]
    Unavailable(&'static str),
}

/// Where the quorum stands, for DescribeQuorum and metrics.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct QuorumStatus {
    /// Epoch.
    pub epoch: LeaderEpoch,
    /// Leader in it.
    pub leader: Option<BrokerId>,
    /// All before it is committed.
    pub high_watermark: Option<Offset>,
    /// First offset kept.
    pub start: Offset,
    /// Offset of the next record.
    pub end: Offset,
    /// Latest snapshot.
    pub snapshot: Option<OffsetAndEpoch>,
    /// Voters.
    pub voters: VoterSet,
}

enum Command {
    Append { epoch: LeaderEpoch, records: Vec<VersionedRecord>, done: oneshot::Sender<Result<Offset, AppendError>> },
    WriteSnapshot { id: OffsetAndEpoch, last_timestamp_ms: i64, records: Vec<VersionedRecord> },
    Resign,
    Stop { done: oneshot::Sender<()> },
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Command::Append { .. } => "Append",
            Command::WriteSnapshot { .. } => "WriteSnapshot",
            Command::Resign => "Resign",
            Command::Stop { .. } => "Stop",
        })
    }
}

/// The quorum of this node. Clones are the same quorum.
#[derive(Clone, Debug)]
pub struct Quorum {
    commands: mpsc::Sender<Command>,
    leadership: watch::Receiver<Leadership>,
    status: watch::Receiver<QuorumStatus>,
    failure: watch::Receiver<Option<Arc<str>>>,
}

impl Quorum {
    /// Appends records as one batch, all or nothing, in the order of calls. The future answers the offset of the last one
    /// once all are committed, which is after they are on the device. `epoch` is that of [`Leadership`].
    pub fn append(
        &self,
        epoch: LeaderEpoch,
        records: Vec<VersionedRecord>,
    ) -> impl Future<Output = Result<Offset, AppendError>> + Send + use<> {
        let (done, outcome) = oneshot::channel();
        let queued = self.commands.try_send(Command::Append { epoch, records, done });
        async move {
            queued.map_err(|error| match error {
                mpsc::error::TrySendError::Full(_) => AppendError::Unavailable("too many appends wait"),
                mpsc::error::TrySendError::Closed(_) => AppendError::Unavailable("it has stopped"),
            })?;
            outcome.await.unwrap_or(Err(AppendError::Unavailable("it has stopped")))
        }
    }

    /// Answers [`Committed::SnapshotDue`] with the records of the image as applied up to there.
    pub async fn write_snapshot(&self, id: OffsetAndEpoch, last_timestamp_ms: i64, records: Vec<VersionedRecord>) {
        // Stopped in the meantime: no snapshot is needed.
        let _ = self.commands.send(Command::WriteSnapshot { id, last_timestamp_ms, records }).await;
    }

    /// Who leads, as it changes. The same goes through the feed, in order with the batches.
    #[must_use]
    pub fn leadership(&self) -> watch::Receiver<Leadership> {
        self.leadership.clone()
    }

    /// Where the quorum stands.
    #[must_use]
    pub fn status(&self) -> QuorumStatus {
        self.status.borrow().clone()
    }

    /// Steps down if leader: the controller cannot go on. A quorum of one elects itself again after a while.
    pub async fn resign(&self) {
        // Stopped in the meantime: it leads no more.
        let _ = self.commands.send(Command::Resign).await;
    }

    /// Stops: what is written is flushed, waiting appends are refused.
    pub async fn stop(&self) {
        let (done, stopped) = oneshot::channel();
        if self.commands.send(Command::Stop { done }).await.is_ok() {
            // An error says that it ended by itself.
            let _ = stopped.await;
        }
    }

    /// Ends when the quorum has failed, with the reason; the process has to end then. Never after a stop.
    pub async fn failed(&self) -> Arc<str> {
        let mut failure = self.failure.clone();
        loop {
            if let Some(reason) = failure.borrow_and_update().clone() {
                return reason;
            }
            if failure.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}
