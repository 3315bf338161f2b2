//! How much the connections of a broker may hold: their number, their rate, the bytes of their requests.

use ottla_host::Monotonic;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::Notify;

/// Bounds on connections, from Kafka's settings.
#[derive(Clone, Debug)]
pub struct Bounds {
    /// Longest request in bytes (`socket.request.max.bytes`).
    pub request_bytes_max: usize,
    /// Bytes of unanswered requests over all connections (`queued.max.request.bytes`).
    pub in_flight_bytes_max: usize,
    /// Connections at one time (`max.connections`).
    pub connections_max: usize,
    /// Connections of one address at one time (`max.connections.per.ip`).
    pub connections_per_ip_max: usize,
    /// Connections of named addresses (`max.connections.per.ip.overrides`).
    pub per_ip_overrides: BTreeMap<IpAddr, usize>,
    /// New connections a second (`max.connection.creation.rate`).
    pub creation_rate_max: u32,
    /// Longest silence of a connection (`connections.max.idle.ms`); None for ever.
    pub idle_max: Option<Duration>,
}

impl Default for Bounds {
    fn default() -> Bounds {
        Bounds {
            request_bytes_max: 100 << 20,
            in_flight_bytes_max: 512 << 20,
            connections_max: usize::MAX,
            connections_per_ip_max: usize::MAX,
            per_ip_overrides: BTreeMap::new(),
            creation_rate_max: u32::MAX,
            idle_max: Some(Duration::from_secs(600)),
        }
    }
}

/// Why a connection is not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum Refused {
    #[error("max.connections ({0}) is reached")]
    Total(usize),
    #[error("max.connections.per.ip ({0}) is reached")]
    PerIp(usize),
}

/// Counts what the bounds are about. Lock order: `open` is a leaf, held for a few instructions.
pub(crate) struct Limits {
    bounds: Bounds,
    in_flight_bytes: AtomicUsize,
    waiting_for_bytes: AtomicUsize,
    bytes_freed: Arc<Notify>,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    total: usize,
    per_ip: BTreeMap<IpAddr, usize>,
    /// Second in which `created` were counted.
    second: u64,
    created: u32,
}

impl Limits {
    pub(crate) fn new(mut bounds: Bounds) -> Limits {
        bounds.in_flight_bytes_max = bounds.in_flight_bytes_max.max(bounds.request_bytes_max);
        Limits {
            bounds,
            in_flight_bytes: AtomicUsize::new(0),
            waiting_for_bytes: AtomicUsize::new(0),
            bytes_freed: Arc::default(),
            open: Mutex::default(),
        }
    }

    pub(crate) fn bounds(&self) -> &Bounds {
        &self.bounds
    }

    /// Counts a connection from `address`, or says which bound forbids it.
    pub(crate) fn open(self: &Arc<Self>, address: IpAddr) -> Result<Permit, Refused> {
        let mut open = self.open.lock();
        if open.total >= self.bounds.connections_max {
            return Err(Refused::Total(self.bounds.connections_max));
        }
        let per_ip = self.bounds.per_ip_overrides.get(&address).copied();
        let per_ip_max = per_ip.unwrap_or(self.bounds.connections_per_ip_max);
        let held = open.per_ip.entry(address).or_default();
        if *held >= per_ip_max {
            return Err(Refused::PerIp(per_ip_max));
        }
        *held += 1;
        open.total += 1;
        Ok(Permit { limits: self.clone(), address })
    }

    /// Connections open now.
    pub(crate) fn connections(&self) -> usize {
        self.open.lock().total
    }

    /// Bytes of requests that are not answered.
    pub(crate) fn in_flight_bytes(&self) -> usize {
        self.in_flight_bytes.load(Ordering::Relaxed)
    }

    /// How long to wait before taking a further connection, by `max.connection.creation.rate`.
    pub(crate) fn creation_pause(&self, now: Monotonic) -> Duration {
        let second = now.0 / 1_000_000_000;
        let mut open = self.open.lock();
        if open.second != second {
            open.second = second;
            open.created = 0;
        }
        open.created = open.created.saturating_add(1);
        if open.created <= self.bounds.creation_rate_max {
            return Duration::ZERO;
        }
        Duration::from_nanos(1_000_000_000 - now.0 % 1_000_000_000)
    }

