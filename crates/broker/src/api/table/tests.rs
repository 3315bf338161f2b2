//! The table's order, and every row called by somebody without rights.

use super::{Begun, TABLE, serve};
use crate::api::call::{Outcome, Work};
use crate::api::meters::Meters;
use crate::api::peer::{ListenerKind, Peer};
use crate::cx::Cx;
use crate::cx::rights::{Authorizer, Operation, Principal, Resource};
use bytes::Bytes;
use ottla_host::Runtime;
use ottla_messages::api::ApiKey;
use ottla_messages::header::{RequestHeader, ResponseHeader};
use ottla_messages::records::metadata::{FeatureLevelRecord, MetadataRecord, PartitionRecord, TopicRecord};
use ottla_messages::{
    api_versions as av, consumer_group_describe as cgd, consumer_group_heartbeat as cgh, create_partitions as cp,
    create_topics as ct, delete_groups as dg, delete_records as dr, delete_topics as dt, describe_cluster as dcl,
    describe_configs as dc, describe_groups as deg, describe_topic_partitions as dtp, fetch as f,
    find_coordinator as fc, heartbeat as hb, incremental_alter_configs as iac, init_producer_id as ip,
    join_group as jg, leave_group as lg, list_config_resources as lcr, list_groups as lig, list_offsets as lo,
    metadata as m, offset_commit as oc, offset_delete as od, offset_fetch as of, offset_for_leader_epoch as ole,
    produce as p, sync_group as sg,
};
use ottla_metadata::{BrokerConfig, Image};
use ottla_wire::{ApiVersion, Cursor, Encoder, Uuid};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

#[test]
fn rows_are_sorted_and_on_listeners_that_the_definition_names() {
    assert!(TABLE.windows(2).all(|pair| i16::from(pair[0].key) < i16::from(pair[1].key)));
    for row in TABLE {
        let listeners = row.key.info().listeners;
        assert!(listeners.broker || !row.is_on(ListenerKind::Broker), "{}", row.key);
        assert!(listeners.controller || !row.is_on(ListenerKind::Controller), "{}", row.key);
    }
}

struct DenyAll;

impl Authorizer for DenyAll {
    fn allows(&self, _: &Principal, _: IpAddr, _: Operation, _: Resource<'_>) -> bool {
        false
    }
}

const TOPIC_DENIED: i16 = 29;
const GROUP_DENIED: i16 = 30;
const CLUSTER_DENIED: i16 = 31;

