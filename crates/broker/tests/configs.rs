//! Settings of groups and topics, changed and shown through a broker on a real socket.
#![expect(clippy::disallowed_methods, reason = "a test waits for a real broker, and not for ever")]

#[allow(dead_code, reason = "each user takes a part of it")]
mod raw;

use ottla_messages::api::ApiKey;
use ottla_messages::consumer_group_describe::{ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse};
use ottla_messages::consumer_group_heartbeat::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse};
use ottla_messages::create_topics::{CreatableTopic, CreateTopicsRequest, CreateTopicsResponse};
use ottla_messages::describe_configs::{
    DescribeConfigsRequest, DescribeConfigsResource, DescribeConfigsResourceResult, DescribeConfigsResponse,
};
use ottla_messages::find_coordinator::{FindCoordinatorRequest, FindCoordinatorResponse};
use ottla_messages::incremental_alter_configs::{
    AlterConfigsResource, AlterableConfig, IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse,
};
use ottla_messages::list_config_resources::{ListConfigResourcesRequest, ListConfigResourcesResponse};
use ottla_wire::{ErrorCode, Uuid};
use raw::{Client, Fixture};
use std::time::{Duration, Instant};

const SETTINGS: [(&str, &str); 4] = [
    ("offsets.topic.num.partitions", "1"),
    ("offsets.topic.replication.factor", "1"),
    ("group.consumer.min.session.timeout.ms", "500"),
    ("group.consumer.min.heartbeat.interval.ms", "100"),
];
const PATIENCE: Duration = Duration::from_secs(20);
const TOPIC: i8 = 2;
const BROKER: i8 = 4;
const GROUP: i8 = 32;
const SESSION: &str = "consumer.session.timeout.ms";
const HEARTBEAT: &str = "consumer.heartbeat.interval.ms";

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

/// One setting and what to do with it: `name=value` sets, `name` deletes, `name+=value` appends.
fn operation(text: &'static str) -> AlterableConfig<'static> {
    let (name, config_operation, value) = match (text.split_once("+="), text.split_once('=')) {
        (Some((name, value)), _) => (name, 2, Some(value.into())),
        (None, Some((name, value))) => (name, 0, Some(value.into())),
        (None, None) => (text, 1, None),
    };
    AlterableConfig { name: name.into(), config_operation, value }
}

fn resource(kind: i8, name: &'static str, operations: &[&'static str]) -> AlterConfigsResource<'static> {
    let configs = operations.iter().map(|text| operation(text)).collect();
    AlterConfigsResource { resource_type: kind, resource_name: name.into(), configs }
}

type Told = (ErrorCode, Option<String>);

fn alter(client: &mut Client, resources: Vec<AlterConfigsResource<'_>>, validate_only: bool) -> Vec<Told> {
    let request = IncrementalAlterConfigsRequest { resources, validate_only };
    let response = call!(client, IncrementalAlterConfigs 1, request, IncrementalAlterConfigsResponse);
    let told = |code, message: Option<std::borrow::Cow<'_, str>>| (ErrorCode::from_code(code), message.map(Into::into));
    response.responses.into_iter().map(|one| told(one.error_code, one.error_message)).collect()
}

fn alter_one(client: &mut Client, kind: i8, name: &'static str, operations: &[&'static str]) -> Told {
    alter(client, vec![resource(kind, name, operations)], false).remove(0)
}

fn done() -> Told {
    (ErrorCode::NONE, None)
}

fn refused(code: ErrorCode, text: &str) -> Told {
    (code, Some(text.to_owned()))
}

