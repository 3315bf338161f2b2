//! The least broker around one coordinator: a log, its partition, the coordinator's task, checkpoints.

use bytes::Bytes;
use ottla_coordinator::group::{Command, GroupSettings, Groups};
use ottla_coordinator::runtime::{Order, Plan as ShardPlan, Replica, ReplicaError, RuntimeSettings, Shard, run};
use ottla_host::disk::read_exact_at;
use ottla_host::{BoxFuture, Host};
use ottla_log::dir::boot::LastEnd;
use ottla_log::dir::checkpoint::{HIGH_WATERMARK, RECOVERY_POINT};
use ottla_log::log::Opening;
use ottla_log::{Log, LogConfig, LogDir, Origin, PartitionName};
use ottla_metadata::Image;
use ottla_replica::state::Assignment;
use ottla_replica::{Bell, Identity, Partition, Promise, Ringing};
use ottla_wire::Uuid;
use ottla_wire::batch::{SharedBatch, ValidBatch};
use ottla_wire::ids::{BrokerId, LeaderEpoch, Offset, PartitionIndex};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

const DATA: &str = "/data";
const ME: BrokerId = BrokerId(1);
const CHECKPOINT_INTERVAL: Duration = Duration::from_millis(900);

/// What lives of the broker are made of.
#[derive(Clone)]
pub(super) struct Setup {
    pub(super) config: Arc<LogConfig>,
    pub(super) settings: Arc<GroupSettings>,
    pub(super) runtime: RuntimeSettings,
    pub(super) image: Arc<Image>,
}

/// One life of the broker.
pub(super) struct Hub {
    pub(super) shard: Shard<Groups>,
    pub(super) orders: watch::Sender<Order>,
    pub(super) partition: Arc<Partition>,
    _news: watch::Sender<Command>,
}

fn name() -> PartitionName {
    PartitionName::new("__consumer_offsets", PartitionIndex(0))
}

fn term(epoch: i32, leads: bool) -> Assignment {
    Assignment {
        leader: Some(if leads { ME } else { BrokerId(2) }),
        leader_epoch: LeaderEpoch(epoch),
        partition_epoch: epoch,
        replicas: vec![ME],
        isr: [ME].into(),
    }
}

impl Hub {
    /// Opens the directory and the log, leads, and coordinates. Fails when the disk does.
    pub(super) async fn open(host: &Host, setup: &Setup, epoch: i32) -> Result<Hub, String> {
        let dir = LogDir::open(host, Path::new(DATA), 8).map_err(|error| error.to_string())?;
        if setup.config.journal {
            dir.start_journal(0).map_err(|error| error.to_string())?;
        }
        let log = open_log(host, setup, &dir)?;
        if dir.last_end() == LastEnd::Lost {
            dir.recovered().map_err(|error| error.to_string())?;
        }
        let watermark = dir.high_watermark(&name()).unwrap_or(log.view().start());
        let identity = Identity {
            topic: "__consumer_offsets".into(),
            topic_id: Uuid::ZERO,
            index: PartitionIndex(0),
            broker: ME,
            durable: setup.config.journal,
        };
        let partition = Partition::new(identity, host, log, watermark);
        partition.assign(&term(epoch, true)).await;
        host.tasks.spawn("checkpoint", Box::pin(tend(host.clone(), dir, Arc::clone(&partition))));
        Ok(Hub::coordinate(host, setup, partition, epoch))
    }

    fn coordinate(host: &Host, setup: &Setup, partition: Arc<Partition>, epoch: i32) -> Hub {
        let (shard, asked) = Shard::new();
        let (orders, order) = watch::channel(Order::Serve);
        let (news_sender, news) = watch::channel(Command::Image(Arc::clone(&setup.image)));
        let (settings, image) = (Arc::clone(&setup.settings), Arc::clone(&setup.image));
        let plan = ShardPlan {
            host: host.clone(),
            name: "groups".to_owned(),
            replica: Arc::new(Led::new(Arc::clone(&partition), LeaderEpoch(epoch))),
            settings: setup.runtime,
            load_bytes: 4096,
            fresh: Box::new(move || Groups::new(Arc::clone(&settings), Arc::clone(&image))),
            news,
            orders: order,
            asked,
        };
        host.tasks.spawn("coordinator", Box::pin(run(plan)));
        Hub { shard, orders, partition, _news: news_sender }
    }

    /// Another broker leads for a while; what was not committed may be gone afterwards. `epoch` is the other's term.
    pub(super) async fn be_deposed(self: Arc<Hub>, host: Host, setup: Setup, epoch: i32, keeps: bool) -> Hub {
        let partition = Arc::clone(&self.partition);
        self.orders.send_replace(Order::Unload);
        partition.assign(&term(epoch, false)).await;
        let end = if keeps { partition.view().end() } else { partition.watermark() };
        let now = host.clock.wall();
        // A disk that fails here fails in the next append too.
        let _ = partition.when_free(|log| log.truncate_to(end, now)).await;
        partition.assign(&term(epoch + 1, true)).await;
        Hub::coordinate(&host, &setup, partition, epoch + 1)
    }

