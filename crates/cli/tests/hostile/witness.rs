//! The good client: what it was promised is there, and in time.

use crate::PATIENCE;
use crate::raw::{Client, frame};
use ottla_messages::api::ApiKey;
use ottla_messages::create_topics::{CreatableTopic, CreateTopicsRequest, CreateTopicsResponse};
use ottla_messages::fetch::{FetchPartition, FetchRequest, FetchResponse, FetchTopic};
use ottla_messages::produce::{PartitionProduceData, ProduceRequest, ProduceResponse, TopicProduceData};
use ottla_wire::batch::{BatchBuilder, BatchHeader, NewRecord};
use ottla_wire::ids::Offset;
use ottla_wire::{Records, Uuid};
use std::net::SocketAddr;
use std::time::Instant;

const TOPIC: &str = "t";

/// A client with one topic, which counts what was acknowledged.
pub(crate) struct Witness {
    client: Client,
    address: SocketAddr,
    acknowledged: i64,
}

impl Witness {
    pub(crate) fn new(address: SocketAddr) -> Witness {
        let mut client = Client::connect(address);
        let topic = CreatableTopic {
            name: TOPIC.into(),
            num_partitions: 1,
            replication_factor: 1,
            ..CreatableTopic::default()
        };
        let request = CreateTopicsRequest { topics: vec![topic], timeout_ms: 10_000, ..CreateTopicsRequest::default() };
        let code = client.call(
            ApiKey::CreateTopics,
            5,
            |out, version| request.encode(out, version),
            |cursor, version| CreateTopicsResponse::decode(cursor, version).unwrap().topics[0].error_code,
        );
        assert_eq!(code, 0);
        Witness { client, address, acknowledged: 0 }
    }

    /// Produces a record, which is acknowledged at the next offset, and soon.
    pub(crate) fn works(&mut self) {
        let begun = Instant::now();
        let answer = produce(&mut self.client, &batch(&[b"good"]));
        let took = begun.elapsed();
        assert_eq!(answer, (0, self.acknowledged));
        assert!(took <= PATIENCE, "a good request took {took:?}");
        self.acknowledged += 1;
    }

    /// Others have appended records too.
    pub(crate) fn learns_of(&mut self, records: i64) {
        self.acknowledged += records;
    }

    /// All that was acknowledged can be read, over a connection of its own.
    pub(crate) fn finds_all(&self) {
        let mut client = Client::connect(self.address);
        let mut at = 0;
        while at < self.acknowledged {
            let request = fetch_request(at);
            let next = client.call(
                ApiKey::Fetch,
                11,
                |out, version| request.encode(out, version),
                |cursor, version| {
                    let response = FetchResponse::decode(cursor, version).unwrap();
                    let data = &response.responses[0].partitions[0];
                    assert_eq!(data.error_code, 0);
                    data.records.map(|records| end_of(records.bytes())).unwrap_or_default()
                },
            );
            assert!(next > at, "nothing is at {at} of {}", self.acknowledged);
            at = next;
        }
    }
}

/// Offset after the last whole batch.
fn end_of(mut bytes: &[u8]) -> i64 {
    let mut end = 0;
    while let Ok(header) = BatchHeader::read(bytes) {
        end = header.last_offset().0 + 1;
        let Some(rest) = bytes.get(header.size()..) else { break };
        bytes = rest;
    }
    end
}

fn fetch_request(offset: i64) -> FetchRequest<'static> {
    let partition = FetchPartition { fetch_offset: offset, partition_max_bytes: 4 << 20, ..FetchPartition::default() };
    let topic = FetchTopic { topic: TOPIC.into(), partitions: vec![partition], ..FetchTopic::default() };
    FetchRequest { max_wait_ms: 0, min_bytes: 1, max_bytes: 4 << 20, topics: vec![topic], ..FetchRequest::default() }
}

/// A request for all there is.
pub(crate) fn fetch_frame() -> Vec<u8> {
    frame(ApiKey::Fetch, 11, 5, |out, version| fetch_request(0).encode(out, version))
}

pub(crate) fn batch(values: &[&[u8]]) -> Vec<u8> {
    let mut builder = BatchBuilder::new(Offset(0));
    for value in values {
        builder.append(&NewRecord { timestamp: 1_000, value: Some(value), ..NewRecord::default() }).unwrap();
    }
    builder.finish()
}

pub(crate) fn request(records: &[u8]) -> ProduceRequest<'_> {
    let data = PartitionProduceData { index: 0, records: Some(Records::Bytes(records)) };
    let topic = TopicProduceData { name: TOPIC.into(), topic_id: Uuid::ZERO, partition_data: vec![data] };
    ProduceRequest { acks: -1, timeout_ms: 10_000, topic_data: vec![topic], ..ProduceRequest::default() }
}

/// Error code and base offset.
pub(crate) fn produce(client: &mut Client, records: &[u8]) -> (i16, i64) {
    let request = request(records);
    client.call(
        ApiKey::Produce,
        9,
        |out, version| request.encode(out, version),
        |cursor, version| {
            let response = ProduceResponse::decode(cursor, version).unwrap();
            let answer = &response.responses[0].partition_responses[0];
            (answer.error_code, answer.base_offset)
        },
    )
}
