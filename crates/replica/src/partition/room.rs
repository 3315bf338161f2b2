//! When nothing is written although the writer is free: a journal that is behind, or a simulated thread.

use super::{Partition, Writer};
use ottla_log::journal::Wake;
use std::sync::Arc;

impl Partition {
    /// Whether the journal takes more at the moment. Where it does not, what waits stays in the queue, and the queue's
    /// bound makes the connections wait, until a task of its own goes on.
    pub(super) fn has_room(&self, writer: &Writer) -> bool {
        let wake = || -> Wake {
            let (this, tasks) = (self.this.clone(), self.tasks.clone());
            Box::new(move || {
                // Not on the thread that writes the journal.
                tasks
                    .spawn("append after the journal", Box::pin(async move { this.upgrade().iter().for_each(unpark) }));
            })
        };
        !self.durable || writer.log.has_room_or_wakes(wake)
    }

    /// Plays a thread that holds the writer until `release`; false if another has it. For simulations, in which all runs
    /// in one thread and nobody is ever found with the lock.
    #[cfg(any(debug_assertions, feature = "planted"))]
    pub fn hold(&self) -> bool {
        self.submit.hold()
    }

    /// Lets go of the writer and writes what has come meanwhile, as a thread does that has held it. Whether there was any.
    #[cfg(any(debug_assertions, feature = "planted"))]
    pub fn release(&self) -> bool {
        let had_to_wait = self.submit.release();
        self.drive();
        had_to_wait
    }
}

/// Writes what has waited for the journal.
fn unpark(partition: &Arc<Partition>) {
    partition.submit.unpark();
    partition.drive();
}
