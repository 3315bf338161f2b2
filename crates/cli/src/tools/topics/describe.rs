//! The table of a topic's partitions, in the columns of `kafka-topics --describe`.

use super::Arguments;
use super::select::Topic;
use crate::client::cluster::Cluster;
use crate::failure::{Failure, While};
use crate::output;
use ottla_messages::api::ApiKey;
use ottla_messages::describe_configs::{DescribeConfigsRequest, DescribeConfigsResource, DescribeConfigsResponse};
use ottla_messages::describe_topic_partitions::{
    DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse, DescribeTopicPartitionsResponsePartition,
    RequestCursor, TopicRequest,
};
use ottla_wire::error::ErrorCode;

/// DescribeConfigs' number for topics.
const TOPIC_RESOURCE: i8 = 2;
/// DescribeConfigs' source of a setting that was given to the topic itself.
const SOURCE_TOPIC: i8 = 1;
/// DescribeConfigs' source of a setting that nobody gave.
const SOURCE_DEFAULT: i8 = 5;
/// Most partitions in one answer unless told otherwise, as Kafka's tool has it.
const PAGE: i32 = 2000;

/// A topic's settings that are not the default.
struct Settings {
    text: String,
    has_own: bool,
    min_isr: usize,
}

/// Prints each topic with its partitions, filtered as the arguments say.
pub(super) fn describe(cluster: &mut Cluster, arguments: &Arguments, topics: &[Topic]) -> Result<(), Failure> {
    for topic in topics {
        let settings = settings(cluster, topic)?;
        if arguments.topics_with_overrides && !settings.has_own {
            continue;
        }
        let partitions = partitions(cluster, arguments, topic)?;
        if !filters_partitions(arguments) {
            let replicas = partitions.first().map_or(0, |first| first.replica_nodes.len());
            output::line(format_args!(
                "Topic: {}\tTopicId: {}\tPartitionCount: {}\tReplicationFactor: {replicas}\tConfigs: {}",
                topic.name,
                topic.id,
                partitions.len(),
                settings.text
            ));
        }
        if arguments.topics_with_overrides {
            continue;
        }
        for partition in partitions.iter().filter(|partition| shows(arguments, partition, settings.min_isr)) {
            output::line(line(&topic.name, partition));
        }
    }
    Ok(())
}

fn filters_partitions(arguments: &Arguments) -> bool {
    arguments.under_replicated_partitions
        || arguments.unavailable_partitions
        || arguments.under_min_isr_partitions
        || arguments.at_min_isr_partitions
}

fn shows(arguments: &Arguments, partition: &DescribeTopicPartitionsResponsePartition, min_isr: usize) -> bool {
    let in_sync = partition.isr_nodes.len();
    !filters_partitions(arguments)
        || (arguments.under_replicated_partitions && in_sync < partition.replica_nodes.len())
        || (arguments.unavailable_partitions && partition.leader_id < 0)
        || (arguments.under_min_isr_partitions && in_sync < min_isr)
        || (arguments.at_min_isr_partitions && in_sync == min_isr)
}

fn line(topic: &str, partition: &DescribeTopicPartitionsResponsePartition) -> String {
    let leader = if partition.leader_id < 0 { "none".to_owned() } else { partition.leader_id.to_string() };
    format!(
        "\tTopic: {topic}\tPartition: {}\tLeader: {leader}\tReplicas: {}\tIsr: {}\tElr: {}\tLastKnownElr: {}",
        partition.partition_index,
        ids(Some(&partition.replica_nodes)),
        ids(Some(&partition.isr_nodes)),
        ids(partition.eligible_leader_replicas.as_ref()),
        ids(partition.last_known_elr.as_ref()),
    )
}

fn ids(brokers: Option<&Vec<i32>>) -> String {
    let Some(brokers) = brokers else { return "N/A".to_owned() };
    brokers.iter().map(i32::to_string).collect::<Vec<_>>().join(",")
}

fn settings(cluster: &mut Cluster, topic: &Topic) -> Result<Settings, Failure> {
    let resource = DescribeConfigsResource {
        resource_type: TOPIC_RESOURCE,
        resource_name: topic.name.clone().into(),
        configuration_keys: None,
    };
    let request = DescribeConfigsRequest { resources: vec![resource], ..Default::default() };
    let answer = cluster.any()?.call(ApiKey::DescribeConfigs, |out, version| request.encode(out, version))?;
    let (mut cursor, version) = answer.body();
    let response =
        DescribeConfigsResponse::decode(&mut cursor, version).during(|| "read a describe-configs answer".to_owned())?;
    let configs: Vec<_> = response.results.iter().flat_map(|result| &result.configs).collect();
    let mut pairs: Vec<String> = configs
        .iter()
        .filter(|config| config.config_source != SOURCE_DEFAULT)
        .map(|config| format!("{}={}", config.name, config.value.as_deref().unwrap_or_default()))
        .collect();
    pairs.sort();
    let min_isr = configs.iter().find(|config| config.name == "min.insync.replicas");
    Ok(Settings {
        text: pairs.join(","),
        has_own: configs.iter().any(|config| config.config_source == SOURCE_TOPIC),
        min_isr: min_isr.and_then(|config| config.value.as_deref()?.parse().ok()).unwrap_or(1),
    })
}

/// All partitions of a topic, page by page.
fn partitions(
    cluster: &mut Cluster,
    arguments: &Arguments,
    topic: &Topic,
) -> Result<Vec<DescribeTopicPartitionsResponsePartition>, Failure> {
    let mut found = Vec::new();
    let mut next: Option<i32> = None;
    loop {
        let request = DescribeTopicPartitionsRequest {
            topics: vec![TopicRequest { name: topic.name.clone().into() }],
            response_partition_limit: arguments.partition_size_limit_per_response.unwrap_or(PAGE),
            cursor: next
                .map(|partition_index| RequestCursor { topic_name: topic.name.clone().into(), partition_index }),
        };
        let answer =
            cluster.any()?.call(ApiKey::DescribeTopicPartitions, |out, version| request.encode(out, version))?;
        let (mut cursor, version) = answer.body();
        let response = DescribeTopicPartitionsResponse::decode(&mut cursor, version)
            .during(|| "read a describe-topic-partitions answer".to_owned())?;
        for described in response.topics {
            let error = ErrorCode::from_code(described.error_code);
            if error.is_error() {
                return Err(Failure::new(format!("topic {}: {} ({error})", topic.name, error.text())));
            }
            found.extend(described.partitions);
        }
        let page = response.next_cursor.map(|page| page.partition_index);
        if page.is_none() || page <= next {
            return Ok(found);
        }
        next = page;
    }
}
