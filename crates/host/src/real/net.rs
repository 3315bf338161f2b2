//! TCP sockets of tokio without delay, with `sendfile` for regions of files.

use crate::disk::File;
use crate::net::{Listener, Net, Stream};
use crate::tasks::BoxFuture;
use bytes::BytesMut;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::os::fd::BorrowedFd;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncReadExt, AsyncWrite, Interest};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::runtime::Handle;

/// Connections that the kernel holds for us until we accept them.
const BACKLOG: u32 = 1024;
/// Room made for a read when the caller's buffer has none.
const READ_ROOM: usize = 16 * 1024;
/// Bytes copied at once from a file that has no descriptor.
const COPY_MAX: usize = 64 * 1024;

/// The network of the machine.
#[derive(Debug)]
pub(super) struct RealNet {
    runtime: Handle,
}

impl RealNet {
    pub(super) fn new(runtime: Handle) -> RealNet {
        RealNet { runtime }
    }
}

impl Net for RealNet {
    fn listen(&self, address: SocketAddr) -> io::Result<Box<dyn Listener>> {
        let _inside = self.runtime.enter();
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        // A broker that restarts may bind while old connections linger.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        Ok(Box::new(RealListener { listener: socket.listen(BACKLOG)? }))
    }

    fn connect<'a>(&'a self, host: &'a str, port: u16) -> BoxFuture<'a, io::Result<Box<dyn Stream>>> {
        Box::pin(async move {
            let stream = TcpStream::connect((host, port)).await?;
            let peer = stream.peer_addr()?;
            stream.set_nodelay(true)?;
            Ok(Box::new(RealStream { stream, peer }) as Box<dyn Stream>)
        })
    }
}

struct RealListener {
    listener: TcpListener,
}

impl Listener for RealListener {
    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Box<dyn Stream>>> {
        let (stream, peer) = ready!(self.listener.poll_accept(cx))?;
        stream.set_nodelay(true)?;
        Poll::Ready(Ok(Box::new(RealStream { stream, peer })))
    }
}

struct RealStream {
    stream: TcpStream,
    peer: SocketAddr,
}

impl Stream for RealStream {
    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.stream.local_addr()
    }

    fn peer_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.peer)
    }

    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut BytesMut) -> Poll<io::Result<usize>> {
        if buffer.len() == buffer.capacity() {
            buffer.reserve(READ_ROOM);
        }
        // The future holds nothing between polls, so that a fresh one each time loses nothing.
        pin!(self.stream.read_buf(buffer)).poll(cx)
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, parts: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, parts)
    }

    fn poll_send_file(
        &mut self,
        cx: &mut Context<'_>,
        file: &dyn File,
        at: u64,
        len: usize,
    ) -> Poll<io::Result<usize>> {
        match file.descriptor() {
            Some(descriptor) => self.poll_sendfile(cx, descriptor, at, len),
            None => self.poll_copy(cx, file, at, len),
        }
    }

    fn hold_back(&mut self, hold: bool) {
        // Without it the pieces leave one by one, which is slower and nothing else.
        let _ = rustix::net::sockopt::set_tcp_cork(&self.stream, hold);
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl RealStream {
    fn poll_sendfile(
        &mut self,
        cx: &mut Context<'_>,
        file: BorrowedFd<'_>,
        at: u64,
        len: usize,
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.stream.poll_write_ready(cx))?;
            let send = || {
                let mut position = at;
                Ok(rustix::fs::sendfile(&self.stream, file, Some(&mut position), len)?)
            };
            match self.stream.try_io(Interest::WRITABLE, send) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                done => return Poll::Ready(done),
            }
        }
    }

    fn poll_copy(&mut self, cx: &mut Context<'_>, file: &dyn File, at: u64, len: usize) -> Poll<io::Result<usize>> {
        ready!(self.stream.poll_write_ready(cx))?;
        let mut bytes = vec![0; len.min(COPY_MAX)];
        let read = file.read_at(&mut bytes, at)?;
        if read == 0 {
            return Poll::Ready(Ok(0));
        }
        self.poll_write(cx, &[IoSlice::new(&bytes[..read])])
    }
}
