//! The task of the quorum: one loop that waits for the next thing, tells the state, and does what the state wants.

use super::feed::Committed;
use super::publish::Publisher;
use super::write::{Queued, SnapshotOutcome, Waiting};
use super::{AppendError, Command, QuorumConfig, QuorumStatus};
use crate::log::{LogError, MetadataLog};
use crate::quorum_state;
use crate::state::State;
use crate::state::event::{Effect, Election, Event, Leadership};
use crate::state::ids::KraftVersion;
use ottla_host::{BoxFuture, Host, Monotonic};
use ottla_wire::ids::{BrokerId, Offset};
use std::collections::VecDeque;
use std::future::pending;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot, watch};

/// Thread for elections, which wait for nothing else, and for closing.
const LANE: &str = "raft";

/// Thread for snapshots.
pub(super) const SNAPSHOT_LANE: &str = "raft-snapshot";

/// Appends taken over into the task that wait for the flush before theirs.
const QUEUE_MAX: usize = 1_024;

/// Ends of the channels that the handles hold the other ends of.
pub(super) struct Channels {
    pub(super) commands: mpsc::Receiver<Command>,
    pub(super) feed: mpsc::Sender<Committed>,
    pub(super) leadership: watch::Sender<Leadership>,
    pub(super) status: watch::Sender<QuorumStatus>,
    pub(super) failure: watch::Sender<Option<Arc<str>>>,
}

/// Items put into the feed before the loop looks at other things again.
const FEED_TURN: usize = 16;

/// What the loop goes on with.
enum Next {
    /// A flush has ended.
    Flushed(Result<Offset, LogError>),
    /// A snapshot was written, or not.
    Snapshot(SnapshotOutcome),
    /// The feed has room, or nobody takes from it any more.
    Room(bool),
    /// Somebody asks.
    Command(Option<Command>),
    /// Something is due.
    Time,
}

/// Why the task ends.
pub(super) type Failure = Arc<str>;

pub(super) struct Task {
    pub(super) host: Host,
    pub(super) dir: PathBuf,
    pub(super) config: QuorumConfig,
    pub(super) kraft_version: KraftVersion,
    pub(super) state: State,
    pub(super) log: Box<dyn MetadataLog>,
    pub(super) publisher: Publisher,
    pub(super) channels: Channels,
    /// Appends to be written with the next flush.
    pub(super) queue: VecDeque<Queued>,
    /// When the first of them may wait no longer for company.
    pub(super) linger_until: Option<Monotonic>,
    /// Appends written and not committed, by offset.
    pub(super) waiting: VecDeque<Waiting>,
    /// A flush under way.
    pub(super) flush: Option<BoxFuture<'static, Result<Offset, LogError>>>,
    /// Whether something was written since the last flush began.
    pub(super) unflushed: bool,
    pub(super) last_append: Monotonic,
    /// A snapshot being written.
    pub(super) snapshot: Option<BoxFuture<'static, SnapshotOutcome>>,
    feed_closed: bool,
    stopping: Option<oneshot::Sender<()>>,
}

async fn finished<T>(future: &mut Option<BoxFuture<'static, T>>) -> T {
    match future {
        Some(running) => {
            let value = running.await;
            *future = None;
            value
        }
        None => pending().await,
    }
}

/// Runs blocking work on one of raft's threads.
pub(super) fn on_lane<T: Send + 'static>(
    host: &Host,
    lane: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> BoxFuture<'static, T> {
    let (done, outcome) = oneshot::channel();
    let work = move || {
        // Nobody waits any more: the node is gone.
        let _ = done.send(work());
    };
    let running = host.tasks.offload(lane, Box::new(work));
    Box::pin(async move {
        running.await;
        outcome.await.expect("offloaded work has sent its outcome when it is done")
    })
}

impl Task {
    pub(super) fn new(
        (host, dir, kraft_version): (Host, PathBuf, KraftVersion),
        config: QuorumConfig,
        (state, log, publisher): (State, Box<dyn MetadataLog>, Publisher),
        channels: Channels,
    ) -> Task {
        Task {
            last_append: host.clock.monotonic(),
            host,
            dir,
            config,
            kraft_version,
            state,
            log,
            publisher,
            channels,
            queue: VecDeque::new(),
            linger_until: None,
            waiting: VecDeque::new(),
            flush: None,
            unflushed: false,
            snapshot: None,
            feed_closed: false,
            stopping: None,
        }
    }

