//! What all connections of a broker share, and how they are told to end.

use crate::api::meters::Meters;
use crate::cx::Cx;
use crate::net::inbox::Pool;
use crate::net::limits::Limits;
use ottla_host::Host;
use ottla_host::tasks::TaskHandle;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use tokio::sync::Notify;

/// What all connections of a broker share.
pub(crate) struct Server {
    pub(crate) host: Host,
    pub(crate) cx: Arc<Cx>,
    pub(crate) limits: Arc<Limits>,
    pub(crate) buffers: Pool,
    pub(crate) meters: Meters,
    stopping: AtomicBool,
    /// Told once, when connections shall end.
    pub(crate) stop: Arc<Notify>,
    /// Told whenever a connection has ended.
    ended: Notify,
    next_id: AtomicU64,
    /// Running connections, for the end. A leaf lock.
    running: Mutex<BTreeMap<u64, Option<Arc<dyn TaskHandle>>>>,
}

impl Server {
    pub(crate) fn new(host: Host, cx: Arc<Cx>, limits: Limits) -> Server {
        Server {
            host,
            cx,
            limits: Arc::new(limits),
            buffers: Pool::default(),
            meters: Meters::new(),
            stopping: AtomicBool::new(false),
            stop: Arc::default(),
            ended: Notify::new(),
            next_id: AtomicU64::new(0),
            running: Mutex::default(),
        }
    }

    /// Whether connections shall take no further request.
    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    /// Asks listeners and connections to end: no further request is taken, the ones in flight are answered.
    pub(crate) fn begin_stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        self.stop.notify_waiters();
    }

    /// Ends when no connection runs.
    pub(crate) async fn connections_ended(&self) {
        loop {
            let ended = self.ended.notified();
            if self.running.lock().is_empty() {
                return;
            }
            ended.await;
        }
    }

    /// Drops the connections that still run.
    pub(crate) fn abort_connections(&self) {
        for handle in self.running.lock().values().flatten() {
            handle.abort();
        }
    }

    /// Runs `connection` as a task that the end of the broker knows about.
    pub(crate) fn run(self: &Arc<Self>, connection: impl Future<Output = ()> + Send + 'static) {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        self.running.lock().insert(id, None);
        let running = Running { server: self.clone(), id };
        let task = async move {
            let _running = running;
            connection.await;
        };
        let handle = self.host.tasks.spawn("connection", Box::pin(task));
        if let Some(entry) = self.running.lock().get_mut(&id) {
            *entry = Some(handle);
        }
    }
}

/// A running connection; its end is told however it comes.
struct Running {
    server: Arc<Server>,
    id: u64,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.server.running.lock().remove(&self.id);
        self.server.ended.notify_waiters();
    }
}
