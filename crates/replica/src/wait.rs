//! Requests that wait for a partition: woken when its watermark moves or it goes away.
//!
//! An idle partition holds an empty list. A waiter registers first and looks at the partition then, so that no move is
//! missed between the two.

use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::Notify;

/// Wakes one waiting request; one that waits for several partitions registers the same bell at each.
#[derive(Debug, Default)]
pub struct Bell {
    notify: Notify,
}

impl Bell {
    /// A bell that has not rung.
    #[must_use]
    pub fn new() -> Arc<Bell> {
        Arc::default()
    }

    /// Ends when it has rung since the last time; rings in between count as one.
    pub async fn rung(&self) {
        self.notify.notified().await;
    }

    fn ring(&self) {
        self.notify.notify_one();
    }
}

/// The bells of a partition. `bells` is a leaf of the lock order.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    any: AtomicBool,
    bells: Mutex<Vec<Arc<Bell>>>,
}

impl Waiting {
    /// Rings `bell` at the next change, until it is taken out.
    pub(crate) fn add(&self, bell: &Arc<Bell>) {
        let mut bells = self.bells.lock();
        bells.push(bell.clone());
        self.any.store(true, Ordering::SeqCst);
    }

    /// Takes a bell out.
    pub(crate) fn remove(&self, bell: &Arc<Bell>) {
        let mut bells = self.bells.lock();
        if let Some(at) = bells.iter().position(|other| Arc::ptr_eq(other, bell)) {
            bells.swap_remove(at);
        }
        if bells.is_empty() {
            *bells = Vec::new();
            self.any.store(false, Ordering::SeqCst);
        }
    }

    /// Rings all bells. Costs one load where nobody waits.
    pub(crate) fn ring(&self) {
        if self.any.load(Ordering::SeqCst) {
            for bell in self.bells.lock().iter() {
                bell.ring();
            }
        }
    }
}
