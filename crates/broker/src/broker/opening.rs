//! Starts whose logs are not all open yet, or cannot be opened, in the simulated world.

use super::client::Client;
use super::crashes::format_dirs;
use super::stalled::{FAST, SLOW, config};
use super::{Broker, OPENING_MAX};
use ottla_log::PartitionName;
use ottla_log::dir::boot::LastEnd;
use ottla_log::dir::checkpoint::{HIGH_WATERMARK, LOG_START, Offsets, RECOVERY_POINT, read_offsets};
use ottla_log::dir::names::LEADER_EPOCHS;
use ottla_metadata::controller::{Answer, Command, NewTopic};
use ottla_sim::{Crash, Node, Sim};
use ottla_wire::ids::{Offset, PartitionIndex};
use parking_lot::Mutex;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

const NOT_LEADER_OR_FOLLOWER: i16 = 6;
const KAFKA_STORAGE_ERROR: i16 = 56;
/// The threads that open logs of the slow directory while the broker serves.
const OPENING_LANES: &str = "log-dir /slow open";
/// As long as no log of the slow directory is opened.
const STALL: Duration = Duration::from_secs(60);
/// Records of each partition, and how many of them are deleted.
const RECORDS: i64 = 3;
const DELETED: i64 = 2;
/// Time in which every checkpoint is written at least once.
const CHECKPOINTS: Duration = Duration::from_secs(130);

/// A broker with two directories. The topic `t` has a partition in each, and so has an internal topic.
struct World {
    sim: Sim,
    node: Node,
    client: Node,
    /// Index of the partition of `t` in the slow directory.
    slow: i32,
}

impl World {
    /// Records were produced and deleted, and the broker was stopped.
    async fn prepare(sim: Sim) -> World {
        let node = sim.node("broker");
        let client = sim.node("client");
        format_dirs(&node, &[SLOW, FAST], FAST);
        let mut world = World { sim, node, client, slow: 0 };
        let broker = world.start().await;
        for name in ["__consumer_offsets", "t"] {
            let topic = NewTopic { name: name.into(), partitions: 2, replication_factor: 1, ..NewTopic::default() };
            let command = Command::CreateTopics { topics: vec![topic], validate_only: false };
            let answer = broker.server.cx.control().submit(&command).await.expect("it takes commands");
            assert!(matches!(answer, Answer::CreatedTopics(made) if made[0].1.is_ok()), "{name}");
        }
        let topic = broker.server.cx.topic("t").expect("the topic was made");
        let dir_of = |index| topic.partition(index).expect("it is here").view().log_dir().path().to_owned();
        world.slow = (0..2).find(|index| dir_of(*index) == Path::new(SLOW)).expect("a partition in each directory");
        let mut client = world.connect().await;
        for index in 0..2 {
            for _ in 0..RECORDS {
                assert_eq!(client.produce(index).await.0, 0);
            }
            let partition = topic.partition(index).expect("it is here");
            partition.when_free(|log| log.raise_start(Offset(DELETED))).await;
        }
        broker.stop().await;
        assert!(world.is_clean(SLOW) && world.is_clean(FAST));
        world.node.restart();
        world
    }

    async fn start(&self) -> Broker {
        let started: Arc<Mutex<Option<Broker>>> = Arc::default();
        let (answer, host) = (started.clone(), self.node.host());
        self.node.spawn("broker", async move {
            let broker = Broker::start(host, config(false)).await.expect("it starts");
            *answer.lock() = Some(broker);
        });
        loop {
            self.sim.sleep(Duration::from_millis(1)).await;
            if let Some(broker) = started.lock().take() {
                return broker;
            }
        }
    }

    async fn connect(&self) -> Client {
        Client::connect(&self.client.host()).await
    }

    fn is_clean(&self, dir: &str) -> bool {
        self.read(dir, ".kafka_cleanshutdown").is_some()
    }

    fn read(&self, dir: &str, file: &str) -> Option<String> {
        let bytes = self.node.host().disk.read(&Path::new(dir).join(file), 1 << 20).expect("the disk works");
        bytes.map(|bytes| String::from_utf8(bytes.to_vec()).expect("checkpoints are text"))
    }

    /// What a checkpoint says of the partition of `t` in a directory.
    fn entry(&self, dir: &str, checkpoint: &str) -> Option<i64> {
        let text = self.read(dir, checkpoint).unwrap_or_else(|| "0\n0\n".to_owned());
        let offsets: Offsets = read_offsets(&text).expect("a checkpoint");
        let index = if dir == SLOW { self.slow } else { 1 - self.slow };
        offsets.get(&PartitionName::new("t", PartitionIndex(index))).map(|offset| offset.0)
    }

