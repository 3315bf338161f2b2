//! Records through a broker whose image is set by hand.

use ottla_messages::api::ApiKey;
use ottla_messages::fetch::{FetchPartition, FetchRequest, FetchResponse, FetchTopic};
use ottla_messages::produce::{PartitionProduceData, ProduceRequest, ProduceResponse, TopicProduceData};
use ottla_messages::records::metadata::{MetadataRecord, PartitionRecord, TopicRecord};
use ottla_metadata::Image;
use ottla_wire::batch::{BatchBuilder, NewRecord};
use ottla_wire::ids::Offset;
use ottla_wire::{Records, Uuid};
use raw::{Client, Fixture, open};

#[allow(dead_code, unreachable_pub, reason = "each user takes a part of it")]
#[path = "../../tests/raw/mod.rs"]
pub(super) mod raw;

const TOPIC: Uuid = Uuid([7; 16]);

fn fixture(partitions: i32) -> Fixture {
    with_topic(Fixture::start(&[]), partitions)
}

fn with_topic(fixture: Fixture, partitions: i32) -> Fixture {
    let topic = TopicRecord { name: "t".into(), topic_id: TOPIC };
    let mut records = vec![MetadataRecord::Topic(topic)];
    records.extend((0..partitions).map(|index| {
        MetadataRecord::Partition(PartitionRecord {
            partition_id: index,
            topic_id: TOPIC,
            replicas: vec![1],
            isr: vec![1],
            leader: 1,
            leader_epoch: 3,
            partition_epoch: 0,
            ..PartitionRecord::default()
        })
    }));
    let mut image = Image::default();
    let delta = image.apply(&records).expect("records fit");
    let broker = fixture.broker.as_ref().expect("running");
    fixture.runtime.as_ref().expect("running").block_on(broker.apply(image, &delta));
    fixture
}

fn batch(values: &[&[u8]]) -> Vec<u8> {
    let mut builder = BatchBuilder::new(Offset(0));
    for value in values {
        builder.append(&NewRecord { timestamp: 1_000, value: Some(value), ..NewRecord::default() }).expect("small");
    }
    builder.finish()
}

fn produce_request<'a>(acks: i16, partition: i32, records: &'a [u8]) -> ProduceRequest<'a> {
    let data = PartitionProduceData { index: partition, records: Some(Records::Bytes(records)) };
    let topic = TopicProduceData { name: "t".into(), topic_id: Uuid::ZERO, partition_data: vec![data] };
    ProduceRequest { acks, timeout_ms: 1000, topic_data: vec![topic], ..ProduceRequest::default() }
}

fn produce(client: &mut Client, partition: i32, records: &[u8]) -> (i16, i64) {
    let request = produce_request(-1, partition, records);
    client.call(
        ApiKey::Produce,
        9,
        |out, version| request.encode(out, version),
        |cursor, version| {
            let response = ProduceResponse::decode(cursor, version).expect("a response");
            let answer = &response.responses[0].partition_responses[0];
            (answer.error_code, answer.base_offset)
        },
    )
}

fn fetch_request(offset: i64, max_wait_ms: i32) -> FetchRequest<'static> {
    let partition = FetchPartition { fetch_offset: offset, partition_max_bytes: 1 << 20, ..FetchPartition::default() };
    let topic = FetchTopic { topic: "t".into(), partitions: vec![partition], ..FetchTopic::default() };
    FetchRequest { max_wait_ms, min_bytes: 1, max_bytes: 1 << 20, topics: vec![topic], ..FetchRequest::default() }
}

fn fetch_answer(answer: &[u8]) -> (i16, i64, Vec<u8>) {
    let (_, found) = open(answer, ApiKey::Fetch, 11, |cursor, version| {
        let response = FetchResponse::decode(cursor, version).expect("a response");
        let data = &response.responses[0].partitions[0];
        let records = data.records.map(|records| records.bytes().to_vec()).unwrap_or_default();
        (data.error_code, data.high_watermark, records)
    });
    found
}

#[test]
fn what_was_produced_is_fetched() {
    let fixture = fixture(1);
    let mut client = Client::connect(fixture.address);
    let sent = batch(&[b"one", b"two"]);
    assert_eq!(produce(&mut client, 0, &sent), (0, 0));
    assert_eq!(produce(&mut client, 0, &sent), (0, 2));
    let request = fetch_request(0, 0);
    client.send(ApiKey::Fetch, 11, 1, |out, version| request.encode(out, version));
    let (code, watermark, records) = fetch_answer(&client.receive().expect("an answer"));
    assert_eq!((code, watermark, records.len()), (0, 4, 2 * sent.len()));
    assert_eq!(records[21..sent.len()], sent[21..], "the client's bytes, from the attributes on");
}

