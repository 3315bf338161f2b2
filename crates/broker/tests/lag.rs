//! Lag of groups as a scrape tells it: in offsets and in seconds, while the group has offsets.
#![expect(clippy::disallowed_methods, reason = "a test waits for a real broker, and not for ever")]

#[allow(dead_code, reason = "each test file uses a part of it")]
mod raw;

use ottla_messages::api::ApiKey;
use ottla_messages::create_topics::{CreatableTopic, CreateTopicsRequest, CreateTopicsResponse};
use ottla_messages::delete_groups::{DeleteGroupsRequest, DeleteGroupsResponse};
use ottla_messages::find_coordinator::{FindCoordinatorRequest, FindCoordinatorResponse};
use ottla_messages::offset_commit::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic, OffsetCommitResponse,
};
use ottla_messages::produce::{PartitionProduceData, ProduceRequest, ProduceResponse, TopicProduceData};
use ottla_wire::Records;
use ottla_wire::batch::{BatchBuilder, NewRecord};
use ottla_wire::ids::Offset;
use raw::{Client, Fixture};
use std::io::{Read, Write};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

macro_rules! call {
    ($client:expr, $api:ident $version:literal, $request:expr, $response:ident) => {{
        let request = $request;
        $client.call(
            ApiKey::$api,
            $version,
            |out, version| request.encode(out, version),
            |body, version| $response::decode(body, version).expect("the answer is whole").into_owned(),
        )
    }};
}

fn start() -> (Fixture, Client) {
    let fixture = Fixture::start(&[("offsets.topic.replication.factor", "1"), ("offsets.topic.num.partitions", "2")]);
    let mut client = Client::connect(fixture.address);
    let topic =
        CreatableTopic { name: "t".into(), num_partitions: 2, replication_factor: 1, ..CreatableTopic::default() };
    let request = CreateTopicsRequest { topics: vec![topic], timeout_ms: 10_000, validate_only: false };
    assert_eq!(call!(client, CreateTopics 7, request, CreateTopicsResponse).topics[0].error_code, 0);
    (fixture, client)
}

fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970").as_millis() as i64
}

fn produce(client: &mut Client, ages_ms: &[i64]) {
    let mut builder = BatchBuilder::new(Offset(0));
    for age in ages_ms {
        let record = NewRecord { timestamp: now_ms() - age, value: Some(b"v"), ..NewRecord::default() };
        builder.append(&record).expect("it fits");
    }
    let batch = builder.finish();
    let partition = PartitionProduceData { index: 0, records: Some(Records::Bytes(&batch)) };
    let topic = TopicProduceData { name: "t".into(), partition_data: vec![partition], ..Default::default() };
    let request = ProduceRequest { acks: -1, timeout_ms: 10_000, topic_data: vec![topic], ..Default::default() };
    let response = call!(client, Produce 9, request, ProduceResponse);
    assert_eq!(response.responses[0].partition_responses[0].error_code, 0);
}

/// Commits as one who is in no group, once there is a coordinator.
fn commit(client: &mut Client, offset: i64) {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let find = FindCoordinatorRequest { coordinator_keys: vec!["g".into()], ..Default::default() };
        let found = call!(client, FindCoordinator 4, find, FindCoordinatorResponse);
        let partition = OffsetCommitRequestPartition {
            committed_offset: offset,
            committed_metadata: Some("".into()),
            ..Default::default()
        };
        let topic = OffsetCommitRequestTopic { name: "t".into(), partitions: vec![partition], ..Default::default() };
        let request = OffsetCommitRequest { group_id: "g".into(), topics: vec![topic], ..Default::default() };
        let committed = call!(client, OffsetCommit 8, request, OffsetCommitResponse);
        let codes = (found.coordinators[0].error_code, committed.topics[0].partitions[0].error_code);
        if codes == (0, 0) {
            return;
        }
        assert!(Instant::now() < deadline, "no coordinator: {codes:?}");
        std::thread::yield_now();
    }
}

/// The value of a series; None where there is none.
fn value(fixture: &Fixture, series: &str) -> Option<f64> {
    let http = fixture.broker.as_ref().and_then(ottla_broker::Broker::http_address).expect("an open port");
    let mut stream = std::net::TcpStream::connect(http).expect("it listens");
    write!(stream, "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").expect("it reads");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("text");
    let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.map(|value| value.parse().expect("a number"))
}

const LAG: &str = "kafka_consumergroup_lag{consumergroup=\"g\",topic=\"t\",partition=\"0\"}";
const SECONDS: &str = "kafka_consumergroup_lag_seconds{consumergroup=\"g\",topic=\"t\",partition=\"0\"}";

#[test]
fn lag_is_the_distance_to_the_end_and_the_age_of_the_first_unread_record() {
    let (fixture, mut client) = start();
    produce(&mut client, &[90_000, 60_000, 30_000]);
    commit(&mut client, 1);
    assert_eq!(value(&fixture, LAG), Some(2.0));
    let seconds = value(&fixture, SECONDS).expect("a series");
    assert!((60.0..90.0).contains(&seconds), "{seconds}");
    let of_topic = |name: &str| value(&fixture, &format!("{name}{{consumergroup=\"g\",topic=\"t\"}}"));
    assert_eq!(of_topic("kafka_consumergroup_lag_sum"), Some(2.0));
    assert_eq!(of_topic("kafka_consumergroup_current_offset_sum"), Some(1.0));
    assert_eq!(value(&fixture, "kafka_consumergroup_members{consumergroup=\"g\"}"), Some(0.0));
    commit(&mut client, 3);
    assert_eq!((value(&fixture, LAG), value(&fixture, SECONDS)), (Some(0.0), Some(0.0)));
}

#[test]
fn series_end_with_the_group() {
    let (fixture, mut client) = start();
    produce(&mut client, &[0]);
    commit(&mut client, 0);
    assert_eq!(value(&fixture, LAG), Some(1.0));
    let request = DeleteGroupsRequest { groups_names: vec!["g".into()] };
    assert_eq!(call!(client, DeleteGroups 2, request, DeleteGroupsResponse).results[0].error_code, 0);
    assert_eq!(value(&fixture, LAG), None);
    assert_eq!(value(&fixture, "kafka_consumergroup_members{consumergroup=\"g\"}"), None);
}