    /// The checkpoints of the slow directory are as the first stop has left them.
    fn assert_kept(&self) {
        assert_eq!(self.entry(SLOW, HIGH_WATERMARK), Some(RECORDS));
        assert_eq!(self.entry(SLOW, RECOVERY_POINT), Some(RECORDS));
        assert_eq!(self.entry(SLOW, LOG_START), Some(DELETED), "deleted records would come back");
    }

    /// Everything is there that was not deleted, and nothing else.
    async fn assert_served(&self, partition: i32) {
        let mut client = self.connect().await;
        assert_eq!(client.first_offset(partition).await, (0, DELETED));
        let fetched = client.fetch(partition, DELETED, Duration::ZERO).await;
        assert_eq!((fetched.code, fetched.watermark), (0, RECORDS));
        assert!(fetched.bytes > 300, "a record of 300 bytes is left");
    }

    /// Makes the log of the slow partition one that cannot be opened, or such a one whole again.
    fn set_broken(&self, is_broken: bool) {
        let disk = self.node.host().disk;
        let dir = Path::new(SLOW).join(format!("t-{}", self.slow));
        let (file, aside) = (dir.join(LEADER_EPOCHS), Path::new(SLOW).join("aside"));
        if is_broken {
            disk.rename(&file, &aside).expect("the file is there");
            disk.create_dir_all(&file).expect("a directory where a file has to be");
        } else {
            disk.rename(&file, &Path::new(SLOW).join("nothing")).expect("the directory is there");
            disk.rename(&aside, &file).expect("the file is aside");
        }
    }
}

#[test]
fn a_partition_serves_while_another_is_still_being_opened() {
    Sim::run(1, async |sim: Sim| {
        let world = World::prepare(sim).await;
        let clock = world.client.host().clock;
        world.node.disk().stall_lane(OPENING_LANES, STALL);
        let begun = clock.monotonic();
        let broker = world.start().await;
        let took = clock.monotonic().since(begun);
        assert!((OPENING_MAX..2 * OPENING_MAX).contains(&took), "connections are taken after {took:?}");
        world.assert_served(1 - world.slow).await;
        let mut client = world.connect().await;
        assert_eq!(client.produce(1 - world.slow).await.0, 0);
        assert_eq!(client.produce(world.slow).await.0, NOT_LEADER_OR_FOLLOWER);
        assert_eq!(client.first_offset(world.slow).await.0, NOT_LEADER_OR_FOLLOWER);
        let fetched = client.fetch(world.slow, 0, Duration::from_secs(10)).await;
        assert_eq!(fetched.code, NOT_LEADER_OR_FOLLOWER);
        assert!(fetched.took < Duration::from_secs(1), "a fetch does not wait for a log to be opened");
        assert!(!broker.shown.is_ready());
        world.sim.sleep(STALL).await;
        assert!(broker.shown.is_ready());
        world.assert_served(world.slow).await;
        assert_eq!(client.produce(world.slow).await.0, 0);
    });
}

#[test]
fn connections_wait_for_what_opens_quickly() {
    Sim::run(2, async |sim: Sim| {
        let world = World::prepare(sim).await;
        world.node.disk().stall_lane(OPENING_LANES, OPENING_MAX / 2);
        let broker = world.start().await;
        assert!(broker.shown.is_ready());
        world.assert_served(world.slow).await;
    });
}

#[test]
fn what_concerns_no_topic_is_followed_while_logs_are_being_opened() {
    Sim::run(3, async |sim: Sim| {
        let world = World::prepare(sim).await;
        world.node.disk().stall_lane(OPENING_LANES, STALL);
        let broker = world.start().await;
        assert!(broker.server.cx.control().producer_id().await.is_ok());
        assert!(!broker.shown.is_ready());
        let topic = NewTopic { name: "u".into(), partitions: 1, replication_factor: 1, ..NewTopic::default() };
        let command = Command::CreateTopics { topics: vec![topic], validate_only: false };
        broker.server.cx.control().submit(&command).await.expect("it is made once all is open");
        assert!(broker.shown.is_ready());
        assert!(broker.server.cx.topic("u").is_some_and(|topic| topic.partition(0).is_some()));
    });
}

