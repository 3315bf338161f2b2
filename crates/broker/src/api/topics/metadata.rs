//! Metadata: brokers, topics, partitions and who leads them; missing topics are made when both sides want that
//! (KIP-4, KIP-78, KIP-112, KIP-320, KIP-430, KIP-516).

use super::within;
use crate::api::call::Call;
use crate::api::cluster::nodes::{self, Serving};
use crate::api::cluster::rights;
use crate::cx::Cx;
use crate::cx::groups::OFFSETS_TOPIC;
use crate::cx::rights::{Operation, Resource};
use ottla_messages::metadata::{
    self, MetadataRequest, MetadataResponse, MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use ottla_metadata::controller::{Answer, Command, NewTopic, check_topic_name, is_internal_topic};
use ottla_metadata::image::{NO_LEADER, Partition};
use ottla_metadata::{Image, Topic};
use ottla_wire::ids::PartitionIndex;
use ottla_wire::{ErrorCode, Uuid};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Time that a request for a missing topic may take to make it, in milliseconds.
const AUTO_CREATE_MS: i32 = 10_000;

type Asking<'a> = Call<'a, MetadataRequest<'a>>;
type ResponseTopic<'a> = MetadataResponseTopic<'a>;

/// Answers the topics asked for, or all.
pub(crate) async fn handle<'a>(cx: &Cx, call: Asking<'a>) -> MetadataResponse<'a> {
    let request = &call.request;
    let topics = match wanted(&call) {
        Wanted::Invalid => invalid(request),
        Wanted::All => all(cx, &call),
        Wanted::Named(names) => named(cx, &call, &names).await,
        Wanted::Identified(ids) => identified(cx, &call, &ids),
    };
    let image = cx.image();
    let brokers = brokers(cx, &call, &image);
    let asked = request.include_cluster_authorized_operations;
    MetadataResponse {
        controller_id: brokers.first().map_or(-1, |broker| broker.node_id),
        brokers,
        cluster_id: Some(cx.control().cluster_id().to_owned().into())
            .filter(|id: &std::borrow::Cow<'_, str>| !id.is_empty()),
        topics,
        cluster_authorized_operations: if asked { rights::on_cluster(cx, call.peer) } else { rights::NOT_ASKED },
        ..MetadataResponse::default()
    }
}

/// What a request asks for.
enum Wanted<'a> {
    All,
    Named(BTreeSet<&'a str>),
    Identified(BTreeSet<Uuid>),
    /// Ids, or topics without a name, in a version that has no topic ids.
    Invalid,
}

fn wanted<'a>(call: &'a Asking<'_>) -> Wanted<'a> {
    let Some(topics) = &call.request.topics else { return Wanted::All };
    if topics.is_empty() && !call.version.can(metadata::NULL_MEANS_ALL) {
        return Wanted::All;
    }
    let ids: BTreeSet<Uuid> = topics.iter().map(|topic| topic.topic_id).filter(|id| !id.is_zero()).collect();
    let names: BTreeSet<&str> = topics.iter().filter_map(|topic| topic.name.as_deref()).collect();
    let is_plain = ids.is_empty() && topics.iter().all(|topic| topic.name.is_some());
    if !is_plain && !call.version.can(metadata::TOPIC_IDS) {
        return Wanted::Invalid;
    }
    if ids.is_empty() { Wanted::Named(names) } else { Wanted::Identified(ids) }
}

/// The answer has no code for itself in these versions: each topic carries it.
fn invalid<'a>(request: &MetadataRequest<'_>) -> Vec<ResponseTopic<'a>> {
    let topics = request.topics.iter().flatten();
    let named = topics.map(|topic| (topic.name.clone().unwrap_or_default().into_owned(), topic.topic_id));
    named.map(|(name, id)| ResponseTopic { topic_id: id, ..error(&name, ErrorCode::INVALID_REQUEST) }).collect()
}

/// Topics that the caller may not see are left out.
fn all<'a>(cx: &Cx, call: &Asking<'_>) -> Vec<ResponseTopic<'a>> {
    let image = cx.image();
    let seen = image.topics().filter(|topic| call.may(cx, Resource::Topic(&topic.name)));
    seen.map(|topic| shown(cx, call, &image, topic)).collect()
}

fn identified<'a>(cx: &Cx, call: &Asking<'_>, ids: &BTreeSet<Uuid>) -> Vec<ResponseTopic<'a>> {
    let image = cx.image();
    let answer = |id: &Uuid| match image.topic_by_id(id) {
        Some(topic) if call.may(cx, Resource::Topic(&topic.name)) => shown(cx, call, &image, topic),
        Some(_) => by_id(*id, ErrorCode::TOPIC_AUTHORIZATION_FAILED),
        None => by_id(*id, ErrorCode::UNKNOWN_TOPIC_ID),
    };
    ids.iter().map(answer).collect()
}

fn by_id<'a>(id: Uuid, code: ErrorCode) -> ResponseTopic<'a> {
    ResponseTopic { error_code: code.code(), name: None, topic_id: id, ..ResponseTopic::default() }
}

async fn named<'a>(cx: &Cx, call: &Asking<'_>, names: &BTreeSet<&str>) -> Vec<ResponseTopic<'a>> {
    let may_see = |name: &&&str| call.may(cx, Resource::Topic(name));
    let missing: Vec<&str> = {
        let image = cx.image();
        names.iter().filter(may_see).filter(|name| image.topic(name).is_none()).copied().collect()
    };
    let refused = if missing.is_empty() { BTreeMap::new() } else { create(cx, call, &missing).await };
    let image: Arc<Image> = cx.image().clone();
    let mut topics = Vec::with_capacity(names.len());
    for name in names {
        if !may_see(&name) {
            topics.push(error(name, ErrorCode::TOPIC_AUTHORIZATION_FAILED));
            continue;
        }
        topics.push(match image.topic(name) {
            Some(topic) => shown(cx, call, &image, topic),
            None => error(name, refused.get(*name).copied().unwrap_or_else(|| why_missing(name))),
        });
    }
    topics
}

