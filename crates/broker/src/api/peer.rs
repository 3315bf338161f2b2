//! What the requests of one connection share: who calls, and how far each request has come.

use crate::cx::rights::{Caller, Principal};
use crate::cx::{Cx, Partition};
use parking_lot::Mutex;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

/// Unanswered requests of one connection, beyond which it is not read.
pub(crate) const REQUESTS_MAX: usize = 16;

/// Which kind of listener a connection came in by; each API names the kinds that serve it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ListenerKind {
    /// For clients and other brokers.
    Broker,
    /// For the metadata quorum (`controller.listener.names`).
    Controller,
}

/// How far a request has come; decides when the next one of its connection may begin.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub(crate) enum Stage {
    /// May still append or change something: the next request waits.
    Working,
    /// Its batches are in their partitions' queues: a produce request may follow.
    Submitted,
    /// Its appends are done, it waits for replication, flush or data: anything may follow.
    Settled,
}

/// The other end of a connection and the state its requests share.
pub(crate) struct Peer {
    /// The broker. Held here, so that a request counts up only what its own connection does.
    pub(crate) cx: Arc<Cx>,
    pub(crate) principal: Principal,
    /// Address of the other end.
    pub(crate) address: SocketAddr,
    /// Our own address as the other end reached it.
    pub(crate) local: SocketAddr,
    /// Kind of the listener.
    pub(crate) kind: ListenerKind,
    /// Name of the listener, as `listeners` has it.
    pub(crate) listener: Arc<str>,
    stages: [AtomicU8; REQUESTS_MAX],
    /// Partitions whose queues have got batches since they were last driven. A leaf lock of one task.
    touched: Mutex<Vec<Arc<Partition>>>,
}

impl Caller for Peer {
    fn principal(&self) -> &Principal {
        &self.principal
    }

    fn ip(&self) -> IpAddr {
        self.address.ip()
    }
}

impl Peer {
    /// The other end of a connection between `local` and `address`, which came in by `listener`.
    pub(crate) fn new(
        cx: Arc<Cx>,
        (address, local): (SocketAddr, SocketAddr),
        kind: ListenerKind,
        listener: Arc<str>,
    ) -> Peer {
        Peer {
            cx,
            principal: Principal::ANONYMOUS,
            address,
            local,
            kind,
            listener,
            stages: Default::default(),
            touched: Mutex::default(),
        }
    }

    pub(crate) fn set_stage(&self, slot: usize, stage: Stage) {
        self.stages[slot % REQUESTS_MAX].store(stage as u8, Ordering::Relaxed);
    }

    pub(crate) fn stage(&self, slot: usize) -> Stage {
        match self.stages[slot % REQUESTS_MAX].load(Ordering::Relaxed) {
            0 => Stage::Working,
            1 => Stage::Submitted,
            _ => Stage::Settled,
        }
    }

    /// Notes that `partition` has a batch to be written.
    pub(crate) fn touch(&self, partition: &Arc<Partition>) {
        let mut touched = self.touched.lock();
        if !touched.iter().any(|other| Arc::ptr_eq(other, partition)) {
            touched.push(partition.clone());
        }
    }

    /// Whether partitions have a batch to be written.
    pub(crate) fn has_touched(&self) -> bool {
        !self.touched.lock().is_empty()
    }

    /// Writes what waits in the touched partitions.
    pub(crate) fn drive(&self) {
        loop {
            let next = self.touched.lock().pop();
            let Some(partition) = next else { return };
            partition.drive();
        }
    }
}
