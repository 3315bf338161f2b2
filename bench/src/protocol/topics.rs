//! Topics and producer ids: created, waited for, deleted.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use ottla_messages::api::ApiKey;
use ottla_messages::{create_topics, delete_topics, init_producer_id, list_offsets, produce};
use ottla_wire::batch::Producer;
use ottla_wire::ids::{ProducerEpoch, ProducerId};
use ottla_wire::{ApiVersion, Cursor};

use super::{Client, frame};
use crate::failure::{Doing, Failure, Result, accept};

const CREATE_TOPICS: ApiVersion = ApiVersion(5);
const DELETE_TOPICS: ApiVersion = ApiVersion(5);
const INIT_PRODUCER_ID: ApiVersion = ApiVersion(4);
const LIST_OFFSETS: ApiVersion = ApiVersion(7);
const TIMEOUT_MS: i32 = 60_000;
const READY_WITHIN: Duration = Duration::from_secs(120);
/// Timestamp that asks for the end of a partition.
const LATEST: i64 = -1;
/// Partitions that one request of [`ack_every_partition`] writes to.
const PARTITIONS_A_REQUEST: i32 = 100;

/// A topic to be created.
#[derive(Clone, Debug)]
pub(crate) struct NewTopic<'a> {
    /// Its name.
    pub(crate) name: &'a str,
    /// Number of partitions, one replica each.
    pub(crate) partitions: i32,
    /// Settings of the topic.
    pub(crate) configs: &'a [(&'a str, &'a str)],
}

/// Creates the topic.
pub(crate) fn create(client: &mut Client, topic: &NewTopic<'_>) -> Result<()> {
    let configs = topic.configs.iter().map(|(name, value)| create_topics::CreatableTopicConfig {
        name: Cow::Borrowed(*name),
        value: Some(Cow::Borrowed(*value)),
    });
    let message = create_topics::CreateTopicsRequest {
        topics: vec![create_topics::CreatableTopic {
            name: Cow::Borrowed(topic.name),
            num_partitions: topic.partitions,
            replication_factor: 1,
            assignments: Vec::new(),
            configs: configs.collect(),
        }],
        timeout_ms: TIMEOUT_MS,
        validate_only: false,
    };
    let answer = client.call(ApiKey::CreateTopics, CREATE_TOPICS, |out| message.encode(out, CREATE_TOPICS))?;
    let answer = create_topics::CreateTopicsResponse::decode(&mut Cursor::new(&answer), CREATE_TOPICS)?;
    answer.topics.iter().try_for_each(|result| accept(|| format!("creating {}", topic.name), result.error_code))
}

/// Deletes the topic.
pub(crate) fn delete(client: &mut Client, name: &str) -> Result<()> {
    let message = delete_topics::DeleteTopicsRequest {
        topics: Vec::new(),
        topic_names: vec![Cow::Borrowed(name)],
        timeout_ms: TIMEOUT_MS,
    };
    let answer = client.call(ApiKey::DeleteTopics, DELETE_TOPICS, |out| message.encode(out, DELETE_TOPICS))?;
    let answer = delete_topics::DeleteTopicsResponse::decode(&mut Cursor::new(&answer), DELETE_TOPICS)?;
    answer.responses.iter().try_for_each(|result| accept(|| format!("deleting {name}"), result.error_code))
}

/// A new producer id for an idempotent producer, at sequence 0.
pub(crate) fn new_producer(client: &mut Client) -> Result<Producer> {
    let message = init_producer_id::InitProducerIdRequest {
        transactional_id: None,
        transaction_timeout_ms: TIMEOUT_MS,
        ..Default::default()
    };
    let deadline = Instant::now() + READY_WITHIN;
    loop {
        let answer =
            client.call(ApiKey::InitProducerId, INIT_PRODUCER_ID, |out| message.encode(out, INIT_PRODUCER_ID))?;
        let answer = init_producer_id::InitProducerIdResponse::decode(&mut Cursor::new(&answer), INIT_PRODUCER_ID)?;
        match accept(|| "asking for a producer id".to_owned(), answer.error_code) {
            Ok(()) => {
                let (id, epoch) = (ProducerId(answer.producer_id), ProducerEpoch(answer.producer_epoch));
                return Ok(Producer { id, epoch, base_sequence: 0 });
            }
            Err(error) => retry(error, deadline)?,
        }
    }
}

/// End offset of a partition.
pub(crate) fn end_offset(client: &mut Client, topic: &str, partition: i32) -> Result<i64> {
    let message = list_offsets::ListOffsetsRequest {
        replica_id: -1,
        topics: vec![list_offsets::ListOffsetsTopic {
            name: Cow::Borrowed(topic),
            partitions: vec![list_offsets::ListOffsetsPartition {
                partition_index: partition,
                current_leader_epoch: -1,
                timestamp: LATEST,
            }],
        }],
        ..Default::default()
    };
    let answer = client.call(ApiKey::ListOffsets, LIST_OFFSETS, |out| message.encode(out, LIST_OFFSETS))?;
    let answer = list_offsets::ListOffsetsResponse::decode(&mut Cursor::new(&answer), LIST_OFFSETS)?;
    let found = answer.topics.first().and_then(|topic| topic.partitions.first());
    let found = found.ok_or_else(|| Failure::Said("ListOffsets answered no partition".to_owned()))?;
    accept(|| format!("asking for the end of {topic}-{partition}"), found.error_code)?;
    Ok(found.offset)
}

/// Writes one small batch to every partition and waits until each was acknowledged; partitions that are not led yet are tried again.
pub(crate) fn ack_every_partition(client: &mut Client, topic: &str, partitions: i32) -> Result<()> {
    let batch = frame::batch(1, 100, None)?;
    let deadline = Instant::now() + READY_WITHIN;
    let mut waiting: Vec<i32> = (0..partitions).collect();
    while !waiting.is_empty() {
        let mut refused = Vec::new();
        for some in waiting.chunks(PARTITIONS_A_REQUEST as usize) {
            let batches: Vec<(i32, &[u8])> = some.iter().map(|index| (*index, batch.as_slice())).collect();
            let answer = client.exchange(frame::produce(topic, -1, &batches)?, true)?;
            collect_refused(&answer, topic, deadline, &mut refused)?;
        }
        if !refused.is_empty() {
            std::thread::sleep(Duration::from_millis(1));
        }
        waiting = refused;
    }
    Ok(())
}

fn collect_refused(answer: &[u8], topic: &str, deadline: Instant, refused: &mut Vec<i32>) -> Result<()> {
    let answer = produce::ProduceResponse::decode(&mut Cursor::new(answer), frame::PRODUCE)?;
    for partition in answer.responses.iter().flat_map(|topic| &topic.partition_responses) {
        if let Err(error) = accept(|| format!("producing to {topic}-{}", partition.index), partition.error_code) {
            retry(error, deadline)?;
            refused.push(partition.index);
        }
    }
    Ok(())
}

/// Waits a little when the error passes by itself and there is time; fails otherwise.
pub(crate) fn retry(error: Failure, deadline: Instant) -> Result<()> {
    match &error {
        Failure::Refused { code, .. } if code.retriable() && Instant::now() < deadline => {
            std::thread::sleep(Duration::from_micros(100));
            Ok(())
        }
        _ => Err(error),
    }
}

/// Parses `HOST:PORT`, a name allowed.
pub(crate) fn address(text: &str) -> Result<SocketAddr> {
    use std::net::ToSocketAddrs;
    let mut found = text.to_socket_addrs().doing(&format!("resolve {text}"))?;
    found.next().ok_or_else(|| Failure::Said(format!("{text} has no address")))
}
