//! OffsetFetch: what groups have committed, several at once since KIP-709 (KIP-88, KIP-447, KIP-848).

use crate::api::call::Call;
use crate::cx::Cx;
use crate::cx::groups::offsets::{self, Fetch, FetchTopic, Fetched, FetchedTopic};
use crate::cx::groups::{Answer, Command, Fault};
use crate::cx::rights::{Operation, Resource};
use ottla_messages::offset_fetch::{
    self, OffsetFetchRequest, OffsetFetchResponse, OffsetFetchResponseGroup, OffsetFetchResponsePartition,
    OffsetFetchResponsePartitions, OffsetFetchResponseTopic, OffsetFetchResponseTopics,
};
use ottla_wire::{ErrorCode, Uuid};
use std::borrow::Cow;
use std::sync::Arc;

type Asking<'a> = Call<'a, OffsetFetchRequest<'a>>;

/// One group of a request.
struct Wanted {
    fetch: Fetch,
    /// Topics that are refused: name, id, partitions, why.
    refused: Vec<(FetchTopic, ErrorCode)>,
}

/// A topic by name and id, with what is told of its partitions.
type Told = (Arc<str>, Uuid, Vec<(Fetched, ErrorCode)>);

/// Answers group by group.
pub(crate) async fn handle<'a>(cx: &Cx, call: Asking<'a>) -> OffsetFetchResponse<'a> {
    if !call.version.can(offset_fetch::BATCHED) {
        return one(cx, &call).await;
    }
    let mut groups = Vec::with_capacity(call.request.groups.len());
    for asked in &call.request.groups {
        let topics = asked.topics.as_ref().map(|topics| {
            let topic = |topic: &offset_fetch::OffsetFetchRequestTopics<'_>| {
                named(cx, &call, &topic.name, topic.topic_id, &topic.partition_indexes)
            };
            topics.iter().map(topic).collect()
        });
        let mut wanted = wanted(cx, &call, &asked.group_id, topics);
        wanted.fetch.member = asked.member_id.as_deref().map(Arc::from);
        wanted.fetch.epoch = asked.member_epoch;
        let group_id = Cow::Owned(asked.group_id.clone().into_owned());
        groups.push(match told(cx, &call, wanted).await {
            Ok(told) => {
                OffsetFetchResponseGroup { group_id, topics: told.into_iter().map(shown).collect(), error_code: 0 }
            }
            Err(code) => OffsetFetchResponseGroup { group_id, topics: Vec::new(), error_code: code.code() },
        });
    }
    OffsetFetchResponse { groups, ..OffsetFetchResponse::default() }
}

/// The older versions are about one group.
async fn one<'a>(cx: &Cx, call: &Asking<'a>) -> OffsetFetchResponse<'a> {
    let request = &call.request;
    let topics = request.topics.as_ref().map(|topics| {
        let topic = |topic: &offset_fetch::OffsetFetchRequestTopic<'_>| {
            named(cx, call, &topic.name, Uuid::ZERO, &topic.partition_indexes)
        };
        topics.iter().map(topic).collect()
    });
    let wanted = wanted(cx, call, &request.group_id, topics);
    match told(cx, call, wanted).await {
        Ok(told) => {
            OffsetFetchResponse { topics: told.into_iter().map(shown_old).collect(), ..OffsetFetchResponse::default() }
        }
        Err(code) if call.version.can(offset_fetch::ALL_TOPICS) => {
            OffsetFetchResponse { error_code: code.code(), ..OffsetFetchResponse::default() }
        }
        // The oldest version has no code of its own: each partition carries it.
        Err(code) => {
            let asked = request.topics.iter().flatten();
            let topics = asked.map(|topic| {
                let nothing = |index: &i32| (nothing(*index), code);
                let partitions = topic.partition_indexes.iter().map(nothing).collect();
                shown_old((Arc::from(&*topic.name), Uuid::ZERO, partitions))
            });
            OffsetFetchResponse { topics: topics.collect(), ..OffsetFetchResponse::default() }
        }
    }
}

/// The topic that is meant, and why the caller is not told of it.
fn named(cx: &Cx, call: &Asking<'_>, name: &str, id: Uuid, partitions: &[i32]) -> (FetchTopic, Option<ErrorCode>) {
    let by_id = call.version.can(offset_fetch::TOPIC_IDS);
    let found = if by_id { cx.image().topic_by_id(&id).map(|topic| topic.name.clone()) } else { None };
    let code = if by_id && found.is_none() { Some(ErrorCode::UNKNOWN_TOPIC_ID) } else { None };
    let name = found.unwrap_or_else(|| Arc::from(name));
    let may = || cx.allows(call.peer, Operation::Describe, Resource::Topic(&name));
    let code = code.or_else(|| (!may()).then_some(ErrorCode::TOPIC_AUTHORIZATION_FAILED));
    (FetchTopic { name, id, partitions: partitions.to_vec() }, code)
}

