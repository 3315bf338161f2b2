//! The network as one node sees it: listeners and streams.

use super::pipe::{Found, Pipe};
use super::{Ends, Network, State, Waiting};
use bytes::BytesMut;
use ottla_host::BoxFuture;
use ottla_host::disk::File;
use ottla_host::net::{Listener, Net, Stream};
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

/// How long a connection to a silent machine is tried.
const CONNECT_PATIENCE: Duration = Duration::from_secs(10);
/// Bytes sent from a file at once.
const SEND_FILE_MAX: usize = 64 * 1024;
/// Room made for a read when the caller's buffer has none.
const READ_ROOM: usize = 4096;

/// The network of one node.
pub(crate) struct SimNet {
    network: Arc<Network>,
    node: u64,
}

impl SimNet {
    pub(crate) fn new(network: Arc<Network>, node: u64) -> SimNet {
        SimNet { network, node }
    }

    async fn pause(&self, time: Duration) {
        let until = self.network.now() + time;
        poll_fn(|cx| {
            if self.network.now() >= until {
                return Poll::Ready(());
            }
            self.network.wake_at(until, cx.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// Joins with a listener, if the way is open.
    fn join(&self, host: &str, port: u16) -> io::Result<Ends> {
        let mut state = self.network.state.lock();
        let node = state.find(self.node, host).ok_or(io::ErrorKind::HostUnreachable)?;
        let is_blocked = state.blocked.contains(&(self.node, node)) || state.blocked.contains(&(node, self.node));
        if is_blocked || state.nodes.get(&node).is_some_and(|machine| machine.is_silent) {
            return Err(io::ErrorKind::TimedOut.into());
        }
        let target = SocketAddr::new(state.ip_of(node), port);
        if !state.listeners.contains_key(&target) {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        let (near, far) = state.join(self.node, node, target);
        if let Some(listener) = state.listeners.get_mut(&target) {
            listener.connections.push_back(far);
            listener.waker.take().into_iter().for_each(std::task::Waker::wake);
        }
        Ok(near)
    }
}

impl Net for SimNet {
    fn listen(&self, address: SocketAddr) -> io::Result<Box<dyn Listener>> {
        let mut state = self.network.state.lock();
        let port = if address.port() == 0 { state.take_port() } else { address.port() };
        let address = SocketAddr::new(state.ip_of(self.node), port);
        if state.listeners.contains_key(&address) {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        state.listeners.insert(address, Waiting { node: self.node, ..Waiting::default() });
        let life = state.nodes.get(&self.node).map_or(0, |machine| machine.life);
        Ok(Box::new(SimListener { network: Arc::clone(&self.network), node: self.node, life, address }))
    }

    fn connect<'a>(&'a self, host: &'a str, port: u16) -> BoxFuture<'a, io::Result<Box<dyn Stream>>> {
        Box::pin(async move {
            let delay = self.network.state.lock().delay();
            self.pause(delay).await;
            let joined = self.join(host, port);
            if joined.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::TimedOut) {
                self.pause(CONNECT_PATIENCE).await;
            }
            let ends = joined?;
            // The answer takes its way back.
            self.pause(delay).await;
            Ok(Box::new(SimStream { network: Arc::clone(&self.network), ends }) as Box<dyn Stream>)
        })
    }
}

struct SimListener {
    network: Arc<Network>,
    node: u64,
    life: u64,
    address: SocketAddr,
}

impl Listener for SimListener {
    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Box<dyn Stream>>> {
        let mut state = self.network.state.lock();
        let Some(waiting) = state.listeners.get_mut(&self.address) else {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        };
        let Some(ends) = waiting.connections.pop_front() else {
            waiting.waker = Some(cx.waker().clone());
            return Poll::Pending;
        };
        Poll::Ready(Ok(Box::new(SimStream { network: Arc::clone(&self.network), ends })))
    }
}

impl Drop for SimListener {
    fn drop(&mut self) {
        let mut state = self.network.state.lock();
        let is_same_life =
            state.nodes.get(&self.node).is_some_and(|machine| machine.is_up && machine.life == self.life);
        if !is_same_life {
            return;
        }
        let waiting = state.listeners.remove(&self.address).map(|waiting| waiting.connections).unwrap_or_default();
        for ends in waiting {
            state.pipes.get_mut(&ends.writes).into_iter().for_each(Pipe::reset);
            state.leave(ends);
        }
    }
}

struct SimStream {
    network: Arc<Network>,
    ends: Ends,
}

impl Stream for SimStream {
    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.ends.local)
    }

    fn peer_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.ends.peer)
    }

    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut BytesMut) -> Poll<io::Result<usize>> {
        if buffer.len() == buffer.capacity() {
            buffer.reserve(READ_ROOM);
        }
        let now = self.network.now();
        let mut state = self.network.state.lock();
        let max = buffer.capacity() - buffer.len();
        let max = state.part_of(max);
        let State { pipes, blocked, .. } = &mut *state;
        let Some(pipe) = pipes.get_mut(&self.ends.reads) else { return Poll::Ready(Ok(0)) };
        pipe.check()?;
        pipe.wait_to_read(cx.waker().clone());
        if blocked.contains(&(pipe.from, pipe.to)) {
            return Poll::Pending;
        }
        match pipe.read(now, max, |bytes| buffer.extend_from_slice(bytes)) {
            Found::Bytes(count) => Poll::Ready(Ok(count)),
            Found::End => Poll::Ready(Ok(0)),
            Found::Nothing => Poll::Pending,
            Found::Later(at) => {
                self.network.wake_at(at, cx.waker().clone());
                Poll::Pending
            }
        }
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, parts: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let mut bytes = Vec::new();
        parts.iter().for_each(|part| bytes.extend_from_slice(part));
        self.send(cx, bytes)
    }

