//! Log directories that do not work at the start, and topics that are compacted only.

#![expect(clippy::disallowed_methods, reason = "a test spoils directories")]

#[allow(dead_code, reason = "each test file uses a part of it")]
mod raw;

use ottla_messages::api::ApiKey;
use ottla_messages::create_topics::{CreatableTopic, CreatableTopicConfig, CreateTopicsRequest, CreateTopicsResponse};
use ottla_messages::delete_records::{
    DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsResponse, DeleteRecordsTopic,
};
use ottla_messages::list_offsets::{ListOffsetsPartition, ListOffsetsRequest, ListOffsetsResponse, ListOffsetsTopic};
use ottla_messages::produce::{PartitionProduceData, ProduceRequest, ProduceResponse, TopicProduceData};
use ottla_wire::batch::{BatchBuilder, NewRecord};
use ottla_wire::ids::Offset;
use ottla_wire::{Records, Uuid};
use raw::{Client, Fixture};
use std::path::Path;

const KAFKA_STORAGE_ERROR: i16 = 56;
const POLICY_VIOLATION: i16 = 44;
const INVALID_RECORD: i16 = 87;
const EARLIEST: i64 = -2;
const LATEST: i64 = -1;

fn create(client: &mut Client, name: &str, configs: &[(&str, &str)]) {
    let config = |(name, value): &(&str, &str)| CreatableTopicConfig {
        name: (*name).to_owned().into(),
        value: Some((*value).to_owned().into()),
    };
    let topic = CreatableTopic {
        name: name.to_owned().into(),
        num_partitions: 2,
        replication_factor: 1,
        configs: configs.iter().map(config).collect(),
        ..CreatableTopic::default()
    };
    let request = CreateTopicsRequest { topics: vec![topic], timeout_ms: 10_000, validate_only: false };
    let code = client.call(
        ApiKey::CreateTopics,
        5,
        |out, version| request.encode(out, version),
        |cursor, version| CreateTopicsResponse::decode(cursor, version).expect("a response").topics[0].error_code,
    );
    assert_eq!(code, 0);
}

/// Error code and base offset of a record with this key.
fn produce(client: &mut Client, topic: &str, partition: i32, key: Option<&[u8]>) -> (i16, i64) {
    let mut builder = BatchBuilder::new(Offset(0));
    builder.append(&NewRecord { timestamp: 1_000, key, value: Some(b"v"), ..NewRecord::default() }).expect("small");
    let records = builder.finish();
    let data = PartitionProduceData { index: partition, records: Some(Records::Bytes(&records)) };
    let topic = TopicProduceData { name: topic.to_owned().into(), topic_id: Uuid::ZERO, partition_data: vec![data] };
    let request = ProduceRequest { acks: -1, timeout_ms: 1000, topic_data: vec![topic], ..ProduceRequest::default() };
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

/// Error code and offset at a special timestamp.
fn offset(client: &mut Client, topic: &str, partition: i32, timestamp: i64) -> (i16, i64) {
    let partition = ListOffsetsPartition { partition_index: partition, current_leader_epoch: -1, timestamp };
    let topic = ListOffsetsTopic { name: topic.to_owned().into(), partitions: vec![partition] };
    let request = ListOffsetsRequest { replica_id: -1, topics: vec![topic], ..ListOffsetsRequest::default() };
    client.call(
        ApiKey::ListOffsets,
        5,
        |out, version| request.encode(out, version),
        |cursor, version| {
            let response = ListOffsetsResponse::decode(cursor, version).expect("a response");
            let answer = &response.topics[0].partitions[0];
            (answer.error_code, answer.offset)
        },
    )
}

#[test]
fn a_directory_that_fails_at_the_start_leaves_the_others_serving() {
    let dir = tempfile::tempdir().expect("a directory");
    let [good, bad, away] = ["good", "bad", "away"].map(|name| dir.path().join(name));
    let log_dirs = format!("{},{}", good.display(), bad.display());
    let settings = [("log.dirs", log_dirs.as_str())];
    let fixture = Fixture::start_in(dir, &settings);
    let mut client = Client::connect(fixture.address);
    create(&mut client, "t", &[]);
    let lost = (0..2).find(|index| bad.join(format!("t-{index}")).exists()).expect("a partition in each directory");
    for partition in 0..2 {
        assert_eq!(produce(&mut client, "t", partition, None), (0, 0));
    }
    let dir = fixture.stop();
    std::fs::rename(&bad, &away).expect("it can be moved");
    std::fs::write(&bad, "no directory").expect("a file");

    let fixture = Fixture::start_in(dir, &settings);
    let mut client = Client::connect(fixture.address);
    assert_eq!(produce(&mut client, "t", 1 - lost, None), (0, 1));
    assert_eq!(produce(&mut client, "t", lost, None).0, KAFKA_STORAGE_ERROR);
    assert_eq!(offset(&mut client, "t", lost, LATEST).0, KAFKA_STORAGE_ERROR);
    assert!(!good.join(format!("t-{lost}")).exists(), "nothing is made in place of what lies elsewhere");
    create(&mut client, "u", &[]);
    assert_eq!(produce(&mut client, "u", 0, None), (0, 0));
    assert_eq!(produce(&mut client, "u", 1, None), (0, 0));
    let dir = fixture.stop();
    std::fs::remove_file(&bad).expect("it is there");
    std::fs::rename(&away, &bad).expect("it can be moved back");

    let fixture = Fixture::start_in(dir, &settings);
    let mut client = Client::connect(fixture.address);
    assert_eq!(produce(&mut client, "t", lost, None), (0, 1), "its record is there again");
    assert_eq!(produce(&mut client, "t", 1 - lost, None), (0, 2));
}

#[test]
fn without_any_directory_that_works_there_is_no_start() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("data");
    let log_dirs = path.display().to_string();
    let settings = [("log.dirs", log_dirs.as_str())];
    let dir = Fixture::start_in(dir, &settings).stop();
    for entry in ["recovery-point-offset-checkpoint", "replication-offset-checkpoint"].map(|name| path.join(name)) {
        std::fs::remove_file(&entry).expect("it was written");
        std::fs::create_dir(&entry).expect("a directory where a file has to be");
    }
    let started = std::panic::catch_unwind(|| Fixture::start_in(dir, &settings));
    assert!(started.is_err());
}

