//! What runs beside the requests: one row a task, each a plan over a snapshot of facts and one effect that may be repeated.

mod checkpoints;
mod close;
mod facts;

pub(crate) use close::close;

use crate::cx::on_lane;
use crate::storage::Storage;
use checkpoints::{LOG_STARTS, RECOVERY_POINTS, WATERMARKS};
use facts::{InDir, by_dir};
use ottla_host::Host;
use ottla_host::tasks::TaskHandle;
use ottla_log::log::plan_retention;
use ottla_log::{Flush, LogDir};
use ottla_metadata::BrokerConfig;
use ottla_replica::Partition;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// Partitions whose files are synced together.
const SYNC_GROUP: usize = 64;

/// A task of the table.
struct Row {
    name: &'static str,
    /// Time between the end of a run and the next; None when the settings turn it off.
    interval: fn(&BrokerConfig) -> Option<Duration>,
    run: fn(Arc<Storage>) -> ottla_host::BoxFuture<'static, ()>,
}

static TABLE: &[Row] = &[
    Row {
        name: "log retention",
        interval: |config| millis(config.tasks.retention_check_ms),
        run: |storage| Box::pin(async move { delete_old_segments(&storage).await }),
    },
    Row {
        name: "log flusher",
        interval: |config| millis(config.tasks.flush_scheduler_ms.min(1_000)),
        run: |storage| Box::pin(async move { flush_due(&storage).await }),
    },
    Row {
        name: "idle files",
        interval: |_| millis(2_000),
        run: |storage| Box::pin(async move { storage.registry().each(|_, partition| partition.release_if_idle()) }),
    },
    Row {
        name: "file deletion",
        interval: |_| millis(1_000),
        run: |storage| Box::pin(async move { remove_doomed(&storage).await }),
    },
    Row {
        name: "high watermark checkpoint",
        interval: |config| millis(config.tasks.high_watermark_checkpoint_ms),
        run: |storage| Box::pin(async move { checkpoints::write_all(&storage, &WATERMARKS).await }),
    },
    Row {
        name: "recovery point checkpoint",
        interval: |config| millis(config.tasks.recovery_point_checkpoint_ms),
        run: |storage| Box::pin(async move { checkpoints::write_all(&storage, &RECOVERY_POINTS).await }),
    },
    Row {
        name: "log start checkpoint",
        interval: |config| millis(config.tasks.log_start_checkpoint_ms),
        run: |storage| Box::pin(async move { checkpoints::write_all(&storage, &LOG_STARTS).await }),
    },
    Row {
        name: "producer expiry",
        interval: |config| millis(config.tasks.producer_expiration_check_ms),
        run: |storage| Box::pin(async move { expire_producers(&storage).await }),
    },
];

fn millis(millis: u64) -> Option<Duration> {
    (millis < i64::MAX as u64).then(|| Duration::from_millis(millis.max(1)))
}

/// Starts every task of the table. Each begins when all partitions are open and runs until it is aborted.
pub(crate) fn start(host: &Host, config: &BrokerConfig, storage: &Arc<Storage>) -> Vec<Arc<dyn TaskHandle>> {
    let rows = TABLE.iter().filter_map(|row| Some((row, (row.interval)(config)?)));
    rows.map(|(row, interval)| {
        host.tasks.spawn(row.name, Box::pin(repeat(host.clone(), storage.clone(), row, interval)))
    })
    .collect()
}

async fn repeat(host: Host, storage: Arc<Storage>, row: &'static Row, interval: Duration) {
    while storage.until_open().await.is_ok() {
        host.tasks.sleep_until(host.clock.monotonic() + interval).await;
        (row.run)(storage.clone()).await;
    }
}

async fn delete_old_segments(storage: &Arc<Storage>) {
    let host = storage.host().clone();
    for InDir { dir, partitions, .. } in by_dir(storage) {
        let (storage, clock) = (storage.clone(), host.clock.clone());
        let work = move || {
            for partition in partitions.iter().filter(|partition| partition.view().segment_count() > 0) {
                let watermark = partition.watermark();
                let deleted = partition.on_thread(|log| -> io::Result<_> {
                    let now = clock.wall();
                    let plan = plan_retention(&log.segment_facts()?, log.config(), log.view().start(), watermark, now);
                    log.apply_retention(&plan, now)
                });
                match deleted {
                    Ok(doomed) => storage.doom(partition.view().log_dir(), doomed),
                    Err(error) => partition.view().log_dir().fail_unless_full("delete old segments", &error),
                }
            }
        };
        on_lane(&host, dir.lane(), work).await;
    }
}

async fn remove_doomed(storage: &Storage) {
    let host = storage.host().clone();
    for (dir, doomed) in storage.take_due() {
        let disk = host.disk.clone();
        let lane = dir.lane().to_owned();
        let work = move || {
            if let Err(error) = doomed.remove(&*disk) {
                dir.fail("remove deleted files", &error);
            }
        };
        on_lane(&host, &lane, work).await;
    }
}

/// Syncs what `flush.messages`, `flush.ms` and closed segments ask for.
async fn flush_due(storage: &Storage) {
    let host = storage.host();
    for InDir { dir, partitions, .. } in by_dir(storage) {
        let now = host.clock.wall();
        let mut due = Vec::new();
        for partition in partitions {
            let is_due = partition.when_free(|log| log.flush_due(now).then(|| log.active_flush_due(now))).await;
            due.extend(is_due.map(|active| (partition, active)));
        }
        for group in due.chunks(SYNC_GROUP) {
            sync(host, &dir, group).await;
        }
    }
}

/// Syncs partitions of a directory, including their active segments where the flag says so.
async fn sync(host: &Host, dir: &Arc<LogDir>, group: &[(Arc<Partition>, bool)]) {
    let (own, group) = (dir.clone(), group.to_vec());
    // It opens and writes small files, which a worker must not wait for.
    let prepare = move || {
        let mut flushes = Vec::with_capacity(group.len());
        for (partition, active) in group {
            match partition.on_thread(|log| log.flush(active)) {
                Ok(Some(flush)) => flushes.push((partition, flush)),
                Ok(None) => {}
                Err(error) => own.fail_unless_full("prepare a sync", &error),
            }
        }
        flushes
    };
    let flushes = on_lane(host, dir.lane(), prepare).await;
    sync_flushes(host, dir, flushes).await;
}

/// Syncs what logs have given out, and tells them.
async fn sync_flushes(host: &Host, dir: &Arc<LogDir>, flushes: Vec<(Arc<Partition>, Flush)>) {
    let (partitions, mut flushes): (Vec<_>, Vec<_>) = flushes.into_iter().unzip();
    let through: Vec<_> = flushes.iter().map(|flush| flush.through).collect();
    if dir.sync(&mut flushes).await.is_ok() {
        let now = host.clock.wall();
        for (partition, through) in partitions.into_iter().zip(through) {
            partition.when_free(|log| log.flushed(through, now)).await;
        }
    }
}

async fn expire_producers(storage: &Storage) {
    let now = storage.host().clock.wall();
    for InDir { partitions, .. } in by_dir(storage) {
        for partition in partitions {
            partition.when_free(|log| log.expire_producers(now)).await;
        }
    }
}
