//! A coordinator whose disk stalls: what was asked meanwhile counts before what is due.

use ottla_coordinator::group::consumer::{self, Beat, Heartbeat};
use ottla_coordinator::group::offsets::{self, Commit, CommitPartition, CommitTopic};
use ottla_coordinator::group::{Answer, Command, Fault, GroupSettings, Groups};
use ottla_coordinator::runtime::{Order, Plan, Replica, ReplicaError, RuntimeSettings, Shard, run};
use ottla_host::{BoxFuture, Host};
use ottla_sim::Sim;
use ottla_wire::batch::ValidBatch;
use ottla_wire::ids::Offset;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;
use tokio::sync::watch;

const SESSION: Duration = Duration::from_secs(6);
const STALL: Duration = Duration::from_secs(10);

/// A log of one replica, on a disk that stalls once.
struct Stalling {
    host: Host,
    end: AtomicI64,
    stalls: Arc<AtomicBool>,
}

impl Replica for Stalling {
    fn append(&self, batch: Vec<u8>) -> BoxFuture<'_, Result<Offset, ReplicaError>> {
        Box::pin(async move {
            if self.stalls.swap(false, Ordering::SeqCst) {
                self.host.tasks.sleep_until(self.host.clock.monotonic() + STALL).await;
            }
            let count = i64::from(ValidBatch::trusted(&batch).unwrap().record_count());
            Ok(Offset(self.end.fetch_add(count, Ordering::SeqCst) + count))
        })
    }

    fn start(&self) -> Offset {
        Offset(0)
    }

    fn end(&self) -> Offset {
        Offset(self.end.load(Ordering::SeqCst))
    }

    fn read(&self, _: Offset, _: usize) -> BoxFuture<'_, Result<Vec<u8>, ReplicaError>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn watermark(&self) -> Offset {
        self.end()
    }

    fn moved(&self, seen: Offset) -> BoxFuture<'_, Result<Offset, ReplicaError>> {
        Box::pin(async move { if self.end() > seen { Ok(self.end()) } else { std::future::pending().await } })
    }
}

struct Held {
    shard: Shard<Groups>,
    stalls: Arc<AtomicBool>,
    _orders: watch::Sender<Order>,
    _news: watch::Sender<Command>,
}

fn coordinate(host: &Host) -> Held {
    let mut settings = GroupSettings::default();
    settings.consumer.session = SESSION;
    let settings = Arc::new(settings);
    let (shard, asked) = Shard::new();
    let (orders, order) = watch::channel(Order::Serve);
    let (news_sender, news) = watch::channel(Command::Image(Arc::default()));
    let stalls = Arc::<AtomicBool>::default();
    let replica = Stalling { host: host.clone(), end: AtomicI64::new(0), stalls: Arc::clone(&stalls) };
    let plan = Plan {
        host: host.clone(),
        name: "groups".to_owned(),
        replica: Arc::new(replica),
        settings: RuntimeSettings::default(),
        load_bytes: 4096,
        fresh: Box::new(move || Groups::new(Arc::clone(&settings), Arc::default())),
        news,
        orders: order,
        asked,
    };
    host.tasks.spawn("coordinator", Box::pin(run(plan)));
    Held { shard, stalls, _orders: orders, _news: news_sender }
}

async fn beat(shard: &Shard<Groups>, epoch: i32) -> Result<Beat, Fault> {
    let is_join = epoch == 0;
    let heartbeat = Heartbeat {
        group: "readers".into(),
        member: "m".into(),
        epoch,
        rebalance_ms: is_join.then_some(60_000),
        names: is_join.then(Vec::new),
        owned: is_join.then(Vec::new),
        ..Heartbeat::default()
    };
    match shard.ask(Command::Consumer(consumer::Command::Heartbeat(Box::new(heartbeat)))).await? {
        Answer::Consumer(consumer::Answer::Heartbeat(beat)) => Ok(*beat),
        other => panic!("{other:?} is no answer to a heartbeat"),
    }
}

async fn commit(shard: &Shard<Groups>) -> Result<Answer, Fault> {
    let partitions = vec![CommitPartition { index: 0, offset: 1, leader_epoch: -1, metadata: String::new() }];
    let topics = vec![CommitTopic { name: "orders".into(), partitions, ..CommitTopic::default() }];
    let commit = Commit { group: "others".into(), epoch: -1, topics, ..Commit::default() };
    shard.ask(Command::Offsets(offsets::Command::Commit(Box::new(commit)))).await
}

#[test]
fn a_heartbeat_that_waits_for_a_stalled_disk_keeps_its_member() {
    Sim::run(1, async |sim: Sim| {
        let node = sim.node("broker");
        let held = coordinate(&node.host());
        let epoch = beat(&held.shard, 0).await.unwrap().epoch;
        held.stalls.store(true, Ordering::SeqCst);
        let shard = held.shard.clone();
        sim.spawn("other client", async move { drop(commit(&shard).await) });
        sim.sleep(Duration::from_secs(1)).await;
        assert!(!held.stalls.load(Ordering::SeqCst), "the disk has stalled");
        // It waits for as long as its session lasts, and longer.
        assert_eq!(beat(&held.shard, epoch).await.map(|beat| beat.epoch), Ok(epoch));
        sim.sleep(Duration::from_secs(1)).await;
        assert_eq!(beat(&held.shard, epoch).await.map(|beat| beat.epoch), Ok(epoch));
    });
}