#[test]
fn a_topic_that_is_compacted_only_keeps_what_a_time_and_a_size_would_delete() {
    let settings = [("log.retention.check.interval.ms", "50"), ("log.initial.task.delay.ms", "1")];
    let fixture = Fixture::start(&settings);
    let mut client = Client::connect(fixture.address);
    let old = [("retention.ms", "1"), ("retention.bytes", "1"), ("segment.bytes", "1048576"), ("segment.ms", "1")];
    create(&mut client, "compacted", &[&old[..], &[("cleanup.policy", "compact")]].concat());
    create(&mut client, "deleted", &old);
    for number in 0..3 {
        for topic in ["compacted", "deleted"] {
            assert_eq!(produce(&mut client, topic, 0, Some(b"k")), (0, number));
        }
    }
    assert_eq!(produce(&mut client, "compacted", 0, None).0, INVALID_RECORD, "a record needs a key");
    // When the one is empty, the other has been looked at as well: topics of one directory share a run.
    while offset(&mut client, "deleted", 0, EARLIEST) != (0, 3) {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    assert_eq!(offset(&mut client, "compacted", 0, EARLIEST), (0, 0));
    assert!(has_records(fixture.dir.path(), "compacted-0"));
    assert_eq!(delete_records(&mut client, "compacted"), POLICY_VIOLATION);
    assert_eq!(delete_records(&mut client, "deleted"), 0);
}

fn has_records(dir: &Path, partition: &str) -> bool {
    let entries = std::fs::read_dir(dir.join(partition)).expect("the partition's directory");
    let mut logs = entries.map(|entry| entry.expect("an entry").path());
    logs.any(|path| {
        path.extension().is_some_and(|kind| kind == "log") && path.metadata().is_ok_and(|meta| meta.len() > 0)
    })
}

fn delete_records(client: &mut Client, topic: &str) -> i16 {
    let partition = DeleteRecordsPartition { partition_index: 0, offset: -1 };
    let topic = DeleteRecordsTopic { name: topic.to_owned().into(), partitions: vec![partition] };
    let request = DeleteRecordsRequest { topics: vec![topic], timeout_ms: 1_000 };
    client.call(
        ApiKey::DeleteRecords,
        1,
        |out, version| request.encode(out, version),
        |cursor, version| {
            DeleteRecordsResponse::decode(cursor, version).expect("a response").topics[0].partitions[0].error_code
        },
    )
}
