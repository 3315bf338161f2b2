//! The bytes that consumers of a classic group exchange through the coordinator: a version, then subscription or assignment.

use super::Partitions;
use super::assignors::{Assignor, Subscriber};
use crate::client::offsets::{TopicPartition, by_topic};
use crate::failure::{Failure, While};
use ottla_messages::join_group::JoinGroupResponseMember;
use ottla_messages::records::consumer_protocol::{
    ConsumerProtocolAssignment, ConsumerProtocolSubscription, consumer_protocol_assignment,
    consumer_protocol_subscription,
};
use ottla_wire::{ApiVersion, Cursor, DecodeError, EncodeError, Encoder};

/// The newest layout, which Kafka's consumers write.
const VERSION: ApiVersion = ApiVersion(3);

/// The protocol type of consumers.
pub(super) const CONSUMERS: &str = "consumer";
/// The layout from which on the generation has a field of its own.
const WITH_GENERATION: ApiVersion = ApiVersion(2);
/// Generation of a member that is in none.
const NO_GENERATION: i32 = -1;

/// What a member reads and has read, as it tells the leader's `assignor`. `last` is the last assignment that it had.
pub(super) fn subscription(
    assignor: Assignor,
    topics: &[String],
    (owned, generation): (&Partitions, i32),
    last: &(Partitions, i32),
) -> Result<Vec<u8>, Failure> {
    let user_data = match assignor {
        Assignor::Range | Assignor::RoundRobin => None,
        Assignor::Sticky if last.1 == NO_GENERATION => None,
        Assignor::Sticky => Some(sticky_data(last)?),
        Assignor::CooperativeSticky => Some(last.1.to_be_bytes().to_vec()),
    };
    let owned = by_topic(owned.iter().map(|place| (place, ()))).into_iter();
    let subscription = ConsumerProtocolSubscription {
        topics: topics.iter().map(|topic| topic.as_str().into()).collect(),
        owned_partitions: owned
            .map(|(topic, partitions)| consumer_protocol_subscription::TopicPartition {
                topic: topic.into(),
                partitions: partitions.into_iter().map(|(partition, ())| partition).collect(),
            })
            .collect(),
        generation_id: generation,
        user_data: user_data.map(Into::into),
        ..Default::default()
    };
    bytes(|out| subscription.encode(out, VERSION))
}

/// What a member is to read.
pub(super) fn assignment(partitions: &Partitions) -> Result<Vec<u8>, Failure> {
    let topics = by_topic(partitions.iter().map(|place| (place, ()))).into_iter();
    let assignment = ConsumerProtocolAssignment {
        assigned_partitions: topics
            .map(|(topic, partitions)| consumer_protocol_assignment::TopicPartition {
                topic: topic.into(),
                partitions: partitions.into_iter().map(|(partition, ())| partition).collect(),
            })
            .collect(),
        ..Default::default()
    };
    bytes(|out| assignment.encode(out, VERSION))
}

fn bytes(encode: impl FnOnce(&mut Encoder) -> Result<(), EncodeError>) -> Result<Vec<u8>, Failure> {
    let mut out = Encoder::new();
    out.i16(VERSION.0);
    encode(&mut out).during(|| "write a consumer protocol message".to_owned())?;
    Ok(out.bytes().to_vec())
}

/// What `sticky` is told: the partitions of an assignment by topic, then its generation.
fn sticky_data((partitions, generation): &(Partitions, i32)) -> Result<Vec<u8>, Failure> {
    let topics = by_topic(partitions.iter().map(|place| (place, ())));
    let mut out = Encoder::new();
    let mut write = || {
        out.count(false, Some(topics.len()))?;
        for (topic, partitions) in &topics {
            out.string(false, topic)?;
            out.count(false, Some(partitions.len()))?;
            partitions.iter().for_each(|(partition, ())| out.i32(*partition));
        }
        out.i32(*generation);
        Ok::<(), EncodeError>(())
    };
    write().during(|| "write what the sticky assignor is told".to_owned())?;
    Ok(out.bytes().to_vec())
}

/// Reads what `sticky` was told; members older than Kafka 2.3 tell no generation.
fn read_sticky_data(bytes: &[u8]) -> Result<(Partitions, i32), DecodeError> {
    let mut cursor = Cursor::new(bytes);
    let mut partitions = Partitions::new();
    for _ in 0..cursor.count_required(false, 6, "topics")? {
        let topic = cursor.string(false, "topic")?;
        for _ in 0..cursor.count_required(false, 4, "partitions")? {
            partitions.insert(TopicPartition::new(topic, cursor.i32()?));
        }
    }
    let generation = if cursor.remaining() == 0 { NO_GENERATION } else { cursor.i32()? };
    Ok((partitions, generation))
}

/// A member's subscription as its leader's `assignor` reads it; layouts newer than ours begin like ours.
pub(super) fn subscriber(assignor: Assignor, member: &JoinGroupResponseMember<'_>) -> Result<Subscriber, Failure> {
    let doing = || format!("read the subscription of member {}", member.member_id);
    let mut cursor = Cursor::new(&member.metadata);
    let version = ApiVersion(cursor.i16().during(doing)?.clamp(0, VERSION.0));
    let subscription = ConsumerProtocolSubscription::decode(&mut cursor, version).during(doing)?;
    let data = subscription.user_data.as_deref().unwrap_or_default();
    let (owned, generation) = match assignor {
        Assignor::Range | Assignor::RoundRobin => (Partitions::new(), NO_GENERATION),
        // As in Kafka, a member whose data cannot be read has had nothing.
        Assignor::Sticky => read_sticky_data(data).unwrap_or((Partitions::new(), NO_GENERATION)),
        Assignor::CooperativeSticky => {
            let told = data.try_into().map_or(NO_GENERATION, i32::from_be_bytes);
            let generation = if version < WITH_GENERATION { told } else { subscription.generation_id };
            (owned(&subscription), generation)
        }
    };
    Ok(Subscriber {
        member: member.member_id.to_string(),
        instance: member.group_instance_id.as_deref().map(str::to_owned),
        topics: subscription.topics.iter().map(ToString::to_string).collect(),
        owned,
        generation,
    })
}

fn owned(subscription: &ConsumerProtocolSubscription<'_>) -> Partitions {
    let topics = subscription.owned_partitions.iter();
    let place = |topic: &str, partition: &i32| TopicPartition::new(topic, *partition);
    topics.flat_map(|owned| owned.partitions.iter().map(|partition| place(&owned.topic, partition))).collect()
}
