//! Produce load: a closed loop keeps requests in flight, an open one sends by the clock whatever the broker does.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rustix::event::epoll;
use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec};

use super::connection::Connection;
use super::{Histogram, Measured};
use crate::failure::{Doing, Failure, Result};
use crate::protocol::frame;
use crate::server::process;

/// Ready sockets taken from one wait.
const EVENTS: usize = 128;
/// Wakes the loop although no socket is ready, so that a silent broker ends the run.
const SILENCE: Timespec = Timespec { tv_sec: 60, tv_nsec: 0 };
/// The clock of an open loop ticks no faster than this.
const TICK_MIN: Duration = Duration::from_micros(100);
/// Requests of an open loop on one connection at once.
const OPEN_IN_FLIGHT: usize = 256;
const TIMER: u64 = u64::MAX;
const DRAIN_WITHIN: Duration = Duration::from_secs(60);

/// What is sent.
#[derive(Clone, Debug)]
pub(crate) struct Shape {
    /// Connections.
    pub(crate) connections: usize,
    /// Requests in flight on each, in a closed loop.
    pub(crate) in_flight: usize,
    /// Records of each batch.
    pub(crate) records: u32,
    /// Bytes of each value.
    pub(crate) size: usize,
    /// Partitions of the topic, written in turn.
    pub(crate) partitions: i32,
    /// Requests a second of an open loop over all connections; none is a closed loop.
    pub(crate) rate: Option<f64>,
    /// The acks field of each request.
    pub(crate) acks: i16,
}

/// How long, and whose CPU is counted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    /// Time before measuring begins.
    pub(crate) warm_up: Duration,
    /// Time measured.
    pub(crate) measured: Duration,
    /// Process of the server.
    pub(crate) server: Option<u32>,
}

/// Sends `shape` to `topic` at `address` and measures.
pub(crate) fn run(address: SocketAddr, topic: &str, shape: &Shape, run: Run) -> Result<Measured> {
    Load::open(address, topic, shape)?.measure(run)
}

struct Load {
    connections: Vec<Connection>,
    epoll: std::os::fd::OwnedFd,
    started: Instant,
    in_flight: usize,
    pace: Option<Pace>,
    batch_bytes: u64,
    window: Window,
}

/// What the measured part of the run has seen.
#[derive(Default)]
struct Window {
    open: bool,
    requests: u64,
    latency: Histogram,
}

