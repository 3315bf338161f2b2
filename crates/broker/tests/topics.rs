//! Topics from their creation to their deletion, through a broker on a real socket.

#[allow(dead_code, reason = "each user takes a part of it")]
mod raw;

use ottla_messages::api::ApiKey;
use ottla_messages::create_partitions::{CreatePartitionsRequest, CreatePartitionsResponse, CreatePartitionsTopic};
use ottla_messages::create_topics::{CreatableTopic, CreatableTopicConfig, CreateTopicsRequest, CreateTopicsResponse};
use ottla_messages::delete_topics::{DeleteTopicState, DeleteTopicsRequest, DeleteTopicsResponse};
use ottla_messages::describe_cluster::{DescribeClusterRequest, DescribeClusterResponse};
use ottla_messages::describe_configs::{DescribeConfigsRequest, DescribeConfigsResource, DescribeConfigsResponse};
use ottla_messages::describe_topic_partitions::{
    DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse, RequestCursor, TopicRequest,
};
use ottla_messages::metadata::{MetadataRequest, MetadataRequestTopic, MetadataResponse};
use ottla_wire::{ErrorCode, Uuid};
use raw::{Client, Fixture};

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

fn create(client: &mut Client, name: &str, partitions: i32, configs: &[(&str, &str)]) -> CreateTopicsResponse<'static> {
    let configs = configs
        .iter()
        .map(|(name, value)| CreatableTopicConfig { name: (*name).into(), value: Some((*value).into()) })
        .collect();
    let topic = CreatableTopic {
        name: name.into(),
        num_partitions: partitions,
        replication_factor: -1,
        configs,
        ..Default::default()
    };
    let request = CreateTopicsRequest { topics: vec![topic], timeout_ms: 10_000, validate_only: false };
    call!(client, CreateTopics 7, request, CreateTopicsResponse)
}

fn metadata(client: &mut Client, names: Option<&[&str]>, auto_create: bool) -> MetadataResponse<'static> {
    let topic = |name: &&str| MetadataRequestTopic { name: Some((*name).to_owned().into()), topic_id: Uuid::ZERO };
    let request = MetadataRequest {
        topics: names.map(|names| names.iter().map(topic).collect()),
        allow_auto_topic_creation: auto_create,
        ..MetadataRequest::default()
    };
    call!(client, Metadata 12, request, MetadataResponse)
}

#[test]
fn a_created_topic_is_served_when_the_answer_comes() {
    let fixture = Fixture::start(&[]);
    let mut client = Client::connect(fixture.address);
    let created = create(&mut client, "orders", 3, &[("retention.ms", "5000")]);
    let topic = &created.topics[0];
    assert_eq!((topic.error_code, topic.num_partitions, topic.replication_factor), (0, 3, 1));
    let configs = topic.configs.as_ref().expect("configs are told");
    let retention = configs.iter().find(|config| config.name == "retention.ms").expect("it is there");
    assert_eq!((retention.value.as_deref(), retention.config_source), (Some("5000"), 1));

    let answer = metadata(&mut client, Some(&["orders"]), false);
    assert_eq!(answer.cluster_id.as_deref(), Some("AAAAAAAAAAAAAAAAAAAAAQ"));
    assert_eq!((answer.brokers[0].node_id, answer.brokers[0].port), (1, i32::from(fixture.address.port())));
    assert_eq!(answer.brokers[0].host, "127.0.0.1");
    let shown = &answer.topics[0];
    assert_eq!((shown.error_code, shown.topic_id, shown.partitions.len()), (0, topic.topic_id, 3));
    assert!(shown.partitions.iter().all(|one| one.leader_id == 1 && one.error_code == 0 && one.isr_nodes == [1]));

    let again = create(&mut client, "orders", 1, &[]);
    assert_eq!(again.topics[0].error_code, ErrorCode::TOPIC_ALREADY_EXISTS.code());
    assert_eq!(again.topics[0].error_message.as_deref(), Some("Topic 'orders' already exists."));
    let wrong = create(&mut client, "bad", 1, &[("retention.ms", "-7")]);
    assert_eq!(wrong.topics[0].error_code, ErrorCode::INVALID_CONFIG.code());
}

