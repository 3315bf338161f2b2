//! DescribeTopicPartitions: topics and partitions in pages, with eligible leader replicas (KIP-966).

use crate::api::call::Call;
use crate::api::cluster::nodes::Serving;
use crate::api::cluster::rights;
use crate::cx::Cx;
use crate::cx::rights::Resource;
use ottla_messages::describe_topic_partitions::{
    DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse, DescribeTopicPartitionsResponsePartition,
    DescribeTopicPartitionsResponseTopic, ResponseCursor,
};
use ottla_metadata::controller::{check_topic_name, is_internal_topic};
use ottla_metadata::image::{NO_LEADER, Partition};
use ottla_metadata::{Image, Topic};
use ottla_wire::ErrorCode;
use ottla_wire::ids::PartitionIndex;
use std::collections::BTreeSet;

type Request<'a> = DescribeTopicPartitionsRequest<'a>;
type Response<'a> = DescribeTopicPartitionsResponse<'a>;
type ResponseTopic<'a> = DescribeTopicPartitionsResponseTopic<'a>;

/// Answers topics in the order of their names, from the cursor on, as many partitions as fit.
pub(crate) async fn handle<'a>(cx: &Cx, call: Call<'a, Request<'a>>) -> Response<'a> {
    let image = cx.image();
    let request = &call.request;
    let cursor = request.cursor.as_ref();
    let from = cursor.map_or("", |cursor| cursor.topic_name.as_ref());
    let names: BTreeSet<&str> = if request.topics.is_empty() {
        image.topics().map(|topic| &*topic.name).filter(|name| *name >= from).collect()
    } else {
        request.topics.iter().map(|topic| topic.name.as_ref()).filter(|name| *name >= from).collect()
    };
    let is_in_list =
        request.topics.is_empty() || cursor.is_none_or(|cursor| names.contains(cursor.topic_name.as_ref()));
    if !is_in_list || cursor.is_some_and(|cursor| cursor.partition_index < 0) {
        return invalid(request);
    }
    let start =
        |name: &str| cursor.filter(|cursor| cursor.topic_name == name).map_or(0, |cursor| cursor.partition_index);
    let limit = usize::try_from(request.response_partition_limit).unwrap_or(0);
    let mut page = Page {
        cx,
        call: &call,
        image: &image,
        room: cx.config().network.describe_partitions_max.min(limit).max(1),
        response: Response::default(),
    };
    let mut hidden = Vec::new();
    for name in names {
        if !call.may(cx, Resource::Topic(name)) {
            // Whether such a topic exists is not told.
            if !request.topics.is_empty() {
                hidden.push(error_topic(name, ErrorCode::TOPIC_AUTHORIZATION_FAILED));
            }
            continue;
        }
        if !page.add(name, start(name)) {
            break;
        }
    }
    let mut response = page.response;
    response.topics.extend(hidden);
    response
}

/// The protocol has no code for the whole answer: each topic carries it.
fn invalid<'a>(request: &Request<'_>) -> Response<'a> {
    let topics = request.topics.iter().map(|topic| error_topic(&topic.name, ErrorCode::INVALID_REQUEST));
    Response { topics: topics.collect(), ..Response::default() }
}

fn error_topic<'a>(name: &str, code: ErrorCode) -> ResponseTopic<'a> {
    ResponseTopic {
        error_code: code.code(),
        name: Some(name.to_owned().into()),
        is_internal: is_internal_topic(name),
        ..ResponseTopic::default()
    }
}

struct Page<'a, 'b> {
    cx: &'b Cx,
    call: &'b Call<'a, Request<'a>>,
    image: &'b Image,
    /// Partitions that still fit.
    room: usize,
    response: Response<'a>,
}

impl Page<'_, '_> {
    /// Adds a topic from partition `start` on; false when the page is full.
    fn add(&mut self, name: &str, start: i32) -> bool {
        if self.room == 0 {
            self.response.next_cursor = Some(ResponseCursor { topic_name: name.to_owned().into(), partition_index: 0 });
            return false;
        }
        let rights = rights::on_topic(self.cx, self.call.peer, name);
        let Some(topic) = self.image.topic(name) else {
            if !self.call.request.topics.is_empty() {
                let is_valid = check_topic_name(name).is_ok();
                let (unknown, invalid) = (ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, ErrorCode::INVALID_TOPIC_EXCEPTION);
                let mut missing = error_topic(name, if is_valid { unknown } else { invalid });
                missing.topic_authorized_operations = rights;
                self.response.topics.push(missing);
            }
            return true;
        };
        let mut rest = topic.partitions.range(PartitionIndex(start)..);
        let serving = Serving::new(self.image, &self.call.peer.listener);
        let partitions: Vec<_> =
            rest.by_ref().take(self.room).map(|(index, partition)| shown(&serving, *index, partition)).collect();
        self.room -= partitions.len();
        self.response.topics.push(full_topic(topic, partitions, rights));
        match rest.next() {
            Some((index, _)) => {
                self.response.next_cursor =
                    Some(ResponseCursor { topic_name: name.to_owned().into(), partition_index: index.0 });
                false
            }
            None => true,
        }
    }
}

fn full_topic<'a>(
    topic: &Topic,
    partitions: Vec<DescribeTopicPartitionsResponsePartition>,
    rights: i32,
) -> ResponseTopic<'a> {
    ResponseTopic {
        error_code: ErrorCode::NONE.code(),
        name: Some(topic.name.to_string().into()),
        topic_id: topic.id,
        is_internal: is_internal_topic(&topic.name),
        partitions,
        topic_authorized_operations: rights,
    }
}

fn shown(
    serving: &Serving<'_>,
    index: PartitionIndex,
    partition: &Partition,
) -> DescribeTopicPartitionsResponsePartition {
    let has_leader = serving.has(partition.leader);
    let code = if has_leader {
        ErrorCode::NONE
    } else if serving.knows(partition.leader) {
        ErrorCode::LISTENER_NOT_FOUND
    } else {
        ErrorCode::LEADER_NOT_AVAILABLE
    };
    DescribeTopicPartitionsResponsePartition {
        error_code: code.code(),
        partition_index: index.0,
        leader_id: if has_leader { partition.leader.0 } else { NO_LEADER.0 },
        leader_epoch: partition.leader_epoch.0,
        replica_nodes: partition.replicas.numbers(),
        isr_nodes: partition.isr.numbers(),
        eligible_leader_replicas: Some(partition.elr().to_vec()),
        last_known_elr: Some(partition.last_known_elr().to_vec()),
        offline_replicas: serving.offline(partition),
    }
}
