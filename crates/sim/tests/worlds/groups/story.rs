//! One run: members of one group, a broker that dies, loses its leadership and its disk space, and a calm end.

use super::checker::Checker;
use super::classic::Classic;
use super::consumer::Consumer;
use super::hub::{Hub, Setup};
use super::member::{Current, GROUP, Member, TOPIC, TOPIC_ID};
use crate::Totals;
use ottla_coordinator::group::{Answer, Command, GroupSettings};
use ottla_coordinator::runtime::RuntimeSettings;
use ottla_log::LogConfig;
use ottla_messages::records::metadata::{MetadataRecord, PartitionRecord, TopicRecord};
use ottla_metadata::Image;
use ottla_sim::{Crash, FaultRates, Node, Random, Sim};
use ottla_wire::Uuid;
use parking_lot::Mutex;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Attempts to open a log whose disk fails meanwhile.
const OPENINGS_MAX: usize = 50;
/// Time in which a group must settle once nothing goes wrong any more.
const SETTLES_WITHIN: Duration = Duration::from_secs(120);

struct Story {
    sim: Sim,
    node: Node,
    random: Random,
    setup: Setup,
    current: Current,
    checker: Arc<Mutex<Checker>>,
    epoch: i32,
    partitions: i32,
    is_classic: bool,
    rates: FaultRates,
}

fn image(partitions: i32) -> Arc<Image> {
    let mut image = Image::default();
    for (name, topic_id) in [(TOPIC, TOPIC_ID), ("__consumer_offsets", Uuid([9; 16]))] {
        let topic = MetadataRecord::Topic(TopicRecord { name: name.into(), topic_id });
        image.apply(&[topic]).unwrap();
        for partition_id in 0..partitions {
            let partition = PartitionRecord {
                partition_id,
                topic_id,
                replicas: vec![1],
                isr: vec![1],
                leader: 1,
                ..Default::default()
            };
            image.apply(&[MetadataRecord::Partition(partition)]).unwrap();
        }
    }
    Arc::new(image)
}

/// Runs a seed to its end; panics on the first thing that does not hold.
pub(crate) async fn run(sim: Sim) -> Totals {
    let mut random = sim.random("story");
    let is_durable = random.coin();
    let partitions = 1 + random.below(6) as i32;
    let config = LogConfig { segment_bytes: 1 << 16, journal: is_durable, ..LogConfig::default() };
    let mut settings =
        GroupSettings { initial_rebalance_delay: Duration::from_millis(500), ..GroupSettings::default() };
    settings.consumer.session = Duration::from_secs(6);
    settings.consumer.session_range.min = Duration::from_secs(1);
    settings.consumer.assignment_interval = Duration::ZERO;
    let linger = [None, None, Some(Duration::ZERO), Some(Duration::from_millis(5))][random.index(4)];
    let setup = Setup {
        config: Arc::new(config),
        settings: Arc::new(settings),
        runtime: RuntimeSettings { linger, ..RuntimeSettings::default() },
        image: image(partitions),
    };
    let rates = FaultRates { short_write: 2_000, write_error: 20, early_writeback: 50_000, ..FaultRates::default() };
    let node = sim.node("broker");
    let is_classic = random.coin();
    let (current, checker) = (Current::default(), Arc::default());
    let mut story = Story { sim, node, random, setup, current, checker, epoch: 0, partitions, is_classic, rates };
    story.open().await;
    let members = 1 + story.random.index(4) as u32;
    let calm = story.start_members(members);
    for _ in 0..6 + story.random.below(8) {
        let time = Duration::from_millis(story.random.below(12_000));
        story.sim.sleep(time).await;
        story.disturb().await;
        story.ensure_up().await;
    }
    calm.store(true, Ordering::Relaxed);
    story.settle(members).await
}

impl Story {
    fn start_members(&self, count: u32) -> Arc<AtomicBool> {
        let calm = Arc::<AtomicBool>::default();
        for number in 0..count {
            let mut member = Member::new(&self.sim, &self.current, &self.checker, number);
            member.calm = Arc::clone(&calm);
            if self.is_classic {
                self.sim.spawn("classic member", Classic::new(member, self.partitions).run());
            } else {
                self.sim.spawn("member", Consumer::new(member).run());
            }
        }
        calm
    }

    async fn disturb(&mut self) {
        match self.random.below(8) {
            0..3 => self.crash_soon().await,
            3 => self.crash_now(),
            4 => self.fill_up().await,
            5 => self.node.clock().jump_wall(self.random.below(100_000) as i64 - 50_000),
            _ => self.change_leader().await,
        }
    }

    fn crash_kind(&mut self) -> Crash {
        if self.setup.config.journal && self.random.coin() { Crash::Power } else { Crash::Process }
    }

    fn crash_now(&mut self) {
        let how = self.crash_kind();
        *self.current.lock() = None;
        self.node.crash(how);
    }

