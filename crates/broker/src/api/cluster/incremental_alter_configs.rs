//! IncrementalAlterConfigs: settings of topics, groups and brokers are set, deleted, appended to or subtracted from (KIP-339,
//! KIP-848), answered once this broker shows them.

use crate::api::call::Call;
use crate::cx::Cx;
use crate::cx::rights::Resource;
use ottla_messages::incremental_alter_configs::{
    AlterConfigsResource, AlterConfigsResourceResponse, IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse,
};
use ottla_metadata::ConfigResource;
use ottla_metadata::controller::{Answer, Command, ConfigChange, ConfigOperation, Refusal};
use ottla_wire::ErrorCode;
use std::collections::BTreeMap;

/// Answers resource by resource, in the order of the request.
pub(crate) async fn handle<'a>(
    cx: &Cx,
    call: Call<'a, IncrementalAlterConfigsRequest<'a>>,
) -> IncrementalAlterConfigsResponse<'a> {
    let asked = &call.request.resources;
    let (mut changes, mut outcomes) = (Vec::new(), BTreeMap::new());
    for resource in asked {
        let allowed = check_right(cx, &call, resource).and_then(|()| change(cx, resource));
        match allowed {
            Ok(change) => changes.push(change),
            Err(refusal) => drop(outcomes.insert(key(resource), Err(refusal))),
        }
    }
    if !changes.is_empty() {
        let resources: Vec<_> = changes.iter().map(|change| change.resource.clone()).collect();
        let command = Command::AlterConfigs { changes, validate_only: call.request.validate_only };
        match cx.control().submit(&command).await {
            Ok(Answer::Configs(decided)) => outcomes.extend(decided),
            Ok(_) => {}
            Err(refusal) => outcomes.extend(resources.into_iter().map(|one| (one, Err(refusal.clone())))),
        }
    }
    let responses = asked.iter().map(|resource| shown(resource, outcomes.get(&key(resource))));
    IncrementalAlterConfigsResponse { responses: responses.collect(), ..IncrementalAlterConfigsResponse::default() }
}

fn key(resource: &AlterConfigsResource<'_>) -> ConfigResource {
    ConfigResource { kind: resource.resource_type, name: resource.resource_name.as_ref().into() }
}

/// What is no resource of Kafka's is left to the controller, which says so.
fn check_right(
    cx: &Cx,
    call: &Call<'_, IncrementalAlterConfigsRequest<'_>>,
    resource: &AlterConfigsResource<'_>,
) -> Result<(), Refusal> {
    let name = resource.resource_name.as_ref();
    let (asked, denied) = match resource.resource_type {
        ConfigResource::TOPIC => (Resource::Topic(name), ErrorCode::TOPIC_AUTHORIZATION_FAILED),
        ConfigResource::GROUP => (Resource::Group(name), ErrorCode::GROUP_AUTHORIZATION_FAILED),
        _ => (Resource::Cluster, ErrorCode::CLUSTER_AUTHORIZATION_FAILED),
    };
    if call.may(cx, asked) { Ok(()) } else { Err(denied.into()) }
}

fn change(cx: &Cx, resource: &AlterConfigsResource<'_>) -> Result<ConfigChange, Refusal> {
    let operations = resource.configs.iter().map(|config| {
        let value = config.value.clone().map(Into::into);
        Ok((config.name.clone().into_owned(), operation(config.config_operation)?, value))
    });
    let operations = operations.collect::<Result<Vec<_>, Refusal>>()?;
    if resource.resource_type == ConfigResource::BROKER && !resource.resource_name.is_empty() {
        check_own_id(cx, &resource.resource_name)?;
    }
    Ok(ConfigChange { resource: key(resource), operations })
}

/// Clients send what concerns one broker to that broker.
fn check_own_id(cx: &Cx, name: &str) -> Result<(), Refusal> {
    let own = cx.config().node_id.0;
    let wrong = |text| Err(Refusal::new(ErrorCode::INVALID_REQUEST, text));
    match name.parse::<i32>() {
        Ok(id) if id == own => Ok(()),
        Ok(_) => wrong(format!("Unexpected broker id, expected {own}, but received {name}")),
        Err(_) => wrong(format!("Node id must be an integer, but it is: {name}")),
    }
}

fn operation(number: i8) -> Result<ConfigOperation, Refusal> {
    match number {
        0 => Ok(ConfigOperation::Set),
        1 => Ok(ConfigOperation::Delete),
        2 => Ok(ConfigOperation::Append),
        3 => Ok(ConfigOperation::Subtract),
        other => Err(Refusal::new(ErrorCode::INVALID_REQUEST, format!("Unknown operations type {other}"))),
    }
}

fn shown<'a>(
    resource: &AlterConfigsResource<'_>,
    outcome: Option<&Result<(), Refusal>>,
) -> AlterConfigsResourceResponse<'a> {
    let (code, message) = match outcome {
        Some(Ok(())) => (ErrorCode::NONE, None),
        Some(Err(refusal)) => (refusal.code, refusal.message.clone()),
        None => (ErrorCode::UNKNOWN_SERVER_ERROR, None),
    };
    AlterConfigsResourceResponse {
        error_code: code.code(),
        error_message: message.map(Into::into),
        resource_type: resource.resource_type,
        resource_name: resource.resource_name.to_string().into(),
    }
}
