//! DeleteTopics: by name, or by id from version 6 on; fetches of a deleted topic end with an error (KIP-4, KIP-516).

use super::within;
use crate::api::call::Call;
use crate::cx::Cx;
use crate::cx::rights::{Operation, Resource};
use ottla_messages::delete_topics::{self, DeletableTopicResult, DeleteTopicsRequest, DeleteTopicsResponse};
use ottla_metadata::controller::{Answer, Command, DeletedTopic, Refusal, TopicChoice};
use ottla_wire::{ErrorCode, Uuid};

/// Answers topic by topic.
pub(crate) async fn handle<'a>(cx: &Cx, call: Call<'a, DeleteTopicsRequest<'a>>) -> DeleteTopicsResponse<'a> {
    let request = &call.request;
    let by_name = request.topic_names.iter().map(|name| (Some(name.clone().into_owned()), Uuid::ZERO));
    let by_either = request.topics.iter().map(|one| (one.name.clone().map(Into::into), one.topic_id));
    let choices: Vec<_> = by_name.chain(by_either).map(|(name, id)| TopicChoice { name, id }).collect();
    let (allowed, refused): (Vec<_>, Vec<_>) = choices.into_iter().partition(|choice| may_delete(cx, &call, choice));
    let command = Command::DeleteTopics(allowed.clone());
    let mut outcomes = match within::submit(cx, command, request.timeout_ms).await {
        Ok(Answer::DeletedTopics(outcomes)) => outcomes,
        Ok(_) => Vec::new(),
        Err(refusal) => allowed.into_iter().map(|choice| failed(choice, refusal.clone())).collect(),
    };
    let unauthorized = Refusal::from(ErrorCode::TOPIC_AUTHORIZATION_FAILED);
    outcomes.extend(refused.into_iter().map(|choice| failed(choice, unauthorized.clone())));
    let shown = |outcome: DeletedTopic| shown(&call, outcome);
    DeleteTopicsResponse { responses: outcomes.into_iter().map(shown).collect(), ..DeleteTopicsResponse::default() }
}

/// What names no existing topic is left to the controller, which says so.
fn may_delete(cx: &Cx, call: &Call<'_, DeleteTopicsRequest<'_>>, choice: &TopicChoice) -> bool {
    if cx.allows(call.peer, Operation::Delete, Resource::Cluster) {
        return true;
    }
    let image = cx.image();
    let named = choice.name.as_deref().or_else(|| image.topic_by_id(&choice.id).map(|topic| &*topic.name));
    named.is_none_or(|name| call.may(cx, Resource::Topic(name)))
}

fn failed(choice: TopicChoice, refusal: Refusal) -> DeletedTopic {
    DeletedTopic { name: choice.name, id: choice.id, outcome: Err(refusal) }
}

fn shown<'a>(call: &Call<'_, DeleteTopicsRequest<'_>>, deleted: DeletedTopic) -> DeletableTopicResult<'a> {
    let mut error_code = ErrorCode::NONE;
    let mut error_message = None;
    if let Err(refusal) = deleted.outcome {
        error_code = refusal.code;
        error_message = refusal.message;
    }
    // Older versions do not know that deletion can be switched off.
    let is_known = call.version.can(delete_topics::TOPIC_DELETION_DISABLED);
    if error_code == ErrorCode::TOPIC_DELETION_DISABLED && !is_known {
        error_code = ErrorCode::INVALID_REQUEST;
    }
    DeletableTopicResult {
        name: deleted.name.map(Into::into),
        topic_id: deleted.id,
        error_code: error_code.code(),
        error_message: error_message.map(Into::into),
    }
}
