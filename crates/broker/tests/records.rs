//! Records through a broker that real topics were made on: order, offsets, times, sessions, durability, restarts.

#[allow(dead_code, reason = "each test file uses a part of it")]
mod raw;

use ottla_messages::api::ApiKey;
use ottla_messages::create_topics::{CreatableTopic, CreatableTopicConfig, CreateTopicsRequest, CreateTopicsResponse};
use ottla_messages::delete_records::{
    DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsResponse, DeleteRecordsTopic,
};
use ottla_messages::fetch::{FetchPartition, FetchRequest, FetchResponse, FetchTopic};
use ottla_messages::init_producer_id::{InitProducerIdRequest, InitProducerIdResponse};
use ottla_messages::list_offsets::{ListOffsetsPartition, ListOffsetsRequest, ListOffsetsResponse, ListOffsetsTopic};
use ottla_messages::offset_for_leader_epoch::{
    OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse, OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use ottla_messages::produce::{PartitionProduceData, ProduceRequest, ProduceResponse, TopicProduceData};
use ottla_wire::batch::{BatchBuilder, Batches, NewRecord, Producer, ValidBatch};
use ottla_wire::codec::Codec;
use ottla_wire::ids::{Offset, ProducerEpoch, ProducerId};
use ottla_wire::{Records, Uuid};
use raw::{Client, Fixture};
use std::net::Shutdown;

macro_rules! call {
    ($client:expr, $api:ident $version:expr, $request:expr, $response:ident) => {{
        let request = $request;
        $client.call(
            ApiKey::$api,
            $version,
            |out, version| request.encode(out, version),
            |body, version| $response::decode(body, version).expect("the answer is whole").into_owned(),
        )
    }};
}

fn create(client: &mut Client, configs: &[(&str, &str)]) -> Uuid {
    let config = |(name, value): &(&str, &str)| CreatableTopicConfig {
        name: (*name).to_owned().into(),
        value: Some((*value).to_owned().into()),
    };
    let topic = CreatableTopic {
        name: "t".into(),
        num_partitions: 2,
        replication_factor: 1,
        configs: configs.iter().map(config).collect(),
        ..CreatableTopic::default()
    };
    let request = CreateTopicsRequest { topics: vec![topic], timeout_ms: 10_000, validate_only: false };
    let response = call!(client, CreateTopics 7, request, CreateTopicsResponse);
    assert_eq!(response.topics[0].error_code, 0);
    response.topics[0].topic_id
}

fn batch(records: &[(i64, &[u8])], producer: Option<(i64, i32)>) -> Vec<u8> {
    let mut builder = BatchBuilder::new(Offset(0));
    if let Some((id, base_sequence)) = producer {
        builder = builder.producer(Producer { id: ProducerId(id), epoch: ProducerEpoch(0), base_sequence });
    }
    for (timestamp, value) in records {
        let record = NewRecord { timestamp: *timestamp, key: Some(b"k"), value: Some(value), ..NewRecord::default() };
        builder.append(&record).expect("small");
    }
    builder.finish()
}

/// Error code, base offset and append time.
fn produce(client: &mut Client, records: &[u8]) -> (i16, i64, i64) {
    let data = PartitionProduceData { index: 1, records: Some(Records::Bytes(records)) };
    let topic = TopicProduceData { name: "t".into(), topic_id: Uuid::ZERO, partition_data: vec![data] };
    let request = ProduceRequest { acks: -1, timeout_ms: 5000, topic_data: vec![topic], ..ProduceRequest::default() };
    let response = call!(client, Produce 12, request, ProduceResponse);
    let answer = &response.responses[0].partition_responses[0];
    (answer.error_code, answer.base_offset, answer.log_append_time_ms)
}

fn offset_of(client: &mut Client, timestamp: i64) -> (i16, i64, i64) {
    offset_in(client, 11, timestamp)
}

fn offset_in(client: &mut Client, version: i16, timestamp: i64) -> (i16, i64, i64) {
    let partition = ListOffsetsPartition { partition_index: 1, timestamp, ..ListOffsetsPartition::default() };
    let topic = ListOffsetsTopic { name: "t".into(), partitions: vec![partition] };
    let request = ListOffsetsRequest { replica_id: -1, topics: vec![topic], ..ListOffsetsRequest::default() };
    let response = call!(client, ListOffsets version, request, ListOffsetsResponse);
    let answer = &response.topics[0].partitions[0];
    (answer.error_code, answer.offset, answer.timestamp)
}

fn delete_before(client: &mut Client, offset: i64) -> (i16, i64) {
    let topic = DeleteRecordsTopic {
        name: "t".into(),
        partitions: vec![DeleteRecordsPartition { partition_index: 1, offset }],
    };
    let request = DeleteRecordsRequest { topics: vec![topic], timeout_ms: 1000 };
    let response = call!(client, DeleteRecords 2, request, DeleteRecordsResponse);
    (response.topics[0].partitions[0].error_code, response.topics[0].partitions[0].low_watermark)
}

#[test]
fn offsets_are_found_for_times_and_marks_and_records_can_be_deleted() {
    let fixture = Fixture::start(&[]);
    let mut client = Client::connect(fixture.address);
    create(&mut client, &[]);
    assert_eq!(produce(&mut client, &batch(&[(1_000, b"a"), (3_000, b"b"), (2_000, b"c")], None)), (0, 0, -1));
    assert_eq!(produce(&mut client, &batch(&[(5_000, b"d")], None)), (0, 3, -1));
    assert_eq!(offset_of(&mut client, -1), (0, 4, -1), "latest");
    for version in 1..=11 {
        assert_eq!(offset_in(&mut client, version, -1), (0, 4, -1), "latest in version {version}");
    }
    assert_eq!(offset_of(&mut client, -2), (0, 0, -1), "earliest");
    assert_eq!(offset_of(&mut client, -3), (0, 3, 5_000), "largest timestamp");
    assert_eq!(offset_of(&mut client, -4), (0, 0, -1), "earliest local");
    assert_eq!(offset_of(&mut client, -5), (0, -1, -1), "nothing is tiered");
    assert_eq!(offset_of(&mut client, 1_500), (0, 1, 3_000));
    assert_eq!(offset_of(&mut client, 6_000), (0, -1, -1), "nothing so late");
    assert_eq!(delete_before(&mut client, 9), (1, -1), "beyond the watermark");
    assert_eq!(delete_before(&mut client, 2), (0, 2));
    assert_eq!(offset_of(&mut client, -2), (0, 2, -1));
    assert_eq!(delete_before(&mut client, -1), (0, 4), "all of it");
}

#[test]
fn what_a_client_sends_without_waiting_is_written_though_it_leaves_at_once() {
    let fixture = Fixture::start(&[]);
    let mut client = Client::connect(fixture.address);
    create(&mut client, &[]);
    let records = batch(&[(1_000, b"a")], None);
    let data = PartitionProduceData { index: 1, records: Some(Records::Bytes(&records)) };
    let topic = TopicProduceData { name: "t".into(), topic_id: Uuid::ZERO, partition_data: vec![data] };
    let request = ProduceRequest { acks: 0, timeout_ms: 5000, topic_data: vec![topic], ..ProduceRequest::default() };
    for sent in 1..=50 {
        let mut other = Client::connect(fixture.address);
        other.send(ApiKey::Produce, 12, 1, |out, version| request.encode(out, version));
        other.0.shutdown(Shutdown::Write).expect("it can be half closed");
        assert_eq!(other.receive(), None, "no answer, and the end");
        assert_eq!(offset_of(&mut client, -1), (0, sent, -1));
    }
}

#[test]
fn a_repeated_idempotent_batch_is_answered_with_its_first_offset() {
    let fixture = Fixture::start(&[]);
    let mut client = Client::connect(fixture.address);
    create(&mut client, &[]);
    let request = InitProducerIdRequest { transactional_id: None, ..InitProducerIdRequest::default() };
    let id = client.call(
        ApiKey::InitProducerId,
        5,
        |out, version| request.encode(out, version),
        |body, version| InitProducerIdResponse::decode(body, version).expect("whole").producer_id,
    );
    let first = batch(&[(1, b"a"), (1, b"b")], Some((id, 0)));
    assert_eq!(produce(&mut client, &first).1, 0);
    assert_eq!(produce(&mut client, &batch(&[(1, b"c")], Some((id, 2)))).1, 2);
    assert_eq!(produce(&mut client, &first), (0, 0, 1), "the same again, with its timestamp as Kafka answers it");
    assert_eq!(produce(&mut client, &batch(&[(1, b"x")], Some((id, 9)))).0, 45, "a gap");
}

#[test]
fn a_topic_with_a_codec_stores_every_batch_in_it() {
    let fixture = Fixture::start(&[]);
    let mut client = Client::connect(fixture.address);
    let id = create(&mut client, &[("compression.type", "zstd")]);
    let sent = batch(&[(1_000, b"a"), (2_000, b"b")], Some((77, 0)));
    assert_eq!(produce(&mut client, &sent), (0, 0, -1));
    assert_eq!(produce(&mut client, &sent), (0, 0, 2_000), "a repeated batch is known by its sequence numbers");
    let answer = fetch_answer(&mut client, id, (0, 0), Some(0));
    let records = raw::open(&answer, ApiKey::Fetch, 17, |body, version| {
        let response = FetchResponse::decode(body, version).expect("whole");
        response.responses[0].partitions[0].records.expect("there are records").bytes().to_vec()
    });
    let (_, stored) = Batches::new(&records.1).next().expect("one batch").expect("whole");
    let stored = ValidBatch::trusted(stored).expect("sealed");
    assert_eq!((stored.codec(), stored.record_count(), stored.max_timestamp()), (Codec::Zstd, 2, 2_000));
    let mut scratch = Vec::new();
    let values = stored.records(&mut scratch, 1 << 20).expect("decompresses");
    let values: Vec<_> = values.map(|record| record.expect("whole").value.expect("no tombstone").to_vec()).collect();
    assert_eq!(values, [b"a", b"b"]);
}

#[test]
fn append_time_is_answered_and_epochs_are_told() {
    let fixture = Fixture::start(&[]);
    let mut client = Client::connect(fixture.address);
    create(&mut client, &[("message.timestamp.type", "LogAppendTime")]);
    let (code, offset, time) = produce(&mut client, &batch(&[(1_000, b"a")], None));
    assert_eq!((code, offset), (0, 0));
    assert!(time > 1_600_000_000_000, "{time}");
    let partition = OffsetForLeaderPartition { partition: 1, current_leader_epoch: 0, leader_epoch: 0 };
    let topic = OffsetForLeaderTopic { topic: "t".into(), partitions: vec![partition] };
    let request = OffsetForLeaderEpochRequest { replica_id: -1, topics: vec![topic] };
    let response = call!(client, OffsetForLeaderEpoch 4, request, OffsetForLeaderEpochResponse);
    let end = &response.topics[0].partitions[0];
    assert_eq!((end.error_code, end.leader_epoch, end.end_offset), (0, 0, 1));
}

fn fetch_answer(client: &mut Client, id: Uuid, session: (i32, i32), offset: Option<i64>) -> Vec<u8> {
    let partition = |fetch_offset| FetchPartition {
        partition: 1,
        fetch_offset,
        partition_max_bytes: 10,
        ..FetchPartition::default()
    };
    let topic = |offset| FetchTopic { topic_id: id, partitions: vec![partition(offset)], ..FetchTopic::default() };
    let request = FetchRequest {
        max_bytes: 10,
        session_id: session.0,
        session_epoch: session.1,
        topics: offset.map(topic).into_iter().collect(),
        ..FetchRequest::default()
    };
    client.send(ApiKey::Fetch, 17, 5, |out, version| request.encode(out, version));
    client.receive().expect("an answer")
}

fn fetch(client: &mut Client, id: Uuid, session: (i32, i32), offset: Option<i64>) -> FetchResponse<'static> {
    let answer = fetch_answer(client, id, session, offset);
    raw::open(&answer, ApiKey::Fetch, 17, |body, version| {
        let response = FetchResponse::decode(body, version).expect("whole");
        let sizes = response.responses.iter().flat_map(|topic| &topic.partitions);
        assert!(sizes.clone().all(|data| data.error_code == 0));
        FetchResponse {
            session_id: response.session_id,
            error_code: response.error_code,
            // What matters here is how many bytes came.
            throttle_time_ms: sizes.map(|data| data.records.map_or(0, |records| records.len() as i32)).sum(),
            ..FetchResponse::default()
        }
    })
    .1
}