    /// Carries out what the start wants, up to the first commit: a quorum of one leads then.
    pub(super) async fn begin(&mut self, effects: Vec<Effect>) -> Result<(), Failure> {
        let mut events = VecDeque::new();
        for effect in effects {
            self.carry_out(effect, &mut events).await?;
        }
        while let Some(event) = events.pop_front() {
            self.handle(event).await?;
        }
        self.begin_flush();
        let flushed = finished(&mut self.flush).await;
        self.on_flushed(flushed).await
    }

    pub(super) async fn run(mut self) {
        let outcome = self.serve().await;
        self.refuse_all();
        if let Err(reason) = &outcome {
            tracing::error!(%reason, "the metadata quorum has failed");
            self.channels.failure.send_replace(Some(Arc::clone(reason)));
            return;
        }
        let mut log = self.log;
        if let Err(error) = on_lane(&self.host, LANE, move || log.close()).await {
            tracing::error!(%error, "close the metadata log");
        }
        if let Some(stopped) = self.stopping {
            // Who asked may have gone.
            let _ = stopped.send(());
        }
    }

    async fn serve(&mut self) -> Result<(), Failure> {
        loop {
            self.write_queue().await?;
            self.begin_flush();
            if self.stopping.is_some() && self.flush.is_none() && self.snapshot.is_none() {
                return Ok(());
            }
            match self.next().await {
                Next::Flushed(flushed) => self.on_flushed(flushed).await?,
                Next::Snapshot(outcome) => self.on_snapshot(outcome).await?,
                Next::Room(open) => self.feed(open)?,
                Next::Command(Some(command)) => self.on_command(command).await?,
                // Nobody holds the quorum any more.
                Next::Command(None) => return Ok(()),
                Next::Time => self.on_time().await?,
            }
        }
    }

    /// Waits for the next thing: completions first, then room in the feed, then what is asked for.
    async fn next(&mut self) -> Next {
        let now = self.host.clock.monotonic();
        let news = !self.feed_closed && self.publisher.has_news(now);
        let open = self.stopping.is_none() && self.queue.len() < QUEUE_MAX;
        let timer = match self.wake(now) {
            Some(at) => self.host.tasks.sleep_until(at),
            None => Box::pin(pending()),
        };
        tokio::select! {
            biased;
            flushed = finished(&mut self.flush) => Next::Flushed(flushed),
            outcome = finished(&mut self.snapshot) => Next::Snapshot(outcome),
            permit = self.channels.feed.reserve(), if news => Next::Room(permit.is_ok()),
            command = self.channels.commands.recv(), if open => Next::Command(command),
            () = timer => Next::Time,
        }
    }

    /// Puts what is next into the feed, as far as there is room.
    fn feed(&mut self, open: bool) -> Result<(), Failure> {
        self.feed_closed = !open;
        let now = self.host.clock.monotonic();
        for _ in 0..FEED_TURN {
            let Ok(permit) = self.channels.feed.try_reserve() else { break };
            let item = self.publisher.take(&*self.log, now).map_err(|error| error.to_string())?;
            let Some(item) = item else { break };
            permit.send(item);
        }
        Ok(())
    }

    /// When something is due at the latest.
    fn wake(&self, now: Monotonic) -> Option<Monotonic> {
        let linger = self.linger_until.filter(|_| self.flush.is_none());
        let idle = self.idle_deadline();
        let snapshot = self.publisher.snapshot_deadline().filter(|_| !self.feed_closed);
        [self.state.deadline(now), linger, idle, snapshot].into_iter().flatten().min()
    }

    async fn on_time(&mut self) -> Result<(), Failure> {
        let now = self.host.clock.monotonic();
        if self.idle_deadline().is_some_and(|at| at <= now) {
            self.queue_no_op();
        }
        if self.state.deadline(now).is_some_and(|at| at <= now) {
            self.handle(Event::Tick).await?;
        }
        Ok(())
    }

