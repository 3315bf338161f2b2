//! The virtual world: clocks, disks, networks and tasks of many nodes in one thread, from one seed.
//!
//! ```
//! use ottla_sim::{Crash, Sim};
//! use std::time::Duration;
//!
//! let outcome = Sim::run(7, async |sim: Sim| {
//!     let node = sim.node("broker-1");
//!     let host = node.host();
//!     node.spawn("beat", async move {
//!         loop {
//!             host.tasks.sleep_until(host.clock.monotonic() + Duration::from_secs(1)).await;
//!         }
//!     });
//!     sim.sleep(Duration::from_secs(10)).await;
//!     node.crash(Crash::Power);
//!     node.restart();
//! });
//! assert_eq!(outcome.met["power loss"], 1);
//! ```

pub mod clock;
pub mod disk;
mod exec;
pub mod net;
mod node;
pub mod random;
mod sim;
pub mod stall;

#[cfg(test)]
mod tests;

pub use clock::SimClock;
pub use disk::{Crash, Fault, FaultRates, Met, SimDisk};
pub use node::Node;
pub use random::Random;
pub use sim::{Outcome, Sim, seeds};
pub use stall::StallingDisk;

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