/// A request of `row` about `topic`, in the newest version that names topics.
fn request(key: ApiKey, topic: &'static str) -> (ApiVersion, Encoder) {
    let max = ApiVersion(key.info().versions.max);
    let mut out = Encoder::new();
    macro_rules! body {
        ($version:expr, $request:expr) => {{
            let version = $version;
            let header = RequestHeader {
                request_api_key: key.into(),
                request_api_version: version.0,
                correlation_id: 5,
                client_id: Some("eve".into()),
            };
            header.encode(&mut out, key.info().request_header_version(version)).expect("a header");
            $request.encode(&mut out, version).expect("a body");
            (version, out)
        }};
    }
    let name = topic.into();
    match key {
        ApiKey::Produce => body!(ApiVersion(12), {
            let partition_data = vec![p::PartitionProduceData::default()];
            let topic = p::TopicProduceData { name, partition_data, ..Default::default() };
            p::ProduceRequest { acks: 1, topic_data: vec![topic], ..Default::default() }
        }),
        ApiKey::Fetch => body!(ApiVersion(12), {
            let topic =
                f::FetchTopic { topic: name, partitions: vec![f::FetchPartition::default()], ..Default::default() };
            f::FetchRequest { topics: vec![topic], ..Default::default() }
        }),
        ApiKey::ListOffsets => body!(max, {
            let topic = lo::ListOffsetsTopic { name, partitions: vec![lo::ListOffsetsPartition::default()] };
            lo::ListOffsetsRequest { topics: vec![topic], ..Default::default() }
        }),
        ApiKey::Metadata => body!(max, {
            let topic = m::MetadataRequestTopic { name: Some(name), ..Default::default() };
            m::MetadataRequest { topics: Some(vec![topic]), ..Default::default() }
        }),
        ApiKey::ApiVersions => body!(
            max,
            av::ApiVersionsRequest {
                client_software_name: "eve".into(),
                client_software_version: "1".into(),
                ..Default::default()
            }
        ),
        ApiKey::CreateTopics => body!(max, {
            let topic = ct::CreatableTopic { name, num_partitions: 1, replication_factor: 1, ..Default::default() };
            ct::CreateTopicsRequest { topics: vec![topic], ..Default::default() }
        }),
        ApiKey::DeleteTopics => {
            body!(ApiVersion(5), dt::DeleteTopicsRequest { topic_names: vec![name], ..Default::default() })
        }
        ApiKey::DeleteRecords => body!(max, {
            let topic = dr::DeleteRecordsTopic { name, partitions: vec![dr::DeleteRecordsPartition::default()] };
            dr::DeleteRecordsRequest { topics: vec![topic], ..Default::default() }
        }),
        ApiKey::InitProducerId => {
            body!(max, ip::InitProducerIdRequest { transactional_id: None, ..Default::default() })
        }
        ApiKey::OffsetForLeaderEpoch => body!(max, {
            let partitions = vec![ole::OffsetForLeaderPartition::default()];
            let topic = ole::OffsetForLeaderTopic { topic: name, partitions };
            ole::OffsetForLeaderEpochRequest { topics: vec![topic], ..Default::default() }
        }),
        ApiKey::DescribeConfigs => body!(max, {
            let resource =
                dc::DescribeConfigsResource { resource_type: 2, resource_name: name, configuration_keys: None };
            dc::DescribeConfigsRequest { resources: vec![resource], ..Default::default() }
        }),
        ApiKey::IncrementalAlterConfigs => body!(max, {
            let resource = iac::AlterConfigsResource { resource_type: 2, resource_name: name, ..Default::default() };
            iac::IncrementalAlterConfigsRequest { resources: vec![resource], validate_only: false }
        }),
        ApiKey::ListConfigResources => body!(max, lcr::ListConfigResourcesRequest::default()),
        ApiKey::CreatePartitions => body!(max, {
            let topic = cp::CreatePartitionsTopic { name, count: 2, ..Default::default() };
            cp::CreatePartitionsRequest { topics: vec![topic], ..Default::default() }
        }),
        ApiKey::DescribeCluster => body!(
            max,
            dcl::DescribeClusterRequest { include_cluster_authorized_operations: true, ..Default::default() }
        ),
        ApiKey::DescribeTopicPartitions => body!(max, {
            let topics = vec![dtp::TopicRequest { name }];
            dtp::DescribeTopicPartitionsRequest { topics, response_partition_limit: 10, ..Default::default() }
        }),
        ApiKey::FindCoordinator => {
            body!(max, fc::FindCoordinatorRequest { coordinator_keys: vec![name], ..Default::default() })
        }
        ApiKey::OffsetCommit => body!(ApiVersion(9), {
            let partitions = vec![oc::OffsetCommitRequestPartition::default()];
            let topic = oc::OffsetCommitRequestTopic { name, partitions, ..Default::default() };
            oc::OffsetCommitRequest { group_id: "group".into(), topics: vec![topic], ..Default::default() }
        }),
        ApiKey::OffsetFetch => body!(max, {
            let group = of::OffsetFetchRequestGroup { group_id: name, topics: None, ..Default::default() };
            of::OffsetFetchRequest { groups: vec![group], ..Default::default() }
        }),
        ApiKey::OffsetDelete => body!(max, od::OffsetDeleteRequest { group_id: name, ..Default::default() }),
        ApiKey::JoinGroup => body!(max, jg::JoinGroupRequest { group_id: name, ..Default::default() }),
        ApiKey::SyncGroup => body!(max, {
            let (protocol_type, protocol_name) = (Some("consumer".into()), Some("range".into()));
            sg::SyncGroupRequest { group_id: name, protocol_type, protocol_name, ..Default::default() }
        }),
        ApiKey::Heartbeat => body!(max, hb::HeartbeatRequest { group_id: name, ..Default::default() }),
        ApiKey::LeaveGroup => body!(max, lg::LeaveGroupRequest { group_id: name, ..Default::default() }),
        ApiKey::DescribeGroups => {
            body!(max, deg::DescribeGroupsRequest { groups: vec![name], include_authorized_operations: true })
        }
        ApiKey::ConsumerGroupHeartbeat => {
            body!(max, cgh::ConsumerGroupHeartbeatRequest { group_id: name, ..Default::default() })
        }
        ApiKey::ConsumerGroupDescribe => {
            body!(max, cgd::ConsumerGroupDescribeRequest { group_ids: vec![name], ..Default::default() })
        }
        ApiKey::ListGroups => body!(max, lig::ListGroupsRequest::default()),
        ApiKey::DeleteGroups => body!(max, dg::DeleteGroupsRequest { groups_names: vec![name] }),
        other => panic!("{other} has a row and no case here: say what it answers to somebody without rights"),
    }
}

