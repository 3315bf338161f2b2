//! One connection: takes every whole request that was read, lets them append together, answers in order at once.
//!
//! A turn is: send what is ready, read once, begin the requests that may begin, write the touched partitions (one
//! vectored write each, whatever number of requests it serves), look at the requests again, queue the ready answers.
//!
//! Between putting batches into their partitions' queues and writing them, the other connections of the thread that have
//! something to read get a turn, and put theirs into the same queues: the first that goes on writes for all. A connection
//! that is alone goes on at once.

use crate::api::call::{Outcome, Work};
use crate::api::peer::{Peer, REQUESTS_MAX, Stage};
use crate::api::table;
use crate::net::inbox::{FrameError, Front, Inbox};
use crate::net::limits::BytesWait;
use crate::net::outbox::Outbox;
use crate::net::server::Server;
use bytes::{Bytes, BytesMut};
use ottla_host::net::Stream;
use ottla_host::{BoxFuture, Monotonic};
use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// Turns after which other tasks of the thread get theirs.
const TURNS_MAX: usize = 32;
/// Longest time that a connection of a stopping broker waits for the other end to close.
const PARTING_MAX: Duration = Duration::from_millis(200);
/// Bytes dropped at once while it waits.
const PARTING_READ: usize = 16 << 10;
/// Unsent answers in bytes (regions of files included) beyond which no further request is begun.
const OUTBOX_BYTES_MAX: usize = 64 << 20;

/// A request that has no answer yet, or whose answer waits for its turn.
struct Flight {
    state: State,
    slot: usize,
    bytes: usize,
    /// Row of the table; None for what is refused.
    row: Option<usize>,
    /// When its last bytes were read.
    arrived: Monotonic,
}

enum State {
    Running(BoxFuture<'static, Outcome>),
    Ended(Outcome),
}

/// Why a connection ends.
#[derive(Debug, thiserror::Error)]
pub(crate) enum End {
    #[error("the other end closed it")]
    Closed,
    #[error("it was silent for longer than connections.max.idle.ms")]
    Idle,
    #[error("the broker stops")]
    Stopping,
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error(transparent)]
    Socket(#[from] io::Error),
    #[error("{0}")]
    Request(String),
}

enum Turn {
    Again,
    Wait,
    /// Batches are queued; other connections may add theirs before they are written.
    Gather,
    End(End),
}

/// A connection as a task.
pub(crate) struct Connection {
    server: Arc<Server>,
    stream: Box<dyn Stream>,
    peer: Arc<Peer>,
    inbox: Inbox,
    outbox: Outbox,
    flights: VecDeque<Flight>,
    next_slot: usize,
    /// Bytes of the frame at the front of the inbox are taken from the global bound.
    front_counted: usize,
    bytes_wait: Option<BytesWait>,
    /// Others had their turn since batches were put into queues that are not written yet.
    has_gathered: bool,
    /// No request is taken any more; the connection ends once the ones in flight are answered.
    ending: Option<End>,
    /// Our direction is closed because the broker stops; ends when the other end has had its time to close too.
    parting: Option<BoxFuture<'static, ()>>,
    stop: Pin<Box<tokio::sync::futures::OwnedNotified>>,
    /// The waker that `stop` and `idle` know; they are looked at again only for another one, or when nothing else was
    /// what woke the task.
    known: Option<Waker>,
    last_read: Monotonic,
    idle: Option<BoxFuture<'static, ()>>,
    /// When `idle` ends.
    idle_until: Monotonic,
}

impl Connection {
    pub(crate) fn new(server: Arc<Server>, stream: Box<dyn Stream>, peer: Arc<Peer>) -> Connection {
        let mut stop = Box::pin(server.stop.clone().notified_owned());
        stop.as_mut().enable();
        let last_read = server.host.clock.monotonic();
        Connection {
            stream,
            peer,
            inbox: Inbox::default(),
            outbox: Outbox::default(),
            flights: VecDeque::new(),
            next_slot: 0,
            front_counted: 0,
            bytes_wait: None,
            has_gathered: false,
            ending: None,
            parting: None,
            stop,
            known: None,
            last_read,
            idle: None,
            idle_until: last_read,
            server,
        }
    }

    fn turn(&mut self, task: &mut Context<'_>) -> Turn {
        // Before anything that may end the connection: what is queued is written, whether somebody waits for it or not.
        if std::mem::take(&mut self.has_gathered) {
            self.serve(task);
            return Turn::Again;
        }
        let sent = match self.outbox.poll_flush(&mut *self.stream, task) {
            Poll::Ready(Ok(())) => true,
            Poll::Ready(Err(error)) => return Turn::End(error.into()),
            Poll::Pending => false,
        };
        if sent && self.flights.is_empty() {
            match self.ending.take() {
                None => {}
                Some(End::Stopping) => return self.part(task),
                Some(end) => return Turn::End(end),
            }
        }
        let read = match self.read(task) {
            Ok(read) => read,
            Err(end) => return Turn::End(end),
        };
        self.begin_all(task);
        if self.peer.has_touched() {
            self.has_gathered = true;
            return Turn::Gather;
        }
        let served = self.serve(task);
        if self.flights.is_empty() {
            self.inbox.rest(&self.server.buffers);
        }
        let ended = self.ending.is_some() && self.flights.is_empty() && self.outbox.is_empty();
        if read || served || ended { Turn::Again } else { Turn::Wait }
    }

