//! One direction of a connection: bytes under way, in order, each with the moment of its arrival.

use ottla_host::clock::Monotonic;
use std::collections::VecDeque;
use std::io;
use std::task::Waker;

/// Bytes under way at most; a writer waits beyond.
const WINDOW: usize = 256 * 1024;

/// Who holds on to a pipe.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum PipeEnd {
    Writer,
    Reader,
}

/// A stream of bytes from one node to another.
#[derive(Debug)]
pub(super) struct Pipe {
    pub(super) from: u64,
    pub(super) to: u64,
    segments: VecDeque<Segment>,
    bytes_under_way: usize,
    last_arrival: Monotonic,
    is_ended: bool,
    is_reset: bool,
    /// The other machine has lost its power: nothing arrives, and nobody says so.
    is_half_open: bool,
    writer_gone: bool,
    reader_gone: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

#[derive(Debug)]
struct Segment {
    arrives: Monotonic,
    bytes: Vec<u8>,
    taken: usize,
}

/// What a reader finds.
pub(super) enum Found {
    Bytes(usize),
    End,
    Later(Monotonic),
    Nothing,
}

impl Pipe {
    pub(super) fn new(from: u64, to: u64) -> Pipe {
        Pipe {
            from,
            to,
            segments: VecDeque::new(),
            bytes_under_way: 0,
            last_arrival: Monotonic(0),
            is_ended: false,
            is_reset: false,
            is_half_open: false,
            writer_gone: false,
            reader_gone: false,
            reader: None,
            writer: None,
        }
    }

    pub(super) fn room(&self) -> usize {
        WINDOW.saturating_sub(self.bytes_under_way)
    }

    pub(super) fn check(&self) -> io::Result<()> {
        if self.is_reset { Err(io::ErrorKind::ConnectionReset.into()) } else { Ok(()) }
    }

    pub(super) fn check_writable(&self) -> io::Result<()> {
        self.check()?;
        if self.is_ended || (self.reader_gone && !self.is_half_open) {
            Err(io::ErrorKind::BrokenPipe.into())
        } else {
            Ok(())
        }
    }

    pub(super) fn is_half_open(&self) -> bool {
        self.is_half_open
    }

    /// Sends bytes, which arrive no earlier than those before.
    pub(super) fn push(&mut self, bytes: Vec<u8>, arrives: Monotonic) {
        if self.is_half_open {
            return;
        }
        self.last_arrival = self.last_arrival.max(arrives);
        self.bytes_under_way += bytes.len();
        self.segments.push_back(Segment { arrives: self.last_arrival, bytes, taken: 0 });
        self.wake_reader();
    }

    /// What has arrived, up to `max` bytes handed to `take`.
    pub(super) fn read(&mut self, now: Monotonic, max: usize, mut take: impl FnMut(&[u8])) -> Found {
        let Some(segment) = self.segments.front_mut() else {
            return match self.is_ended && !self.is_half_open {
                true => Found::End,
                false => Found::Nothing,
            };
        };
        if segment.arrives > now {
            return Found::Later(segment.arrives);
        }
        let count = max.min(segment.bytes.len() - segment.taken);
        take(&segment.bytes[segment.taken..segment.taken + count]);
        segment.taken += count;
        if segment.taken == segment.bytes.len() {
            self.segments.pop_front();
        }
        self.bytes_under_way -= count;
        self.wake_writer();
        Found::Bytes(count)
    }

    pub(super) fn wait_to_read(&mut self, waker: Waker) {
        self.reader = Some(waker);
    }

    pub(super) fn wait_to_write(&mut self, waker: Waker) {
        self.writer = Some(waker);
    }

    /// Nothing more will be written.
    pub(super) fn end(&mut self) {
        self.is_ended = true;
        self.wake_reader();
    }

    /// Both sides get an error, and bytes under way are lost.
    pub(super) fn reset(&mut self) {
        self.is_reset = true;
        self.segments.clear();
        self.bytes_under_way = 0;
        self.wake();
    }

    pub(super) fn become_half_open(&mut self) {
        self.is_half_open = true;
    }

    pub(super) fn drop_end(&mut self, end: PipeEnd) {
        match end {
            PipeEnd::Writer => {
                self.writer_gone = true;
                self.end();
            }
            PipeEnd::Reader => {
                self.reader_gone = true;
                self.wake_writer();
            }
        }
    }

    pub(super) fn is_abandoned(&self) -> bool {
        self.writer_gone && self.reader_gone
    }

    pub(super) fn wake(&mut self) {
        self.wake_reader();
        self.wake_writer();
    }

    fn wake_reader(&mut self) {
        self.reader.take().into_iter().for_each(Waker::wake);
    }

    fn wake_writer(&mut self) {
        self.writer.take().into_iter().for_each(Waker::wake);
    }
}