/// The error code that an answer carries for its topic, its partition or as a whole.
fn refusal(key: ApiKey, version: ApiVersion, answer: &[u8]) -> i16 {
    let mut c = Cursor::new(answer);
    c.i32().expect("length");
    ResponseHeader::decode(&mut c, key.info().response_header_version(version)).expect("a header");
    match key {
        ApiKey::Produce => {
            let response = p::ProduceResponse::decode(&mut c, version).expect("a response");
            response.responses[0].partition_responses[0].error_code
        }
        ApiKey::Fetch => {
            f::FetchResponse::decode(&mut c, version).expect("a response").responses[0].partitions[0].error_code
        }
        ApiKey::ListOffsets => {
            lo::ListOffsetsResponse::decode(&mut c, version).expect("a response").topics[0].partitions[0].error_code
        }
        ApiKey::Metadata => m::MetadataResponse::decode(&mut c, version).expect("a response").topics[0].error_code,
        ApiKey::ApiVersions => av::ApiVersionsResponse::decode(&mut c, version).expect("a response").error_code,
        ApiKey::CreateTopics => {
            ct::CreateTopicsResponse::decode(&mut c, version).expect("a response").topics[0].error_code
        }
        ApiKey::DeleteTopics => {
            dt::DeleteTopicsResponse::decode(&mut c, version).expect("a response").responses[0].error_code
        }
        ApiKey::DeleteRecords => {
            dr::DeleteRecordsResponse::decode(&mut c, version).expect("a response").topics[0].partitions[0].error_code
        }
        ApiKey::InitProducerId => ip::InitProducerIdResponse::decode(&mut c, version).expect("a response").error_code,
        ApiKey::OffsetForLeaderEpoch => {
            let response = ole::OffsetForLeaderEpochResponse::decode(&mut c, version).expect("a response");
            response.topics[0].partitions[0].error_code
        }
        ApiKey::DescribeConfigs => {
            dc::DescribeConfigsResponse::decode(&mut c, version).expect("a response").results[0].error_code
        }
        ApiKey::IncrementalAlterConfigs => {
            iac::IncrementalAlterConfigsResponse::decode(&mut c, version).expect("a response").responses[0].error_code
        }
        ApiKey::ListConfigResources => {
            let response = lcr::ListConfigResourcesResponse::decode(&mut c, version).expect("a response");
            assert!(response.config_resources.is_empty(), "nothing is named");
            response.error_code
        }
        ApiKey::CreatePartitions => {
            cp::CreatePartitionsResponse::decode(&mut c, version).expect("a response").results[0].error_code
        }
        ApiKey::DescribeCluster => {
            let response = dcl::DescribeClusterResponse::decode(&mut c, version).expect("a response");
            assert_eq!(response.cluster_authorized_operations, 0, "no right is claimed");
            response.error_code
        }
        ApiKey::DescribeTopicPartitions => {
            dtp::DescribeTopicPartitionsResponse::decode(&mut c, version).expect("a response").topics[0].error_code
        }
        ApiKey::FindCoordinator => {
            let response = fc::FindCoordinatorResponse::decode(&mut c, version).expect("a response");
            response.coordinators[0].error_code
        }
        ApiKey::OffsetCommit => {
            let response = oc::OffsetCommitResponse::decode(&mut c, version).expect("a response");
            response.topics[0].partitions[0].error_code
        }
        ApiKey::OffsetFetch => {
            of::OffsetFetchResponse::decode(&mut c, version).expect("a response").groups[0].error_code
        }
        ApiKey::OffsetDelete => od::OffsetDeleteResponse::decode(&mut c, version).expect("a response").error_code,
        ApiKey::JoinGroup => jg::JoinGroupResponse::decode(&mut c, version).expect("a response").error_code,
        ApiKey::SyncGroup => sg::SyncGroupResponse::decode(&mut c, version).expect("a response").error_code,
        ApiKey::Heartbeat => hb::HeartbeatResponse::decode(&mut c, version).expect("a response").error_code,
        ApiKey::LeaveGroup => lg::LeaveGroupResponse::decode(&mut c, version).expect("a response").error_code,
        ApiKey::DescribeGroups => {
            deg::DescribeGroupsResponse::decode(&mut c, version).expect("a response").groups[0].error_code
        }
        ApiKey::ConsumerGroupHeartbeat => {
            cgh::ConsumerGroupHeartbeatResponse::decode(&mut c, version).expect("a response").error_code
        }
        ApiKey::ConsumerGroupDescribe => {
            cgd::ConsumerGroupDescribeResponse::decode(&mut c, version).expect("a response").groups[0].error_code
        }
        ApiKey::ListGroups => {
            let response = lig::ListGroupsResponse::decode(&mut c, version).expect("a response");
            assert!(response.groups.is_empty(), "no group is named");
            response.error_code
        }
        ApiKey::DeleteGroups => {
            dg::DeleteGroupsResponse::decode(&mut c, version).expect("a response").results[0].error_code
        }
        other => panic!("{other} has no case here"),
    }
}

