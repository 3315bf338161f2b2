//! The task of one partition: brings commands, the log, the watermark and the clock to the state, and does what follows.

use super::load::replay;
use super::replica::{Replica, ReplicaError};
use super::shard::{Asked, Inbox, QUEUE_MAX, Reply};
use super::shared::Shared;
use super::state::{Effect, Effects, Event, RuntimeSettings, State};
use crate::machine::{Machine, Now, Refused, Ticket};
use ottla_host::planted::{self, Bug};
use ottla_host::{Host, Monotonic};
use ottla_wire::ids::Offset;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use tokio::sync::{mpsc, watch};

/// Most that is read of the log at once, however much settings allow: partitions are loaded side by side.
const LOAD_BYTES_MAX: usize = 1 << 20;

/// What the broker wants of a shard.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Order {
    /// Go on.
    Serve,
    /// Write and commit what was decided, answer, and end.
    Finish,
    /// End at once: another broker leads.
    Unload,
}

/// What a shard is made of.
pub struct Plan<M: Machine> {
    /// The outside.
    pub host: Host,
    /// Named in log lines: `__consumer_offsets-7`.
    pub name: String,
    /// The partition.
    pub replica: Arc<dyn Replica>,
    /// Bounds and times.
    pub settings: RuntimeSettings,
    /// Bytes of the log read at once (`offsets.load.buffer.size`).
    pub load_bytes: usize,
    /// Makes an empty machine.
    pub fresh: Box<dyn Fn() -> M + Send>,
    /// What every machine is told when it begins, and whenever it changes: the cluster's metadata.
    pub news: watch::Receiver<M::Command>,
    /// What the broker wants.
    pub orders: watch::Receiver<Order>,
    /// The queue's end.
    pub asked: Inbox<M>,
}

/// Runs the shard until it is unloaded or has finished.
pub async fn run<M>(plan: Plan<M>)
where
    M: Machine + Send,
    M::Command: Clone + Send + Sync,
    M::Answer: Send,
    M::Refusal: Send,
{
    let mut effects = Vec::new();
    let state = State::new(plan.settings, plan.fresh, &mut effects);
    let Inbox { asked, shared } = plan.asked;
    shared.open(plan.host.clock.clone(), state);
    let mut driver = Driver {
        host: plan.host,
        name: plan.name,
        replica: plan.replica,
        load_bytes: plan.load_bytes.min(LOAD_BYTES_MAX),
        news: plan.news,
        orders: plan.orders,
        asked,
        shared,
        replies: BTreeMap::new(),
        next_ticket: 1,
        seen: Offset(0),
    };
    driver.apply(effects).await;
    driver.serve().await;
}

struct Driver<M: Machine> {
    host: Host,
    name: String,
    replica: Arc<dyn Replica>,
    load_bytes: usize,
    news: watch::Receiver<M::Command>,
    orders: watch::Receiver<Order>,
    asked: mpsc::Receiver<Asked<M>>,
    shared: Arc<Shared<M>>,
    replies: BTreeMap<Ticket, Reply<M>>,
    next_ticket: u64,
    /// Watermark that the state was told last.
    seen: Offset,
}

impl<M: Machine> Drop for Driver<M> {
    fn drop(&mut self) {
        self.shared.close();
    }
}

/// What a shard wakes up for.
enum Woken<M: Machine> {
    Asked(Option<Asked<M>>),
    News,
    Orders,
    Moved(Result<Offset, ReplicaError>),
    Time,
    /// A deadline comes sooner.
    Sooner,
}

