//! One connection of the load: a ring of ready frames going out, answers counted coming in.

use std::collections::VecDeque;
use std::io::{ErrorKind, IoSlice, Read, Write};
use std::net::{SocketAddr, TcpStream};

use crate::failure::{Doing, Failure, Result, accept};
use crate::protocol::frame::{self, PREFIX};

/// Bytes read from the socket at once; an answer has about 60.
const INPUT: usize = 64 << 10;

/// Frames of one length, sent in a circle. `sent ≤ queued × frame size`, `answered ≤ queued`.
#[derive(Debug)]
pub(crate) struct Connection {
    socket: TcpStream,
    /// The frames one after the other.
    ring: Vec<u8>,
    frame_size: usize,
    /// Frames handed over for sending since the start.
    queued: u64,
    /// Bytes sent since the start.
    sent: u64,
    /// Moment each unanswered frame counts from, nanoseconds of the run's clock.
    started: VecDeque<u64>,
    answers: u64,
    input: Vec<u8>,
    filled: usize,
    error_at: usize,
}

impl Connection {
    /// Connects and takes the frames of its ring, all of one length.
    pub(crate) fn open(address: SocketAddr, frames: &[Vec<u8>], error_at: usize) -> Result<Connection> {
        let socket = TcpStream::connect(address).doing(&format!("connect to {address}"))?;
        socket.set_nodelay(true).doing("set TCP_NODELAY")?;
        socket.set_nonblocking(true).doing("make the socket non-blocking")?;
        let frame_size = frames.first().map_or(0, Vec::len);
        assert!(frame_size > 0 && frames.iter().all(|each| each.len() == frame_size), "frames of one length");
        Ok(Connection {
            socket,
            ring: frames.concat(),
            frame_size,
            queued: 0,
            sent: 0,
            started: VecDeque::new(),
            answers: 0,
            input: vec![0; INPUT],
            filled: 0,
            error_at,
        })
    }

    /// The socket, to wait on.
    pub(crate) fn socket(&self) -> &TcpStream {
        &self.socket
    }

    /// Requests without an answer.
    pub(crate) fn in_flight(&self) -> usize {
        self.started.len()
    }

    /// Whether bytes wait for room in the socket.
    pub(crate) fn is_blocked(&self) -> bool {
        self.sent < self.queued * self.frame_size as u64
    }

    /// Hands the next frame over for sending; it counts from `now`.
    pub(crate) fn queue(&mut self, now: u64) {
        let slot = (self.queued % self.slots()) as usize * self.frame_size;
        frame::patch_correlation(&mut self.ring[slot..slot + self.frame_size], self.queued as i32);
        self.queued += 1;
        self.started.push_back(now);
    }

    /// Frames the ring holds: the most that may be in flight.
    pub(crate) fn slots(&self) -> u64 {
        (self.ring.len() / self.frame_size) as u64
    }

    /// Sends what was queued, as far as the socket takes it.
    pub(crate) fn flush(&mut self) -> Result<()> {
        while self.is_blocked() {
            let left = (self.queued * self.frame_size as u64 - self.sent) as usize;
            let from = (self.sent % self.ring.len() as u64) as usize;
            let first = left.min(self.ring.len() - from);
            let slices = [IoSlice::new(&self.ring[from..from + first]), IoSlice::new(&self.ring[..left - first])];
            match self.socket.write_vectored(&slices) {
                Ok(count) => self.sent += count as u64,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error).doing("send requests"),
            }
        }
        Ok(())
    }

    /// Reads the answers that came and hands the moment each request counts from to `done`.
    pub(crate) fn receive(&mut self, mut done: impl FnMut(u64)) -> Result<()> {
        let count = match self.socket.read(&mut self.input[self.filled..]) {
            Ok(0) => return Err(Failure::Said("the broker closed the connection".to_owned())),
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error).doing("read answers"),
        };
        self.filled += count;
        let mut at = 0;
        while let Some(size) = whole_answer(&self.input[at..self.filled]) {
            self.check(at, size)?;
            let started = self.started.pop_front();
            done(started.ok_or_else(|| Failure::Said("an answer came without a request".to_owned()))?);
            at += size;
        }
        self.input.copy_within(at..self.filled, 0);
        self.filled -= at;
        Ok(())
    }

    fn check(&mut self, at: usize, size: usize) -> Result<()> {
        let answer = &self.input[at..at + size];
        let correlation = number(answer, PREFIX).map(i32::from_be_bytes);
        if correlation != Some(self.answers as i32) {
            return Err(Failure::Said(format!("answer {correlation:?} came where {} was due", self.answers)));
        }
        self.answers += 1;
        let code = number(answer, self.error_at).map(i16::from_be_bytes);
        accept(|| "a produce request".to_owned(), code.unwrap_or(-1))
    }
}

/// Size of the answer at the front of `bytes`, once it is whole.
fn whole_answer(bytes: &[u8]) -> Option<usize> {
    let size = number(bytes, 0).map(u32::from_be_bytes)? as usize + PREFIX;
    (bytes.len() >= size).then_some(size)
}

fn number<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at + N)?.try_into().ok()
}
