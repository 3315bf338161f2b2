//! What runs beside the requests: one row a task, each a plan over a snapshot of facts and one effect that may be repeated.

use crate::cx::on_lane;
use crate::storage::Storage;
use ottla_host::Host;
use ottla_host::tasks::TaskHandle;
use ottla_log::dir::checkpoint::{HIGH_WATERMARK, LOG_START, RECOVERY_POINT};
use ottla_log::log::plan_retention;
use ottla_log::{Flush, LogDir, PartitionName};
use ottla_metadata::BrokerConfig;
use ottla_replica::Partition;
use ottla_wire::ids::Offset;
use std::collections::BTreeMap;
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
        run: |storage| Box::pin(async move { checkpoint(&storage, HIGH_WATERMARK, Partition::watermark).await }),
    },
    Row {
        name: "recovery point checkpoint",
        interval: |config| millis(config.tasks.recovery_point_checkpoint_ms),
        run: |storage| Box::pin(async move { checkpoint_recovery_points(&storage).await }),
    },
    Row {
        name: "log start checkpoint",
        interval: |config| millis(config.tasks.log_start_checkpoint_ms),
        run: |storage| Box::pin(async move { checkpoint_log_starts(&storage).await }),
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

/// Starts every task of the table; they run until they are aborted.
pub(crate) fn start(host: &Host, config: &BrokerConfig, storage: &Arc<Storage>) -> Vec<Arc<dyn TaskHandle>> {
    let rows = TABLE.iter().filter_map(|row| Some((row, (row.interval)(config)?)));
    rows.map(|(row, interval)| {
        host.tasks.spawn(row.name, Box::pin(repeat(host.clone(), storage.clone(), row, interval)))
    })
    .collect()
}

async fn repeat(host: Host, storage: Arc<Storage>, row: &'static Row, interval: Duration) {
    loop {
        host.tasks.sleep_until(host.clock.monotonic() + interval).await;
        (row.run)(storage.clone()).await;
    }
}

/// Partitions with something in their logs, by directory.
fn by_dir(storage: &Storage) -> Vec<(Arc<LogDir>, Vec<Arc<Partition>>)> {
    let mut dirs: Vec<(Arc<LogDir>, Vec<Arc<Partition>>)> =
        storage.dirs().into_iter().map(|dir| (dir, Vec::new())).collect();
    storage.registry().each(|_, partition| {
        let own = partition.view().log_dir();
        if let Some((_, partitions)) = dirs.iter_mut().find(|(dir, _)| Arc::ptr_eq(dir, own)) {
            partitions.push(partition.clone());
        }
    });
    dirs.retain(|(dir, _)| !dir.is_offline());
    dirs
}

async fn delete_old_segments(storage: &Arc<Storage>) {
    let host = storage.host().clone();
    for (dir, partitions) in by_dir(storage) {
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
                    Err(error) => partition.view().log_dir().fail("delete old segments", &error),
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
    for (dir, partitions) in by_dir(storage) {
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
                Err(error) => own.fail("prepare a sync", &error),
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

async fn checkpoint(storage: &Storage, file: &'static str, offset: fn(&Partition) -> Offset) {
    for (dir, partitions) in by_dir(storage) {
        let offsets = partitions.iter().map(|partition| (partition.view().name().clone(), offset(partition)));
        write_checkpoint(storage.host(), &dir, file, offsets.collect()).await;
    }
}

async fn checkpoint_log_starts(storage: &Storage) {
    for (dir, partitions) in by_dir(storage) {
        let raised = partitions.iter().filter(|partition| partition.view().start() > Offset(0));
        let offsets = raised.map(|partition| (partition.view().name().clone(), partition.view().start())).collect();
        write_checkpoint(storage.host(), &dir, LOG_START, offsets).await;
    }
}

async fn checkpoint_recovery_points(storage: &Storage) {
    for (dir, partitions) in by_dir(storage) {
        let mut offsets = BTreeMap::new();
        for partition in partitions {
            let point = partition.when_free(|log| log.recovery_point()).await;
            offsets.insert(partition.view().name().clone(), point);
        }
        write_checkpoint(storage.host(), &dir, RECOVERY_POINT, offsets).await;
    }
}

async fn write_checkpoint(
    host: &Host,
    dir: &Arc<LogDir>,
    file: &'static str,
    offsets: BTreeMap<PartitionName, Offset>,
) {
    let own = dir.clone();
    let written = on_lane(host, dir.lane(), move || own.write_checkpoint(file, &offsets)).await;
    if let Err(error) = written {
        dir.fail("write a checkpoint", &error);
    }
}

async fn expire_producers(storage: &Storage) {
    let now = storage.host().clock.wall();
    for (_, partitions) in by_dir(storage) {
        for partition in partitions {
            partition.when_free(|log| log.expire_producers(now)).await;
        }
    }
}

/// Closes every log, writes the checkpoints and marks the directories clean.
pub(crate) async fn close(storage: &Arc<Storage>, broker_epoch: i64) {
    let host = storage.host().clone();
    for (dir, partitions) in by_dir(storage) {
        let (together, apart): (Vec<_>, Vec<_>) =
            partitions.into_iter().partition(|partition| dir.syncs_together(&partition.view().path()));
        let (together, apart) = match together.len() {
            0..SYNC_GROUP => (Vec::new(), [together, apart].concat()),
            _ => (together, apart),
        };
        for group in apart.chunks(SYNC_GROUP) {
            close_group(&host, &dir, group).await;
        }
        close_together(&host, &dir, together).await;
    }
    checkpoint(storage, HIGH_WATERMARK, Partition::watermark).await;
    checkpoint_recovery_points(storage).await;
    checkpoint_log_starts(storage).await;
    for dir in storage.dirs() {
        if let Err(error) = dir.mark_clean(broker_epoch) {
            tracing::error!(dir = %dir.path().display(), %error, "cannot mark the log directory clean");
        }
        dir.release();
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
