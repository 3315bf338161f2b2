//! The network between the nodes: delays, lost connections, one-way partitions, silence of machines without power.

mod pipe;
mod socket;

pub(crate) use socket::SimNet;

use crate::clock::SimClock;
use crate::disk::Met;
use crate::exec::Exec;
use crate::random::Random;
use ottla_host::clock::{Clock, Monotonic};
use parking_lot::Mutex;
use pipe::{Pipe, PipeEnd};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

/// First port that is given to those who ask for any.
const EPHEMERAL_PORT: u16 = 49_152;

/// How the network behaves. Probabilities are per million writes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NetRates {
    /// Least delay of a segment.
    pub delay_min: Duration,
    /// Most delay of a segment.
    pub delay_max: Duration,
    /// Writes on which the connection breaks instead.
    pub reset: u32,
    /// Reads and writes that take only a part.
    pub partial: u32,
}

impl Default for NetRates {
    fn default() -> NetRates {
        let (delay_min, delay_max) = (Duration::from_micros(50), Duration::from_micros(500));
        NetRates { delay_min, delay_max, reset: 0, partial: 100_000 }
    }
}

/// All connections of all nodes. Lock order: before the executor's.
pub struct Network {
    state: Mutex<State>,
    exec: Arc<Exec>,
    clock: SimClock,
}

pub(crate) struct State {
    random: Random,
    rates: NetRates,
    nodes: BTreeMap<u64, Machine>,
    names: BTreeMap<String, u64>,
    blocked: BTreeSet<(u64, u64)>,
    listeners: BTreeMap<SocketAddr, Waiting>,
    pipes: BTreeMap<u64, Pipe>,
    /// Pipes by the one that runs the other way in the same connection.
    opposite: BTreeMap<u64, u64>,
    next_pipe: u64,
    next_port: u16,
    met: Met,
}

/// A machine as others see it. `life` counts its processes.
struct Machine {
    ip: IpAddr,
    life: u64,
    is_up: bool,
    is_silent: bool,
}

/// Connections that a listener has not accepted yet.
#[derive(Default)]
struct Waiting {
    node: u64,
    connections: VecDeque<Ends>,
    waker: Option<Waker>,
}

/// One side of a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ends {
    reads: u64,
    writes: u64,
    local: SocketAddr,
    peer: SocketAddr,
}

impl Network {
    pub(crate) fn new(seed: u64, exec: Arc<Exec>, clock: SimClock) -> Network {
        let state = State {
            random: Random::stream(seed, "network"),
            rates: NetRates::default(),
            nodes: BTreeMap::new(),
            names: BTreeMap::new(),
            blocked: BTreeSet::new(),
            listeners: BTreeMap::new(),
            pipes: BTreeMap::new(),
            opposite: BTreeMap::new(),
            next_pipe: 0,
            next_port: EPHEMERAL_PORT,
            met: Met::new(),
        };
        Network { state: Mutex::new(state), exec, clock }
    }

    /// Sets how the network behaves from here on.
    pub fn set_rates(&self, rates: NetRates) {
        self.state.lock().rates = rates;
    }

    /// Holds back all that `from` sends to `to`, until `heal`. Two calls make it both ways.
    pub fn block(&self, from: &crate::Node, to: &crate::Node) {
        let mut state = self.state.lock();
        state.blocked.insert((from.id(), to.id()));
        state.meet("partition");
    }

    /// Lets everything through again; what was held back arrives late.
    pub fn heal(&self) {
        let mut state = self.state.lock();
        state.blocked.clear();
        state.pipes.values_mut().for_each(Pipe::wake);
    }

    /// Breaks all connections between two nodes.
    pub fn reset(&self, one: &crate::Node, other: &crate::Node) {
        let mut state = self.state.lock();
        let pairs = [(one.id(), other.id()), (other.id(), one.id())];
        state.pipes.values_mut().filter(|pipe| pairs.contains(&(pipe.from, pipe.to))).for_each(Pipe::reset);
        state.meet("connection reset");
    }

    pub(crate) fn met(&self) -> Met {
        self.state.lock().met.clone()
    }

