//! Wakers by the virtual moment at which they are due.

use crate::clock::SimClock;
use ottla_host::clock::{Clock, Monotonic};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

/// Timers of all nodes; those of one moment fire in the order in which they were set. Lock order: a leaf.
#[derive(Default)]
pub(crate) struct Timers {
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    by_moment: BTreeMap<(Monotonic, u64), Waker>,
    next: u64,
}

impl Timers {
    pub(super) fn add(&self, at: Monotonic, waker: Waker) -> (Monotonic, u64) {
        let mut waiting = self.waiting.lock();
        let key = (at, waiting.next);
        waiting.next += 1;
        waiting.by_moment.insert(key, waker);
        key
    }

    fn remove(&self, key: (Monotonic, u64)) {
        self.waiting.lock().by_moment.remove(&key);
    }

    pub(super) fn earliest(&self) -> Option<Monotonic> {
        self.waiting.lock().by_moment.first_key_value().map(|((at, _), _)| *at)
    }

    pub(super) fn wake_due(&self, now: Monotonic) {
        let mut waiting = self.waiting.lock();
        while let Some(entry) = waiting.by_moment.first_entry().filter(|entry| entry.key().0 <= now) {
            entry.remove().wake();
        }
    }
}

/// Ends at a moment of virtual time.
pub(crate) struct Sleep {
    pub(crate) exec: Arc<super::Exec>,
    pub(crate) clock: SimClock,
    pub(crate) deadline: Monotonic,
    timer: Option<(Monotonic, u64)>,
}

impl Sleep {
    pub(crate) fn new(exec: Arc<super::Exec>, clock: SimClock, deadline: Monotonic) -> Sleep {
        Sleep { exec, clock, deadline, timer: None }
    }

    fn cancel(&mut self) {
        if let Some(timer) = self.timer.take() {
            self.exec.timers.remove(timer);
        }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.cancel();
        if self.clock.monotonic() >= self.deadline {
            return Poll::Ready(());
        }
        self.timer = Some(self.exec.timers.add(self.deadline, cx.waker().clone()));
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.cancel();
    }
}
