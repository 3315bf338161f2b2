//! CreateTopics: new topics in one atomic batch, answered once this broker serves them (KIP-4, KIP-464, KIP-525, KIP-516).

use super::within;
use crate::api::call::Call;
use crate::api::cluster::describe_configs::source_number;
use crate::cx::Cx;
use crate::cx::rights::{Operation, Resource};
use ottla_messages::create_topics::{
    self, CreatableTopic, CreatableTopicConfigs, CreatableTopicResult, CreateTopicsRequest, CreateTopicsResponse,
};
use ottla_metadata::controller::{Answer, Command, CreatedTopic, NewTopic, Refusal};
use ottla_metadata::settings::{Layers, topic};
use ottla_wire::ErrorCode;
use std::collections::BTreeSet;

/// Answers topic by topic.
pub(crate) async fn handle<'a>(cx: &Cx, call: Call<'a, CreateTopicsRequest<'a>>) -> CreateTopicsResponse<'a> {
    let request = &call.request;
    let (allowed, refused): (Vec<_>, Vec<_>) =
        request.topics.iter().partition(|topic| may_create(cx, &call, &topic.name));
    let command = Command::CreateTopics {
        topics: allowed.iter().map(|topic| new_topic(topic)).collect(),
        validate_only: request.validate_only,
    };
    let mut results: Vec<CreatableTopicResult<'a>> = match within::submit(cx, command, request.timeout_ms).await {
        Ok(Answer::CreatedTopics(outcomes)) => {
            outcomes.into_iter().map(|(name, outcome)| result(cx, &call, name, outcome)).collect()
        }
        Ok(_) => Vec::new(),
        Err(refusal) => {
            let names: BTreeSet<&str> = allowed.iter().map(|topic| topic.name.as_ref()).collect();
            names.into_iter().map(|name| failed(name.to_owned(), &refusal)).collect()
        }
    };
    let unauthorized = Refusal::new(ErrorCode::TOPIC_AUTHORIZATION_FAILED, "Authorization failed.");
    results.extend(refused.iter().map(|topic| failed(topic.name.clone().into_owned(), &unauthorized)));
    CreateTopicsResponse { topics: results, ..CreateTopicsResponse::default() }
}

fn may_create(cx: &Cx, call: &Call<'_, CreateTopicsRequest<'_>>, name: &str) -> bool {
    cx.allows(call.peer, Operation::Create, Resource::Cluster) || call.may(cx, Resource::Topic(name))
}

fn new_topic(topic: &CreatableTopic<'_>) -> NewTopic {
    NewTopic {
        name: topic.name.clone().into_owned(),
        partitions: topic.num_partitions,
        replication_factor: topic.replication_factor,
        assignments: topic.assignments.iter().map(|one| (one.partition_index, one.broker_ids.clone())).collect(),
        configs: topic
            .configs
            .iter()
            .map(|config| (config.name.clone().into_owned(), config.value.clone().map(Into::into)))
            .collect(),
    }
}

fn failed<'a>(name: String, refusal: &Refusal) -> CreatableTopicResult<'a> {
    CreatableTopicResult {
        name: name.into(),
        error_code: refusal.code.code(),
        error_message: refusal.message.clone().map(Into::into),
        ..CreatableTopicResult::default()
    }
}

fn result<'a>(
    cx: &Cx,
    call: &Call<'_, CreateTopicsRequest<'_>>,
    name: String,
    outcome: Result<CreatedTopic, Refusal>,
) -> CreatableTopicResult<'a> {
    let created = match outcome {
        Ok(created) => created,
        Err(refusal) => return failed(name, &refusal),
    };
    let base = CreatableTopicResult { topic_id: created.id, ..CreatableTopicResult::default() };
    if !call.version.can(create_topics::CONFIGS) {
        return CreatableTopicResult { name: name.into(), ..base };
    }
    if !cx.allows(call.peer, Operation::DescribeConfigs, Resource::Topic(&name)) {
        let topic_config_error_code = ErrorCode::TOPIC_AUTHORIZATION_FAILED.code();
        return CreatableTopicResult { name: name.into(), topic_config_error_code, ..base };
    }
    CreatableTopicResult {
        name: name.into(),
        num_partitions: created.partitions,
        replication_factor: created.replication_factor,
        configs: Some(configs(cx, &created)),
        ..base
    }
}

/// Every setting that the new topic has, by name.
fn configs<'a>(cx: &Cx, created: &CreatedTopic) -> Vec<CreatableTopicConfigs<'a>> {
    let image = cx.image();
    let layers = Layers { topic: Some(&created.configs), ..cx.control().rules().layers(&image) };
    let rows = topic::ROWS.iter().filter(|row| !row.setting.internal);
    let mut configs: Vec<_> = rows
        .map(|row| layers.describe_topic(row))
        .map(|config| CreatableTopicConfigs {
            name: config.name.into(),
            value: config.value.map(Into::into),
            read_only: config.read_only,
            config_source: source_number(config.source),
            is_sensitive: config.sensitive,
        })
        .collect();
    configs.sort_by(|one: &CreatableTopicConfigs<'_>, other| one.name.cmp(&other.name));
    configs
}
