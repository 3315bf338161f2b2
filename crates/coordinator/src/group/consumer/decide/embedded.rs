//! The consumers' own protocol inside the classic one: subscriptions and assignments as bytes (KIP-429, KIP-792, KIP-881).

use crate::group::consumer::state::{Owned, Partitions};
use ottla_messages::records::consumer_protocol::consumer_protocol_assignment::TopicPartition;
use ottla_messages::records::consumer_protocol::{ConsumerProtocolAssignment, ConsumerProtocolSubscription};
use ottla_metadata::Image;
use ottla_wire::{ApiVersion, Cursor, Encoder, Uuid};
use std::collections::BTreeSet;
use std::sync::Arc;

/// What a member subscribes to, and what it says that it has.
pub(super) struct Subscription {
    pub(super) names: Arc<BTreeSet<Arc<str>>>,
    pub(super) rack: Option<Arc<str>>,
    /// By topic id, as far as the topics exist.
    pub(super) owned: Vec<(Uuid, Vec<i32>)>,
}

/// The version in front, a later one than the last known read as the last.
fn version(cursor: &mut Cursor<'_>) -> Option<ApiVersion> {
    let most = ConsumerProtocolSubscription::VERSIONS.max;
    cursor.i16().ok().filter(|version| !version.is_negative()).map(|version| ApiVersion(version.min(most)))
}

/// Reads a subscription; None for one that is malformed.
pub(super) fn subscription(bytes: &[u8], image: &Image) -> Option<Subscription> {
    let mut cursor = Cursor::new(bytes);
    let version = version(&mut cursor)?;
    let said = ConsumerProtocolSubscription::decode(&mut cursor, version).ok()?;
    let known = |name: &str, list: &[i32]| Some((image.topic(name)?.id, list.to_vec()));
    Some(Subscription {
        names: Arc::new(said.topics.iter().map(|name| Arc::from(&**name)).collect()),
        rack: said.rack_id.as_deref().filter(|rack| !rack.is_empty()).map(Arc::from),
        owned: said.owned_partitions.iter().filter_map(|one| known(&one.topic, &one.partitions)).collect(),
    })
}

/// Why an assignment cannot be taken over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Foreign {
    /// It cannot be read.
    Malformed,
    /// An assignor of the client's own says more in it than partitions.
    UserData,
}

/// Reads an assignment; partitions of topics that do not exist are left out.
pub(super) fn assignment(bytes: &[u8], image: &Image) -> Result<Partitions, Foreign> {
    if bytes.is_empty() {
        return Ok(Partitions::default());
    }
    let mut cursor = Cursor::new(bytes);
    let version = version(&mut cursor).ok_or(Foreign::Malformed)?;
    let said = ConsumerProtocolAssignment::decode(&mut cursor, version).map_err(|_| Foreign::Malformed)?;
    if said.user_data.is_some_and(|data| !data.is_empty()) {
        return Err(Foreign::UserData);
    }
    let known = |one: &TopicPartition<'_>| Some((image.topic(&one.topic)?.id, one.partitions.clone()));
    Ok(said.assigned_partitions.iter().filter_map(known).collect())
}

/// Writes an assignment in the version of the member's subscription.
pub(super) fn assigned(partitions: &Partitions, subscription: &[u8], image: &Image) -> Arc<[u8]> {
    let version = version(&mut Cursor::new(subscription)).unwrap_or(ApiVersion(0));
    let named = partitions.iter().filter_map(|(id, list)| {
        let topic = image.topic_by_id(id)?.name.to_string().into();
        Some(TopicPartition { topic, partitions: list.to_vec() })
    });
    let value = ConsumerProtocolAssignment { assigned_partitions: named.collect(), user_data: None };
    let mut out = Encoder::new();
    out.i16(version.0);
    // Names and numbers that came in by the same protocol fit it again.
    match value.encode(&mut out, version) {
        Ok(()) => out.into_parts().0.into(),
        Err(_) => Arc::default(),
    }
}

/// What a member has, as bytes for its SyncGroup.
pub(super) fn owned(owned: &Owned, subscription: &[u8], image: &Image) -> Arc<[u8]> {
    assigned(&owned.plain(), subscription, image)
}