fn describe(client: &mut Client, kind: i8, name: &'static str) -> Vec<DescribeConfigsResourceResult<'static>> {
    let resource =
        DescribeConfigsResource { resource_type: kind, resource_name: name.into(), configuration_keys: None };
    let request =
        DescribeConfigsRequest { resources: vec![resource], include_synonyms: true, include_documentation: true };
    let mut response = call!(client, DescribeConfigs 4, request, DescribeConfigsResponse);
    let result = response.results.remove(0);
    assert_eq!(result.error_code, 0, "{:?}", result.error_message);
    result.configs
}

/// Value, source, and the synonyms with their sources.
fn shown(client: &mut Client, (kind, name): (i8, &'static str), setting: &str) -> (String, i8, Vec<(String, i8)>) {
    let all = describe(client, kind, name);
    let one = all.into_iter().find(|one| one.name == setting).expect("it is shown");
    let synonyms = one.synonyms.into_iter().map(|one| (one.name.into_owned(), one.source)).collect();
    (one.value.expect("it has a value").into_owned(), one.config_source, synonyms)
}

fn create(client: &mut Client, name: &'static str) {
    let topic = CreatableTopic { name: name.into(), num_partitions: 1, replication_factor: 1, ..Default::default() };
    let request = CreateTopicsRequest { topics: vec![topic], timeout_ms: 10_000, validate_only: false };
    assert_eq!(call!(client, CreateTopics 7, request, CreateTopicsResponse).topics[0].error_code, 0);
}

fn listed(client: &mut Client, kinds: &[i8]) -> Vec<(i8, String)> {
    let request = ListConfigResourcesRequest { resource_types: kinds.to_vec() };
    let response = call!(client, ListConfigResources 1, request, ListConfigResourcesResponse);
    assert_eq!(response.error_code, 0);
    let pair = |one: ottla_messages::list_config_resources::ConfigResource<'_>| {
        (one.resource_type, one.resource_name.into_owned())
    };
    response.config_resources.into_iter().map(pair).collect()
}

/// A member of group `g` beats, as soon as the coordinator is there.
fn beat(client: &mut Client, member: &str, epoch: i32) -> ConsumerGroupHeartbeatResponse<'static> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let is_new = epoch == 0;
        let request = ConsumerGroupHeartbeatRequest {
            group_id: "g".into(),
            member_id: member.to_owned().into(),
            member_epoch: epoch,
            rebalance_timeout_ms: if is_new { 60_000 } else { -1 },
            subscribed_topic_names: is_new.then(|| vec!["t".into()]),
            topic_partitions: is_new.then(Vec::new),
            ..Default::default()
        };
        let answer = call!(client, ConsumerGroupHeartbeat 1, request, ConsumerGroupHeartbeatResponse);
        let code = ErrorCode::from_code(answer.error_code);
        if !matches!(
            code,
            ErrorCode::COORDINATOR_NOT_AVAILABLE | ErrorCode::COORDINATOR_LOAD_IN_PROGRESS | ErrorCode::NOT_COORDINATOR
        ) {
            return answer;
        }
        assert!(Instant::now() < deadline, "the coordinator does not come: {code:?}");
        find(client);
    }
}

fn find(client: &mut Client) {
    let request = FindCoordinatorRequest { coordinator_keys: vec!["g".into()], ..Default::default() };
    call!(client, FindCoordinator 6, request, FindCoordinatorResponse);
}

fn members(client: &mut Client) -> usize {
    let request = ConsumerGroupDescribeRequest { group_ids: vec!["g".into()], ..Default::default() };
    call!(client, ConsumerGroupDescribe 1, request, ConsumerGroupDescribeResponse).groups[0].members.len()
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "{what} does not happen");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_group_is_given_settings_and_shows_where_they_come_from() {
    let fixture = Fixture::start(&SETTINGS);
    let mut client = Client::connect(fixture.address);
    let default = ("group.consumer.session.timeout.ms".to_owned(), 5);
    assert_eq!(shown(&mut client, (GROUP, "g"), SESSION), ("45000".to_owned(), 5, vec![default.clone()]));
    assert_eq!(describe(&mut client, GROUP, "g").len(), 21);
    assert!(listed(&mut client, &[GROUP]).is_empty());

    let operations = ["consumer.session.timeout.ms=50000", "consumer.heartbeat.interval.ms=6000"];
    assert_eq!(alter(&mut client, vec![resource(GROUP, "g", &operations)], true), [done()]);
    assert_eq!(shown(&mut client, (GROUP, "g"), SESSION).0, "45000", "it was only checked");
    assert_eq!(alter_one(&mut client, GROUP, "g", &operations), done());
    let own = (SESSION.to_owned(), 8);
    assert_eq!(shown(&mut client, (GROUP, "g"), SESSION), ("50000".to_owned(), 8, vec![own, default.clone()]));
    assert_eq!(listed(&mut client, &[GROUP]), [(GROUP, "g".to_owned())]);
    drop(client);
    let dir = fixture.stop();

    let fixture = Fixture::start_in(dir, &SETTINGS);
    let mut client = Client::connect(fixture.address);
    assert_eq!(shown(&mut client, (GROUP, "g"), HEARTBEAT).0, "6000");
    assert_eq!(alter_one(&mut client, GROUP, "g", &[SESSION, HEARTBEAT]), done());
    assert_eq!(shown(&mut client, (GROUP, "g"), SESSION), ("45000".to_owned(), 5, vec![default]));
    assert!(listed(&mut client, &[GROUP]).is_empty());
}

#[test]
fn a_running_group_goes_by_its_new_settings() {
    let fixture = Fixture::start(&SETTINGS);
    let mut client = Client::connect(fixture.address);
    create(&mut client, "t");
    let member = Uuid([7; 16]).to_string();
    let joined = beat(&mut client, &member, 0);
    assert_eq!((joined.error_code, joined.heartbeat_interval_ms), (0, 5000));

    let operations = ["consumer.session.timeout.ms=1000", "consumer.heartbeat.interval.ms=200"];
    assert_eq!(alter_one(&mut client, GROUP, "g", &operations), done());
    until("the new interval", || beat(&mut client, &member, joined.member_epoch).heartbeat_interval_ms == 200);
    assert_eq!(members(&mut client), 1);
    until("the end of the shorter session", || members(&mut client) == 0);
}

