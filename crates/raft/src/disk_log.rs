//! The metadata log on disk, in Kafka's segments.

use crate::log::{LogError, MetadataLog};
use crate::state::ids::OffsetAndEpoch;
use ottla_host::disk::read_exact_at;
use ottla_host::{BoxFuture, WallClock};
use ottla_log::dir::names::DirKind;
use ottla_log::log::{OpenError, Opening, plan_retention};
use ottla_log::{Append, Appended, Doomed, Flush, Log, LogConfig, LogDir, Origin, PartitionName, Refusal};
use ottla_wire::batch::ValidBatch;
use ottla_wire::ids::{LeaderEpoch, Offset, PartitionIndex, Uuid};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

/// Topic of the metadata log.
pub const METADATA_TOPIC: &str = "__cluster_metadata";

/// Largest batch of the metadata log, as Kafka configures its topic.
const MESSAGE_BYTES_MAX: u32 = 8 * 1024 * 1024;

/// `__cluster_metadata-0` of a log directory.
pub struct DiskLog {
    dir: Arc<LogDir>,
    log: Log,
    /// Segments and epoch when the small files and the directory were last synced: only a change needs it again.
    settled: Option<(usize, Option<LeaderEpoch>)>,
    /// Removed segments whose files go a while later.
    doomed: Vec<Doomed>,
}

/// `metadata.log.segment.bytes` and `metadata.log.segment.ms`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SegmentLimits {
    /// Bytes of a segment, 1 GiB by default.
    pub bytes: u32,
    /// Age of a segment in ms, 7 days by default.
    pub ms: i64,
}

impl Default for SegmentLimits {
    fn default() -> SegmentLimits {
        SegmentLimits { bytes: 1 << 30, ms: 7 * 24 * 3_600_000 }
    }
}

/// Directory of the metadata log with its snapshots and `quorum-state` inside a log directory.
#[must_use]
pub fn metadata_dir(dir: &LogDir) -> PathBuf {
    dir.path().join(name().dir_name(DirKind::Current, ""))
}

fn name() -> PartitionName {
    PartitionName::new(METADATA_TOPIC, PartitionIndex(0))
}

impl DiskLog {
    /// Opens the log, made if it does not exist. What the device may not have is checked first. Blocks.
    pub fn open(dir: &Arc<LogDir>, limits: SegmentLimits) -> Result<DiskLog, OpenError> {
        let config = Arc::new(LogConfig {
            segment_bytes: limits.bytes,
            segment_ms: limits.ms,
            message_bytes_max: MESSAGE_BYTES_MAX,
            // Segments go only when a snapshot contains them.
            delete: false,
            retention_ms: -1,
            retention_bytes: -1,
            ..LogConfig::default()
        });
        let partition = name();
        let now = dir.host().clock.wall();
        let failed = |error| OpenError::Io { partition: name(), error };
        let path = metadata_dir(dir);
        dir.host().disk.create_dir_all(&path).map_err(failed)?;
        let opening = Opening { log_start: Offset(0), ..Opening::of(dir, &partition) };
        let dir_name = partition.dir_name(DirKind::Current, "");
        let mut log = Log::open(dir, (&partition, &dir_name), opening, config, now)?;
        if log.topic_id().is_none() {
            log.assign_topic_id(Uuid::METADATA_TOPIC).map_err(failed)?;
        }
        Ok(DiskLog { dir: Arc::clone(dir), log, settled: None, doomed: Vec::new() })
    }

    fn now(&self) -> WallClock {
        self.dir.host().clock.wall()
    }

    fn shape(&self) -> (usize, Option<LeaderEpoch>) {
        (self.log.view().segment_count(), self.log.view().latest_epoch())
    }

    /// Takes back what of a group was written when not all of it was.
    fn take_back(&mut self, end: Offset, refusal: Refusal, now: WallClock) -> LogError {
        if let Err(error) = self.log.truncate_to(end, now) {
            return LogError::Failed(format!("{refusal}, and what was written cannot be taken back: {error}"));
        }
        match refusal {
            Refusal::DiskFull => LogError::DiskFull,
            other => LogError::Failed(other.to_string()),
        }
    }

    fn remove_doomed(&mut self, now: WallClock) -> Result<(), LogError> {
        for doomed in self.doomed.extract_if(.., |doomed| doomed.due <= now) {
            doomed.remove(&*self.dir.host().disk).map_err(|error| failed("remove old segments", &error))?;
        }
        Ok(())
    }
}

