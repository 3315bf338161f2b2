//! The virtual world: clocks, disks, networks and tasks of many nodes in one thread, from one seed.

pub mod clock;
pub mod disk;
pub mod random;

pub use clock::SimClock;
pub use disk::{Crash, SimDisk};
pub use random::Random;

use std::pin::pin;
use std::task::{Context, Poll, Waker};

/// Runs a future that never has to wait for anything outside of itself, as those of a `SimDisk` on its own.
///
/// # Panics
/// When the future waits.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut cx = Context::from_waker(Waker::noop());
    match pin!(future).poll(&mut cx) {
        Poll::Ready(done) => done,
        Poll::Pending => panic!("the future waits for something that nobody will do"),
    }
}
