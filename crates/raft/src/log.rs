//! The metadata log as raft needs it: whole batches in, whole batches out, flushed before it counts.

use crate::state::ids::OffsetAndEpoch;
use ottla_host::{BoxFuture, WallClock};
use ottla_wire::batch::Batches;
use ottla_wire::ids::{LeaderEpoch, Offset};

/// Why the metadata log does not go on. Every kind ends the process.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum LogError {
    /// Nothing was written; with room it would be.
    #[error("the disk is full")]
    DiskFull,
    /// The log directory failed.
    #[error("{0}")]
    Failed(String),
}

/// The log of partition `__cluster_metadata-0`.
pub trait MetadataLog: Send {
    /// First offset kept.
    fn start(&self) -> Offset;

    /// Offset of the next record.
    fn end(&self) -> Offset;

    /// Each epoch with its first offset.
    fn epochs(&self) -> Vec<(LeaderEpoch, Offset)>;

    /// Bytes on disk.
    fn size(&self) -> u64;

    /// Records from here on are of `epoch`.
    fn begin_epoch(&mut self, epoch: LeaderEpoch);

    /// Appends batches built for consecutive offsets from [`MetadataLog::end`] on, as one write; all of them or none.
    /// Answers the new end.
    fn append(&mut self, epoch: LeaderEpoch, now: WallClock, batches: &[Vec<u8>]) -> Result<Offset, LogError>;

    /// Whole batches from the one that holds `from` on, at least one, about `max_bytes`; empty at the end.
    fn read(&self, from: Offset, max_bytes: u32) -> Result<Vec<u8>, LogError>;

    /// Puts all that is written on the device; answers up to where. [`MetadataLog::flushed`] is told then.
    fn flush(&mut self) -> BoxFuture<'static, Result<Offset, LogError>>;

    /// Everything below `through` is on the device.
    fn flushed(&mut self, through: Offset);

    /// Drops whole segments before `start`; answers the new first offset.
    fn clean_to(&mut self, start: Offset) -> Result<Offset, LogError>;

    /// Empties the log, which goes on behind a snapshot.
    fn restart_at(&mut self, snapshot: OffsetAndEpoch) -> Result<(), LogError>;

    /// Puts everything on the device and closes. Blocks.
    fn close(&mut self) -> Result<(), LogError>;
}

/// The part of `bytes` that begins with the batch that holds `from`.
pub(crate) fn from_batch_of(bytes: &[u8], from: Offset) -> &[u8] {
    let mut batches = Batches::new(bytes);
    loop {
        let rest = batches.rest();
        match batches.next() {
            Some(Ok((header, _))) if header.last_offset() < from => {}
            Some(_) | None => return rest,
        }
    }
}