#[test]
fn topics_outlive_the_broker_and_deleted_ones_do_not() {
    let fixture = Fixture::start(&[]);
    let mut client = Client::connect(fixture.address);
    let kept = create(&mut client, "kept", 2, &[]).topics[0].topic_id;
    create(&mut client, "gone", 1, &[]);
    let request = DeleteTopicsRequest {
        topics: vec![DeleteTopicState { name: Some("gone".into()), topic_id: Uuid::ZERO }],
        timeout_ms: 10_000,
        ..DeleteTopicsRequest::default()
    };
    let deleted = call!(client, DeleteTopics 6, request, DeleteTopicsResponse);
    assert_eq!((deleted.responses[0].error_code, deleted.responses[0].name.as_deref()), (0, Some("gone")));
    drop(client);
    let dir = fixture.stop();

    let fixture = Fixture::start_in(dir, &[]);
    let mut client = Client::connect(fixture.address);
    let answer = metadata(&mut client, None, false);
    let names: Vec<_> = answer.topics.iter().map(|topic| (topic.name.as_deref().unwrap(), topic.topic_id)).collect();
    assert_eq!(names, [("kept", kept)]);
    assert!(answer.topics[0].partitions.iter().all(|one| one.leader_id == 1));
}

#[test]
fn metadata_is_read_back_from_a_snapshot() {
    let settings = [("metadata.log.max.record.bytes.between.snapshots", "1")];
    let fixture = Fixture::start(&settings);
    let mut client = Client::connect(fixture.address);
    let made: Vec<Uuid> = (0..5)
        .map(|at| create(&mut client, &format!("t{at}"), 3, &[("retention.ms", "9")]).topics[0].topic_id)
        .collect();
    drop(client);
    let dir = fixture.stop();
    let metadata_dir = dir.path().join("__cluster_metadata-0");
    let files = std::fs::read_dir(metadata_dir).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(files.into_iter().any(|name| name.to_str().unwrap().ends_with(".checkpoint")));

    let fixture = Fixture::start_in(dir, &settings);
    let mut client = Client::connect(fixture.address);
    let answer = metadata(&mut client, Some(&["t0", "t1", "t2", "t3", "t4"]), false);
    let found: Vec<Uuid> = answer.topics.iter().map(|topic| topic.topic_id).collect();
    assert_eq!(found, made);
    assert!(answer.topics.iter().all(|topic| topic.partitions.len() == 3));
}

#[test]
fn a_missing_topic_is_made_when_both_sides_want_it() {
    let fixture = Fixture::start(&[]);
    let mut client = Client::connect(fixture.address);
    let code = |answer: &MetadataResponse<'_>| answer.topics[0].error_code;
    assert_eq!(code(&metadata(&mut client, Some(&["t"]), false)), ErrorCode::UNKNOWN_TOPIC_OR_PARTITION.code());
    assert_eq!(code(&metadata(&mut client, Some(&["a/b"]), true)), ErrorCode::INVALID_TOPIC_EXCEPTION.code());
    let made = metadata(&mut client, Some(&["t"]), true);
    assert_eq!((code(&made), made.topics[0].partitions.len()), (0, 1));
    drop(client);
    drop(fixture);

    let fixture = Fixture::start(&[("auto.create.topics.enable", "false")]);
    let mut client = Client::connect(fixture.address);
    let answer = metadata(&mut client, Some(&["t"]), true);
    assert_eq!(code(&answer), ErrorCode::UNKNOWN_TOPIC_OR_PARTITION.code());
}