/// What Kafka answers: what everybody may ask is answered, everything else refused.
fn expected(key: ApiKey) -> i16 {
    match key {
        ApiKey::ApiVersions | ApiKey::DescribeCluster | ApiKey::ListGroups => 0,
        ApiKey::FindCoordinator
        | ApiKey::OffsetCommit
        | ApiKey::OffsetFetch
        | ApiKey::OffsetDelete
        | ApiKey::JoinGroup
        | ApiKey::SyncGroup
        | ApiKey::Heartbeat
        | ApiKey::LeaveGroup
        | ApiKey::DescribeGroups
        | ApiKey::ConsumerGroupHeartbeat
        | ApiKey::ConsumerGroupDescribe
        | ApiKey::DeleteGroups => GROUP_DENIED,
        ApiKey::InitProducerId | ApiKey::ListConfigResources => CLUSTER_DENIED,
        _ => TOPIC_DENIED,
    }
}

fn answer(runtime: &Runtime, cx: &Arc<Cx>, key: ApiKey, topic: &'static str) -> (ApiVersion, Vec<u8>) {
    let (version, out) = request(key, topic);
    let address = "127.0.0.1:9".parse().expect("an address");
    let peer = Arc::new(Peer::new(cx.clone(), (address, address), ListenerKind::Broker, "PLAINTEXT".into()));
    let frame = Bytes::from(out.into_parts().0);
    let work = Work { peer, slot: 0, frame, buffer: Vec::new() };
    let Begun { future, .. } = serve(work, &Meters::new()).expect("the row serves it");
    match runtime.block_on(future) {
        Outcome::Answer(answer) => (version, answer.bytes),
        Outcome::Silence | Outcome::Close(_) => panic!("{key} is answered"),
    }
}

fn contains(bytes: &[u8], what: &[u8]) -> bool {
    bytes.windows(what.len()).any(|window| window == what)
}

#[test]
fn whoever_has_no_rights_is_refused_by_every_row_and_learns_nothing() {
    let runtime = Runtime::start(1).expect("threads");
    let texts = [
        ("process.roles", "broker,controller"),
        ("node.id", "1"),
        ("listeners", "PLAINTEXT://127.0.0.1:0,CONTROLLER://127.0.0.1:0"),
        ("controller.listener.names", "CONTROLLER"),
        ("controller.quorum.bootstrap.servers", "127.0.0.1:0"),
    ];
    let texts = texts.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let config = BrokerConfig::parse(&texts).expect("valid settings");
    let cx = Arc::new(Cx::new(runtime.host(), Arc::new(config), Some(Arc::new(DenyAll))));
    let mut image = Image::default();
    let id = Uuid(*b"id of the secret");
    let topic = MetadataRecord::Topic(TopicRecord { name: "secret".into(), topic_id: id });
    let partition = PartitionRecord { topic_id: id, replicas: vec![1], isr: vec![1], leader: 1, ..Default::default() };
    let feature = FeatureLevelRecord { name: "group.version".into(), feature_level: 1 };
    let feature = MetadataRecord::FeatureLevel(feature);
    image.apply(&[topic, MetadataRecord::Partition(partition), feature]).expect("records fit");
    cx.image_cell().store(Arc::new(image));
    for row in TABLE {
        let (version, known) = answer(&runtime, &cx, row.key, "secret");
        assert_eq!(refusal(row.key, version, &known), expected(row.key), "{}", row.key);
        assert!(!contains(&known, &id.0), "{} tells the id", row.key);
        let (_, unknown) = answer(&runtime, &cx, row.key, "absent");
        let shape = |bytes: &[u8], name: &[u8]| bytes.len() - usize::from(contains(bytes, name)) * name.len();
        assert_eq!(shape(&known, b"secret"), shape(&unknown, b"absent"), "{} tells whether it exists", row.key);
    }
    drop(cx);
    runtime.stop(Duration::from_secs(1));
}
