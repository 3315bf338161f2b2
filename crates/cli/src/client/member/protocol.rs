//! The bytes that consumers of a classic group exchange through the coordinator: a version, then subscription or assignment.

use super::{Partitions, range::Subscriber};
use crate::client::offsets::by_topic;
use crate::failure::{Failure, While};
use ottla_messages::join_group::JoinGroupResponseMember;
use ottla_messages::records::consumer_protocol::{
    ConsumerProtocolAssignment, ConsumerProtocolSubscription, consumer_protocol_assignment,
    consumer_protocol_subscription,
};
use ottla_wire::{ApiVersion, Cursor, EncodeError, Encoder};

/// The newest layout, which Kafka's consumers write.
const VERSION: ApiVersion = ApiVersion(3);

/// The protocol type of consumers.
pub(super) const CONSUMERS: &str = "consumer";
/// The name of the one assignor spoken.
pub(super) const RANGE: &str = "range";

/// What a member reads and has read.
pub(super) fn subscription(topics: &[String], owned: &Partitions, generation: i32) -> Result<Vec<u8>, Failure> {
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

/// A member's subscription as its leader reads it; layouts newer than ours begin like ours.
pub(super) fn subscriber(member: &JoinGroupResponseMember<'_>) -> Result<Subscriber, Failure> {
    let doing = || format!("read the subscription of member {}", member.member_id);
    let mut cursor = Cursor::new(&member.metadata);
    let version = ApiVersion(cursor.i16().during(doing)?.clamp(0, VERSION.0));
    let subscription = ConsumerProtocolSubscription::decode(&mut cursor, version).during(doing)?;
    Ok(Subscriber {
        member: member.member_id.to_string(),
        instance: member.group_instance_id.as_deref().map(str::to_owned),
        topics: subscription.topics.iter().map(ToString::to_string).collect(),
    })
}
