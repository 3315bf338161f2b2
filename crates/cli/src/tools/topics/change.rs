//! Creating, growing and deleting topics.

use super::select::Topic;
use super::{Arguments, TIMEOUT_MS};
use crate::client::cluster::Cluster;
use crate::failure::{Failure, While};
use crate::output;
use crate::properties;
use ottla_messages::api::ApiKey;
use ottla_messages::create_partitions::{
    CreatePartitionsAssignment, CreatePartitionsRequest, CreatePartitionsResponse, CreatePartitionsTopic,
};
use ottla_messages::create_topics::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig, CreateTopicsRequest, CreateTopicsResponse,
};
use ottla_messages::delete_topics::{DeleteTopicState, DeleteTopicsRequest, DeleteTopicsResponse};
use ottla_wire::error::ErrorCode;
use std::borrow::Cow;

/// Creates the topic.
pub(super) fn create(cluster: &mut Cluster, arguments: &Arguments) -> Result<(), Failure> {
    let name = arguments.topic.as_deref().ok_or_else(|| Failure::new("--create needs --topic"))?;
    check(arguments)?;
    if name.contains(['.', '_']) {
        output::line("WARNING: metric names cannot tell '.' from '_' in topic names; use one of them only.");
    }
    let assignments = match &arguments.replica_assignment {
        Some(text) => assignment(text)?,
        None => Vec::new(),
    };
    let manual = !assignments.is_empty();
    let topic = CreatableTopic {
        name: name.into(),
        num_partitions: if manual { -1 } else { arguments.partitions.unwrap_or(-1) },
        replication_factor: if manual { -1 } else { arguments.replication_factor.unwrap_or(-1) },
        assignments: (0..)
            .zip(assignments)
            .map(|(partition_index, broker_ids)| CreatableReplicaAssignment { partition_index, broker_ids })
            .collect(),
        configs: configs(&arguments.config)?,
    };
    let request = CreateTopicsRequest { topics: vec![topic], timeout_ms: TIMEOUT_MS, ..Default::default() };
    let answer = cluster.any()?.call(ApiKey::CreateTopics, |out, version| request.encode(out, version))?;
    let (mut cursor, version) = answer.body();
    let response =
        CreateTopicsResponse::decode(&mut cursor, version).during(|| "read a create-topics answer".to_owned())?;
    for result in &response.topics {
        match ErrorCode::from_code(result.error_code) {
            ErrorCode::TOPIC_ALREADY_EXISTS if arguments.if_not_exists => return Ok(()),
            error => refused(error, result.error_message.as_ref())?,
        }
    }
    output::line(format_args!("Created topic {name}."));
    Ok(())
}

fn check(arguments: &Arguments) -> Result<(), Failure> {
    if arguments.replication_factor.is_some_and(|factor| factor < 1) {
        return Err(Failure::new("The replication factor must be between 1 and 32767 inclusive"));
    }
    if arguments.partitions.is_some_and(|count| count < 1) {
        return Err(Failure::new("The partitions must be greater than 0"));
    }
    Ok(())
}

fn configs(arguments: &[String]) -> Result<Vec<CreatableTopicConfig<'static>>, Failure> {
    let mut configs = Vec::new();
    for text in arguments {
        let (name, value) = properties::pair(text).map_err(|error| Failure::new(format!("--config: {error}")))?;
        configs.push(CreatableTopicConfig { name: name.into(), value: Some(value.trim().to_owned().into()) });
    }
    Ok(configs)
}

/// Reads `1:2,2:3`: brokers of partition 0, of partition 1, and so on.
fn assignment(text: &str) -> Result<Vec<Vec<i32>>, Failure> {
    let partition =
        |part: &str| part.split(':').map(|broker| broker.trim().parse::<i32>()).collect::<Result<Vec<_>, _>>();
    let partitions = text.split(',').map(partition).collect::<Result<Vec<_>, _>>();
    partitions.during(|| format!("read {text:?} as broker ids by partition, such as 1:2,2:3"))
}

/// Raises the number of partitions.
pub(super) fn grow(cluster: &mut Cluster, arguments: &Arguments, topics: &[Topic]) -> Result<(), Failure> {
    let count = arguments.partitions.ok_or_else(|| Failure::new("--alter needs --partitions"))?;
    let assignments = match &arguments.replica_assignment {
        Some(text) => {
            let partitions = assignment(text)?.into_iter();
            Some(partitions.map(|broker_ids| CreatePartitionsAssignment { broker_ids }).collect::<Vec<_>>())
        }
        None => None,
    };
    let wanted = |topic: &Topic| CreatePartitionsTopic {
        name: topic.name.clone().into(),
        count,
        assignments: assignments.clone(),
    };
    let request = CreatePartitionsRequest {
        topics: topics.iter().map(wanted).collect(),
        timeout_ms: TIMEOUT_MS,
        ..Default::default()
    };
    let answer = cluster.any()?.call(ApiKey::CreatePartitions, |out, version| request.encode(out, version))?;
    let (mut cursor, version) = answer.body();
    let response = CreatePartitionsResponse::decode(&mut cursor, version)
        .during(|| "read a create-partitions answer".to_owned())?;
    for result in &response.results {
        refused(ErrorCode::from_code(result.error_code), result.error_message.as_ref())?;
    }
    Ok(())
}

/// Deletes the topics.
pub(super) fn delete(cluster: &mut Cluster, topics: &[Topic]) -> Result<(), Failure> {
    let request = DeleteTopicsRequest {
        topics: topics
            .iter()
            .map(|topic| DeleteTopicState { name: Some(topic.name.clone().into()), ..Default::default() })
            .collect(),
        topic_names: Vec::new(),
        timeout_ms: TIMEOUT_MS,
    };
    let answer = cluster.any()?.call(ApiKey::DeleteTopics, |out, version| request.encode(out, version))?;
    let (mut cursor, version) = answer.body();
    let response =
        DeleteTopicsResponse::decode(&mut cursor, version).during(|| "read a delete-topics answer".to_owned())?;
    for result in &response.responses {
        refused(ErrorCode::from_code(result.error_code), result.error_message.as_ref())?;
    }
    Ok(())
}

fn refused(error: ErrorCode, message: Option<&Cow<'_, str>>) -> Result<(), Failure> {
    if !error.is_error() {
        return Ok(());
    }
    Err(Failure::new(message.map_or_else(|| format!("{} ({error})", error.text()), |message| message.to_string())))
}

#[cfg(test)]
mod tests {
    use super::assignment;

    #[test]
    fn an_assignment_lists_partitions_by_comma_and_brokers_by_colon() {
        assert_eq!(assignment("1:2,2:3").unwrap(), [[1, 2], [2, 3]]);
        assert!(assignment("1:x").is_err());
    }
}
