//! All that a handler may touch.

pub(crate) mod groups;
mod internal;
pub(crate) mod rights;
pub(crate) mod sessions;

use crate::coordinators::Coordinators;
use crate::partitions::Registry;
pub(crate) use crate::partitions::{Hosted, count};
use crate::quorum::Control;
use arc_swap::{ArcSwap, Guard};
use ottla_host::disk::read_exact_at;
use ottla_host::{BoxFuture, File, Host, Monotonic, WallClock};
use ottla_log::LogDir;
pub(crate) use ottla_log::{Origin, ReadError, Refusal, Slice, TimestampOffset};
use ottla_metadata::{BrokerConfig, Image};
pub(crate) use ottla_replica::{
    AppendError, Bell, FetchError, Partition, Promise, Reading, Ticket, Unavailable, Upto, Written,
};
use ottla_wire::Uuid;
use ottla_wire::ids::{BrokerId, LeaderEpoch, PartitionIndex};
use parking_lot::Mutex;
use rights::{Authorizer, Caller, Operation, Resource};
use sessions::Sessions;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// A log of so few bytes is taken to be in memory.
const WARM_BYTES: u64 = 32 << 20;

/// Why a written batch was not committed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Uncommitted {
    /// The partition does not serve any more.
    Unavailable(Unavailable),
    /// The time was over.
    TimedOut,
}

/// The broker as handlers see it.
pub(crate) struct Cx {
    host: Host,
    config: Arc<BrokerConfig>,
    image: Arc<ArcSwap<Image>>,
    control: Arc<Control>,
    registry: Arc<Registry>,
    coordinators: Arc<Coordinators>,
    sessions: Sessions,
    authorizer: Option<Arc<dyn Authorizer>>,
    stopping: AtomicBool,
}

impl Cx {
    pub(crate) fn new(host: Host, config: Arc<BrokerConfig>, authorizer: Option<Arc<dyn Authorizer>>) -> Cx {
        let registry = Arc::new(Registry::new());
        Cx {
            control: Arc::new(Control::new(host.clone(), &config)),
            coordinators: Arc::new(Coordinators::new(host.clone(), &config, registry.clone())),
            host,
            sessions: Sessions::new(config.network.fetch_sessions_max),
            config,
            image: Arc::default(),
            registry,
            authorizer,
            stopping: AtomicBool::new(false),
        }
    }

    /// Whether `caller` may do `operation` on `resource`; all may where no authorizer is configured.
    pub(crate) fn allows(&self, caller: &impl Caller, operation: Operation, resource: Resource<'_>) -> bool {
        match &self.authorizer {
            None => true,
            Some(authorizer) => authorizer.allows(caller.principal(), caller.ip(), operation, resource),
        }
    }

    /// Whether `caller` may write to any topic that there is.
    pub(crate) fn may_write_some_topic(&self, caller: &impl Caller) -> bool {
        let may = |topic: &str| self.allows(caller, Operation::Write, Resource::Topic(topic));
        self.authorizer.is_none() || self.image().topics().any(|topic| may(&topic.name))
    }

    /// The cluster as last committed.
    pub(crate) fn image(&self) -> Guard<Arc<Image>> {
        self.image.load()
    }

    /// Where newer images are published.
    pub(crate) fn image_cell(&self) -> &Arc<ArcSwap<Image>> {
        &self.image
    }

    /// The way to the controller.
    pub(crate) fn control(&self) -> &Arc<Control> {
        &self.control
    }

    /// The configuration.
    pub(crate) fn config(&self) -> &Arc<BrokerConfig> {
        &self.config
    }

    /// The partitions of this broker.
    pub(crate) fn registry(&self) -> &Arc<Registry> {
        &self.registry
    }

    /// The coordinators of this broker.
    pub(crate) fn coordinators(&self) -> &Arc<Coordinators> {
        &self.coordinators
    }

    /// A topic of which this broker has partitions.
    pub(crate) fn topic(&self, name: &str) -> Option<Arc<Hosted>> {
        self.registry.by_name(name)
    }

    /// A topic of which this broker has partitions.
    pub(crate) fn topic_by_id(&self, id: Uuid) -> Option<Arc<Hosted>> {
        self.registry.by_id(id)
    }

    /// Who leads a partition, as the image has it.
    pub(crate) fn leader_of(&self, name: &str, id: Uuid, index: i32) -> Option<(BrokerId, LeaderEpoch)> {
        let image = self.image();
        let topic = if id.is_zero() { image.topic(name) } else { image.topic_by_id(&id) }?;
        let partition = topic.partitions.get(&PartitionIndex(index))?;
        Some((partition.leader, partition.leader_epoch))
    }

    /// Now, for records.
    pub(crate) fn wall(&self) -> WallClock {
        self.host.clock.wall()
    }

    /// Now, for deadlines.
    pub(crate) fn monotonic(&self) -> Monotonic {
        self.host.clock.monotonic()
    }

