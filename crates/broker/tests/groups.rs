//! Offsets of groups through a broker: committed, fetched, kept over a restart, taken back.
#![expect(clippy::disallowed_methods, reason = "a test waits for a real broker, and not for ever")]

#[allow(dead_code, unreachable_pub, reason = "each user takes a part of it")]
mod raw;

use ottla_messages::api::ApiKey;
use ottla_messages::create_topics::{CreatableTopic, CreateTopicsRequest, CreateTopicsResponse};
use ottla_messages::delete_topics::{DeleteTopicsRequest, DeleteTopicsResponse};
use ottla_messages::find_coordinator::{FindCoordinatorRequest, FindCoordinatorResponse};
use ottla_messages::offset_commit as oc;
use ottla_messages::offset_delete as od;
use ottla_messages::offset_fetch as of;
use ottla_wire::{ErrorCode, Uuid};
use raw::{Client, Fixture};
use std::time::{Duration, Instant};

const SETTINGS: [(&str, &str); 2] = [("offsets.topic.num.partitions", "4"), ("offsets.topic.replication.factor", "1")];

fn code(code: i16) -> ErrorCode {
    ErrorCode::from_code(code)
}

fn create(client: &mut Client, name: &'static str) -> Uuid {
    let topic = CreatableTopic { name: name.into(), num_partitions: 2, replication_factor: 1, ..Default::default() };
    let request = CreateTopicsRequest { topics: vec![topic], timeout_ms: 5000, ..Default::default() };
    client.call(
        ApiKey::CreateTopics,
        7,
        |out, version| request.encode(out, version),
        |cursor, version| CreateTopicsResponse::decode(cursor, version).expect("a response").topics[0].topic_id,
    )
}

fn delete(client: &mut Client, name: &'static str) {
    let request = DeleteTopicsRequest { topic_names: vec![name.into()], timeout_ms: 5000, ..Default::default() };
    let answer = client.call(
        ApiKey::DeleteTopics,
        5,
        |out, version| request.encode(out, version),
        |cursor, version| DeleteTopicsResponse::decode(cursor, version).expect("a response").responses[0].error_code,
    );
    assert_eq!(code(answer), ErrorCode::NONE);
}

fn find(client: &mut Client, version: i16, key_type: i8) -> (ErrorCode, i32, i32) {
    let request = if version >= 4 {
        FindCoordinatorRequest { key: "".into(), key_type, coordinator_keys: vec!["g".into()] }
    } else {
        FindCoordinatorRequest { key: "g".into(), key_type, coordinator_keys: Vec::new() }
    };
    client.call(
        ApiKey::FindCoordinator,
        version,
        |out, version| request.encode(out, version),
        |cursor, version| {
            let response = FindCoordinatorResponse::decode(cursor, version).expect("a response");
            match response.coordinators.first() {
                Some(one) => (code(one.error_code), one.node_id, one.port),
                None => (code(response.error_code), response.node_id, response.port),
            }
        },
    )
}

/// Finds the coordinator, and asks until it is loaded.
fn await_coordinator(client: &mut Client) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while Instant::now() < deadline {
        let (found, _, _) = find(client, 6, 0);
        let loaded = found == ErrorCode::NONE && fetch_all(client).0 == ErrorCode::NONE;
        if loaded {
            return;
        }
    }
    panic!("the coordinator does not come");
}

