//! The walk over compressed records at the door: decompressed as a stream through a small window, up to a cap.

use super::error::BatchError;
use super::walk::{RecordRules, Tally, What, skip, varint, varlong};
use crate::codec::{Codec, CodecError, inflating};
use std::io::Read;

/// Decompressed bytes that are held at a time.
const WINDOW: usize = 16 * 1024;
/// Most bytes that one number of a record takes.
const NUMBER_MAX: usize = 10;

/// Walks all records of the compressed `data` and returns their largest timestamp. More than `limit` decompressed bytes
/// are an error; memory stays within the window and what the codec needs.
pub(super) fn walk(codec: Codec, data: &[u8], rules: RecordRules, limit: usize) -> Result<i64, BatchError> {
    inflating(codec, data, |source| {
        let mut window =
            Window { source, codec, limit, total: 0, buffer: vec![0; WINDOW], start: 0, end: 0, fault: None };
        let mut tally = Tally::new(rules);
        for index in 0..rules.count {
            window.record(index, &mut tally).map_err(|what| window.error(index, what))?;
        }
        match window.ensure(1) {
            Ok(()) if window.end == window.start => tally.finish(),
            Ok(()) => Err(window.error(rules.count, "bytes follow the last record")),
            Err(what) => Err(window.error(rules.count, what)),
        }
    })?
}

/// A view of the decompressed stream that slides forward.
struct Window<'s> {
    source: &'s mut dyn Read,
    codec: Codec,
    limit: usize,
    /// Bytes decompressed so far.
    total: usize,
    buffer: Vec<u8>,
    /// `start ≤ end ≤ buffer.len()`: what was decompressed and not yet walked.
    start: usize,
    end: usize,
    /// Why the stream broke, when it was not the record that was wrong.
    fault: Option<CodecError>,
}

impl Window<'_> {
    fn error(&mut self, index: i32, what: What) -> BatchError {
        self.fault.take().map_or(BatchError::Malformed { index, what }, BatchError::Codec)
    }

    /// Bytes walked so far.
    fn position(&self) -> usize {
        self.total - (self.end - self.start)
    }

    /// Makes `count` bytes visible, or all that are left.
    fn ensure(&mut self, count: usize) -> Result<(), What> {
        if self.end - self.start >= count {
            return Ok(());
        }
        self.buffer.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, self.end - self.start);
        while self.end < count {
            match self.source.read(&mut self.buffer[self.end..]) {
                Ok(0) => break,
                Ok(read) => {
                    self.end += read;
                    self.total += read;
                }
                Err(_) => {
                    self.fault = Some(CodecError::Damaged(self.codec));
                    return Err("");
                }
            }
            if self.total > self.limit {
                self.fault = Some(CodecError::TooLarge { codec: self.codec, limit: self.limit });
                return Err("");
            }
        }
        Ok(())
    }

    /// Reads a number with `parse` from the front.
    fn number<T>(&mut self, parse: impl FnOnce(&mut &[u8]) -> Result<T, What>) -> Result<T, What> {
        self.ensure(NUMBER_MAX)?;
        let mut rest = &self.buffer[self.start..self.end];
        let value = parse(&mut rest)?;
        self.start = self.end - rest.len();
        Ok(value)
    }

    /// Steps over `length` bytes; a negative length is a null.
    fn skip(&mut self, length: i32) -> Result<(), What> {
        let mut left = usize::try_from(length).unwrap_or(0);
        while left > 0 {
            self.ensure(1)?;
            let step = left.min(self.end - self.start);
            if step == 0 {
                return Err("the records end inside of it");
            }
            self.start += step;
            left -= step;
        }
        Ok(())
    }

    fn record(&mut self, index: i32, tally: &mut Tally) -> Result<(), What> {
        let length = self.number(varint)?;
        let end = self.position() + usize::try_from(length).map_err(|_| "its length is negative")?;
        self.number(|rest| skip(rest, 1).map_err(|_| "it is empty"))?;
        let timestamp_delta = self.number(varlong)?;
        if self.number(varint)? != index {
            return Err("its offset is not its place in the batch");
        }
        let key_length = self.number(varint)?;
        self.skip(key_length)?;
        let value_length = self.number(varint)?;
        self.skip(value_length)?;
        self.headers()?;
        if self.position() != end {
            return Err("its parts do not add up to its length");
        }
        tally.record(index, timestamp_delta, key_length);
        Ok(())
    }

    fn headers(&mut self) -> Result<(), What> {
        let count = self.number(varint)?;
        if count < 0 {
            return Err("it has a negative number of headers");
        }
        // Each header takes at least two bytes, so that the loop ends with the bytes whatever the count says.
        for _ in 0..count {
            let key_length = self.number(varint)?;
            if key_length < 0 {
                return Err("a header has no key");
            }
            self.skip(key_length)?;
            let value_length = self.number(varint)?;
            self.skip(value_length)?;
        }
        Ok(())
    }
}