#[test]
fn a_session_is_opened_by_id_and_told_only_what_is_new() {
    let fixture = Fixture::start(&[]);
    let mut client = Client::connect(fixture.address);
    let id = create(&mut client, &[]);
    let sent = batch(&[(1, b"larger than what was asked for")], None);
    produce(&mut client, &sent);
    let opened = fetch(&mut client, id, (0, 0), Some(0));
    assert_eq!(opened.throttle_time_ms as usize, sent.len(), "the first batch comes whatever its size");
    assert_ne!(opened.session_id, 0);
    let again = fetch(&mut client, id, (opened.session_id, 1), Some(1));
    assert_eq!((again.session_id, again.throttle_time_ms), (opened.session_id, 0));
    produce(&mut client, &sent);
    let news = fetch(&mut client, id, (opened.session_id, 2), None);
    assert_eq!(news.throttle_time_ms as usize, sent.len(), "the session knows what is fetched");
    assert_eq!(fetch(&mut client, id, (opened.session_id, 9), None).error_code, 71);
}

#[test]
fn flush_messages_syncs_before_the_answer_and_all_is_there_after_a_restart() {
    let fixture = Fixture::start(&[]);
    let mut client = Client::connect(fixture.address);
    create(&mut client, &[("flush.messages", "1")]);
    for offset in 0..5 {
        assert_eq!(produce(&mut client, &batch(&[(1, b"v")], None)), (0, offset, -1));
    }
    let dir = fixture.stop();
    let fixture = Fixture::start_in(dir, &[]);
    let mut client = Client::connect(fixture.address);
    assert_eq!(offset_of(&mut client, -1), (0, 5, -1));
    assert_eq!(produce(&mut client, &batch(&[(1, b"v")], None)), (0, 5, -1));
}

