//! Request frames built once and sent many times: only the correlation id is patched.

use std::borrow::Cow;

use ottla_messages::api::ApiKey;
use ottla_messages::{fetch, produce};
use ottla_wire::batch::{BatchBuilder, NewRecord, Producer};
use ottla_wire::ids::Offset;
use ottla_wire::{ApiVersion, EncodeError, Encoder, Records};

use crate::failure::Result;

/// Last versions that name topics by name, so that a frame outlives a restart of the broker.
pub(crate) const PRODUCE: ApiVersion = ApiVersion(12);
pub(crate) const FETCH: ApiVersion = ApiVersion(12);
/// Where the correlation id lies in a frame.
pub(crate) const CORRELATION_AT: usize = 8;
/// Bytes of the length before each frame.
pub(crate) const PREFIX: usize = 4;

const CLIENT_ID: &str = "ottla-bench";
const PRODUCE_TIMEOUT_MS: i32 = 30_000;

/// A whole request frame: length, header, and the body that `body` writes.
pub(crate) fn request(
    api: ApiKey,
    version: ApiVersion,
    body: impl FnOnce(&mut Encoder) -> std::result::Result<(), EncodeError>,
) -> Result<Vec<u8>> {
    let mut out = Encoder::new();
    out.i32(0);
    out.i16(api.into());
    out.i16(version.0);
    out.i32(0);
    out.nullable_string(false, Some(CLIENT_ID))?;
    if api.info().is_flexible(version) {
        out.uvarint(0);
    }
    body(&mut out)?;
    let length = i32::try_from(out.position() - PREFIX).map_err(|_| EncodeError::TooLong { length: out.position() })?;
    out.patch_i32(0, length);
    Ok(out.into_parts().0)
}

/// Sets the correlation id of a frame.
pub(crate) fn patch_correlation(frame: &mut [u8], correlation: i32) {
    frame[CORRELATION_AT..CORRELATION_AT + 4].copy_from_slice(&correlation.to_be_bytes());
}

/// A batch of `records` values of `size` bytes, each of its own bytes.
pub(crate) fn batch(records: u32, size: usize, producer: Option<Producer>) -> Result<Vec<u8>> {
    let mut builder = BatchBuilder::new(Offset(0));
    if let Some(producer) = producer {
        builder = builder.producer(producer);
    }
    let now_ms = crate::wall_ms();
    for number in 0..records {
        let value = noise(size, u64::from(number) + 1);
        builder.append(&NewRecord { timestamp: now_ms, key: None, value: Some(&value), headers: &[] })?;
    }
    Ok(builder.finish())
}

/// A Produce frame with one batch for each partition of `batches`.
pub(crate) fn produce(topic: &str, acks: i16, batches: &[(i32, &[u8])]) -> Result<Vec<u8>> {
    let partition_data = batches
        .iter()
        .map(|(index, records)| produce::PartitionProduceData { index: *index, records: Some(Records::Bytes(records)) })
        .collect();
    let message = produce::ProduceRequest {
        transactional_id: None,
        acks,
        timeout_ms: PRODUCE_TIMEOUT_MS,
        topic_data: vec![produce::TopicProduceData {
            name: Cow::Borrowed(topic),
            partition_data,
            ..produce::TopicProduceData::default()
        }],
    };
    request(ApiKey::Produce, PRODUCE, |out| message.encode(out, PRODUCE))
}

/// Where the error code lies in the answer to a Produce frame of one partition.
pub(crate) fn produce_error_at(topic: &str) -> usize {
    let header = PREFIX + 4 + 1;
    let counts_and_name = 1 + compact_length_size(topic.len()) + topic.len() + 1;
    header + counts_and_name + 4
}

/// A Fetch frame for one partition, out of any session.
pub(crate) fn fetch(topic: &str, partition: i32, offset: i64, bytes_max: i32) -> Result<Vec<u8>> {
    let message = fetch::FetchRequest {
        replica_id: -1,
        max_wait_ms: 500,
        min_bytes: 1,
        max_bytes: bytes_max,
        session_id: 0,
        session_epoch: -1,
        topics: vec![fetch::FetchTopic {
            topic: Cow::Borrowed(topic),
            partitions: vec![fetch::FetchPartition {
                partition,
                current_leader_epoch: -1,
                fetch_offset: offset,
                partition_max_bytes: bytes_max,
                ..fetch::FetchPartition::default()
            }],
            ..fetch::FetchTopic::default()
        }],
        ..fetch::FetchRequest::default()
    };
    request(ApiKey::Fetch, FETCH, |out| message.encode(out, FETCH))
}

fn compact_length_size(length: usize) -> usize {
    if length + 1 < 128 { 1 } else { 2 }
}

/// Bytes that do not compress, the same for the same seed.
fn noise(size: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut bytes = Vec::with_capacity(size + 8);
    while bytes.len() < size {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(size);
    bytes
}

#[cfg(test)]
mod tests {
    use super::{PREFIX, PRODUCE, batch, patch_correlation, produce, produce_error_at};
    use ottla_messages::produce::{PartitionProduceResponse, ProduceResponse, TopicProduceResponse};
    use ottla_wire::batch::{DoorRules, ValidBatch};
    use ottla_wire::{Cursor, Encoder};

    #[test]
    fn batch_passes_the_door() {
        let bytes = batch(3, 100, None).unwrap();
        let valid = ValidBatch::check(&bytes, &DoorRules::default(), crate::wall_ms()).unwrap();
        assert_eq!(valid.header().record_count(), 3);
    }

    #[test]
    fn frame_has_its_length_and_the_patched_correlation_id() {
        let bytes = batch(1, 10, None).unwrap();
        let mut frame = produce("topic", -1, &[(2, &bytes)]).unwrap();
        patch_correlation(&mut frame, 77);
        let mut cursor = Cursor::new(&frame);
        assert_eq!(cursor.i32().unwrap() as usize, frame.len() - PREFIX);
        assert_eq!((cursor.i16().unwrap(), cursor.i16().unwrap()), (0, PRODUCE.0));
        assert_eq!(cursor.i32().unwrap(), 77);
    }

    #[test]
    fn error_code_of_an_answer_is_where_it_is_looked_for() {
        let partition = PartitionProduceResponse { error_code: 0x1234, ..PartitionProduceResponse::default() };
        let topic =
            TopicProduceResponse { name: "topic".into(), partition_responses: vec![partition], ..Default::default() };
        let mut out = Encoder::new();
        out.i32(0);
        out.i32(1);
        out.uvarint(0);
        ProduceResponse { responses: vec![topic], ..Default::default() }.encode(&mut out, PRODUCE).unwrap();
        let at = produce_error_at("topic");
        assert_eq!(out.bytes()[at..at + 2], [0x12, 0x34]);
    }
}