    /// Takes a command and what else has arrived, which then shares the next write.
    async fn on_command(&mut self, command: Command) -> Result<(), Failure> {
        let mut next = Some(command);
        while let Some(command) = next {
            match command {
                Command::Append { epoch, records, done } => self.queue_append(epoch, records, done),
                Command::WriteSnapshot { id, last_timestamp_ms, records } => {
                    self.begin_snapshot(id, last_timestamp_ms, records);
                }
                Command::Resign => self.handle(Event::Resign).await?,
                Command::Stop { done } => self.stopping = Some(done),
            }
            let open = self.stopping.is_none() && self.queue.len() < QUEUE_MAX;
            next = if open { self.channels.commands.try_recv().ok() } else { None };
        }
        Ok(())
    }

    /// Tells the state of an event, does what it wants, and tells it what came of that.
    pub(super) async fn handle(&mut self, event: Event) -> Result<(), Failure> {
        let mut events = VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            let jitter = self.host.chance.below("election timeout", 1_000) as u32;
            self.state.set_jitter(jitter);
            let mut effects = Vec::new();
            self.state.step(self.host.clock.monotonic(), event, &mut effects);
            for effect in effects {
                self.carry_out(effect, &mut events).await?;
            }
        }
        self.tell_status();
        Ok(())
    }

    async fn carry_out(&mut self, effect: Effect, events: &mut VecDeque<Event>) -> Result<(), Failure> {
        match effect {
            Effect::Persist(election) => self.persist(election).await,
            Effect::AppendEpochStart { epoch, voters, granting } => {
                self.append_epoch_start(epoch, (voters, granting), events)
            }
            Effect::Commit { end } => {
                self.publisher.commit(end);
                self.complete(end);
                Ok(())
            }
            Effect::Leadership(leadership) => {
                self.on_leadership(leadership);
                Ok(())
            }
            Effect::Flush => {
                self.unflushed = true;
                Ok(())
            }
            Effect::Fatal(breach) => Err(format!("metadata quorum: {breach}").into()),
            Effect::Send { .. }
            | Effect::Answer { .. }
            | Effect::AppendFetched { .. }
            | Effect::Truncate { .. }
            | Effect::StoreSnapshotPiece { .. }
            | Effect::AdoptSnapshot { .. } => Err("metadata quorum: a quorum of one has no peers".into()),
        }
    }

    async fn persist(&mut self, election: Election) -> Result<(), Failure> {
        let disk = Arc::clone(&self.host.disk);
        let dir = self.dir.clone();
        let version = self.kraft_version;
        let voters: Vec<BrokerId> = self.state.voters().last().ids().collect();
        let write = move || quorum_state::write(&*disk, &dir, (&election, version), &voters);
        let written = on_lane(&self.host, LANE, write).await;
        written
            .map_err(|error| format!("write {} in {}: {error}", quorum_state::QUORUM_STATE, self.dir.display()).into())
    }

    fn on_leadership(&mut self, leadership: Leadership) {
        self.channels.leadership.send_replace(leadership);
        self.publisher.lead(leadership);
        if leadership.leader == Some(self.config.node_id) {
            self.last_append = self.host.clock.monotonic();
            return;
        }
        for waiting in self.waiting.drain(..) {
            let epoch = waiting.epoch();
            waiting.answer(Err(AppendError::NotLeader(epoch)));
        }
    }

    pub(super) fn tell_status(&self) {
        let state = &self.state;
        let log = state.log();
        self.channels.status.send_replace(QuorumStatus {
            epoch: state.epoch(),
            leader: state.leader(),
            high_watermark: state.committed(),
            start: log.start,
            end: log.end,
            snapshot: log.snapshots.last().copied(),
            voters: state.voters().last().clone(),
        });
    }

    pub(super) fn stopping_soon(&self) -> bool {
        self.stopping.is_some() && !self.queue.is_empty()
    }

    pub(super) fn leads(&self) -> bool {
        self.channels.leadership.borrow().leader == Some(self.config.node_id)
    }
}