#[test]
fn partitions_are_added_and_described_in_pages() {
    let fixture = Fixture::start(&[]);
    let mut client = Client::connect(fixture.address);
    create(&mut client, "a", 2, &[]);
    create(&mut client, "b", 2, &[]);
    let topic = CreatePartitionsTopic { name: "b".into(), count: 5, assignments: None };
    let request = CreatePartitionsRequest { topics: vec![topic], timeout_ms: 10_000, validate_only: false };
    let answer = call!(client, CreatePartitions 3, request, CreatePartitionsResponse);
    assert_eq!(answer.results[0].error_code, 0);

    let mut cursor = None;
    let mut pages = Vec::new();
    loop {
        let request =
            DescribeTopicPartitionsRequest { topics: Vec::new(), response_partition_limit: 3, cursor: cursor.take() };
        let answer = call!(client, DescribeTopicPartitions 0, request, DescribeTopicPartitionsResponse);
        let named = |topic: &ottla_messages::describe_topic_partitions::DescribeTopicPartitionsResponseTopic<'_>| {
            let indexes: Vec<_> = topic.partitions.iter().map(|one| one.partition_index).collect();
            format!("{}{indexes:?}", topic.name.as_deref().unwrap_or_default())
        };
        pages.push(answer.topics.iter().map(named).collect::<Vec<_>>().join(" "));
        let Some(next) = answer.next_cursor else { break };
        cursor = Some(RequestCursor { topic_name: next.topic_name, partition_index: next.partition_index });
    }
    assert_eq!(pages, ["a[0, 1] b[0]", "b[1, 2, 3]", "b[4]"]);
    let request = DescribeTopicPartitionsRequest {
        topics: vec![TopicRequest { name: "nobody".into() }],
        response_partition_limit: 10,
        cursor: None,
    };
    let answer = call!(client, DescribeTopicPartitions 0, request, DescribeTopicPartitionsResponse);
    assert_eq!(answer.topics[0].error_code, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION.code());
}

#[test]
fn settings_are_described_with_their_sources() {
    let fixture = Fixture::start(&[("log.segment.bytes", "2097152")]);
    let mut client = Client::connect(fixture.address);
    create(&mut client, "t", 1, &[("retention.ms", "7")]);
    let ask = |kind: i8, name: &'static str| DescribeConfigsRequest {
        resources: vec![DescribeConfigsResource {
            resource_type: kind,
            resource_name: name.into(),
            configuration_keys: None,
        }],
        include_synonyms: true,
        include_documentation: true,
    };
    let topic = call!(client, DescribeConfigs 4, ask(2, "t"), DescribeConfigsResponse);
    let config = |name: &str| topic.results[0].configs.iter().find(|one| one.name == name).expect("it is there");
    assert_eq!((config("retention.ms").value.as_deref(), config("retention.ms").config_source), (Some("7"), 1));
    let segment = config("segment.bytes");
    assert_eq!((segment.value.as_deref(), segment.config_source, segment.config_type), (Some("2097152"), 4, 3));
    assert_eq!(segment.synonyms.iter().map(|one| one.source).collect::<Vec<_>>(), [4, 5]);
    assert!(segment.documentation.as_deref().is_some_and(|doc| !doc.is_empty()));
    let broker = call!(client, DescribeConfigs 4, ask(4, "1"), DescribeConfigsResponse);
    assert!(broker.results[0].configs.iter().any(|one| one.name == "node.id" && one.read_only));
    let none = call!(client, DescribeConfigs 4, ask(2, "nobody"), DescribeConfigsResponse);
    assert_eq!(none.results[0].error_code, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION.code());
    let other = call!(client, DescribeConfigs 4, ask(4, "2"), DescribeConfigsResponse);
    assert_eq!(other.results[0].error_code, ErrorCode::INVALID_REQUEST.code());
}

#[test]
fn the_cluster_is_described_to_clients_and_on_the_controllers_listener() {
    let fixture = Fixture::start(&[]);
    let addresses = fixture.broker.as_ref().unwrap().addresses().to_vec();
    let ask = |kind: i8| DescribeClusterRequest { endpoint_type: kind, ..DescribeClusterRequest::default() };
    let mut client = Client::connect(fixture.address);
    let brokers = call!(client, DescribeCluster 1, ask(1), DescribeClusterResponse);
    assert_eq!((brokers.brokers.len(), brokers.controller_id, brokers.endpoint_type), (1, 1, 1));
    let wrong = call!(client, DescribeCluster 1, ask(2), DescribeClusterResponse);
    assert_eq!(wrong.error_code, ErrorCode::MISMATCHED_ENDPOINT_TYPE.code());
    let mut client = Client::connect(addresses[1].1);
    let controllers = call!(client, DescribeCluster 1, ask(2), DescribeClusterResponse);
    assert_eq!((controllers.controller_id, controllers.brokers[0].port), (1, i32::from(addresses[1].1.port())));
}
