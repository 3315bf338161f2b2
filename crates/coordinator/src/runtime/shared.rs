//! The state of one partition between its driver and those who ask: what changes nothing that is written is answered where
//! it is asked, without waking the driver.

use super::state::{AtOnce, State};
use crate::machine::{Machine, Now};
use ottla_host::Clock;
use parking_lot::Mutex;
use std::sync::Arc;
use tokio::sync::Notify;

/// The answer to a command of the machine `M`.
pub(super) type Answered<M> = Result<<M as Machine>::Answer, <M as Machine>::Refusal>;

/// What driver and askers share.
pub(super) struct Shared<M: Machine> {
    /// None before the driver begins and once it has ended. Lock order: a leaf, held while one event is decided; askers
    /// only try.
    open: Mutex<Option<Open<M>>>,
    /// A deadline comes sooner than the driver waits for.
    sooner: Notify,
}

struct Open<M: Machine> {
    clock: Arc<dyn Clock>,
    state: State<M>,
}

impl<M: Machine> Shared<M> {
    pub(super) fn new() -> Arc<Shared<M>> {
        Arc::new(Shared { open: Mutex::new(None), sooner: Notify::new() })
    }

    /// The driver begins.
    pub(super) fn open(&self, clock: Arc<dyn Clock>, state: State<M>) {
        *self.open.lock() = Some(Open { clock, state });
    }

    /// The driver has ended: nobody is answered any more, and the machine goes.
    pub(super) fn close(&self) {
        let machine = self.open.lock().take();
        // A large one takes its time to go: not under the lock.
        drop(machine);
    }

    /// Works on the state; for the driver, between `open` and `close`.
    pub(super) fn with<R>(&self, work: impl FnOnce(&mut State<M>) -> R) -> R {
        let mut open = self.open.lock();
        work(&mut open.as_mut().expect("the driver opens before it works, and closes when it has ended").state)
    }

    /// Answers a command at once; None where it has to go through the queue.
    pub(super) fn answer_at_once(&self, command: &M::Command) -> Option<Answered<M>>
    where
        M::Command: Clone,
    {
        let mut open = self.open.try_lock()?;
        let Open { clock, state } = open.as_mut()?;
        let now = Now { monotonic: clock.monotonic(), wall: clock.wall() };
        let AtOnce { answer, is_sooner } = state.answer_at_once(command, now)?;
        if is_sooner {
            self.sooner.notify_one();
        }
        Some(answer)
    }

    /// Ends when a deadline comes sooner than before.
    pub(super) async fn sooner(&self) {
        self.sooner.notified().await;
    }
}
