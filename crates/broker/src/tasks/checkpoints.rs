//! The checkpoints of a log directory: every partition has its entry, whether or not its log is open.
//!
//! A checkpoint is written as a whole. Of a log that is not open (still being opened, or broken) the offset that the
//! file had at the start is kept: without it the next start would give back deleted records, or forget what was committed.

use super::facts::{InDir, by_dir};
use crate::cx::on_lane;
use crate::storage::Storage;
use ottla_host::{BoxFuture, Host};
use ottla_log::dir::checkpoint::{HIGH_WATERMARK, LOG_START, Offsets, RECOVERY_POINT};
use ottla_log::{LogDir, PartitionName};
use ottla_replica::Partition;
use ottla_wire::ids::Offset;

/// A kind of checkpoint.
pub(super) struct Checkpoint {
    file: &'static str,
    /// What the file said at the start.
    at_start: fn(&LogDir, &PartitionName) -> Option<Offset>,
    /// What it is to say of an open log; None for no entry.
    now: fn(&Partition) -> BoxFuture<'_, Option<Offset>>,
}

pub(super) static WATERMARKS: Checkpoint = Checkpoint {
    file: HIGH_WATERMARK,
    at_start: LogDir::high_watermark,
    now: |partition| Box::pin(async { Some(partition.watermark()) }),
};

pub(super) static RECOVERY_POINTS: Checkpoint = Checkpoint {
    file: RECOVERY_POINT,
    at_start: LogDir::recovery_point,
    now: |partition| Box::pin(async { Some(partition.when_free(|log| log.recovery_point()).await) }),
};

pub(super) static LOG_STARTS: Checkpoint = Checkpoint {
    file: LOG_START,
    at_start: LogDir::log_start,
    now: |partition| Box::pin(async { Some(partition.view().start()).filter(|start| *start > Offset(0)) }),
};

/// Writes a checkpoint in every log directory.
pub(super) async fn write_all(storage: &Storage, checkpoint: &'static Checkpoint) {
    for of_dir in by_dir(storage) {
        write(storage.host(), &of_dir, checkpoint).await;
    }
}

/// Writes the checkpoint of one log directory.
pub(super) async fn write(host: &Host, of_dir: &InDir, checkpoint: &'static Checkpoint) {
    let InDir { dir, partitions, unopened } = of_dir;
    let kept = unopened.iter().filter_map(|name| Some((name.clone(), (checkpoint.at_start)(dir, name)?)));
    let mut offsets: Offsets = kept.collect();
    for partition in partitions {
        let name = partition.view().name();
        match (checkpoint.now)(partition).await {
            Some(offset) => drop(offsets.insert(name.clone(), offset)),
            None => drop(offsets.remove(name)),
        }
    }
    let own = dir.clone();
    let written = on_lane(host, dir.lane(), move || own.write_checkpoint(checkpoint.file, &offsets)).await;
    if let Err(error) = written {
        dir.fail_unless_full("write a checkpoint", &error);
    }
}