impl Load {
    fn open(address: SocketAddr, topic: &str, shape: &Shape) -> Result<Load> {
        let batch = frame::batch(shape.records, shape.size, None)?;
        let in_flight = if shape.rate.is_some() { OPEN_IN_FLIGHT.min(ring_max(batch.len())) } else { shape.in_flight };
        let slots = in_flight.max((shape.partitions as usize).div_ceil(shape.connections));
        let error_at = frame::produce_error_at(topic);
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).doing("create an epoll")?;
        let mut connections = Vec::new();
        for number in 0..shape.connections {
            let frames: Result<Vec<Vec<u8>>> = (0..slots)
                .map(|slot| (number * slots + slot) as i32 % shape.partitions)
                .map(|partition| frame::produce(topic, shape.acks, &[(partition, &batch)]))
                .collect();
            connections.push(Connection::open(address, &frames?, error_at)?);
            let interest = epoll::EventFlags::IN | epoll::EventFlags::OUT | epoll::EventFlags::ET;
            let data = epoll::EventData::new_u64(number as u64);
            epoll::add(&epoll, connections[number].socket(), data, interest).doing("watch a socket")?;
        }
        let pace = shape.rate.map(|rate| Pace::new(rate, &epoll)).transpose()?;
        let started = Instant::now();
        let batch_bytes = batch.len() as u64;
        Ok(Load { connections, epoll, started, in_flight, pace, batch_bytes, window: Window::default() })
    }

    fn measure(mut self, run: Run) -> Result<Measured> {
        self.started = Instant::now();
        self.send_until(run.warm_up)?;
        let cpu_before = run.server.map(process::cpu).transpose()?;
        let began = self.started.elapsed();
        self.window.open = true;
        self.send_until(run.warm_up + run.measured)?;
        self.window.open = false;
        let window = self.started.elapsed() - began;
        let cpu_after = run.server.map(process::cpu).transpose()?;
        let requests = self.window.requests;
        self.drain()?;
        Ok(Measured {
            requests,
            bytes: requests * self.batch_bytes,
            window,
            latency: self.window.latency,
            server_cpu: cpu_before.zip(cpu_after).map(|(before, after)| after.saturating_sub(before)),
        })
    }

    fn send_until(&mut self, end: Duration) -> Result<()> {
        self.refill_all()?;
        while self.started.elapsed() < end {
            self.turn(true)?;
        }
        Ok(())
    }

    /// Waits for the answers still due, so that the next run begins on a quiet broker.
    fn drain(&mut self) -> Result<()> {
        let deadline = Instant::now() + DRAIN_WITHIN;
        while self.connections.iter().any(|each| each.in_flight() > 0) {
            self.turn(false)?;
            if Instant::now() > deadline {
                return Err(Failure::Said("answers are missing at the end of the run".to_owned()));
            }
        }
        Ok(())
    }

    /// One wait, and all that came of it.
    fn turn(&mut self, sending: bool) -> Result<()> {
        let mut events = [const { std::mem::MaybeUninit::uninit() }; EVENTS];
        let (ready, _) = epoll::wait(&self.epoll, &mut events, Some(&SILENCE)).doing("wait for answers")?;
        if ready.is_empty() {
            return Err(Failure::Said("the broker has been silent for a minute".to_owned()));
        }
        for event in &*ready {
            match event.data.u64() {
                TIMER => self.pace.as_mut().map_or(Ok(()), Pace::acknowledge)?,
                number => self.answer(number as usize, sending)?,
            }
        }
        if self.pace.is_some() && sending { self.send_due() } else { Ok(()) }
    }

    fn answer(&mut self, number: usize, sending: bool) -> Result<()> {
        let now = self.started.elapsed().as_nanos() as u64;
        let (connection, window) = (&mut self.connections[number], &mut self.window);
        connection.receive(|since| {
            if window.open {
                window.requests += 1;
                window.latency.add(now.saturating_sub(since));
            }
        })?;
        if self.pace.is_none() && sending {
            return self.refill(number);
        }
        self.connections[number].flush()
    }

    fn refill_all(&mut self) -> Result<()> {
        if self.pace.is_some() {
            return Ok(());
        }
        (0..self.connections.len()).try_for_each(|number| self.refill(number))
    }

    fn refill(&mut self, number: usize) -> Result<()> {
        let now = self.started.elapsed().as_nanos() as u64;
        let connection = &mut self.connections[number];
        while connection.in_flight() < self.in_flight {
            connection.queue(now);
        }
        connection.flush()
    }

    /// Hands over every request whose moment has come; one that finds no room waits, its time running.
    fn send_due(&mut self) -> Result<()> {
        let now = self.started.elapsed().as_nanos() as u64;
        let Some(pace) = &mut self.pace else { return Ok(()) };
        pace.note_due(now);
        let count = self.connections.len();
        let mut full = 0;
        while full < count && !pace.due.is_empty() {
            let connection = &mut self.connections[pace.turn % count];
            pace.turn += 1;
            if connection.in_flight() >= self.in_flight {
                full += 1;
                continue;
            }
            full = 0;
            pace.due.pop_front().into_iter().for_each(|moment| connection.queue(moment));
        }
        self.connections.iter_mut().try_for_each(Connection::flush)
    }
}

/// Bytes of frames one connection of an open loop may hold.
fn ring_max(batch: usize) -> usize {
    ((16 << 20) / batch).max(8)
}

/// The schedule of an open loop.
struct Pace {
    interval_ns: f64,
    scheduled: u64,
    due: VecDeque<u64>,
    turn: usize,
    timer: std::os::fd::OwnedFd,
}

impl Pace {
    fn new(rate: f64, epoll: &std::os::fd::OwnedFd) -> Result<Pace> {
        let interval = Duration::from_secs_f64(1.0 / rate);
        let tick = interval.max(TICK_MIN);
        let tick = Timespec { tv_sec: tick.as_secs() as i64, tv_nsec: i64::from(tick.subsec_nanos()) };
        let timer =
            rustix::time::timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)
                .doing("create a timer")?;
        let period = Itimerspec { it_interval: tick, it_value: tick };
        rustix::time::timerfd_settime(&timer, TimerfdTimerFlags::empty(), &period).doing("set the timer")?;
        epoll::add(epoll, &timer, epoll::EventData::new_u64(TIMER), epoll::EventFlags::IN).doing("watch the timer")?;
        Ok(Pace { interval_ns: interval.as_nanos() as f64, scheduled: 0, due: VecDeque::new(), turn: 0, timer })
    }

    /// Moves every moment up to `now` into the queue of requests that are due.
    fn note_due(&mut self, now: u64) {
        loop {
            let moment = (self.scheduled as f64 * self.interval_ns) as u64;
            if moment > now {
                return;
            }
            self.due.push_back(moment);
            self.scheduled += 1;
        }
    }

    fn acknowledge(&mut self) -> Result<()> {
        let mut expirations = [0; 8];
        match rustix::io::read(&self.timer, &mut expirations) {
            Ok(_) | Err(rustix::io::Errno::AGAIN) => Ok(()),
            Err(error) => Err(error).doing("read the timer"),
        }
    }
}