    /// All is answered: closes our direction, then reads and drops what still comes until the other end closes too. Bytes left
    /// unread would make the system reset the connection, and the last answers would be lost with it.
    fn part(&mut self, task: &mut Context<'_>) -> Turn {
        self.ending = Some(End::Stopping);
        if self.parting.is_none() {
            match self.stream.poll_close(task) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => return Turn::End(error.into()),
                Poll::Pending => return Turn::Wait,
            }
        }
        let until = self.server.host.clock.monotonic() + PARTING_MAX;
        let tasks = &self.server.host.tasks;
        let parting = self.parting.get_or_insert_with(|| tasks.sleep_until(until));
        if parting.as_mut().poll(task).is_ready() {
            return Turn::End(End::Stopping);
        }
        let mut dropped = BytesMut::with_capacity(PARTING_READ);
        match self.stream.poll_read(task, &mut dropped) {
            Poll::Ready(Ok(0) | Err(_)) => Turn::End(End::Stopping),
            Poll::Ready(Ok(_)) => Turn::Again,
            Poll::Pending => Turn::Wait,
        }
    }

    /// Reads once if requests may be taken; whether bytes came.
    fn read(&mut self, task: &mut Context<'_>) -> Result<bool, End> {
        if self.ending.is_some() || self.flights.len() >= REQUESTS_MAX || self.outbox.bytes() > OUTBOX_BYTES_MAX {
            return Ok(false);
        }
        let front = match self.inbox.front(self.server.limits.bounds().request_bytes_max) {
            Ok(front) => front,
            Err(error) => {
                self.ending = Some(error.into());
                return Ok(true);
            }
        };
        if !self.count_front(front, task) || matches!(front, Front::Whole { .. }) {
            return Ok(false);
        }
        let buffer = self.inbox.room(front, &self.server.buffers);
        match self.stream.poll_read(task, buffer) {
            Poll::Ready(Ok(0)) => Err(End::Closed),
            Poll::Ready(Ok(_)) => {
                self.last_read = self.server.host.clock.monotonic();
                Ok(true)
            }
            Poll::Ready(Err(error)) => Err(error.into()),
            Poll::Pending => Ok(false),
        }
    }

    /// Takes the bytes of the frame at the front from the global bound; false while they are not free.
    fn count_front(&mut self, front: Front, task: &mut Context<'_>) -> bool {
        let (Front::Part { length } | Front::Whole { length, .. }) = front else { return true };
        if self.front_counted > 0 || self.server.limits.take_bytes(length) {
            self.front_counted = length;
            self.bytes_wait = None;
            return true;
        }
        loop {
            let wait = self.bytes_wait.get_or_insert_with(|| self.server.limits.wait_for_bytes());
            let freed = wait.freed.as_mut().poll(task).is_ready();
            if self.server.limits.take_bytes(length) {
                self.front_counted = length;
                self.bytes_wait = None;
                return true;
            }
            if !freed {
                return false;
            }
            self.bytes_wait = None;
        }
    }

    /// Writes partitions and looks at the requests in flight, and begins others, until nothing further can begin.
    /// Whether answers were queued.
    fn serve(&mut self, task: &mut Context<'_>) -> bool {
        let mut answered = false;
        loop {
            self.peer.drive();
            for flight in &mut self.flights {
                if let State::Running(future) = &mut flight.state
                    && let Poll::Ready(outcome) = future.as_mut().poll(task)
                {
                    flight.state = State::Ended(outcome);
                }
            }
            self.peer.drive();
            answered |= self.queue_answers();
            if !self.begin_all(task) {
                return answered;
            }
        }
    }

    fn begin_all(&mut self, task: &mut Context<'_>) -> bool {
        let mut begun = false;
        while self.ending.is_none() && self.flights.len() < REQUESTS_MAX && self.outbox.bytes() <= OUTBOX_BYTES_MAX {
            let front = match self.inbox.front(self.server.limits.bounds().request_bytes_max) {
                Ok(front) => front,
                Err(error) => {
                    self.ending = Some(error.into());
                    break;
                }
            };
            let Front::Whole { length, key } = front else { break };
            if !self.may_begin(key) || !self.count_front(front, task) {
                break;
            }
            self.front_counted = 0;
            let frame = self.inbox.take(length);
            self.begin(frame);
            begun = true;
        }
        begun
    }

