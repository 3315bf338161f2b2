//! Several batches in a row, as a log segment or a Fetch answer has them.

use super::error::BatchError;
use super::header::BatchHeader;

/// The whole batches at the front of some bytes, one after the other. A batch that is cut off at the end is not an error
/// (Fetch answers end like that) and stays in [`Batches::rest`]; after an error there is nothing more.
#[derive(Clone, Debug)]
pub struct Batches<'a> {
    rest: &'a [u8],
    failed: bool,
}

impl<'a> Batches<'a> {
    /// Batches from the start of `bytes`.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Batches<'a> {
        Batches { rest: bytes, failed: false }
    }

    /// Bytes that no batch was taken from yet.
    #[must_use]
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }
}

impl<'a> Iterator for Batches<'a> {
    /// Header and bytes of one batch; the bytes are those of the header's size.
    type Item = Result<(BatchHeader<'a>, &'a [u8]), BatchError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed || self.rest.is_empty() {
            return None;
        }
        match BatchHeader::read(self.rest) {
            Ok(header) => {
                let (batch, rest) = self.rest.split_at_checked(header.size())?;
                self.rest = rest;
                Some(Ok((header, batch)))
            }
            Err(BatchError::Short { .. }) => None,
            Err(error) => {
                self.failed = true;
                Some(Err(error))
            }
        }
    }
}
