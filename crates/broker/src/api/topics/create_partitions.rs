//! CreatePartitions: more partitions for topics, answered once this broker serves them (KIP-195).

use super::within;
use crate::api::call::Call;
use crate::cx::Cx;
use crate::cx::rights::Resource;
use ottla_messages::create_partitions::{
    CreatePartitionsRequest, CreatePartitionsResponse, CreatePartitionsTopic, CreatePartitionsTopicResult,
};
use ottla_metadata::controller::{Answer, Command, MorePartitions, Refusal};
use ottla_wire::ErrorCode;

/// Answers topic by topic.
pub(crate) async fn handle<'a>(cx: &Cx, call: Call<'a, CreatePartitionsRequest<'a>>) -> CreatePartitionsResponse<'a> {
    let request = &call.request;
    let (allowed, refused): (Vec<_>, Vec<_>) =
        request.topics.iter().partition(|topic| call.may(cx, Resource::Topic(&topic.name)));
    let command = Command::CreatePartitions {
        topics: allowed.iter().map(|topic| more_partitions(topic)).collect(),
        validate_only: request.validate_only,
    };
    let mut results: Vec<_> = match within::submit(cx, command, request.timeout_ms).await {
        Ok(Answer::MorePartitions(outcomes)) => {
            outcomes.into_iter().map(|(name, outcome)| result(name, outcome)).collect()
        }
        Ok(_) => Vec::new(),
        Err(refusal) => {
            allowed.iter().map(|topic| result(topic.name.clone().into_owned(), Err(refusal.clone()))).collect()
        }
    };
    let unauthorized = Refusal::from(ErrorCode::TOPIC_AUTHORIZATION_FAILED);
    results.extend(refused.iter().map(|topic| result(topic.name.clone().into_owned(), Err(unauthorized.clone()))));
    CreatePartitionsResponse { results, ..CreatePartitionsResponse::default() }
}

fn more_partitions(topic: &CreatePartitionsTopic<'_>) -> MorePartitions {
    let assignments = topic.assignments.as_ref();
    MorePartitions {
        name: topic.name.clone().into_owned(),
        count: topic.count,
        assignments: assignments.map(|all| all.iter().map(|one| one.broker_ids.clone()).collect()),
    }
}

fn result<'a>(name: String, outcome: Result<(), Refusal>) -> CreatePartitionsTopicResult<'a> {
    let (error_code, error_message) = match outcome {
        Ok(()) => (ErrorCode::NONE, None),
        Err(refusal) => (refusal.code, refusal.message),
    };
    CreatePartitionsTopicResult {
        name: name.into(),
        error_code: error_code.code(),
        error_message: error_message.map(Into::into),
    }
}