    /// Whether the stages of the requests in flight let a request of `key` begin.
    fn may_begin(&self, key: i16) -> bool {
        let least = if table::is_produce(key) { Stage::Submitted } else { Stage::Settled };
        self.flights.iter().all(|flight| match flight.state {
            State::Ended(_) => true,
            State::Running(_) => self.peer.stage(flight.slot) >= least,
        })
    }

    /// Makes the request's future and polls it once, which puts the batches of a produce request into their queues.
    /// The waker is an idle one: each future is looked at again after the partitions are written.
    fn begin(&mut self, frame: Bytes) {
        let slot = self.next_slot;
        self.next_slot = (slot + 1) % REQUESTS_MAX;
        self.peer.set_stage(slot, Stage::Working);
        let bytes = frame.len();
        let work = Work { peer: self.peer.clone(), slot, frame, buffer: self.outbox.buffer() };
        self.server.meters.bytes_in.add(bytes as u64);
        let (state, row) = match table::serve(work, &self.server.meters) {
            Err(reason) => (State::Ended(Outcome::Close(reason)), None),
            Ok(mut begun) => match begun.future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(outcome) => (State::Ended(outcome), Some(begun.row)),
                Poll::Pending => (State::Running(begun.future), Some(begun.row)),
            },
        };
        self.flights.push_back(Flight { state, slot, bytes, row, arrived: self.last_read });
    }

    /// Moves the answers that are next in order to the outbox.
    fn queue_answers(&mut self) -> bool {
        let Some(Flight { state: State::Ended(_), .. }) = self.flights.front() else { return false };
        let now = self.server.host.clock.monotonic();
        let meters = &self.server.meters;
        while let Some(Flight { state: State::Ended(_), .. }) = self.flights.front() {
            let Some(Flight { state: State::Ended(outcome), bytes, row, arrived, .. }) = self.flights.pop_front()
            else {
                break;
            };
            self.server.limits.give_bytes(bytes);
            if let Some(row) = row {
                meters.answered(row, u64::try_from(now.since(arrived).as_micros()).unwrap_or(u64::MAX));
            }
            match outcome {
                Outcome::Answer(answer) => {
                    meters.bytes_out.add(answer.total() as u64);
                    self.outbox.push(answer);
                }
                Outcome::Silence => {}
                Outcome::Close(reason) => {
                    self.ending = Some(End::Request(reason));
                    self.drop_flights();
                    break;
                }
            }
        }
        true
    }

    fn drop_flights(&mut self) {
        for flight in self.flights.drain(..) {
            self.server.limits.give_bytes(flight.bytes);
        }
    }

    /// Ends the connection when it has been silent for too long; asks for a look at the right time otherwise.
    fn check_idle(&mut self, task: &mut Context<'_>) -> Option<End> {
        let idle_max = self.server.limits.bounds().idle_max?;
        loop {
            let now = self.server.host.clock.monotonic();
            let silent = now.since(self.last_read);
            let busy = !self.flights.is_empty();
            if silent >= idle_max && !busy {
                return Some(End::Idle);
            }
            let from = if busy { now } else { self.last_read };
            let tasks = &self.server.host.tasks;
            if self.idle.is_none() {
                self.idle_until = from + idle_max;
            }
            let timer = self.idle.get_or_insert_with(|| tasks.sleep_until(self.idle_until));
            if timer.as_mut().poll(task).is_pending() {
                return None;
            }
            self.idle = None;
        }
    }

    fn log_end(&self, end: &End) {
        let peer = self.peer.address;
        match end {
            End::Closed | End::Stopping => tracing::debug!(%peer, reason = %end, "connection ends"),
            End::Idle | End::Socket(_) => tracing::info!(%peer, reason = %end, "connection ends"),
            End::Frame(_) | End::Request(_) => tracing::warn!(%peer, reason = %end, "connection closed by us"),
        }
    }
}

impl Future for Connection {
    type Output = ();

    fn poll(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        let is_known = this.known.as_ref().is_some_and(|known| known.will_wake(task.waker()));
        if !is_known {
            this.known = Some(task.waker().clone());
            let _ = this.stop.as_mut().poll(task);
        }
        if this.ending.is_none() && this.server.is_stopping() {
            this.ending = Some(End::Stopping);
        }
        for turn in 0..TURNS_MAX {
            let end = match this.turn(task) {
                Turn::Again => continue,
                Turn::Gather => {
                    // Wakes the task behind all that are ready by then.
                    let _ = pin!(tokio::task::yield_now()).poll(task);
                    return Poll::Pending;
                }
                Turn::Wait if turn > 0 && is_known && this.server.host.clock.monotonic() < this.idle_until => None,
                Turn::Wait => this.check_idle(task),
                Turn::End(end) => Some(end),
            };
            let Some(end) = end else { return Poll::Pending };
            this.log_end(&end);
            return Poll::Ready(());
        }
        task.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.drop_flights();
        self.server.limits.give_bytes(self.front_counted);
    }
}