    /// Ends at `deadline`.
    pub(crate) fn sleep_until(&self, deadline: Monotonic) -> BoxFuture<'static, ()> {
        self.host.tasks.sleep_until(deadline)
    }

    /// Whether waiting requests shall be answered with what there is.
    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    /// Answers waiting requests with what there is.
    pub(crate) fn begin_stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        self.registry.each(|_, partition| partition.ring());
    }

    /// Fetch sessions.
    pub(crate) fn sessions(&self) -> &Sessions {
        &self.sessions
    }

    /// A number for a new fetch session.
    pub(crate) fn fresh_session_id(&self) -> i32 {
        let id = self.host.chance.below("fetch session", i32::MAX as u64 - 1);
        i32::try_from(id + 1).unwrap_or(1)
    }

    /// A UUID of chance as Java prints it, for the ids of members.
    pub(crate) fn fresh_uuid_text(&self) -> String {
        let mut bytes = [0; 16];
        self.host.chance.fill("member id", &mut bytes);
        let bits = u128::from_be_bytes(Uuid::from_chance(bytes).0);
        let part = |shift: u32, digits: u32| (bits >> shift) & ((1 << (4 * digits)) - 1);
        let (time, node) = ((part(96, 8), part(80, 4), part(64, 4)), (part(48, 4), part(0, 12)));
        format!("{:08x}-{:04x}-{:04x}-{:04x}-{:012x}", time.0, time.1, time.2, node.0, node.1)
    }

    /// `fetch.max.bytes`.
    pub(crate) fn fetch_bytes_max(&self) -> i32 {
        self.config.network.fetch_bytes_max
    }

    /// Waits until a batch is committed, at most `timeout` from the first call with the same `deadline`.
    pub(crate) async fn committed(
        &self,
        partition: &Arc<Partition>,
        written: &Written,
        deadline: &mut Option<Monotonic>,
        timeout: Duration,
    ) -> Result<(), Uncommitted> {
        let is_committed =
            || partition.is_committed(written.next_offset, written.leader_epoch).map_err(Uncommitted::Unavailable);
        if is_committed()? {
            return Ok(());
        }
        let bell = Bell::new();
        let _ringing = partition.ring_on_change(&bell);
        let deadline = *deadline.get_or_insert_with(|| self.monotonic() + timeout);
        let mut timer = self.sleep_until(deadline);
        loop {
            if is_committed()? {
                return Ok(());
            }
            tokio::select! {
                biased;
                () = bell.rung() => {}
                () = &mut timer => return Err(Uncommitted::TimedOut),
            }
        }
    }

    /// Does long work on the thread of a log directory.
    pub(crate) async fn on_lane<R: Send + 'static>(
        &self,
        dir: &LogDir,
        work: impl FnOnce() -> R + Send + 'static,
    ) -> R {
        on_lane(&self.host, dir.lane(), work).await
    }

    /// Does work that may take long, and that no log has to do with, on a thread of its own, one piece after the other.
    pub(crate) async fn aside<R: Send + 'static>(&self, work: impl FnOnce() -> R + Send + 'static) -> R {
        on_lane(&self.host, "aside", work).await
    }

    /// Has a slice that is not in memory read on the thread of its log directory.
    pub(crate) async fn read_ahead(&self, partition: &Partition, slice: &Slice) {
        let Some(file) = slice.file.clone().filter(|_| slice.length > 0) else { return };
        let (at, length) = (slice.position, u64::from(slice.length));
        let view = partition.view();
        // What lies in between was read or written with one of its ends, and pages are dropped from the older end on.
        if view.size() < WARM_BYTES || (file.is_cached(at, 1) && file.is_cached(at + length - 1, 1)) {
            return;
        }
        let read = move || {
            if let Err(error) = file.read_ahead(at, length) {
                tracing::debug!(%error, "cannot read ahead");
            }
        };
        self.host.tasks.offload(view.log_dir().lane(), Box::new(read)).await;
    }
}

/// Record data of so few bytes is copied into the answer: cheaper than system calls of its own.
const COPIED_BYTES_MAX: u32 = 8 << 10;

/// Record data that an answer names.
pub(crate) enum Region {
    /// A copy.
    Bytes(Vec<u8>),
    /// In a file, sent from there.
    File(FileRegion),
}

/// Record data in a file.
pub(crate) struct FileRegion {
    slice: Slice,
    file: Arc<dyn File>,
}

impl Region {
    /// The slice as a region; None when it is empty.
    pub(crate) fn of(slice: &Slice) -> Option<Region> {
        let file = slice.file.clone().filter(|_| slice.length > 0)?;
        if slice.length <= COPIED_BYTES_MAX {
            let mut bytes = vec![0; slice.length as usize];
            // What cannot be read, or was cut meanwhile, is found out when it is sent from the file.
            if read_exact_at(&*file, &mut bytes, slice.position).is_ok() && slice.is_valid() {
                return Some(Region::Bytes(bytes));
            }
        }
        Some(Region::File(FileRegion { slice: slice.clone(), file }))
    }
}

impl FileRegion {
    pub(crate) fn file(&self) -> &dyn File {
        &*self.file
    }

    pub(crate) fn position(&self) -> u64 {
        self.slice.position
    }

    /// Whether the file still holds what was read from its log there; asked after sending.
    pub(crate) fn is_current(&self) -> bool {
        self.slice.is_valid()
    }
}

/// Does long work on the thread `lane`.
pub(crate) async fn on_lane<R: Send + 'static>(
    host: &Host,
    lane: &str,
    work: impl FnOnce() -> R + Send + 'static,
) -> R {
    let done = Arc::new(Mutex::new(None));
    let put = done.clone();
    host.tasks.offload(lane, Box::new(move || *put.lock() = Some(work()))).await;
    let result = done.lock().take();
    result.expect("offloaded work has run when its future ends")
}
