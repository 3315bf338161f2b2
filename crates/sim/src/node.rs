//! A simulated machine: a disk that outlives its crashes, and a process that does not.

use crate::clock::SimClock;
use crate::disk::{Crash, SimDisk, Sleep};
use crate::exec::{Exec, SimTasks};
use crate::net::{Network, SimNet};
use crate::random::Random;
use ottla_host::clock::Clock;
use ottla_host::tasks::TaskHandle;
use ottla_host::{Chance, Host, Tasks};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

/// A machine of the simulation. Clones are the same machine.
#[derive(Clone)]
pub struct Node {
    machine: Arc<Machine>,
}

struct Machine {
    name: String,
    id: u64,
    seed: u64,
    clock: SimClock,
    disk: SimDisk,
    exec: Arc<Exec>,
    network: Arc<Network>,
    life: Mutex<Life>,
}

/// The process that runs on a machine, or its absence.
struct Life {
    number: u64,
    running: Option<Running>,
}

struct Running {
    host: Host,
    tasks: Arc<SimTasks>,
}

/// What all machines of a world share.
pub(crate) struct Surroundings {
    pub(crate) seed: u64,
    pub(crate) clock: SimClock,
    pub(crate) exec: Arc<Exec>,
    pub(crate) network: Arc<Network>,
}

impl Node {
    pub(crate) fn start(shared: &Surroundings, name: &str, id: u64) -> Node {
        let clock = shared.clock.node_clock();
        let seed = Random::stream(shared.seed, name).draw();
        let disk = SimDisk::with_time(seed, clock.clone(), sleeper(&shared.exec, &clock));
        let machine = Machine {
            name: name.to_owned(),
            id,
            seed,
            clock,
            disk,
            exec: Arc::clone(&shared.exec),
            network: Arc::clone(&shared.network),
            life: Mutex::new(Life { number: 0, running: None }),
        };
        let node = Node { machine: Arc::new(machine) };
        node.begin_life();
        node
    }

    pub(crate) fn id(&self) -> u64 {
        self.machine.id
    }

    /// Its name, which also is its host name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.machine.name
    }

    /// Its address in the network.
    #[must_use]
    pub fn ip(&self) -> IpAddr {
        let [.., high, low] = self.machine.id.to_be_bytes();
        IpAddr::V4(Ipv4Addr::new(10, 0, high, low))
    }

    /// What the process that runs now sees of the world.
    ///
    /// # Panics
    /// When the node is down.
    #[must_use]
    pub fn host(&self) -> Host {
        let life = self.machine.life.lock();
        life.running
            .as_ref()
            .map(|running| running.host.clone())
            .expect("a node that is down has no host; restart it first")
    }

    /// Its disk, to plan faults on and to look at.
    #[must_use]
    pub fn disk(&self) -> &SimDisk {
        &self.machine.disk
    }

    /// Its clocks, to make the wall jump.
    #[must_use]
    pub fn clock(&self) -> &SimClock {
        &self.machine.clock
    }

    /// Lets so many tasks of the node block at once, as the threads of a runtime do: while as many wait for a stalled
    /// device, no other runs.
    pub fn set_workers(&self, workers: usize) {
        self.machine.exec.set_workers(self.machine.id, workers);
    }

    /// Runs a task of the process.
    pub fn spawn(&self, name: &str, task: impl Future<Output = ()> + Send + 'static) -> Arc<dyn TaskHandle> {
        self.host().tasks.spawn(name, Box::pin(task))
    }

    /// Whether no process runs.
    #[must_use]
    pub fn is_down(&self) -> bool {
        self.bury_if_down();
        self.machine.life.lock().running.is_none()
    }

    /// Kills the process, or cuts the power: its tasks are dropped, its connections closed, or left half-open.
    pub fn crash(&self, how: Crash) {
        self.machine.disk.crash(how);
        self.bury_if_down();
    }

    /// Ends a process whose disk has crashed.
    pub(crate) fn bury_if_down(&self) {
        let machine = &*self.machine;
        if !machine.disk.is_down() {
            return;
        }
        let Some(running) = machine.life.lock().running.take() else { return };
        let is_silent = machine.disk.last_crash() == Some(Crash::Power);
        machine.network.node_dies(machine.id, is_silent);
        machine.exec.drop_node(machine.id);
        running.tasks.end();
    }

    /// The world ends, and the process with it.
    pub(crate) fn end(&self) {
        let running = self.machine.life.lock().running.take();
        if let Some(running) = running {
            running.tasks.end();
        }
    }

    /// Starts a process again, on the disk as the crash has left it. A node that is up is killed first.
    pub fn restart(&self) {
        self.crash(Crash::Process);
        self.machine.disk.restart();
        self.begin_life();
    }

    fn begin_life(&self) {
        let machine = &*self.machine;
        machine.network.node_lives(machine.id, &machine.name, self.ip());
        let mut life = machine.life.lock();
        life.number += 1;
        let (exec, clock) = (Arc::clone(&machine.exec), machine.clock.clone());
        let tasks = Arc::new(SimTasks::new(exec, clock, machine.id, machine.disk.stalls()));
        let host = Host {
            clock: Arc::new(machine.clock.clone()),
            disk: Arc::new(machine.disk.clone()),
            net: Arc::new(SimNet::new(Arc::clone(&machine.network), machine.id)),
            tasks: Arc::clone(&tasks) as _,
            chance: Arc::new(SimChance { seed: machine.seed ^ life.number, streams: Mutex::default() }),
        };
        life.running = Some(Running { host, tasks });
    }
}

fn sleeper(exec: &Arc<Exec>, clock: &SimClock) -> Sleep {
    let tasks = SimTasks::new(Arc::clone(exec), clock.clone(), 0, Arc::default());
    let clock = clock.clone();
    Arc::new(move |time: Duration| tasks.sleep_until(clock.monotonic() + time))
}

/// Seeded bits, a stream for each concern.
struct SimChance {
    seed: u64,
    streams: Mutex<BTreeMap<&'static str, Random>>,
}

impl Chance for SimChance {
    fn fill(&self, concern: &'static str, bytes: &mut [u8]) {
        let mut streams = self.streams.lock();
        streams.entry(concern).or_insert_with(|| Random::stream(self.seed, concern)).fill(bytes);
    }
}
