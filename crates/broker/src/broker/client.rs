//! A client of the simulated world, for the topic `t`.

use super::tests::raw::{frame, open};
use bytes::BytesMut;
use ottla_host::Host;
use ottla_host::net::Stream;
use ottla_messages::api::ApiKey;
use ottla_messages::fetch::{FetchPartition, FetchRequest, FetchResponse, FetchTopic};
use ottla_messages::list_offsets::{ListOffsetsPartition, ListOffsetsRequest, ListOffsetsResponse, ListOffsetsTopic};
use ottla_messages::metadata::{MetadataRequest, MetadataResponse};
use ottla_messages::produce::{PartitionProduceData, ProduceRequest, ProduceResponse, TopicProduceData};
use ottla_wire::batch::{BatchBuilder, NewRecord};
use ottla_wire::ids::Offset;
use ottla_wire::{Records, Uuid};
use std::future::poll_fn;
use std::io::IoSlice;
use std::time::Duration;

/// Timestamp that asks ListOffsets for the first offset.
const EARLIEST: i64 = -2;

/// A connection.
pub(super) struct Client {
    host: Host,
    stream: Box<dyn Stream>,
    received: BytesMut,
}

/// What a fetch of one partition got.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Fetched {
    pub(super) code: i16,
    pub(super) watermark: i64,
    pub(super) bytes: usize,
    pub(super) took: Duration,
}

impl Client {
    pub(super) async fn connect(host: &Host) -> Client {
        let stream = host.net.connect("broker", 9092).await.expect("the broker listens");
        Client { host: host.clone(), stream, received: BytesMut::with_capacity(64 << 10) }
    }

    /// Sends a frame and waits for its answer; the answer and how long that took.
    async fn ask(&mut self, frame: &[u8]) -> (Vec<u8>, Duration) {
        let begun = self.host.clock.monotonic();
        let mut left = frame;
        while !left.is_empty() {
            let sent = poll_fn(|cx| self.stream.poll_write(cx, &[IoSlice::new(left)])).await;
            left = &left[sent.expect("the broker reads")..];
        }
        loop {
            if let Some(length) = self.received.first_chunk::<4>() {
                let length = 4 + i32::from_be_bytes(*length) as usize;
                if self.received.len() >= length {
                    let answer = self.received.split_to(length)[4..].to_vec();
                    return (answer, self.host.clock.monotonic().since(begun));
                }
            }
            self.received.reserve(16 << 10);
            let read = poll_fn(|cx| self.stream.poll_read(cx, &mut self.received)).await.expect("the broker answers");
            assert!(read > 0, "the broker has closed the connection");
        }
    }

    /// Produces a record; the error code and how long it took.
    pub(super) async fn produce(&mut self, partition: i32) -> (i16, Duration) {
        let mut builder = BatchBuilder::new(Offset(0));
        let now = self.host.clock.wall().0;
        builder.append(&NewRecord { timestamp: now, value: Some(&[7; 300]), ..NewRecord::default() }).expect("small");
        let records = builder.finish();
        let data = PartitionProduceData { index: partition, records: Some(Records::Bytes(&records)) };
        let topic = TopicProduceData { name: "t".into(), topic_id: Uuid::ZERO, partition_data: vec![data] };
        let request =
            ProduceRequest { acks: -1, timeout_ms: 5_000, topic_data: vec![topic], ..ProduceRequest::default() };
        let sent = frame(ApiKey::Produce, 9, 1, |out, version| request.encode(out, version));
        let (answer, took) = self.ask(&sent).await;
        let (_, code) = open(&answer, ApiKey::Produce, 9, |cursor, version| {
            ProduceResponse::decode(cursor, version).expect("a response").responses[0].partition_responses[0].error_code
        });
        (code, took)
    }

    /// Fetches from `offset`, waiting for a byte for so long.
    pub(super) async fn fetch(&mut self, partition: i32, offset: i64, wait: Duration) -> Fetched {
        let partition =
            FetchPartition { partition, fetch_offset: offset, partition_max_bytes: 4096, ..FetchPartition::default() };
        let topic = FetchTopic { topic: "t".into(), partitions: vec![partition], ..FetchTopic::default() };
        let max_wait_ms = i32::try_from(wait.as_millis()).expect("a test waits for seconds");
        let request =
            FetchRequest { max_wait_ms, min_bytes: 1, max_bytes: 4096, topics: vec![topic], ..FetchRequest::default() };
        let sent = frame(ApiKey::Fetch, 11, 1, |out, version| request.encode(out, version));
        let (answer, took) = self.ask(&sent).await;
        let (_, fetched) = open(&answer, ApiKey::Fetch, 11, |cursor, version| {
            let response = FetchResponse::decode(cursor, version).expect("a response");
            let data = &response.responses[0].partitions[0];
            let bytes = data.records.map_or(0, |records| records.bytes().len());
            Fetched { code: data.error_code, watermark: data.high_watermark, bytes, took }
        });
        fetched
    }

    /// Error code and first offset of a partition.
    pub(super) async fn first_offset(&mut self, partition: i32) -> (i16, i64) {
        let partition =
            ListOffsetsPartition { partition_index: partition, current_leader_epoch: -1, timestamp: EARLIEST };
        let topic = ListOffsetsTopic { name: "t".into(), partitions: vec![partition] };
        let request = ListOffsetsRequest { replica_id: -1, topics: vec![topic], ..ListOffsetsRequest::default() };
        let sent = frame(ApiKey::ListOffsets, 5, 1, |out, version| request.encode(out, version));
        let (answer, _) = self.ask(&sent).await;
        let (_, found) = open(&answer, ApiKey::ListOffsets, 5, |cursor, version| {
            let response = ListOffsetsResponse::decode(cursor, version).expect("a response");
            let answer = &response.topics[0].partitions[0];
            (answer.error_code, answer.offset)
        });
        found
    }

    /// Asks for all topics, of which there is one; how long it took.
    pub(super) async fn metadata(&mut self) -> Duration {
        let request = MetadataRequest { topics: None, ..MetadataRequest::default() };
        let sent = frame(ApiKey::Metadata, 9, 1, |out, version| request.encode(out, version));
        let (answer, took) = self.ask(&sent).await;
        let (_, topics) = open(&answer, ApiKey::Metadata, 9, |cursor, version| {
            MetadataResponse::decode(cursor, version).expect("a response").topics.len()
        });
        assert_eq!(topics, 1);
        took
    }
}
