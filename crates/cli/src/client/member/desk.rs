//! Where the thread of a membership and the owner of its positions meet: each leaves there what the other has to know.

use super::{Effect, Identity, Loss};
use crate::client::groups::Trouble;
use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The desk. Its lock is held while a field is read or written, and no other lock is taken under it.
pub(super) struct Desk {
    state: Mutex<State>,
    /// Something new lies there.
    news: Condvar,
}

struct State {
    /// When the owner polled last.
    polled: Instant,
    /// Topics to read from now on.
    topics: Option<Vec<String>>,
    /// Whether there were effects whose end the thread has not learned.
    told: bool,
    /// Whether the owner has done all effects that there were.
    applied: bool,
    /// Whether the thread is to leave the group and end.
    stopping: bool,
    /// What the owner has yet to do.
    effects: VecDeque<Effect>,
    /// How often all was lost: what was begun before is of no use.
    losses: u64,
    identity: Identity,
    /// Why the membership is over.
    over: Option<Trouble>,
}

/// What the owner wants of the thread.
pub(super) struct Orders {
    /// Topics to read from now on.
    pub(super) topics: Option<Vec<String>>,
    /// All effects are done.
    pub(super) applied: bool,
    /// Leave the group and end.
    pub(super) stopping: bool,
    /// How long the owner has not polled.
    pub(super) idle: Duration,
}

/// An effect that the owner has begun.
pub(super) struct Begun {
    /// What is to be done.
    pub(super) effect: Effect,
    losses: u64,
}

impl Desk {
    /// An empty desk.
    pub(super) fn new() -> Desk {
        let state = State {
            polled: Instant::now(),
            topics: None,
            told: false,
            applied: false,
            stopping: false,
            effects: VecDeque::new(),
            losses: 0,
            identity: Identity::default(),
            over: None,
        };
        Desk { state: Mutex::new(state), news: Condvar::new() }
    }

    /// A thread that panics with the lock has left no half-written field behind.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    // The owner's side.

    /// The owner polls. Returns why the membership is over, once.
    pub(super) fn poll(&self) -> Result<(), Trouble> {
        let mut state = self.state();
        state.polled = Instant::now();
        state.over.take().map_or(Ok(()), Err)
    }

    /// The next effect to do; when there is none, the thread learns that all are done.
    pub(super) fn begin(&self) -> Option<Begun> {
        let mut state = self.state();
        if let Some(effect) = state.effects.pop_front() {
            return Some(Begun { effect, losses: state.losses });
        }
        if std::mem::take(&mut state.told) {
            state.applied = true;
            self.news.notify_all();
        }
        None
    }

    /// The effect could not be done yet: it is the next again, unless all was lost in between.
    pub(super) fn put_back(&self, begun: Begun) {
        let mut state = self.state();
        if begun.losses == state.losses {
            state.effects.push_front(begun.effect);
        }
    }

    /// Waits until there is something for the owner to do, for at most `longest`.
    pub(super) fn wait(&self, longest: Duration) {
        let idle = |state: &mut State| state.effects.is_empty() && state.over.is_none();
        // Woken or not, the caller looks at what there is.
        drop(self.news.wait_timeout_while(self.state(), longest, idle));
    }

    /// Other topics are to be read.
    pub(super) fn subscribe(&self, topics: Vec<String>) {
        self.state().topics = Some(topics);
        self.news.notify_all();
    }

    /// The thread is to leave the group and end.
    pub(super) fn stop(&self) {
        self.state().stopping = true;
        self.news.notify_all();
    }

    /// Who the member is now.
    pub(super) fn identity(&self) -> Identity {
        self.state().identity.clone()
    }

    // The thread's side.

    /// What the owner wants.
    pub(super) fn orders(&self) -> Orders {
        let mut state = self.state();
        Orders {
            topics: state.topics.take(),
            applied: std::mem::take(&mut state.applied),
            stopping: state.stopping,
            idle: state.polled.elapsed(),
        }
    }

    /// Whether the owner wants the thread to end.
    pub(super) fn is_stopping(&self) -> bool {
        self.state().stopping
    }

    /// Waits until the owner wants something, for at most `longest`.
    pub(super) fn rest(&self, longest: Duration) {
        let quiet = |state: &mut State| !state.stopping && !state.applied && state.topics.is_none();
        // Woken or not, the caller looks at what there is.
        drop(self.news.wait_timeout_while(self.state(), longest, quiet));
    }

    /// Leaves effects for the owner, and who the member is now. A loss makes void what was there.
    pub(super) fn tell(&self, effects: Vec<Effect>, identity: Identity) {
        let mut state = self.state();
        state.identity = identity;
        for effect in effects {
            if matches!(effect, Effect::Lose(Loss::Gone | Loss::Late)) {
                state.effects.clear();
                state.losses += 1;
            }
            state.effects.push_back(effect);
            (state.told, state.applied) = (true, false);
        }
        self.news.notify_all();
    }

    /// The membership is over.
    pub(super) fn end(&self, trouble: Trouble) {
        self.state().over = Some(trouble);
        self.news.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::{Desk, Effect, Identity, Loss};
    use crate::client::member::Partitions;

    fn told(effects: Vec<Effect>) -> Desk {
        let desk = Desk::new();
        desk.tell(effects, Identity::default());
        desk
    }

    fn assign() -> Effect {
        Effect::Assign(Partitions::new())
    }

    #[test]
    fn the_thread_learns_once_that_all_effects_are_done() {
        let desk = told(vec![assign()]);
        assert!(!desk.orders().applied);
        assert_eq!(desk.begin().map(|begun| begun.effect), Some(assign()));
        assert!(desk.begin().is_none());
        assert!(desk.orders().applied);
        assert!(desk.begin().is_none());
        assert!(!desk.orders().applied, "there was nothing new to do");
    }

    #[test]
    fn an_effect_that_could_not_be_done_is_the_next_again() {
        let desk = told(vec![assign()]);
        desk.put_back(desk.begin().unwrap());
        assert_eq!(desk.begin().map(|begun| begun.effect), Some(assign()));
    }

    #[test]
    fn a_loss_makes_void_what_was_to_be_done_and_what_was_begun() {
        let desk = told(vec![assign(), assign()]);
        let begun = desk.begin().unwrap();
        desk.tell(vec![Effect::Lose(Loss::Gone)], Identity::default());
        desk.put_back(begun);
        assert_eq!(desk.begin().map(|begun| begun.effect), Some(Effect::Lose(Loss::Gone)));
        assert!(desk.begin().is_none());
    }
}
