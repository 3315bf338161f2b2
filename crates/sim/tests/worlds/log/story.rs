//! One run: producers, a reader, and a node that dies again and again.

use super::plan::{Durability, Plan};
use super::server::Server;
use crate::Totals;
use crate::checker::Checker;
use crate::producer::{Current, Producer};
use ottla_host::Disk;
use ottla_sim::{Crash, FaultRates, Node, Random, Sim};
use ottla_wire::ids::Offset;
use parking_lot::Mutex;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Attempts to open a log whose disk fails meanwhile.
const OPENINGS_MAX: usize = 50;
/// Time in which everything must end once the faults have.
const PATIENCE: Duration = Duration::from_secs(30);

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
    let plan = Plan::draw(&mut random);
    let node = sim.node("broker");
    sim.tell(|| format!("{plan:?}"));
    let (current, checker) = (Current::default(), Arc::<Mutex<Checker>>::default());
    let mut story = Story { sim, node, plan, random, current, checker, epoch: 0 };
    story.open().await;
    let running = story.start_producers();
    story.start_reader();
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

    fn start_reader(&self) {
        let (sim, current, checker) = (self.sim.clone(), Arc::clone(&self.current), Arc::clone(&self.checker));
        let (mut random, node) = (sim.random("reader"), self.node.clone());
        self.sim.spawn("reader", async move {
            loop {
                sim.sleep(Duration::from_micros(random.below(3000))).await;
                let server = current.lock().clone();
                let Some(server) = server.filter(|server| !server.dir.is_offline() && !node.is_down()) else {
                    continue;
                };
                let view = Arc::clone(server.log.lock().view());
                let end = Offset(server.watermark.load(Ordering::Relaxed));
                let from = Offset(view.start().0 + random.below((end.0 - view.start().0).max(0) as u64) as i64);
                let slice = view.read(from, end, random.below(2000) as u32, true).expect("what is shown can be read");
                checker.lock().saw(&slice);
            }
        });
    }

    async fn disturb(&mut self) {
        let event = self.random.below(13);
        self.sim.tell(|| format!("event {event}; met so far {:?}", self.node.disk().met()));
        match event {
            0..4 => self.crash_soon().await,
            4 | 5 => self.crash_now(),
            6 => self.stop_cleanly().await,
            7 => self.fill_up().await,
            8 | 9 => self.crash_in_leader_change(),
            10 => self.node.clock().jump_wall(self.random.below(100_000) as i64 - 50_000),
            11 => self.change_leader(),
            _ => self.crash_after_leader_change().await,
        }
    }

    fn crash_kind(&mut self) -> Crash {
        let power_counts = self.plan.durability != Durability::Memory;
        if power_counts && self.random.chance(700_000) { Crash::Power } else { Crash::Process }
    }

    fn crash_now(&mut self) {
        let how = self.crash_kind();
        self.current.lock().take();
        self.node.crash(how);
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

    /// After a clean stop everything survives, whatever was promised.
    async fn stop_cleanly(&mut self) {
        let Some(server) = self.current.lock().take().filter(|_| !self.node.is_down()) else { return };
        let stopped = Arc::<Mutex<Option<bool>>>::default();
        let answer = Arc::clone(&stopped);
        self.node.spawn("stop", async move {
            let done = server.stop().await.is_ok();
            *answer.lock() = Some(done);
        });
        // The node may die in it.
        while stopped.lock().is_none() && !self.node.is_down() {
            self.sim.sleep(Duration::from_micros(200)).await;
        }
        if *stopped.lock() == Some(true) && !self.node.is_down() {
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

    fn change_leader(&mut self) {
        let server = self.current.lock().clone();
        let Some(server) = server else { return };
        self.epoch += 1;
        if server.lose_unacknowledged().is_err() {
            self.sim.meet("leader change failed");
            self.crash_now();
        } else {
            self.sim.meet("leader change");
        }
    }

    fn crash_in_leader_change(&mut self) {
        let how = self.crash_kind();
        let disk = self.node.disk();
        disk.crash_at(disk.operations() + self.random.below(8), how);
        self.change_leader();
        self.crash_now();
    }

    /// Crashes about when the first batches of the new term are written: what they do not cover of the term before must be gone.
    async fn crash_after_leader_change(&mut self) {
        self.change_leader();
        let time = Duration::from_micros(self.random.below(5_000));
        self.sim.sleep(time).await;
        self.crash_now();
    }

    /// Brings the node back if it is down, or its directory offline.
    async fn ensure_up(&mut self) {
        let server = self.current.lock().clone();
        let is_fine = server.is_some_and(|server| !server.dir.is_offline());
        if !is_fine || self.node.is_down() {
            self.current.lock().take();
            self.node.restart();
            self.open().await;
        }
    }

    /// Segments and their sizes on the disk.
    fn logs(&self) -> Vec<(String, u64)> {
        let (disk, dir) = (self.node.disk(), Path::new("/data/orders-0"));
        let entries = disk.list(dir).unwrap_or_default().into_iter();
        let logs = entries.filter(|entry| entry.name.ends_with(".log"));
        logs.map(|entry| (entry.name.clone(), disk.stat(&dir.join(entry.name)).unwrap().map_or(0, |stat| stat.len)))
            .collect()
    }

    /// Opens the log, through crashes while it recovers, and compares what is there with what must be.
    async fn open(&mut self) {
        self.epoch += 1;
        for attempt in 0..OPENINGS_MAX {
            let disk = self.node.disk().clone();
            disk.set_rates(FaultRates::default());
            if attempt == 0 && self.random.chance(300_000) {
                let how = self.crash_kind();
                disk.crash_at(disk.operations() + self.random.below(30), how);
            }
            self.sim.tell(|| format!("attempt {attempt} to open {:?}", self.logs()));
            match Server::open(&self.node.host(), &self.plan, self.epoch) {
                Ok(server) if !self.node.is_down() => {
                    let view = Arc::clone(server.log.lock().view());
                    self.sim.tell(|| server.describe());
                    self.checker.lock().check(&view);
                    disk.set_rates(self.plan.rates);
                    *self.current.lock() = Some(server);
                    return;
                }
                Ok(_) | Err(_) if self.node.is_down() => self.sim.meet("crash in recovery"),
                Ok(_) => {}
                Err(why) => panic!("the log does not open on a disk that works: {why}"),
            }
            self.node.restart();
            self.sim.sleep(Duration::from_millis(1)).await;
        }
        panic!("the log did not open in {OPENINGS_MAX} attempts");
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
