//! Answers on their way out: many in one vectored write, record data straight from its file.

use crate::api::call::Answer;
use crate::cx::{FileRegion, Region};
use ottla_host::net::Stream;
use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::task::{Context, Poll, ready};

/// Most pieces of one vectored write.
const SLICES_MAX: usize = 64;
/// Reply buffers kept for later answers of the connection.
const SPARE_MAX: usize = 4;
/// A larger reply buffer is freed after use.
const SPARE_BYTES_MAX: usize = 16 << 10;

/// A piece of an answer.
enum Part<'a> {
    Bytes(&'a [u8]),
    Region(&'a FileRegion, usize),
}

impl Answer {
    /// Bytes that the answer takes on the wire.
    pub(crate) fn total(&self) -> usize {
        self.bytes.len() + self.cuts.iter().map(|cut| cut.length as usize).sum::<usize>()
    }

    fn has_files(&self) -> bool {
        self.regions.iter().any(|region| matches!(region, Region::File(_)))
    }

    /// Piece `at`: own bytes at even places, regions at odd ones.
    fn part(&self, at: usize) -> Option<Part<'_>> {
        let cut = at / 2;
        if at % 2 == 1 {
            let cut = self.cuts.get(cut)?;
            return Some(match self.regions.get(cut.id as usize)? {
                Region::Bytes(bytes) => Part::Bytes(bytes),
                Region::File(region) => Part::Region(region, cut.length as usize),
            });
        }
        let from = if cut == 0 { 0 } else { self.cuts.get(cut - 1)?.at };
        let to = self.cuts.get(cut).map_or(self.bytes.len(), |next| next.at);
        Some(Part::Bytes(&self.bytes[from..to]))
    }
}

/// Answers that are not sent yet, in order.
#[derive(Default)]
pub(crate) struct Outbox {
    answers: VecDeque<Answer>,
    /// Piece of the first answer that goes next.
    part: usize,
    /// Bytes of that piece that are sent.
    sent: usize,
    /// Whether small packets are held back, until all is sent.
    holding: bool,
    /// Bytes of all answers held.
    bytes: usize,
    spare: Vec<Vec<u8>>,
}

impl Outbox {
    /// Whether everything is sent.
    pub(crate) fn is_empty(&self) -> bool {
        self.answers.is_empty()
    }

    /// Bytes of answers that are not sent whole.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// An empty buffer for an answer.
    pub(crate) fn buffer(&mut self) -> Vec<u8> {
        self.spare.pop().unwrap_or_default()
    }

    /// Adds an answer behind the others.
    pub(crate) fn push(&mut self, answer: Answer) {
        self.bytes += answer.total();
        self.answers.push_back(answer);
    }

