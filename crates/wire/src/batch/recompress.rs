//! A client's batch with its records compressed otherwise, for topics that name a codec (`compression.type`).

use super::build::{BatchBuilder, NewRecord, Producer};
use super::error::BatchError;
use super::header::TimestampType;
use super::records::Header;
use super::valid::ValidBatch;
use crate::codec::{CodecError, Compression};
use crate::ids::Offset;

impl ValidBatch<'_> {
    /// The same records of the same producer, compressed as `compression` says. Timestamps, headers and sequence numbers
    /// stay; at most `limit` bytes are decompressed.
    ///
    /// # Errors
    /// What decompressing says, or that the records take more than a batch can say.
    pub fn recompressed(&self, compression: Compression, limit: usize) -> Result<Vec<u8>, BatchError> {
        let mut builder = BatchBuilder::new(Offset(0)).compression(compression);
        if self.has_producer_id() {
            let (id, epoch) = (self.producer_id(), self.producer_epoch());
            builder = builder.producer(Producer { id, epoch, base_sequence: self.base_sequence() });
        }
        if self.is_transactional() {
            builder = builder.transactional();
        }
        // A producer that claims LogAppendTime has given all records one timestamp.
        let one = (self.header().timestamp_type() == TimestampType::LogAppendTime).then(|| self.max_timestamp());
        let mut scratch = Vec::new();
        let mut headers: Vec<Header<'_>> = Vec::new();
        for record in self.records(&mut scratch, limit)? {
            let record = record?;
            headers.clear();
            headers.extend(record.headers.iter());
            let timestamp = one.unwrap_or(record.timestamp);
            let copy = NewRecord { timestamp, key: record.key, value: record.value, headers: &headers };
            builder.append(&copy).map_err(|_| CodecError::TooLarge { codec: self.codec(), limit })?;
        }
        Ok(builder.finish())
    }
}
