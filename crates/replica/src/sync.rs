//! The two primitives that the submit queue stands on; a test swaps them for ones that explore interleavings.

pub(crate) use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// A lock that is held for a few instructions, or tried and never waited for.
pub(crate) struct Mutex<T>(parking_lot::Mutex<T>);

impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Mutex<T> {
        Mutex(parking_lot::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> impl std::ops::DerefMut<Target = T> {
        self.0.lock()
    }

    pub(crate) fn try_lock(&self) -> Option<impl std::ops::DerefMut<Target = T>> {
        self.0.try_lock()
    }
}