    /// All bytes of the log.
    pub(super) fn log(&self) -> Vec<u8> {
        let view = self.partition.view();
        let mut bytes = Vec::new();
        let mut at = view.start();
        while at < view.end() {
            let slice = view.read(at, view.end(), 1 << 20, true).unwrap();
            let Some(file) = &slice.file else { break };
            let mut part = vec![0; slice.length as usize];
            read_exact_at(&**file, &mut part, slice.position).unwrap();
            let whole = ottla_wire::batch::Batches::new(&part);
            let next = whole.map(|found| found.unwrap().0.next_offset()).last();
            at = next.unwrap();
            bytes.extend(part);
        }
        bytes
    }
}

async fn tend(host: Host, dir: Arc<LogDir>, partition: Arc<Partition>) {
    while !dir.is_offline() {
        host.tasks.sleep_until(host.clock.monotonic() + CHECKPOINT_INTERVAL).await;
        let point = partition.when_free(|log| log.recovery_point()).await;
        let written = dir
            .write_checkpoint(RECOVERY_POINT, &BTreeMap::from([(name(), point)]))
            .and_then(|()| dir.write_checkpoint(HIGH_WATERMARK, &BTreeMap::from([(name(), partition.watermark())])));
        if let Err(error) = written {
            return dir.fail("write a checkpoint", &error);
        }
    }
}

fn open_log(host: &Host, setup: &Setup, dir: &Arc<LogDir>) -> Result<Log, String> {
    let (now, config) = (host.clock.wall(), Arc::clone(&setup.config));
    let place = Path::new(DATA).join("__consumer_offsets-0");
    if host.disk.stat(&place).map_err(|error| error.to_string())?.is_some() {
        let opening = Opening::of(dir, &name());
        Log::open(dir, (&name(), "__consumer_offsets-0"), opening, config, now).map_err(|error| error.to_string())
    } else {
        Log::create(dir, &name(), None, config, now).map_err(|error| error.to_string())
    }
}

/// The partition in one term.
struct Led {
    partition: Arc<Partition>,
    epoch: LeaderEpoch,
    bell: Arc<Bell>,
    _ringing: Ringing,
}

impl Led {
    fn new(partition: Arc<Partition>, epoch: LeaderEpoch) -> Led {
        let bell = Bell::new();
        let ringing = partition.ring_on_change(&bell);
        Led { partition, epoch, bell, _ringing: ringing }
    }

    fn check(&self) -> Result<(), ReplicaError> {
        let leads = self.partition.serves().is_ok() && self.partition.leader_epoch() == self.epoch;
        if leads { Ok(()) } else { Err(ReplicaError::NotLeader) }
    }
}

impl Replica for Led {
    fn append(&self, batch: Vec<u8>) -> BoxFuture<'_, Result<Offset, ReplicaError>> {
        Box::pin(async move {
            self.check()?;
            let bytes = Bytes::from(batch);
            let batch = SharedBatch::new(&bytes, &ValidBatch::trusted(&bytes).unwrap());
            let promise = Promise::InSync(1);
            let ticket = self.partition.submit_in_term(batch, Origin::Coordinator, promise, self.epoch).await;
            self.partition.drive();
            match ticket.await {
                Ok(Ok(written)) if written.leader_epoch == self.epoch => Ok(written.next_offset),
                Ok(Err(error)) => Err(ReplicaError::Failed(error.to_string())),
                Ok(Ok(_)) | Err(_) => Err(ReplicaError::NotLeader),
            }
        })
    }

    fn start(&self) -> Offset {
        self.partition.view().start()
    }

    fn end(&self) -> Offset {
        self.partition.view().end()
    }

    fn read(&self, from: Offset, bytes_max: usize) -> BoxFuture<'_, Result<Vec<u8>, ReplicaError>> {
        Box::pin(async move {
            self.check()?;
            let view = self.partition.view();
            let failed = |error: String| ReplicaError::Failed(error);
            let slice =
                view.read(from, view.end(), bytes_max as u32, true).map_err(|error| failed(error.to_string()))?;
            let Some(file) = slice.file.as_ref().filter(|_| slice.length > 0) else { return Ok(Vec::new()) };
            let mut bytes = vec![0; slice.length as usize];
            read_exact_at(&**file, &mut bytes, slice.position).map_err(|error| failed(error.to_string()))?;
            Ok(bytes)
        })
    }

    fn watermark(&self) -> Offset {
        self.partition.watermark()
    }

    fn moved(&self, seen: Offset) -> BoxFuture<'_, Result<Offset, ReplicaError>> {
        Box::pin(async move {
            loop {
                self.check()?;
                let watermark = self.partition.watermark();
                if watermark > seen {
                    return Ok(watermark);
                }
                self.bell.rung().await;
            }
        })
    }
}