impl<M> Driver<M>
where
    M: Machine + Send,
    M::Command: Clone + Send + Sync,
    M::Answer: Send,
    M::Refusal: Send,
{
    async fn serve(&mut self) {
        while !self.shared.with(|state| state.is_unloaded()) {
            let order = *self.orders.borrow_and_update();
            match order {
                Order::Serve => {}
                Order::Finish if self.shared.with(|state| state.is_settled()) => break,
                Order::Finish => {}
                Order::Unload => {
                    self.step(Event::Unloaded).await;
                    break;
                }
            }
            let takes = order == Order::Serve;
            match self.wake(takes).await {
                Woken::Asked(Some(asked)) => self.take_run(asked).await,
                Woken::Asked(None) => self.step(Event::Unloaded).await,
                Woken::News => self.tell_news().await,
                Woken::Orders | Woken::Sooner => {}
                Woken::Time => self.tick(takes).await,
                Woken::Moved(Ok(watermark)) => {
                    self.seen = watermark;
                    self.step(Event::Committed(watermark)).await;
                }
                Woken::Moved(Err(ReplicaError::NotLeader)) => self.step(Event::Unloaded).await,
                Woken::Moved(Err(error @ ReplicaError::Failed(_))) => self.fail(&error).await,
            }
        }
        // Replies that are dropped tell their askers NOT_COORDINATOR, and so does the queue once it is gone.
    }

    /// Waits for something to do. A shard that finishes takes no command.
    async fn wake(&mut self, takes: bool) -> Woken<M> {
        let deadline = self.shared.with(|state| state.deadline());
        let tasks = &self.host.tasks;
        let timer = async {
            match deadline {
                Some(deadline) => tasks.sleep_until(deadline).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            changed = self.orders.changed() => match changed {
                Ok(()) => Woken::Orders,
                // Nobody can order anything any more: the broker is gone.
                Err(_) => Woken::Asked(None),
            },
            moved = self.replica.moved(self.seen) => Woken::Moved(moved),
            Ok(()) = self.news.changed() => Woken::News,
            () = timer => Woken::Time,
            () = self.shared.sooner() => Woken::Sooner,
            asked = self.asked.recv(), if takes => Woken::Asked(asked),
        }
    }

    /// Decides a command and all that wait behind it, so that their records share a batch.
    async fn take_run(&mut self, first: Asked<M>) {
        let mut next = Some(first);
        let mut taken = 0;
        while let Some(Asked { command, reply }) = next {
            let ticket = self.ticket(reply);
            self.step(Event::Asked(ticket, command)).await;
            taken += 1;
            next = if taken < QUEUE_MAX { self.asked.try_recv().ok() } else { None };
        }
        self.step(Event::Idle).await;
    }

    /// Decides what is due, but first what has been asked by now: a member whose heartbeat waits in the queue, while the
    /// disk holds up the shard, is alive.
    async fn tick(&mut self, takes: bool) {
        if takes && let Ok(first) = self.asked.try_recv() {
            self.take_run(first).await;
        }
        // What has been asked may go by news that have come meanwhile, and what is due must not go by older ones.
        if self.news.has_changed().unwrap_or(false) {
            self.tell_news().await;
        }
        self.step(Event::Tick).await;
    }

    fn ticket(&mut self, reply: Option<Reply<M>>) -> Ticket {
        let Some(reply) = reply else { return Ticket::NOBODY };
        let ticket = Ticket(self.next_ticket);
        self.next_ticket += 1;
        self.replies.insert(ticket, reply);
        ticket
    }

    async fn tell_news(&mut self) {
        let news = self.news.borrow_and_update().clone();
        self.step(Event::Asked(Ticket::NOBODY, news)).await;
        self.step(Event::Idle).await;
    }

    fn now(&self) -> Now {
        Now { monotonic: self.host.clock.monotonic(), wall: self.host.clock.wall() }
    }

    async fn step(&mut self, event: Event<M::Command>) {
        let mut effects = Vec::new();
        let now = self.now();
        let news = &mut self.news;
        self.shared.with(|state| {
            let was_active = state.machine().is_some();
            state.step(now, event, &mut effects);
            if !was_active && state.machine().is_some() {
                // The news came while nobody could be told.
                let news = news.borrow_and_update().clone();
                state.step(now, Event::Asked(Ticket::NOBODY, news), &mut effects);
                state.step(now, Event::Idle, &mut effects);
            }
        });
        self.apply(effects).await;
    }

    async fn apply(&mut self, effects: Effects<M>) {
        let mut effects = VecDeque::from(effects);
        while let Some(effect) = effects.pop_front() {
            let event = match effect {
                Effect::Answer(ticket, answer) => {
                    self.reply(ticket, answer);
                    continue;
                }
                Effect::RefuseAll(why) => {
                    self.refuse_all(why);
                    continue;
                }
                Effect::Append(batch) => match self.replica.append(batch).await {
                    Ok(end) => Event::Appended(end),
                    Err(error) => self.failure(&error),
                },
                Effect::Load => self.load().await,
            };
            let mut more = Vec::new();
            // Alone on its partition a leader's batch is committed as soon as it is written.
            self.seen = self.replica.watermark();
            let (now, committed) = (self.now(), Event::Committed(self.seen));
            self.shared.with(|state| {
                state.step(now, event, &mut more);
                state.step(now, committed, &mut more);
            });
            effects.extend(more);
        }
    }

    fn reply(&mut self, ticket: Ticket, answer: Result<M::Answer, M::Refusal>) {
        if let Some(reply) = self.replies.remove(&ticket) {
            // The asker may have gone.
            let _ = reply.send(answer);
        }
    }

    fn refuse_all(&mut self, why: Refused) {
        for (_, reply) in std::mem::take(&mut self.replies) {
            let _ = reply.send(Err(why.into()));
        }
    }

    async fn fail(&mut self, error: &ReplicaError) {
        let event = self.failure(error);
        self.step(event).await;
    }

    fn failure(&self, error: &ReplicaError) -> Event<M::Command> {
        match error {
            ReplicaError::NotLeader => Event::Unloaded,
            ReplicaError::Failed(reason) => {
                tracing::warn!(partition = self.name, reason, "the coordinator cannot write; it is loaded again");
                Event::NotAppended
            }
        }
    }

    async fn load(&mut self) -> Event<M::Command> {
        let begun = self.host.clock.monotonic();
        match self.replay_log().await {
            Ok(end) => {
                self.told_loaded(begun, end);
                Event::Loaded(end)
            }
            Err(Unread::NotLeader) => Event::Unloaded,
            Err(Unread::Failed(reason)) => {
                tracing::error!(partition = self.name, reason, "the coordinator cannot be loaded");
                Event::NotLoaded
            }
        }
    }

    fn told_loaded(&self, begun: Monotonic, end: Offset) {
        let took = self.host.clock.monotonic().since(begun);
        tracing::debug!(partition = self.name, end = end.0, took_ms = took.as_millis() as u64, "coordinator loaded");
    }

    /// Replays the log from its start to its end. Askers are told meanwhile that it is loading.
    async fn replay_log(&mut self) -> Result<Offset, Unread> {
        let mut at = self.replica.start();
        let mut scratch = Vec::new();
        let unread = i64::from(planted::active(Bug::ShortLoad));
        while at < self.replica.end().plus(-unread) {
            if *self.orders.borrow() == Order::Unload {
                return Err(Unread::NotLeader);
            }
            let bytes = self.replica.read(at, self.load_bytes).await?;
            let replayed =
                self.shared.with(|state| state.loading().map(|machine| replay(machine, &bytes, &mut scratch)));
            let replayed = replayed.ok_or_else(|| Unread::Failed("nothing is loading".to_owned()))?;
            let next = replayed.map_err(|error| Unread::Failed(error.to_string()))?;
            // Cleaning may leave nothing behind the last batch.
            let Some(next) = next.filter(|next| *next > at) else { break };
            at = next;
            self.refuse_loading();
            tokio::task::yield_now().await;
        }
        Ok(at.max(self.replica.end()))
    }

    fn refuse_loading(&mut self) {
        while let Ok(Asked { reply, .. }) = self.asked.try_recv() {
            if let Some(reply) = reply {
                let _ = reply.send(Err(Refused::Loading.into()));
            }
        }
    }
}

enum Unread {
    NotLeader,
    Failed(String),
}

impl From<ReplicaError> for Unread {
    fn from(error: ReplicaError) -> Unread {
        match error {
            ReplicaError::NotLeader => Unread::NotLeader,
            ReplicaError::Failed(reason) => Unread::Failed(reason),
        }
    }
}