    async fn crash_soon(&mut self) {
        let how = self.crash_kind();
        let disk = self.node.disk();
        disk.crash_at(disk.operations() + self.random.below(60), how);
        for _ in 0..100 {
            if self.node.is_down() {
                *self.current.lock() = None;
                return;
            }
            self.sim.sleep(Duration::from_millis(50)).await;
        }
        self.crash_now();
    }

    async fn fill_up(&mut self) {
        let disk = self.node.disk().clone();
        disk.set_capacity(self.random.below(20_000));
        let time = Duration::from_millis(self.random.below(9_000));
        self.sim.sleep(time).await;
        disk.set_capacity(1 << 40);
        self.look().await;
    }

    /// Asks for all offsets; what is told must be in the log.
    async fn look(&self) {
        let mut looker = Member::new(&self.sim, &self.current, &self.checker, u32::MAX);
        let all = (0..self.partitions).collect();
        if looker.own(&all).await.is_err() {
            return;
        }
        looker.disown_all();
        let hub = self.current.lock().clone();
        if let Some(hub) = hub.filter(|_| !self.node.is_down()) {
            self.checker.lock().check_log(&hub.log());
        }
    }

    async fn change_leader(&mut self) {
        let hub = self.current.lock().clone();
        let Some(hub) = hub.filter(|_| !self.node.is_down()) else { return };
        let (epoch, keeps) = (self.epoch + 1, self.random.coin());
        self.epoch += 2;
        let (host, setup, current) = (self.node.host(), self.setup.clone(), Arc::clone(&self.current));
        self.node.spawn("leader change", async move {
            let next = hub.be_deposed(host, setup, epoch, keeps).await;
            *current.lock() = Some(Arc::new(next));
        });
        self.sim.meet("leader change");
        self.sim.sleep(Duration::from_millis(100)).await;
    }

    async fn ensure_up(&mut self) {
        if self.node.is_down() {
            *self.current.lock() = None;
        }
        let offline = self.current.lock().as_ref().is_none_or(|hub| hub.partition.serves().is_err());
        if self.node.is_down() || offline {
            self.open().await;
        }
    }

    /// Opens the log, through crashes while it recovers, and looks through it.
    async fn open(&mut self) {
        for _ in 0..OPENINGS_MAX {
            self.epoch += 1;
            if self.epoch > 1 {
                self.node.restart();
            }
            let disk = self.node.disk().clone();
            disk.set_rates(FaultRates::default());
            match Hub::open(&self.node.host(), &self.setup, self.epoch).await {
                Ok(hub) if !self.node.is_down() => {
                    self.checker.lock().check_log(&hub.log());
                    disk.set_rates(self.rates);
                    *self.current.lock() = Some(Arc::new(hub));
                    return;
                }
                Ok(_) => {}
                Err(_) if self.node.is_down() => {}
                Err(why) => panic!("the log does not open on a disk that works: {why}"),
            }
        }
        panic!("the log did not open in {OPENINGS_MAX} attempts");
    }

    /// Waits for the group to settle, and looks a last time.
    async fn settle(mut self, members: u32) -> Totals {
        let deadline = self.sim.now() + SETTLES_WITHIN;
        loop {
            self.ensure_up().await;
            self.node.disk().set_rates(FaultRates::default());
            self.sim.sleep(Duration::from_secs(5)).await;
            if self.is_settled(members).await {
                break;
            }
            assert!(self.sim.now() < deadline, "the group has not settled: {:?}", self.checker.lock().owned.keys());
        }
        self.crash_now();
        self.ensure_up().await;
        self.sim.meet(if self.is_classic { "classic group" } else { "KIP-848 group" });
        let checker = self.checker.lock();
        for _ in 0..checker.handovers {
            self.sim.meet("hand-over");
        }
        Totals { acknowledgements: checker.acknowledgements, failures: checker.failures }
    }

    /// Whether the group is stable, has the members that live and no other, and each partition has one owner.
    async fn is_settled(&self, members: u32) -> bool {
        let hub = self.current.lock().clone();
        let Some(hub) = hub else { return false };
        let listed = match self.is_classic {
            true => Command::DescribeClassic(vec![GROUP.into()]),
            false => Command::DescribeConsumer(vec![GROUP.into()]),
        };
        let shard = hub.shard.clone();
        drop(hub);
        let (state, count) = match shard.ask(listed).await {
            Ok(Answer::DescribedClassic(groups)) => match &groups[0] {
                Ok(group) => (group.state.to_owned(), group.members.len()),
                Err(_) => return false,
            },
            Ok(Answer::DescribedConsumer(groups)) => (groups[0].state.to_owned(), groups[0].members.len()),
            Ok(_) | Err(_) => return false,
        };
        let owned: Vec<i32> = self.checker.lock().owned.keys().map(|(_, partition)| *partition).collect();
        let distinct: BTreeSet<i32> = owned.iter().copied().collect();
        let all = distinct.len() == self.partitions as usize && owned.len() == distinct.len();
        state == "Stable" && count == members as usize && all
    }
}