fn why_missing(name: &str) -> ErrorCode {
    match check_topic_name(name) {
        Ok(()) => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        Err(_) => ErrorCode::INVALID_TOPIC_EXCEPTION,
    }
}

/// Makes missing topics where client and broker want that; answers why some were not made.
async fn create(cx: &Cx, call: &Asking<'_>, missing: &[&str]) -> BTreeMap<String, ErrorCode> {
    let mut refused = BTreeMap::new();
    // Versions without the choice always want it.
    if !cx.config().topics.auto_create || !call.request.allow_auto_topic_creation {
        return refused;
    }
    let mut topics = Vec::new();
    for name in missing {
        let may_create = cx.allows(call.peer, Operation::Create, Resource::Cluster)
            || cx.allows(call.peer, Operation::Create, Resource::Topic(name));
        if !may_create {
            refused.insert((*name).to_owned(), ErrorCode::TOPIC_AUTHORIZATION_FAILED);
        } else if *name == OFFSETS_TOPIC {
            topics.push(cx.offsets_topic());
        } else if check_topic_name(name).is_ok() && !is_internal_topic(name) {
            topics.push(NewTopic {
                name: (*name).to_owned(),
                partitions: -1,
                replication_factor: -1,
                ..NewTopic::default()
            });
        }
    }
    if topics.is_empty() {
        return refused;
    }
    let command = Command::CreateTopics { topics, validate_only: false };
    let Ok(Answer::CreatedTopics(outcomes)) = within::submit(cx, command, AUTO_CREATE_MS).await else {
        return refused;
    };
    for (name, outcome) in outcomes {
        match outcome {
            Ok(_) => tracing::info!(topic = name, "topic created since a client asked for it"),
            // Another request was quicker: the topic is coming.
            Err(refusal) if refusal.code == ErrorCode::TOPIC_ALREADY_EXISTS => {
                refused.insert(name, ErrorCode::LEADER_NOT_AVAILABLE);
            }
            Err(refusal) => drop(refused.insert(name, refusal.code)),
        }
    }
    refused
}

fn error<'a>(name: &str, code: ErrorCode) -> ResponseTopic<'a> {
    ResponseTopic {
        error_code: code.code(),
        name: Some(name.to_owned().into()),
        is_internal: is_internal_topic(name),
        ..ResponseTopic::default()
    }
}

fn brokers<'a>(cx: &Cx, call: &Asking<'_>, image: &Image) -> Vec<MetadataResponseBroker<'a>> {
    let mut brokers = Vec::new();
    for broker in image.brokers().filter(|broker| !broker.fenced) {
        let Some(address) = nodes::address(cx, call.peer, broker) else { continue };
        brokers.push(MetadataResponseBroker {
            node_id: broker.id.0,
            host: address.host.into(),
            port: address.port.into(),
            rack: broker.rack.clone().map(Into::into),
        });
    }
    brokers
}

fn shown<'a>(cx: &Cx, call: &Asking<'_>, image: &Image, topic: &Topic) -> ResponseTopic<'a> {
    let serving = Serving::new(image, &call.peer.listener);
    let partitions =
        topic.partitions.iter().map(|(index, partition)| shown_partition(call, &serving, *index, partition));
    let asked = call.request.include_topic_authorized_operations;
    ResponseTopic {
        error_code: ErrorCode::NONE.code(),
        name: Some(topic.name.to_string().into()),
        topic_id: topic.id,
        is_internal: is_internal_topic(&topic.name),
        partitions: partitions.collect(),
        topic_authorized_operations: if asked {
            rights::on_topic(cx, call.peer, &topic.name)
        } else {
            rights::NOT_ASKED
        },
    }
}

fn shown_partition(
    call: &Asking<'_>,
    serving: &Serving<'_>,
    index: PartitionIndex,
    partition: &Partition,
) -> MetadataResponsePartition {
    let has_leader = serving.has(partition.leader);
    let offline_replicas = serving.offline(partition);
    let (mut replica_nodes, mut isr_nodes) = (partition.replicas.numbers(), partition.isr.numbers());
    let mut code = if has_leader {
        ErrorCode::NONE
    } else if serving.knows(partition.leader) && call.version.can(metadata::LISTENER_NOT_FOUND) {
        ErrorCode::LISTENER_NOT_FOUND
    } else {
        ErrorCode::LEADER_NOT_AVAILABLE
    };
    // The oldest version wants an error for brokers that it is not told about.
    if !call.version.can(metadata::UNAVAILABLE_BROKERS_LEFT_OUT) {
        let before = replica_nodes.len() + isr_nodes.len();
        replica_nodes.retain(|id| serving.has(ottla_wire::ids::BrokerId(*id)));
        isr_nodes.retain(|id| serving.has(ottla_wire::ids::BrokerId(*id)));
        if has_leader && replica_nodes.len() + isr_nodes.len() < before {
            code = ErrorCode::REPLICA_NOT_AVAILABLE;
        }
    }
    MetadataResponsePartition {
        error_code: code.code(),
        partition_index: index.0,
        leader_id: if has_leader { partition.leader.0 } else { NO_LEADER.0 },
        leader_epoch: partition.leader_epoch.0,
        replica_nodes,
        isr_nodes,
        offline_replicas,
    }
}
