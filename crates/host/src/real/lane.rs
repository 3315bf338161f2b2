//! A named thread that runs blocking work in order.

use std::io;
use std::thread;
use tokio::sync::mpsc::{Receiver, Sender, channel, error::TrySendError};
use tokio::sync::oneshot;

/// Work that waits on one lane at most; beyond it `run` waits for room.
const LANE_QUEUE_MAX: usize = 1024;

type Work = Box<dyn FnOnce() + Send>;

/// The way to a named thread; it ends once every clone is dropped and its queue is done.
#[derive(Clone, Debug)]
pub(super) struct Lane {
    queue: Sender<Work>,
}

impl Lane {
    /// Starts the thread. Linux shows the first 15 bytes of its name.
    pub(super) fn start(name: &str) -> io::Result<Lane> {
        let (queue, work) = channel(LANE_QUEUE_MAX);
        thread::Builder::new().name(name.to_owned()).spawn(move || run_all(work))?;
        Ok(Lane { queue })
    }

    /// Queues `work` at once when there is room, else when the future is polled and there is. Ends when it has run.
    pub(super) fn run(&self, work: Work) -> impl Future<Output = ()> + Send + 'static {
        let (done, ended) = oneshot::channel();
        let work: Work = Box::new(move || {
            work();
            // Nobody need wait for it.
            let _ = done.send(());
        });
        let waiting = match self.queue.try_send(work) {
            Ok(()) => None,
            Err(TrySendError::Full(work) | TrySendError::Closed(work)) => Some((self.queue.clone(), work)),
        };
        async move {
            if let Some((queue, work)) = waiting {
                queue.send(work).await.expect("a lane ends only when work on it has panicked");
            }
            ended.await.expect("work on a lane does not panic");
        }
    }
}

fn run_all(mut work: Receiver<Work>) {
    while let Some(work) = work.blocking_recv() {
        work();
    }
}
