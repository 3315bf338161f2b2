//! The way to a machine: a bounded queue of commands, each with the one who waits for its answer.

use super::shared::{Answered, Shared};
use crate::machine::{Machine, Refused};
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};

/// Most commands that wait for the machine of one partition; further askers wait for room.
pub const QUEUE_MAX: usize = 1024;

/// Gives an answer to the one who waits for it.
pub type Reply<M> = oneshot::Sender<Answered<M>>;

/// A command on its way.
pub struct Asked<M: Machine> {
    /// What is asked.
    pub command: M::Command,
    /// Who is told; None where nobody waits.
    pub reply: Option<Reply<M>>,
}

/// The way to the machine of one partition. A copy leads to the same machine.
pub struct Shard<M: Machine> {
    queue: mpsc::Sender<Asked<M>>,
    shared: Arc<Shared<M>>,
}

/// The machine's end of the way.
pub struct Inbox<M: Machine> {
    pub(super) asked: mpsc::Receiver<Asked<M>>,
    pub(super) shared: Arc<Shared<M>>,
}

impl<M: Machine> Clone for Shard<M> {
    fn clone(&self) -> Shard<M> {
        Shard { queue: self.queue.clone(), shared: Arc::clone(&self.shared) }
    }
}

impl<M: Machine> Shard<M>
where
    M::Command: Clone,
{
    /// A way, and its end at the machine.
    #[must_use]
    pub fn new() -> (Shard<M>, Inbox<M>) {
        let (queue, asked) = mpsc::channel(QUEUE_MAX);
        let shared = Shared::new();
        (Shard { queue, shared: Arc::clone(&shared) }, Inbox { asked, shared })
    }

    /// Asks, and waits for the answer, which may come from a later decision (a join waits for the other members).
    ///
    /// # Errors
    /// The machine's refusal, or `Refused::NotCoordinator` where the machine is gone.
    pub async fn ask(&self, command: M::Command) -> Result<M::Answer, M::Refusal> {
        // Nobody overtakes those who wait in the queue.
        let is_free = self.queue.capacity() == self.queue.max_capacity();
        if let Some(answer) = is_free.then(|| self.shared.answer_at_once(&command)).flatten() {
            return answer;
        }
        let (reply, answer) = oneshot::channel();
        let asked = Asked { command, reply: Some(reply) };
        if self.queue.send(asked).await.is_err() {
            return Err(Refused::NotCoordinator.into());
        }
        answer.await.unwrap_or_else(|_| Err(Refused::NotCoordinator.into()))
    }

    /// Tells without waiting for an answer, once there is room in the queue.
    pub async fn tell(&self, command: M::Command) {
        // A machine that is gone needs to know nothing.
        let _ = self.queue.send(Asked { command, reply: None }).await;
    }
}
