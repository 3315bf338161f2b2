//! One partition on one disk: a single writer behind which readers see a published view.

mod active;
mod append;
mod flush;
mod follow;
mod journalled;
mod recover;
mod replay;
mod retention;
mod roll;
mod truncate;

#[cfg(test)]
mod tests;

pub use append::{Append, Appended};
pub use flush::Writeback;
pub use follow::{FollowError, Followed};
pub use recover::{OpenError, Opening};
pub use retention::{DeletePlan, DeleteReason, SegmentFacts, plan as plan_retention};

use crate::config::LogConfig;
use crate::dir::LogDir;
use crate::dir::checkpoint;
use crate::dir::entries::Entries;
use crate::dir::meta::write_partition_metadata;
use crate::dir::names::{DirKind, LEADER_EPOCHS, PARTITION_METADATA, PartitionName};
use crate::epochs::Epochs;
use crate::home::Home;
use crate::producers::Producers;
use crate::view::View;
use active::Active;
use ottla_host::WallClock;
use ottla_wire::Uuid;
use ottla_wire::ids::{LeaderEpoch, Offset, ProducerEpoch, ProducerId};
use std::io;
use std::sync::Arc;

/// The writer of one partition. Synchronous, without a lock: its owner lets one caller in at a time.
#[derive(Debug)]
pub struct Log {
    view: Arc<View>,
    config: Arc<LogConfig>,
    topic_id: Option<Uuid>,
    /// None until there is a segment; its file may still not exist while it is empty.
    active: Option<Box<Active>>,
    producers: Producers,
    /// Offset of the newest producer snapshot on disk, or where replaying would begin without one.
    snapshot: i64,
    /// Whether there may be a producer snapshot on disk.
    has_snapshot: bool,
    /// Everything below is on the device. `≤ end`
    recovery_point: i64,
    /// When a sync last finished, or the log was opened.
    last_flush: WallClock,
    /// Whether leader epochs changed since their file was written.
    epochs_dirty: bool,
    /// Files made, renamed or replaced, and which of them a flush has put on the device.
    entries: Entries,
    /// Flushes that were handed out and not told to have succeeded.
    flushes: u32,
    /// Least offset that a truncation has changed while flushes were under way: they say nothing from there on.
    flush_limit: i64,
    /// The partition is gone. Its name may be that of another by now, which the journal must not take for it.
    is_removed: bool,
}

/// State of a producer, as DescribeProducers tells it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ProducerFacts {
    /// The producer.
    pub producer_id: ProducerId,
    /// Its epoch.
    pub epoch: ProducerEpoch,
    /// Sequence number of its last record, -1 for none.
    pub last_sequence: i32,
    /// Timestamp of its last batch or marker, ms since 1970.
    pub last_timestamp: i64,
    /// Coordinator epoch of its last marker, -1 for none.
    pub coordinator_epoch: i32,
    /// First offset of its open transaction.
    pub open_transaction: Option<Offset>,
}

impl Log {
    /// Makes the directory of a new partition and its `partition.metadata`; other files come with the first batch.
    pub fn create(
        dir: &Arc<LogDir>,
        name: &PartitionName,
        topic_id: Option<Uuid>,
        config: Arc<LogConfig>,
        now: WallClock,
    ) -> io::Result<Log> {
        let home = Home::new(Arc::clone(dir), name.clone(), &name.dir_name(DirKind::Current, ""));
        home.disk().create_dir_all(&home.path())?;
        let view = View::new(home, Vec::new(), Epochs::default(), 0, 0);
        let mut log = Log {
            view: Arc::new(view),
            config,
            topic_id: None,
            active: None,
            producers: Producers::default(),
            snapshot: 0,
            has_snapshot: false,
            recovery_point: 0,
            last_flush: now,
            epochs_dirty: false,
            entries: Entries::default(),
            flushes: 0,
            flush_limit: i64::MAX,
            is_removed: false,
        };
        log.entries.change();
        if let Some(topic_id) = topic_id {
            log.assign_topic_id(topic_id)?;
        }
        dir.note_opened(name);
        Ok(log)
    }

    /// The readers' side.
    #[must_use]
    pub fn view(&self) -> &Arc<View> {
        &self.view
    }

