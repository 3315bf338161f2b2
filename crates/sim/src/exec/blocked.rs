//! Tasks that hold a thread while a device does not answer, and the workers that are left.

use ottla_host::Monotonic;
use std::collections::BTreeMap;

/// A task that holds its thread.
struct Holder {
    /// Whose worker it holds; None when its thread is its own.
    node: Option<u64>,
    until: Monotonic,
}

/// Tasks that are blocked, and how many of a node may be before no other runs.
#[derive(Default)]
pub(super) struct Blocked {
    tasks: BTreeMap<u64, Holder>,
    /// Nodes without an entry have workers without end.
    workers: BTreeMap<u64, usize>,
}

impl Blocked {
    pub(super) fn set_workers(&mut self, node: u64, workers: usize) {
        self.workers.insert(node, workers);
    }

    pub(super) fn add(&mut self, task: u64, node: Option<u64>, until: Monotonic) {
        self.tasks.insert(task, Holder { node, until });
    }

    pub(super) fn forget_before(&mut self, now: Monotonic) {
        self.tasks.retain(|_, holder| holder.until > now);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// Whether a task may run: it is not blocked itself, and a worker of its node is free. `node` is None for a task
    /// with a thread of its own.
    pub(super) fn lets_run(&self, task: u64, node: Option<u64>) -> bool {
        let has_worker = node
            .and_then(|node| self.workers.get(&node))
            .is_none_or(|workers| self.tasks.values().filter(|holder| holder.node == node).count() < *workers);
        has_worker && !self.tasks.contains_key(&task)
    }
}
