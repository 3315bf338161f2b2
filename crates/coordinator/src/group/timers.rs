//! Deadlines of groups, soonest first.

use super::{classic, consumer};
use ottla_host::Monotonic;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What a deadline is for.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Timer {
    /// Of a classic group.
    Classic(Arc<str>, classic::Timer),
    /// Of a KIP-848 group.
    Consumer(Arc<str>, consumer::Timer),
    /// To look for offsets that are too old, from a group on; None for the first.
    Offsets(Option<Arc<str>>),
    /// To look for offsets of topics that are gone.
    Topics,
}

/// The deadlines that are set: at most one for each timer.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Timers {
    by_timer: BTreeMap<Timer, Monotonic>,
    by_time: BTreeSet<(Monotonic, Timer)>,
}

impl Timers {
    /// Sets the deadline of a timer anew, or ends it.
    pub fn set(&mut self, timer: Timer, deadline: Option<Monotonic>) {
        let before = match deadline {
            Some(deadline) => self.by_timer.insert(timer.clone(), deadline),
            None => self.by_timer.remove(&timer),
        };
        let Some(before) = before else {
            if let Some(deadline) = deadline {
                self.by_time.insert((deadline, timer));
            }
            return;
        };
        let mut entry = (before, timer);
        self.by_time.remove(&entry);
        if let Some(deadline) = deadline {
            entry.0 = deadline;
            self.by_time.insert(entry);
        }
    }

    /// Whether the timer has a deadline.
    #[must_use]
    pub fn is_set(&self, timer: &Timer) -> bool {
        self.by_timer.contains_key(timer)
    }

    /// The soonest deadline.
    #[must_use]
    pub fn first(&self) -> Option<&(Monotonic, Timer)> {
        self.by_time.first()
    }
}

#[cfg(test)]
mod tests {
    use super::{Timer, Timers};
    use ottla_host::Monotonic;

    #[test]
    fn a_timer_has_one_deadline() {
        let mut timers = Timers::default();
        timers.set(Timer::Topics, Some(Monotonic(5)));
        timers.set(Timer::Topics, Some(Monotonic(3)));
        assert_eq!(timers.first(), Some(&(Monotonic(3), Timer::Topics)));
        timers.set(Timer::Topics, None);
        timers.set(Timer::Topics, None);
        assert_eq!(timers, Timers::default());
    }
}