    fn poll_send_file(
        &mut self,
        cx: &mut Context<'_>,
        file: &dyn File,
        at: u64,
        len: usize,
    ) -> Poll<io::Result<usize>> {
        let mut bytes = vec![0; len.min(SEND_FILE_MAX)];
        let read = file.read_at(&mut bytes, at)?;
        bytes.truncate(read);
        if read == 0 { Poll::Ready(Ok(0)) } else { self.send(cx, bytes) }
    }

    fn poll_close(&mut self, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.network.state.lock();
        state.pipes.get_mut(&self.ends.writes).into_iter().for_each(Pipe::end);
        Poll::Ready(Ok(()))
    }
}

impl SimStream {
    fn send(&self, cx: &mut Context<'_>, mut bytes: Vec<u8>) -> Poll<io::Result<usize>> {
        let now = self.network.now();
        let mut state = self.network.state.lock();
        let arrives = now + state.delay();
        let part = state.part_of(bytes.len());
        if state.breaks(self.ends) {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        let Some(pipe) = state.pipes.get_mut(&self.ends.writes) else {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        };
        pipe.check_writable()?;
        let count = part.min(pipe.room());
        if count == 0 && !bytes.is_empty() {
            pipe.wait_to_write(cx.waker().clone());
            return Poll::Pending;
        }
        bytes.truncate(count);
        pipe.push(bytes, arrives);
        Poll::Ready(Ok(count))
    }
}

impl Drop for SimStream {
    fn drop(&mut self) {
        self.network.state.lock().leave(self.ends);
    }
}

impl State {
    /// Whether a write finds the connection broken: by chance, or because the machine that lost its power is back and
    /// knows nothing of it.
    fn breaks(&mut self, ends: Ends) -> bool {
        let Some(pipe) = self.pipes.get(&ends.writes) else { return false };
        let is_back = pipe.is_half_open() && self.nodes.get(&pipe.to).is_some_and(|machine| machine.is_up);
        let rate = self.rates.reset;
        if !is_back && !self.random.chance(rate) {
            return false;
        }
        self.meet("connection reset");
        for id in [ends.reads, ends.writes] {
            self.pipes.get_mut(&id).into_iter().for_each(Pipe::reset);
        }
        true
    }
}