#[test]
fn bounds_that_have_changed_hold_for_what_was_given_before() {
    let fixture = Fixture::start(&SETTINGS);
    let mut client = Client::connect(fixture.address);
    create(&mut client, "t");
    assert_eq!(alter_one(&mut client, GROUP, "g", &["consumer.heartbeat.interval.ms=200"]), done());
    drop(client);
    let dir = fixture.stop();

    let fixture =
        Fixture::start_in(dir, &[SETTINGS[0], SETTINGS[1], ("group.consumer.min.heartbeat.interval.ms", "300")]);
    let mut client = Client::connect(fixture.address);
    let joined = beat(&mut client, &Uuid([7; 16]).to_string(), 0);
    assert_eq!((joined.error_code, joined.heartbeat_interval_ms), (0, 300));
    assert_eq!(shown(&mut client, (GROUP, "g"), HEARTBEAT).0, "200", "what was given is shown");
}

#[test]
fn a_topic_is_given_settings() {
    let fixture = Fixture::start(&SETTINGS);
    let mut client = Client::connect(fixture.address);
    create(&mut client, "t");
    assert_eq!(alter_one(&mut client, TOPIC, "t", &["retention.ms=5000", "cleanup.policy+=compact"]), done());
    assert_eq!(shown(&mut client, (TOPIC, "t"), "retention.ms").0, "5000");
    assert_eq!(shown(&mut client, (TOPIC, "t"), "cleanup.policy").0, "delete,compact");
    assert_eq!(alter_one(&mut client, TOPIC, "t", &["retention.ms"]), done());
    assert_eq!(shown(&mut client, (TOPIC, "t"), "retention.ms").0, "604800000");
    // What topics follow may be changed for all of them.
    assert_eq!(alter_one(&mut client, BROKER, "", &["log.retention.ms=7000"]), done());
    assert_eq!(shown(&mut client, (TOPIC, "t"), "retention.ms").0, "7000");
}

#[test]
fn each_resource_is_answered_and_refused_in_kafkas_words() {
    use ErrorCode as Code;
    let fixture = Fixture::start(&SETTINGS);
    let mut client = Client::connect(fixture.address);
    let resources = vec![
        resource(GROUP, "twice", &["consumer.session.timeout.ms=50000"]),
        resource(GROUP, "high", &["consumer.session.timeout.ms=60001"]),
        resource(TOPIC, "absent", &["retention.ms=1"]),
        resource(GROUP, "good", &["consumer.session.timeout.ms=50000"]),
        resource(GROUP, "twice", &["consumer.session.timeout.ms=50000"]),
        resource(GROUP, "", &["consumer.session.timeout.ms=50000"]),
        resource(BROKER, "2", &["log.retention.ms=1"]),
        resource(BROKER, "1", &["log.cleaner.threads=2"]),
        resource(GROUP, "odd", &["consumer.session.timeout.ms+=1"]),
        resource(GROUP, "odder", &["no.such=1"]),
    ];
    let mut strange = resource(GROUP, "strange", &["consumer.session.timeout.ms=50000"]);
    strange.configs[0].config_operation = 9;
    let twice = || refused(Code::INVALID_REQUEST, "Each resource must appear at most once.");
    let later = "log.cleaner.threads cannot be changed while the broker runs in this release: set it in the broker's file \
                 and restart it.";
    let wanted = [
        twice(),
        refused(Code::INVALID_CONFIG, "consumer.session.timeout.ms must be in the range 500 to 60000 inclusive."),
        refused(Code::UNKNOWN_TOPIC_OR_PARTITION, "The topic 'absent' does not exist."),
        done(),
        twice(),
        refused(Code::INVALID_REQUEST, "Default group resources are not allowed."),
        refused(Code::INVALID_REQUEST, "Unexpected broker id, expected 1, but received 2"),
        refused(Code::INVALID_REQUEST, later),
        refused(Code::INVALID_CONFIG, "Can't APPEND to key consumer.session.timeout.ms because its type is not LIST."),
        refused(Code::INVALID_CONFIG, "Unknown group config name: no.such"),
        refused(Code::INVALID_REQUEST, "Unknown operations type 9"),
    ];
    let told = alter(&mut client, resources.into_iter().chain([strange]).collect(), false);
    assert_eq!(told, wanted);
    assert_eq!(listed(&mut client, &[GROUP]), [(GROUP, "good".to_owned())]);
}