fn commit(client: &mut Client, version: i16, (name, id): (&'static str, Uuid), offset: i64) -> ErrorCode {
    let partition = oc::OffsetCommitRequestPartition {
        partition_index: 1,
        committed_offset: offset,
        committed_leader_epoch: if version >= 6 { 3 } else { -1 },
        committed_metadata: Some("here".into()),
    };
    let (name, topic_id) = if version >= 10 { ("", id) } else { (name, Uuid::ZERO) };
    let topic = oc::OffsetCommitRequestTopic { name: name.into(), topic_id, partitions: vec![partition] };
    let request = oc::OffsetCommitRequest {
        group_id: "g".into(),
        generation_id_or_member_epoch: -1,
        topics: vec![topic],
        retention_time_ms: -1,
        ..Default::default()
    };
    client.call(
        ApiKey::OffsetCommit,
        version,
        |out, version| request.encode(out, version),
        |cursor, version| {
            let response = oc::OffsetCommitResponse::decode(cursor, version).expect("a response");
            code(response.topics[0].partitions[0].error_code)
        },
    )
}

/// One partition as a version that names topics by name or by id tells it.
fn fetch(client: &mut Client, version: i16, (name, id): (&'static str, Uuid)) -> (ErrorCode, i64) {
    let old = vec![of::OffsetFetchRequestTopic { name: name.into(), partition_indexes: vec![1] }];
    let (name, topic_id) = if version >= 10 { ("", id) } else { (name, Uuid::ZERO) };
    let topics = vec![of::OffsetFetchRequestTopics { name: name.into(), topic_id, partition_indexes: vec![1] }];
    let group = of::OffsetFetchRequestGroup { group_id: "g".into(), topics: Some(topics), ..Default::default() };
    let request = if version >= 8 {
        of::OffsetFetchRequest { groups: vec![group], require_stable: true, ..Default::default() }
    } else {
        let require_stable = version == 7;
        of::OffsetFetchRequest { group_id: "g".into(), topics: Some(old), require_stable, ..Default::default() }
    };
    client.call(
        ApiKey::OffsetFetch,
        version,
        |out, version| request.encode(out, version),
        |cursor, version| {
            let response = of::OffsetFetchResponse::decode(cursor, version).expect("a response");
            match response.groups.first() {
                Some(group) => {
                    let told = &group.topics[0].partitions[0];
                    (code(told.error_code), told.committed_offset)
                }
                None => {
                    let told = &response.topics[0].partitions[0];
                    (code(told.error_code), told.committed_offset)
                }
            }
        },
    )
}

fn fetch_all(client: &mut Client) -> (ErrorCode, Vec<(String, i32, i64, String)>) {
    let group = of::OffsetFetchRequestGroup { group_id: "g".into(), topics: None, ..Default::default() };
    let request = of::OffsetFetchRequest { groups: vec![group], ..Default::default() };
    client.call(
        ApiKey::OffsetFetch,
        9,
        |out, version| request.encode(out, version),
        |cursor, version| {
            let response = of::OffsetFetchResponse::decode(cursor, version).expect("a response");
            let group = &response.groups[0];
            let told = group.topics.iter().flat_map(|topic| {
                topic.partitions.iter().map(|one| {
                    let metadata = one.metadata.clone().unwrap_or_default().into_owned();
                    (topic.name.clone().into_owned(), one.partition_index, one.committed_offset, metadata)
                })
            });
            (code(group.error_code), told.collect())
        },
    )
}

#[test]
fn the_topic_of_groups_is_made_when_it_is_asked_for() {
    let fixture = Fixture::start(&SETTINGS);
    let mut client = Client::connect(fixture.address);
    let port = i32::from(fixture.address.port());
    assert_eq!(fetch_all(&mut client).0, ErrorCode::NOT_COORDINATOR);
    for version in [0, 1, 3, 4, 6] {
        assert_eq!(find(&mut client, version, 0), (ErrorCode::NONE, 1, port), "version {version}");
    }
    assert_eq!(find(&mut client, 6, 1).0, ErrorCode::COORDINATOR_NOT_AVAILABLE);
    assert_eq!(find(&mut client, 5, 2).0, ErrorCode::INVALID_REQUEST);
    assert_eq!(find(&mut client, 6, 9).0, ErrorCode::INVALID_REQUEST);
}

#[test]
fn offsets_outlive_the_broker_and_not_their_topic() {
    let fixture = Fixture::start(&SETTINGS);
    let mut client = Client::connect(fixture.address);
    let (ant, bee) = (("ant", create(&mut client, "ant")), ("bee", create(&mut client, "bee")));
    await_coordinator(&mut client);
    for version in 2..=10 {
        assert_eq!(commit(&mut client, version, ant, i64::from(version)), ErrorCode::NONE, "version {version}");
        for fetched in 1..=10 {
            assert_eq!(fetch(&mut client, fetched, ant), (ErrorCode::NONE, i64::from(version)), "version {fetched}");
        }
    }
    assert_eq!(commit(&mut client, 9, bee, 77), ErrorCode::NONE);
    assert_eq!(commit(&mut client, 9, ("absent", Uuid::ZERO), 1), ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    assert_eq!(commit(&mut client, 10, ("", Uuid([5; 16])), 1), ErrorCode::UNKNOWN_TOPIC_ID);
    assert_eq!(fetch(&mut client, 10, ("", Uuid([5; 16]))), (ErrorCode::UNKNOWN_TOPIC_ID, -1));
    drop(client);
    let fixture = Fixture::start_in(fixture.stop(), &SETTINGS);
    let mut client = Client::connect(fixture.address);
    await_coordinator(&mut client);
    let here = |name: &str, offset: i64| (name.to_owned(), 1, offset, "here".to_owned());
    assert_eq!(fetch_all(&mut client).1, [here("ant", 10), here("bee", 77)]);
    delete(&mut client, "bee");
    let deadline = Instant::now() + Duration::from_secs(20);
    while fetch_all(&mut client).1 != [here("ant", 10)] {
        assert!(Instant::now() < deadline, "the offset of a deleted topic stays");
    }
    create(&mut client, "bee");
    assert_eq!(fetch(&mut client, 8, bee), (ErrorCode::NONE, -1));
}

#[test]
fn offsets_are_deleted_one_by_one() {
    let fixture = Fixture::start(&SETTINGS);
    let mut client = Client::connect(fixture.address);
    let ant = ("ant", create(&mut client, "ant"));
    await_coordinator(&mut client);
    let mut delete = |group: &'static str| {
        let partitions = vec![
            od::OffsetDeleteRequestPartition { partition_index: 1 },
            od::OffsetDeleteRequestPartition { partition_index: 9 },
        ];
        let topic = od::OffsetDeleteRequestTopic { name: "ant".into(), partitions };
        let request = od::OffsetDeleteRequest { group_id: group.into(), topics: vec![topic] };
        let answer = client.call(
            ApiKey::OffsetDelete,
            0,
            |out, version| request.encode(out, version),
            |cursor, version| {
                let response = od::OffsetDeleteResponse::decode(cursor, version).expect("a response");
                let topics = response.topics.iter();
                let codes = topics.flat_map(|topic| topic.partitions.iter().map(|one| code(one.error_code)));
                (code(response.error_code), codes.collect::<Vec<_>>())
            },
        );
        (answer, fetch(&mut client, 8, ant).1)
    };
    assert_eq!(delete("g"), ((ErrorCode::GROUP_ID_NOT_FOUND, vec![]), -1));
    assert_eq!(delete(""), ((ErrorCode::INVALID_GROUP_ID, vec![]), -1));
    let mut other = Client::connect(fixture.address);
    assert_eq!(commit(&mut other, 9, ant, 5), ErrorCode::NONE);
    let unknown = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
    assert_eq!(delete("g"), ((ErrorCode::NONE, vec![ErrorCode::NONE, unknown]), -1));
}
