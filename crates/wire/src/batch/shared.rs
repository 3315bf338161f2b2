//! A checked batch that shares the memory of the frame it came in, so that it can wait in a queue.

use super::valid::ValidBatch;
use bytes::Bytes;

/// The proof and the bytes of a batch, without a borrow. Holds its frame's memory alive: for the way to the log only.
#[derive(Clone, Debug)]
pub struct SharedBatch {
    bytes: Bytes,
    proof: super::valid::Proof,
}

impl SharedBatch {
    /// Shares the memory of `frame`, in which the batch lies.
    #[must_use]
    pub fn new(frame: &Bytes, batch: &ValidBatch<'_>) -> SharedBatch {
        SharedBatch { bytes: frame.slice_ref(batch.bytes()), proof: batch.proof() }
    }

    /// The batch, as it was checked.
    #[must_use]
    pub fn get(&self) -> ValidBatch<'_> {
        ValidBatch::proven(&self.bytes, self.proof)
    }

    /// Bytes of the batch.
    #[must_use]
    pub fn size(&self) -> usize {
        self.bytes.len()
    }
}