#[test]
fn durable_acks_answer_and_what_was_answered_is_there_after_a_restart() {
    let durable = [("ottla.durable.acks", "true")];
    let fixture = Fixture::start(&durable);
    let mut client = Client::connect(fixture.address);
    create(&mut client, &[]);
    for offset in 0..20 {
        assert_eq!(produce(&mut client, &batch(&[(1, b"v")], None)), (0, offset, -1));
    }
    let dir = fixture.stop();
    let fixture = Fixture::start_in(dir, &durable);
    let mut client = Client::connect(fixture.address);
    assert_eq!(offset_of(&mut client, -1), (0, 20, -1));
    assert_eq!(produce(&mut client, &batch(&[(1, b"v")], None)), (0, 20, -1));
}

#[test]
fn an_idle_partition_holds_no_file_and_serves_again() {
    let fixture = Fixture::start(&[]);
    let mut client = Client::connect(fixture.address);
    create(&mut client, &[]);
    assert_eq!(produce(&mut client, &batch(&[(1, b"v")], None)).1, 0);
    let open = || {
        let files = std::fs::read_dir("/proc/self/fd").expect("the system tells open files");
        let own = fixture.dir.path().join("t-1");
        files.flatten().filter(|file| std::fs::read_link(file.path()).is_ok_and(|path| path.starts_with(&own))).count()
    };
    assert!(open() > 0);
    let runtime = fixture.runtime.as_ref().expect("running");
    let host = runtime.host();
    let looks = std::iter::repeat_with(|| {
        let later = host.clock.monotonic() + std::time::Duration::from_millis(100);
        runtime.block_on(host.tasks.sleep_until(later));
        open()
    });
    assert!(looks.take(300).any(|files| files == 0), "files stay open");
    assert_eq!(produce(&mut client, &batch(&[(1, b"v")], None)).1, 1);
    assert_eq!(offset_of(&mut client, -1), (0, 2, -1));
}