#[test]
fn a_stop_while_logs_are_being_opened_is_no_clean_one_and_loses_no_offset() {
    Sim::run(4, async |sim: Sim| {
        let world = World::prepare(sim).await;
        world.node.disk().stall_lane(OPENING_LANES, STALL);
        let broker = world.start().await;
        assert_eq!(world.connect().await.produce(1 - world.slow).await.0, 0);
        let clock = world.client.host().clock;
        let begun = clock.monotonic();
        broker.stop().await;
        assert!(clock.monotonic().since(begun) < STALL / 2, "the stop has its bounds");
        assert!(!world.is_clean(SLOW) && !world.is_clean(FAST));
        world.assert_kept();
        assert_eq!(world.entry(FAST, HIGH_WATERMARK), Some(RECORDS + 1), "what was open is closed");
        world.node.restart();
        let _broker = world.start().await;
        world.sim.sleep(STALL).await;
        world.assert_served(world.slow).await;
    });
}

#[test]
fn a_stop_has_its_bounds_although_a_device_does_not_answer() {
    Sim::run(6, async |sim: Sim| {
        let world = World::prepare(sim).await;
        world.node.disk().stall_lane(OPENING_LANES, STALL);
        let broker = world.start().await;
        world.node.disk().stall_lane("log-dir /slow", STALL);
        let clock = world.client.host().clock;
        let begun = clock.monotonic();
        broker.stop().await;
        assert!(clock.monotonic().since(begun) < STALL / 2);
        assert!(!world.is_clean(SLOW));
        world.assert_kept();
    });
}

#[test]
fn a_log_that_cannot_be_opened_after_a_loss_of_power_is_checked_by_the_next_start() {
    Sim::run(7, async |sim: Sim| {
        let world = World::prepare(sim).await;
        drop(world.start().await);
        world.node.crash(Crash::Power);
        world.node.restart();
        world.set_broken(true);
        let ends = |broker: &Broker| broker.storage.dirs().iter().map(|dir| dir.last_end()).collect::<Vec<_>>();
        let broker = world.start().await;
        assert_eq!(ends(&broker), [LastEnd::Lost, LastEnd::Lost]);
        world.node.crash(Crash::Process);
        world.node.restart();
        world.set_broken(false);
        let broker = world.start().await;
        assert_eq!(ends(&broker), [LastEnd::Lost, LastEnd::Killed]);
        world.assert_served(world.slow).await;
    });
}

#[test]
fn a_log_that_cannot_be_opened_keeps_its_offsets_through_checkpoints_and_ends() {
    Sim::run(5, async |sim: Sim| {
        let world = World::prepare(sim).await;
        world.set_broken(true);
        let broker = world.start().await;
        assert!(broker.shown.is_ready(), "what cannot be opened is not waited for");
        let mut client = world.connect().await;
        assert_eq!(client.produce(world.slow).await.0, KAFKA_STORAGE_ERROR);
        assert_eq!(client.produce(1 - world.slow).await.0, 0);
        world.sim.sleep(CHECKPOINTS).await;
        assert_eq!(world.entry(FAST, HIGH_WATERMARK), Some(RECORDS + 1), "checkpoints were written");
        world.assert_kept();
        drop(broker);
        world.node.crash(Crash::Process);
        world.node.restart();

        let broker = world.start().await;
        broker.stop().await;
        world.assert_kept();
        assert!(world.is_clean(FAST));
        assert!(!world.is_clean(SLOW), "a log was not checked after a kill");
        world.node.restart();
        world.set_broken(false);
        let _broker = world.start().await;
        world.assert_served(world.slow).await;
    });
}

#[test]
fn a_full_disk_refuses_records_and_takes_them_again_when_there_is_room() {
    Sim::run(11, async |sim: Sim| {
        let world = World::prepare(sim).await;
        let broker = world.start().await;
        let mut client = world.connect().await;
        world.node.disk().set_capacity(0);
        world.sim.sleep(CHECKPOINTS).await;
        for partition in 0..2 {
            assert_eq!(client.produce(partition).await.0, KAFKA_STORAGE_ERROR);
            assert_eq!(client.fetch(partition, DELETED, Duration::ZERO).await.code, 0, "what is there can be read");
        }
        world.node.disk().set_capacity(1 << 40);
        for partition in 0..2 {
            assert_eq!(client.produce(partition).await.0, 0);
        }
        broker.stop().await;
        assert!(world.is_clean(SLOW) && world.is_clean(FAST));
    });
}