    /// Sends as much as the connection takes; ready when all is sent.
    pub(crate) fn poll_flush(&mut self, stream: &mut dyn Stream, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(first) = self.answers.front() {
            // Header, record data and what follows them leave in as few packets as they fit into.
            if !self.holding && first.has_files() {
                stream.hold_back(true);
                self.holding = true;
            }
            let written = match first.part(self.part) {
                Some(Part::Region(region, length)) => ready!(self.poll_region(stream, task, region, length))?,
                Some(Part::Bytes(_)) => ready!(self.poll_bytes(stream, task))?,
                None => 0,
            };
            self.advance(written);
        }
        if self.holding {
            stream.hold_back(false);
            self.holding = false;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_region(
        &self,
        stream: &mut dyn Stream,
        task: &mut Context<'_>,
        region: &FileRegion,
        length: usize,
    ) -> Poll<io::Result<usize>> {
        let at = region.position() + self.sent as u64;
        let sent = ready!(stream.poll_send_file(task, region.file(), at, length - self.sent))?;
        // Asked after sending: what was sent while the log was cut may be foreign, and the client must not believe it.
        if !region.is_current() {
            return Poll::Ready(Err(io::Error::other("the log was truncated under an answer")));
        }
        match sent {
            0 => Poll::Ready(Err(io::Error::other("a segment ended inside an answer"))),
            sent => Poll::Ready(Ok(sent)),
        }
    }

    fn poll_bytes(&self, stream: &mut dyn Stream, task: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut slices = [IoSlice::new(&[]); SLICES_MAX];
        let mut count = 0;
        let mut skip = self.sent;
        let mut part = self.part;
        'answers: for answer in &self.answers {
            while let Some(piece) = answer.part(part) {
                let Part::Bytes(bytes) = piece else { break 'answers };
                if count == SLICES_MAX {
                    break 'answers;
                }
                slices[count] = IoSlice::new(&bytes[skip..]);
                count += 1;
                skip = 0;
                part += 1;
            }
            part = 0;
        }
        match ready!(stream.poll_write(task, &slices[..count]))? {
            0 if slices[..count].iter().any(|slice| !slice.is_empty()) => {
                Poll::Ready(Err(io::ErrorKind::WriteZero.into()))
            }
            written => Poll::Ready(Ok(written)),
        }
    }

    /// Moves over `written` bytes, and over answers and pieces that are done.
    fn advance(&mut self, mut written: usize) {
        while let Some(first) = self.answers.front() {
            let length = match first.part(self.part) {
                Some(Part::Bytes(bytes)) => bytes.len(),
                Some(Part::Region(_, length)) => length,
                None => {
                    self.part = 0;
                    self.drop_first();
                    continue;
                }
            };
            if self.sent + written < length {
                self.sent += written;
                return;
            }
            written -= length - self.sent;
            self.sent = 0;
            self.part += 1;
        }
    }

    fn drop_first(&mut self) {
        let Some(mut answer) = self.answers.pop_front() else { return };
        self.bytes -= answer.total();
        if self.spare.len() < SPARE_MAX && answer.bytes.capacity() <= SPARE_BYTES_MAX {
            answer.bytes.clear();
            self.spare.push(answer.bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Answer, Outbox};
    use crate::cx::Region;
    use bytes::BytesMut;
    use ottla_host::File;
    use ottla_host::net::Stream;
    use ottla_wire::encoder::Cut;
    use std::io::{self, IoSlice};
    use std::net::SocketAddr;
    use std::task::{Context, Poll, Waker};

    /// Takes three bytes at a time, across slices.
    #[derive(Default)]
    struct Slow(Vec<u8>);

    impl Stream for Slow {
        fn local_addr(&self) -> io::Result<SocketAddr> {
            Err(io::ErrorKind::Unsupported.into())
        }

        fn peer_addr(&self) -> io::Result<SocketAddr> {
            Err(io::ErrorKind::Unsupported.into())
        }

        fn poll_read(&mut self, _: &mut Context<'_>, _: &mut BytesMut) -> Poll<io::Result<usize>> {
            Poll::Pending
        }

        fn poll_write(&mut self, _: &mut Context<'_>, parts: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
            let all: Vec<u8> = parts.iter().flat_map(|part| part.iter().copied()).take(3).collect();
            self.0.extend(&all);
            Poll::Ready(Ok(all.len()))
        }

        fn poll_send_file(&mut self, _: &mut Context<'_>, _: &dyn File, _: u64, _: usize) -> Poll<io::Result<usize>> {
            Poll::Pending
        }

        fn poll_close(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[test]
    fn answers_and_their_regions_leave_in_order_however_little_is_taken() {
        let mut outbox = Outbox::default();
        let cuts = vec![Cut { at: 2, id: 1, length: 4 }, Cut { at: 2, id: 0, length: 1 }];
        let regions = vec![Region::Bytes(b"B".to_vec()), Region::Bytes(b"long".to_vec())];
        outbox.push(Answer { bytes: b"ab".to_vec(), cuts, regions });
        outbox.push(Answer { bytes: b"second".to_vec(), ..Answer::default() });
        outbox.push(Answer { bytes: b"3".to_vec(), ..Answer::default() });
        let mut stream = Slow::default();
        let sent = outbox.poll_flush(&mut stream, &mut Context::from_waker(Waker::noop()));
        assert!(matches!(sent, Poll::Ready(Ok(()))));
        assert_eq!(stream.0, b"ablongBsecond3");
        assert!(outbox.is_empty());
        assert_eq!(outbox.bytes(), 0);
    }
}
