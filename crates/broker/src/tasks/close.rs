//! The end: logs are closed, checkpoints written, directories marked clean.

use super::checkpoints::{self, LOG_STARTS, RECOVERY_POINTS, WATERMARKS};
use super::facts::{InDir, by_dir};
use super::{SYNC_GROUP, sync_flushes};
use crate::cx::on_lane;
use crate::storage::Storage;
use ottla_host::Host;
use ottla_log::LogDir;
use ottla_log::dir::boot::LastEnd;
use ottla_replica::Partition;
use std::sync::Arc;
use std::time::Duration;

/// Longest time that a stop waits for the logs that are being opened.
const LAST_OPENED_MAX: Duration = Duration::from_secs(5);
/// Longest time for the logs of a directory whose logs were not all opened: its device may be what does not answer.
const CLOSE_MAX: Duration = Duration::from_secs(5);

/// Closes every log, writes the checkpoints and marks the directories clean. A stop while logs are being opened ends within
/// its bounds and marks none, as Kafka does: the next start takes it for a kill.
pub(crate) async fn close(storage: &Arc<Storage>, broker_epoch: i64) {
    let host = storage.host().clone();
    let after = |time| host.clock.monotonic() + time;
    let has_ended = storage.opening_ended(after(LAST_OPENED_MAX)).await;
    // Asked before the partitions are looked up: what is opened later is not closed.
    let is_open = storage.is_open();
    for of_dir in by_dir(storage) {
        if is_open {
            close_dir(&host, &of_dir).await;
            mark_clean(&of_dir, broker_epoch);
            continue;
        }
        tokio::select! {
            biased;
            () = close_dir(&host, &of_dir) => {}
            () = host.tasks.sleep_until(after(CLOSE_MAX)) => {}
        }
        tracing::warn!(dir = %of_dir.dir.path().display(), "not all logs were opened: the directory is not marked clean");
    }
    if has_ended {
        storage.dirs().iter().for_each(|dir| dir.release());
    }
}

async fn close_dir(host: &Host, of_dir: &InDir) {
    let InDir { dir, partitions, .. } = of_dir;
    let (together, apart): (Vec<_>, Vec<_>) =
        partitions.iter().cloned().partition(|partition| dir.syncs_together(&partition.view().path()));
    let (together, apart) = match together.len() {
        0..SYNC_GROUP => (Vec::new(), [together, apart].concat()),
        _ => (together, apart),
    };
    for group in apart.chunks(SYNC_GROUP) {
        close_group(host, dir, group).await;
    }
    close_together(host, dir, together).await;
    for checkpoint in [&WATERMARKS, &RECOVERY_POINTS, &LOG_STARTS] {
        checkpoints::write(host, of_dir, checkpoint).await;
    }
}

/// Marks a directory clean, unless a log in it has not been checked since an end that was not.
fn mark_clean(of_dir: &InDir, broker_epoch: i64) {
    let InDir { dir, unopened, .. } = of_dir;
    if !unopened.is_empty() && dir.last_end() != LastEnd::Clean {
        tracing::warn!(dir = %dir.path().display(), "not marked clean: a log that cannot be opened was not checked");
        return;
    }
    if let Err(error) = dir.mark_clean(broker_epoch) {
        tracing::error!(dir = %dir.path().display(), %error, "cannot mark the log directory clean");
    }
}

/// Closes logs and syncs their file system with one call: a call for each file takes the device one flush each.
async fn close_together(host: &Host, dir: &Arc<LogDir>, partitions: Vec<Arc<Partition>>) {
    let (own, clock) = (dir.clone(), host.clock.clone());
    let work = move || {
        let mut closed = Vec::new();
        for partition in &partitions {
            match partition.on_thread(|log| log.close_unsynced()) {
                Ok(Some(through)) => closed.push((partition, through)),
                Ok(None) => {}
                Err(error) => own.fail("close a log", &error),
            }
        }
        if !closed.is_empty() && own.sync_together().is_ok() {
            let now = clock.wall();
            closed.iter().for_each(|(partition, through)| partition.on_thread(|log| log.flushed(*through, now)));
        }
    };
    on_lane(host, dir.lane(), work).await;
}

async fn close_group(host: &Host, dir: &Arc<LogDir>, group: &[Arc<Partition>]) {
    let (own, partitions) = (dir.clone(), group.to_vec());
    let work = move || {
        let mut flushes = Vec::new();
        for partition in partitions {
            match partition.on_thread(|log| log.close()) {
                Ok(Some(flush)) => flushes.push((partition, flush)),
                Ok(None) => {}
                Err(error) => own.fail("close a log", &error),
            }
        }
        flushes
    };
    let flushes = on_lane(host, dir.lane(), work).await;
    sync_flushes(host, dir, flushes).await;
}