fn failed(what: &str, error: &io::Error) -> LogError {
    LogError::Failed(format!("{what}: {error}"))
}

impl MetadataLog for DiskLog {
    fn start(&self) -> Offset {
        self.log.view().start()
    }

    fn end(&self) -> Offset {
        self.log.view().end()
    }

    fn epochs(&self) -> Vec<(LeaderEpoch, Offset)> {
        self.log.view().epochs().entries().iter().map(|entry| (entry.epoch, entry.start)).collect()
    }

    fn size(&self) -> u64 {
        self.log.view().size()
    }

    fn begin_epoch(&mut self, epoch: LeaderEpoch) {
        self.log.assign_epoch(epoch);
    }

    fn append(&mut self, epoch: LeaderEpoch, now: WallClock, batches: &[Vec<u8>]) -> Result<Offset, LogError> {
        let before = self.end();
        let mut appends = Vec::with_capacity(batches.len());
        for batch in batches {
            let batch = ValidBatch::trusted(batch).map_err(|error| LogError::Failed(error.to_string()))?;
            appends.push(Append { batch, origin: Origin::Replication });
        }
        let mut outcomes = Vec::with_capacity(batches.len());
        self.log.append(epoch, now, &appends, &mut outcomes);
        for outcome in outcomes {
            match outcome {
                Appended::Written { .. } => {}
                Appended::Duplicate { .. } => return Err(self.take_back(before, Refusal::OffsetOutOfOrder, now)),
                Appended::Refused(refusal) => return Err(self.take_back(before, refusal, now)),
            }
        }
        Ok(self.end())
    }

    fn read(&self, from: Offset, max_bytes: u32) -> Result<Vec<u8>, LogError> {
        let slice = self.log.view().read(from, self.end(), max_bytes, true);
        let slice = slice.map_err(|error| LogError::Failed(error.to_string()))?;
        let mut bytes = vec![0; slice.length as usize];
        if let Some(file) = &slice.file {
            read_exact_at(&**file, &mut bytes, slice.position).map_err(|error| failed("read", &error))?;
        }
        Ok(bytes)
    }

    fn flush(&mut self) -> BoxFuture<'static, Result<Offset, LogError>> {
        let end = self.end();
        let flush = match self.log.flush(true) {
            Ok(flush) => flush,
            Err(error) => return Box::pin(async move { Err(failed("flush", &error)) }),
        };
        let Some(mut flush) = flush else { return Box::pin(async move { Ok(end) }) };
        let shape = self.shape();
        if self.settled == Some(shape) {
            // Only the active segment has changed; its file comes first.
            flush.files.truncate(1);
            flush.dirs.clear();
        }
        self.settled = Some(shape);
        let dir = Arc::clone(&self.dir);
        Box::pin(async move {
            let through = flush.through;
            let mut flushes: [Flush; 1] = [flush];
            dir.sync(&mut flushes).await.map_err(|error| LogError::Failed(error.to_string()))?;
            Ok(through)
        })
    }

    fn flushed(&mut self, through: Offset) {
        let now = self.now();
        self.log.flushed(through, now);
        self.log.watermark_moved(through);
        if let Err(error) = self.remove_doomed(now) {
            tracing::warn!(%error, "old segments of the metadata log not removed");
        }
    }

    fn clean_to(&mut self, start: Offset) -> Result<Offset, LogError> {
        let now = self.now();
        self.log.raise_start(start);
        let facts = self.log.segment_facts().map_err(|error| failed("look at segments", &error))?;
        let plan = plan_retention(&facts, self.log.config(), self.start(), start, now);
        let doomed = self.log.apply_retention(&plan, now).map_err(|error| failed("drop segments", &error))?;
        if !doomed.is_empty() {
            self.doomed.push(doomed);
        }
        Ok(self.start())
    }

    fn restart_at(&mut self, snapshot: OffsetAndEpoch) -> Result<(), LogError> {
        let now = self.now();
        self.settled = None;
        self.log.truncate_fully(snapshot.offset, now).map_err(|error| failed("empty the log", &error))
    }

    fn close(&mut self) -> Result<(), LogError> {
        let flush = self.log.close().map_err(|error| failed("close", &error))?;
        if let Some(flush) = flush {
            self.dir.sync_now(&flush).map_err(|error| LogError::Failed(error.to_string()))?;
            let now = self.now();
            self.log.flushed(flush.through, now);
        }
        self.log.release_files();
        Ok(())
    }
}
