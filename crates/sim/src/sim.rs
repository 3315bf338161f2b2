//! One simulated world: its seed, its time, its nodes, and what was met in it.

use crate::clock::SimClock;
use crate::disk::Met;
use crate::exec::{Exec, Panic, SimTasks};
use crate::net::Network;
use crate::node::{Node, Surroundings};
use crate::random::Random;
use ottla_host::Tasks;
use ottla_host::clock::{Clock, Monotonic, WallClock};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::time::Duration;

/// The world of one run. Clones are the same world.
#[derive(Clone)]
pub struct Sim {
    pub(crate) shared: Arc<Shared>,
}

pub(crate) struct Shared {
    around: Surroundings,
    /// Lock order: before those of a node's disk and of the network.
    nodes: Mutex<BTreeMap<String, Node>>,
    met: Mutex<Met>,
}

/// What a run leaves behind.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outcome<T = ()> {
    /// What the story answered.
    pub answer: T,
    /// A number that sums up every choice of the run: equal seeds give equal numbers.
    pub trace: u64,
    /// The faults met, by name.
    pub met: Met,
    /// Virtual time that passed.
    pub took: Duration,
}

impl Sim {
    /// Runs `story` in the world of `seed` until it ends; what it has started is dropped then.
    ///
    /// # Panics
    /// With whatever the story panics, after printing the seed; and when all tasks wait for each other.
    pub fn run<T>(seed: u64, story: impl AsyncFnOnce(Sim) -> T) -> Outcome<T> {
        let sim = Sim { shared: Arc::new(Shared::new(seed)) };
        let mut random = Random::stream(seed, "schedule");
        let run = || {
            let crashed = sim.clone();
            sim.shared.around.exec.run(story(sim.clone()), &mut random, |node, panic| crashed.after_step(node, panic))
        };
        let answer = panic::catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|why| {
            eprintln!("the run with seed {seed} failed at {:?}", sim.shared.around.clock.monotonic());
            panic::resume_unwind(why)
        });
        sim.finish(answer)
    }

    fn finish<T>(&self, answer: T) -> Outcome<T> {
        self.shared.around.exec.clear();
        let mut met = self.shared.met.lock().clone();
        let mut trace = self.shared.around.exec.trace();
        for node in self.shared.nodes.lock().values() {
            trace = trace.rotate_left(7) ^ node.disk().trace();
            add(&mut met, &node.disk().met());
        }
        add(&mut met, &self.shared.around.network.met());
        let took = self.shared.around.clock.monotonic().since(Monotonic(0));
        // Nodes hold the world that holds them.
        let nodes = std::mem::take(&mut *self.shared.nodes.lock());
        nodes.values().for_each(Node::end);
        Outcome { answer, trace, met, took }
    }

    /// Ends the node whose disk has crashed in a step. A dead process may panic; one that lives may not.
    fn after_step(&self, id: u64, panic: Option<Panic>) {
        let found = self.shared.nodes.lock().values().find(|node| node.id() == id).cloned();
        let is_down = found.is_some_and(|node| node.is_down());
        if let Some(why) = panic.filter(|_| !is_down) {
            panic::resume_unwind(why);
        }
    }

    /// The node of that name, made and started when it does not exist.
    #[must_use]
    pub fn node(&self, name: &str) -> Node {
        let mut nodes = self.shared.nodes.lock();
        if let Some(node) = nodes.get(name) {
            return node.clone();
        }
        let id = nodes.len() as u64 + 1;
        let node = Node::start(&self.shared.around, name, id);
        nodes.insert(name.to_owned(), node.clone());
        node
    }

    /// The network between all nodes, to disturb it.
    #[must_use]
    pub fn network(&self) -> &Network {
        &self.shared.around.network
    }

    /// The seed of this run.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.shared.around.seed
    }

    /// Random numbers of their own for a concern of the story.
    #[must_use]
    pub fn random(&self, concern: &str) -> Random {
        Random::stream(self.shared.around.seed, concern)
    }

    /// Virtual time.
    #[must_use]
    pub fn now(&self) -> Monotonic {
        self.shared.around.clock.monotonic()
    }

    /// What a wall clock that never jumps shows.
    #[must_use]
    pub fn wall(&self) -> WallClock {
        self.shared.around.clock.wall()
    }

    /// Waits.
    pub async fn sleep(&self, time: Duration) {
        self.story_tasks().sleep_until(self.now() + time).await;
    }

    /// Runs a task that belongs to no node and ends with the story.
    pub fn spawn(&self, name: &str, task: impl Future<Output = ()> + Send + 'static) {
        self.story_tasks().spawn(name, Box::pin(task));
    }

    /// Counts something that the story has met.
    pub fn meet(&self, what: &'static str) {
        *self.shared.met.lock().entry(what).or_default() += 1;
    }

    /// Prints a step of the story with its virtual time, when the environment has `OTTLA_TELL`.
    pub fn tell(&self, step: impl FnOnce() -> String) {
        if std::env::var_os("OTTLA_TELL").is_some() {
            eprintln!("{:>12} ns  {}", self.now().0, step());
        }
    }

    fn story_tasks(&self) -> SimTasks {
        SimTasks::new(Arc::clone(&self.shared.around.exec), self.shared.around.clock.clone(), 0, Arc::default())
    }
}

impl Shared {
    fn new(seed: u64) -> Shared {
        let clock = SimClock::new();
        let exec = Arc::new(Exec::new(clock.clone()));
        let network = Arc::new(Network::new(seed, Arc::clone(&exec), clock.clone()));
        let around = Surroundings { seed, clock, exec, network };
        Shared { around, nodes: Mutex::default(), met: Mutex::default() }
    }
}

/// Adds the counts of `more` to `sum`.
fn add(sum: &mut Met, more: &Met) {
    for (what, count) in more {
        *sum.entry(what).or_default() += count;
    }
}

/// The seeds of a suite: `count` of them, or as many as the environment's `OTTLA_SEEDS` says; from 0, or from
/// `OTTLA_SEED_FIRST`.
#[must_use]
pub fn seeds(count: u64) -> std::ops::Range<u64> {
    let from_env = |name: &str| std::env::var(name).ok()?.parse::<u64>().ok();
    let first = from_env("OTTLA_SEED_FIRST").unwrap_or(0);
    first..first + from_env("OTTLA_SEEDS").unwrap_or(count)
}
