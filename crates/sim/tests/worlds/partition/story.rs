//! One run: producers, readers at the watermark, terms that come and go, and a node that dies again and again.

use super::server::Server;
use crate::Totals;
use crate::checker::Checker;
use crate::log::{Durability, Plan};
use crate::producer::{Current, Producer};
use ottla_replica::{Reading, Upto};
use ottla_sim::{Crash, FaultRates, Node, Random, Sim};
use ottla_wire::ids::Offset;
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Attempts to open a log whose disk fails meanwhile.
const OPENINGS_MAX: usize = 50;
/// Time in which everything must end once the faults have.
const PATIENCE: Duration = Duration::from_secs(30);
const READERS: usize = 2;

struct Story {
    sim: Sim,
    node: Node,
    plan: Plan,
    random: Random,
    current: Current<Server>,
    checker: Arc<Mutex<Checker>>,
    epoch: i32,
}

/// Runs a seed's plan to its end; panics on the first thing that does not hold.
pub(crate) async fn run(sim: Sim) -> Totals {
    let mut random = sim.random("story");
    let plan = Plan::draw(&mut random).of_partition();
    let node = sim.node("broker");
    sim.tell(|| format!("{plan:?}"));
    let (current, checker) = (Current::default(), Arc::<Mutex<Checker>>::default());
    let mut story = Story { sim, node, plan, random, current, checker, epoch: 0 };
    story.open().await;
    let running = story.start_producers();
    // What is shown before it is on the device may be lost with the power; nobody promises otherwise.
    if story.plan.durability != Durability::Device {
        (0..READERS).for_each(|reader| story.start_reader(reader));
    }
    for _ in 0..story.plan.lives {
        let time = Duration::from_micros(story.random.below(30_000));
        story.sim.sleep(time).await;
        story.disturb().await;
        story.ensure_up().await;
    }
    story.finish(&running).await
}

impl Story {
    fn start_producers(&mut self) -> Arc<AtomicUsize> {
        let running = Arc::new(AtomicUsize::new(self.plan.producers));
        for number in 0..self.plan.producers as u32 {
            let is_idempotent = number > 0;
            if is_idempotent {
                self.checker.lock().idempotent.push(number);
            }
            let (sim, current, checker) = (self.sim.clone(), Arc::clone(&self.current), Arc::clone(&self.checker));
            let producer = Producer { sim, current, checker, number, is_idempotent };
            let random = self.sim.random(&format!("producer {number}"));
            let (running, count) = (Arc::clone(&running), self.plan.batches);
            self.sim.spawn("producer", async move {
                producer.run(count, random).await;
                running.fetch_sub(1, Ordering::Relaxed);
            });
        }
        running
    }

    fn start_reader(&self, number: usize) {
        let (sim, current, checker) = (self.sim.clone(), Arc::clone(&self.current), Arc::clone(&self.checker));
        let (mut random, node) = (sim.random(&format!("reader {number}")), self.node.clone());
        self.sim.spawn("reader", async move {
            loop {
                sim.sleep(Duration::from_micros(random.below(3000))).await;
                let server = current.lock().clone();
                let Some(server) = server.filter(|_| !node.is_down()) else { continue };
                let partition = &server.partition;
                let (start, end) = (partition.view().start().0, partition.watermark().0);
                let from = Offset(start + random.below((end - start).max(0) as u64) as i64);
                let max_bytes = random.below(2000) as u32;
                let reading = Reading { from, max_bytes, at_least_one: true, upto: Upto::Watermark };
                // A partition that does not serve at the moment shows nothing.
                if let Ok(slice) = partition.read(reading) {
                    checker.lock().saw(&slice);
                } else {
                    assert!(partition.serves().is_err(), "what is committed can be read");
                }
            }
        });
    }

    async fn disturb(&mut self) {
        let event = self.random.below(14);
        self.sim.tell(|| format!("event {event}; met so far {:?}", self.node.disk().met()));
        match event {
            0..3 => self.crash_soon().await,
            3 | 4 => self.crash_now(),
            5 => self.stop_cleanly().await,
            6 => self.fill_up().await,
            7 | 8 => self.crash_in_leader_change().await,
            9 => self.node.clock().jump_wall(self.random.below(100_000) as i64 - 50_000),
            _ => self.change_leader().await,
        }
    }

    fn crash_kind(&mut self) -> Crash {
        let power_counts = self.plan.durability != Durability::Memory;
        if power_counts && self.random.chance(700_000) { Crash::Power } else { Crash::Process }
    }

    fn crash_now(&mut self) {
        let how = self.crash_kind();
        self.take_server();
        self.node.crash(how);
    }

    fn take_server(&mut self) -> Option<Arc<Server>> {
        let server = self.current.lock().take()?;
        for _ in 0..server.contended.load(Ordering::Relaxed) {
            self.sim.meet("contention for the writer");
        }
        Some(server)
    }