    pub(crate) fn node_lives(&self, id: u64, name: &str, ip: IpAddr) {
        let mut state = self.state.lock();
        let life = state.nodes.get(&id).map_or(0, |machine| machine.life + 1);
        state.nodes.insert(id, Machine { ip, life, is_up: true, is_silent: false });
        state.names.insert(name.to_owned(), id);
    }

    /// Peers of a killed process see their connections break; those of a machine without power see nothing.
    pub(crate) fn node_dies(&self, id: u64, is_silent: bool) {
        let mut state = self.state.lock();
        if let Some(machine) = state.nodes.get_mut(&id) {
            machine.is_up = false;
            machine.is_silent = is_silent;
        }
        state.listeners.retain(|_, waiting| waiting.node != id);
        let is_connected = state.pipes.values().any(|pipe| pipe.from == id || pipe.to == id);
        for pipe in state.pipes.values_mut().filter(|pipe| pipe.from == id || pipe.to == id) {
            if is_silent { pipe.become_half_open() } else { pipe.reset() }
        }
        if is_silent && is_connected {
            state.meet("half-open connections");
        }
    }

    fn wake_at(&self, at: Monotonic, waker: Waker) {
        self.exec.wake_at(at, waker);
    }

    fn now(&self) -> Monotonic {
        self.clock.monotonic()
    }
}

impl State {
    fn meet(&mut self, what: &'static str) {
        *self.met.entry(what).or_default() += 1;
    }

    fn delay(&mut self) -> Duration {
        let spread = self.rates.delay_max.saturating_sub(self.rates.delay_min).as_nanos();
        let extra = self.random.below(u64::try_from(spread).unwrap_or(u64::MAX).saturating_add(1));
        self.rates.delay_min + Duration::from_nanos(extra)
    }

    /// A whole or, sometimes, a part of `len`.
    fn part_of(&mut self, len: usize) -> usize {
        if len > 1 && self.random.chance(self.rates.partial) { 1 + self.random.index(len - 1) } else { len }
    }

    fn take_port(&mut self) -> u16 {
        let port = self.next_port;
        self.next_port = port.checked_add(1).unwrap_or(EPHEMERAL_PORT);
        port
    }

    fn ip_of(&self, node: u64) -> IpAddr {
        self.nodes.get(&node).map_or(IpAddr::from([0, 0, 0, 0]), |machine| machine.ip)
    }

    fn find(&self, own: u64, host: &str) -> Option<u64> {
        if host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback()) {
            return Some(own);
        }
        let by_ip = host.parse::<IpAddr>().ok();
        let by_ip = by_ip.and_then(|ip| self.nodes.iter().find(|(_, machine)| machine.ip == ip).map(|(id, _)| *id));
        by_ip.or_else(|| self.names.get(host).copied())
    }

    /// Joins two nodes: the ends of the first, then of the second.
    fn join(&mut self, from: u64, to: u64, target: SocketAddr) -> (Ends, Ends) {
        let source = SocketAddr::new(self.ip_of(from), self.take_port());
        let (out, back) = (self.next_pipe, self.next_pipe + 1);
        self.next_pipe += 2;
        self.pipes.insert(out, Pipe::new(from, to));
        self.pipes.insert(back, Pipe::new(to, from));
        self.opposite.insert(out, back);
        self.opposite.insert(back, out);
        let near = Ends { reads: back, writes: out, local: source, peer: target };
        (near, Ends { reads: out, writes: back, local: target, peer: source })
    }

    /// One side lets go of its connection.
    fn leave(&mut self, ends: Ends) {
        if let Some(pipe) = self.pipes.get_mut(&ends.writes) {
            pipe.drop_end(PipeEnd::Writer);
        }
        if let Some(pipe) = self.pipes.get_mut(&ends.reads) {
            pipe.drop_end(PipeEnd::Reader);
        }
        for id in [ends.reads, ends.writes] {
            if self.pipes.get(&id).is_some_and(Pipe::is_abandoned) {
                self.pipes.remove(&id);
                self.opposite.remove(&id);
            }
        }
    }
}