#[test]
fn a_waiting_fetch_is_answered_by_the_next_batch() {
    let fixture = fixture(1);
    let mut reader = Client::connect(fixture.address);
    let request = fetch_request(0, 20_000);
    reader.send(ApiKey::Fetch, 11, 1, |out, version| request.encode(out, version));
    let mut writer = Client::connect(fixture.address);
    let sent = batch(&[b"late"]);
    assert_eq!(produce(&mut writer, 0, &sent), (0, 0));
    let (code, _, records) = fetch_answer(&reader.receive().expect("an answer"));
    assert_eq!((code, records.len()), (0, sent.len()));
}

#[test]
fn a_topic_deleted_under_a_waiting_fetch_is_told() {
    let fixture = fixture(1);
    let mut reader = Client::connect(fixture.address);
    let mut client = Client::connect(fixture.address);
    let sent = batch(&[b"x"]);
    assert_eq!(produce(&mut client, 0, &sent), (0, 0));
    let request = fetch_request(1, 20_000);
    reader.send(ApiKey::Fetch, 11, 1, |out, version| request.encode(out, version));
    let mut image = Image::default();
    let records = [MetadataRecord::Topic(TopicRecord { name: "t".into(), topic_id: TOPIC })];
    image.apply(&records).expect("fits");
    let gone = ottla_messages::records::metadata::RemoveTopicRecord { topic_id: TOPIC };
    let delta = image.apply(&[MetadataRecord::RemoveTopic(gone)]).expect("fits");
    let broker = fixture.broker.as_ref().expect("running");
    fixture.runtime.as_ref().expect("running").block_on(broker.apply(image, &delta));
    let (code, _, _) = fetch_answer(&reader.receive().expect("an answer"));
    assert_eq!(code, 3);
    assert_eq!(produce(&mut client, 0, &sent).0, 3);
}

#[test]
fn pipelined_batches_keep_their_order_and_acks_0_has_no_answer() {
    let fixture = fixture(2);
    let mut client = Client::connect(fixture.address);
    let sent = batch(&[b"v"]);
    let mut all = Vec::new();
    for id in 0..50 {
        let request = produce_request(if id % 5 == 4 { 0 } else { 1 }, id % 2, &sent);
        all.extend(raw::frame(ApiKey::Produce, 9, id, |out, version| request.encode(out, version)));
    }
    client.send_raw(&all);
    let mut next = [0, 0];
    for id in 0..50 {
        let partition = id as usize % 2;
        let expected = next[partition];
        next[partition] += 1;
        if id % 5 == 4 {
            continue;
        }
        let answer = client.receive().expect("an answer");
        let (correlation, offset) = open(&answer, ApiKey::Produce, 9, |cursor, version| {
            ProduceResponse::decode(cursor, version).expect("a response").responses[0].partition_responses[0]
                .base_offset
        });
        assert_eq!((correlation, offset), (id, expected));
    }
}

#[test]
fn bad_batches_are_refused_and_close_only_connections_without_answers() {
    let fixture = fixture(1);
    let mut client = Client::connect(fixture.address);
    let mut broken = batch(&[b"v"]);
    *broken.last_mut().expect("bytes") ^= 1;
    assert_eq!(produce(&mut client, 0, &broken).0, 2, "CORRUPT_MESSAGE");
    assert_eq!(produce(&mut client, 0, b"").0, 87, "INVALID_RECORD");
    assert_eq!(produce(&mut client, 9, &batch(&[b"v"])).0, 3, "no such partition");
    let large = vec![7; 2 << 20];
    assert_eq!(produce(&mut client, 0, &batch(&[&large])).0, 10, "MESSAGE_TOO_LARGE");
    let request = produce_request(0, 0, &broken);
    client.send(ApiKey::Produce, 9, 1, |out, version| request.encode(out, version));
    assert!(client.receive().is_none());
}

#[test]
fn a_clean_stop_and_a_start_keep_everything() {
    let fixture = fixture(3);
    let mut client = Client::connect(fixture.address);
    let sent = batch(&[b"one", b"two"]);
    assert_eq!(produce(&mut client, 1, &sent), (0, 0));
    let dir = fixture.stop();
    let marker = dir.path().join(".kafka_cleanshutdown");
    assert!(marker.exists());
    let fixture = Fixture::start_in(dir, &[]);
    assert!(!marker.exists());
    drop(fixture);
}

#[test]
fn a_log_of_a_former_topic_of_the_same_name_is_set_aside() {
    let fixture = fixture(1);
    let mut client = Client::connect(fixture.address);
    assert_eq!(produce(&mut client, 0, &batch(&[b"old"])), (0, 0));
    let dir = fixture.stop();
    // The metadata log knows nothing of the topic that the image was given by hand.
    let fixture = Fixture::start_in(dir, &[]);
    let names = std::fs::read_dir(fixture.dir.path()).expect("a directory");
    let names: Vec<_> = names.map(|entry| entry.expect("an entry").file_name().into_string().expect("text")).collect();
    assert!(names.iter().any(|name| name.starts_with("t-0.") && name.ends_with("-stray")), "{names:?}");
}