    /// Settings in force.
    #[must_use]
    pub fn config(&self) -> &Arc<LogConfig> {
        &self.config
    }

    /// Puts other settings in force, from the next append on.
    pub fn set_config(&mut self, config: Arc<LogConfig>) {
        self.config = config;
    }

    /// Topic id that `partition.metadata` says.
    #[must_use]
    pub fn topic_id(&self) -> Option<Uuid> {
        self.topic_id
    }

    /// Writes `partition.metadata` unless it says so already (KIP-516).
    pub fn assign_topic_id(&mut self, topic_id: Uuid) -> io::Result<()> {
        if self.topic_id == Some(topic_id) {
            return Ok(());
        }
        let path = self.home().path().join(PARTITION_METADATA);
        self.home().disk().replace(&path, write_partition_metadata(topic_id).as_bytes(), false)?;
        self.topic_id = Some(topic_id);
        self.entries.change();
        Ok(())
    }

    /// Everything below is on the device.
    #[must_use]
    pub fn recovery_point(&self) -> Offset {
        Offset(self.recovery_point)
    }

    /// Notes that a leader's term begins at the end of the log (KIP-101). Its file follows with the next flush or snapshot.
    pub fn assign_epoch(&mut self, epoch: LeaderEpoch) {
        let end = self.view.end();
        self.update_epochs(|epochs| epochs.assign(epoch, end));
    }

    /// Tells that everything below `high_watermark` is replicated, which may make transactions stable.
    pub fn watermark_moved(&mut self, high_watermark: Offset) {
        if self.producers.replicated(high_watermark.0) {
            self.view.set_unstable(self.producers.first_unstable());
        }
    }

    /// Producers that are remembered.
    pub fn producers(&self) -> impl ExactSizeIterator<Item = ProducerFacts> {
        self.producers.iter().map(|(id, producer)| ProducerFacts {
            producer_id: ProducerId(id),
            epoch: ProducerEpoch(producer.epoch),
            last_sequence: producer.last().map_or(-1, |batch| batch.last_sequence),
            last_timestamp: producer.timestamp,
            coordinator_epoch: producer.coordinator_epoch,
            open_transaction: producer.open_transaction.map(Offset),
        })
    }

    /// Forgets producers that are expired (`producer.id.expiration.ms`).
    pub fn expire_producers(&mut self, now: WallClock) {
        self.producers.expire(now.0, self.config.producer_expiration_ms);
    }

    /// Asserts what always holds.
    pub fn check(&self) {
        if !cfg!(debug_assertions) {
            return;
        }
        let (start, local_start, end) = (self.view.start(), self.view.local_start(), self.view.end());
        debug_assert!(start <= local_start || self.view.segment_count() == 0, "log start {start} ≤ {local_start}");
        debug_assert!(local_start <= end, "local start {local_start} ≤ end {end} in {}", self.view.name());
        debug_assert!(self.recovery_point <= end.0, "recovery point {} ≤ end {end}", self.recovery_point);
        if let Some(active) = &self.active {
            debug_assert!(active.segment.end() == end.0, "the active segment ends with the log");
            let segments = self.view.segments();
            debug_assert!(segments.last().is_some_and(|last| Arc::ptr_eq(last, &active.segment)), "active is last");
            debug_assert!(segments.windows(2).all(|pair| pair[0].end() <= pair[1].base()), "segments do not overlap");
        }
    }

    fn home(&self) -> &Home {
        self.view.home()
    }

    fn end(&self) -> i64 {
        self.view.end().0
    }

    fn update_epochs(&mut self, change: impl FnOnce(&mut Epochs) -> bool) {
        let mut epochs = Epochs::clone(&self.view.epochs());
        if change(&mut epochs) {
            self.view.set_epochs(epochs);
            self.epochs_dirty = true;
        }
    }

    /// Writes the file of leader epochs if they changed.
    fn write_epochs(&mut self) -> io::Result<()> {
        if !self.epochs_dirty {
            return Ok(());
        }
        let path = self.home().path().join(LEADER_EPOCHS);
        let text = checkpoint::write_epochs(self.view.epochs().entries());
        self.home().disk().replace(&path, text.as_bytes(), false)?;
        self.epochs_dirty = false;
        self.entries.change();
        Ok(())
    }
}
