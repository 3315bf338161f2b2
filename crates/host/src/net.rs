//! Sockets that send bytes and file regions.

use crate::disk::File;
use crate::tasks::BoxFuture;
use bytes::BytesMut;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::task::{Context, Poll};

/// The network of a node.
pub trait Net: Send + Sync {
    /// Listens on an address; port 0 picks a free one.
    fn listen(&self, address: SocketAddr) -> io::Result<Box<dyn Listener>>;

    /// Resolves a host name and connects to the first address that answers.
    fn connect<'a>(&'a self, host: &'a str, port: u16) -> BoxFuture<'a, io::Result<Box<dyn Stream>>>;
}

/// A listening socket.
pub trait Listener: Send {
    /// The address it listens on.
    fn local_addr(&self) -> io::Result<SocketAddr>;

    /// The next connection.
    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Box<dyn Stream>>>;
}

/// A connection.
pub trait Stream: Send {
    /// Our end.
    fn local_addr(&self) -> io::Result<SocketAddr>;

    /// The other end.
    fn peer_addr(&self) -> io::Result<SocketAddr>;

    /// Appends what has arrived to `buffer`, as much as it has room for (at least once); 0 when the peer has closed.
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut BytesMut) -> Poll<io::Result<usize>>;

    /// Sends the parts in order; may take less than all.
    fn poll_write(&mut self, cx: &mut Context<'_>, parts: &[IoSlice<'_>]) -> Poll<io::Result<usize>>;

    /// Sends `len` bytes of `file` from `at`, from the page cache where the system can; may take less than all.
    /// 0 means that the file ended early.
    fn poll_send_file(&mut self, cx: &mut Context<'_>, file: &dyn File, at: u64, len: usize)
    -> Poll<io::Result<usize>>;

    /// Whether small packets wait until this is taken back, so that what is sent in pieces leaves together. Only a hint.
    fn hold_back(&mut self, hold: bool) {
        let _ = hold;
    }

    /// Closes our direction.
    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;
}
