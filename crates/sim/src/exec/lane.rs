//! The named threads of a node as tasks: work of one lane in order, that of several in any.

use ottla_host::BoxFuture;
use parking_lot::Mutex;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::task::Poll;
use tokio::sync::oneshot;

type Job = (Box<dyn FnOnce() + Send>, oneshot::Sender<()>);

/// The lanes of one life of a node. Lock order: a leaf; work runs without the lock.
#[derive(Default)]
pub(super) struct Lanes {
    queues: Mutex<BTreeMap<String, VecDeque<Job>>>,
}

impl Lanes {
    /// Queues `work`; answers the runner to spawn when the lane was idle.
    pub(super) fn push(
        self: &Arc<Self>,
        lane: &str,
        work: Box<dyn FnOnce() + Send>,
    ) -> (oneshot::Receiver<()>, Option<BoxFuture<'static, ()>>) {
        let (done, ended) = oneshot::channel();
        let mut queues = self.queues.lock();
        let is_running = queues.contains_key(lane);
        queues.entry(lane.to_owned()).or_default().push_back((work, done));
        let runner = (!is_running).then(|| Arc::clone(self).run(lane.to_owned()));
        (ended, runner)
    }

    fn run(self: Arc<Self>, lane: String) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            loop {
                let_others_run().await;
                let Some((work, done)) = self.pop(&lane) else { return };
                work();
                // Nobody need wait for it.
                let _ = done.send(());
            }
        })
    }

    fn pop(&self, lane: &str) -> Option<Job> {
        let mut queues = self.queues.lock();
        let job = queues.get_mut(lane).and_then(VecDeque::pop_front);
        if job.is_none() {
            queues.remove(lane);
        }
        job
    }
}

async fn let_others_run() {
    let mut has_waited = false;
    std::future::poll_fn(|cx| {
        if std::mem::replace(&mut has_waited, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