    /// Crashes in one of the next operations of the disk.
    async fn crash_soon(&mut self) {
        let how = self.crash_kind();
        let disk = self.node.disk();
        disk.crash_at(disk.operations() + self.random.below(40), how);
        for _ in 0..100 {
            if self.node.is_down() {
                return;
            }
            self.sim.sleep(Duration::from_micros(500)).await;
        }
        self.crash_now();
    }

    /// Lets the node do `work`, in which it may die; None when it has.
    async fn on_node<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> Option<T> {
        let done = Arc::<Mutex<Option<T>>>::default();
        let answer = Arc::clone(&done);
        self.node.spawn("order", async move {
            let result = work.await;
            *answer.lock() = Some(result);
        });
        loop {
            if self.node.is_down() {
                return None;
            }
            if let Some(result) = done.lock().take() {
                return Some(result);
            }
            self.sim.sleep(Duration::from_micros(20)).await;
        }
    }

    /// After a clean stop everything survives, whatever was promised.
    async fn stop_cleanly(&mut self) {
        let Some(server) = self.take_server().filter(|_| !self.node.is_down()) else { return };
        if self.on_node(async move { server.stop().await.is_ok() }).await == Some(true) {
            self.sim.meet("clean stop");
            self.node.crash(if self.random.coin() { Crash::Power } else { Crash::Process });
        } else {
            self.crash_now();
        }
    }

    async fn fill_up(&mut self) {
        let disk = self.node.disk().clone();
        disk.set_capacity(self.random.below(20_000));
        let time = Duration::from_micros(self.random.below(10_000));
        self.sim.sleep(time).await;
        disk.set_capacity(1 << 40);
    }

    async fn change_leader(&mut self) {
        let server = self.current.lock().clone();
        let Some(server) = server.filter(|_| !self.node.is_down()) else { return };
        let epoch = self.epoch + 1;
        self.epoch += 2;
        let mut random = self.random.clone();
        self.random.draw();
        let deposed = self.on_node(async move { server.be_deposed(epoch, &mut random).await.is_ok() }).await;
        if deposed == Some(true) {
            self.sim.meet("leader change");
        } else {
            self.sim.meet("leader change failed");
            self.crash_now();
        }
    }

    async fn crash_in_leader_change(&mut self) {
        let how = self.crash_kind();
        let disk = self.node.disk();
        disk.crash_at(disk.operations() + self.random.below(8), how);
        self.change_leader().await;
        self.crash_now();
    }

    /// Brings the node back if it is down, or its directory offline.
    async fn ensure_up(&mut self) {
        let server = self.current.lock().clone();
        let is_fine = server.is_some_and(|server| !server.dir.is_offline());
        if !is_fine || self.node.is_down() {
            self.take_server();
            self.node.restart();
            self.open().await;
        }
    }

    /// Opens the log, through crashes while it recovers, and compares what is there with what must be.
    async fn open(&mut self) {
        for attempt in 0..OPENINGS_MAX {
            self.epoch += 1;
            let disk = self.node.disk().clone();
            disk.set_rates(FaultRates::default());
            if attempt == 0 && self.random.chance(300_000) {
                let how = self.crash_kind();
                disk.crash_at(disk.operations() + self.random.below(30), how);
            }
            let contention = self.sim.random(&format!("contention {}", self.epoch));
            match Server::open(&self.node.host(), &self.plan, self.epoch, contention).await {
                Ok(server) if !self.node.is_down() => {
                    self.checker.lock().check(server.partition.view());
                    disk.set_rates(self.plan.rates);
                    *self.current.lock() = Some(server);
                    return;
                }
                Ok(_) | Err(_) if self.node.is_down() => self.sim.meet("crash in recovery"),
                Ok(_) => {}
                Err(why) => panic!("the partition does not open on a disk that works: {why}"),
            }
            self.node.restart();
            self.sim.sleep(Duration::from_millis(1)).await;
        }
        panic!("the partition did not open in {OPENINGS_MAX} attempts");
    }

    /// Lets the producers end without further faults, and compares a last time.
    async fn finish(mut self, running: &AtomicUsize) -> Totals {
        let deadline = self.sim.now() + PATIENCE;
        while running.load(Ordering::Relaxed) > 0 {
            assert!(self.sim.now() < deadline, "the producers did not come to an end");
            self.ensure_up().await;
            self.node.disk().set_rates(FaultRates::default());
            self.sim.sleep(Duration::from_millis(5)).await;
        }
        self.crash_now();
        self.ensure_up().await;
        let checker = self.checker.lock();
        Totals { acknowledgements: checker.acknowledgements, failures: checker.failures }
    }
}