fn wanted(cx: &Cx, call: &Asking<'_>, group: &str, topics: Option<Vec<(FetchTopic, Option<ErrorCode>)>>) -> Wanted {
    let mut refused = Vec::new();
    // Whoever may not see the group learns nothing of its topics.
    let topics = topics.filter(|_| call.may(cx, Resource::Group(group))).map(|topics| {
        let mut allowed = Vec::with_capacity(topics.len());
        for (topic, code) in topics {
            match code {
                Some(code) => refused.push((topic, code)),
                None => allowed.push(topic),
            }
        }
        allowed
    });
    let require_stable = call.request.require_stable;
    Wanted { fetch: Fetch { group: group.into(), member: None, epoch: -1, topics, require_stable }, refused }
}

async fn told(cx: &Cx, call: &Asking<'_>, wanted: Wanted) -> Result<Vec<Told>, ErrorCode> {
    let Wanted { fetch, refused } = wanted;
    let group = fetch.group.clone();
    if !call.may(cx, Resource::Group(&group)) {
        return Err(ErrorCode::GROUP_AUTHORIZATION_FAILED);
    }
    let all = fetch.topics.is_none();
    let command = Command::Offsets(offsets::Command::Fetch(Box::new(fetch)));
    let fetched = match cx.group(&group, command).await {
        Ok(Answer::Offsets(offsets::Answer::Fetched(fetched))) => fetched,
        Ok(_) => return Err(ErrorCode::UNKNOWN_SERVER_ERROR),
        Err(fault) => return Err(code_of(&fault)),
    };
    let mut told: Vec<Told> = fetched.into_iter().filter_map(|topic| of_topic(cx, call, topic, all)).collect();
    for (topic, code) in refused {
        let partitions = topic.partitions.iter().map(|index| (nothing(*index), code)).collect();
        told.push((topic.name, topic.id, partitions));
    }
    Ok(told)
}

/// Consumers before 3.9 end when they are told COORDINATOR_NOT_AVAILABLE here; all of them look for the coordinator again
/// when they are told NOT_COORDINATOR.
fn code_of(fault: &Fault) -> ErrorCode {
    match fault.code() {
        ErrorCode::COORDINATOR_NOT_AVAILABLE => ErrorCode::NOT_COORDINATOR,
        code => code,
    }
}

/// A topic as it is told; None where all were asked for and the caller may not see it, or where it has no id to be told by.
fn of_topic(cx: &Cx, call: &Asking<'_>, topic: FetchedTopic, all: bool) -> Option<Told> {
    let FetchedTopic { name, mut id, partitions } = topic;
    if all {
        if !cx.allows(call.peer, Operation::Describe, Resource::Topic(&name)) {
            return None;
        }
        if call.version.can(offset_fetch::TOPIC_IDS) {
            id = cx.image().topic(&name)?.id;
        }
    }
    let with_code = |fetched: Fetched| {
        let code = fetched.fault.as_ref().map_or(ErrorCode::NONE, |fault| fault.code());
        (fetched, code)
    };
    Some((name, id, partitions.into_iter().map(with_code).collect()))
}

fn nothing(index: i32) -> Fetched {
    Fetched { index, offset: -1, leader_epoch: -1, metadata: String::new(), fault: None }
}

fn shown<'a>((name, topic_id, partitions): Told) -> OffsetFetchResponseTopics<'a> {
    let partition = |(fetched, code): (Fetched, ErrorCode)| OffsetFetchResponsePartitions {
        partition_index: fetched.index,
        committed_offset: fetched.offset,
        committed_leader_epoch: fetched.leader_epoch,
        metadata: Some(fetched.metadata.into()),
        error_code: code.code(),
    };
    OffsetFetchResponseTopics {
        name: name.to_string().into(),
        topic_id,
        partitions: partitions.into_iter().map(partition).collect(),
    }
}

fn shown_old<'a>((name, _, partitions): Told) -> OffsetFetchResponseTopic<'a> {
    let partition = |(fetched, code): (Fetched, ErrorCode)| OffsetFetchResponsePartition {
        partition_index: fetched.index,
        committed_offset: fetched.offset,
        committed_leader_epoch: fetched.leader_epoch,
        metadata: Some(fetched.metadata.into()),
        error_code: code.code(),
    };
    OffsetFetchResponseTopic {
        name: name.to_string().into(),
        partitions: partitions.into_iter().map(partition).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::code_of;
    use crate::cx::groups::{Fault, Refused};
    use ottla_wire::ErrorCode;

    #[test]
    fn old_consumers_are_told_nothing_that_ends_them() {
        assert_eq!(code_of(&Refused::Unavailable.into()), ErrorCode::NOT_COORDINATOR);
        assert_eq!(code_of(&Refused::Loading.into()), ErrorCode::COORDINATOR_LOAD_IN_PROGRESS);
        assert_eq!(code_of(&Fault::StaleEpoch { group: 2, request: 1 }), ErrorCode::STALE_MEMBER_EPOCH);
    }
}