    /// Takes `bytes` for a request if they are free.
    pub(crate) fn take_bytes(&self, bytes: usize) -> bool {
        let limit = self.bounds.in_flight_bytes_max;
        let taken = self.in_flight_bytes.fetch_add(bytes, Ordering::SeqCst);
        if taken + bytes > limit {
            self.give_bytes(bytes);
            return false;
        }
        true
    }

    /// Gives the bytes of an answered request back.
    pub(crate) fn give_bytes(&self, bytes: usize) {
        self.in_flight_bytes.fetch_sub(bytes, Ordering::SeqCst);
        if self.waiting_for_bytes.load(Ordering::SeqCst) > 0 {
            self.bytes_freed.notify_waiters();
        }
    }

    /// A wait for freed bytes: made before the last try to take them, so that no freeing is missed.
    pub(crate) fn wait_for_bytes(self: &Arc<Self>) -> BytesWait {
        self.waiting_for_bytes.fetch_add(1, Ordering::SeqCst);
        BytesWait { freed: Box::pin(self.bytes_freed.clone().notified_owned()), limits: self.clone() }
    }
}

/// A connection waiting until others have given bytes back.
pub(crate) struct BytesWait {
    pub(crate) freed: std::pin::Pin<Box<tokio::sync::futures::OwnedNotified>>,
    limits: Arc<Limits>,
}

impl Drop for BytesWait {
    fn drop(&mut self) {
        self.limits.waiting_for_bytes.fetch_sub(1, Ordering::SeqCst);
    }
}

/// An open connection among the counted ones.
pub(crate) struct Permit {
    limits: Arc<Limits>,
    address: IpAddr,
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut open = self.limits.open.lock();
        open.total -= 1;
        if let Some(held) = open.per_ip.get_mut(&self.address) {
            *held -= 1;
            if *held == 0 {
                open.per_ip.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Bounds, Limits, Refused};
    use ottla_host::Monotonic;
    use std::net::{IpAddr, Ipv4Addr};
    use std::sync::Arc;
    use std::time::Duration;

    fn ip(last: u8) -> IpAddr {
        Ipv4Addr::new(10, 0, 0, last).into()
    }

    #[test]
    fn connections_are_bounded_in_total_and_per_address() {
        let limits =
            Arc::new(Limits::new(Bounds { connections_max: 3, connections_per_ip_max: 2, ..Bounds::default() }));
        let first = limits.open(ip(1)).expect("room");
        let _second = limits.open(ip(1)).expect("room");
        assert_eq!(limits.open(ip(1)).err(), Some(Refused::PerIp(2)));
        let _third = limits.open(ip(2)).expect("room");
        assert_eq!(limits.open(ip(3)).err(), Some(Refused::Total(3)));
        drop(first);
        assert!(limits.open(ip(1)).is_ok());
    }

    #[test]
    fn a_burst_over_the_creation_rate_waits_for_the_next_second() {
        let limits = Limits::new(Bounds { creation_rate_max: 2, ..Bounds::default() });
        let now = Monotonic(7_250_000_000);
        assert_eq!(limits.creation_pause(now), Duration::ZERO);
        assert_eq!(limits.creation_pause(now), Duration::ZERO);
        assert_eq!(limits.creation_pause(now), Duration::from_millis(750));
        assert_eq!(limits.creation_pause(Monotonic(8_000_000_000)), Duration::ZERO);
    }

    #[test]
    fn bytes_in_flight_are_bounded_but_one_request_always_fits() {
        let limits = Limits::new(Bounds { request_bytes_max: 10, in_flight_bytes_max: 5, ..Bounds::default() });
        assert!(limits.take_bytes(10));
        assert!(!limits.take_bytes(1));
        limits.give_bytes(10);
        assert!(limits.take_bytes(1));
    }
}
